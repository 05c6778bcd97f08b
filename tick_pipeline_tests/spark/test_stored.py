"""What the real job stores: tables of the contract's schema, and candles that break no invariant."""

# pyright: reportUnknownMemberType=false
# (pyarrow has no types)
from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND
from tick_pipeline.resources.query_engine import LocalQueryEngine
from tick_pipeline.resources.table_schema import schema_drift
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import TABLES, TIMEFRAMES, StorageMode
from tick_pipeline_tests.spark.lake import tick

if TYPE_CHECKING:
    from tick_pipeline_tests.spark.lake import Lake

pytestmark = pytest.mark.spark


@pytest.mark.parametrize("mode", StorageMode, ids=str)
def test_stored_candles_meet_the_contract_and_their_invariants(
    lake: Lake, mode: StorageMode
) -> None:
    start_us = lake.fresh_hours()
    end_us = start_us + US_PER_HOUR
    chance = random.Random(11)
    seconds = (*range(0, 3600, 5), 59.999999, 299.999999, 3599.999999)
    ticks = [
        tick(
            start_us + round(second * US_PER_SECOND),
            number,
            symbol=chance.choice("ABC"),
            price=round(chance.uniform(0.01, 999), 2),
            volume=chance.choice([0.0, 0.1, 7.0]),
        )
        for number, second in enumerate(seconds, start=1)
    ]
    lake.land(ticks, mode)
    lake.aggregate(start_us, mode)
    assert {table: schema_drift(lake.home, mode, table, start_us, end_us) for table in TABLES} == {
        table: [] for table in TABLES
    }
    engine = LocalQueryEngine(lake.home, load_settings(home=lake.home.path, _env_file=None))
    for timeframe in TIMEFRAMES:
        given = {"storage_mode": mode.value, "timeframe": timeframe}
        given |= {"start": start_us, "end": end_us}
        assert lake.candles(start_us, mode, timeframe=timeframe)
        assert engine.run_file("candle_invariants", given).table.to_pylist() == []
