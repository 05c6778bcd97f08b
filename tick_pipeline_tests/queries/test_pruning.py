"""What a WHERE clause says about time, said again as keys: never fewer hours than it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlglot import exp

from tick_pipeline.event_time import (
    MAX_EVENT_US,
    MIN_EVENT_US,
    US_PER_HOUR,
    as_datetime,
    parse_instant,
)
from tick_pipeline.queries.dialect import to_duckdb
from tick_pipeline.queries.pruning import TimeRange, find_scans, say_hours
from tick_pipeline.queries.reader import Statement, read_statement
from tick_pipeline.resources.duckdb_session import DuckDBSession
from tick_pipeline.storage import PARTITION_KEYS, StorageMode

if TYPE_CHECKING:
    from collections.abc import Iterator

MODES = tuple(StorageMode)
NINE, TEN = parse_instant("2026-03-01T09:00:00Z"), parse_instant("2026-03-01T10:00:00Z")


@pytest.fixture(scope="module")
def session() -> Iterator[DuckDBSession]:
    with DuckDBSession() as opened:
        yield opened


def scanned(session: DuckDBSession, sql: str, values: dict[str, Any] | None = None) -> Statement:
    statement = read_statement(sql, MODES)
    say_hours(find_scans(statement.sources, lambda e, k: session.constant(e, k, values or {})))
    return statement


def times(
    session: DuckDBSession, sql: str, values: dict[str, Any] | None = None
) -> list[TimeRange]:
    statement = read_statement(sql, MODES)
    scans = find_scans(statement.sources, lambda e, k: session.constant(e, k, values or {}))
    return [scan.times for scan in scans]


BOUNDS = [
    ("event_at >= timestamp '2026-03-01 09:00:00 UTC'", TimeRange(NINE)),
    ("event_at > timestamp '2026-03-01 09:00:00 UTC'", TimeRange(NINE + 1)),
    ("event_at < timestamp '2026-03-01 10:00:00 UTC'", TimeRange(None, TEN)),
    ("event_at <= timestamp '2026-03-01 10:00:00 UTC'", TimeRange(None, TEN + 1)),
    ("timestamp '2026-03-01 10:00:00 UTC' > event_at", TimeRange(None, TEN)),
    ("event_at = timestamp '2026-03-01 10:00:00 +01:00'", TimeRange(NINE, NINE + 1)),
    ("event_at >= timestamp '2026-03-01 09:00:00'", TimeRange(NINE)),
    ("event_at >= date '2026-03-01'", TimeRange(NINE - 9 * US_PER_HOUR)),
    ("event_at >= timestamp '2026-03-01 10:00:00 UTC' - interval '1' hour", TimeRange(NINE)),
    ("event_at >= from_iso8601_timestamp('2026-03-01T09:00:00Z')", TimeRange(NINE)),
    (
        "event_at between timestamp '2026-03-01 09:00:00 UTC' and timestamp '2026-03-01 10:00:00 UTC'",
        TimeRange(NINE, TEN + 1),
    ),
    (f"event_us >= {NINE} and event_us < {TEN}", TimeRange(NINE, TEN)),
    ("event_us > 1.5", TimeRange()),
    ("year = '2026'", TimeRange(parse_instant("2026-01-01"), parse_instant("2027-01-01"))),
    (
        "year = '2026' and month = '12'",
        TimeRange(parse_instant("2026-12-01"), parse_instant("2027-01-01")),
    ),
    (
        "year = '2026' and month = '02' and day = '28'",
        TimeRange(parse_instant("2026-02-28"), parse_instant("2026-03-01")),
    ),
    ("hour = '09' and year = '2026' and month = '03' and day = '01'", TimeRange(NINE, TEN)),
    ("year = '2026' and month = '13'", TimeRange(MAX_EVENT_US, MIN_EVENT_US)),
    ("month = '03'", TimeRange()),
    (
        "symbol = 'A' and (event_at >= timestamp '2026-03-01 09:00:00 UTC' and price > 1)",
        TimeRange(NINE),
    ),
    ("event_at >= timestamp '2026-03-01 09:00:00 UTC' or price > 1", TimeRange()),
    ("not event_at >= timestamp '2026-03-01 09:00:00 UTC'", TimeRange()),
    ("event_at < now()", TimeRange()),
    ("event_at >= cast(event_time as timestamp)", TimeRange()),
    ("event_at >= (select max(event_at) from (values (1)) as t(x))", TimeRange()),
    ("event_at >= timestamp 'nonsense'", TimeRange()),
]


@pytest.mark.parametrize(("condition", "expected"), BOUNDS, ids=[text for text, _ in BOUNDS])
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_condition_gives_the_times_that_it_allows(
    session: DuckDBSession, mode: StorageMode, condition: str, expected: TimeRange
) -> None:
    assert times(session, f"select 1 from {mode}.ticks where {condition}") == [expected]


def test_now_is_a_bound_below_only(session: DuckDBSession) -> None:
    """It is later when the statement runs, so as a bound above it could lose an hour."""
    (found,) = times(
        session, "select 1 from iceberg.ticks where event_at > now() - interval '1' hour"
    )
    assert found.start_us is not None
    assert found.end_us is None


def test_bound_parameters_count(session: DuckDBSession) -> None:
    sql = "select 1 from iceberg.ticks where event_at >= :a and event_us < :b"
    assert times(session, sql, {"a": as_datetime(NINE), "b": TEN}) == [TimeRange(NINE, TEN)]


def test_a_condition_counts_for_the_table_that_it_names(session: DuckDBSession) -> None:
    sql = (
        "select 1 from iceberg.ticks a join parquet_projection.ticks b on a.event_id = b.event_id "
        "where a.event_at >= timestamp '2026-03-01 09:00:00 UTC' "
        "and event_at < timestamp '2026-03-01 10:00:00 UTC'"
    )
    assert times(session, sql) == [TimeRange(NINE), TimeRange()]


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("iceberg.raw", "event_ts"),
        ("iceberg.aggregated_5m", "bucket_start"),
        ("parquet_projection.aggregated_1m", "bucket_start"),
        ("iceberg.received", "event_at"),
        ("iceberg.anomalies", "event_at"),
        ("parquet_projection.anomalies", "event_at"),
    ],
)
def test_each_table_has_its_time_column(session: DuckDBSession, table: str, column: str) -> None:
    sql = f"select 1 from {table} where {column} >= timestamp '2026-03-01 09:00:00 UTC'"
    assert times(session, sql) == [TimeRange(NINE)]


def test_keys_of_one_day_are_said_one_by_one(session: DuckDBSession) -> None:
    """As partition projection on Athena prunes best."""
    tree = scanned(
        session,
        "select 1 from parquet_projection.ticks t where event_at >= timestamp '2026-03-01 09:30:00 UTC' "
        "and event_at < timestamp '2026-03-01 11:00:00 UTC'",
    ).tree
    assert tree is not None
    assert tree.sql("athena").endswith(
        "AND t.year = '2026' AND t.month = '03' AND t.day = '01' AND t.hour >= '09' AND t.hour <= '10'"
    )


def test_an_icebergs_keys_are_said_as_times(session: DuckDBSession) -> None:
    """Its metadata knows the timestamp, not the view's keys."""
    tree = scanned(session, "select 1 from iceberg.ticks where year = '2026' and month = '03'").tree
    assert tree is not None
    assert "event_at >= CAST('2026-03-01 00:00:00.000000 UTC' AS TIMESTAMP" in tree.sql("athena")
    assert "event_at < CAST('2026-04-01 00:00:00.000000 UTC' AS TIMESTAMP" in tree.sql("athena")


