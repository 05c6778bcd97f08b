"""Event time: microseconds since the epoch, UTC, as integers, and the hours that partition every table."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta, timezone

US_PER_MS = 1000
US_PER_SECOND = 1_000_000
US_PER_MINUTE = 60 * US_PER_SECOND
US_PER_HOUR = 60 * US_PER_MINUTE
US_PER_DAY = 24 * US_PER_HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
#: Event times outside [2000, 2100) are malformed (see contracts/tick.json).
MIN_EVENT_US = 946_684_800 * US_PER_SECOND
MAX_EVENT_US = 4_102_444_800 * US_PER_SECOND

_INSTANT = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})"
    r"(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?"
    r"\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)


def now_us() -> int:
    """The machine's clock, in microseconds since the epoch."""
    return time.time_ns() // 1000


def parse_instant(text: str) -> int:
    """ISO 8601 to microseconds since the epoch; a text without an offset is UTC.

    Accepts a date, `T` or a blank, no seconds, 0-9 decimals (cut to microseconds), and `Z`, ` UTC`
    or an offset.

    Raises:
        ValueError: the text is no such instant, or no date of the calendar.
    """
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no ISO 8601 instant, as 2026-01-31T09:30:00Z")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        moment = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            tzinfo=timezone.utc,
        )
    except ValueError as error:
        raise ValueError(f"{text!r} is no instant: {error}") from error
    us = (moment - EPOCH) // timedelta(microseconds=1)
    us += int((fraction or "").ljust(6, "0")[:6])
    if zone and zone not in ("Z", "UTC"):
        digits = zone[1:].replace(":", "").ljust(4, "0")
        offset = int(digits[:2]) * US_PER_HOUR + int(digits[2:]) * US_PER_MINUTE
        us -= offset if zone[0] == "+" else -offset
    return us


def as_datetime(us: int) -> datetime:
    """The instant as an aware datetime in UTC, exact to the microsecond."""
    return EPOCH + timedelta(microseconds=us)


def format_instant(us: int) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`: the contract's `event_time` of an `event_ts`."""
    return as_datetime(us).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def format_short(us: int) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`, for people: whole seconds, rounded down."""
    return as_datetime(us).strftime("%Y-%m-%dT%H:%M:%SZ")


def hour_floor(us: int) -> int:
    """Start of the UTC hour that holds the instant, in microseconds."""
    return us - us % US_PER_HOUR


def hour_of_parts(year: str, month: str, day: str, hour: str) -> int | None:
    """Start of the UTC hour of these digits, as a path has them, in microseconds; None for one like month 13."""
    try:
        return parse_instant(f"{year}-{month}-{day}T{hour}:00:00Z")
    except ValueError:
        return None


def hour_ceil(us: int) -> int:
    """The first full UTC hour at or after the instant, in microseconds."""
    return hour_floor(us + US_PER_HOUR - 1)


def widen_to_hours(start_us: int, end_us: int) -> tuple[int, int]:
    """The smallest half-open range of whole hours that covers [start, end).

    Raises:
        ValueError: end is not after start.
    """
    if end_us <= start_us:
        raise ValueError(
            f"the end {format_short(end_us)} is not after the start {format_short(start_us)}"
        )
    return hour_floor(start_us), hour_ceil(end_us)


def hours_of(start_us: int, end_us: int) -> list[int]:
    """Starts of the UTC hours that [start, end) touches, ascending, in microseconds."""
    return list(range(hour_floor(start_us), end_us, US_PER_HOUR))
