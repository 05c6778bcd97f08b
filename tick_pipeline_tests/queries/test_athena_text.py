"""What is sent to Athena: its own dialect, its databases' names, values as literals of their types."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tick_pipeline.queries.athena_text import athena_text, literal
from tick_pipeline.queries.reader import read_statement
from tick_pipeline.storage import StorageMode

MODES = tuple(StorageMode)


def sent(sql: str, **values: Any) -> str:
    return athena_text(read_statement(sql, MODES), "my-project", values)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("it's", "'it''s'"),
        (True, "TRUE"),
        (3, "3"),
        (-3, "(-3)"),
        (60.0, "60.0e0"),
        (1e-7, "1e-07"),
        (-2.5, "(-2.5e0)"),
        (float("nan"), "NAN()"),
        (float("-inf"), "(-INFINITY())"),
        (None, "NULL"),
        (
            datetime(2026, 3, 1, 11, 0, 0, 1, tzinfo=timezone(timedelta(hours=2))),
            "CAST('2026-03-01 09:00:00.000001 UTC' AS TIMESTAMP(6) WITH TIME ZONE)",
        ),
    ],
)
def test_a_value_becomes_a_literal_of_its_type(value: Any, text: str) -> None:
    """A double has an exponent: without one Athena takes it for a decimal."""
    assert literal("x", value).sql("athena") == text


def test_the_databases_are_those_of_glue_wherever_they_are_named() -> None:
    assert sent("select iceberg.raw.price, ticks.symbol from iceberg.raw, Iceberg.TICKS") == (
        "SELECT my_project_iceberg.raw.price, ticks.symbol "
        "FROM my_project_iceberg.raw, my_project_iceberg.TICKS"
    )


def test_a_cte_that_is_named_as_a_table_is_left_alone() -> None:
    assert sent("with raw as (select 1 as a) select a from raw") == (
        "WITH raw AS (SELECT 1 AS a) SELECT a FROM raw"
    )


def test_a_projected_table_is_read_with_microseconds_under_its_own_name() -> None:
    """Athena reads a Hive table's timestamps in milliseconds and without a zone."""
    found = sent("select c.open from parquet_projection.aggregated_1m c where c.year = '2026'")
    assert found.startswith(
        "SELECT c.open FROM (SELECT symbol, CAST(bucket_start AS TIMESTAMP(6) WITH TIME ZONE) AS bucket_start"
    )
    assert found.endswith(
        "year, month, day, hour FROM my_project_parquet_projection.aggregated_1m) AS c WHERE c.year = '2026'"
    )
    named = sent(
        "select parquet_projection.anomalies.metric from parquet_projection.anomalies, iceberg.raw"
    )
    assert named.startswith("SELECT anomalies.metric FROM (SELECT event_id")
    assert named.endswith(") AS anomalies, my_project_iceberg.raw")


@pytest.mark.parametrize("table", ["raw", "ticks", "received"])
def test_a_projected_relation_without_hive_timestamps_stands_as_it_is(table: str) -> None:
    assert sent(f"select * from parquet_projection.{table}") == (
        f"SELECT * FROM my_project_parquet_projection.{table}"
    )


def test_a_timestamp_without_a_precision_keeps_microseconds() -> None:
    assert sent("select cast('2026-03-01 00:00:00.000001 UTC' as timestamp with time zone)") == (
        "SELECT CAST('2026-03-01 00:00:00.000001 UTC' AS TIMESTAMP(6) WITH TIME ZONE)"
    )
    assert sent("select cast(a as timestamp(3)) as a from (values 1) as t(a)") == (
        "SELECT CAST(a AS TIMESTAMP(3)) AS a FROM (VALUES (1)) AS t(a)"
    )


def test_explain_is_said_again() -> None:
    assert sent("explain select :a as a", a=1) == "EXPLAIN SELECT 1 AS a"
