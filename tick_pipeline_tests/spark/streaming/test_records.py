"""Spark's reading of records, then the strict decoder's: together what the strict decoder says alone."""

# pyspark's and pyarrow's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tick_pipeline.contracts.canonical import REPLACEMENT, canonical_pattern
from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.decode import REASONS, MalformedError, decode
from tick_pipeline.contracts.rules import broken_rule
from tick_pipeline.contracts.types import spark_schema
from tick_pipeline.event_time import MAX_EVENT_US, MIN_EVENT_US, format_instant
from tick_pipeline.producer.encode import encode_ticks, tick_schema
from tick_pipeline.spark.streaming.records import READ, RECORDS, collect, decoded, parsed
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.contracts.broken_ticks import BROKEN, GOOD
from tick_pipeline_tests.contracts.odd_records import RAW_VALUES, TICK, odd_records
from tick_pipeline_tests.spark.streaming.drawing import drawn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline_tests.spark.lake import Lake

CONTRACT = load_contract("tick")
MEASURED = ("symbol", "sequence", "price", "volume", "event_id")
_HEALTHY = [HealthCheck.too_slow, HealthCheck.filter_too_much]
spark = pytest.mark.spark

#: Bytes of every kind that a producer, or whoever else holds the stream's name, may put.
ODD = (
    *(b"", b"\x00", b"null", b"[]", b"{}", b"{", b"}", b"\xff", b"\xef\xbb\xbf{}", b" {} "),
    *(b"[" * 5000 + b"]" * 5000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b'"' + b"a" * 100_000),
)
#: Texts that stand in a string as they are: some no UTF-8, some a decoder's replacement of such.
IN_A_TEXT = (
    *(b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80"),
    *(b"\xef\xbf\xbd", b"\xf0\x9f\x98", b"\xc3", b"\x80", b"\x00", b"\x1f", b"\n", b"\x7f"),
    *(b"\xe2\x80\xa8", b"\xc2\x85", b"\xef\xbb\xbf", b"\xf0\x9f\x98\x80", b"\\ud800", b"\\u0041"),
    *(b"\\ufffd", b"\\n", b"$", b"\\", b'"', b"a" * 70_000),
)


def canonical(values: dict[str, Any]) -> bytes:
    """A record as the producer writes it."""
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()


def with_text(name: str, text: str) -> bytes:
    """A canonical record but for one member, written as given."""
    members = {key: json.dumps(value) for key, value in TICK.items()} | {name: text}
    return ("{" + ",".join(f'"{key}":{value}' for key, value in members.items()) + "}").encode()


def read(lake: Lake, records: Sequence[bytes]) -> pa.Table:
    """READ as Spark gives it: `data` is null where Spark knew."""
    rows = [("shard-0000", str(position), bytearray(data)) for position, data in enumerate(records)]
    schema = "shardId string, sequenceNumber string, data binary"
    stream = lake.spark.createDataFrame(rows, schema).selectExpr(
        "*", "timestamp_micros(5) as approximateArrivalTimestamp"
    )
    return collect(parsed(stream), READ)


def strict(data: bytes) -> dict[str, Any] | None:
    """What the kernel must get of a record; None where it is no valid tick."""
    try:
        tick = decode(data)
    except MalformedError:
        return None
    if broken_rule(CONTRACT, tick) is not None:
        return None
    return {name: tick[name] for name in MEASURED} | {"event_us": tick["event_ts"]}


def assert_equal_to_strict(lake: Lake, records: Sequence[bytes]) -> None:
    """The kernel gets of each record what the strict decoder and the rules say, in the records' order."""
    rows = decoded(read(lake, records))
    assert rows.schema == RECORDS
    assert rows["position"].to_pylist() == [str(position) for position in range(len(records))]
    for data, row in zip(records, rows.to_pylist(), strict=True):
        tick = strict(data)
        got = None if row["event_us"] is None else {name: row[name] for name in tick or row}
        assert got == tick, data
        assert (row["shard"], row["arrival_us"]) == ("shard-0000", 5)


@spark
def test_reading_equals_the_strict_decoder_on_records_gone_wrong(lake: Lake) -> None:
    assert_equal_to_strict(lake, drawn(odd_records(), 800))


@pytest.mark.soak
@spark
def test_reading_equals_the_strict_decoder_on_very_many_records_gone_wrong(lake: Lake) -> None:
    for _ in range(10):
        assert_equal_to_strict(lake, drawn(odd_records(), 2000))
        assert_equal_to_strict(lake, drawn(compact_records(), 2000))


@st.composite
def compact_records(draw: st.DrawFn) -> bytes:
    """A canonical record with any number and any text that JSON has, near the ends of their types."""
    digits = st.from_regex(r"-?[0-9]{1,35}(\.[0-9]{1,45})?([eE][+-]?[0-9]{1,5})?", fullmatch=True)
    texts = st.text(max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False))
    numbers = st.floats(allow_nan=False, allow_infinity=False).map(repr)
    value = draw(st.one_of(digits, numbers, st.integers(-(2**64), 2**64).map(str), texts))
    return with_text(draw(st.sampled_from(list(TICK))), value)


