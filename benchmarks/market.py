"""Hours of made-up ticks, written as landing writes them, for the benchmarks of Spark's jobs."""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.types import arrow_schema
from tick_pipeline.event_time import US_PER_HOUR, parse_instant
from tick_pipeline.storage import RAW, StorageMode, hour_partition, table_location

if TYPE_CHECKING:
    from tick_pipeline.home import Home

MODE = StorageMode.PARQUET_PROJECTION
START_US = parse_instant("2026-01-01T10:00:00Z")
_FILES_AN_HOUR = 4
_TICK = load_contract("tick")


def hour_of_ticks(
    number: int,
    ticks_an_hour: int,
    symbols: int,
    *,
    duplicate_share: float = 0.0,
    share_of_first: float = 0.0,
) -> pa.Table:
    """One hour in the order landing writes: by symbol, then time.

    Args:
        number: of the hour, and seed.
        ticks_an_hour: without copies.
        symbols: how many trade.
        duplicate_share: of the ticks, which stand twice.
        share_of_first: of all ticks, which the first symbol has beside its part.
    """
    random = np.random.default_rng(number)
    which = random.integers(0, symbols, ticks_an_hour)
    which[: int(share_of_first * ticks_an_hour)] = 0
    which.sort()
    offsets = random.integers(0, US_PER_HOUR, ticks_an_hour)
    event_us = offsets[np.lexsort((offsets, which))] + START_US + number * US_PER_HOUR
    sequence = np.arange(ticks_an_hour) + 1
    symbol = pa.array([f"SYM{index:03d}" for index in range(symbols)]).take(pa.array(which))
    functions: Any = pc  # made at import: no checker sees them
    source = pa.array(["sim-1"] * ticks_an_hour)
    numbers = pa.array(sequence).cast(pa.string())
    ticks = pa.table(
        {
            "event_id": functions.binary_join_element_wise(source, symbol, numbers, ":"),
            "source": source,
            "sequence": sequence,
            "symbol": symbol,
            "price": np.round(100 + random.normal(0, 0.01, ticks_an_hour).cumsum() % 50, 2),
            "volume": random.integers(1, 500, ticks_an_hour).astype(float),
            "event_ts": event_us,
            "event_time": functions.strftime(
                pa.array(event_us, pa.timestamp("us")), "%Y-%m-%dT%H:%M:%SZ"
            ),
            "sent_ts": event_us + random.integers(0, 30_000_000, ticks_an_hour),
        },
        schema=arrow_schema(_TICK, MODE),
    )
    again = ticks.take(pa.array(random.integers(0, len(ticks), int(len(ticks) * duplicate_share))))
    together = pa.concat_tables([ticks, again])
    return together.sort_by([("symbol", "ascending"), ("event_ts", "ascending")])


def land(home: Home, ticks: pa.Table, number: int) -> None:
    """Write an hour into raw."""
    strings: Any = ["source", "symbol"]
    folder = folder_of(home, number)
    folder.mkdir(parents=True)
    for part in range(_FILES_AN_HOUR):
        pq.write_table(
            ticks.take(pa.array(np.arange(part, len(ticks), _FILES_AN_HOUR))),
            folder / f"{part}.parquet",
            compression="zstd",
            compression_level=1,
            row_group_size=131_072,
            use_dictionary=strings,
            column_encoding=dict.fromkeys(
                ("sequence", "event_ts", "sent_ts"), "DELTA_BINARY_PACKED"
            ),
        )


def folder_of(home: Home, number: int) -> Path:
    """Where an hour of raw lies."""
    root = Path(table_location(str(home.warehouse), MODE, RAW))
    return root / hour_partition(START_US + number * US_PER_HOUR)
