"""Facts of a pipeline that is well, for a test to change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tick_pipeline.doctor.entering import Entering
from tick_pipeline.doctor.leaving import Leaving, ModeLeaving
from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, parse_instant
from tick_pipeline.landing.error_summary import ErrorSummary
from tick_pipeline.resources.landing import Backlog, DeliveryPosition
from tick_pipeline.storage import StorageMode
from tick_pipeline.stream.load import ShardLoad, StreamLoad

NOW_US = parse_instant("2026-03-02T12:20:00Z")
HOUR_US = parse_instant("2026-03-02T11:00:00Z")
DELIVER = "tick-pipeline deliver"
NO_ERRORS = ErrorSummary(0, {}, {}, None, None, 0, {})


def ago(seconds: float) -> int:
    """An instant before now, microseconds."""
    return NOW_US - round(seconds * US_PER_SECOND)


def shard(number: int, records: int, hottest: str = "AAPL", share: float = 0.4) -> ShardLoad:
    """What a shard took."""
    return ShardLoad(f"shard-{number:04d}", records, ago(3), hottest, round(records * share))


def load(*records: int, **changes: Any) -> StreamLoad:
    """A load of five minutes that ended three seconds ago, by shard."""
    shards = tuple(shard(number, count) for number, count in enumerate(records))
    total = sum(records)
    found = StreamLoad(ago(303), ago(3), 0, ago(3), total, 200 * total, 0, shards)
    return replace(found, **changes)


def entering(found: StreamLoad | None, rejected: int = 0) -> Entering:
    """What is known of the stream's intake."""
    return Entering(NOW_US, found, rejected, "/home/stream/rejected")


def backlog(**changes: Any) -> Backlog:
    """A delivery that has landed all, and that nobody needs to run."""
    position = DeliveryPosition(
        caught_up=changes.pop("caught_up", True),
        description="900 of 1,000 records",
        delivered_until_us=NOW_US,
    )
    found = Backlog(
        position=position,
        running=False,
        runner="no process delivers",
        always_runs=False,
        waiting_records=0,
        lost_records=0,
        oldest_us=None,
        expires_us=None,
        due_seconds=120,
    )
    return replace(found, **changes)


def mode_leaving(**changes: Any) -> ModeLeaving:
    """A mode whose last closed hour landed and has its candles."""
    found = ModeLeaving(
        mode=StorageMode.ICEBERG,
        backlog=backlog(),
        errors=NO_ERRORS,
        errors_of_window=None,
        raw={HOUR_US: HOUR_US + US_PER_HOUR, HOUR_US + US_PER_HOUR: ago(60)},
        candles={HOUR_US: HOUR_US + US_PER_HOUR + 900 * US_PER_SECOND},
    )
    return replace(found, **changes)


def leaving(mode: ModeLeaving, records_of_window: int | None = 1000) -> Leaving:
    """What is known of the deliveries."""
    return Leaving(NOW_US, (mode,), records_of_window, 600, DELIVER)
