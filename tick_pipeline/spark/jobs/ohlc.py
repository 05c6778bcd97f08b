"""The OHLC job: raw ticks of whole hours to candles, on a laptop as on Glue.

    --START, --END     ISO 8601, UTC; widened to whole hours
    --STORAGE_MODE     iceberg, parquet_projection, or both with a comma
    --LOAD_DATA_MODE   parquet, spark or iceberg; each storage mode's own if not given
    --TIMEFRAMES       1m,5m
    --WAREHOUSE        root of both modes' tables, a URI
    --CATALOG          Spark's name of the Iceberg catalog
    --REPORT           file for the report; the log if not given
    --PARENT           id of the process to end with; none if not given

Spark's configuration comes from outside, as on Glue.
"""

from __future__ import annotations

import argparse
import logging
import os
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tick_pipeline.event_time import parse_instant, widen_to_hours
from tick_pipeline.spark import candles
from tick_pipeline.spark.effort import effort_since, last_stage
from tick_pipeline.spark.raw_ticks import read_raw
from tick_pipeline.spark.report import FileReporter, LogReporter, OhlcReport, dagster_log
from tick_pipeline.spark.tables import overwrite_iceberg_hours, overwrite_parquet_hours
from tick_pipeline.storage import (
    CATALOG,
    DEFAULT_LOAD_DATA_MODE,
    TIMEFRAMES,
    LoadDataMode,
    StorageMode,
    candle_table,
    iceberg_identifier,
    table_location,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame, SparkSession

_PARENT_WATCH_SECONDS = 0.2
#: Small jobs: more than a laptop's cores would be mostly overhead; large ones shuffle as they read.
_LEAST_PARTITIONS = 2
_BYTES_A_PARTITION = 64 << 20


@dataclass(frozen=True)
class Arguments:
    """The job's arguments, as values."""

    start_us: int
    end_us: int
    storage_modes: tuple[StorageMode, ...]
    load_data_mode: LoadDataMode | None
    timeframes: tuple[str, ...]
    warehouse: str
    catalog: str
    report: Path | None
    parent: int | None = None


def parse_arguments(texts: Sequence[str]) -> Arguments:
    """Read the job's arguments; others, as Glue adds them, are ignored.

    Raises:
        SystemExit: one is missing or wrong (argparse says which).
    """
    parser = argparse.ArgumentParser(prog="ohlc", allow_abbrev=False)
    for name in ("START", "END", "STORAGE_MODE", "WAREHOUSE"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--LOAD_DATA_MODE", choices=[mode.value for mode in LoadDataMode])
    parser.add_argument("--TIMEFRAMES", default=",".join(TIMEFRAMES))
    parser.add_argument("--CATALOG", default=CATALOG)
    parser.add_argument("--REPORT")
    parser.add_argument("--PARENT", type=int)
    given, _ = parser.parse_known_args(texts)
    try:
        start_us, end_us = widen_to_hours(parse_instant(given.START), parse_instant(given.END))
        modes = tuple(StorageMode(name) for name in given.STORAGE_MODE.split(","))
    except ValueError as error:
        parser.error(str(error))
    timeframes = tuple(given.TIMEFRAMES.split(","))
    if not set(timeframes) <= set(TIMEFRAMES):
        parser.error(f"--TIMEFRAMES {given.TIMEFRAMES}: known are {', '.join(TIMEFRAMES)}")
    return Arguments(
        start_us=start_us,
        end_us=end_us,
        storage_modes=modes,
        load_data_mode=LoadDataMode(given.LOAD_DATA_MODE) if given.LOAD_DATA_MODE else None,
        timeframes=timeframes,
        warehouse=given.WAREHOUSE,
        catalog=given.CATALOG,
        report=Path(given.REPORT) if given.REPORT else None,
        parent=given.PARENT,
    )


def run(
    spark: SparkSession, arguments: Arguments, log: logging.Logger | None = None
) -> list[OhlcReport]:
    """Recompute and overwrite the candles of the hours, one storage mode after the other."""
    log = log or logging.getLogger(__name__)
    return [_run_mode(spark, arguments, mode, log) for mode in arguments.storage_modes]


def _run_mode(
    spark: SparkSession, arguments: Arguments, mode: StorageMode, log: logging.Logger
) -> OhlcReport:
    began, stage_before = time.monotonic(), last_stage(spark)
    load = arguments.load_data_mode or DEFAULT_LOAD_DATA_MODE[mode]
    raw = read_raw(
        spark,
        arguments.warehouse,
        arguments.catalog,
        load,
        arguments.start_us,
        arguments.end_us,
    )
    log.info(
        "%s: %d raw files, %d bytes in %d hours, read as %s",
        mode.value,
        raw.files,
        raw.bytes,
        raw.partitions,
        load.value,
    )
    partitions = max(_LEAST_PARTITIONS, raw.bytes // _BYTES_A_PARTITION)
    spark.conf.set("spark.sql.shuffle.partitions", partitions)
    settled = candles.settled(raw.rows)
    log.info(
        "%s: %d rows, %d duplicates, %d invalid by rule %s",
        mode.value,
        settled.rows,
        settled.duplicates,
        sum(settled.invalid_by_rule.values()),
        settled.invalid_by_rule,
    )
    one_minute = candles.one_minute_candles(settled.groups)

    def write(timeframe: str) -> int:
        seconds = TIMEFRAMES[timeframe]
        frame = one_minute if timeframe == "1m" else candles.rolled_up(one_minute, seconds)
        _write(frame, arguments, mode, timeframe)
        return frame.count()

    with ThreadPoolExecutor(len(arguments.timeframes)) as writers:
        written = dict(
            zip(arguments.timeframes, writers.map(write, arguments.timeframes), strict=True)
        )
    log.info("%s: candles written %s", mode.value, written)
    effort = effort_since(spark, stage_before)
    for kept in settled.kept:
        kept.unpersist()
    return OhlcReport(
        storage_mode=mode.value,
        load_data_mode=load.value,
        start_us=arguments.start_us,
        end_us=arguments.end_us,
        rows=settled.rows,
        invalid=sum(settled.invalid_by_rule.values()),
        invalid_by_rule=settled.invalid_by_rule,
        duplicates=settled.duplicates,
        conflicting_duplicates=settled.conflicting,
        shared_instants=settled.shared_instants,
        candles=written,
        files=raw.files,
        bytes=raw.bytes,
        partitions=raw.partitions,
        requests=raw.requests,
        seconds=round(time.monotonic() - began, 3),
        **asdict(effort),
    )


def _write(frame: DataFrame, arguments: Arguments, mode: StorageMode, timeframe: str) -> None:
    table = candle_table(timeframe)
    start_us, end_us = arguments.start_us, arguments.end_us
    if mode is StorageMode.ICEBERG:
        name = f"{arguments.catalog}.{iceberg_identifier(table)}"
        overwrite_iceberg_hours(frame, name, start_us, end_us)
    else:
        location = table_location(arguments.warehouse, mode, table)
        overwrite_parquet_hours(frame, location, start_us, end_us, run=uuid.uuid4().hex)


def _end_with_parent(parent: int) -> None:
    """End this process, and with it its JVM, once the process that started it has gone.

    Args:
        parent: its id, as it told: it may have gone before this process could look.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_WATCH_SECONDS)
        import pyspark  # noqa: PLC0415

        context: Any = pyspark.SparkContext
        if context._gateway is not None:  # noqa: SLF001
            context._gateway.proc.kill()  # noqa: SLF001
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """The script's entry."""
    import sys  # noqa: PLC0415

    from pyspark.sql import SparkSession  # noqa: PLC0415

    arguments = parse_arguments(sys.argv[1:])
    if arguments.parent is not None:
        _end_with_parent(arguments.parent)
    with dagster_log() as log:
        builder: Any = SparkSession.builder
        spark = builder.appName("tick_pipeline ohlc").getOrCreate()
        log.info("Spark %s on %s", spark.version, spark.sparkContext.master)
        reporter = FileReporter(arguments.report) if arguments.report else LogReporter()
        reporter.report(run(spark, arguments, log))
        spark.stop()


if __name__ == "__main__":
    main()
