"""What a materialization shows."""

# pyarrow has no types, parts of Dagster's are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportOptionalMemberAccess=false
from __future__ import annotations

from datetime import datetime, timezone

import dagster as dg
import pyarrow as pa
import pytest

from tick_pipeline.landing.summary import DeliverySummary
from tick_pipeline.orchestration.metadata import (
    column_schema,
    raw_metadata,
    record_table,
    sparkline,
)
from tick_pipeline.orchestration.partitions import Window
from tick_pipeline.resources.query_engine import QueryResult
from tick_pipeline.storage import StorageMode

_HOUR_US = 3_600_000_000


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "none"),
        ([0, 0], "▁▁  0 .. 0"),
        ([1, 2, 4], "▃▅█  1 .. 4"),
        ([5], "█  5 .. 5"),
        ([0, 7_000], "▁█  0 .. 7,000"),
    ],
)
def test_a_sparkline_shows_counts_as_bars(values: list[int], text: str) -> None:
    assert sparkline(values) == text


def test_columns_are_those_of_the_contract_with_their_units() -> None:
    columns = {
        column.name: column
        for column in column_schema("candle", StorageMode.PARQUET_PROJECTION).columns
    }
    assert columns["vwap"].constraints.nullable
    assert not columns["open"].constraints.nullable
    assert all(column.description for column in columns.values())


def test_raw_counts_the_window_and_shows_its_minutes() -> None:
    """A long window has fewer bars, each of several minutes, and loses no row."""
    minutes = [datetime(1970, 1, 1, hour, tzinfo=timezone.utc) for hour in range(3)]
    answer = pa.table(
        {
            "minute": minutes,
            "raw_rows": [10, 20, 30],
            "invalid_rows": [0, 1, 0],
            "late_rows": [0, 0, 2],
            "max_lateness_seconds": [0.5, None, 90.0],
        }
    )
    copies = pa.table({"ticks": [55], "duplicates": [4], "conflicting": [1]})
    metadata = raw_metadata(
        Window(0, 3 * _HOUR_US),
        DeliverySummary(landed=60, malformed={"not_json": 2}),
        QueryResult(answer, 0.1, 3, 999),
        QueryResult(copies, 0.1, 3, 999),
    )
    assert metadata["dagster/row_count"] == 60
    assert metadata["invalid"] == 1
    assert metadata["late"] == 2
    assert metadata["max lateness (seconds)"] == 90.0
    assert metadata["malformed, kept as errors"] == 2
    bars = metadata["rows per minute"].value
    assert len(bars.split("  ")[0]) == 60
    assert bars.endswith("0 .. 30")


def test_values_that_dagster_does_not_know_become_text() -> None:
    moment = datetime(2026, 1, 1, 9, 30, tzinfo=timezone.utc)
    table = record_table([{"at": moment, "count": 2, "none": None}])
    assert isinstance(table, dg.TableMetadataValue)
    [record] = table.records
    assert record.data == {"at": "2026-01-01T09:30:00Z", "count": 2, "none": "None"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1 / 3, 0.333333), (62757.4123456, 62757.412346), (-1.2e-07 / 7, -1.71429e-08)],
)
def test_a_small_number_keeps_its_digits(value: float, shown: float) -> None:
    """A return is small: rounded to a place after the point it would be 0."""
    table = record_table([{"value": value}])
    assert isinstance(table, dg.TableMetadataValue)
    assert table.records[0].data == {"value": shown}
