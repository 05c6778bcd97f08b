"""`report` and the job `storage_report`: the same page, told to Dagster."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from tick_pipeline.cli.main import run
from tick_pipeline.definitions import defs
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.orchestration.tables import STORAGE_COMPARISON
from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import TABLES, StorageMode

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline_tests.report.conftest import Reported


@pytest.fixture
def _of_reported(reported: Reported, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(reported.settings.home))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_of_reported")
def test_the_page_goes_where_out_says_and_json_holds_every_figure(
    reported: Reported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "new" / "page.html"
    hours = ("--start", "2026-03-01T09:00:00Z", "--end", "2026-03-01T10:30:00Z")
    assert run(["report", "--out", str(page), *hours, "--json"]) == 0
    output, errors = capsys.readouterr()
    document = json.loads(output)
    assert document["page"] == str(page)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "widened to whole hours: 2026-03-01T09:00:00Z .. 2026-03-01T11:00:00Z" in errors
    assert document["verdict"]["headline"]
    assert len(document["verdict"]["deciders"]) == 3
    figures = document["comparison"]
    assert figures["end_us"] - figures["start_us"] == 2 * 3_600_000_000
    assert [parity["differing"] for parity in figures["parity"]] == [0, 0, 0, 0]
    assert {query["mode"] for query in figures["queries"]} == set(StorageMode)
    settings = load_settings(home=reported.settings.home)
    with open_instance(open_home(settings), settings) as instance:
        event = instance.get_latest_materialization_event(STORAGE_COMPARISON)
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["page"].value == str(page)


@pytest.mark.usefixtures("_of_reported")
def test_the_job_writes_the_page_into_home_and_tells_its_verdict(reported: Reported) -> None:
    reported.page.unlink()
    with dg.DagsterInstance.ephemeral() as instance:
        done = defs().resolve_job_def("storage_report").execute_in_process(instance=instance)
    [event] = done.get_asset_materialization_events()
    told: dict[str, Any] = {
        name: value.value
        for name, value in event.step_materialization_data.materialization.metadata.items()
    }
    assert reported.page.exists()
    assert told["page"] == str(reported.page)
    assert told["verdict"].startswith("For this data: ")
    assert (told["ticks"], told["tables that differ"]) == (reported.comparison.ticks, 0)
    assert told["answering, iceberg"].endswith("s")


def test_the_asset_stands_on_every_table_of_both_modes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(tmp_path / "home"))
    asset = defs().resolve_asset_graph().get(STORAGE_COMPARISON)
    assert asset.parent_keys == {
        dg.AssetKey([mode.value, table]) for mode in StorageMode for table in TABLES
    }
    assert asset.group_name == "comparison"
    assert asset.partitions_def is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--out", "."], "is a folder: name a file"),
        (["--start", "2026-03-01"], "--start and --end go together; give both or neither"),
        (["--start", "2026-03-01", "--end", "2026-03-01"], "is not after the start"),
        (["--start", "noon", "--end", "2026-03-01"], "is no ISO 8601 instant"),
    ],
)
@pytest.mark.usefixtures("_of_reported")
def test_a_wrong_option_is_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", *arguments]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert told in errors
    assert errors.count("\n") == 1


def test_a_new_home_has_a_page_that_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert run(["report"]) == 0
    output, errors = capsys.readouterr()
    page = tmp_path / "home" / "report" / "index.html"
    assert output == f"{page}\n"
    assert "there is nothing to compare yet" in errors
    assert "Not measured: " in page.read_text(encoding="utf-8")


def test_one_storage_mode_alone_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TICK_PIPELINE_STORAGE_MODES", "iceberg")
    monkeypatch.chdir(tmp_path)
    assert run(["report"]) == 2
    assert (
        "there is nothing to compare: TICK_PIPELINE_STORAGE_MODES=iceberg"
        in capsys.readouterr().err
    )
    assert STORAGE_COMPARISON not in defs().resolve_asset_graph().get_all_asset_keys()
