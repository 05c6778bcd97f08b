"""Query files: their headers are their interface, and parameters are checked before anything runs."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from tick_pipeline.errors import QueryError
from tick_pipeline.event_time import parse_instant
from tick_pipeline.queries.catalogue import describe_query, load_query, query_names
from tick_pipeline.queries.parameters import Parameter, parameter_value
from tick_pipeline.storage import StorageMode

NOW_US = parse_instant("2026-03-01T12:00:00Z")


def bind(name: str, **given: Any) -> tuple[dict[str, str], dict[str, Any]]:
    return load_query(name).bind(given, enabled_modes=tuple(StorageMode), now_us=NOW_US)


@pytest.mark.parametrize("name", query_names())
def test_a_header_declares_what_the_text_uses(name: str) -> None:
    """Bound parameters are the text's placeholders, closed sets the words in its tables' names."""
    query = load_query(name)
    tree = sqlglot.parse_one(query.sql, read="athena")
    bound = {node.name for node in tree.find_all(exp.Placeholder)}
    assert bound == {item.name for item in query.parameters if not item.choices}
    tables = " ".join(table.sql() for table in tree.find_all(exp.Table))
    assert all(item.name in tables for item in query.parameters if item.choices)
    assert query.purpose
    assert query.columns
    assert query.name in describe_query(name)


@pytest.mark.parametrize("name", query_names())
def test_a_header_tells_every_column_of_the_result(name: str) -> None:
    query = load_query(name)
    tree = sqlglot.parse_one(query.sql, read="athena")
    assert isinstance(tree, exp.Query)
    told = " ".join(query.columns).replace(",", " ").replace(":", " ").split()
    assert [column for column in tree.named_selects if column not in told] == []


def test_an_unknown_query_is_told_with_its_neighbour() -> None:
    with pytest.raises(QueryError, match="did you mean lateness"):
        load_query("latenes")
    with pytest.raises(QueryError, match="there are anomalies_today, anomalies_with_candle, "):
        load_query("zzz")
    with pytest.raises(QueryError, match="there is no query"):
        load_query("../views/ticks")


def test_defaults_are_the_last_day_and_the_first_mode_in_use() -> None:
    names, values = bind("lateness")
    assert names == {"storage_mode": "iceberg"}
    assert values == {
        "start": datetime(2026, 2, 28, 12, tzinfo=timezone.utc),
        "end": datetime(2026, 3, 1, 12, tzinfo=timezone.utc),
        "lateness_seconds": 60.0,
        "close_after_seconds": 600.0,
    }
    only_parquet = (StorageMode.PARQUET_PROJECTION,)
    names, _ = load_query("lateness").bind({}, enabled_modes=only_parquet, now_us=NOW_US)
    assert names == {"storage_mode": "parquet_projection"}


def test_a_missing_or_unknown_parameter_is_told() -> None:
    with pytest.raises(QueryError, match=r"needs symbol \(varchar\)"):
        bind("candles")
    with pytest.raises(QueryError, match="no parameter 'symbl'; it has storage_mode, symbol"):
        bind("candles", symbl="A")


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("varchar", "o'clock", "o'clock"),
        ("bigint", "-12", -12),
        ("bigint", 5, 5),
        ("double", "2.5", 2.5),
        ("timeframe", "15m", 15),
        ("timeframe", "1h", 60),
        ("timeframe", "1d", 1440),
        ("timestamp", "now", datetime(2026, 3, 1, 12, tzinfo=timezone.utc)),
        ("timestamp", "today", datetime(2026, 3, 1, tzinfo=timezone.utc)),
        ("timestamp", "now-90m", datetime(2026, 3, 1, 10, 30, tzinfo=timezone.utc)),
        ("timestamp", "2026-03-01T01:00:00+01:00", datetime(2026, 3, 1, tzinfo=timezone.utc)),
        ("timestamp", NOW_US, datetime(2026, 3, 1, 12, tzinfo=timezone.utc)),
        ("1m, 5m", "5m", "5m"),
    ],
)
def test_a_parameter_is_read_by_its_type(kind: str, given: Any, value: Any) -> None:
    parameter = Parameter("p", kind, None, "")
    assert parameter_value("q", parameter, given, now_us=NOW_US) == value


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("bigint", "1.5"),
        ("bigint", 1.5),
        ("bigint", "9" * 30),
        ("double", "nan"),
        ("double", "x"),
        ("timeframe", "0m"),
        ("timeframe", "90s"),
        ("timeframe", "5"),
        ("timestamp", "yesterday"),
        ("timestamp", "now+1h"),
        ("timestamp", "now-999999d"),
        ("timestamp", datetime(2026, 3, 1)),  # noqa: DTZ001  (what is refused)
        ("1m, 5m", "raw; drop"),
    ],
)
def test_a_value_of_another_type_is_refused_in_one_line(kind: str, given: Any) -> None:
    with pytest.raises(QueryError, match=r"^query q: p=[^\n]*$"):
        parameter_value("q", Parameter("p", kind, None, ""), given, now_us=NOW_US)
