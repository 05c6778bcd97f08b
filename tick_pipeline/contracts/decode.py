"""The strict decoder: what makes a record malformed, in one place; every faster path must equal it.

A record is one JSON object (RFC 8259, UTF-8, white space around it allowed) whose members are fields
of the contract, each at most once and of the field's JSON type. A null or an absent member is a null
in the table (the record is then invalid, not malformed), save where the table cannot be partitioned
without it. An int64 is written without fraction or exponent: `1.0` and `1e3` are fractions here, as
they are for Firehose's conversion to BIGINT.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.event_time import format_short

if TYPE_CHECKING:
    from tick_pipeline.contracts.contract import Contract, Field

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_INT64_DIGITS = 20  # more characters than any int64, so int() never meets a text of megabytes
_QUOTED = 60  # characters of a record's own text that a message repeats

#: Every reason that a record is malformed, and what it means; part of the error records' format.
REASONS = {
    "not_utf8": "the bytes are not UTF-8",
    "byte_order_mark": "the record begins with a byte order mark",
    "not_json": "the bytes are not JSON",
    "not_finite": "NaN or Infinity, which JSON does not have",
    "not_an_object": "JSON, but not one object",
    "trailing_bytes": "something follows the JSON object",
    "duplicate_field": "a field stands twice",
    "unknown_field": "a field that the contract does not have",
    "wrong_type": "a value is not of the field's JSON type",
    "not_unicode": "a text holds half a surrogate pair, which UTF-8 cannot store",
    "out_of_range": "a number does not fit the field's type",
    "no_event_time": "the field that partitions the table is absent or null",
    "event_time_out_of_range": "the field that partitions the table is outside its range",
}


class MalformedError(ValueError):
    """One record cannot be converted; `reason` is one of REASONS."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Integer(str):
    """A JSON number without fraction or exponent, as text."""

    __slots__ = ()


class _Real(str):
    """A JSON number with a fraction or exponent, as text."""

    __slots__ = ()


class _Members(list[tuple[str, Any]]):
    """A JSON object, in which a key may still stand twice."""


def decode(data: bytes, contract: Contract | None = None) -> dict[str, Any]:
    """One record's bytes as field name -> str, int, float or None, with every field of the contract.

    Args:
        data: the record, as it was put into the stream.
        contract: of what; the tick's by default.

    Raises:
        MalformedError: the record cannot be stored in a table of the contract.
    """
    contract = contract or load_contract("tick")
    members = _parse(data)
    fields = _fields_by_name(contract)
    record: dict[str, Any] = dict.fromkeys(contract.field_names)
    seen: set[str] = set()
    for name, value in members:
        if name in seen:
            raise MalformedError("duplicate_field", f"{_quoted(name)} stands twice")
        seen.add(name)
        column = fields.get(name)
        if column is None:
            raise MalformedError(
                "unknown_field", f"{_quoted(name)} is no field of a {contract.name}"
            )
        record[name] = None if value is None else _CONVERT[column.type](name, value)
    for column in contract.fields:
        if column.convertible is not None:
            _check_convertible(column, record[column.name])
    return record


@lru_cache
def _fields_by_name(contract: Contract) -> dict[str, Field]:
    return {column.name: column for column in contract.fields}


def _parse(data: bytes) -> _Members:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(
            "not_utf8", f"byte 0x{data[error.start]:02x} at {error.start} is not UTF-8"
        ) from error
    if text.startswith("\ufeff"):
        raise MalformedError("byte_order_mark", REASONS["byte_order_mark"])
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        trailing = error.msg == "Extra data"
        raise MalformedError(
            "trailing_bytes" if trailing else "not_json", f"{error.msg} at character {error.pos}"
        ) from error
    except RecursionError as error:
        raise MalformedError("not_json", "nested too deeply to read") from error
    if not isinstance(value, _Members):
        raise MalformedError("not_an_object", f"{_kind(value)}, not an object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedError("not_finite", f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_Members,
    parse_int=_Integer,
    parse_float=_Real,
    parse_constant=_refuse_constant,
)


def _to_string(name: str, value: Any) -> str:
    if type(value) is not str:
        raise _wrong_type(name, value, "a text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedError(
            "not_unicode", f"{name} holds half a surrogate pair at character {error.start}"
        ) from error
    return value


def _to_int64(name: str, value: Any) -> int:
    if not isinstance(value, _Integer):
        raise _wrong_type(name, value, "an integer")
    if len(value) <= _INT64_DIGITS:
        number = int(value)
        if INT64_MIN <= number <= INT64_MAX:
            return number
    raise MalformedError("out_of_range", f"{name} = {_quoted(value)} does not fit 64 bits")


def _to_double(name: str, value: Any) -> float:
    if not isinstance(value, (_Integer, _Real)):
        raise _wrong_type(name, value, "a number")
    number = float(value)
    if math.isinf(number):
        raise MalformedError("out_of_range", f"{name} = {_quoted(value)} does not fit a double")
    # An integer has one zero: `-0` is 0.0, only `-0.0` is negative.
    return number + 0.0 if isinstance(value, _Integer) else number


_CONVERT = {"string": _to_string, "int64": _to_int64, "double": _to_double}


def _check_convertible(column: Field, value: int | None) -> None:
    if column.convertible is None:
        return
    if value is None:
        raise MalformedError("no_event_time", f"{column.name} is absent or null")
    low, high = column.convertible
    if not low <= value < high:
        raise MalformedError(
            "event_time_out_of_range",
            f"{column.name} = {value} is outside {format_short(low)} to {format_short(high)}",
        )


def _wrong_type(name: str, value: Any, expected: str) -> MalformedError:
    return MalformedError("wrong_type", f"{name} must be {expected}, it is {_kind(value)}")


def _kind(value: Any) -> str:
    if isinstance(value, _Integer):
        return f"the number {_quoted(value)}"
    if isinstance(value, _Real):
        return f"the number {_quoted(value)} with a fraction or exponent"
    if isinstance(value, str):
        return f"the text {_quoted(value)}"
    if isinstance(value, _Members):
        return "an object"
    if isinstance(value, bool):
        return "a boolean"
    return "null" if value is None else "an array"


def _quoted(text: str) -> str:
    """A record's own text, short and in ASCII: it ends in a terminal and in JSON."""
    return ascii(str(text) if len(text) <= _QUOTED else f"{text[:_QUOTED]}...")
