"""`valid_tick` and the names of broken rules are the same in Python, DuckDB, Athena's SQL and Spark."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
# (pyspark and duckdb have no complete types)
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import jsonschema
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.rules import Dialect, broken_rule, broken_rule_sql, valid_sql
from tick_pipeline.contracts.types import arrow_schema, json_schema, spark_schema
from tick_pipeline.event_time import MAX_EVENT_US, MIN_EVENT_US, format_instant
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def broken_by_duckdb(records: Sequence[dict[str, Any]], dialect: Dialect) -> list[tuple[Any, ...]]:
    ticks = pa.Table.from_pylist(
        list(records), schema=arrow_schema(TICK, StorageMode.PARQUET_PROJECTION)
    )
    sql = f"select {broken_rule_sql(TICK, dialect)}, {valid_sql(TICK, dialect)} from ticks"
    if dialect is Dialect.ATHENA:
        sql = sqlglot.transpile(sql, read="athena", write="duckdb")[0]
    connection = duckdb.connect()
    connection.register("ticks", ticks)
    return connection.execute(sql).fetchall()


def test_a_good_tick_breaks_no_rule() -> None:
    assert broken_rule(TICK, GOOD) is None
    assert broken_by_duckdb([GOOD], Dialect.DUCKDB) == [(None, True)]


@pytest.mark.parametrize(("change", "rule"), BROKEN)
def test_each_broken_rule_is_named(change: dict[str, Any], rule: str) -> None:
    assert broken_rule(TICK, GOOD | change) == rule


@pytest.mark.parametrize("dialect", [Dialect.DUCKDB, Dialect.ATHENA])
def test_sql_names_the_same_rules_as_python(dialect: Dialect) -> None:
    records = [GOOD | change for change, _ in BROKEN]
    assert broken_by_duckdb(records, dialect) == [(rule, False) for _, rule in BROKEN]


@pytest.mark.spark
def test_spark_names_the_same_rules_as_python(spark: Any) -> None:
    schema = spark_schema(TICK, StorageMode.PARQUET_PROJECTION)
    records = [GOOD, *(GOOD | change for change, _ in BROKEN)]
    rows = [tuple(record[name] for name in TICK.field_names) for record in records]
    found = (
        spark.createDataFrame(rows, schema)
        .coalesce(1)
        .selectExpr(broken_rule_sql(TICK, Dialect.SPARK), valid_sql(TICK, Dialect.SPARK))
        .collect()
    )
    assert [tuple(row) for row in found] == [(None, True), *((rule, False) for _, rule in BROKEN)]


@given(us=st.integers(MIN_EVENT_US, MAX_EVENT_US - 1))
def test_any_event_time_meets_its_own_rule(us: int) -> None:
    record = GOOD | {"event_ts": us, "event_time": format_instant(us)}
    assert broken_rule(TICK, record) is None
    assert broken_by_duckdb([record], Dialect.DUCKDB) == [(None, True)]


def test_the_json_schema_takes_a_good_tick_and_refuses_the_broken_ones() -> None:
    validator = jsonschema.Draft202012Validator(json_schema(TICK))
    assert validator.is_valid(GOOD)
    for change, rule in BROKEN:
        tied_to_another_field = change.get("event_time") == "2014-09-17T13:30:00.531658Z"
        # A trailing line break is legal before Python's `$`; other JSON Schema engines refuse it.
        if (
            tied_to_another_field
            or rule.endswith("_finite")
            or any("\n" in str(value) for value in change.values())
        ):
            continue
        assert not validator.is_valid(GOOD | change), rule
