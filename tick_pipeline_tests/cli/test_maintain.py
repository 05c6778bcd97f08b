"""`maintain` and `query --as-of` from the command line."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.cli.main import run
from tick_pipeline.event_time import format_instant, now_us
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline_tests.resources.maintained import SmallFiles, small_files

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings


@pytest.fixture
def small(home: Home, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> SmallFiles:
    """An hour with five files."""
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(settings.home))
    made = small_files(home, settings)
    made.land(5, hours=1)
    return made


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert run([*arguments, "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("small")
def test_upkeep_is_told_before_it_is_done_and_can_be_undone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = _json(capsys, "maintain", "run", "--table", "raw", "--dry-run")
    done = _json(capsys, "maintain", "run", "--table", "raw")
    assert (
        [item["merged_files"] for item in told] == [item["merged_files"] for item in done] == [5, 5]
    )
    assert [item["after"] for item in told] == [None, None]
    merged, before, *_ = _json(capsys, "maintain", "history", "iceberg.raw")
    assert merged["by"] == "maintenance: compaction"
    undone = _json(capsys, "maintain", "rollback", "raw", "--to", before["snapshot"])
    assert undone["from_snapshot"] == merged["snapshot"]
    for arguments in (["run"], ["history", "raw"], ["rollback", "raw", "--to", merged["snapshot"]]):
        assert run(["maintain", *arguments]) == 0
    shown = capsys.readouterr()
    assert "iceberg.aggregated_5m" in shown.out
    assert "rolled back" in shown.out
    assert "to undo it: tick-pipeline maintain rollback raw" in shown.err


@pytest.mark.usefixtures("small")
def test_a_query_reads_a_table_as_it_was(
    small: SmallFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    sql, then = "select count(*) as n from iceberg.raw", format_instant(now_us())
    first = _json(capsys, "query", sql)
    small.land(1, hours=1)
    assert _json(capsys, "query", sql, "--as-of", then) == first != _json(capsys, "query", sql)
    assert _json(capsys, "query", sql, "--estimate", "--as-of", then)["files"] == 5


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["maintain", "run", "--table", "ticks"], "there is no stored table 'ticks'"),
        (["maintain", "history", "parquet_projection.raw"], "has no snapshots"),
        (
            ["maintain", "run", "--retain-hours", "9", "--storage-mode", "iceberg"],
            "both storage modes",
        ),
        (
            ["maintain", "run", "--start", "2026-02-01", "--end", "2026-02-01"],
            "the end 2026-02-01T00:00:00Z is not after the start",
        ),
        (["query", "select 1 as n", "--as-of", "soon"], "--as-of: 'soon' is no ISO 8601"),
        (
            ["query", "select * from parquet_projection.raw", "--as-of", "2026-01-01"],
            "parquet_projection.raw is a Parquet table",
        ),
        (
            ["query", "select * from iceberg.raw", "--as-of", "2020-01-01"],
            "its first snapshot is of",
        ),
    ],
)
def test_what_cannot_be_asked_for_is_one_line_and_exit_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""


@pytest.mark.parametrize(
    "arguments",
    [["run", "--table", "anomalies"], ["history", "anomalies"], ["rollback", "raw", "--to", "1"]],
)
def test_a_table_that_is_not_there_is_one_line_with_what_to_do(
    home: Home,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(home.path))
    with closing(open_catalog(home.path)) as catalog:
        for table in ("raw", "anomalies"):
            catalog.drop_table(f"iceberg.{table}")
    assert run(["maintain", *arguments]) == 1
    shown = capsys.readouterr()
    # Parquet's was looked after all the same.
    assert ("parquet_projection.anomalies" in shown.out) == (arguments[0] == "run")
    told = shown.err
    assert f"{home.catalog} has no table iceberg." in told
    assert "`tick-pipeline reset`" in told
    assert told.count("\n") == 1


@pytest.mark.usefixtures("small")
def test_retention_by_setting_is_left_out_where_one_mode_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_RETAIN_HOURS", "1")
    one = _json(capsys, "maintain", "run", "--storage-mode", "iceberg", "--dry-run")
    assert {item["dropped_hours"] for item in one} == {0}
    both = _json(capsys, "maintain", "run", "--table", "raw", "--dry-run")
    assert [item["dropped_hours"] for item in both] == [1, 1]
