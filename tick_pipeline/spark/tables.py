"""Writing tables of hours: whole hours replace what was there, in both storage modes."""

# pyspark's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F  # noqa: N812  (pyspark's own custom)

from tick_pipeline.contracts.types import spark_schema
from tick_pipeline.errors import SparkJobError
from tick_pipeline.event_time import hours_of
from tick_pipeline.spark.raw_ticks import iceberg_files
from tick_pipeline.storage import (
    PARTITION_KEYS,
    StorageMode,
    hour_partition,
    iceberg_identifier,
    table_location,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from tick_pipeline.contracts.contract import Contract

_PATTERNS = {"year": "yyyy", "month": "MM", "day": "dd", "hour": "HH"}


@dataclass(frozen=True)
class Layout:
    """How a table's hours are written.

    Attributes:
        time: the timestamp whose hour is the partition.
        order: columns that the rows of a file are sorted by.
        file: name of the one object of a Parquet hour; it never changes, so replacing the object is
            one atomic rename.
    """

    time: str
    order: tuple[str, ...]
    file: str


CANDLES = Layout("bucket_start", ("symbol", "bucket_start"), "candles.parquet")
ANOMALIES = Layout("event_at", ("symbol", "event_at", "event_id", "metric"), "anomalies.parquet")


@dataclass(frozen=True)
class Target:
    """A table of one storage mode.

    Attributes:
        mode: which.
        table: its name.
        layout: how its hours are written.
        warehouse: root of both modes' tables, a URI.
        catalog: Spark's name of the Iceberg catalog.
    """

    mode: StorageMode
    table: str
    layout: Layout
    warehouse: str
    catalog: str

    @property
    def identifier(self) -> str:
        """Spark's name of an Iceberg table."""
        return f"{self.catalog}.{iceberg_identifier(self.table)}"

    @property
    def root(self) -> Path:
        """Folder of a Parquet table.

        Raises:
            SparkJobError: it is not on a local disk.
        """
        location = table_location(self.warehouse, self.mode, self.table)
        if not location.startswith("file:///"):
            raise SparkJobError(
                f"{location} is not on a local disk; this version writes there only"
            )
        return Path(location.removeprefix("file://"))

    def within(self, start_us: int, end_us: int) -> str:
        """The rows of [start_us, end_us), as an expression."""
        time = self.layout.time
        return f"{time} >= timestamp_micros({start_us}) and {time} < timestamp_micros({end_us})"


def overwrite_hours(
    rows: DataFrame, target: Target, start_us: int, end_us: int, *, run: str
) -> None:
    """Replace the hours [start_us, end_us) of a table by these rows; an hour without any ends empty.

    Iceberg: one snapshot. Parquet, on a local disk: everything is written under `_staging` first,
    which no reader looks into; then each hour's one object is replaced by a rename, and an hour
    without rows loses its object. A kill at any moment leaves each hour old or new, whole.

    Args:
        rows: the contract's columns.
        target: the table.
        start_us: first hour, microseconds.
        end_us: end of the last hour, exclusive.
        run: a name that no other run has.

    Raises:
        SparkJobError: a Parquet table is not on a local disk.
    """
    if target.mode is StorageMode.ICEBERG:
        within = F.expr(target.within(start_us, end_us))
        in_order = rows.sortWithinPartitions(*target.layout.order)
        in_order.writeTo(target.identifier).overwrite(within)
        return
    root, layout = target.root, target.layout
    staging = root / "_staging" / run
    # Only leftovers of killed runs: one run at a time writes a table.
    shutil.rmtree(root / "_staging", ignore_errors=True)
    keyed = rows
    for key in PARTITION_KEYS:
        keyed = keyed.withColumn(key, F.date_format(layout.time, _PATTERNS[key]))
    hours = list(hours_of(start_us, end_us))
    # One file an hour; a single hour needs no shuffle for that.
    gathered = keyed.coalesce(1) if len(hours) == 1 else keyed.repartition(*PARTITION_KEYS)
    (
        gathered.sortWithinPartitions(*PARTITION_KEYS, *layout.order)
        .write.partitionBy(*PARTITION_KEYS)
        .parquet(f"file://{staging}")
    )
    for hour_us in hours:
        partition = hour_partition(hour_us)
        _replace_hour(staging / partition, root / partition, layout.file)
    shutil.rmtree(root / "_staging")


def stored_hours(
    spark: SparkSession, target: Target, contract: Contract, start_us: int, end_us: int
) -> DataFrame | None:
    """The rows that a table has in the hours [start_us, end_us); None where it has no file of them.

    Args:
        spark: the session.
        target: the table.
        contract: of its rows.
        start_us: first hour, microseconds.
        end_us: end of the last hour, exclusive.
    """
    if target.mode is StorageMode.ICEBERG:
        time = target.layout.time
        files, _ = iceberg_files(spark, target.identifier, time, start_us, end_us)
        within = target.within(start_us, end_us)
        return spark.table(target.identifier).where(within) if files else None
    paths = [
        f"file://{path}"
        for hour_us in hours_of(start_us, end_us)
        for path in _data_files(target.root / hour_partition(hour_us))
    ]
    return spark.read.schema(spark_schema(contract, target.mode)).parquet(*paths) if paths else None


def _replace_hour(staged: Path, folder: Path, name: str) -> None:
    files = sorted(staged.glob("*.parquet"))
    if len(files) > 1:
        raise SparkJobError(f"{staged} holds {len(files)} files, an hour has one; report this")
    if files:
        folder.mkdir(parents=True, exist_ok=True)
        files[0].replace(folder / name)
    # What somebody else may have put beside it goes, too: the hour is what was just written.
    for path in _data_files(folder):
        if not files or path.name != name:
            path.unlink()


def _data_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path for path in folder.iterdir() if path.is_file() and not path.name.startswith(("_", "."))
    )
