"""A comparison made of plain numbers: both modes level, until a test says otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE, parse_instant
from tick_pipeline.report.comparison import (
    Baseline,
    Comparison,
    Freshness,
    HourLateness,
    LateCost,
    Minute,
    NotMeasured,
    QueryFigures,
    Reading,
    ReadModeFigures,
    TableParity,
)
from tick_pipeline.report.remembered import CandleRun, CheckRun, Landing
from tick_pipeline.report.standard_queries import STANDARD_QUERIES
from tick_pipeline.resources.table_stats import TableStats
from tick_pipeline.storage import (
    DEFAULT_LOAD_DATA_MODE,
    RAW,
    TABLES,
    LoadDataMode,
    StorageMode,
)

ICEBERG, PARQUET = StorageMode.ICEBERG, StorageMode.PARQUET_PROJECTION
HOUR_US = parse_instant("2026-03-01T09:00:00Z")
NOT_MEASURED = NotMeasured("nobody did", "tick-pipeline status")


def reading(seconds: float = 0.5, size: int = 100_000) -> Reading:
    """One file, read three times."""
    return Reading(1, size, size, 1, (seconds, seconds, seconds))


def candle_run(mode: StorageMode, *, seconds: float = 10.0, **changes: Any) -> CandleRun:
    """A run over the hour, in the mode's own way of reading."""
    run = CandleRun(
        storage_mode=mode,
        read_mode=DEFAULT_LOAD_DATA_MODE[mode],
        start_us=HOUR_US,
        end_us=HOUR_US + US_PER_HOUR,
        ticks=1000,
        files=1,
        bytes=100_000,
        requests=2,
        read_seconds=1.0,
        seconds=seconds,
        at_us=HOUR_US,
    )
    return replace(run, **changes)


def read_modes(**seconds: float) -> tuple[ReadModeFigures, ...]:
    """The runs of both modes, `iceberg=12.0` as long as that; reading by `spark` was never tried."""
    runs = {
        DEFAULT_LOAD_DATA_MODE[mode]: candle_run(mode, seconds=seconds.get(mode.value, 10.0))
        for mode in StorageMode
    }
    return tuple(
        ReadModeFigures(mode, (runs[mode],), None)
        if mode in runs
        else ReadModeFigures(mode, (), NOT_MEASURED)
        for mode in LoadDataMode
    )


def queries(**seconds: float) -> tuple[QueryFigures, ...]:
    """Every standard query over both modes, `iceberg=1.0` as long as that."""
    return tuple(
        QueryFigures(
            query.name,
            query.question,
            mode,
            reading(seconds.get(mode.value, 0.5)),
            reading(seconds.get(mode.value, 0.5)),
        )
        for query in STANDARD_QUERIES
        for mode in StorageMode
    )


def check(outcome: str, at_us: int, **changes: Any) -> CheckRun:
    """An evaluation of raw_gaps."""
    run = CheckRun(f"run-{at_us}", at_us, ICEBERG, RAW, "raw_gaps", outcome, "")
    return replace(run, **changes)


def comparison(**changes: Any) -> Comparison:
    """An hour of 1,000 ticks, with every figure the same in both modes."""
    level = Comparison(
        deployment="local",
        engine="DuckDB on this machine",
        generated_us=HOUR_US + US_PER_HOUR,
        seconds=2.5,
        start_us=HOUR_US,
        end_us=HOUR_US + US_PER_HOUR,
        hour_us=HOUR_US,
        symbol="AAA",
        lateness_seconds=60,
        settled=True,
        parity=tuple(TableParity(table, 0) for table in TABLES),
        tables=tuple(
            TableStats(mode, table, 1000, 1, 100_000, 1) for mode in StorageMode for table in TABLES
        ),
        opening=((ICEBERG, 0.1), (PARQUET, 0.1)),
        queries=queries(),
        read_modes=read_modes(),
        landings=tuple(Landing(mode, 1, 1000, 0.5) for mode in StorageMode),
        baseline=Baseline(
            ticks=1000,
            sampled=False,
            json_bytes=220_000,
            gzip_bytes=30_000,
            zstd_bytes=29_000,
            query="volume_by_symbol",
            engine="DuckDB on this machine",
            runs=(0.7, 0.7, 0.7),
        ),
        freshness=tuple(
            Freshness(mode, HOUR_US, HOUR_US, HOUR_US, caught_up=True, delivery="1 of 1 records")
            for mode in StorageMode
        ),
        minutes=tuple(
            Minute(HOUR_US + number * US_PER_MINUTE, 100, 1, 90.0) for number in range(10)
        ),
        lateness=(HourLateness(HOUR_US, 1000, 10, 0.2, 90.0),),
        late_cost=tuple(LateCost(mode, 10, None, None, None, 0, 0.0) for mode in StorageMode),
        upkeep=NOT_MEASURED,
        cost=NOT_MEASURED,
        checks=(check("warn", HOUR_US + 1), check("ok", HOUR_US)),
    )
    return replace(level, **changes)
