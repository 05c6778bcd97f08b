"""A market's minutes are those of the library's own schedule."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import pytest
from exchange_calendars import get_calendar

from tick_pipeline.definitions import defs
from tick_pipeline.errors import SettingsError
from tick_pipeline.event_time import US_PER_MINUTE, format_short, parse_instant
from tick_pipeline.sessions.calendar import ALWAYS_OPEN, check_calendar, session_minutes


def minute(text: str) -> int:
    return parse_instant(text) // US_PER_MINUTE


def told(code: str, start: str, end: str) -> list[str]:
    """The open ranges as `HH:MM-HH:MM` of UTC."""
    found = session_minutes(code, range(minute(start), minute(end)))
    return [
        "-".join(format_short(at * US_PER_MINUTE)[11:16] for at in (part.start, part.stop))
        for part in found
    ]


@pytest.mark.parametrize(
    ("code", "start", "end", "expected"),
    [
        # Thanksgiving, and the early close on the day after.
        ("XNYS", "2025-11-27", "2025-11-28", []),
        ("XNYS", "2025-11-28", "2025-11-29", ["14:30-18:00"]),
        ("XNYS", "2025-11-29", "2025-12-01", []),
        # The last day of daylight saving time in New York, and the next; London changes a week before.
        ("XNYS", "2025-10-31", "2025-11-01", ["13:30-20:00"]),
        ("XNYS", "2025-11-03", "2025-11-04", ["14:30-21:00"]),
        ("XLON", "2025-10-24", "2025-10-25", ["07:00-15:30"]),
        ("XLON", "2025-10-27", "2025-10-28", ["08:00-16:30"]),
        # A break at noon; half-open on both its sides.
        ("XHKG", "2025-11-21", "2025-11-22", ["01:30-04:00", "05:00-08:00"]),
        # Sessions that begin on the evening before.
        ("XASX", "2025-11-18T22:30Z", "2025-11-19T00:30Z", ["23:00-00:30"]),
        (ALWAYS_OPEN, "2025-11-27T10:00Z", "2025-11-27T12:00Z", ["10:00-12:00"]),
        ("XNYS", "2025-11-28T17:59Z", "2025-11-28T18:01Z", ["17:59-18:00"]),
        ("XNYS", "2025-11-28T18:00Z", "2025-11-28T18:00Z", []),
        # Longer closed than the days that are asked for around a window.
        ("XSHG", "2025-10-04T02:00Z", "2025-10-04T03:00Z", []),
    ],
)
def test_sessions_are_as_the_exchange_has_them(
    code: str, start: str, end: str, expected: list[str]
) -> None:
    assert told(code, start, end) == expected


@pytest.mark.parametrize("code", ["XNYS", "XHKG", "XTKS", "CMES", "24/5", ALWAYS_OPEN])
def test_the_minutes_are_the_librarys_own(code: str) -> None:
    """Nine days around the end of November 2025, minute by minute."""
    window = range(minute("2025-11-22"), minute("2025-12-01"))
    found = {at for part in session_minutes(code, window) for at in part}
    calendar = get_calendar(code, start="2025-11-19", end="2025-12-03")
    own = calendar.minutes_in_range(
        format_short(window.start * US_PER_MINUTE), format_short((window.stop - 1) * US_PER_MINUTE)
    )
    assert found == {int(moment.timestamp()) // 60 for moment in own}


@pytest.mark.parametrize(
    ("code", "hint"),
    [("XNYSE", "did you mean .*XNYS"), ("xnys", "did you mean XNYS"), ("Wall Street", "XLON")],
)
def test_a_code_that_there_is_not_is_one_line_with_those_that_look_like_it(
    code: str, hint: str
) -> None:
    with pytest.raises(SettingsError, match=f"TICK_PIPELINE_CALENDAR='{code}' .*{hint}"):
        check_calendar(code)


def test_days_that_a_calendar_does_not_know_are_one_line() -> None:
    with pytest.raises(SettingsError, match="CALENDAR=XHKG does not know the days around 2080"):
        told("XHKG", "2080-01-03", "2080-01-04")


def test_definitions_of_a_calendar_that_there_is_not_do_not_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_CALENDAR", "NYSEE")
    with pytest.raises(Exception) as raised:  # noqa: PT011  (Dagster wraps it)
        defs().resolve_asset_graph()
    causes: list[BaseException] = [raised.value]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    [ours] = [cause for cause in causes if isinstance(cause, SettingsError)]
    assert "did you mean NYSE" in str(ours)
