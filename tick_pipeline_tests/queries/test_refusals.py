"""Constructs that the engines answer differently are refused; the others pass."""

from __future__ import annotations

import pytest

from tick_pipeline.errors import QueryError
from tick_pipeline.queries.catalogue import load_query, query_names
from tick_pipeline.queries.dialect import to_duckdb
from tick_pipeline.queries.reader import read_statement
from tick_pipeline.queries.refusals import refuse_differences
from tick_pipeline.resources.duckdb_session import DuckDBSession
from tick_pipeline.storage import StorageMode

MODES = tuple(StorageMode)

REFUSED = [
    "1 / 2",
    "sequence / 2",
    "count(*) / 2.0",
    "sum(sequence) / count(*)",
    "sequence % sequence",
    "mod(sequence, 0)",
    "try(1e0 / 0)",
    "try(cast('x' as bigint))",
    "cast(price as bigint)",
    "try_cast(price as integer)",
    "cast(price as varchar)",
    "cast(event_at as varchar)",
    "date_diff('hour', event_at, event_at)",
    "date_format(event_at, '%f')",
    "date_format(event_at, '%W')",
    "date_format(event_at, '%M')",
    "format_datetime(event_at, 'YYYY')",
    "parse_datetime('2026', 'YYYY')",
    "to_iso8601(event_at)",
    "extract(dow from event_at)",
    "millisecond(event_at)",
    "approx_distinct(symbol)",
    "approx_percentile(price, 0.5)",
    "regexp_extract(symbol, 'x')",
    "split_part(symbol, 'x', 2)",
    "substr(symbol, 0)",
    "substr(symbol, sequence)",
    "format('%s', symbol)",
    "checksum(symbol)",
]
ALLOWED = [
    "price / volume",
    "sequence / 2e0",
    "sum(volume) / count(*)",
    "count(*) / cast(2 as double)",
    "avg(sequence) / 2",
    "to_unixtime(event_at) / 60",
    "(max(price) - min(price)) / 2",
    "max_by(price, event_us) / min_by(price, event_us)",
    "(select max(price) from iceberg.ticks) / 2",
    "sequence % 7",
    "cast(floor(price) as bigint)",
    "cast(round(price) as integer)",
    "cast(year as integer)",
    "cast(sequence as varchar)",
    "cast(price as decimal(18, 4))",
    "date_format(event_at, '%Y-%m-%d %H:%i:%s')",
    "hour(event_at)",
    "extract(hour from event_at)",
    "day_of_week(event_at)",
    "substr(symbol, 1, 2)",
    "greatest(price, volume)",
    "regexp_like(symbol, '^A')",
    "count(distinct symbol)",
    "stddev(price)",
    "is_finite(price)",
    "now() - interval '1' hour",
]


def check(sql: str) -> None:
    statement = read_statement(sql, MODES)
    assert statement.tree is not None
    refuse_differences(statement.tree, {source.relation for source in statement.sources})


@pytest.mark.parametrize("expression", REFUSED)
def test_a_differing_construct_is_refused_with_the_reason(expression: str) -> None:
    with pytest.raises(
        QueryError, match=r"^(line 1, column \d+: )?.*differs between Athena and DuckDB: .+"
    ):
        check(f"select {expression} from iceberg.ticks")


@pytest.mark.parametrize("expression", ALLOWED)
def test_what_is_the_same_passes(expression: str) -> None:
    check(f"select {expression} from iceberg.ticks")


def test_types_are_followed_through_a_cte() -> None:
    check(
        "with t as (select sum(price) as p, count(*) as n from iceberg.ticks) select p / n from t"
    )
    with pytest.raises(QueryError, match="n / 2"):
        check("with t as (select count(*) as n from iceberg.ticks) select n / 2 from t")


def test_time_travel_is_refused() -> None:
    with pytest.raises(QueryError, match="current snapshot only"):
        check("select * from iceberg.raw for timestamp as of timestamp '2026-03-01 00:00:00 UTC'")
    with pytest.raises(QueryError, match="current snapshot only"):
        check("select * from iceberg.raw for version as of 1")


@pytest.mark.parametrize("name", query_names())
def test_our_own_queries_hold_to_the_rules(name: str) -> None:
    """All but one: storage_parity_ticks compares checksums within one engine."""
    query = load_query(name)
    names = {p.name: p.choices[0] for p in query.parameters if p.choices}
    statement = read_statement(query.sql.replace("checksum(", "max("), MODES, names)
    assert statement.tree is not None
    refuse_differences(statement.tree, {source.relation for source in statement.sources})


@pytest.mark.parametrize(
    ("expression", "athena"),
    [
        ("7 / 2", 3),
        ("cast(2.5e0 as bigint)", 3),
        ("cast(1e0 as varchar)", "1.0E0"),
        ("date_diff('hour', timestamp '2026-03-01 10:59:00', timestamp '2026-03-01 11:01:00')", 0),
        ("regexp_extract('abc', 'x')", None),
        ("split_part('a', 'x', 2)", None),
        ("extract(dow from timestamp '2026-03-01 00:00:00')", 7),
        ("substr('abc', 0)", ""),
    ],
)
def test_a_refused_construct_does_differ(expression: str, athena: object) -> None:
    """Translated it runs on DuckDB, and its value is not the one that Athena documents."""
    tree = read_statement(f"select {expression}", MODES).tree
    assert tree is not None
    with DuckDBSession() as session:
        row = session.connection.execute(to_duckdb(tree)).fetchone()
    assert row is not None
    assert row[0] != athena
