"""The wheel that Glue installs holds the Spark jobs, and needs nothing that Glue lacks."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import tick_pipeline

ROOT = Path(__file__).parents[2]
#: What the rest of the package needs and Glue has not.
ABSENT = ("dagster", "duckdb", "msgspec", "pydantic", "pyiceberg", "sqlglot", "typer")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as an apply does."""
    folder = tmp_path_factory.mktemp("wheel") / "with blank"
    subprocess.run([str(ROOT / "terraform/scripts/build-wheel"), str(folder)], check=True)
    return folder / f"tick_pipeline-{tick_pipeline.__version__}-py3-none-any.whl"


def test_the_wheel_is_named_by_the_version(wheel: Path) -> None:
    assert wheel.exists()


def test_the_wheel_asks_pip_for_nothing(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        assert b"Requires-Dist" not in archive.read(metadata)


def test_the_wheel_holds_what_its_hash_is_of(wheel: Path) -> None:
    """A file that is shipped and not hashed could change without a new wheel."""
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = ROOT / "tick_pipeline"
    folders = [path for name in ("contracts", "spark") for path in (package / name).rglob("*")]
    hashed = [
        package / name for name in ("__init__.py", "errors.py", "event_time.py", "storage.py")
    ]
    hashed += [path for path in folders if path.is_file() and "__pycache__" not in path.parts]
    assert shipped == {path.relative_to(ROOT).as_posix() for path in hashed}


@pytest.mark.parametrize("job", ["ohlc", "anomalies", "anomaly_stream"])
def test_a_job_starts_from_the_wheel_alone(wheel: Path, job: str, tmp_path: Path) -> None:
    """As on Glue: the script lies elsewhere, and of the project only the wheel can be imported."""
    blocked = "".join(f"sys.modules[{name!r}] = None\n" for name in ABSENT)
    script = tmp_path / f"{job}.py"
    script.write_text((ROOT / f"tick_pipeline/spark/jobs/{job}.py").read_text())
    (tmp_path / "start.py").write_text(
        f"import runpy, sys\nsys.path = [{str(wheel)!r}] + [p for p in sys.path if p != {str(ROOT)!r}]\n"
        f"sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n{blocked}"
        "import tick_pipeline\nprint(tick_pipeline.__file__)\n"
        f"sys.argv = [{job!r}]\nrunpy.run_path({str(script)!r}, run_name='__main__')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-P", str(tmp_path / "start.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.startswith(str(wheel))
    assert "the following arguments are required: " in ended.stderr
    assert ended.returncode == 2
