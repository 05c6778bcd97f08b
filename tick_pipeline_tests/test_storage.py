"""Paths of the tables are what the design says, and read back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.event_time import MAX_EVENT_US, MIN_EVENT_US, hour_floor, parse_instant
from tick_pipeline.storage import (
    ErrorType,
    StorageMode,
    error_location,
    hour_partition,
    partition_hour,
    table_location,
)


def test_a_table_lies_under_its_mode() -> None:
    assert (
        table_location("/w", StorageMode.PARQUET_PROJECTION, "raw") == "/w/parquet_projection/raw"
    )
    assert table_location("s3://b/w/", StorageMode.ICEBERG, "raw") == "s3://b/w/iceberg/raw"


def test_errors_lie_under_their_type() -> None:
    assert (
        error_location("/w", StorageMode.ICEBERG, ErrorType.ICEBERG_FAILED)
        == "/w/iceberg/_firehose_errors/iceberg-failed"
    )


def test_partition_keys_are_zero_padded() -> None:
    us = parse_instant("2026-01-02T03:59:59.999999Z")
    assert hour_partition(us) == "year=2026/month=01/day=02/hour=03"


@given(us=st.integers(MIN_EVENT_US, MAX_EVENT_US - 1))
def test_a_partition_path_names_its_hour(us: int) -> None:
    assert partition_hour(f"/w/{hour_partition(us)}/a.parquet") == hour_floor(us)


def test_a_path_without_keys_names_no_hour() -> None:
    assert partition_hour("/w/iceberg/raw/a.parquet") is None
