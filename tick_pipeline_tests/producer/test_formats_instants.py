"""The vectorised time parser: it reads what `parse_instant` reads, and local times by the zone's rules."""
# duckdb has no types:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tick_pipeline.errors import TradeFileError
from tick_pipeline.event_time import MAX_EVENT_US, MIN_EVENT_US, as_datetime, parse_instant
from tick_pipeline.producer.formats.instants import (
    exchange_text_sql,
    instant_sql,
    local_minutes,
    local_zone,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTANTS = st.integers(MIN_EVENT_US, MAX_EVENT_US - 1)


@pytest.fixture(scope="module")
def database() -> Iterator[Any]:
    with duckdb.connect() as connection:
        yield connection


def read(database: Any, texts: list[str | None]) -> list[int | None]:
    """Each text's instant; None where it is no time. A time without a zone is UTC."""
    database.execute("create or replace temp table texts (place bigint, said varchar)")
    database.executemany("insert into texts values (?, ?)", list(enumerate(texts)))
    rows = database.execute(
        f"select wall_us - coalesce(zone_us, 0) from ({instant_sql('texts', text='said')}) order by place"
    ).fetchall()
    return [value for (value,) in rows]


def expected(text: str) -> int | None:
    try:
        return parse_instant(text)
    except ValueError:
        return None


def spellings(us: int, offset_minutes: int, digits: int) -> list[str]:
    """The same instant, to microseconds, as many files would write it."""
    utc = as_datetime(us)
    local = utc + timedelta(minutes=offset_minutes)
    sign = "-" if offset_minutes < 0 else "+"
    hours, minutes = divmod(abs(offset_minutes), 60)
    decimals = f"{us % 1_000_000:06d}" + "9" * (digits - 6)
    plain = f"{utc:%Y-%m-%dT%H:%M:%S}.{decimals}"
    there = f"{local:%Y-%m-%d %H:%M:%S}.{decimals}{sign}{hours:02d}"
    return [
        plain,
        plain.replace("T", " "),
        plain.replace(".", ","),
        f"{plain}Z",
        f"{plain} UTC",
        f"{there}:{minutes:02d}",
        f"{there}{minutes:02d}",
        f"{us // 1_000_000}.{decimals}",
        f"{us // 1_000}.{decimals[3:]}",
        f"{us}",
        f"{us}.{decimals[6:]}",
        f"{us}{'9' * 3}",
    ]


@settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(us=INSTANTS, offset_minutes=st.integers(-14 * 60, 14 * 60), digits=st.integers(6, 9))
def test_all_spellings_of_one_instant_agree(
    database: Any, us: int, offset_minutes: int, digits: int
) -> None:
    texts = spellings(us, offset_minutes, digits)
    assert read(database, [*texts]) == [us] * len(texts)


SHAPES = st.builds(
    lambda *parts: "".join(parts),
    st.sampled_from(
        ["2024-02-29", "2023-02-29", "2024-1-5", "1999-12-31", "2024-13-01", "20240105"]
    ),
    st.sampled_from(["", "T", " ", "  "]),
    st.sampled_from(["", "13:30", "24:00", "23:59:60", "23:60:00", "09:30:00", "9:30:00", "00"]),
    st.sampled_from(["", ".", ".1", ",123456789", ".1234567890", ".9999999"]),
    st.sampled_from(["", " "]),
    st.sampled_from(
        ["", "Z", "UTC", "+02", "-0530", "+05:30", "-00:30", "+5", "z", "+05:", "+99:99"]
    ),
)


@settings(
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=SHAPES)
@example("2024-02-29-0230")
@example("2024-02-29 -02:30")
@example("")
@example("now")
@example("infinity")
def test_it_reads_what_parse_instant_reads_and_refuses_the_rest(database: Any, text: str) -> None:
    if (
        text.strip().replace(".", "").isdigit()
    ):  # a number is epoch time in a file, and nothing to parse_instant
        return
    assert read(database, [text.strip()]) == [expected(text)]


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("1410960600", "2014-09-17T13:30:00Z"),
        ("1410960600.5316579", "2014-09-17T13:30:00.531657Z"),
        ("1410960600.", "2014-09-17T13:30:00Z"),
        ("1410960600531", "2014-09-17T13:30:00.531Z"),
        ("1410960600531.6579", "2014-09-17T13:30:00.531657Z"),
        ("1410960600531657", "2014-09-17T13:30:00.531657Z"),
        ("1410960600531657999", "2014-09-17T13:30:00.531657Z"),
        ("946684800", "2000-01-01T00:00:00Z"),
        ("4102444799", "2099-12-31T23:59:59Z"),
        ("4102444799999999999", "2099-12-31T23:59:59.999999Z"),
    ],
)
def test_an_epoch_number_tells_its_unit_by_its_magnitude(
    database: Any, text: str, iso: str
) -> None:
    assert read(database, [text]) == [parse_instant(iso)]


