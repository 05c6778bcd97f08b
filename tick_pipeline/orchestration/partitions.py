"""The hour of the event as Dagster's partition, and the window that a run is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from tick_pipeline.event_time import (
    US_PER_HOUR,
    US_PER_SECOND,
    as_datetime,
    format_short,
    hour_ceil,
    hours_of,
    now_us,
    parse_instant,
)
from tick_pipeline.home import partitions_start_of_new_home, read_home
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tick_pipeline.settings import Settings

KEY_FORMAT = "%Y-%m-%d-%H:%M"
_HOURS_WITHOUT_PARTITION = 24
_PARTITION = "dagster/partition"
_RANGE_START = "dagster/asset_partition_range_start"
_RANGE_END = "dagster/asset_partition_range_end"


@dataclass(frozen=True)
class Window:
    """Whole hours [start_us, end_us) of event time, microseconds since the epoch."""

    start_us: int
    end_us: int

    def __str__(self) -> str:
        return f"{format_short(self.start_us)} .. {format_short(self.end_us)}"

    @property
    def parameters(self) -> dict[str, str]:
        """As the query files take it."""
        return {"start": format_short(self.start_us), "end": format_short(self.end_us)}

    @property
    def partitions(self) -> list[str]:
        """Dagster's names of the hours."""
        return [partition_key(us) for us in hours_of(self.start_us, self.end_us)]


def hourly(settings: Settings | None = None) -> dg.HourlyPartitionsDefinition:
    """The UTC hours since PARTITIONS_START, the current one included.

    Raises:
        HomeError: HOME cannot be read.
    """
    return dg.HourlyPartitionsDefinition(
        start_date=as_datetime(first_hour_us(settings or load_settings())).replace(tzinfo=None),
        timezone="UTC",
        end_offset=1,
    )


def partition_key(hour_us: int) -> str:
    """Dagster's name of an hour: `2026-01-01-10:00`."""
    return as_datetime(hour_us).strftime(KEY_FORMAT)


def asset_window(context: dg.AssetExecutionContext) -> Window:
    """The hours that a run materializes.

    Raises:
        dagster.Failure: it was asked for a moment that begins no hour; Dagster would take the next.
    """
    window, asked = _window(context.partition_time_window), context.partition_key_range.start
    if partition_key(window.start_us) != asked:
        raise dg.Failure(
            f"{asked} is no partition; one is a whole UTC hour, as 2026-01-01-10:00",
            allow_retries=False,
        )
    return window


def check_window(context: dg.AssetCheckExecutionContext) -> Window:
    """The hours that a check is about: those of its run, or the last 24 where it runs alone."""
    if context.has_partition_key or context.has_partition_key_range:
        return _window(context.partition_time_window)
    end_us = hour_ceil(now_us())
    return Window(end_us - _HOURS_WITHOUT_PARTITION * US_PER_HOUR, end_us)


def first_hour_us(settings: Settings) -> int:
    """Start of the first partition, microseconds.

    Raises:
        HomeError: HOME cannot be read.
    """
    if settings.partitions_start is not None:
        return parse_instant(settings.partitions_start)
    home = read_home(settings.home)
    return home.partitions_start_us if home else partitions_start_of_new_home()


def run_hours(tags: Mapping[str, str]) -> tuple[str, ...]:
    """First and last partition of a run, by its tags; empty where it is about none."""
    start = tags.get(_RANGE_START) or tags.get(_PARTITION)
    return (start, tags.get(_RANGE_END) or start) if start else ()


def _window(times: dg.TimeWindow) -> Window:
    return Window(_us(times.start), _us(times.end))


def _us(moment: datetime) -> int:
    return int(moment.timestamp()) * US_PER_SECOND
