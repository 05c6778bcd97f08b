"""The snapshots of an Iceberg table: what each did and by whom, and going back to one."""

# parts of pyiceberg have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table.snapshots import Operation

from tick_pipeline.errors import InputError
from tick_pipeline.event_time import US_PER_MS
from tick_pipeline.landing.iceberg_sink import CHECKPOINT_PROPERTY
from tick_pipeline.resources.iceberg_rewrite import MAINTENANCE_PROPERTY, retried
from tick_pipeline.resources.maintenance_port import Rollback, SnapshotFacts
from tick_pipeline.storage import RAW

if TYPE_CHECKING:
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

_FOLLOWS = {
    RAW: "no tick is lost or read again: nothing had landed since",
    "anomalies": "the anomalies that were found since are gone; the streaming job does not find them again: "
    "`tick-pipeline anomalies run` over the hours does",
}
_READ_AGAIN = "{:,} rows that had landed are read again; `tick-pipeline ohlc` over their hours brings them into candles"
_RECOMPUTED = (
    "the hours that were computed since are as they were; `tick-pipeline ohlc` over them computes "
    "them from raw again"
)


def snapshot_facts(table: Table) -> list[SnapshotFacts]:
    """Every snapshot that has not expired, newest first."""
    current = table.current_snapshot()
    line = _line(table, current)
    return [
        _facts(snapshot, is_current=snapshot == current, is_read=snapshot.snapshot_id in line)
        for snapshot in sorted(table.metadata.snapshots, key=lambda item: -item.timestamp_ms)
    ]


def roll_back(table: Table, to: Snapshot) -> Rollback:
    """Let readers see an earlier snapshot, or a later one again.

    Of raw only where all that had landed by the current one had landed by the other, too: the delivery's
    position in the stream does not go back with the table, so it would never bring the rest again.

    Args:
        table: of the catalog; it is refreshed.
        to: one of its snapshots.

    Raises:
        InputError: it is current or has expired, or records that landed would be lost, or might be.
        BusyError: other writers were faster, time and again.
    """
    table_name = table.name()[-1]

    def commit() -> Rollback:
        current = table.current_snapshot()
        if current is None or current.snapshot_id == to.snapshot_id:
            raise InputError(
                f"{'.'.join(table.name()[-2:])} is at the snapshot {to.snapshot_id} already"
            )
        if table.snapshot_by_id(to.snapshot_id) is None:
            raise no_such_snapshot(table, to.snapshot_id)
        follows = _FOLLOWS.get(table_name, _RECOMPUTED)
        if table_name == RAW and (found := _landed_rows_found(table, current, to)):
            follows = _READ_AGAIN.format(found)
        try:
            table.manage_snapshots().set_current_snapshot(to.snapshot_id).commit()
        except ValueError as error:
            # It has expired since the table was read.
            raise CommitFailedException(str(error)) from error
        return Rollback(
            table=table_name,
            from_snapshot=str(current.snapshot_id),
            to_snapshot=str(to.snapshot_id),
            made_us=to.timestamp_ms * US_PER_MS,
            follows=follows,
        )

    done: Rollback = retried(table, commit)
    return done


def no_such_snapshot(table: Table, snapshot_id: int) -> InputError:
    """The error of who asks for a snapshot that a table has not."""
    name = table.name()[-1]
    return InputError(
        f"iceberg.{name} has no snapshot {snapshot_id}, or it has expired; `tick-pipeline maintain history {name}` "
        "lists them"
    )


def _landed_rows_found(table: Table, current: Snapshot, to: Snapshot) -> int:
    """Rows that landed by a snapshot and not by the current one; refuses where others would be lost."""
    lines = [_line(table, head) for head in (current, to)]
    if not lines[0].keys() & lines[1].keys():
        raise InputError(
            f"the snapshots between {to.snapshot_id} and {current.snapshot_id} of raw have expired, so nobody can "
            "tell whether records landed there, which a rollback would lose; to see raw as it was: "
            "`tick-pipeline query --as-of`"
        )
    now, then = ({key: item for key, item in line.items() if _is_append(item)} for line in lines)
    if lost := [item for key, item in now.items() if key not in then]:
        rows = sum(_number(item, "added-records") for item in lost)
        raise InputError(
            f"raw landed {rows:,} rows in {len(lost)} commits between the snapshots {to.snapshot_id} and "
            f"{current.snapshot_id}: after a rollback over them the delivery, whose position stays, would never "
            "bring them again. Only what upkeep did since the newest landing can be undone; to see raw as it "
            "was: `tick-pipeline query --as-of`"
        )
    return sum(_number(item, "added-records") for key, item in then.items() if key not in now)


def _line(table: Table, head: Snapshot | None) -> dict[int, Snapshot]:
    """A snapshot and those that it follows from, as far as they are kept."""
    known = {snapshot.snapshot_id: snapshot for snapshot in table.metadata.snapshots}
    line: dict[int, Snapshot] = {}
    while head is not None:
        line[head.snapshot_id] = head
        head = known.get(head.parent_snapshot_id or 0)
    return line


def _facts(snapshot: Snapshot, *, is_current: bool, is_read: bool) -> SnapshotFacts:
    return SnapshotFacts(
        snapshot=str(snapshot.snapshot_id),
        made_us=snapshot.timestamp_ms * US_PER_MS,
        operation=snapshot.summary.operation.value if snapshot.summary else "",
        rows_added=_number(snapshot, "added-records"),
        rows_removed=_number(snapshot, "deleted-records"),
        files_added=_number(snapshot, "added-data-files"),
        files_removed=_number(snapshot, "deleted-data-files"),
        files=_number(snapshot, "total-data-files"),
        rows=_number(snapshot, "total-records"),
        by=_writer(snapshot),
        is_current=is_current,
        is_read=is_read,
    )


def _writer(snapshot: Snapshot) -> str:
    """Who made a snapshot, as far as its properties tell."""
    told = snapshot.summary.additional_properties if snapshot.summary else {}
    if (what := told.get(MAINTENANCE_PROPERTY)) is not None:
        return f"maintenance: {what}"
    if CHECKPOINT_PROPERTY in told:
        return "delivery"
    if (application := told.get("spark.app.id")) is not None:
        return f"Spark {application}"
    return told.get("engine-name", "")


def _is_append(snapshot: Snapshot) -> bool:
    return snapshot.summary is not None and snapshot.summary.operation is Operation.APPEND


def _number(snapshot: Snapshot, name: str) -> int:
    return int((snapshot.summary[name] if snapshot.summary else None) or 0)
