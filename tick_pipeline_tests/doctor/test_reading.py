"""Whether a query reads the right files is judged by its plans, its rows, snapshots and the sizes of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.doctor.reading import ModeReading, OwnQuery, SmallFiles, Standard, judge
from tick_pipeline.event_time import parse_instant
from tick_pipeline.resources.maintenance_port import SnapshotFacts
from tick_pipeline.resources.query_port import Estimate, TableScan
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from tick_pipeline.doctor.findings import Finding

HOUR_US = parse_instant("2026-03-02T11:00:00Z")
NAME = "iceberg.ticks"


def plan(partitions: int, files: int, size: int, total: int | None = 3) -> Estimate:
    scan = TableScan(NAME, partitions, total, files, size)
    warnings = () if scan.pruned else (f"{NAME} is read whole",)
    return Estimate((scan,), partitions, files, size, pruned=scan.pruned, warnings=warnings)


def standard(**changes: Any) -> Standard:
    known: dict[str, Any] = {
        "hour_us": HOUR_US,
        "filtered": plan(1, 2, 100),
        "whole": plan(3, 6, 300),
        "rows": 50,
        "bytes_read": 100,
        "seconds": 0.1,
    }
    return Standard(**(known | changes))


def findings(own: OwnQuery | None = None, **changes: Any) -> dict[str, Finding]:
    known: dict[str, Any] = {
        "mode": StorageMode.ICEBERG,
        "has_rows": True,
        "standard": standard(),
        "small": None,
        "histories": {},
    }
    found = judge((ModeReading(**(known | changes)),), own)
    return {finding.subject: finding for finding in found}


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({}, ""),
        # A table of one hour cannot be pruned.
        ({"filtered": plan(1, 2, 100, 1), "whole": plan(1, 2, 100, 1)}, ""),
        ({"filtered": plan(3, 6, 300)}, "no-pruning"),
        # The plan promised to leave hours out, and the engine read them all.
        ({"bytes_read": 300}, "no-pruning"),
        ({"rows": 0}, "blind-query"),
    ],
)
def test_the_standard_query_must_read_its_hour_and_no_other(
    changes: dict[str, Any], failure: str
) -> None:
    pruning = findings(standard=standard(**changes))["pruning"]
    assert pruning.failure == failure
    assert pruning.verdict.value == ("fail" if failure else "ok")
    assert pruning.evidence["hour"] == "2026-03-02T11:00:00Z"


def test_an_empty_table_has_nothing_to_prune() -> None:
    assert "no file yet" in findings(standard=None, has_rows=False)["pruning"].statement
    assert "pruning" not in findings(standard=None)


def test_a_query_that_reads_all_hours_lacks_a_filter() -> None:
    blind = findings(OwnQuery("select 1", plan(3, 6, 300)))["query"]
    assert (blind.failure, blind.verdict.value) == ("missing-partition-filter", "fail")
    assert blind.evidence == {NAME: "3 of 3 hours, 6 files, 300 bytes"}
    seeing = findings(OwnQuery("select 1", plan(1, 1, 100, None)))["query"]
    assert (seeing.failure, seeing.statement) == ("", "the query reads 1 file, 100 bytes")
    assert seeing.evidence == {NAME: "1 of more hours, 1 file, 100 bytes"}


def snapshot(
    number: int, *, current: bool = False, read: bool = True, **rows: int
) -> SnapshotFacts:
    return SnapshotFacts(
        snapshot=str(number),
        made_us=HOUR_US + number,
        operation="append",
        rows_added=rows.get("added", 5),
        rows_removed=rows.get("removed", 0),
        files_added=1,
        files_removed=0,
        files=1,
        rows=5,
        by="",
        is_current=current,
        is_read=read,
    )


@pytest.mark.parametrize(
    ("table", "snapshots", "stale"),
    [
        ("raw", [], False),
        ("raw", [snapshot(2, current=True), snapshot(1)], False),
        ("raw", [snapshot(2, read=False), snapshot(1, current=True)], True),
        ("aggregated_1m", [snapshot(2, read=False), snapshot(1, current=True)], True),
        # After the rollback its rows were made again; those of raw cannot be.
        ("aggregated_1m", [snapshot(3, current=True), snapshot(2, read=False)], False),
        # More landed since, over which raw does not go forward.
        ("raw", [snapshot(3, current=True), snapshot(2, read=False), snapshot(1)], True),
        # A compaction that was rolled back took no row away.
        ("raw", [snapshot(2, read=False, removed=5), snapshot(1, current=True)], False),
    ],
)
def test_a_snapshot_is_stale_when_rows_that_were_committed_are_not_read(
    table: str, snapshots: list[SnapshotFacts], stale: bool
) -> None:
    found = findings(histories={table: snapshots})["snapshots"]
    assert (found.failure == "stale-snapshot") == stale
    assert found.verdict.value == ("fail" if stale else "ok")
    if stale:
        assert "without 5 rows of 1 snapshot" in found.statement
        again = "tick-pipeline deliver --again --storage-mode iceberg"
        forward = f"tick-pipeline maintain rollback {table} --to 2"
        assert found.next.startswith(again if len(snapshots) == 3 else forward)


def test_a_thousand_snapshots_are_too_many() -> None:
    crowd = [snapshot(1001, current=True), *(snapshot(n) for n in range(1000, 0, -1))]
    found = findings(histories={"raw": crowd})["snapshots"]
    assert (found.failure, found.verdict.value) == ("many-snapshots", "warn")


@pytest.mark.parametrize(("overdue", "failure"), [(True, "small-files"), (False, "")])
def test_small_files_warn_once_upkeep_should_have_merged_them(overdue: bool, failure: str) -> None:
    found = findings(small=SmallFiles(12, 2, 900, "7 in raw of then", overdue=overdue))["files"]
    assert (found.failure, found.verdict.value) == (failure, "warn" if failure else "ok")
    assert found.evidence["small files"] == 12
