"""A picture's data from the tables of one storage mode, by SQL."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tick_pipeline.errors import InputError, WorkError
from tick_pipeline.event_time import (
    EPOCH,
    MAX_EVENT_US,
    MIN_EVENT_US,
    US_PER_HOUR,
    US_PER_MINUTE,
    US_PER_SECOND,
    as_datetime,
    format_short,
)
from tick_pipeline.plots.picture import Alert, Candle, Picture, price_band

if TYPE_CHECKING:
    from datetime import datetime

    from tick_pipeline.resources.query_engine import QueryEngine
    from tick_pipeline.spark.scoring_rules import ScoringRules
    from tick_pipeline.storage import StorageMode

#: What is shown where no range is given: so many hours up to the newest candle.
NEWEST_HOURS = 3
#: Of more, a minute would be narrower than a pixel.
MAX_HOURS = 48
_OF_CANDLE = ("open", "high", "low", "close", "volume")
#: Symbols that a complaint names at most.
_NAMED = 12


@dataclass(frozen=True)
class Wanted:
    """What to show: None leaves it to what the tables hold; times are microseconds since the epoch."""

    symbol: str | None = None
    start_us: int | None = None
    end_us: int | None = None


def load_picture(
    engine: QueryEngine, mode: StorageMode, wanted: Wanted, rules: ScoringRules
) -> Picture:
    """Candles, ticks and anomalies of one symbol.

    Raises:
        InputError: the symbol or the range holds no candles.
        WorkError: there is nothing in the tables to choose from.
    """
    _check(wanted)
    symbol = wanted.symbol or _most_anomalous(engine, mode, wanted)
    start_us, end_us = _range(engine, mode, symbol, wanted)
    values = {"symbol": symbol, "start": as_datetime(start_us), "end": as_datetime(end_us)}
    candles = engine.run(_CANDLES.format(mode=mode), values).records
    if not candles:
        raise InputError(
            f"{mode}.aggregated_1m has no candle of {symbol} from {format_short(start_us)} to "
            f"{format_short(end_us)}; --start and --end choose the range"
        )
    context_us = rules.window_seconds * US_PER_SECOND
    ticks = engine.run(
        _TICKS.format(mode=mode), values | {"start": as_datetime(start_us - context_us)}
    ).table
    alerts = engine.run(_ALERTS.format(mode=mode), values).records
    placed = [alert for alert in alerts if alert["price"] is not None]
    return Picture(
        symbol=symbol,
        storage_mode=mode.value,
        start_us=start_us,
        end_us=end_us,
        candles=tuple(
            Candle(_us(row["bucket_start"]), *(row[name] for name in _OF_CANDLE)) for row in candles
        ),
        band=price_band(
            ticks["event_us"].to_numpy(), ticks["price"].to_numpy(), start_us, end_us, rules
        ),
        threshold=rules.threshold,
        window_minutes=rules.window_minutes,
        alerts=tuple(Alert(**alert) for alert in placed),
        unplaced=len(alerts) - len(placed),
    )


def _check(wanted: Wanted) -> None:
    for option, us in (("--start", wanted.start_us), ("--end", wanted.end_us)):
        if us is not None and not MIN_EVENT_US <= us <= MAX_EVENT_US:
            raise InputError(
                f"{option} {format_short(us)}: ticks have event times from "
                f"{format_short(MIN_EVENT_US)} to {format_short(MAX_EVENT_US)}"
            )
    if wanted.start_us is None or wanted.end_us is None:
        return
    if not wanted.start_us < wanted.end_us <= wanted.start_us + MAX_HOURS * US_PER_HOUR:
        raise InputError(
            f"--end {format_short(wanted.end_us)} must be after --start "
            f"{format_short(wanted.start_us)}, by {MAX_HOURS} hours at most"
        )


def _most_anomalous(engine: QueryEngine, mode: StorageMode, wanted: Wanted) -> str:
    bounds: dict[str, Any] = {}
    if wanted.start_us is not None:
        bounds["start"] = as_datetime(wanted.start_us)
    if wanted.end_us is not None:
        bounds["end"] = as_datetime(wanted.end_us)
    signs = {"start": ">=", "end": "<"}
    terms = [f"event_at {signs[name]} :{name}" for name in bounds]
    where = f"where {' and '.join(terms)} " if terms else ""
    rows = engine.run(
        f"select symbol from {mode}.anomalies {where}"  # noqa: S608  (a closed set of names)
        "group by symbol order by count(*) desc, symbol limit 1",
        bounds,
    ).records
    if not rows:
        raise WorkError(
            f"{mode}.anomalies holds nothing{' in that range' if bounds else ''}; "
            "name the symbol to show by --symbol"
        )
    return str(rows[0]["symbol"])


def _range(engine: QueryEngine, mode: StorageMode, symbol: str, wanted: Wanted) -> tuple[int, int]:
    """The range to show; what is not given reaches to the newest candle, and some hours back."""
    start_us, end_us = wanted.start_us, wanted.end_us
    if start_us is not None and end_us is not None:
        return start_us, end_us
    bound = {} if end_us is None else {"end": as_datetime(end_us)}
    where = "" if end_us is None else " and bucket_start < :end"
    [newest] = engine.run(
        f"select max(bucket_start) as newest from {mode}.aggregated_1m where symbol = :symbol{where}",  # noqa: S608
        {"symbol": symbol, **bound},
    ).records
    if newest["newest"] is None:
        raise _no_candles(engine, mode, symbol)
    newest_us = _us(newest["newest"]) + US_PER_MINUTE
    if end_us is None:
        if start_us is not None and start_us >= newest_us:
            raise InputError(
                f"--start {format_short(start_us)} is after the newest candle of {symbol}, which ends "
                f"at {format_short(newest_us)}"
            )
        end_us = newest_us
        if start_us is not None:
            end_us = min(end_us, start_us + MAX_HOURS * US_PER_HOUR)
    if start_us is None:
        oldest_us = newest_us - NEWEST_HOURS * US_PER_HOUR
        [oldest] = engine.run(
            f"select min(bucket_start) as oldest from {mode}.aggregated_1m "  # noqa: S608
            "where symbol = :symbol and bucket_start >= :start",
            {"symbol": symbol, "start": as_datetime(oldest_us)},
        ).records
        start_us = _us(oldest["oldest"])
    return start_us, end_us


def _no_candles(engine: QueryEngine, mode: StorageMode, symbol: str) -> Exception:
    rows = engine.run(
        f"select distinct symbol from {mode}.aggregated_1m order by symbol limit {_NAMED}"  # noqa: S608
    ).records
    if not rows:
        return WorkError(f"{mode}.aggregated_1m holds no candles; `tick-pipeline ohlc` makes them")
    names = ", ".join(str(row["symbol"]) for row in rows)
    more = ", ..." if len(rows) == _NAMED else ""
    return InputError(f"{mode}.aggregated_1m has no candles of {symbol!r}; it has {names}{more}")


def _us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


_CANDLES = (
    "select bucket_start, open, high, low, close, volume from {mode}.aggregated_1m "
    "where symbol = :symbol and bucket_start >= :start and bucket_start < :end order by bucket_start"
)
_TICKS = (
    "select event_us, price from {mode}.ticks "
    "where symbol = :symbol and event_at >= :start and event_at < :end order by event_us, sequence"
)
_ALERTS = """
with t as (
  select event_id, event_us, price from {mode}.ticks
  where symbol = :symbol and event_at >= :start and event_at < :end
)
select
  a.event_id, a.event_us as at_us, t.price, a.metric, a.value, a.mean, a.stddev, a.zscore, a.sample_count
from {mode}.anomalies a
left join t on t.event_id = a.event_id and t.event_us = a.event_us
where a.symbol = :symbol and a.event_at >= :start and a.event_at < :end
order by a.event_us, a.event_id, a.metric
"""
