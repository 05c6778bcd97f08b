"""Instants are read and written exactly, and hours are half-open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.event_time import (
    MAX_EVENT_US,
    MIN_EVENT_US,
    US_PER_HOUR,
    as_datetime,
    format_instant,
    hour_ceil,
    hour_floor,
    hour_of_parts,
    hours_of,
    parse_instant,
    widen_to_hours,
)

EVENTS = st.integers(MIN_EVENT_US, MAX_EVENT_US - 1)


@given(us=EVENTS)
def test_an_instant_that_is_written_reads_back(us: int) -> None:
    assert parse_instant(format_instant(us)) == us


@pytest.mark.parametrize(
    "text",
    [
        "2014-09-17T13:30:00.5Z",
        "2014-09-17 13:30:00.500000",
        "2014-09-17T13:30:00.500000999Z",
        "2014-09-17 13:30:00.5 UTC",
        "2014-09-17T15:30:00.5+02:00",
        "2014-09-17T09:30:00.5-0400",
        "2014-09-17T15:30:00,5+02",
    ],
)
def test_every_spelling_of_one_instant_is_that_instant(text: str) -> None:
    assert parse_instant(text) == 1_410_960_600_500_000


@pytest.mark.parametrize("text", ["2014-09-17", "2014-09-17T00:00", "2014-09-17T00:00Z"])
def test_a_date_alone_is_its_midnight(text: str) -> None:
    assert parse_instant(text) == 1_410_912_000_000_000


@pytest.mark.parametrize(
    "text", ["", "now", "2014-13-01", "2014-02-30T00:00:00Z", "2014-09-17T25:00:00Z", "1410960600"]
)
def test_what_is_no_instant_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(ValueError, match="instant"):
        parse_instant(text)


@given(us=EVENTS)
def test_an_hour_holds_its_start_and_not_its_end(us: int) -> None:
    assert hour_floor(us) <= us < hour_floor(us) + US_PER_HOUR
    assert hour_ceil(hour_floor(us)) == hour_floor(us)


@given(us=EVENTS)
def test_an_hour_is_known_by_the_digits_of_its_parts(us: int) -> None:
    assert hour_of_parts(*as_datetime(us).strftime("%Y %m %d %H").split()) == hour_floor(us)


def test_digits_that_no_calendar_has_are_no_hour() -> None:
    assert hour_of_parts("2026", "13", "01", "00") is None
    assert hour_of_parts("2026", "02", "29", "00") is None


def test_a_range_is_widened_to_the_whole_hours_that_it_touches() -> None:
    start, end = parse_instant("2014-09-17T13:30:00Z"), parse_instant("2014-09-17T15:00:00.000001Z")
    assert widen_to_hours(start, end) == (
        parse_instant("2014-09-17T13:00:00Z"),
        parse_instant("2014-09-17T16:00:00Z"),
    )
    assert len(hours_of(start, end)) == 3


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(ValueError, match="not after"):
        widen_to_hours(10, 10)
