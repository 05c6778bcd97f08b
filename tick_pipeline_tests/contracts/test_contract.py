"""The contract files are read whole, and a wrong one is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tick_pipeline.contracts.contract import (
    Contract,
    contract_names,
    load_contract,
    parse_contract,
    table_contract,
)
from tick_pipeline.errors import ContractError
from tick_pipeline.storage import TABLES

FIELD: dict[str, Any] = {
    "name": "a",
    "type": "int64",
    "required": True,
    "description": "a",
    "rules": [],
}


def document(**changes: object) -> str:
    return json.dumps(
        {"name": "x", "grain": "a row", "key": ["a"], "order": ["a"], "fields": [FIELD]} | changes
    )


def test_the_tick_has_the_designed_columns_in_order() -> None:
    assert load_contract("tick").field_names == (
        "event_id",
        "source",
        "sequence",
        "symbol",
        "price",
        "volume",
        "event_ts",
        "event_time",
        "sent_ts",
    )


def test_the_candle_is_keyed_by_symbol_and_bucket() -> None:
    candle = load_contract("candle")
    assert candle.key == ("symbol", "bucket_start")
    assert not candle.field("vwap").required


def test_the_anomaly_has_the_designed_columns_in_order() -> None:
    """None of them may be null, and a tick has one row for each metric."""
    anomaly = load_contract("anomaly")
    assert anomaly.field_names == (
        "event_id",
        "symbol",
        "event_us",
        "event_at",
        "metric",
        "value",
        "mean",
        "stddev",
        "zscore",
        "sample_count",
        "window_minutes",
        "threshold",
    )
    assert anomaly.key == ("event_id", "metric")
    assert all(column.required and column.description for column in anomaly.fields)


def test_every_contract_that_ships_can_be_read() -> None:
    assert contract_names() == ["anomaly", "candle", "tick"]
    assert all(isinstance(load_contract(name), Contract) for name in contract_names())


def test_raw_and_its_view_hold_ticks_the_aggregates_candles_and_anomalies_their_own() -> None:
    names = [table_contract(table).name for table in ("ticks", *TABLES)]
    assert names == ["tick", "tick", "candle", "candle", "anomaly"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not JSON"),
        ("{}", "missing"),
        ("[]", "missing"),
        (document(fields=[FIELD | {"type": "float"}]), "unknown type 'float'"),
        (document(fields=[FIELD, FIELD]), "stands twice"),
        (document(key=["b"]), "names no field: b"),
        (document(fields=[FIELD | {"rules": [{"rule": "odd"}]}]), "unknown rule 'odd'"),
        (document(fields=[FIELD | {"rules": [{"rule": "pattern", "value": 1}]}]), "cannot be 1"),
        (
            document(fields=[FIELD | {"rules": [{"rule": "iso_of", "value": "b"}]}]),
            "names no field: b",
        ),
    ],
)
def test_a_wrong_contract_is_refused_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(ContractError, match=complaint) as caught:
        parse_contract(text, where="x.json")
    assert str(caught.value).startswith("x.json: ")


def test_an_unknown_contract_tells_the_known_ones() -> None:
    with pytest.raises(ContractError, match="there are anomaly, candle, tick"):
        load_contract("quote")
