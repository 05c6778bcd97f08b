"""What every candle meets, whatever its ticks: each way to break it is found, and told by its name."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (pandas has no types)
from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.event_time import EPOCH, hour_floor
from tick_pipeline.queries.catalogue import load_query
from tick_pipeline.storage import TIMEFRAMES, StorageMode, candle_table
from tick_pipeline_tests.queries.warehouse import WINDOW, append, candles_of, tick

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.resources.query_engine import LocalQueryEngine

both_modes = pytest.mark.parametrize("mode", StorageMode, ids=str)
each_timeframe = pytest.mark.parametrize("timeframe", TIMEFRAMES)
MINUTES = {name: seconds // 60 for name, seconds in TIMEFRAMES.items()}
#: Of a candle between 100.125 and 101, of volume 8: what is changed in it, and what that breaks.
BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"high": float("nan")}, "not_finite"),
    ({"vwap": float("nan")}, "not_finite"),
    ({"notional": float("inf")}, "not_finite"),
    ({"volume": float("-inf")}, "not_finite"),
    ({"bucket_start": timedelta(seconds=1)}, "misaligned"),
    ({"bucket_start": timedelta(microseconds=1)}, "misaligned"),
    ({"first_us": -1}, "first_us_outside"),
    ({"first_us": "end"}, "first_us_outside"),
    ({"last_us": -1}, "last_us_outside"),
    ({"last_us": "end"}, "last_us_outside"),
    ({"first_us": 2, "last_us": 1}, "first_us_after_last_us"),
    ({"trade_count": 0}, "no_trades"),
    ({"low": 101.5}, "low_above_high"),
    ({"open": 100.0}, "open_outside"),
    ({"open": 101.5}, "open_outside"),
    ({"close": 100.0}, "close_outside"),
    ({"close": 101.5}, "close_outside"),
    ({"volume": -8.0}, "negative_volume"),
    ({"notional": -800.0}, "notional_sign"),
    ({"notional": 0.0}, "notional_sign"),
    ({"volume": 0.0, "vwap": None}, "notional_sign"),
    ({"vwap": None}, "vwap_missing"),
    ({"volume": 0.0, "notional": 0.0}, "vwap_without_volume"),
    ({"vwap": 100.0}, "vwap_outside"),
    ({"vwap": 101.5}, "vwap_outside"),
]
#: What must not be mistaken for a broken candle.
WHOLE: list[dict[str, Any]] = [
    {},
    {"first_us": 0, "last_us": 0},
    {"first_us": "last", "last_us": "last"},
    {"vwap": 101.0 * (1 + 9e-10)},
    {"vwap": 100.125 * (1 - 9e-10)},
    {"volume": 0.0, "notional": 0.0, "vwap": None},
]


def candle(timeframe: str, place: int, changes: dict[str, Any]) -> dict[str, Any]:
    """A right candle in the bucket of that place, then changed; its times count from the bucket's start."""
    width = TIMEFRAMES[timeframe]
    records = [tick("AAA", place * width + second, second + 1) for second in range(8)]
    [row] = candles_of(records, MINUTES[timeframe]).to_dict("records")
    start_us = row["first_us"]
    ends = {"end": width * 1_000_000, "last": width * 1_000_000 - 1}
    for name, value in changes.items():
        if name in {"first_us", "last_us"}:
            row[name] = start_us + ends.get(value, value)
        elif isinstance(value, timedelta):
            row[name] += value
        else:
            row[name] = value
    return row


def store(home: Home, timeframe: str, mode: StorageMode, rows: list[dict[str, Any]]) -> None:
    """Store rows as they are, a file for each hour."""
    by_hour: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        by_hour.setdefault(
            hour_floor((row["bucket_start"] - EPOCH) // timedelta(microseconds=1)), []
        ).append(row)
    for hour_us, of_hour in by_hour.items():
        append(home, mode, candle_table(timeframe), hour_us, of_hour)


def broken(engine: LocalQueryEngine, timeframe: str, mode: StorageMode) -> list[dict[str, Any]]:
    given = {**WINDOW, "storage_mode": mode.value, "timeframe": timeframe}
    return engine.run_file("candle_invariants", given).table.to_pylist()


@both_modes
@each_timeframe
def test_right_candles_break_nothing(
    filled: LocalQueryEngine, mode: StorageMode, timeframe: str
) -> None:
    assert broken(filled, timeframe, mode) == []


@both_modes
@each_timeframe
def test_candles_at_the_edge_of_a_rule_break_nothing(
    home: Home, engine: LocalQueryEngine, mode: StorageMode, timeframe: str
) -> None:
    rows = [candle(timeframe, place, changes) for place, changes in enumerate(WHOLE)]
    store(home, timeframe, mode, rows)
    assert broken(engine, timeframe, mode) == []


@both_modes
@each_timeframe
def test_each_broken_rule_is_found(
    home: Home, engine: LocalQueryEngine, mode: StorageMode, timeframe: str
) -> None:
    """And the stored values are shown beside its name, so that a person sees why."""
    rows = [candle(timeframe, place, changes) for place, (changes, _) in enumerate(BROKEN)]
    store(home, timeframe, mode, rows)
    found = broken(engine, timeframe, mode)
    assert [row["broken"] for row in found] == [name for _, name in BROKEN]
    for row, stored in zip(found, rows, strict=True):
        assert {name: repr(row[name]) for name in stored if name != "bucket_start"} == {
            name: repr(value) for name, value in stored.items() if name != "bucket_start"
        }
        assert row["bucket_start"] == stored["bucket_start"]


@both_modes
def test_a_null_is_found_in_every_column_that_must_have_a_value(
    home: Home, engine: LocalQueryEngine, mode: StorageMode
) -> None:
    """As the contract has them; a candle without its bucket_start is in no window."""
    names = [field.name for field in load_contract("candle").fields if field.required]
    names.remove("bucket_start")
    rows = [candle("1m", place, {}) | {name: None} for place, name in enumerate(names)]
    store(home, "1m", mode, rows)
    found = broken(engine, "1m", mode)
    assert [row["broken"] for row in found] == ["null"] * len(names)
    assert [row[name] for row, name in zip(found, names, strict=True)] == [None] * len(names)


@both_modes
@each_timeframe
def test_a_key_that_stands_twice_is_found(
    home: Home, engine: LocalQueryEngine, mode: StorageMode, timeframe: str
) -> None:
    """Each of its rows is told; another symbol's candle of that bucket is none of them."""
    row = candle(timeframe, 0, {})
    store(home, timeframe, mode, [row, row | {"symbol": "BBB"}, row | {"close": 100.5}])
    found = broken(engine, timeframe, mode)
    assert [(row["symbol"], row["broken"]) for row in found] == [("AAA", "not_unique")] * 2


def test_the_timeframe_decides_what_is_aligned(home: Home, engine: LocalQueryEngine) -> None:
    """A one-minute candle among the five-minute ones, and a bucket of five minutes among the ones."""
    mode = StorageMode.PARQUET_PROJECTION
    store(home, "5m", mode, [candle("1m", 1, {})])
    store(home, "1m", mode, [candle("5m", 0, {"last_us": "last"})])
    assert [row["broken"] for row in broken(engine, "5m", mode)] == ["misaligned"]
    assert [row["broken"] for row in broken(engine, "1m", mode)] == ["last_us_outside"]


def test_every_rule_of_the_query_is_broken_here() -> None:
    told = re.findall(r"then '(\w+)'", load_query("candle_invariants").sql)
    assert set(told) == {name for _, name in BROKEN} | {"not_unique", "null"}
