"""Which files of a table an engine would read for a range of event time, from names and metadata alone."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (parts of pyiceberg have no types)
from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyiceberg.expressions import AlwaysTrue

from tick_pipeline.event_time import US_PER_HOUR, as_datetime
from tick_pipeline.storage import PARTITION_KEYS, StorageMode, partition_hour, table_location

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyiceberg.table import Table

    from tick_pipeline.home import Home
    from tick_pipeline.queries.pruning import TimeRange


@dataclass(frozen=True)
class DataFile:
    """One data file: where, how large, and the UTC hour it is a partition of (microseconds)."""

    path: str
    bytes: int
    hour_us: int


def parquet_files(home: Home, table: str, times: TimeRange) -> list[DataFile]:
    """The files of a Parquet table's hours that the range touches, as Hive would list them.

    Only folders of the four keys count; names that begin with `_` or `.` are no data.
    """
    root = table_location(str(home.warehouse), StorageMode.PARQUET_PROJECTION, table)
    return list(_walk(root, PARTITION_KEYS, times))


def iceberg_files(
    table: Table, column: str, times: TimeRange, snapshot_id: int | None = None
) -> list[DataFile]:
    """The files that a snapshot's metadata leaves for a range of the partitioning column; None: the current."""
    scan = table.scan(row_filter=time_filter(column, times), snapshot_id=snapshot_id)
    return [
        DataFile(
            task.file.file_path,
            task.file.file_size_in_bytes,
            int(task.file.partition[0]) * US_PER_HOUR,
        )
        for task in scan.plan_files()
    ]


def time_filter(column: str, times: TimeRange) -> str | AlwaysTrue:
    """The range as PyIceberg's filter of the partitioning column."""
    bounds = [
        f"{column} {operator} '{as_datetime(us).isoformat()}'"
        for operator, us in ((">=", times.start_us), ("<", times.end_us))
        if us is not None
    ]
    return " and ".join(bounds) or AlwaysTrue()


def _walk(folder: str, keys: tuple[str, ...], times: TimeRange) -> Iterator[DataFile]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        # An hour may be swapped away between the listing of its parent and its own.
        return
    for entry in entries:
        if entry.name.startswith(("_", ".")):
            continue
        if keys and entry.name.startswith(f"{keys[0]}=") and entry.is_dir():
            hour_us = partition_hour(entry.path) if len(keys) == 1 else None
            if hour_us is None or times.touches_hour(hour_us):
                yield from _walk(entry.path, keys[1:], times)
        elif not keys and entry.is_file():
            hour_us = partition_hour(folder)
            # Upkeep may have merged it with others since the folder was listed.
            with suppress(FileNotFoundError):
                if hour_us is not None:
                    yield DataFile(entry.path, entry.stat().st_size, hour_us)
