"""The vectorised conversion equals the strict decoder on any bytes, and is used where it can be."""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
from __future__ import annotations

import json
import math
import struct

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.decode import MalformedError, decode
from tick_pipeline.contracts.rules import broken_rule
from tick_pipeline.landing import convert
from tick_pipeline.landing.convert import Converter
from tick_pipeline_tests.contracts.odd_records import RAW_VALUES, TICK, odd_records


@pytest.fixture(scope="module")
def converter() -> Converter:
    return Converter()


def assert_equal_to_strict(converter: Converter, records: list[bytes]) -> None:
    """The conversion's rows, errors and broken rules are what the strict decoder gives."""
    contract = load_contract("tick")
    rows: list[str] = []
    malformed: list[tuple[int, str, str]] = []
    invalid: dict[str, int] = {}
    for index, data in enumerate(records):
        try:
            record = decode(data)
        except MalformedError as error:
            malformed.append((index, error.reason, str(error)))
            continue
        # repr tells -0.0 from 0.0, and 1 from 1.0
        rows.append(repr(tuple(record.values())))
        rule = broken_rule(contract, record)
        if rule:
            invalid[rule] = invalid.get(rule, 0) + 1
    converted = converter.convert(pa.array(records, pa.binary()))
    got = sorted(repr(tuple(row.values())) for row in converted.rows.to_pylist())
    assert got == sorted(rows)
    assert [(item.index, item.reason, item.message) for item in converted.malformed] == malformed
    assert converted.invalid == invalid


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(odd_records(), min_size=1, max_size=12))
@example([b""])
@example([b"null", b"[]", b"1", b'"x"', b"{}", b"\xef\xbb\xbf{}"])
def test_conversion_equals_the_strict_decoder_on_records_gone_wrong(
    converter: Converter, records: list[bytes]
) -> None:
    assert_equal_to_strict(converter, records)


@pytest.mark.soak
@settings(max_examples=10_000, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(odd_records(), min_size=5, max_size=20))
def test_conversion_equals_the_strict_decoder_on_very_many_records_gone_wrong(
    converter: Converter, records: list[bytes]
) -> None:
    assert_equal_to_strict(converter, records)


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20))
def test_conversion_equals_the_strict_decoder_on_any_bytes(
    converter: Converter, records: list[bytes]
) -> None:
    assert_equal_to_strict(converter, records)


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_every_odd_value_in_every_field_converts_as_the_strict_decoder_says(
    converter: Converter, separators: tuple[str, str]
) -> None:
    """The same odd texts in canonical and in spaced records: the first two tiers see each."""
    comma, colon = separators
    records: list[bytes] = []
    for field in TICK:
        for value in RAW_VALUES:
            texts = {key: json.dumps(item) for key, item in TICK.items()} | {field: value}
            body = comma.join(f'"{key}"{colon}{text}' for key, text in texts.items())
            records.append(("{" + body + "}").encode())
    assert_equal_to_strict(converter, records)


def test_conversion_keeps_doubles_bit_for_bit(converter: Converter) -> None:
    prices = [0.1, 1e22, 1e23, 5e-324, 1.7976931348623157e308, 123456789.12345678, math.pi, -0.0]
    records = [json.dumps({**TICK, "price": price}).encode() for price in prices]
    converted = converter.convert(pa.array(records, pa.binary()))
    got = converted.rows.column("price").to_pylist()
    assert [struct.pack("<d", price) for price in got] == [struct.pack("<d", p) for p in prices]


def test_nothing_converts_to_no_rows(converter: Converter) -> None:
    converted = converter.convert(pa.array([], pa.binary()))
    assert converted.rows.num_rows == 0
    assert converted.malformed == []


def test_deep_nesting_is_malformed_and_crashes_nothing(converter: Converter) -> None:
    for depth in (100, 5_000, 200_000):
        records = [b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth]
        converted = converter.convert(pa.array(records, pa.binary()))
        assert len(converted.malformed) == 2


def test_canonical_records_never_reach_the_slow_tiers(
    converter: Converter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a canonical record left the fast path")

    monkeypatch.setattr(converter, "_tolerant", refuse)
    monkeypatch.setattr(convert, "decode", refuse)
    records = [json.dumps(TICK, separators=(",", ":")).encode()] * 10
    assert converter.convert(pa.array(records, pa.binary())).rows.num_rows == 10


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(TICK),
        json.dumps(dict(reversed(TICK.items()))),
        json.dumps({**TICK, "price": 101, "volume": 3}),
        json.dumps({key: value for key, value in TICK.items() if key != "volume"}),
        json.dumps(TICK, indent=2) + "\n",
        json.dumps({**TICK, "source": "Börse"}, ensure_ascii=False),
    ],
)
def test_other_valid_forms_do_not_need_the_strict_decoder(
    converter: Converter, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Another key order, white space, an integer for a double or an absent field is no slow path."""

    def refuse(*_: object) -> None:
        raise AssertionError("the strict decoder was needed")

    monkeypatch.setattr(convert, "decode", refuse)
    converted = converter.convert(pa.array([text.encode()], pa.binary()))
    assert converted.rows.num_rows == 1
