"""`valid_tick` and the names of broken rules are the same in Python, DuckDB and Athena's SQL."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
# (pyarrow and duckdb have no complete types)
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import jsonschema
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.contracts.rules import Dialect, broken_rule, broken_rule_sql, valid_sql
from tick_pipeline.contracts.types import arrow_schema, json_schema
from tick_pipeline.event_time import MAX_EVENT_US, MIN_EVENT_US, format_instant
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.contracts.broken_ticks import BROKEN, GOOD, TICK

if TYPE_CHECKING:
    from collections.abc import Sequence


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


@given(us=st.integers(MIN_EVENT_US, MAX_EVENT_US - 1))
def test_any_event_time_meets_its_own_rule(us: int) -> None:
    record = GOOD | {"event_ts": us, "event_time": format_instant(us)}
    assert broken_rule(TICK, record) is None
    assert broken_by_duckdb([record], Dialect.DUCKDB) == [(None, True)]


def test_the_json_schema_takes_a_good_tick_and_refuses_the_broken_ones() -> None:
    validator = jsonschema.Draft7Validator(json_schema(TICK))
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
