"""The minutes in which an exchange trades, by the calendars of exchange-calendars."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# (pandas has no types)
# exchange-calendars brings pandas with it, which only who asks for minutes needs.
# ruff: noqa: PLC0415
from __future__ import annotations

from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from tick_pipeline.errors import SettingsError
from tick_pipeline.event_time import US_PER_MINUTE, as_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The calendar of what never closes, as crypto-currencies.
ALWAYS_OPEN = "24/7"
#: A session is named by a local day: its minutes lie up to a day before or after that day of UTC.
_LOCAL_DAYS = timedelta(days=2)


def check_calendar(code: str) -> None:
    """Refuse a code that names no calendar.

    Raises:
        SettingsError: with the codes that look like it.
    """
    if code == ALWAYS_OPEN:
        return
    from exchange_calendars import get_calendar_names

    names = get_calendar_names()
    if code in names:
        return
    by_upper = {name.upper(): name for name in names}
    near = get_close_matches(code.upper(), by_upper, n=5, cutoff=0.5)
    hint = (
        f"did you mean {', '.join(by_upper[name] for name in near)}?"
        if near
        else "as XNYS, XLON or 24/7; "
        "https://github.com/gerrymanoim/exchange_calendars#Calendars lists them"
    )
    raise SettingsError(f"TICK_PIPELINE_CALENDAR={code!r} is no exchange-calendars code; {hint}")


def session_minutes(code: str, minutes: range) -> tuple[range, ...]:
    """When the exchange trades: half-open ranges of minutes since the epoch, ascending, breaks left out.

    Args:
        code: of the calendar.
        minutes: the window, minutes since the epoch.

    Raises:
        SettingsError: there is no such calendar, or it does not know these days.
    """
    check_calendar(code)
    found = (
        range(max(open_.start, minutes.start), min(open_.stop, minutes.stop))
        for session in _sessions(code, minutes)
        for open_ in _open_ranges(session)
    )
    return tuple(part for part in found if part)


def _sessions(code: str, minutes: range) -> Iterator[Any]:
    """The calendar's rows around a window: open, break_start, break_end, close."""
    from exchange_calendars import errors, get_calendar

    first, last = (
        as_datetime(minute * US_PER_MINUTE).replace(tzinfo=None).date()
        for minute in (minutes.start, minutes.stop)
    )
    try:
        calendar = get_calendar(code, start=first - _LOCAL_DAYS, end=last + _LOCAL_DAYS)
    except errors.NoSessionsError:
        return
    except ValueError as error:
        raise SettingsError(
            f"TICK_PIPELINE_CALENDAR={code} does not know the days around {first} ({' '.join(str(error).split())}); "
            "a newer exchange-calendars may"
        ) from error
    yield from calendar.schedule.itertuples()


def _open_ranges(session: Any) -> tuple[range, ...]:
    starts, ends = _minute(session.open), _minute(session.close)
    pause = _minute(session.break_start), _minute(session.break_end)
    if starts is None or ends is None:
        raise SettingsError(f"TICK_PIPELINE_CALENDAR has a session without its times: {session}")
    if pause[0] is None or pause[1] is None:
        return (range(starts, ends),)
    return range(starts, pause[0]), range(pause[1], ends)


def _minute(moment: Any) -> int | None:
    """Of a timestamp, which is NaT where a session has no break; minutes since the epoch."""
    seconds = moment.timestamp() if moment == moment else None  # noqa: PLR0124  (NaT is not itself)
    return None if seconds is None else int(seconds) // 60
