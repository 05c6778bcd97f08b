"""Landing where another process delivers all the time: it is waited for, and told what it landed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tick_pipeline.event_time import US_PER_SECOND, now_us
from tick_pipeline.landing.delivery import delivery_lock
from tick_pipeline.landing.summary import DeliverySummary
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources.data_files import iceberg_files, parquet_files
from tick_pipeline.resources.footers import count_rows, local_footers
from tick_pipeline.resources.iceberg import load_table, partition_column
from tick_pipeline.spark.locks import is_held
from tick_pipeline.storage import RAW, StorageMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline.home import Home
    from tick_pipeline.resources.data_files import DataFile
    from tick_pipeline.resources.landing import DeliveryPosition
    from tick_pipeline.settings import Settings

_POLL_SECONDS = 0.5
#: A flush itself, beyond the time for which records are gathered.
_FLUSH_SECONDS = 30.0


def await_follower(
    home: Home,
    settings: Settings,
    mode: StorageMode,
    end_us: int,
    position: Callable[[], DeliveryPosition],
) -> DeliveryPosition | None:
    """Wait until whoever delivers the mode has passed what belongs to the hours before `end_us`.

    That is what came until those hours closed, or, where they have not, what is there now.

    Args:
        home: whose delivery.
        settings: how long records are gathered, and when an hour closes.
        mode: which mode.
        end_us: end of the hours, microseconds.
        position: how far the delivery is, at the moment of the call.

    Returns:
        How far it is then; None where nobody delivers, or who does is too slow to be waited for.
    """
    needed_us = min(now_us(), end_us + settings.close_after_seconds * US_PER_SECOND)
    deadline = time.monotonic() + 2 * settings.buffer_seconds + _FLUSH_SECONDS
    while is_held(delivery_lock(home, mode)) and time.monotonic() < deadline:
        now = position()
        if now.caught_up or now.delivered_until_us >= needed_us:
            return now
        time.sleep(_POLL_SECONDS)
    return None


def landed_summary(
    home: Home, mode: StorageMode, start_us: int, end_us: int, position: DeliveryPosition
) -> DeliverySummary:
    """What raw has of the hours, from footers and metadata alone."""
    began = time.monotonic()
    files = _raw_files(home, mode, TimeRange(start_us, end_us))
    rows = count_rows(local_footers([file.path.removeprefix("file://") for file in files]))
    return DeliverySummary(
        delivery=f"by the process that follows the stream: {position.description}",
        records=rows,
        landed=rows,
        files=len(files),
        bytes=sum(file.bytes for file in files),
        hours=sorted({file.hour_us for file in files}),
        seconds=time.monotonic() - began,
    )


def _raw_files(home: Home, mode: StorageMode, times: TimeRange) -> list[DataFile]:
    if mode is StorageMode.PARQUET_PROJECTION:
        return parquet_files(home, RAW, times)
    return iceberg_files(load_table(home.path, RAW), partition_column(RAW), times)
