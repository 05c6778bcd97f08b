"""The OHLC job: raw ticks of whole hours to candles, on a laptop as on Glue.

    --TIMEFRAMES           1m,5m
    --METRICS_NAMESPACE    CloudWatch's, for the metric CandlesWritten; nothing is sent if not given

and the common arguments, see spark/entry.py.
"""

from __future__ import annotations

import logging
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tick_pipeline.spark import candles
from tick_pipeline.spark.effort import effort_since, last_stage
from tick_pipeline.spark.entry import (
    JobArguments,
    common_parser,
    common_values,
    run_as_job,
    shuffle_partitions,
)
from tick_pipeline.spark.metrics import put_candles_written
from tick_pipeline.spark.raw_ticks import read_raw
from tick_pipeline.spark.report import OhlcReport
from tick_pipeline.spark.tables import CANDLES, Target, overwrite_hours
from tick_pipeline.storage import (
    DEFAULT_LOAD_DATA_MODE,
    TIMEFRAMES,
    StorageMode,
    candle_table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True, kw_only=True)
class Arguments(JobArguments):
    """The job's arguments, as values."""

    timeframes: tuple[str, ...]
    metrics_namespace: str | None = None


def parse_arguments(texts: Sequence[str]) -> Arguments:
    """Read the job's arguments; others, as Glue adds them, are ignored.

    Raises:
        SystemExit: one is missing or wrong (argparse says which).
    """
    parser = common_parser("ohlc")
    parser.add_argument("--TIMEFRAMES", default=",".join(TIMEFRAMES))
    parser.add_argument("--METRICS_NAMESPACE")
    given, _ = parser.parse_known_args(texts)
    timeframes = tuple(given.TIMEFRAMES.split(","))
    if not set(timeframes) <= set(TIMEFRAMES):
        parser.error(f"--TIMEFRAMES {given.TIMEFRAMES}: known are {', '.join(TIMEFRAMES)}")
    return Arguments(
        timeframes=timeframes,
        metrics_namespace=given.METRICS_NAMESPACE,
        **common_values(parser, given),
    )


def run(
    spark: SparkSession, arguments: Arguments, log: logging.Logger | None = None
) -> list[OhlcReport]:
    """Recompute and overwrite the candles of the hours, one storage mode after the other."""
    log = log or logging.getLogger(__name__)
    reports = [_run_mode(spark, arguments, mode, log) for mode in arguments.storage_modes]
    if arguments.metrics_namespace:
        put_candles_written(arguments.metrics_namespace, reports, log)
    return reports


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
        database=arguments.database,
    )
    log.info(
        "%s: %d raw files, %d bytes in %d hours, read as %s",
        mode.value,
        raw.files,
        raw.bytes,
        raw.partitions,
        load.value,
    )
    spark.conf.set("spark.sql.shuffle.partitions", shuffle_partitions(raw.bytes))
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
    target = Target(
        mode,
        candle_table(timeframe),
        CANDLES,
        arguments.warehouse,
        arguments.catalog,
        arguments.database,
    )
    overwrite_hours(frame, target, arguments.start_us, arguments.end_us, run=uuid.uuid4().hex)


def main() -> None:
    """The script's entry."""
    import sys  # noqa: PLC0415

    run_as_job("ohlc", parse_arguments(sys.argv[1:]), run)


if __name__ == "__main__":
    main()
