"""Spark on tables that upkeep looked after: it reads what was merged, and what it wrote is not undone."""

# pyiceberg has partial types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.resources.iceberg_rewrite import current_files, merge_files
from tick_pipeline.resources.local_lake import LocalLake
from tick_pipeline.resources.maintenance import LakeMaintenance
from tick_pipeline.resources.maintenance_port import UpkeepRequest
from tick_pipeline.resources.query_engine import LocalQueryEngine
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.queries.warehouse import START_US, tick

if TYPE_CHECKING:
    from tick_pipeline_tests.spark.lake import Lake

pytestmark = pytest.mark.spark
_MODES = tuple(StorageMode)


def test_candles_of_merged_files_are_the_same_and_an_overwrite_stays(lake: Lake) -> None:
    start_us = lake.fresh_hours()
    moved = (start_us - START_US) / US_PER_SECOND
    for part in range(6):
        numbers = range(1 + part, 60, 6)
        rows = [tick("ABC"[n % 3], moved + n * 7, n, price=float(n)) for n in numbers]
        lake.land(rows, *_MODES)
    before = {mode: lake.aggregate(start_us, mode) for mode in _MODES}
    candles = {mode: lake.candles(start_us, mode) for mode in _MODES}
    settings = load_settings(home=lake.home.path, _env_file=None)
    engine = LocalQueryEngine(lake.home, settings)
    upkeep = LakeMaintenance(LocalLake(lake.home), engine, settings)
    hour = (start_us, start_us + US_PER_HOUR)
    done = upkeep.run(UpkeepRequest(_MODES, ("raw",), *hour))
    assert [item.merged_files for item in done] == [6, 6]
    table = open_catalog(lake.home.path).load_table("iceberg.aggregated_1m")
    read_before = current_files(table, TimeRange(*hour))
    for mode in _MODES:
        after = lake.aggregate(start_us, mode)
        assert (before[mode].files, after.files) == (6, 1)
        assert (after.rows, after.duplicates) == (before[mode].rows, 0)
        assert lake.candles(start_us, mode) == candles[mode]
    # Spark replaced the hour since its files were read.
    assert not merge_files(table, read_before, ("symbol", "bucket_start"), settings)
    assert lake.candles(start_us, StorageMode.ICEBERG) == candles[StorageMode.ICEBERG]
