"""A query's parameters: closed sets that name tables, and typed values that are bound, never pasted."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from tick_pipeline.errors import QueryError
from tick_pipeline.event_time import US_PER_SECOND, as_datetime, parse_instant

#: A default that means: the first storage mode in use.
ENABLED = "enabled"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_RELATIVE = re.compile(r"now(?:-(\d{1,6})([smhd]))?")
_TIMEFRAME = re.compile(r"(\d{1,6})([mhd])")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a query.

    Attributes:
        name: as it stands after the colon, or in a table's name.
        type: varchar, bigint, double, timestamp, timeframe, or a closed set `a, b`.
        default: None where the caller must give it.
        description: what it means.
    """

    name: str
    type: str
    default: str | None
    description: str

    @property
    def choices(self) -> tuple[str, ...]:
        """The legal values of a closed set; empty for a bound value."""
        return tuple(self.type.split(", ")) if "," in self.type else ()


def parameter_value(query: str, parameter: Parameter, given: Any, *, now_us: int) -> Any:
    """The value as it is bound: text, int, float, or an aware datetime; a timeframe in minutes.

    A timestamp is ISO 8601, `now`, `now-24h` (s, m, h, d), `today` (its midnight, UTC),
    microseconds as an integer, or a datetime.

    Raises:
        QueryError: it is not of the parameter's type.
    """
    try:
        if parameter.choices:
            return _choice(parameter, str(given))
        return _typed(parameter.type, given, now_us)
    except (ValueError, OverflowError) as error:
        raise QueryError(f"query {query}: {parameter.name}={given!s}: {error}") from error


def _choice(parameter: Parameter, text: str) -> str:
    if text not in parameter.choices:
        raise ValueError(f"must be one of {', '.join(parameter.choices)}")
    return text


def _typed(kind: str, given: Any, now_us: int) -> Any:
    if kind == "varchar":
        return str(given)
    if kind == "bigint":
        return _integer(given)
    if kind == "double":
        return _double(given)
    if kind == "timeframe":
        return _timeframe(str(given))
    return _timestamp(given, now_us)


def _integer(given: Any) -> int:
    if isinstance(given, float) or not re.fullmatch(r"-?\d{1,18}", str(given)):
        raise ValueError("must be a whole number")
    return int(given)


def _double(given: Any) -> float:
    try:
        value = float(given)
    except (TypeError, ValueError) as error:
        raise ValueError("must be a number") from error
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _timestamp(given: Any, now_us: int) -> datetime:
    if isinstance(given, datetime):
        if given.tzinfo is None:
            raise ValueError("must have a time zone")
        return given.astimezone(timezone.utc)
    if isinstance(given, int):
        return as_datetime(given)
    if str(given).strip() == "today":
        return as_datetime(now_us - now_us % (_SECONDS["d"] * US_PER_SECOND))
    relative = _RELATIVE.fullmatch(str(given).strip())
    if relative is None:
        return as_datetime(parse_instant(str(given)))
    count, unit = relative.groups()
    seconds = int(count) * _SECONDS[unit] if count else 0
    return as_datetime(now_us - seconds * US_PER_SECOND)


def _timeframe(text: str) -> int:
    match = _TIMEFRAME.fullmatch(text.strip())
    minutes = int(match[1]) * _SECONDS[match[2]] // 60 if match else 0
    if minutes == 0:
        raise ValueError("must be a length in minutes, hours or days, as 1m, 15m, 1h or 1d")
    return minutes
