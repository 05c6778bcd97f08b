"""Promise `gaps_are_seen`: a missing number is reported with its range, its time, and what became of it."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, now_us
from tick_pipeline.landing.error_records import ErrorRecord, write_errors
from tick_pipeline.landing.gaps import Gap, GapReport, find_gaps, sort_gaps
from tick_pipeline.landing.numbers import Number, read_number
from tick_pipeline.producer.bad_records import BAD_KINDS
from tick_pipeline.resources.landing import LocalLanding, open_stream
from tick_pipeline.resources.query_engine import LocalQueryEngine
from tick_pipeline.storage import ErrorType, StorageMode
from tick_pipeline_tests.contracts.broken_ticks import GOOD
from tick_pipeline_tests.queries.warehouse import START_US, land, tick

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

ROW: dict[str, Any] = {
    "source": "a",
    "symbol": "AAPL",
    "first_missing": 10,
    "last_missing": 19,
    "missing": 10,
    "after_us": START_US,
    "before_us": START_US + 100,
}


def sort(errors: list[Number], invalid: list[Number] | None = None, **changes: Any) -> Gap:
    """The one gap of ROW."""
    [gap] = sort_gaps([ROW | changes], errors=errors, invalid=invalid or [], closed_us=0)
    return gap


def counts(gap: Gap) -> tuple[int, int, int]:
    return gap.in_errors, gap.invalid, gap.never_arrived


def test_gaps_are_seen_as_never_arrived_in_the_error_prefix_or_invalid() -> None:
    errors = [Number("a", "AAPL", 10), Number("a", "AAPL", 11), Number("a", "AAPL", 9)]
    assert counts(sort([])) == (0, 0, 10)
    assert counts(sort(errors)) == (2, 0, 8)
    assert counts(sort(errors, [Number("a", None, 11), Number("a", None, 12)])) == (2, 1, 7)


@pytest.mark.parametrize(
    "number",
    [
        Number("b", "AAPL", 10),
        Number("a", "MSFT", 10),
        Number("a", "AAPL", 20),
        Number(None, None, 10),
        Number("a", "AAPL", None),
        Number("a", "AAPL", None, START_US + 101),
        Number("a", "MSFT", None, START_US + 50),
    ],
)
def test_another_ones_number_fills_no_gap(number: Number) -> None:
    assert counts(sort([number])) == (0, 0, 10)


@pytest.mark.parametrize(
    "number",
    [
        Number("a", "AAPL", 10),
        Number("a", None, 10),
        Number(None, "AAPL", 10),
        Number("a", "AAPL", None, START_US + 50),
        Number(None, "AAPL", None, START_US),
        Number("a", None, None, START_US + 100),
    ],
)
def test_a_record_that_tells_half_of_its_number_is_found(number: Number) -> None:
    """A record without a number took one of those that are missing at its time."""
    assert counts(sort([number, number])) == (
        1 if number.sequence else 2,
        0,
        9 if number.sequence else 8,
    )
    assert counts(sort([], [number])) == (0, 1, 9)


@given(
    errors=st.lists(
        st.builds(
            Number,
            st.sampled_from(["a", None]),
            st.sampled_from(["AAPL", None]),
            st.one_of(st.none(), st.integers(8, 22)),
            st.integers(START_US - 5, START_US + 105),
        )
    ),
    invalid=st.lists(st.builds(Number, st.just("a"), st.none(), st.integers(8, 22))),
)
def test_what_became_of_a_gap_adds_up(errors: list[Number], invalid: list[Number]) -> None:
    gap = sort(errors, invalid)
    assert sum(counts(gap)) == gap.missing
    assert min(counts(gap)) >= 0


@pytest.mark.parametrize(
    ("closed_us", "may_still_come"),
    [(START_US, True), (START_US + US_PER_HOUR - 1, True), (START_US + US_PER_HOUR, False)],
)
def test_a_gap_of_an_open_hour_may_still_be_filled(closed_us: int, *, may_still_come: bool) -> None:
    [gap] = sort_gaps([ROW], errors=[], invalid=[], closed_us=closed_us)
    assert gap.may_still_come is may_still_come


@pytest.mark.parametrize(
    ("data", "number"),
    [
        (json.dumps(GOOD).encode(), Number("a", "AAPL", 1, GOOD["event_ts"])),
        (b'\xef\xbb\xbf [{"source":"a","sequence":"7","symbol":"X"}]', Number("a", "X", 7)),
        (b'{"source":"a","sequence":7.0,"symbol":5}x', Number("a", None, 7)),
        (b'{"source":"","sequence":7.5,"symbol":null}', Number()),
        (b'{"source":"a","sequence":7,"symbol":"X","pri', Number("a", "X", 7)),
        (b'{"source":"a","sequence":7', Number("a", None, None)),
        (b'{"source":"\xff","sequence":0}', Number("\ufffd")),
        (b'{"sequence":' + b"9" * 30 + b"}", Number()),
        (b"null", Number()),
        (b"", Number()),
        (b"[" * 100_000, Number()),
    ],
)
def test_a_number_is_read_of_whatever_can_be_read(data: bytes, number: Number) -> None:
    assert read_number(data) == number


@given(data=st.binary())
def test_reading_a_number_never_fails(data: bytes) -> None:
    read_number(data)


def test_most_bad_records_tell_whose_number_they_took() -> None:
    told = {kind.name: read_number(kind.spoil(dict(GOOD))) for kind in BAD_KINDS}
    whole = {
        name
        for name, found in told.items()
        if replace(found, event_us=None) == Number("a", "AAPL", 1)
    }
    assert {"truncated", "bytes_after", "byte_order_mark", "array", "unknown_field"} <= whole
    assert {"empty", "not_json", "json_null"} == {
        name for name, found in told.items() if found == Number()
    }


def _error(data: bytes) -> ErrorRecord:
    return ErrorRecord("", "", "wrong_type", "why", now_us(), data)


@pytest.mark.parametrize("mode", StorageMode, ids=str)
def test_gaps_are_seen_in_raw_beside_what_failed(
    home: Home, settings: Settings, mode: StorageMode
) -> None:
    """Seven numbers are missing: two failed, one lies in raw under a wrong symbol, one without its number."""
    present = [tick("AAA", number, number) for number in (1, 2, 3, 7, 8, 13)]
    wrong = [tick("no good", 4, 4), tick("AAA", 10, 10) | {"sequence": None}]
    land(home, present + wrong, [mode])
    failed = [json.dumps(tick("AAA", 5, 5, price="?")), json.dumps(tick("AAA", 6, 6))[:-40]]
    write_errors(
        str(home.warehouse),
        mode,
        ErrorType.ICEBERG_FAILED,
        "flush",
        [_error(text.encode()) for text in failed],
        ended_us=now_us(),
    )
    report = _find(home, settings, mode)
    found = [(gap.first_missing, gap.last_missing, *counts(gap)) for gap in report.gaps]
    assert found == [(4, 6, 2, 1, 0), (9, 12, 0, 1, 3)]
    first = report.gaps[0]
    assert (first.source, first.symbol) == ("sim-1", "AAA")
    assert first.after_us == START_US + 3 * US_PER_SECOND
    assert first.before_us == START_US + 7 * US_PER_SECOND
    totals = [report.total(name) for name in ("missing", "in_errors", "invalid", "never_arrived")]
    assert totals == [7, 2, 2, 3]
    assert report.may_still_come == 0


def test_while_the_delivery_is_behind_a_gap_may_still_be_filled(
    home: Home, settings: Settings
) -> None:
    land(home, [tick("AAA", 1, 1), tick("AAA", 3, 3)], [StorageMode.ICEBERG])

    data = json.dumps(tick("AAA", 2, 2)).encode()
    open_stream(home, settings).put(pa.array(["AAA"]), pa.array([data], pa.binary()))
    assert _find(home, settings, StorageMode.ICEBERG).may_still_come == 1


def test_without_a_gap_nothing_else_is_read(home: Home, settings: Settings) -> None:
    land(home, [tick("AAA", 1, 1), tick("AAA", 2, 2)], [StorageMode.ICEBERG])
    report = _find(home, settings, StorageMode.ICEBERG)
    assert report.gaps == ()
    assert report.total("missing") == 0


def _find(home: Home, settings: Settings, mode: StorageMode) -> GapReport:
    return find_gaps(
        LocalQueryEngine(home, settings),
        LocalLanding(home, settings),
        mode,
        START_US,
        START_US + US_PER_HOUR,
        close_after_seconds=600,
    )
