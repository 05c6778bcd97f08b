"""How the minutes without a candle are told: as no trade, as lost data, or as a closed market."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from tick_pipeline.errors import SettingsError
from tick_pipeline.event_time import US_PER_MINUTE, US_PER_SECOND, format_short
from tick_pipeline.orchestration.checks import WARN
from tick_pipeline.orchestration.metadata import record_table
from tick_pipeline.sessions.measure import measure_coverage

if TYPE_CHECKING:
    from tick_pipeline.orchestration.metadata import Metadata
    from tick_pipeline.orchestration.partitions import Window
    from tick_pipeline.resources.landing import Landing
    from tick_pipeline.resources.query_port import QueryEngine
    from tick_pipeline.sessions.coverage import Coverage
    from tick_pipeline.settings import Settings
    from tick_pipeline.storage import StorageMode

_CALENDAR, _LOST = "session calendar", "lost data"


def session_metadata(
    engine: QueryEngine, landing: Landing, mode: StorageMode, window: Window, settings: Settings
) -> Metadata:
    """What a materialization tells of the minutes of its window, the symbols' counts together.

    Raises:
        QueryError: the tables cannot be read.
        AwsError: on AWS, which refused a call, or did not answer.
    """
    found = _measured(engine, landing, mode, window, settings)
    return _metadata(found, settings.calendar, window)


def coverage_told(
    engine: QueryEngine, landing: Landing, mode: StorageMode, window: Window, settings: Settings
) -> dg.AssetCheckResult:
    """A claim that holds when no minute in session lacks its candle because data was lost.

    Raises:
        QueryError: the tables cannot be read.
        AwsError: on AWS, which refused a call, or did not answer.
    """
    found = _measured(engine, landing, mode, window, settings)
    metadata: Metadata = {"window": str(window), **_metadata(found, settings.calendar, window)}
    if isinstance(found, str):
        return dg.AssetCheckResult(
            passed=False, severity=WARN, description=found, metadata=metadata
        )
    lost = [_row(symbol.symbol, part) for symbol in found.symbols for part in symbol.lost]
    if lost:
        metadata["rows"] = record_table(lost)
    return dg.AssetCheckResult(
        passed=not lost,
        severity=WARN,
        description=f"minutes in session without a candle, around which ticks are missing: {metadata[_LOST]}; "
        "the check raw_gaps tells which, and `tick-pipeline redrive` what failed"
        if lost
        else None,
        metadata=metadata,
    )


def _measured(
    engine: QueryEngine, landing: Landing, mode: StorageMode, window: Window, settings: Settings
) -> Coverage | str:
    """The minutes of a window, or why nobody can tell: a calendar that ends must not end the candles.

    A minute is over once all that came until its ticks may be late no more has been delivered.
    """
    delivered_us = landing.positions()[mode].delivered_until_us
    try:
        return measure_coverage(
            engine,
            landing,
            mode,
            window.start_us,
            window.end_us,
            calendar=settings.calendar,
            closed_us=delivered_us - settings.close_after_seconds * US_PER_SECOND,
        )
    except SettingsError as error:
        return str(error)


def _metadata(found: Coverage | str, calendar: str, window: Window) -> Metadata:
    if isinstance(found, str):
        return {_CALENDAR: found}
    symbols = found.symbols
    window_minutes = (window.end_us - window.start_us) // US_PER_MINUTE
    return {
        _CALENDAR: calendar,
        "minutes that may still land": window_minutes - len(found.minutes),
        "minutes in session": found.in_session,
        "minutes market closed": found.market_closed,
        "symbols": len(symbols),
        "with a candle": sum(symbol.traded for symbol in symbols),
        "no trade": sum(symbol.no_trade for symbol in symbols),
        _LOST: sum(symbol.lost_minutes for symbol in symbols),
        "candles while closed": sum(symbol.outside for symbol in symbols),
    }


def _row(symbol: str, part: range) -> dict[str, str | int]:
    start, end = (format_short(minute * US_PER_MINUTE) for minute in (part.start, part.stop))
    return {"symbol": symbol, "start": start, "end": end, "minutes": len(part)}
