"""Encoding: what is put reads back as the same values, and nothing invalid is put."""
# pyarrow has no types:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import json
import math
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.rules import broken_rule
from tick_pipeline.contracts.types import duckdb_columns
from tick_pipeline.errors import StreamError
from tick_pipeline.event_time import MAX_EVENT_US, MIN_EVENT_US, format_instant
from tick_pipeline.producer.encode import encode_ticks, invalid_rows, send, tick_schema
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.producer.memory_stream import MemoryStream

TICK: dict[str, Any] = {
    "event_id": "sim-1:AAPL:1",
    "source": "sim-1",
    "sequence": 1,
    "symbol": "AAPL",
    "price": 187.43,
    "volume": 100.0,
    "event_ts": 1_767_225_600_000_001,
    "event_time": "2026-01-01T00:00:00.000001Z",
    "sent_ts": 1_767_225_600_000_500,
}
_INT64 = st.integers(-(2**63), 2**63 - 1)


def ticks_of(*records: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(records), schema=tick_schema())


@given(
    text=st.text(max_size=40).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)),
    sequence=_INT64,
    price=st.floats(allow_nan=False, allow_infinity=False),
)
@example(text='a"b\\c/\x00\x1f\x7f\u2028é𝄞', sequence=2**62 + 1, price=5e-324)
@example(text="", sequence=0, price=-0.0)
@example(text="x", sequence=1, price=1.7976931348623157e308)
def test_every_value_reads_back_as_it_was(text: str, sequence: int, price: float) -> None:
    """Any string, any int64, any finite double: also the bits of the double."""
    record = TICK | {"event_id": text, "sequence": sequence, "price": price}
    (encoded,) = encode_ticks(ticks_of(record)).to_pylist()
    decoded = json.loads(encoded.decode("utf-8"))
    assert decoded == record
    assert list(decoded) == list(load_contract("tick").field_names)
    assert math.copysign(1, decoded["price"]) == math.copysign(1, price)


def test_the_text_is_compact_and_members_stand_in_the_contracts_order() -> None:
    (encoded,) = encode_ticks(ticks_of(TICK)).to_pylist()
    assert encoded == json.dumps(TICK, separators=(",", ":")).encode()


def test_landing_can_take_the_text_at_once() -> None:
    """DuckDB reads the record and writes the same text again."""
    records = encode_ticks(ticks_of(TICK, TICK | {"price": 1e22, "volume": 0.0001}))
    shape = json.dumps(duckdb_columns(load_contract("tick"), StorageMode.PARQUET_PROJECTION))
    with duckdb.connect() as connection:
        for record in records.to_pylist():
            text = record.decode()
            row = connection.execute(
                "select to_json(from_json(?, ?))::varchar", [text, shape]
            ).fetchone()
            assert row == (text,)


def test_a_null_is_written_as_null_and_nothing_else_is_lost() -> None:
    (encoded,) = encode_ticks(ticks_of(TICK | {"price": None})).to_pylist()
    assert json.loads(encoded) == TICK | {"price": None}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_without_a_json_text_is_refused(value: float) -> None:
    with pytest.raises(StreamError, match="tick 1 of 2 breaks the rule volume_finite"):
        encode_ticks(ticks_of(TICK, TICK | {"volume": value}))


def test_no_ticks_encode_to_no_records() -> None:
    assert len(encode_ticks(tick_schema().empty_table())) == 0
    assert invalid_rows(tick_schema().empty_table()).num_rows == 0
    assert send(MemoryStream(), tick_schema().empty_table()).accepted == 0


@given(
    event_ts=_INT64 | st.none() | st.sampled_from([MIN_EVENT_US, MAX_EVENT_US - 1]),
    price=st.floats() | st.none(),
    volume=st.floats() | st.none(),
    symbol=st.sampled_from(["AAPL", "", "a b", "ä", "x" * 33, "A\n", None]),
    sequence=st.sampled_from([1, 0, -1, None]),
)
def test_a_row_is_invalid_exactly_when_the_record_is(
    event_ts: int | None,
    price: float | None,
    volume: float | None,
    symbol: str | None,
    sequence: int | None,
) -> None:
    """The vectorised validation names the same rule as the one of single records."""
    usable = event_ts is None or MIN_EVENT_US <= event_ts < MAX_EVENT_US
    record = TICK | {
        "event_ts": event_ts,
        "event_time": format_instant(event_ts) if usable and event_ts is not None else "x",
        "price": price,
        "volume": volume,
        "symbol": symbol,
        "sequence": sequence,
    }
    expected = broken_rule(load_contract("tick"), record) if usable else "event_ts_convertible"
    found = invalid_rows(ticks_of(TICK, record)).to_pylist()
    assert found == ([] if expected is None else [{"row": 1, "reason": expected}])


def test_send_puts_records_under_their_symbol() -> None:
    stream = MemoryStream()
    other = TICK | {"symbol": "MSFT", "event_id": "sim-1:MSFT:1"}
    result = send(stream, ticks_of(TICK, other))
    assert (result.accepted, result.rejected) == (2, 0)
    assert [key for key, _ in stream.records] == ["AAPL", "MSFT"]
    assert json.loads(stream.records[1][1]) == other


def test_send_refuses_an_invalid_row_and_puts_nothing() -> None:
    stream = MemoryStream()
    with pytest.raises(StreamError, match=r"tick 1 of 2 breaks the rule price_exclusive_minimum"):
        send(stream, ticks_of(TICK, TICK | {"price": 0.0}))
    assert stream.records == []
