"""Whose number a record took, as far as its bytes tell: also where no table can hold it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, cast

_TEXT = r'"{name}"\s*:\s*"((?:[^"\\]|\\.)*)"'
#: A number that was cut off would be another number.
_WHOLE = r'"{name}"\s*:\s*"?(\d{{1,18}})(?:\.0+)?"?\s*[,}}]'
_PATTERNS = {
    "source": re.compile(_TEXT.format(name="source")),
    "symbol": re.compile(_TEXT.format(name="symbol")),
    "sequence": re.compile(_WHOLE.format(name="sequence")),
    "event_ts": re.compile(_WHOLE.format(name="event_ts")),
}
_MOST = 2**63 - 1


@dataclass(frozen=True)
class Number:
    """A sequence number, who gave it, and when; None for what the record does not tell.

    Attributes:
        source: who numbers.
        symbol: of what.
        sequence: the number.
        event_us: event time, microseconds.
    """

    source: str | None = None
    symbol: str | None = None
    sequence: int | None = None
    event_us: int | None = None


def read_number(data: bytes) -> Number:
    """The number of a record, whatever its bytes are: of its first object, or of what looks like its members."""
    text = data.decode("utf-8", "replace").lstrip("\ufeff \t\r\n[")
    try:
        document, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        matches = {name: pattern.search(text) for name, pattern in _PATTERNS.items()}
        document = {name: match[1] for name, match in matches.items() if match}
    if not isinstance(document, dict):
        return Number()
    members = cast("dict[str, Any]", document)
    return Number(
        _text(members.get("source")),
        _text(members.get("symbol")),
        _whole(members.get("sequence")),
        _whole(members.get("event_ts")),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: Any) -> int | None:
    """A positive whole number, or the text of one."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,18}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 < value <= _MOST else None
