"""A script of a Glue job is started here as Glue starts it."""

from __future__ import annotations

import json
import shlex
import subprocess
import zipfile
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tick_pipeline_tests.twin import glue_process as module
from tick_pipeline_tests.twin.glue_process import glue_process

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://127.0.0.1:1"
_TELL = """import importlib.util, json, os, sys
import tick_pipeline
print(json.dumps({
    "argv": sys.argv[1:], "package": tick_pipeline.__file__, "cwd": os.getcwd(), "environment": dict(os.environ),
    "checkout": importlib.util.find_spec("tick_pipeline_tests") is not None,
}))
"""


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """One that holds a package of the project's name, and a file of its data."""
    path = tmp_path / "tick_pipeline-9-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tick_pipeline/__init__.py", "")
    return path


def test_a_script_sees_the_wheel_its_arguments_and_the_twin(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the checkout, of the developer's AWS or of his settings."""
    monkeypatch.setattr(module, "aws_class_path", list)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "TICK_PIPELINE_HOME"):
        monkeypatch.setenv(name, "of the developer")
    script, folder = tmp_path / "script.py", tmp_path / "run"
    script.write_text(_TELL)
    folder.mkdir()
    given = ["--START", "2026-01-01T00:00:00Z", "--conf", "spark.a=b=c --conf spark.d=e f"]
    command, environment = glue_process(
        script, [*given, "--END=x"], twin_url=URL, modules=[wheel], folder=folder
    )
    ended = subprocess.run(command, env=environment, cwd=folder, capture_output=True, check=True)
    told = json.loads(ended.stdout)
    assert told["argv"] == ["--START", "2026-01-01T00:00:00Z", "--END=x"]
    assert (told["package"], told["cwd"]) == (
        str(folder / "site" / "tick_pipeline" / "__init__.py"),
        str(folder),
    )
    assert not told["checkout"]
    assert told["environment"]["AWS_ENDPOINT_URL"] == URL
    assert "of the developer" not in told["environment"].values()
    submit = shlex.split(told["environment"]["PYSPARK_SUBMIT_ARGS"])
    confs = [value for name, value in pairwise(submit) if name == "--conf"]
    assert {"spark.a=b=c", "spark.d=e f"} <= set(confs)
    assert f"spark.hadoop.fs.s3a.endpoint={URL}" in confs