def test_no_number_of_another_kind_is_a_time(database: Any) -> None:
    texts = ["-1", "+1410960600", "1.4e9", "nan", "9" * 19, "9" * 20, "18446744073709551615", "1_0"]
    assert read(database, [*texts, None]) == [None] * (len(texts) + 1)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("20180102 9:30:00.013547", "2018-01-02 09:30:00.013547"),
        ("2018/01/02 16:00:00", "2018-01-02 16:00:00"),
        ("2018-01-02T09:30:00Z", "2018-01-02 09:30:00Z"),
        ("1517236200.5", "1517236200.5"),
    ],
)
def test_exchange_dates_and_times_become_iso(database: Any, text: str, iso: str) -> None:
    assert database.execute(f"select {exchange_text_sql('?')}", [text]).fetchone() == (iso,)


def minute_of(text: str) -> int:
    return parse_instant(text) // 60_000_000


def test_local_minutes_have_the_offset_of_their_season() -> None:
    found = local_minutes(
        [minute_of("2018-01-02T09:30Z"), minute_of("2018-07-02T09:30Z")],
        local_zone("America/New_York"),
    )
    assert [(offset, problem) for _, offset, problem in found] == [
        (-5 * 3_600_000_000, None),
        (-4 * 3_600_000_000, None),
    ]


@pytest.mark.parametrize(
    ("zone", "text", "problem"),
    [
        ("America/New_York", "2018-03-11T01:59Z", None),
        ("America/New_York", "2018-03-11T02:00Z", "missing"),
        ("America/New_York", "2018-03-11T02:59Z", "missing"),
        ("America/New_York", "2018-03-11T03:00Z", None),
        ("America/New_York", "2018-11-04T00:59Z", None),
        ("America/New_York", "2018-11-04T01:00Z", "ambiguous"),
        ("America/New_York", "2018-11-04T01:59Z", "ambiguous"),
        ("America/New_York", "2018-11-04T02:00Z", None),
        # Newfoundland changed its clocks at 00:01 until 2011.
        ("America/St_Johns", "2010-03-14T00:00Z", None),
        ("America/St_Johns", "2010-03-14T00:01Z", "missing"),
        ("Europe/London", "2018-03-25T01:30Z", "missing"),
        ("Asia/Tokyo", "2018-03-25T01:30Z", None),
    ],
)
def test_a_minute_that_clocks_skip_or_show_twice_is_told(
    zone: str, text: str, problem: str | None
) -> None:
    ((_, offset, found),) = local_minutes([minute_of(text)], local_zone(zone))
    assert found == problem
    assert (offset is None) == (problem is not None)


@given(us=INSTANTS)
def test_a_local_minute_with_an_offset_is_the_instant_that_shows_it(us: int) -> None:
    zone = local_zone("America/New_York")
    wall = as_datetime(us).astimezone(zone).replace(tzinfo=timezone.utc)
    minute = int((wall - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(minutes=1))
    ((_, offset, problem),) = local_minutes([minute], zone)
    if problem is None:
        assert offset == (as_datetime(us).astimezone(zone).utcoffset() or timedelta()) // timedelta(
            microseconds=1
        )


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "/etc/passwd"])
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(TradeFileError, match="is no time zone; take an IANA name"):
        local_zone(name)
