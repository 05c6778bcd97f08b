"""Looks at a deployment through its ports: each part as often as it changes, and as it costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tick_pipeline.cli.dashboard.look import Arrivals, Look
from tick_pipeline.errors import TickPipelineError
from tick_pipeline.event_time import US_PER_DAY, US_PER_SECOND, now_us
from tick_pipeline.storage import TABLES

if TYPE_CHECKING:
    from tick_pipeline.resources.deployments import Deployment
    from tick_pipeline.settings import Settings
    from tick_pipeline.stream.port import Shard

#: What needs a query or a listing is looked at once in so many looks.
_LOOKS_PER_QUERY = 5
#: Kept for the largest terminal.
_MOST_ROWS = 50
_ALL_SHARDS = "all shards"


class Looker:
    """Looks, and remembers what need not be looked at each time.

    A part that fails, as where AWS refuses a call or a file went away under it, is told as such and tried
    again; the others go on.

    Args:
        deployment: at which.
        settings: its modes.
        clock: seconds, of which differences count.
    """

    def __init__(
        self,
        deployment: Deployment,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._stream, self._meter = deployment.stream(), deployment.stream_meter()
        self._landing, self._tables = deployment.landing(), deployment.tables()
        self._queries, self._anomalies = deployment.query_engine(), deployment.anomaly_stream()
        # Of two modes with equal rows, the one that is queried without Iceberg's metadata costs a tenth.
        self._mode = settings.storage_modes[-1]
        self._look = Look(settings.deployment, str(deployment.home.path))
        self._before: tuple[float, dict[str, str | None]] | None = None
        often, rarely = deployment.look_seconds, _LOOKS_PER_QUERY * deployment.look_seconds
        self._parts: dict[str, tuple[float, Callable[[], Any]]] = {
            "arrivals": (often, self._see_arrivals),
            "backlog": (often, self._see_backlog),
            "stream": (often, self._anomalies.status),
            "newest_hours": (rarely, self._see_newest_hours),
            "candles": (rarely, self._see_candles),
            "alerts": (rarely, self._see_alerts),
            "errors": (rarely, self._see_errors),
        }
        self._due_at = dict.fromkeys(self._parts, clock())

    def look(self) -> Look:
        """What is there now; of what is not due, what was there before."""
        now = self._clock()
        failures = dict(self._look.failures)
        seen: dict[str, Any] = {}
        for name, (every_seconds, see) in self._parts.items():
            if now < self._due_at[name]:
                continue
            self._due_at[name] = now + every_seconds
            failures.pop(name, None)
            try:
                seen[name] = see()
            except (TickPipelineError, OSError) as error:
                seen[name], failures[name] = None, str(error)
        self._look = replace(self._look, **seen, failures=failures)
        return self._look

    def _see_arrivals(self) -> tuple[Arrivals, ...]:
        shards = self._stream.shards()
        if all(shard.latest is None and shard.records is None for shard in shards):
            return (self._measured(),)
        now, latest = self._clock(), {shard.shard_id: shard.latest for shard in shards}
        before, self._before = self._before, (now, latest)
        return tuple(
            Arrivals(
                shard.shard_id, _rate(shard, before, now), shard.records, shard.newest_arrival_us
            )
            for shard in shards
        )

    def _measured(self) -> Arrivals:
        """Of all shards together, as where each minute's records are told and no shard's."""
        load = self._meter.measure(now_us(), _no_symbols)
        seconds = (load.end_us - load.start_us) / US_PER_SECOND
        # The window ends with the newest arrival: what came long ago is no rate of now.
        is_recent = now_us() - load.end_us < seconds * US_PER_SECOND
        rate = load.records / seconds if is_recent else 0.0
        return Arrivals(_ALL_SHARDS, rate, None, load.newest_arrival_us)

    def _see_backlog(self) -> dict[str, Any]:
        return {mode.value: backlog for mode, backlog in self._landing.backlog().items()}

    def _see_newest_hours(self) -> dict[str, dict[str, int | None]]:
        since_us = now_us() - US_PER_DAY
        return {
            table: {
                mode.value: self._tables.newest_hour(mode, table, since_us)
                for mode in self._settings.storage_modes
            }
            for table in TABLES
        }

    def _see_candles(self) -> tuple[dict[str, Any], ...]:
        rows = self._recent("latest_candles")
        return tuple(sorted(rows, key=lambda row: -row["trade_count"])[:_MOST_ROWS])

    def _see_alerts(self) -> tuple[dict[str, Any], ...]:
        return tuple(self._recent("anomalies_today")[:_MOST_ROWS])

    def _see_errors(self) -> dict[str, Any]:
        since_us = now_us() - US_PER_DAY
        return {
            mode.value: self._landing.recent_errors(mode, since_us)
            for mode in self._settings.storage_modes
        }

    def _recent(self, query: str) -> list[dict[str, Any]]:
        """The rows of a query that has a start, of the last day."""
        asked = {"storage_mode": self._mode.value, "start": "now-24h"}
        return self._queries.run_file(query, asked).records


def _no_symbols(_start_us: int, _end_us: int) -> None:
    """The load of each shard would take a query."""


def _rate(
    shard: Shard, before: tuple[float, dict[str, str | None]] | None, now: float
) -> float | None:
    """Records a second since the look before; sequence numbers are dense in a shard."""
    if before is None or now <= before[0]:
        return None
    came = int(shard.latest or 0) - int(before[1].get(shard.shard_id) or 0)
    return came / (now - before[0])
