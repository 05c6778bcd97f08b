"""What upkeep decides from the names, sizes and hours of files."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.maintenance.plan import (
    LEAST_FILES,
    LEAST_SNAPSHOTS,
    SMALL_BYTES,
    TARGET_BYTES,
    expiry_instant,
    files_to_drop,
    files_to_merge,
    measured_range,
    retention_start,
    standard_query,
)
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.storage import StorageMode, is_merged, landed_instant, merged_name

_NOW = 1000 * US_PER_HOUR


@dataclass(frozen=True)
class _File:
    path: str
    bytes: int
    hour_us: int


def _hour(number: int, *sizes: int) -> list[_File]:
    return [_File(f"{number}/{i}", size, number * US_PER_HOUR) for i, size in enumerate(sizes)]


def _merged(files: list[_File], times: TimeRange | None = None) -> list[list[str]]:
    groups = files_to_merge(files, times or TimeRange(), closed_before_us=_NOW)
    return [[file.path for file in group] for group in groups]


def test_an_hour_with_five_small_files_becomes_one() -> None:
    assert _merged(_hour(1, *[9] * LEAST_FILES)) == [["1/0", "1/1", "1/2", "1/3", "1/4"]]


def test_an_hour_with_fewer_or_larger_files_stays_as_it_is() -> None:
    assert _merged(_hour(1, *[9] * (LEAST_FILES - 1), SMALL_BYTES)) == []


def test_a_large_hour_becomes_several_files() -> None:
    """Two of these fit into one; the fifth would be a file by itself, and stays as it is."""
    assert _merged(_hour(1, *[SMALL_BYTES - 1] * 5)) == [["1/0", "1/1"], ["1/2", "1/3"]]


def test_an_hour_that_is_not_closed_or_not_asked_for_stays_as_it_is() -> None:
    files = [*_hour(999, *[9] * 5), *_hour(1000, *[9] * 5)]
    assert {path[:3] for [path, *_] in _merged(files)} == {"999"}
    assert _merged(files, TimeRange(0, 999 * US_PER_HOUR)) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, TARGET_BYTES)), max_size=40))
def test_a_group_is_of_one_hour_fits_into_one_file_and_no_file_is_in_two(
    given_files: list[tuple[int, int]],
) -> None:
    files = [_File(str(n), size, hour * US_PER_HOUR) for n, (hour, size) in enumerate(given_files)]
    groups = files_to_merge(files, TimeRange(), closed_before_us=_NOW)
    paths = [file.path for group in groups for file in group]
    assert len(paths) == len(set(paths))
    for group in groups:
        assert len(group) > 1
        assert len({file.hour_us for file in group}) == 1
        assert sum(file.bytes for file in group) <= TARGET_BYTES
        assert all(file.bytes < SMALL_BYTES for file in group)


def test_retention_drops_whole_hours_alone_and_none_by_default() -> None:
    files = [*_hour(989, 1), *_hour(990, 1), *_hour(991, 1)]
    now_us = _NOW + US_PER_HOUR // 2
    before_us = retention_start(now_us, 10)
    assert [file.hour_us // US_PER_HOUR for file in files_to_drop(files, before_us=before_us)] == [
        989
    ]
    assert files_to_drop(files, before_us=retention_start(now_us, None)) == []


def test_snapshots_expire_by_age_but_not_the_newest_nor_what_is_needed() -> None:
    hourly = [(n + 1) * US_PER_HOUR for n in range(900)]
    assert expiry_instant(_NOW, 200, hourly, [None]) == 800 * US_PER_HOUR
    assert expiry_instant(_NOW, 200, hourly, [None, 5 * US_PER_HOUR]) == 5 * US_PER_HOUR
    assert expiry_instant(_NOW, 1, hourly, []) == (900 - LEAST_SNAPSHOTS + 1) * US_PER_HOUR
    assert expiry_instant(_NOW, 1, [], [None]) == 0


def test_the_standard_query_reads_a_day_at_most_whatever_hours_changed() -> None:
    assert measured_range([5 * US_PER_HOUR, 7 * US_PER_HOUR]) == (5 * US_PER_HOUR, 8 * US_PER_HOUR)
    year_apart = [0, 8760 * US_PER_HOUR]
    assert measured_range(year_apart) == (8737 * US_PER_HOUR, 8761 * US_PER_HOUR)


@pytest.mark.parametrize(
    ("table", "relation", "column"),
    [
        ("raw", "ticks", "event_at"),
        ("aggregated_1m", "aggregated_1m", "bucket_start"),
        ("anomalies", "anomalies", "event_at"),
    ],
)
def test_the_standard_query_reads_the_hours_by_their_time(
    table: str, relation: str, column: str
) -> None:
    text = standard_query(StorageMode.ICEBERG, table, 0, US_PER_HOUR)
    assert (
        f"from iceberg.{relation} where {column} >= timestamp '1970-01-01 00:00:00.000000 UTC'"
        in text
    )


@given(st.sets(st.text("abc-.", min_size=1), min_size=1), st.integers(0, 10**16 - 1))
def test_a_merged_file_tells_when_its_rows_landed_and_is_named_by_what_it_replaces(
    names: set[str], landed_us: int
) -> None:
    name = merged_name(names, landed_us)
    assert name == merged_name(sorted(names, reverse=True), landed_us)
    assert is_merged(name)
    assert landed_instant(name, 5) == landed_us
    assert not any(is_merged(other) for other in names)
    assert landed_instant(min(names), 5) == 5
