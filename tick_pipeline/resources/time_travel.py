"""Iceberg's tables as readers saw them at a moment."""

# parts of pyiceberg have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.errors import InputError, QueryError
from tick_pipeline.event_time import US_PER_MS, format_short
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

    from tick_pipeline.queries.relations import Relation


def snapshot_at(table: Table, at_us: int) -> Snapshot:
    """The snapshot that readers saw at a moment.

    Args:
        table: as it is now.
        at_us: microseconds.

    Raises:
        InputError: the table had none by then, or it has expired.
    """
    name = ".".join(table.name()[-2:])
    known = {snapshot.snapshot_id: snapshot for snapshot in table.metadata.snapshots}
    log = sorted(table.metadata.snapshot_log, key=lambda entry: entry.timestamp_ms)
    seen = [entry for entry in log if entry.timestamp_ms * US_PER_MS <= at_us]
    if seen:
        return known[seen[-1].snapshot_id]
    if not log:
        raise InputError(f"{name} has no snapshot: nothing was ever written to it")
    first = known[log[0].snapshot_id]
    since = format_short(first.timestamp_ms * US_PER_MS)
    if (first.sequence_number or 0) > 1:
        raise InputError(
            f"{name} as of {format_short(at_us)}: the snapshots of then have expired; the oldest that is kept is "
            f"of {since}; `tick-pipeline maintain history` lists them"
        )
    raise InputError(f"{name} as of {format_short(at_us)}: its first snapshot is of {since}")


def snapshots_at(
    tables: Mapping[str, Table], relations: Iterable[Relation], at_us: int | None
) -> dict[str, int]:
    """Id of the snapshot that readers of each table saw at a moment; empty where none is asked for.

    Args:
        tables: Iceberg's, by name.
        relations: what a statement reads.
        at_us: microseconds; None: now.

    Raises:
        QueryError: the statement reads a Parquet table, too.
        InputError: a table had no snapshot by then, or it has expired.
    """
    if at_us is None:
        return {}
    for relation in relations:
        if relation.mode is not StorageMode.ICEBERG:
            raise QueryError(
                f"{relation} is a Parquet table: it keeps no history; --as-of reads the tables of iceberg alone"
            )
    return {name: snapshot_at(table, at_us).snapshot_id for name, table in tables.items()}