instants = st.integers(MIN_EVENT_US, MAX_EVENT_US - 1)
near = st.one_of(
    instants,
    st.integers(-40 * 24, 40 * 24).map(lambda hours: NINE + hours * US_PER_HOUR),
    st.tuples(st.integers(-800, 800), st.integers(-1, 1)).map(
        lambda pair: NINE + pair[0] * US_PER_HOUR + pair[1]
    ),
)


@hypothesis_settings(max_examples=60)
@given(
    bounds=st.tuples(st.none() | near, st.none() | near),
    others=st.lists(near, min_size=1, max_size=30),
)
def test_the_keys_name_exactly_the_hours_that_the_times_touch(
    bounds: tuple[int | None, int | None], others: list[int]
) -> None:
    start_us, end_us = bounds
    if start_us is not None and end_us is not None and end_us <= start_us:
        start_us, end_us = end_us, start_us + 1
    conditions = [
        f"event_us {operator} {us}"
        for operator, us in ((">=", start_us), ("<", end_us))
        if us is not None
    ]
    where = f"where {' and '.join(conditions)}" if conditions else ""
    with DuckDBSession() as session:
        tree = scanned(session, f"select 1 from parquet_projection.ticks t {where}").tree
        assert tree is not None
        keys = [
            node
            for node in tree.find_all(exp.EQ, exp.GTE, exp.LTE)
            if any(column.name in PARTITION_KEYS for column in node.find_all(exp.Column))
        ]
        said = exp.and_(*(key.copy() for key in keys)) if keys else exp.true()
        wanted = TimeRange(start_us, end_us)
        hours = {
            us - us % US_PER_HOUR for us in [*others, *(us for us in bounds if us is not None)]
        }
        for hour_us in hours | {hour - US_PER_HOUR for hour in hours if hour > MIN_EVENT_US}:
            year, month, day, hour = as_datetime(hour_us).strftime("%Y %m %d %H").split()
            row = session.connection.execute(
                f"select {to_duckdb(said)} from (select ? as year, ? as month, ? as day, ? as hour) as t",
                [year, month, day, hour],
            ).fetchone()
            assert row == (wanted.touches_hour(hour_us),)
