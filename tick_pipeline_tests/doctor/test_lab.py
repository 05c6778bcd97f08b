"""Each failure of the lab is found by the doctor and mended by what he says, and the user's HOME stays as it is."""

from __future__ import annotations

import gc
import hashlib
import json
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.cli.main import run
from tick_pipeline.doctor.lab import failures
from tick_pipeline.doctor.lab.failures import FAILURES, Failure

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline.doctor.findings import Finding
    from tick_pipeline.doctor.lab.sandbox import Sandbox
    from tick_pipeline.home import Home

NAMES = {
    *("stopped-delivery", "poison-records", "schema-drift", "late-hour"),
    *("small-files", "stale-snapshot", "hot-shard", "missing-partition-filter"),
}
VERDICTS = {"late-hour": "warn", "small-files": "warn", "hot-shard": "warn"}


@pytest.fixture
def user_home(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The HOME of a user whose settings would spoil the lab."""
    folder = tmp_path / "user"
    folder.mkdir()
    (folder / ".env").write_text(
        f"TICK_PIPELINE_HOME={home.path}\n"
        "TICK_PIPELINE_STORAGE_MODES=iceberg\n"
        "TICK_PIPELINE_BUFFER_RECORDS=7\n"
        "TICK_PIPELINE_PARTITIONS_START=2026-01-01T00:00:00Z\n"
    )
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TICK_PIPELINE_STREAM_SHARDS", "2")
    # SQLite writes its file anew when the last connection of the fixture goes.
    gc.collect()
    return home.path


def fingerprint(folder: Path) -> str:
    """Names, contents and times of all files of a folder."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        told = f"{path} {path.stat().st_mtime_ns}".encode()
        found.update(told + path.read_bytes())
    return found.hexdigest()


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["lab", "run", *arguments, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.spark] if name == "late-hour" else [])
        for name in sorted(NAMES)
    ],
)
def test_the_doctor_finds_the_failure_and_his_next_step_mends_it(
    name: str, user_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = fingerprint(user_home)
    found = outcome(capsys, name)
    assert {finding["failure"] for finding in found["found"]} == {name}
    assert {finding["verdict"] for finding in found["found"]} == {VERDICTS.get(name, "fail")}
    assert all(finding["evidence"] and finding["next"] for finding in found["found"])
    if name == "hot-shard":
        assert found["no_cure"]
        assert found["cure"] == []
    else:
        assert [ended["code"] for ended in found["cure"]] == [0] * len(found["cure"])
        assert found["cure"]
        assert found["left"] == []
        assert found["after"] in {"ok", "warn"}
    assert fingerprint(user_home) == before


def test_the_list_has_all_eight(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lab", "list", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == NAMES
    assert run(["lab", "list"]) == 0
    assert "stale-snapshot" in capsys.readouterr().out


def test_a_failure_that_is_not_known_is_an_input_error(
    user_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lab", "run", "gremlins"]) == 2
    assert "hot-shard" in capsys.readouterr().err
    assert user_home.exists()


def nothing(_: Sandbox) -> None:
    """Break nothing."""


def useless(_: Sandbox, found: list[Finding]) -> list[str]:
    """What does not help, and what there is none of."""
    return ["tick-pipeline contracts check", "tick-pipeline enchant", f"false {len(found)}"]


def test_what_the_doctor_misses_or_cannot_mend_ends_with_exit_code_1(
    user_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in NAMES:
        monkeypatch.delitem(failures.FAILURES, name)
    monkeypatch.setitem(
        FAILURES, "hot-shard", Failure("hot-shard", "nothing is done", nothing, useless)
    )
    silent = Failure("no-arrivals", "nothing was sent", nothing, useless)
    monkeypatch.setitem(FAILURES, "no-arrivals", silent)
    assert run(["lab", "run", "all", "--keep"]) == 1
    captured = capsys.readouterr()
    assert "did not find hot-shard; the cure did not help against no-arrivals" in captured.err
    assert "  not found\n" in captured.out
    assert (
        "ran     tick-pipeline enchant: exit code 2, tick-pipeline: No such command" in captured.out
    )
    assert "again   still warn: nothing was sent yet" in captured.out
    assert f"  kept    {tmp_path}/tick-pipeline-lab-" in captured.out
    assert user_home.exists()
