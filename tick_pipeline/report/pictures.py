"""The candles that the report shows: of the symbols with the most anomalies."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE, as_datetime
from tick_pipeline.plots.load import NEWEST_HOURS, Wanted, load_picture
from tick_pipeline.report.asking import SHOWN, newest_candle_us

if TYPE_CHECKING:
    from tick_pipeline.plots.picture import Picture
    from tick_pipeline.report.comparison import Comparison
    from tick_pipeline.resources.query_port import QueryEngine
    from tick_pipeline.spark.scoring_rules import ScoringRules

_MOST_SYMBOLS = 3


def load_pictures(
    engine: QueryEngine, comparison: Comparison, rules: ScoringRules
) -> tuple[Picture, ...]:
    """The window's last hours with candles, of up to three symbols, the one with the most anomalies first."""
    newest_us = newest_candle_us(engine, SHOWN, comparison.end_us)
    if newest_us is None or newest_us < comparison.start_us:
        return ()
    end_us = newest_us + US_PER_MINUTE
    start_us = max(comparison.start_us, end_us - NEWEST_HOURS * US_PER_HOUR)
    return tuple(
        _fitted(load_picture(engine, SHOWN, Wanted(symbol, start_us, end_us), rules))
        for symbol in _symbols(engine, start_us, end_us)
    )


def _symbols(engine: QueryEngine, start_us: int, end_us: int) -> list[str]:
    values = {"start": as_datetime(start_us), "end": as_datetime(end_us)}
    traded = engine.run(
        f"select symbol, sum(notional) as notional from {SHOWN}.aggregated_1m "  # noqa: S608  (a closed set of names)
        "where bucket_start >= :start and bucket_start < :end group by symbol",
        values,
    ).records
    counted = engine.run(
        f"select symbol, count(*) as anomalies from {SHOWN}.anomalies "  # noqa: S608
        "where event_at >= :start and event_at < :end group by symbol",
        values,
    ).records
    anomalies = {row["symbol"]: row["anomalies"] for row in counted}
    traded.sort(key=lambda row: (-anomalies.get(row["symbol"], 0), -row["notional"], row["symbol"]))
    return [row["symbol"] for row in traded[:_MOST_SYMBOLS]]


def _fitted(picture: Picture) -> Picture:
    """Without the time before its first candle."""
    return replace(picture, start_us=picture.candles[0].start_us)
