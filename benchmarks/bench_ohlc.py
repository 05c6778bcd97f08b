"""`ohlc`: the job's CPU against DuckDB and the usual row_number, then its wall time and memory.

All read the same Parquet files, apply the same valid_tick, keep each tick once, and write the
candles of one and five minutes. CPU seconds are warm: of the fifth run and later, JVM and all.
"""

# ruff: noqa: S608, SLF001  (its SQL is made of its own constants; the JVM is reached no other way)

# pyarrow, duckdb and pyspark have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeStubs=false, reportPrivateUsage=false
from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import duckdb
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.market import MODE, START_US, folder_of, hour_of_ticks, land
from benchmarks.processes import peak_of_children
from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.rules import Dialect, valid_sql
from tick_pipeline.contracts.types import arrow_schema
from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.resources.iceberg import open_catalog, warehouse_uri
from tick_pipeline.resources.local import open_home
from tick_pipeline.resources.spark_jobs import LocalSparkJobs
from tick_pipeline.resources.spark_runtime import spark_environment
from tick_pipeline.settings import load_settings
from tick_pipeline.spark.jobs.ohlc import Arguments, run
from tick_pipeline.spark.request import OhlcRequest
from tick_pipeline.storage import (
    CATALOG,
    RAW,
    TIMEFRAMES,
    StorageMode,
    iceberg_identifier,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

MILLION = 1_000_000
HOURS = 5
TICKS_AN_HOUR = MILLION
SYMBOLS = 100
WARM_UPS = 4
WARM_RUNS = 3
COLD_RUNS = 5
_TICK = load_contract("tick")
_ORDER = "sequence, price, volume, sent_ts, source"


def main() -> None:
    """Print CPU seconds as ratios, then wall seconds and peak memory of whole runs."""
    for share in (0.0, 0.001):
        with tempfile.TemporaryDirectory(prefix="bench-ohlc-") as folder:
            settings = load_settings(home=Path(folder) / "home", _env_file=None)
            home = open_home(settings)
            for number in range(HOURS):
                land(
                    home,
                    hour_of_ticks(number, TICKS_AN_HOUR, SYMBOLS, duplicate_share=share),
                    number,
                )
            print(
                f"-- {HOURS * TICKS_AN_HOUR / MILLION:g} million ticks, {SYMBOLS} symbols, "
                f"{share:.1%} of them twice: CPU seconds, warm, median of {WARM_RUNS}",
                flush=True,
            )
            _compare(home, settings)
            if not share:
                _time_whole_runs(home, settings)


def _compare(home: Home, settings: Settings) -> None:
    (home.path / "spark").mkdir(exist_ok=True)
    paths = [str(folder_of(home, number)) for number in range(HOURS)]
    out = home.path / "bench"
    out.mkdir()
    cpu = _duckdb_cpu(paths, out)
    cpu |= _spark_cpu(home, settings, paths, out)
    for name, seconds in sorted(cpu.items(), key=lambda item: item[1]):
        print(f"{name:46s} {seconds:6.2f}", flush=True)
    peer = min(cpu["duckdb, row_number"], cpu["duckdb, group by"])
    ours, usual = cpu["this job"], cpu["spark, row_number"]
    print(f"this job / duckdb: {ours / peer:.2f} (at most 4); ", end="")
    print(f"row_number / this job: {usual / ours:.2f} (at least 2)", flush=True)


def _spark_cpu(home: Home, settings: Settings, paths: list[str], out: Path) -> dict[str, float]:
    from pyspark.sql import SparkSession  # noqa: PLC0415  (sets up only where it is measured)

    os.environ.update(spark_environment())
    # As a long session would run: with the second compiler, without the archive for short ones.
    jobs = LocalSparkJobs(home, settings)
    quiet = "--conf spark.ui.showConsoleProgress=false "
    os.environ["PYSPARK_SUBMIT_ARGS"] = quiet + jobs.submit_arguments([])
    builder: Any = SparkSession.builder
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    gateway = spark.sparkContext._gateway
    jvm = psutil.Process(gateway.proc.pid)
    arguments = Arguments(
        start_us=START_US,
        end_us=START_US + HOURS * US_PER_HOUR,
        storage_modes=(MODE,),
        load_data_mode=None,
        timeframes=tuple(TIMEFRAMES),
        warehouse=warehouse_uri(home.path),
        catalog=CATALOG,
        report=None,
    )
    spark.read.parquet(*paths).createOrReplaceTempView("raw")
    target = str(out / "spark.parquet")

    def sql(texts: list[str]) -> None:
        for text in texts:
            spark.sql(text).write.mode("overwrite").parquet(target)

    def without_deduplication() -> None:
        one_minute = spark.sql(_plain(Dialect.SPARK, "raw")).persist()
        one_minute.createOrReplaceTempView("one_minute")
        one_minute.write.mode("overwrite").parquet(target)
        sql([_rolled_up()])
        one_minute.unpersist()

    valid = valid_sql(_TICK, Dialect.SPARK)
    found = {
        "this job": _warm(lambda: run(spark, arguments), jvm),
        "spark, row_number": _warm(lambda: sql(_row_number(valid, deduplicate=True)), jvm),
        "spark, row_number, duplicates kept": _warm(
            lambda: sql(_row_number(valid, deduplicate=False)), jvm
        ),
        "spark, one pass, duplicates kept": _warm(without_deduplication, jvm),
    }
    context_class: Any = type(spark.sparkContext)
    spark.stop()
    gateway.shutdown()
    # The JVM ends with its standard input; the next session starts one of its own.
    gateway.proc.stdin.close()
    gateway.proc.wait(timeout=60)
    context_class._gateway = context_class._jvm = None
    return found


def _duckdb_cpu(paths: list[str], out: Path) -> dict[str, float]:
    connection = duckdb.connect(config={"threads": os.cpu_count() or 1})
    connection.execute("set enable_progress_bar = false")
    files = ", ".join(f"'{path}/*.parquet'" for path in paths)
    connection.execute(f"create view raw as from read_parquet([{files}], hive_partitioning=false)")
    valid = valid_sql(_TICK, Dialect.DUCKDB)
    names = "event_id, symbol, event_ts"
    sources = {
        "duckdb, row_number": f"(select * from raw where {valid} qualify row_number() over "
        f"(partition by {names} order by {_ORDER}) = 1)",
        "duckdb, group by": f"(select {names}, c.sequence as sequence, c.price as price, "
        f"c.volume as volume from (select {names}, min({{'sequence': sequence, 'price': price, "
        f"'volume': volume, 'sent_ts': sent_ts, 'source': source}}) c from raw where {valid} "
        f"group by {names}))",
        "duckdb, duplicates kept": f"(from raw where {valid})",
    }

    def candles(source: str) -> None:
        connection.execute(
            f"create or replace table one_minute as {_plain(Dialect.DUCKDB, source)}"
        )
        connection.execute(f"copy one_minute to '{out}/1m.parquet'")
        connection.execute(f"copy ({_rolled_up('//')}) to '{out}/5m.parquet'")

    def measured(source: str) -> float:
        return _warm(lambda: candles(source), psutil.Process())

    return {name: measured(source) for name, source in sources.items()}


def _plain(dialect: Dialect, source: str) -> str:
    """Candles of a minute by one group, from valid ticks that stand once."""
    if dialect is Dialect.SPARK:
        source = f"(select * from {source} where {valid_sql(_TICK, dialect)})"
        bucket, order = "event_ts div 60000000", "shiftleft(event_ts % 60000000, 37) | sequence"
    else:
        bucket, order = "event_ts // 60000000", "((event_ts % 60000000) << 37) | sequence"
    return (
        f"select symbol, {bucket} as bucket, min_by(price, {order}) as open, max(price) as high, "
        f"min(price) as low, max_by(price, {order}) as close, sum(volume) as volume, "
        "sum(price * volume) as notional, count(*) as trade_count, min(event_ts) as first_us, "
        f"max(event_ts) as last_us from {source} as ticks group by 1, 2"
    )


def _rolled_up(divide: str = "div") -> str:
    return (
        f"select symbol, bucket {divide} 5 as bucket, min_by(open, bucket) as open, "
        "max(high) as high, min(low) as low, max_by(close, bucket) as close, "
        "sum(volume) as volume, sum(notional) as notional, sum(trade_count) as trade_count, "
        "min(first_us) as first_us, max(last_us) as last_us from one_minute group by 1, 2"
    )


def _row_number(valid: str, *, deduplicate: bool) -> list[str]:
    """Each timeframe from raw, first and last by row_number: how it is usually written."""
    ticks = f"select *, 1 as copy from raw where {valid}"
    if deduplicate:
        ticks = (
            f"select *, row_number() over (partition by event_id, symbol, event_ts order by "
            f"{_ORDER}) as copy from raw where {valid}"
        )
    return [
        f"""with ticks as ({ticks}),
        numbered as (
            select *, event_ts div {seconds * MILLION} as bucket,
                row_number() over (partition by symbol, event_ts div {seconds * MILLION}
                    order by event_ts, sequence, event_id) as first,
                row_number() over (partition by symbol, event_ts div {seconds * MILLION}
                    order by event_ts desc, sequence desc, event_id desc) as last
            from ticks where copy = 1)
        select symbol, bucket, max(case when first = 1 then price end) as open,
            max(price) as high, min(price) as low, max(case when last = 1 then price end) as close,
            sum(volume) as volume, sum(price * volume) as notional, count(*) as trade_count,
            min(event_ts) as first_us, max(event_ts) as last_us
        from numbered group by symbol, bucket"""
        for seconds in TIMEFRAMES.values()
    ]


def _warm(work: Callable[[], object], process: psutil.Process) -> float:
    """Median CPU seconds of a process over WARM_RUNS runs, after WARM_UPS (a JVM compiles that long)."""

    def spent() -> float:
        times = process.cpu_times()
        return times.user + times.system

    seconds: list[float] = []
    for _ in range(WARM_UPS + WARM_RUNS):
        before = spent()
        work()
        seconds.append(spent() - before)
    return median(seconds[WARM_UPS:])


def _time_whole_runs(home: Home, settings: Settings) -> None:
    """One hour from process start to done, with and without the class archive; peak memory of all."""
    one_hour = OhlcRequest(
        start_us=START_US,
        end_us=START_US + US_PER_HOUR,
        storage_modes=(MODE,),
        load_data_mode=None,
        timeframes=tuple(TIMEFRAMES),
    )
    for name, options, at_most in (("with", None, 8), ("without", [], 14)):
        jobs = LocalSparkJobs(home, settings, java_options=options)
        walls: list[float] = []
        for _ in range(COLD_RUNS):
            began = time.monotonic()
            jobs.run_ohlc(one_hour)
            walls.append(time.monotonic() - began)
        print(
            f"one hour of {TICKS_AN_HOUR:,} ticks {name} the class archive: "
            f"{median(walls):.1f} s, median of {COLD_RUNS} (at most {at_most})",
            flush=True,
        )
    shutil.rmtree(home.path / "bench")
    catalog = open_catalog(home.path)
    for number in range(HOURS):
        files = sorted(folder_of(home, number).iterdir())
        rows = pa.concat_tables([pq.ParquetFile(path).read() for path in files])
        catalog.load_table(iceberg_identifier(RAW)).append(
            rows.cast(arrow_schema(_TICK, StorageMode.ICEBERG))
        )
    for mode in StorageMode:
        request = OhlcRequest(
            start_us=START_US,
            end_us=START_US + HOURS * US_PER_HOUR,
            storage_modes=(mode,),
            load_data_mode=None,
            timeframes=tuple(TIMEFRAMES),
        )
        peak_bytes = peak_of_children(lambda: LocalSparkJobs(home, settings).run_ohlc(request))  # noqa: B023
        print(
            f"{HOURS * TICKS_AN_HOUR / MILLION:g} million ticks, {mode}: peak of the job's "
            f"processes {peak_bytes / 2**30:.2f} GiB (at most 3)",
            flush=True,
        )


if __name__ == "__main__":
    main()
