"""One good tick, and every way to break a rule of the contract."""

from __future__ import annotations

from typing import Any

from tick_pipeline.contracts.contract import load_contract

TICK = load_contract("tick")
GOOD: dict[str, Any] = {
    "event_id": "a:AAPL:1",
    "source": "a",
    "sequence": 1,
    "symbol": "AAPL",
    "price": 100.25,
    "volume": 10.0,
    "event_ts": 1_410_960_600_531_657,
    "event_time": "2014-09-17T13:30:00.531657Z",
    "sent_ts": 1_410_960_600_531_657,
}
BROKEN: list[tuple[dict[str, Any], str]] = [
    *(({name: None}, f"{name}_null") for name in TICK.field_names),
    ({"event_id": ""}, "event_id_min_length"),
    ({"source": ""}, "source_min_length"),
    ({"sequence": 0}, "sequence_minimum"),
    ({"sequence": -5}, "sequence_minimum"),
    ({"symbol": ""}, "symbol_pattern"),
    ({"symbol": "A B"}, "symbol_pattern"),
    ({"symbol": "AAPL\n"}, "symbol_pattern"),
    ({"symbol": "Ä"}, "symbol_pattern"),
    ({"symbol": "A" * 33}, "symbol_pattern"),
    ({"price": 0.0}, "price_exclusive_minimum"),
    ({"price": -1.0}, "price_exclusive_minimum"),
    ({"price": float("inf")}, "price_finite"),
    ({"price": float("-inf")}, "price_finite"),
    ({"price": float("nan")}, "price_finite"),
    ({"volume": -0.5}, "volume_minimum"),
    ({"volume": float("nan")}, "volume_finite"),
    ({"event_time": "2014-09-17T13:30:00.531658Z"}, "event_time_iso_of"),
    ({"event_time": "2014-09-17 13:30:00.531657Z"}, "event_time_iso_of"),
    ({"event_time": "2014-09-17T13:30:00.531657"}, "event_time_iso_of"),
    ({"event_time": "2014-09-17T15:30:00.531657+02:00"}, "event_time_iso_of"),
    ({"event_time": "2014-9-17T13:30:00.5316570Z"}, "event_time_iso_of"),
    ({"event_time": "2014-09-17T13:30:00.531657Z\n"}, "event_time_iso_of"),
    ({"event_time": "yesterday"}, "event_time_iso_of"),
]
