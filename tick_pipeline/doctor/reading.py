"""Does the query read the right files? Judged from plans with and without the hour's filter, and from one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tick_pipeline.doctor.findings import Figure, Finding, Verdict, ok
from tick_pipeline.doctor.words import many, share
from tick_pipeline.event_time import format_short
from tick_pipeline.storage import RAW, StorageMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tick_pipeline.resources.maintenance_port import SnapshotFacts
    from tick_pipeline.resources.query_port import Estimate

#: Landing commits every minute and keeps hours; a reader plans over all of them.
_MANY_SNAPSHOTS = 1000


@dataclass(frozen=True)
class Standard:
    """The standard query of one hour: planned with its filter and without, and run with it.

    Attributes:
        hour_us: start of the hour, which has files, microseconds.
        filtered: the plan with the filter on event_at.
        whole: the plan without.
        rows: that the run with the filter counted.
        bytes_read: that it read.
        seconds: that it took.
    """

    hour_us: int
    filtered: Estimate
    whole: Estimate
    rows: int
    bytes_read: int
    seconds: float


@dataclass(frozen=True)
class SmallFiles:
    """Files that upkeep would merge.

    Attributes:
        files: how many, of all tables.
        hours: of how many hours of a table.
        bytes: of all of them.
        worst: table and hour with the most, in words.
        overdue: upkeep should have merged some of them, or an hour has more than a reader should open.
    """

    files: int
    hours: int
    bytes: int
    worst: str
    overdue: bool


@dataclass(frozen=True)
class ModeReading:
    """What is known of one mode; None where it could not be seen.

    Attributes:
        mode: which.
        has_rows: raw has files.
        standard: None also where raw has none.
        small: None also where there are none.
        histories: Iceberg's table -> its snapshots, newest first.
    """

    mode: StorageMode
    has_rows: bool
    standard: Standard | None
    small: SmallFiles | None
    histories: Mapping[str, Sequence[SnapshotFacts]]


@dataclass(frozen=True)
class OwnQuery:
    """A query that the user asks about.

    Attributes:
        sql: its text.
        plan: what it would read.
    """

    sql: str
    plan: Estimate


def judge(modes: tuple[ModeReading, ...], own: OwnQuery | None) -> list[Finding]:
    """The findings, mode by mode, and that of the user's own query first."""
    findings = [] if own is None else [_own(own)]
    for mode in modes:
        if mode.standard is not None:
            findings.append(_standard(mode.mode, mode.standard))
        elif not mode.has_rows:
            findings.append(ok("pruning", f"{mode.mode}: raw has no file yet"))
        findings += _snapshots(mode.histories)
        findings.append(_small(mode))
    return findings


def _own(own: OwnQuery) -> Finding:
    evidence: dict[str, Figure] = {
        scan.table: f"{scan.partitions} of {'more' if scan.partitions_total is None else scan.partitions_total} "
        f"hours, {many(scan.files, 'file')}, {scan.bytes:,} bytes"
        for scan in own.plan.tables
    }
    if own.plan.pruned:
        told = f"the query reads {many(own.plan.files, 'file')}, {own.plan.bytes:,} bytes"
        return Finding("query", Verdict.OK, told, evidence=evidence)
    return Finding(
        "query",
        Verdict.FAIL,
        f"the query reads whole tables: {own.plan.warnings[0]}",
        "missing-partition-filter",
        evidence,
        "add to its WHERE: event_at >= current_timestamp - interval '1' hour (bucket_start of candles); "
        "tick-pipeline query --estimate tells what it then reads",
    )


def _standard(mode: StorageMode, query: Standard) -> Finding:
    (with_filter,), (without,) = query.filtered.tables, query.whole.tables
    evidence: dict[str, Figure] = {
        "hour": format_short(query.hour_us),
        "with its filter": f"{many(with_filter.files, 'file')}, {with_filter.bytes:,} bytes",
        "without": f"{many(without.files, 'file')}, {without.bytes:,} bytes, {many(without.partitions, 'hour')}",
        "read by the run": f"{query.bytes_read:,} bytes, {query.rows:,} rows, {query.seconds:.2f} s",
    }
    if not query.rows:
        return Finding(
            "pruning",
            Verdict.FAIL,
            f"{mode}: {many(with_filter.files, 'file')} of {format_short(query.hour_us)}, and the query finds "
            "no valid tick in them",
            "blind-query",
            evidence,
            f"tick-pipeline query --file invalid_ticks --param storage_mode={mode}; on AWS look at the "
            "table's projection.* properties",
        )
    read_all = query.bytes_read >= without.bytes or with_filter.files >= without.files
    if without.partitions > 1 and read_all:
        told = f"{mode}: a filter on event_at does not keep the query from reading other hours"
        step = "tick-pipeline contracts apply --dry-run; on AWS look at the table's projection.* properties"
        return Finding("pruning", Verdict.FAIL, told, "no-pruning", evidence, step)
    told = (
        f"{mode}: one hour is {with_filter.files} of {many(without.files, 'file')}, "
        f"{share(with_filter.bytes, without.bytes)} of the bytes"
    )
    return Finding("pruning", Verdict.OK, told, evidence=evidence)


