"""The gate refuses what old rows or old readers could not live with, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from tick_pipeline.contracts.compatibility import incompatibilities
from tick_pipeline.contracts.contract import Contract, Field, load_contract

TICK = load_contract("tick")
CANDLE = load_contract("candle")
VENUE = Field(name="venue", type="string", required=False, description="where it traded")


def with_field(contract: Contract, name: str, **changes: object) -> Contract:
    fields = tuple(
        replace(column, **changes) if column.name == name else column for column in contract.fields
    )
    return replace(contract, fields=fields)


def test_no_change_is_compatible() -> None:
    assert incompatibilities(TICK, TICK) == []


def test_an_added_optional_field_is_compatible() -> None:
    assert incompatibilities(TICK, replace(TICK, fields=(*TICK.fields, VENUE))) == []


def test_an_added_required_field_with_a_default_is_compatible() -> None:
    field = replace(VENUE, required=True, default="unknown")
    assert incompatibilities(TICK, replace(TICK, fields=(*TICK.fields, field))) == []


def test_an_added_required_field_without_a_default_is_refused() -> None:
    new = replace(TICK, fields=(*TICK.fields, replace(VENUE, required=True)))
    assert incompatibilities(TICK, new) == [
        "tick: the field venue was added as required without a default"
    ]


def test_a_removed_field_is_refused() -> None:
    new = replace(TICK, fields=tuple(f for f in TICK.fields if f.name != "volume"))
    assert incompatibilities(TICK, new) == ["tick: the field volume was removed"]


def test_a_retyped_field_is_refused() -> None:
    assert incompatibilities(TICK, with_field(TICK, "price", type="string")) == [
        "tick: the field price was retyped from double to string"
    ]


def test_a_field_retyped_in_iceberg_alone_is_refused() -> None:
    assert incompatibilities(TICK, with_field(TICK, "event_ts", iceberg_type=None)) == [
        "tick: the field event_ts was retyped from int64 (timestamptz in Iceberg) to int64"
    ]


def test_an_optional_field_that_becomes_required_is_refused() -> None:
    assert incompatibilities(CANDLE, with_field(CANDLE, "vwap", required=True)) == [
        "candle: the field vwap became required without a default"
    ]


def test_a_changed_key_is_refused() -> None:
    new = replace(CANDLE, key=("symbol",))
    assert incompatibilities(CANDLE, new) == [
        "candle: the key changed from symbol, bucket_start to symbol"
    ]


def test_a_description_may_change() -> None:
    assert incompatibilities(TICK, with_field(TICK, "price", description="other words")) == []