@spark
def test_reading_equals_the_strict_decoder_on_any_number_text_or_bytes(lake: Lake) -> None:
    assert_equal_to_strict(lake, drawn(compact_records(), 500) + drawn(st.binary(max_size=40), 100))


@spark
def test_reading_equals_the_strict_decoder_on_every_odd_value_in_every_field(lake: Lake) -> None:
    """As a value, and inside of each text: no UTF-8, its replacement, halves of pairs, control characters."""
    values = [with_text(name, value) for name in TICK for value in RAW_VALUES]
    texts = [
        canonical(TICK | {name: "MARK"}).replace(b"MARK", text)
        for name in ("event_id", "source", "symbol", "event_time")
        for text in IN_A_TEXT
    ]
    assert_equal_to_strict(lake, [*values, *texts, *ODD])
    reasons = {reason_of(data) for data in [*values, *texts, *ODD]}
    wanted = {*REASONS, None} - {"duplicate_field", "unknown_field", "trailing_bytes"}
    assert wanted <= reasons


def reason_of(data: bytes) -> str | None:
    """Why a record is malformed; None where it is not."""
    try:
        decode(data)
    except MalformedError as error:
        return error.reason
    return None


@spark
def test_reading_equals_the_strict_decoder_on_other_forms_of_a_good_record(lake: Lake) -> None:
    good = canonical(TICK)
    forms = [
        *(b" " + good, good + b"\n", good + b"\r\n", good + b" ", b"\xef\xbb\xbf" + good),
        *(
            good + good,
            good + b"x",
            good + b"\x00",
            good[:-1],
            good[:-1] + b",}",
            b"[" + good + b"]",
        ),
        *(json.dumps(TICK).encode(), json.dumps(TICK, indent=1).encode()),
        canonical(dict(reversed(TICK.items()))),
        *(canonical({key: TICK[key] for key in TICK if key != name}) for name in TICK),
        *(canonical(TICK | {name: None}) for name in TICK),
        *(canonical(TICK | {"more": value}) for value in (1, None)),
        *(good[:-1] + b',"%s":%s}' % (name.encode(), b"1") for name in TICK),
        *(good.replace(b'"%s"' % name.encode(), b'"%s "' % name.encode()) for name in TICK),
        good.replace(b'"price"', b'"PRICE"'),
        good.replace(b'"price"', b'"pri\\u0063e"'),
        canonical(TICK | {"price": 101, "volume": 0}),
        canonical(TICK | {"volume": -0.0}),
        *(at_moment(MIN_EVENT_US), at_moment(MAX_EVENT_US - 1)),
        *(at_moment(MIN_EVENT_US - 1), at_moment(MAX_EVENT_US)),
        *(
            canonical(TICK | {"event_ts": us})
            for us in (10**17, -(10**17), 999_999_999_999_999_999)
        ),
    ]
    assert_equal_to_strict(lake, forms)
    assert sum(strict(data) is not None for data in forms) > 8


def at_moment(us: int) -> bytes:
    """A record that is valid but for its event time, perhaps."""
    return canonical(TICK | {"event_ts": us, "event_time": format_instant(us)})


