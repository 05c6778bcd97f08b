"""Measures both storage modes: what is stored, what queries read now, and what earlier runs told of themselves."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tick_pipeline.event_time import US_PER_SECOND, now_us
from tick_pipeline.report import asking
from tick_pipeline.report.aws_cost import aws_cost
from tick_pipeline.report.comparison import Comparison, Freshness, NotMeasured
from tick_pipeline.report.earlier import late_costs, read_modes
from tick_pipeline.storage import TABLES, StorageMode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tick_pipeline.report.remembered import History
    from tick_pipeline.resources.landing import Landing
    from tick_pipeline.resources.query_port import QueryEngine
    from tick_pipeline.resources.tables import Tables
    from tick_pipeline.settings import Settings

_NO_TICKS = NotMeasured(
    "the hours looked at hold no ticks", "tick-pipeline report --start T --end T"
)
_NO_LANDINGS = NotMeasured(
    "no run has delivered one mode alone, as those of the demo do; a delivery of both, as Firehoses, "
    "tells no seconds of each"
)
_NO_UPKEEP = NotMeasured("no maintenance of a table is remembered", "tick-pipeline maintain run")


@dataclass(frozen=True)
class Sources:
    """Where figures come from: ports of the deployment, and Dagster's memory."""

    settings: Settings
    engine: QueryEngine
    tables: Tables
    landing: Landing
    history: History


def measure(sources: Sources, hours: tuple[int, int] | None = None) -> Comparison:
    """Measure all of it; nothing is written, and no job is started.

    Args:
        sources: of a deployment with both storage modes enabled.
        hours: [start, end) in microseconds, whole hours; the newest 24 with ticks if not given.

    Raises:
        QueryError: a query cannot be run.
        WorkError: a table, a file or a service could not be read.
    """
    began = time.monotonic()
    measured = _without_cost(sources, hours)
    return replace(
        measured,
        cost=aws_cost(measured, sources.settings.aws_region),
        seconds=round(time.monotonic() - began, 2),
    )


def _without_cost(sources: Sources, hours: tuple[int, int] | None) -> Comparison:
    engine, settings, history = sources.engine, sources.settings, sources.history
    began_us, freshness = now_us(), _freshness(sources)
    hours = hours or asking.newest_hours(_newest(freshness))
    closed = began_us >= hours[1] + settings.close_after_seconds * US_PER_SECOND
    late_seconds = float(settings.lateness_seconds)
    lateness = {mode: asking.lateness(engine, mode, hours, late_seconds) for mode in StorageMode}
    shown = lateness[asking.SHOWN]
    hour_us = max(shown, key=lambda hour: hour.ticks).hour_us if shown else None
    symbol = None if hour_us is None else asking.busiest_symbol(engine, hour_us)
    return Comparison(
        deployment=settings.deployment,
        engine=engine.name,
        generated_us=now_us(),
        start_us=hours[0],
        end_us=hours[1],
        hour_us=hour_us,
        symbol=symbol,
        lateness_seconds=settings.lateness_seconds,
        settled=closed and all(of.caught_up for of in freshness),
        parity=asking.parity(engine, hours),
        tables=tuple(sources.tables.stats(mode, table) for mode in StorageMode for table in TABLES),
        opening=tuple((mode, asking.opening_seconds(engine, mode)) for mode in StorageMode),
        queries=asking.standard_queries(engine, hour_us, symbol) if hour_us and symbol else (),
        read_modes=read_modes(history.candle_runs, hours),
        landings=history.landings or _NO_LANDINGS,
        baseline=asking.json_baseline(engine, hour_us) if hour_us else _NO_TICKS,
        freshness=freshness,
        minutes=asking.minutes(engine, hours, late_seconds),
        lateness=tuple(shown),
        late_cost=late_costs(history, lateness),
        upkeep=history.upkeep or _NO_UPKEEP,
        cost=_NO_TICKS,
        checks=history.checks,
        seconds=0.0,
    )


def _freshness(sources: Sources) -> tuple[Freshness, ...]:
    positions = sources.landing.positions()
    landed: Mapping[StorageMode, int] = dict(sources.history.last_landing_us)
    return tuple(
        Freshness(
            mode,
            asking.newest_tick_us(sources.engine, mode),
            asking.newest_candle_us(sources.engine, mode),
            landed.get(mode),
            positions[mode].caught_up,
            positions[mode].description,
        )
        for mode in StorageMode
    )


def _newest(freshness: tuple[Freshness, ...]) -> int | None:
    """The newest tick; where the last days have none, the newest candle."""
    for name in ("newest_tick_us", "newest_candle_us"):
        known = [us for of in freshness if (us := getattr(of, name)) is not None]
        if known:
            return max(known)
    return None
