"""A few ticks through the real job, so that the class archive holds what later jobs load."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.types import arrow_schema
from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, format_instant, hour_floor, now_us
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.resources.spark_jobs import LocalSparkJobs
from tick_pipeline.spark.request import OhlcRequest
from tick_pipeline.storage import RAW, TIMEFRAMES, StorageMode, hour_partition, table_location

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

_TICKS = 500


def run_rehearsal(home: Home, settings: Settings, java_options: list[str]) -> None:
    """Land a few ticks in an empty HOME and make their candles, with these JVM options."""
    start_us = hour_floor(now_us())
    ticks = _ticks(start_us)
    tick = load_contract("tick")
    folder = Path(table_location(str(home.warehouse), StorageMode.PARQUET_PROJECTION, RAW))
    folder = folder / hour_partition(start_us)
    folder.mkdir(parents=True)
    pq.write_table(ticks, folder / "ticks.parquet", compression="zstd")
    open_catalog(home.path).load_table("iceberg.raw").append(
        ticks.cast(arrow_schema(tick, StorageMode.ICEBERG))
    )
    LocalSparkJobs(home, settings, java_options=java_options).run_ohlc(
        OhlcRequest(
            start_us=start_us,
            end_us=start_us + US_PER_HOUR,
            storage_modes=tuple(StorageMode),
            load_data_mode=None,
            timeframes=tuple(TIMEFRAMES),
        )
    )


def _ticks(start_us: int) -> pa.Table:
    # Each tick twice, so that telling copies apart is rehearsed, too.
    numbers = [number for number in range(_TICKS) for _ in range(2)]
    return pa.table(
        {
            "event_id": [f"rehearsal:{number}" for number in numbers],
            "source": ["rehearsal"] * len(numbers),
            "sequence": [number + 1 for number in numbers],
            "symbol": [f"S{number % 5}" for number in numbers],
            "price": [100.0 + number % 7 for number in numbers],
            "volume": [1.0] * len(numbers),
            "event_ts": [start_us + number * US_PER_SECOND for number in numbers],
            "event_time": [format_instant(start_us + number * US_PER_SECOND) for number in numbers],
            "sent_ts": [start_us + number * US_PER_SECOND for number in numbers],
        },
        schema=arrow_schema(load_contract("tick"), StorageMode.PARQUET_PROJECTION),
    )
