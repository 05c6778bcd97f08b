"""What the report asks the query engine: small read-only statements, some of them timed."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tick_pipeline.event_time import EPOCH, US_PER_HOUR, as_datetime, hour_ceil, now_us
from tick_pipeline.report.baseline import MOST_TICKS, measure_json
from tick_pipeline.report.comparison import (
    HourLateness,
    Minute,
    NotMeasured,
    QueryFigures,
    Reading,
    TableParity,
)
from tick_pipeline.report.standard_queries import OPENING, STANDARD_QUERIES
from tick_pipeline.storage import ANOMALIES, RAW, TIMEFRAMES, StorageMode, candle_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tick_pipeline.report.comparison import Baseline
    from tick_pipeline.report.standard_queries import StandardQuery
    from tick_pipeline.resources.query_port import QueryEngine

#: Where one mode is enough, since both hold the same: pictures, minutes, the records of the baseline.
SHOWN = StorageMode.PARQUET_PROJECTION
#: A query that would read more is planned, not run: a report must not cost what it reports on.
MOST_BYTES = 1 << 30
_RUNS = 3
#: Runs that took so long in all are enough.
_LONG_SECONDS = 5.0
_WINDOW_US = 24 * US_PER_HOUR
_LOOK_BACK_US = 72 * US_PER_HOUR
_PARITY: dict[str, tuple[str, dict[str, str]]] = {
    RAW: ("storage_parity_ticks", {}),
    **{
        candle_table(timeframe): ("storage_parity_candles", {"timeframe": timeframe})
        for timeframe in TIMEFRAMES
    },
    ANOMALIES: ("storage_parity_anomalies", {}),
}


def newest_tick_us(engine: QueryEngine, mode: StorageMode) -> int | None:
    """Event time of the newest valid tick of the last 72 hours, not of a later one, microseconds."""
    until_us = now_us()
    window = _window((until_us - _LOOK_BACK_US, until_us))
    sql = (
        f"select max(event_at) as newest from {mode}.received where broken_rule is null "  # noqa: S608  (a closed set of names)
        "and event_at >= :start and event_at < :end"
    )
    return _us(engine.run(sql, window).records[0]["newest"])


def newest_candle_us(
    engine: QueryEngine, mode: StorageMode, end_us: int | None = None
) -> int | None:
    """Start of the newest one-minute candle before an instant, microseconds; before now if not given."""
    sql = f"select max(bucket_start) as newest from {mode}.aggregated_1m where bucket_start < :end"  # noqa: S608
    end = as_datetime(now_us() if end_us is None else end_us)
    return _us(engine.run(sql, {"end": end}).records[0]["newest"])


def newest_hours(newest_us: int | None) -> tuple[int, int]:
    """The 24 hours up to the one that holds an instant, or up to now without one; microseconds."""
    end_us = hour_ceil((newest_us or now_us()) + 1)
    return end_us - _WINDOW_US, end_us


def lateness(
    engine: QueryEngine, mode: StorageMode, hours: tuple[int, int], late_seconds: float
) -> list[HourLateness]:
    """How late the ticks of each hour were put into the stream."""
    asked = {**_window(hours), "storage_mode": mode.value, "lateness_seconds": late_seconds}
    return [
        HourLateness(
            _us(row["hour"]) or 0,
            row["ticks"],
            row["late_ticks"],
            row["mean_seconds"],
            row["max_seconds"],
        )
        for row in engine.run_file("lateness", asked).records
    ]


def minutes(engine: QueryEngine, hours: tuple[int, int], late_seconds: float) -> tuple[Minute, ...]:
    """What raw received, minute by minute."""
    asked = {**_window(hours), "storage_mode": SHOWN.value, "lateness_seconds": late_seconds}
    return tuple(
        Minute(
            _us(row["minute"]) or 0,
            row["raw_rows"],
            row["late_rows"],
            row["max_lateness_seconds"] or 0.0,
        )
        for row in engine.run_file("raw_minutes", asked).records
    )


def parity(engine: QueryEngine, hours: tuple[int, int]) -> tuple[TableParity, ...]:
    """What differs between the modes, table by table."""
    return tuple(
        TableParity(table, engine.run_file(name, {**_window(hours), **more}).table.num_rows)
        for table, (name, more) in _PARITY.items()
    )


def busiest_symbol(engine: QueryEngine, hour_us: int) -> str:
    """The symbol with the most ticks in an hour that has any."""
    sql = (
        f"select symbol, count(*) as n from {SHOWN}.ticks "  # noqa: S608
        "where event_at >= :start and event_at < :end group by symbol order by n desc, symbol limit 1"
    )
    return str(engine.run(sql, _window(_hour(hour_us))).records[0]["symbol"])


def opening_seconds(engine: QueryEngine, mode: StorageMode) -> float:
    """Median wall seconds of a query that reads no file: what any other takes at the least."""
    values = _window((0, US_PER_HOUR))
    runs = timed(lambda: engine.run(OPENING.sql(mode, filtered=True), values).seconds)
    return sorted(runs)[len(runs) // 2]


def standard_queries(engine: QueryEngine, hour_us: int, symbol: str) -> tuple[QueryFigures, ...]:
    """Each standard query over each mode, of one hour and of all there is."""
    return tuple(
        _query_figures(engine, query, mode, hour_us, symbol)
        for query in STANDARD_QUERIES
        for mode in StorageMode
    )


def json_baseline(engine: QueryEngine, hour_us: int) -> Baseline | NotMeasured:
    """The ticks of an hour, as the JSON records that they were."""
    sql = (
        "select event_id, source, sequence, symbol, price, volume, event_us as event_ts, event_time, sent_ts "  # noqa: S608
        f"from {SHOWN}.ticks where event_at >= :start and event_at < :end "
        f"order by event_us, sequence limit {MOST_TICKS + 1}"
    )
    ticks = engine.run(sql, _window(_hour(hour_us))).table
    return measure_json(ticks.slice(0, MOST_TICKS), sampled=len(ticks) > MOST_TICKS, timed=timed)


def read(engine: QueryEngine, sql: str, values: dict[str, Any]) -> Reading:
    """Plan a statement, and unless it would read too much, time it; values it does not name are left out."""
    named = {name: value for name, value in values.items() if f":{name}" in sql}
    plan = engine.estimate(sql, named)
    bytes_read: list[int] = []

    def run() -> float:
        result = engine.run(sql, named)
        bytes_read.append(result.bytes)
        return result.seconds

    runs = timed(run) if plan.bytes <= MOST_BYTES else ()
    return Reading(
        plan.files, plan.bytes, bytes_read[-1] if bytes_read else None, plan.partitions, runs
    )


def timed(run: Callable[[], float]) -> tuple[float, ...]:
    """Wall seconds that `run` tells of each of three runs; of fewer, where they are long."""
    runs: list[float] = []
    while len(runs) < _RUNS and sum(runs) < _LONG_SECONDS:
        runs.append(run())
    return tuple(round(seconds, 4) for seconds in runs)


def _query_figures(
    engine: QueryEngine, query: StandardQuery, mode: StorageMode, hour_us: int, symbol: str
) -> QueryFigures:
    values: dict[str, Any] = {**_window(_hour(hour_us)), "symbol": symbol}
    one_hour, whole = (
        read(engine, query.sql(mode, filtered=filtered), values) for filtered in (True, False)
    )
    return QueryFigures(query.name, query.question, mode, one_hour, whole)


def _hour(hour_us: int) -> tuple[int, int]:
    return hour_us, hour_us + US_PER_HOUR


def _window(hours: tuple[int, int]) -> dict[str, Any]:
    start_us, end_us = hours
    return {"start": as_datetime(start_us), "end": as_datetime(end_us)}


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - EPOCH) // timedelta(microseconds=1)
