"""What lies in a HOME's tables: files with their landing, columns without values, and what belongs to no table."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tick_pipeline.errors import HomeError
from tick_pipeline.event_time import US_PER_HOUR, now_us
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources.inspection import LocalInspection
from tick_pipeline.resources.landed import LOCAL_SETTLE_US
from tick_pipeline.resources.null_columns import NullColumn
from tick_pipeline.storage import RAW, StorageMode, hour_partition
from tick_pipeline_tests.queries.warehouse import START_US, land, parquet_file, tick

if TYPE_CHECKING:
    from tick_pipeline.home import Home

ICEBERG, PARQUET = StorageMode
EVERY = TimeRange()
HOUR = TimeRange(START_US, START_US + US_PER_HOUR)
both_modes = pytest.mark.parametrize("mode", StorageMode, ids=str)


@both_modes
def test_files_are_told_with_their_hour_and_their_landing(home: Home, mode: StorageMode) -> None:
    inspection = LocalInspection(home)
    assert inspection.data_files(mode, RAW, EVERY) == []
    # Iceberg tells milliseconds, and clocks of file systems tick every few of them.
    before_us = now_us() - LOCAL_SETTLE_US
    land(home, [tick("AAA", 1, 1), tick("AAA", 3601, 2)], [mode])
    found = inspection.data_files(mode, RAW, EVERY)
    assert sorted(file.hour_us for file in found) == [START_US, START_US + US_PER_HOUR]
    assert all(before_us <= (file.landed_us or 0) <= now_us() for file in found)
    assert all(file.bytes > 1000 for file in found)
    (first,) = inspection.data_files(mode, RAW, HOUR)
    assert first.hour_us == START_US


def test_only_iceberg_has_snapshots_and_a_lost_catalog_is_one_line(home: Home) -> None:
    inspection = LocalInspection(home)
    land(home, [tick("AAA", 1, 1)], [ICEBERG])
    assert [item.is_current for item in inspection.snapshots(RAW)] == [True]
    home.catalog.unlink()
    with pytest.raises(HomeError, match=r"iceberg\.raw cannot be read from"):
        inspection.snapshots(RAW)


@both_modes
def test_a_column_is_without_values_when_all_rows_of_an_hour_lack_it(
    home: Home, mode: StorageMode
) -> None:
    inspection = LocalInspection(home)
    rows = [tick("AAA", number, number + 1, source=None) for number in range(20)]
    few = [tick("AAA", 3600 + number, number + 1, source=None) for number in range(19)]
    mixed = [tick("AAA", 7200 + number, number + 1, volume=None) for number in range(30)]
    land(home, [*rows, *few, *mixed, tick("AAA", 7300, 99)], [mode])
    assert inspection.null_columns(mode, RAW, EVERY) == [NullColumn("source", START_US, 20)]
    # The hour has rows that have it, in another file.
    land(home, [tick("AAA", 5, 50)], [mode])
    assert inspection.null_columns(mode, RAW, EVERY) == []


def test_what_cannot_be_read_has_no_columns_to_miss(home: Home) -> None:
    path = parquet_file(home, RAW, START_US, "odd.parquet")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no parquet")
    assert LocalInspection(home).null_columns(PARQUET, RAW, EVERY) == []


def test_what_belongs_to_no_table_is_told(home: Home) -> None:
    land(home, [tick("AAA", 1, 1)], [ICEBERG, PARQUET])
    inspection = LocalInspection(home)
    assert [inspection.strays(mode, EVERY) for mode in StorageMode] == [[], []]
    hour = f"parquet_projection/raw/{hour_partition(START_US)}"
    for name in (
        "parquet_projection/notes.txt",
        "parquet_projection/.staging/part.parquet",
        "parquet_projection/_firehose_errors/x/y",
        "parquet_projection/trades/part.parquet",
        "parquet_projection/raw/export.csv",
        "parquet_projection/raw/_temporary/0",
        "parquet_projection/raw/date=2026-03-01/part.parquet",
        "parquet_projection/raw/year=2026/month=3/part.parquet",
        f"{hour}/deeper/part.parquet",
        "iceberg/raw/export.csv",
        "iceberg/raw/old/part.parquet",
    ):
        path = home.warehouse / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    folder = hour.removeprefix("parquet_projection/")
    assert inspection.strays(PARQUET, HOUR) == [
        "notes.txt: no table's",
        "raw/export.csv: outside the hours' folders, so no query by hour reads it",
        "raw/date=2026-03-01/: no year=, so no query by hour reads it",
        f"{folder}/deeper/: below an hour's folder",
        "raw/year=2026/month=3/: no month=, so no query by hour reads it",
        "trades/: no table of parquet_projection",
    ]
    # Other hours are not looked into, only the folders above them.
    later = TimeRange(START_US + US_PER_HOUR, START_US + 2 * US_PER_HOUR)
    assert not any("deeper" in line for line in inspection.strays(PARQUET, later))
    assert inspection.strays(ICEBERG, HOUR) == [
        "raw/old/: not in data/ or metadata/, so Iceberg does not know it",
        "raw/export.csv: not in data/ or metadata/, so Iceberg does not know it",
    ]
