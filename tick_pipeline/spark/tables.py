"""Writing candles: whole hours replace what was there, in both storage modes."""

# pyspark's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F  # noqa: N812  (pyspark's own custom)

from tick_pipeline.errors import SparkJobError
from tick_pipeline.event_time import hours_of
from tick_pipeline.storage import PARTITION_KEYS, hour_partition

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: The one object of an hour: its name never changes, so replacing it is one atomic rename.
HOUR_FILE = "candles.parquet"
_PATTERNS = {"year": "yyyy", "month": "MM", "day": "dd", "hour": "HH"}


def overwrite_iceberg_hours(candles: DataFrame, table: str, start_us: int, end_us: int) -> None:
    """Replace the hours [start_us, end_us) of an Iceberg table by these candles, in one snapshot."""
    within = F.expr(
        f"bucket_start >= timestamp_micros({start_us}) and bucket_start < timestamp_micros({end_us})"
    )
    candles.sortWithinPartitions("symbol", "bucket_start").writeTo(table).overwrite(within)


def overwrite_parquet_hours(
    candles: DataFrame, location: str, start_us: int, end_us: int, *, run: str
) -> None:
    """Replace the hours [start_us, end_us) of a projected table on a local disk by these candles.

    Everything is written under `_staging` first, which no reader looks into; then each hour's one
    object is replaced by a rename, and an hour without candles loses its object. A kill at any
    moment leaves each hour old or new, whole.

    Args:
        candles: the contract's columns.
        location: the table's root, a file URI.
        start_us: first hour, microseconds.
        end_us: end of the last hour, exclusive.
        run: a name that no other run has.

    Raises:
        SparkJobError: the location is not on a local disk.
    """
    root = _local_path(location)
    staging = root / "_staging" / run
    # Only leftovers of killed runs: one run at a time writes a table.
    shutil.rmtree(root / "_staging", ignore_errors=True)
    keyed = candles
    for key in PARTITION_KEYS:
        keyed = keyed.withColumn(key, F.date_format("bucket_start", _PATTERNS[key]))
    hours = list(hours_of(start_us, end_us))
    # One file an hour; a single hour needs no shuffle for that.
    gathered = keyed.coalesce(1) if len(hours) == 1 else keyed.repartition(*PARTITION_KEYS)
    (
        gathered.sortWithinPartitions(*PARTITION_KEYS, "symbol", "bucket_start")
        .write.partitionBy(*PARTITION_KEYS)
        .parquet(f"file://{staging}")
    )
    for hour_us in hours:
        partition = hour_partition(hour_us)
        _replace_hour(staging / partition, root / partition)
    shutil.rmtree(root / "_staging")


def _replace_hour(staged: Path, target: Path) -> None:
    files = sorted(staged.glob("*.parquet"))
    if len(files) > 1:
        raise SparkJobError(f"{staged} holds {len(files)} files, an hour has one; report this")
    if files:
        target.mkdir(parents=True, exist_ok=True)
        files[0].replace(target / HOUR_FILE)
    elif target.is_dir():
        (target / HOUR_FILE).unlink(missing_ok=True)


def _local_path(location: str) -> Path:
    if not location.startswith("file:///"):
        raise SparkJobError(f"{location} is not on a local disk; this version writes there only")
    return Path(location.removeprefix("file://"))
