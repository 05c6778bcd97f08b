"""How records are mended: what is wrong gets another value, what is right stays, and nothing is guessed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.contracts.decode import decode
from tick_pipeline.errors import InputError
from tick_pipeline.event_time import format_instant
from tick_pipeline.landing.redrive_mending import parse_mending
from tick_pipeline.landing.redrive_records import Kind, encode_record, fault_of
from tick_pipeline.producer.bad_records import BAD_KINDS
from tick_pipeline_tests.contracts.broken_ticks import BROKEN, GOOD

if TYPE_CHECKING:
    from tick_pipeline.producer.bad_records import BadKind

#: One value for each field that is right by itself, and goes with the others of GOOD.
EVERY_FIELD = (
    "event_id={source}:{symbol}:{sequence}",
    "source=b",
    "sequence=7",
    "symbol=XYZ",
    "price=2.5",
    "volume=0",
    f"event_ts={GOOD['event_ts']}",
    "event_time={event_ts}",
    "sent_ts={event_ts}",
)


def mended(data: bytes, *sets: str, drops: tuple[str, ...] = (), coerces: bool = False) -> Any:
    """The mended record's members; None where nothing could be mended."""
    made = parse_mending(sets, drops, coerces=coerces).apply(data)
    return None if made is None else json.loads(made)


@pytest.mark.parametrize(("change", "rule"), BROKEN, ids=[rule for _, rule in BROKEN])
def test_any_broken_rule_is_mended_by_a_value_for_its_field(
    change: dict[str, Any], rule: str
) -> None:
    """And what was right is as it was, though a value was given for every field."""
    record = {**GOOD, **change}
    data = encode_record(record)
    made = parse_mending([*EVERY_FIELD]).apply(data)
    assert made is not None, rule
    assert fault_of(made, None) is None
    changed = {name for name, value in decode(made).items() if value != record[name]}
    assert changed <= {*change, "event_time"}
    assert fault_of(data, None) is not None


@pytest.mark.parametrize("kind", BAD_KINDS, ids=[kind.name for kind in BAD_KINDS])
def test_each_kind_of_bad_record_is_mended_or_left(kind: BadKind) -> None:
    """Cut off, doubled, an array: nobody knows what was meant. Of the others, one value at most is another one."""
    made = parse_mending([*EVERY_FIELD], ["venue"], coerces=True).apply(kind.spoil(dict(GOOD)))
    if kind.reason in ("not_json", "trailing_bytes", "not_an_object"):
        assert made is None
        return
    assert made is not None
    assert fault_of(made, None) is None
    assert len([name for name, value in decode(made).items() if value != GOOD[name]]) <= 1


def test_a_value_that_is_right_stays() -> None:
    """A slip of the pen cannot give thousands of ticks one identity."""
    data = encode_record({**GOOD, "price": None})
    assert mended(data, "price=5", "event_id=x", "source=x", "sequence=9", "symbol=X") == {
        **GOOD,
        "price": 5.0,
    }
    assert mended(encode_record(GOOD), "price=5") is None


def test_the_text_of_an_instant_is_that_of_another_field() -> None:
    data = encode_record({**GOOD, "event_time": None, "sent_ts": None})
    found = mended(data, "event_time={event_ts}", "sent_ts={event_ts}")
    assert found == GOOD
    assert found["event_time"] == format_instant(GOOD["event_ts"])


def test_values_are_set_in_the_order_given() -> None:
    data = encode_record({**GOOD, "event_ts": 5, "event_time": "x"})
    text = f"event_ts={GOOD['event_ts']}"
    assert mended(data, text, "event_time={event_ts}") == GOOD
    assert mended(data, "event_time={event_ts}", text)["event_time"] is None


@pytest.mark.parametrize(
    ("field", "given_value", "becomes"),
    [
        ("price", "187.25", 187.25),
        ("price", "1e3", 1000.0),
        ("price", "many", "many"),
        ("price", "nan", "nan"),
        ("price", "1e400", "1e400"),
        ("price", None, None),
        ("sequence", "12", 12),
        ("sequence", 3.0, 3),
        ("sequence", 3.5, 3.5),
        ("sequence", 1e300, 1e300),
        ("sequence", True, True),
        ("symbol", 600000, "600000"),
        ("symbol", 6.5, 6.5),
    ],
)
def test_only_what_loses_nothing_is_coerced(field: str, given_value: Any, becomes: Any) -> None:
    data = encode_record({**GOOD, field: given_value, "volume": "3"})
    found = mended(data, coerces=True)
    assert found == {**GOOD, field: becomes, "volume": 3.0}
    assert type(found[field]) is type(becomes)


def test_of_a_field_that_stands_twice_only_a_given_value_is_taken() -> None:
    data = encode_record(GOOD)[:-1] + b',"price":7}'
    assert mended(data, "volume=1", coerces=True) is None
    assert mended(data, "price=8")["price"] == 8.0
    nested = encode_record(GOOD)[:-1] + b',"venue":{"a":1,"a":2}}'
    assert mended(nested, drops=("venue",)) == GOOD


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"3", b'"a"', b"\xff", b"[" * 100_000, b'{"sequence":' + b"9" * 5000 + b"}"],
)
def test_what_cannot_be_read_is_not_mended(data: bytes) -> None:
    assert parse_mending(["price=1"], coerces=True).apply(data) is None


@pytest.mark.parametrize("number", ["9" * 400, "1e400", "-Infinity", "NaN"])
def test_numbers_beyond_all_bounds_are_wrong_and_can_be_set(number: str) -> None:
    data = encode_record({**GOOD, "price": 0}).replace(b'"price":0', f'"price":{number}'.encode())
    assert mended(data, "price=1.5") == {**GOOD, "price": 1.5}


@pytest.mark.parametrize(
    ("sets", "drops", "told"),
    [
        (["price"], [], "--set price: give it as field=value"),
        (["=1"], [], "--set =1: give it as field=value"),
        (["prise=1"], [], "a tick has no field 'prise'; it has event_id, source, sequence"),
        (["price={prise}"], [], "a tick has no field 'prise'"),
        (["price=abc"], [], "price is of type double, which 'abc' is not"),
        (["price=inf"], [], "price is of type double, which 'inf' is not"),
        (["sequence=1.5"], [], "sequence is of type int64, which '1.5' is not"),
        (["sequence=" + "9" * 19], [], "sequence is of type int64"),
        (["event_ts=5"], [], "event_ts is of type int64"),
        ([], ["price"], "--drop price: a tick needs it; --set price=VALUE"),
    ],
)
def test_a_mending_that_cannot_be_is_one_line(sets: list[str], drops: list[str], told: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_mending(sets, drops)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_text_from_a_field_that_is_wrong_itself_gives_nothing() -> None:
    data = encode_record({**GOOD, "event_ts": None, "sent_ts": None})
    assert fault_of(parse_mending(["sent_ts={event_ts}"]).apply(data) or data, None) is not None
    wrong = encode_record({**GOOD, "price": None})
    assert mended(wrong, "price={symbol}") is None


def test_a_tick_older_than_the_partitions_would_fail_again() -> None:
    found = fault_of(encode_record(GOOD), GOOD["event_ts"] + 1)
    assert found is not None
    assert (found.kind, found.reason) == (Kind.INVALID, "before_partitions_start")
    assert fault_of(encode_record(GOOD), GOOD["event_ts"]) is None
