"""Writing tables of hours: whole hours replace what was there, in both storage modes."""

# pyspark's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F  # noqa: N812  (pyspark's own custom)

from tick_pipeline.contracts.types import spark_schema
from tick_pipeline.errors import SparkJobError
from tick_pipeline.event_time import hours_of
from tick_pipeline.spark.folders import open_folder, side_by_side
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
    from tick_pipeline.spark.folders import Folder

#: Beside the hours of a Parquet table; no reader looks into it.
_STAGING = "_staging"
_PATTERNS = {"year": "yyyy", "month": "MM", "day": "dd", "hour": "HH"}


@dataclass(frozen=True)
class Layout:
    """How a table's hours are written.

    Attributes:
        time: the timestamp whose hour is the partition.
        order: columns that the rows of a file are sorted by.
        file: name of the one object of a Parquet hour; it never changes, so replacing the object is
            one rename, on S3 one PUT: both are atomic.
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
        database: of the Iceberg tables in it.
    """

    mode: StorageMode
    table: str
    layout: Layout
    warehouse: str
    catalog: str
    database: str = StorageMode.ICEBERG.value

    @property
    def identifier(self) -> str:
        """Spark's name of an Iceberg table."""
        return f"{self.catalog}.{iceberg_identifier(self.table, self.database)}"

    def folder(self, spark: SparkSession) -> Folder:
        """Of a Parquet table."""
        return open_folder(table_location(self.warehouse, self.mode, self.table), spark)

    def within(self, start_us: int, end_us: int) -> str:
        """The rows of [start_us, end_us), as an expression."""
        time = self.layout.time
        return f"{time} >= timestamp_micros({start_us}) and {time} < timestamp_micros({end_us})"


def overwrite_hours(
    rows: DataFrame, target: Target, start_us: int, end_us: int, *, run: str
) -> None:
    """Replace the hours [start_us, end_us) of a table by these rows; an hour without any ends empty.

    Iceberg: one snapshot. Parquet: everything is written under `_staging` first, which no reader looks
    into; then each hour's one object is replaced by what was staged, and an hour without rows loses its
    object. A kill at any moment leaves each hour old or new, whole. So a reader, on S3 as on a disk, sees
    each hour whole, but some hours old and others new while the last ones are replaced; one that was in
    the middle of an object on S3 when it was replaced fails, and finds the new one when it tries again.

    Args:
        rows: the contract's columns.
        target: the table.
        start_us: first hour, microseconds.
        end_us: end of the last hour, exclusive.
        run: a name that no other run has.

    Raises:
        SparkJobError: another run wrote the same Parquet table at the same time.
    """
    if target.mode is StorageMode.ICEBERG:
        within = F.expr(target.within(start_us, end_us))
        in_order = rows.sortWithinPartitions(*target.layout.order)
        in_order.writeTo(target.identifier).overwrite(within)
        return
    folder, layout = target.folder(rows.sparkSession), target.layout
    staging, begun = f"{_STAGING}/{run}", f"{_STAGING}/{run}.begun"
    # Only leftovers of killed runs: one run at a time writes a table.
    folder.delete(_STAGING)
    folder.write(begun, b"")
    keyed = rows
    for key in PARTITION_KEYS:
        keyed = keyed.withColumn(key, F.date_format(layout.time, _PATTERNS[key]))
    partitions = [hour_partition(hour_us) for hour_us in hours_of(start_us, end_us)]
    # One file an hour; a single hour needs no shuffle for that.
    gathered = keyed.coalesce(1) if len(partitions) == 1 else keyed.repartition(*PARTITION_KEYS)
    (
        gathered.sortWithinPartitions(*PARTITION_KEYS, *layout.order)
        .write.partitionBy(*PARTITION_KEYS)
        .parquet(f"{folder.uri}/{staging}")
    )
    # All are looked up first: an hour that another run takes away later is then missed, not taken for empty.
    staged = side_by_side(lambda hour: _staged_file(folder, f"{staging}/{hour}"), partitions)
    if folder.read(begun) is None:
        raise SparkJobError(
            f"{folder.uri}/{staging} is gone: another run wrote the same table; run this one again"
        )
    hours = zip(partitions, staged, strict=True)
    side_by_side(lambda hour: _replace_hour(folder, *hour, layout.file), hours)
    folder.delete(_STAGING)


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
    folder = target.folder(spark)
    partitions = [hour_partition(hour_us) for hour_us in hours_of(start_us, end_us)]
    files = zip(partitions, side_by_side(folder.files, partitions), strict=True)
    paths = [f"{folder.uri}/{partition}/{name}" for partition, names in files for name in names]
    return spark.read.schema(spark_schema(contract, target.mode)).parquet(*paths) if paths else None


def _staged_file(folder: Folder, staged: str) -> str | None:
    """Path of the one file that an hour has there; None where it has no row."""
    names = list(folder.files(staged))
    if len(names) > 1:
        raise SparkJobError(
            f"{folder.uri}/{staged} holds {len(names)} files, an hour has one; report this"
        )
    return f"{staged}/{names[0]}" if names else None


def _replace_hour(folder: Folder, hour: str, staged: str | None, name: str) -> None:
    if staged is None:
        folder.delete(hour)
        return
    folder.replace(staged, f"{hour}/{name}")
    # What somebody else may have put beside it goes, too: the hour is what was just written.
    for other in folder.files(hour):
        if other != name:
            folder.delete(f"{hour}/{other}")
