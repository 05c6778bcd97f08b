"""One record for every way in which a record can be malformed or invalid."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tick_pipeline.event_time import MAX_EVENT_US, MIN_EVENT_US, format_instant

if TYPE_CHECKING:
    from collections.abc import Callable

#: A decoded tick, in the contract's order of members.
Record = dict[str, Any]

MALFORMED, INVALID = "malformed", "invalid"


@dataclass(frozen=True)
class BadKind:
    """A way to be wrong.

    Attributes:
        name: what is wrong.
        classed: MALFORMED (cannot be stored) or INVALID (stored, and breaks a rule).
        reason: the strict decoder's reason for a malformed record, the first broken rule's name for
            an invalid one.
        spoil: makes the record's bytes of a valid record.
    """

    name: str
    classed: str
    reason: str
    spoil: Callable[[Record], bytes]


def _encoded(record: Record) -> bytes:
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()


def _with(**changes: Any) -> Callable[[Record], bytes]:
    return lambda record: _encoded({**record, **changes})


def _without(name: str) -> Callable[[Record], bytes]:
    return lambda record: _encoded({key: record[key] for key in record if key != name})


def _as_text(name: str) -> Callable[[Record], bytes]:
    return lambda record: _encoded({**record, name: str(record[name])})


def _negated(name: str) -> Callable[[Record], bytes]:
    return lambda record: _encoded({**record, name: -record[name]})


def _literal(name: str, text: str) -> Callable[[Record], bytes]:
    """The member's value as this text, which `json` would not write."""
    marker = "@literal@"
    return lambda record: _encoded({**record, name: marker}).replace(
        f'"{marker}"'.encode(), text.encode()
    )


def _malformed(name: str, reason: str, spoil: Callable[[Record], bytes]) -> BadKind:
    return BadKind(name, MALFORMED, reason, spoil)


def _invalid(name: str, rule: str, spoil: Callable[[Record], bytes]) -> BadKind:
    return BadKind(name, INVALID, rule, spoil)


def _half(record: Record) -> bytes:
    encoded = _encoded(record)
    return encoded[: len(encoded) // 2]


def _with_second_price(record: Record) -> bytes:
    return _encoded(record)[:-1] + f',"price":{record["price"]}}}'.encode()


def _in_seconds(record: Record) -> bytes:
    return _encoded({**record, "event_ts": record["event_ts"] // 1_000_000})


def _of_next_microsecond(record: Record) -> bytes:
    return _encoded({**record, "event_time": format_instant(record["event_ts"] + 1)})


def _with_blank_in_time(record: Record) -> bytes:
    return _encoded({**record, "event_time": record["event_time"].replace("T", " ")})


_MALFORMED_KINDS = (
    _malformed("empty", "not_json", lambda _record: b""),
    _malformed(
        "not_utf8",
        "not_utf8",
        lambda record: _encoded(record).replace(b'"source":"', b'"source":"\xff'),
    ),
    _malformed("not_json", "not_json", lambda record: str(record["symbol"]).encode()),
    _malformed("truncated", "not_json", _half),
    _malformed(
        "byte_order_mark", "byte_order_mark", lambda record: b"\xef\xbb\xbf" + _encoded(record)
    ),
    _malformed("bytes_after", "trailing_bytes", lambda record: _encoded(record) + b"x"),
    _malformed("two_objects", "trailing_bytes", lambda record: _encoded(record) * 2),
    _malformed("array", "not_an_object", lambda record: b"[" + _encoded(record) + b"]"),
    _malformed("json_null", "not_an_object", lambda _record: b"null"),
    _malformed("nan_literal", "not_finite", _literal("price", "NaN")),
    _malformed("infinity_literal", "not_finite", _literal("volume", "Infinity")),
    _malformed("number_as_string", "wrong_type", _as_text("price")),
    _malformed("integer_as_string", "wrong_type", _as_text("sequence")),
    _malformed("string_as_number", "wrong_type", _with(symbol=5)),
    _malformed("boolean_for_integer", "wrong_type", _with(sequence=True)),
    _malformed("boolean_for_number", "wrong_type", _with(volume=False)),
    _malformed("fraction_for_integer", "wrong_type", _with(sequence=1.5)),
    _malformed("object_for_number", "wrong_type", _with(price={"amount": 1.0})),
    _malformed("double_out_of_range", "out_of_range", _literal("price", "1e400")),
    _malformed("int64_out_of_range", "out_of_range", _with(sequence=2**63)),
    _malformed("duplicate_key", "duplicate_field", _with_second_price),
    _malformed("half_surrogate", "not_unicode", _literal("source", r'"\ud800"')),
    _malformed("unknown_field", "unknown_field", _with(venue="XNYS")),
    _malformed("event_ts_missing", "no_event_time", _without("event_ts")),
    _malformed("event_ts_null", "no_event_time", _with(event_ts=None)),
    _malformed("event_ts_as_string", "wrong_type", _as_text("event_ts")),
    _malformed("event_ts_before_2000", "event_time_out_of_range", _with(event_ts=MIN_EVENT_US - 1)),
    _malformed("event_ts_after_2100", "event_time_out_of_range", _with(event_ts=MAX_EVENT_US)),
    _malformed("event_ts_in_seconds", "event_time_out_of_range", _in_seconds),
)
_NULLABLE = ("event_id", "source", "sequence", "symbol", "price", "volume", "event_time", "sent_ts")
_INVALID_KINDS = (
    *(_invalid(f"{name}_null", f"{name}_null", _with(**{name: None})) for name in _NULLABLE),
    *(_invalid(f"{name}_missing", f"{name}_null", _without(name)) for name in _NULLABLE),
    _invalid("event_id_empty", "event_id_min_length", _with(event_id="")),
    _invalid("source_empty", "source_min_length", _with(source="")),
    _invalid("sequence_zero", "sequence_minimum", _with(sequence=0)),
    _invalid("symbol_empty", "symbol_pattern", _with(symbol="")),
    _invalid("symbol_with_blank", "symbol_pattern", _with(symbol="BRK B")),
    _invalid("symbol_too_long", "symbol_pattern", _with(symbol="X" * 33)),
    _invalid("price_zero", "price_exclusive_minimum", _with(price=0.0)),
    _invalid("price_negative", "price_exclusive_minimum", _negated("price")),
    _invalid("volume_negative", "volume_minimum", _negated("volume")),
    _invalid(
        "event_time_of_another_instant",
        "event_time_iso_of",
        _of_next_microsecond,
    ),
    _invalid("event_time_of_another_form", "event_time_iso_of", _with_blank_in_time),
)


def _dealt(first: tuple[BadKind, ...], second: tuple[BadKind, ...]) -> tuple[BadKind, ...]:
    pairs = zip(first, second, strict=False)
    shared = min(len(first), len(second))
    return (*(kind for pair in pairs for kind in pair), *first[shared:], *second[shared:])


#: Every kind, malformed and invalid in turn, so that few records already show both.
BAD_KINDS = _dealt(_MALFORMED_KINDS, _INVALID_KINDS)
