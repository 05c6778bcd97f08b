"""How a record is mended: what is wrong with it gets another value, what is right stays as it is."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.decode import INT64_MAX, INT64_MIN
from tick_pipeline.contracts.rules import broken_rule
from tick_pipeline.errors import InputError
from tick_pipeline.event_time import format_instant
from tick_pipeline.landing.redrive_records import encode_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tick_pipeline.contracts.contract import Field

_REFERENCE = re.compile(r"\{(\w+)\}")
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_REAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_MARK = "\ufeff"
_MARK_BYTES = _MARK.encode()
_EXACT_INTEGERS = 2**53


@dataclass(frozen=True)
class Mending:
    """What to do to a record that would fail again.

    Attributes:
        sets: field and its new value as text, in which `{other}` stands for the record's own value of
            another field. Used where the field's own value is null or wrong.
        drops: members to leave out, which the contract does not have.
        coerces: values get their field's type where that loses nothing (the text of a number, 3.0 for 3, a
            number for a text), and a byte order mark is left out.
    """

    sets: tuple[tuple[str, str], ...] = ()
    drops: frozenset[str] = frozenset()
    coerces: bool = False

    def __bool__(self) -> bool:
        """Whether it does anything."""
        return bool(self.sets or self.drops or self.coerces)

    def apply(self, data: bytes) -> bytes | None:
        """The mended record, which may still be wrong; None where nothing of it can be mended."""
        found = _members(data, skip_mark=self.coerces)
        if found is None:
            return None
        values, twice = found
        unchanged = None if twice or data.startswith(_MARK_BYTES) else encode_record(values)
        for name in self.drops:
            values.pop(name, None)
            twice.discard(name)
        if self.coerces:
            for column in load_contract("tick").fields:
                if column.name in values:
                    values[column.name] = _coerced(column, values[column.name])
        for name, text in self.sets:
            column = load_contract("tick").field(name)
            if name in twice or not _is_right(column, values):
                values[name] = _filled(column, text, values)
                twice.discard(name)
        mended = encode_record(values)
        # Which of two values was meant, nobody knows.
        return None if twice or mended == unchanged else mended


def parse_mending(
    sets: Sequence[str] = (), drops: Sequence[str] = (), *, coerces: bool = False
) -> Mending:
    """The mending that a user asked for.

    Args:
        sets: `field=value` each.
        drops: names of members.
        coerces: see Mending.

    Raises:
        InputError: one is no `field=value`, names an unknown field, or its value is not of the field's type.
    """
    known = load_contract("tick").field_names
    for name in drops:
        if name in known:
            raise InputError(
                f"--drop {name}: a tick needs it; --set {name}=VALUE gives it another value"
            )
    return Mending(tuple(_parse_set(text) for text in sets), frozenset(drops), coerces)


def _parse_set(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    name, fields = name.strip(), {column.name: column for column in load_contract("tick").fields}
    if not equals or not name:
        raise InputError(f"--set {text}: give it as field=value, as volume=0")
    for unknown in {name, *_REFERENCE.findall(value)} - set(fields):
        raise InputError(
            f"--set {text}: a tick has no field {unknown!r}; it has {', '.join(fields)}"
        )
    if not _REFERENCE.search(value) and _value(fields[name], value) is None:
        raise InputError(
            f"--set {text}: {name} is of type {fields[name].type}, which {value!r} is not"
        )
    return name, value


def _members(data: bytes, *, skip_mark: bool) -> tuple[dict[str, Any], set[str]] | None:
    """A record's members, and the names that stand twice; bytes that are not UTF-8 spoil their text alone."""
    twice: set[str] = set()

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        # The outermost object comes last.
        twice.clear()
        counts = Counter(name for name, _ in pairs)
        twice.update(name for name, count in counts.items() if count > 1)
        return dict(pairs)

    text = data.decode("utf-8", "surrogateescape")
    try:
        document: object = json.loads(
            text.removeprefix(_MARK) if skip_mark else text, object_pairs_hook=collect
        )
    except (ValueError, RecursionError):
        return None
    return (cast("dict[str, Any]", document), twice) if isinstance(document, dict) else None


def _filled(column: Field, text: str, values: Mapping[str, Any]) -> Any:
    """The value that a text gives; None where it takes one from a field that has none that is right."""
    instants = {rule.value for rule in column.rules if rule.name == "iso_of"}

    def own(match: re.Match[str]) -> str:
        other = load_contract("tick").field(match[1])
        value = _typed(other, values.get(other.name))
        if value is None:
            raise LookupError(other.name)
        return format_instant(value) if other.name in instants else str(value)

    try:
        return _value(column, _REFERENCE.sub(own, text))
    except LookupError:
        return None


def _value(column: Field, text: str) -> Any:
    """A text as the field's type; None where it is not."""
    if column.type == "string":
        return _typed(column, text)
    if column.type == "int64":
        return _typed(column, int(text)) if _INTEGER.fullmatch(text.strip()) else None
    return _typed(column, float(text)) if _REAL.fullmatch(text.strip()) else None


def _coerced(column: Field, value: Any) -> Any:
    """A value in its field's type where nothing is lost by it, else as it was."""
    if column.type == "string":
        return str(value) if type(value) is int else value
    if column.type == "int64" and isinstance(value, float):
        whole = value.is_integer() and abs(value) <= _EXACT_INTEGERS
        return int(value) if whole else value
    if isinstance(value, str):
        converted = _value(column, value)
        return value if converted is None else converted
    return value


def _typed(column: Field, value: Any) -> Any:
    """The value where the strict decoder would take it for the field, else None."""
    if column.type == "string":
        return value if isinstance(value, str) and _is_unicode(value) else None
    if column.type == "int64":
        low, high = column.convertible or (INT64_MIN, INT64_MAX + 1)
        return value if type(value) is int and low <= value < high else None
    is_number = type(value) in (int, float) and abs(value) <= sys.float_info.max
    return value if is_number else None


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _is_right(column: Field, values: Mapping[str, Any]) -> bool:
    """Whether a field's value has its type and breaks no rule of its own."""
    contract = load_contract("tick")
    seen = {column.name, *(rule.value for rule in column.rules if rule.name == "iso_of")}
    typed = {name: _typed(contract.field(name), values.get(name)) for name in seen}
    return broken_rule(replace(contract, fields=(column,)), typed) is None