def _snapshots(histories: Mapping[str, Sequence[SnapshotFacts]]) -> list[Finding]:
    found = [
        finding
        for table, snapshots in histories.items()
        for finding in (_stale(table, snapshots), _crowded(table, snapshots))
        if finding is not None
    ]
    if histories and not found:
        count = sum(map(len, histories.values()))
        return [ok("snapshots", f"iceberg: readers see the newest of {many(count, 'snapshot')}")]
    return found


def _stale(table: str, snapshots: Sequence[SnapshotFacts]) -> Finding | None:
    """Rows that were committed, and that readers do not see: of raw for ever, else until it is made again."""
    current = next((item for item in snapshots if item.is_current), None)
    unseen = [
        item
        for item in snapshots
        if not item.is_read
        and item.rows_added > item.rows_removed
        and (table == RAW or current is None or item.made_us >= current.made_us)
    ]
    if not unseen:
        return None
    rows = sum(item.rows_added - item.rows_removed for item in unseen)
    evidence: dict[str, Figure] = {
        "snapshots": len(snapshots),
        "newest that readers do not see": f"{unseen[0].snapshot} of {format_short(unseen[0].made_us)}",
        "made by": unseen[0].by,
    }
    if current is not None:
        evidence["current"] = f"{current.snapshot} of {format_short(current.made_us)}"
    return Finding(
        "snapshots",
        Verdict.FAIL,
        f"iceberg.{table}: readers see an old snapshot, without {many(rows, 'row')} of "
        f"{many(len(unseen), 'snapshot')}: somebody rolled it back",
        "stale-snapshot",
        evidence,
        _forward(table, snapshots, unseen),
    )


def _forward(
    table: str, snapshots: Sequence[SnapshotFacts], unseen: Sequence[SnapshotFacts]
) -> str:
    """What lets readers see them again; raw does not go over what landed since they were rolled back."""
    landed_since = any(
        item.is_read and item.made_us >= unseen[-1].made_us and item.operation == "append"
        for item in snapshots
    )
    if table == RAW and landed_since:
        return (
            "tick-pipeline deliver --again --storage-mode iceberg; on AWS put those ticks again from their source "
            "(tick-pipeline replay). It is told until the snapshots that nobody reads have expired"
        )
    return f"tick-pipeline maintain rollback {table} --to {unseen[0].snapshot}"


def _crowded(table: str, snapshots: Sequence[SnapshotFacts]) -> Finding | None:
    if len(snapshots) <= _MANY_SNAPSHOTS:
        return None
    told = f"iceberg.{table}: {len(snapshots):,} snapshots slow down every plan"
    evidence: dict[str, Figure] = {"oldest": format_short(snapshots[-1].made_us)}
    step = "tick-pipeline maintain run"
    return Finding("snapshots", Verdict.WARN, told, "many-snapshots", evidence, step)


def _small(mode: ModeReading) -> Finding:
    small = mode.small
    if small is None:
        return ok("files", f"{mode.mode}: no hour has many small files")
    evidence: dict[str, Figure] = {
        "small files": small.files,
        "hours of a table": small.hours,
        "bytes": small.bytes,
        "most": small.worst,
    }
    if not small.overdue:
        told = f"{mode.mode}: {many(small.files, 'small file')}, which the next upkeep merges"
        return Finding("files", Verdict.OK, told, evidence=evidence)
    told = f"{mode.mode}: {many(small.files, 'small file')} in {many(small.hours, 'hour')}, as {small.worst}"
    return Finding(
        "files", Verdict.WARN, told, "small-files", evidence, "tick-pipeline maintain run"
    )
