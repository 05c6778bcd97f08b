"""`contracts apply` tells what it did to the live tables of HOME."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.cli.main import run
from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import load_settings
from tick_pipeline_tests.contracts.changed import VENUE, use_contract, with_fields, without_field

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(tmp_path / "home"))
    open_home(load_settings())


def test_applying_tells_its_steps_and_does_them_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_contract(monkeypatch, with_fields("tick", VENUE))
    assert run(["contracts", "apply", "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert "would do" in planned
    assert "venue string: where it traded" in planned
    assert run(["contracts", "apply", "--json"]) == 0
    step = {
        "table": "iceberg.raw",
        "change": "add column venue",
        "before": "",
        "after": "venue string: where it traded",
    }
    document = json.loads(capsys.readouterr().out)
    assert document == {"dry_run": False, "steps": [step], "notes": []}
    assert run(["contracts", "apply"]) == 0
    assert capsys.readouterr().out == "every live table is as its contract says\n"


def test_a_removed_field_is_exit_code_2_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_contract(monkeypatch, without_field("anomaly", "stddev"))
    assert run(["contracts", "apply"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "iceberg.anomalies: anomaly: the field stddev was removed" in told.err
    assert told.err.count("\n") == 1
