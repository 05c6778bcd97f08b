"""Strategies for records of the stream that went wrong, near JSON and far from it."""

from __future__ import annotations

import json
import struct
from typing import Any

from hypothesis import strategies as st

from tick_pipeline.event_time import MAX_EVENT_US, MIN_EVENT_US

TICK: dict[str, Any] = {
    "event_id": "sim-1:AAPL:1",
    "source": "sim-1",
    "sequence": 1,
    "symbol": "AAPL",
    "price": 101.25,
    "volume": 3.0,
    "event_ts": 1_767_225_600_000_000,
    "event_time": "2026-01-01T00:00:00.000000Z",
    "sent_ts": 1_767_225_600_000_123,
}
#: Values as JSON text that a producer, or its bug, may write for any field.
RAW_VALUES = (
    *("null", "true", "false", "[]", "{}", "[1]", '{"a":1,"a":2}', '""', '"x"', '"1"', '"NaN"'),
    *("0", "-0", "-0.0", "0.0", "1.0", "1.5", "1e3", "1E3", "1e-3", "1e400", "-1e400", "1e-400"),
    *("NaN", "Infinity", "-Infinity", "nan", "inf", "+1", "01", "1.", ".5", "0x10", "--1", "1_000"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"),
    *("18446744073709551615", "18446744073709551616", "1" * 400, "1" * 5000, "0." + "1" * 400),
    *(
        "123456789012345678",
        "0.1",
        "0.30000000000000004",
        "100.10",
        "1e22",
        "1e23",
        "5e-324",
        "2e308",
    ),
    *(
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "2.2250738585072011e-308",
        "9007199254740993",
    ),
    *(
        '"\\u0041"',
        '"\\u0000"',
        '"\\ud800"',
        '"\\ud83d\\ude00"',
        '"\\udc00\\ud800"',
        '"\\/"',
        '"\\x"',
    ),
    *(
        '"\\""',
        '"\\\\"',
        '"a\tb"',
        '"\x7f"',
        '"é"',
        '"😀"',
        '"\u2028"',
        '"\ufeff"',
        "'x'",
        '"unclosed',
    ),
    *(str(MIN_EVENT_US), str(MIN_EVENT_US - 1), str(MAX_EVENT_US), str(MAX_EVENT_US - 1), ""),
    *("/**/1", "1 ", "\t1", "\v1", "\u00a01", "1,", ",1"),
)
SURROUNDINGS = (
    *(
        b"",
        b" ",
        b"\n",
        b"\r\n",
        b"\t",
        b"\v",
        b"\x00",
        b"\xef\xbb\xbf",
        b"\xff",
        b"{}",
        b"x",
        b",",
        b"//c",
    ),
    *(b"null", b"\xc2\xa0", b"[", b"]", b"}", b"\xed\xa0\x80"),
)

_bits = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])
_numbers = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.integers(MIN_EVENT_US - 2, MIN_EVENT_US + 2).map(str),
    st.integers(MAX_EVENT_US - 2, MAX_EVENT_US + 2).map(str),
    st.floats().map(repr),
    _bits.map(repr),
    st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
_texts = st.text(max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False))
_escaped = st.text(st.characters(exclude_categories=()), max_size=8).map(json.dumps)
_values = st.one_of(st.sampled_from(RAW_VALUES), _numbers, _texts, _escaped)
_keys = st.one_of(st.sampled_from([*TICK, "extra", "Price", "price ", ""]), st.text(max_size=4))


Members = list[tuple[str, str]]


def _change(draw: st.DrawFn, members: Members) -> None:
    """One change of a record's members that may make it malformed, invalid, or neither."""
    place = draw(st.integers(0, len(members) - 1))
    key, value = members[place]
    match draw(
        st.sampled_from(["value", "value", "value", "drop", "add", "duplicate", "swap", "rename"])
    ):
        case "value":
            members[place] = (key, draw(_values))
        case "drop" if len(members) > 1:
            members.pop(place)
        case "add":
            new = json.dumps(draw(_keys), ensure_ascii=draw(st.booleans()))
            members.insert(place, (new, draw(_values)))
        case "duplicate":
            members.append((key, draw(st.sampled_from([value, "null"]))))
        case "rename":
            members[place] = (json.dumps(draw(_keys)), value)
        case _:
            members.append(members.pop(place))


@st.composite
def odd_records(draw: st.DrawFn) -> bytes:
    """A good record after some changes that stay close to JSON, then some that need not."""
    members = [(json.dumps(key), json.dumps(value)) for key, value in TICK.items()]
    for _ in range(draw(st.integers(0, 3))):
        _change(draw, members)
    # Most records stay JSON: it is there that the tiers could differ.
    also = draw(st.sampled_from(["", "", "", "", "white space", "punctuation", "around", "bytes"]))
    comma, colon, end = ",", ":", "}"
    if also == "white space":
        comma, colon = (
            draw(st.sampled_from([", ", ",\n", " ,"])),
            draw(st.sampled_from([": ", " :\t"])),
        )
    elif also == "punctuation":
        comma, colon = draw(st.sampled_from([",", ",,"])), draw(st.sampled_from([":", "::"]))
        end = draw(st.sampled_from([",}", "]", "", "}}"]))
    text = "{" + comma.join(f"{key}{colon}{value}" for key, value in members) + end
    data = text.encode("utf-8", "surrogatepass")
    if also == "around":
        data = draw(st.sampled_from(SURROUNDINGS)) + data + draw(st.sampled_from(SURROUNDINGS))
    elif also == "bytes":
        place = draw(st.integers(0, len(data)))
        data = data[:place] + draw(st.binary(max_size=2)) + data[place + draw(st.integers(0, 2)) :]
    return data
