"""Every kind of malformed record has its reason; what is merely invalid is decoded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.decode import REASONS, MalformedError, decode
from tick_pipeline.contracts.rules import broken_rule
from tick_pipeline.event_time import MAX_EVENT_US, MIN_EVENT_US

GOOD = (
    b'{"event_id":"a:1","source":"s","sequence":1,"symbol":"A","price":1.5,"volume":2,'
    b'"event_ts":1767225600000000,"event_time":"2026-01-01T00:00:00.000000Z",'
    b'"sent_ts":1767225600000000}'
)
MALFORMED = {
    "not_utf8": [b"\xff", GOOD.replace(b"a:1", b"\xc3"), b"\xed\xa0\x80"],
    "byte_order_mark": [b"\xef\xbb\xbf" + GOOD],
    "not_json": [
        b"",
        b"  ",
        b"{",
        GOOD[:-1],
        GOOD.replace(b"1.5", b"01.5"),
        b"{'a':1}",
        b"[" * 10**5,
    ],
    "not_finite": [GOOD.replace(b"1.5", text) for text in (b"NaN", b"Infinity", b"-Infinity")],
    "not_an_object": [b"null", b"1", b'"x"', b"[" + GOOD + b"]", b"true"],
    "trailing_bytes": [GOOD + GOOD, GOOD + b"x", GOOD + b"\x00", GOOD + b","],
    "duplicate_field": [GOOD.replace(b'"volume"', b'"price"'), GOOD[:-1] + b',"sent_ts":null}'],
    "unknown_field": [GOOD.replace(b"volume", b"Volume"), GOOD[:-1] + b',"extra":null}'],
    "wrong_type": [
        GOOD.replace(b"1.5", b'"1.5"'),
        GOOD.replace(b"1.5", b"true"),
        GOOD.replace(b'"a:1"', b"1"),
        GOOD.replace(b'"a:1"', b"[]"),
        *(
            GOOD.replace(b'sequence":1', b'sequence":' + text)
            for text in (b"1.0", b"1e3", b"true", b'"1"', b"{}")
        ),
    ],
    "not_unicode": [GOOD.replace(b"a:1", b"\\ud800")],
    "out_of_range": [
        GOOD.replace(b"1.5", b"1e400"),
        GOOD.replace(b"1.5", b"-" + b"9" * 400),
        GOOD.replace(b'sequence":1', b'sequence":9223372036854775808'),
        GOOD.replace(b'sequence":1', b'sequence":' + b"1" * 9999),
    ],
    "no_event_time": [
        b"{}",
        GOOD.replace(b'"event_ts":1767225600000000,', b""),
        b'{"event_ts":null}',
    ],
    "event_time_out_of_range": [
        b'{"event_ts":%d}' % value for value in (0, -1, MIN_EVENT_US - 1, MAX_EVENT_US, 2**63 - 1)
    ],
}


def test_every_reason_has_an_example() -> None:
    assert list(MALFORMED) == list(REASONS)


def test_the_documentation_lists_every_reason() -> None:
    text = (Path(__file__).parents[2] / "docs/landing.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(REASONS)


@pytest.mark.parametrize(
    ("reason", "data"), [(reason, data) for reason, every in MALFORMED.items() for data in every]
)
def test_a_malformed_record_is_refused_with_its_reason_in_one_short_line(
    reason: str, data: bytes
) -> None:
    with pytest.raises(MalformedError) as caught:
        decode(data)
    message = str(caught.value)
    assert caught.value.reason == reason
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 200


@pytest.mark.parametrize("around", [b" %s ", b"\n%s\r\n", b"\t%s"])
def test_white_space_around_the_object_is_json(around: bytes) -> None:
    assert decode(around % GOOD) == decode(GOOD)


@pytest.mark.parametrize("event_ts", [MIN_EVENT_US, MAX_EVENT_US - 1])
def test_the_first_and_the_last_instant_of_the_range_can_be_stored(event_ts: int) -> None:
    assert decode(b'{"event_ts":%d}' % event_ts)["event_ts"] == event_ts


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ((b'"source":"s"', b'"source":null'), "source_null"),
        ((b'"source":"s",', b""), "source_null"),
        ((b'"symbol":"A"', b'"symbol":"A B"'), "symbol_pattern"),
        ((b"1.5", b"-1"), "price_exclusive_minimum"),
        ((b'"volume":2', b'"volume":-2'), "volume_minimum"),
        ((b'sequence":1', b'sequence":0'), "sequence_minimum"),
        ((b".000000Z", b"Z"), "event_time_iso_of"),
    ],
)
def test_an_invalid_record_is_decoded_and_breaks_its_rule(
    change: tuple[bytes, bytes], rule: str
) -> None:
    record: dict[str, Any] = decode(GOOD.replace(*change))
    assert broken_rule(load_contract("tick"), record) == rule
