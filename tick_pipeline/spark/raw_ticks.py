"""Reading raw ticks of whole hours, in three ways that give the same rows.

Spark itself reads, on Glue as anywhere: a GlueContext would infer the schema where ours is the contract's
(`from_options`), and for a projected table find no partition, since the catalog holds none
(`from_catalog`). Hours are named by their paths, which prunes as well as partitions would.
"""

# pyspark's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F  # noqa: N812  (pyspark's own custom)
from pyspark.sql.types import StringType, StructField, StructType

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.types import spark_schema
from tick_pipeline.event_time import hours_of
from tick_pipeline.spark.folders import open_folder, side_by_side
from tick_pipeline.storage import (
    PARTITION_KEYS,
    RAW,
    LoadDataMode,
    StorageMode,
    hour_partition,
    iceberg_identifier,
    table_location,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class RawTicks:
    """Raw rows of a range of event time, and what reading them takes.

    Attributes:
        rows: the tick contract's columns, with `event_us` (bigint) in place of `event_ts`.
        files: data files that hold the hours.
        bytes: their size.
        partitions: hours among them that hold any file.
        requests: list and open calls that the read mode makes to find and open them.
    """

    rows: DataFrame
    files: int
    bytes: int
    partitions: int
    requests: int


def read_raw(
    spark: SparkSession,
    warehouse: str,
    catalog: str,
    mode: LoadDataMode,
    start_us: int,
    end_us: int,
    *,
    database: str = StorageMode.ICEBERG.value,
) -> RawTicks:
    """Raw rows of [start_us, end_us), from the whole hours that it touches.

    Args:
        spark: the session.
        warehouse: root of both modes' tables, a URI.
        catalog: Spark's name of the Iceberg catalog.
        mode: how to read.
        start_us: first event time, microseconds.
        end_us: last event time, exclusive.
        database: of the Iceberg tables in the catalog.
    """
    if mode is LoadDataMode.ICEBERG:
        table = f"{catalog}.{iceberg_identifier(RAW, database)}"
        return _read_iceberg(spark, table, start_us, end_us)
    root = table_location(warehouse, StorageMode.PARQUET_PROJECTION, RAW)
    hours = [hour_partition(us) for us in hours_of(start_us, end_us)]
    found = side_by_side(open_folder(root, spark).files, hours)
    sizes = {hour: files.values() for hour, files in zip(hours, found, strict=True)}
    present = [hour for hour in hours if sizes[hour]]
    schema = spark_schema(load_contract("tick"), StorageMode.PARQUET_PROJECTION)
    if mode is LoadDataMode.PARQUET:
        # Spark ignores partition projection: the hours' own paths are the pruning.
        rows = (
            spark.read.schema(schema).parquet(*(f"{root}/{hour}" for hour in present))
            if present
            else spark.createDataFrame([], schema)
        )
        listed = len(hours)
    else:
        keys = [StructField(key, StringType()) for key in PARTITION_KEYS]
        table = spark.read.schema(StructType([*schema.fields, *keys])).parquet(root)
        rows = table.where(_hours_filter(hours)).drop(*PARTITION_KEYS)
        # Spark has listed the whole table by now.
        listed = len({file.rsplit("/", 1)[0] for file in table.inputFiles()})
    files = sum(len(of_hour) for of_hour in sizes.values())
    # A file in the folder of another hour must not bring rows of times that were not asked for.
    within = f"event_ts >= {start_us} and event_ts < {end_us}"
    return RawTicks(
        rows=rows.where(within).withColumnRenamed("event_ts", "event_us"),
        files=files,
        bytes=sum(sum(of_hour) for of_hour in sizes.values()),
        partitions=len(present),
        requests=listed + files,
    )


def _read_iceberg(spark: SparkSession, table: str, start_us: int, end_us: int) -> RawTicks:
    rows = spark.table(table).where(
        f"event_ts >= timestamp_micros({start_us}) and event_ts < timestamp_micros({end_us})"
    )
    files, manifests = iceberg_files(spark, table, "event_ts", start_us, end_us)
    return RawTicks(
        rows=rows.withColumn("event_ts", F.expr("unix_micros(event_ts)")).withColumnRenamed(
            "event_ts", "event_us"
        ),
        files=len(files),
        bytes=sum(size for size, _ in files),
        partitions=len({hour for _, hour in files}),
        # The metadata file, the manifest list, each manifest, each data file.
        requests=2 + manifests + len(files),
    )


def iceberg_files(
    spark: SparkSession, table: str, time: str, start_us: int, end_us: int
) -> tuple[list[tuple[int, int]], int]:
    """Size and hour of each data file that [start_us, end_us) touches, and the snapshot's manifests.

    From Iceberg's own planning: its metadata tables would be Spark jobs, seconds for a small one.
    """
    session: Any = spark
    jvm = session._jvm  # noqa: SLF001  (the only way to Iceberg's own tables)
    opened = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(
        session._jsparkSession,  # noqa: SLF001
        table,
    )
    snapshot = opened.currentSnapshot()
    if snapshot is None:
        return [], 0
    bounds = jvm.org.apache.iceberg.expressions.Expressions
    scan = opened.newScan().filter(bounds.greaterThanOrEqual(time, start_us))
    tasks = scan.filter(bounds.lessThan(time, end_us)).planFiles()
    any_class = jvm.java.lang.Class.forName("java.lang.Object")
    files: list[tuple[int, int]] = []
    try:
        found = tasks.iterator()
        while found.hasNext():
            file = found.next().file()
            files.append((file.fileSizeInBytes(), file.partition().get(0, any_class)))
    finally:
        tasks.close()
    return files, snapshot.allManifests(opened.io()).size()


def _hours_filter(hours: list[str]) -> str:
    def of_hour(path: str) -> str:
        parts = (part.split("=") for part in path.split("/"))
        return "(" + " and ".join(f"{key} = '{value}'" for key, value in parts) + ")"

    return " or ".join(of_hour(hour) for hour in hours)
