"""What a stored table holds, from metadata alone: Parquet footers, or Iceberg's snapshot summary."""

# pyarrow has no types, parts of pyiceberg neither
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tick_pipeline.event_time import hours_of
from tick_pipeline.resources.footers import count_rows, local_footers
from tick_pipeline.storage import (
    PARTITION_KEYS,
    RAW,
    StorageMode,
    hour_partition,
    iceberg_hour_partition,
    table_location,
)

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from tick_pipeline.home import Home


@dataclass(frozen=True)
class TableStats:
    """One table: rows as stored, data files and their bytes, and the UTC hours that have any.

    `rows` is None where counting them would take a request for each of many files.
    """

    mode: StorageMode
    table: str
    rows: int | None
    files: int
    bytes: int
    hours: int


def table_stats(home: Home, mode: StorageMode, table: str) -> TableStats:
    """Count a table without reading its data."""
    if mode is StorageMode.ICEBERG:
        from tick_pipeline.resources.iceberg import load_table  # noqa: PLC0415

        return iceberg_stats(load_table(home.path, table), table)
    return _parquet_stats(home, table)


def iceberg_stats(stored: Table, table: str) -> TableStats:
    """Count an Iceberg table by its current snapshot's summary, and its hours by its manifests."""
    snapshot = stored.current_snapshot()
    if snapshot is None or snapshot.summary is None:
        return TableStats(StorageMode.ICEBERG, table, 0, 0, 0, 0)
    summary = snapshot.summary
    return TableStats(
        StorageMode.ICEBERG,
        table,
        rows=int(summary["total-records"] or 0),
        files=int(summary["total-data-files"] or 0),
        bytes=int(summary["total-files-size"] or 0),
        hours=stored.inspect.partitions().num_rows,
    )


def raw_bytes(home: Home, mode: StorageMode, start_us: int, end_us: int) -> int:
    """Size of the raw data files of the hours [start_us, end_us), from the folders alone."""
    root = Path(table_location(str(home.warehouse), mode, RAW))
    hours = hours_of(start_us, end_us)
    folders = (
        [root / "data" / iceberg_hour_partition(hour_us) for hour_us in hours]
        if mode is StorageMode.ICEBERG
        else [root / hour_partition(hour_us) for hour_us in hours]
    )
    return sum(path.stat().st_size for folder in folders for path in folder.glob("*.parquet"))


def _parquet_stats(home: Home, table: str) -> TableStats:
    mode = StorageMode.PARQUET_PROJECTION
    root = Path(table_location(str(home.warehouse), mode, table))
    files = [
        path
        for path in root.glob("/".join(f"{key}=*" for key in PARTITION_KEYS) + "/*.parquet")
        if _is_data(path, root)
    ]
    return TableStats(
        mode,
        table,
        rows=count_rows(local_footers([str(path) for path in files])),
        files=len(files),
        bytes=sum(path.stat().st_size for path in files),
        hours=len({path.parent for path in files}),
    )


def _is_data(path: Path, root: Path) -> bool:
    """Hive's rule: a name that begins with `_` or `.` is no data; so is a folder."""
    return path.is_file() and not any(
        part.startswith(("_", ".")) for part in path.relative_to(root).parts
    )
