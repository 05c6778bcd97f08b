"""What a run of the simulator injected, held against the anomalies that a storage mode holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tick_pipeline.evaluation.matching import Matching, injected_events, match
from tick_pipeline.event_time import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tick_pipeline.resources.query_engine import QueryEngine
    from tick_pipeline.storage import StorageMode


def match_stored(
    engine: QueryEngine,
    mode: StorageMode,
    labels: Iterable[Mapping[str, Any]],
    start_us: int,
    end_us: int,
) -> Matching:
    """Hold the labels of a run against the anomalies of [start, end).

    Args:
        engine: over the tables.
        mode: whose tables.
        labels: lines of the run's labels file.
        start_us: microseconds since the epoch.
        end_us: the same, exclusive.
    """
    window = {"start": format_instant(start_us), "end": format_instant(end_us)}
    inside = "event_at >= from_iso8601_timestamp('{start}') and event_at < from_iso8601_timestamp('{end}')"
    alerts = engine.run(
        f"select symbol, event_us, event_id from {mode}.anomalies where {inside.format(**window)}"  # noqa: S608
    )

    def tick_after(symbol: str, at_us: int) -> int | None:
        bounds = inside.format(start=format_instant(at_us), end=window["end"])
        found = engine.run(
            f"select min(event_us) as event_us from {mode}.ticks "  # noqa: S608
            f"where symbol = '{symbol}' and event_us > {at_us} and {bounds}"
        )
        return found.records[0]["event_us"]

    return match(injected_events(labels, tick_after), alerts.records)
