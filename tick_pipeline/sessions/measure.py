"""Which minutes of a mode's candles are missing, and what its raw and its error prefix say of them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE, as_datetime
from tick_pipeline.landing.numbers import read_number
from tick_pipeline.sessions.calendar import session_minutes
from tick_pipeline.sessions.coverage import classify

if TYPE_CHECKING:
    from datetime import datetime

    from tick_pipeline.resources.landing import Landing
    from tick_pipeline.resources.query_port import QueryEngine
    from tick_pipeline.sessions.coverage import Coverage
    from tick_pipeline.storage import StorageMode

#: Beyond the window, where the ticks on both sides of a gap are looked for, and symbols that are silent in it.
_BESIDE_US = US_PER_HOUR
#: Arrival of the error records that are read: so long after the window, and before now, as a replay's do.
_ARRIVAL_US = 24 * US_PER_HOUR
_Minutes = defaultdict[str, list[range]]


def measure_coverage(
    engine: QueryEngine,
    landing: Landing,
    mode: StorageMode,
    start_us: int,
    end_us: int,
    *,
    calendar: str,
    closed_us: int,
) -> Coverage:
    """Sort the minutes of [start, end) of every symbol that has a candle in them, or in the hour on either side.

    Raw and the error prefix are read only where a candle is missing. Minutes that are not closed are left out.

    Args:
        engine: has candles and raw.
        landing: has the error records.
        mode: whose.
        start_us: start of the window, microseconds.
        end_us: its end, exclusive.
        calendar: code of the market's sessions.
        closed_us: what happened before has landed, microseconds.

    Raises:
        QueryError: the tables cannot be read.
        SettingsError: there is no such calendar, or it does not know these days.
        AwsError: on AWS, which refused a call, or did not answer.
    """
    end_us = max(start_us, min(end_us, closed_us))
    minutes = range(start_us // US_PER_MINUTE, end_us // US_PER_MINUTE)
    sessions = session_minutes(calendar, minutes)
    asked = {
        "storage_mode": mode.value,
        "start": start_us - _BESIDE_US,
        "end": end_us + _BESIDE_US,
    }
    candles = _traded(engine, asked)
    whole = classify(minutes, sessions, candles, {})
    if not any(symbol.no_trade for symbol in whole.symbols):
        return whole
    missing = _missing(engine, asked, mode)
    _add_failed(missing, landing, mode, _arrivals(start_us, end_us, closed_us))
    return classify(minutes, sessions, candles, missing)


def _traded(engine: QueryEngine, asked: dict[str, Any]) -> _Minutes:
    found: _Minutes = defaultdict(list)
    for row in engine.run_file("traded_minutes", asked).records:
        first, last = (_minute_of(row[name]) for name in ("first_minute", "last_minute"))
        found[row["symbol"]].append(range(first, last + 1))
    return found


def _missing(engine: QueryEngine, asked: dict[str, Any], mode: StorageMode) -> _Minutes:
    """Minutes between the two sides of a gap, and those of rows that are no valid ticks."""
    found: _Minutes = defaultdict(list)
    for row in engine.run_file("gaps", asked).records:
        sides = sorted((row["after_us"] // US_PER_MINUTE, row["before_us"] // US_PER_MINUTE))
        found[row["symbol"]].append(range(sides[0], sides[1] + 1))
    times = {name: as_datetime(asked[name]) for name in ("start", "end")}
    for row in engine.run(_invalid_sql(mode), times).records:
        found[row["symbol"]].append(_one(_minute_of(row["minute"])))
    return found


def _add_failed(
    missing: _Minutes, landing: Landing, mode: StorageMode, arrivals: list[tuple[int, int | None]]
) -> None:
    """Add the minutes of records in the error prefix that still tell symbol and event time."""
    for since_us, until_us in arrivals:
        for record in landing.error_records(mode, since_us, until_us):
            number = read_number(record.data)
            if number.symbol is not None and number.event_us is not None:
                missing[number.symbol].append(_one(number.event_us // US_PER_MINUTE))


def _arrivals(start_us: int, end_us: int, closed_us: int) -> list[tuple[int, int | None]]:
    """When the window's error records may have arrived: soon after it, or of late."""
    late_us, recent_us = end_us + _ARRIVAL_US, closed_us - _ARRIVAL_US
    if late_us >= recent_us:
        return [(min(start_us, recent_us), None)]
    return [(start_us, late_us), (recent_us, None)]


def _one(minute: int) -> range:
    return range(minute, minute + 1)


def _minute_of(moment: datetime) -> int:
    return int(moment.timestamp()) // 60


def _invalid_sql(mode: StorageMode) -> str:
    """Minutes in which a symbol's ticks arrived that make no candle."""
    return (
        "select symbol, date_trunc('minute', event_at) as minute "  # noqa: S608
        f"from {mode}.received where event_at >= :start and event_at < :end "
        "and broken_rule is not null and symbol is not null "
        "group by symbol, date_trunc('minute', event_at)"
    )
