"""Where every table lies, in both storage modes: names, locations and partition paths, without I/O."""

from __future__ import annotations

import hashlib
import re
from enum import Enum
from typing import TYPE_CHECKING

from tick_pipeline.event_time import as_datetime, hour_of_parts

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The Iceberg catalog's name in Spark and PyIceberg (a column of its SQLite file, so one for both).
CATALOG = "lake"
#: Hive keys of every Parquet table: strings, zero-padded, the UTC hour of the event.
PARTITION_KEYS = ("year", "month", "day", "hour")

RAW = "raw"
TICKS = "ticks"
ANOMALIES = "anomalies"
TIMEFRAMES = {"1m": 60, "5m": 300}  # name -> seconds

_MERGED = re.compile(r"merged-(\d{16})-[0-9a-f]{16}\.parquet")
_PARTITION = re.compile(r"year=(\d{4})/month=(\d{2})/day=(\d{2})/hour=(\d{2})(?:/|$)")


class StorageMode(str, Enum):
    """The two ways in which each table is stored, side by side."""

    ICEBERG = "iceberg"
    PARQUET_PROJECTION = "parquet_projection"

    def __str__(self) -> str:
        return self.value


class LoadDataMode(str, Enum):
    """How the OHLC job reads raw (its `--LOAD_DATA_MODE`)."""

    PARQUET = "parquet"
    SPARK = "spark"
    ICEBERG = "iceberg"

    def __str__(self) -> str:
        return self.value


class ErrorType(str, Enum):
    """The folders under a mode's error prefix, named as Firehose names them."""

    PROCESSING_FAILED = "processing-failed"
    FORMAT_CONVERSION_FAILED = "format-conversion-failed"
    ICEBERG_FAILED = "iceberg-failed"

    def __str__(self) -> str:
        return self.value


DEFAULT_LOAD_DATA_MODE = {
    StorageMode.ICEBERG: LoadDataMode.ICEBERG,
    StorageMode.PARQUET_PROJECTION: LoadDataMode.PARQUET,
}


def candle_table(timeframe: str) -> str:
    """Table of a timeframe's candles: `1m` -> `aggregated_1m`."""
    return f"aggregated_{timeframe}"


CANDLE_TABLES = tuple(candle_table(name) for name in TIMEFRAMES)
#: Every stored table of a mode; the view `ticks` is made of `raw`.
TABLES = (RAW, *CANDLE_TABLES, ANOMALIES)


def glue_database(project: str, mode: StorageMode) -> str:
    """A mode's database in AWS's Glue Data Catalog, as Terraform names it: `<project>_<mode>`."""
    return f"{project.replace('-', '_')}_{mode}"


def table_location(warehouse: str, mode: StorageMode, table: str) -> str:
    """`<warehouse>/<mode>/<table>`, for a path as for a URI."""
    return f"{warehouse.rstrip('/')}/{mode}/{table}"


def error_location(warehouse: str, mode: StorageMode, error_type: ErrorType) -> str:
    """`<warehouse>/<mode>/_firehose_errors/<error-type>`."""
    return f"{error_root(warehouse, mode)}/{error_type}"


def error_root(warehouse: str, mode: StorageMode) -> str:
    """`<warehouse>/<mode>/_firehose_errors`: what a mode could not convert."""
    return f"{warehouse.rstrip('/')}/{mode}/_firehose_errors"


def hour_partition(us: int) -> str:
    """Partition path of the UTC hour of an event: `year=YYYY/month=MM/day=DD/hour=HH`."""
    return as_datetime(us).strftime("year=%Y/month=%m/day=%d/hour=%H")


def iceberg_hour_partition(us: int) -> str:
    """Folder of an event hour under the data folder of Iceberg's raw, named as Iceberg names it."""
    return as_datetime(us).strftime("event_ts_hour=%Y-%m-%d-%H")


def partition_hour(path: str) -> int | None:
    """Start of the hour, in microseconds, that a path's partition keys name; None where they name none."""
    match = _PARTITION.search(path)
    return None if match is None else hour_of_parts(*match.groups())


def merged_name(names: Iterable[str], landed_us: int) -> str:
    """Name of the Parquet file that upkeep makes of some files of an hour: the same for the same files.

    Args:
        names: of the files that it takes the place of.
        landed_us: when the newest of them landed, microseconds.
    """
    digest = hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()
    return f"merged-{landed_us:016d}-{digest[:16]}.parquet"


def is_merged(name: str) -> bool:
    """Whether upkeep made the Parquet file of this name."""
    return _MERGED.fullmatch(name) is not None


def landed_instant(name: str, modified_us: int) -> int:
    """When the newest rows of a Parquet file landed, microseconds: merging files is no landing.

    Args:
        name: of the file, without its folder.
        modified_us: when it was written, microseconds.
    """
    match = _MERGED.fullmatch(name)
    return modified_us if match is None else int(match[1])


def iceberg_identifier(table: str, database: str = StorageMode.ICEBERG.value) -> str:
    """Name of an Iceberg table inside the catalog: `iceberg.raw`, on AWS `<project>_iceberg.raw`."""
    return f"{database}.{table}"