@spark
def test_reading_knows_every_rule(lake: Lake) -> None:
    finite = [
        changes
        for changes, _ in BROKEN
        if all(math.isfinite(value) for value in changes.values() if isinstance(value, float))
    ]
    records = [canonical(GOOD), *(canonical(GOOD | changes) for changes in finite)]
    assert_equal_to_strict(lake, records)
    assert [strict(data) is not None for data in records] == [True] + [False] * len(finite)


@spark
def test_the_producers_records_need_no_strict_decoder(lake: Lake) -> None:
    """Also with the smallest and largest doubles, long ones, and texts of any language."""
    doubles = [
        5e-324,
        2.2250738585072014e-308,
        1e-7,
        0.1,
        1 / 3,
        3.0,
        1e15,
        1e16,
        123456789.123456789,
    ]
    doubles += [1e22, 1e23, 2.0**63, 1.7976931348623157e308]
    rows = [TICK | {"price": value, "volume": value} for value in doubles]
    rows += [TICK | {"source": text} for text in ("Börse", "東京", "😀", "a b", "'")]
    rows += [TICK | {"sequence": 10**18 - 1}]
    records = encode_ticks(pa.Table.from_pylist(rows, tick_schema())).to_pylist()
    table = read(lake, records)
    assert table["data"].null_count == len(records)
    assert table["price"].to_pylist() == [row["price"] for row in rows]
    assert table["event_us"].null_count == 0
    assert_equal_to_strict(lake, records)


@spark
def test_what_is_not_canonical_is_left_to_the_strict_decoder(lake: Lake) -> None:
    records = [canonical(TICK), json.dumps(TICK).encode(), b"\xff", with_text("sequence", "1.0")]
    assert read(lake, records)["data"].to_pylist() == [None, *records[1:]]


def test_nothing_to_read_are_no_records() -> None:
    assert decoded(READ.empty_table()).equals(RECORDS.empty_table())


def is_canonical(data: bytes) -> bool:
    """As Java's expressions say, by Python's, whose older versions know no possessive ones."""
    pattern = canonical_pattern(CONTRACT)
    assert pattern.endswith(r"\z")
    greedy = re.sub(r"(?<=[*}?+])\+", "", pattern.removesuffix(r"\z"))
    text = data.decode("utf-8", "replace")
    if REPLACEMENT in text or any(character < " " for character in text):
        return False
    return re.search(greedy + r"\Z", text) is not None


@settings(max_examples=300, suppress_health_check=_HEALTHY)
@given(st.one_of(odd_records(), compact_records()))
def test_a_canonical_record_is_not_malformed_but_by_its_range(data: bytes) -> None:
    """Then Python's lenient reader and the strict one agree, so that any reader may take it."""
    if not is_canonical(data):
        return
    assert reason_of(data) in {None, "out_of_range", "event_time_out_of_range"}
    text = data.decode()
    assert list(json.loads(text)) == list(CONTRACT.field_names)
    if reason_of(data) is None:
        assert json.loads(text) == decode(data)


def test_the_pattern_takes_each_good_form_and_refuses_each_other() -> None:
    good = canonical(TICK)
    assert is_canonical(good)
    assert is_canonical(with_text("price", "1e-7"))
    for other in (good + b"\n", good + b" ", b" " + good, json.dumps(TICK).encode(), good * 2):
        assert not is_canonical(other)


@spark
def test_the_pattern_means_the_same_to_java(lake: Lake) -> None:
    records = [with_text(name, value) for name in TICK for value in RAW_VALUES]
    records += [canonical(TICK | {"source": "MARK"}).replace(b"MARK", text) for text in IN_A_TEXT]
    table = read(lake, records)
    assert [data is None for data in table["data"].to_pylist()] == [
        is_canonical(data) for data in records
    ]


def test_the_kernel_gets_the_contracts_types() -> None:
    types = {
        field.name: field.dataType.typeName()
        for field in spark_schema(CONTRACT, StorageMode.PARQUET_PROJECTION)
    }
    names = {"string": "string", "long": "int64", "double": "double"}
    for name in MEASURED:
        assert str(RECORDS.field(name).type) == names[types[name]]
