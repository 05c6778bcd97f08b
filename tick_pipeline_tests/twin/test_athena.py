"""SQL on AWS gives what it gives here: each query of this version, in both storage modes."""

# pyarrow and boto3 have no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownLambdaType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.errors import QueryError
from tick_pipeline.event_time import US_PER_HOUR, as_datetime, now_us, parse_instant
from tick_pipeline.queries.catalogue import load_query, query_names
from tick_pipeline.report import asking
from tick_pipeline.report.standard_queries import OPENING, STANDARD_QUERIES
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.aws.firehose_landing import FirehoseLanding
from tick_pipeline.resources.landing import LocalLanding
from tick_pipeline.sessions.measure import measure_coverage
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.queries.warehouse import WINDOW
from tick_pipeline_tests.twin.athena_lake import AthenaLake, athena_lake, copy_to_twin, fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tick_pipeline.report.standard_queries import StandardQuery
    from tick_pipeline.resources.aws.athena import AthenaQueryEngine
    from tick_pipeline.resources.landing import Landing
    from tick_pipeline.resources.query_engine import LocalQueryEngine
    from tick_pipeline.resources.query_port import QueryEngine
    from tick_pipeline.sessions.coverage import Coverage
    from tick_pipeline_tests.twin.twin import Twin

MODES = tuple(StorageMode)
both_modes = pytest.mark.parametrize("mode", MODES, ids=str)
HOUR = "event_at >= timestamp '2026-03-01 10:00:00 UTC' and event_at < timestamp '2026-03-01 11:00:00 UTC'"


@pytest.fixture(scope="module")
def lake(running_twin: Twin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AthenaLake]:
    """The twin with three hours in every table, and a HOME that holds the same; tests only read."""
    with athena_lake(running_twin, tmp_path_factory.mktemp("filled") / "home") as made:
        fill(made.home)
        copy_to_twin(made)
        yield made


@pytest.fixture(scope="module")
def here(lake: AthenaLake) -> LocalQueryEngine:
    return lake.here


@pytest.fixture(scope="module")
def athena(lake: AthenaLake) -> AthenaQueryEngine:
    return lake.engine()


def cases() -> Iterator[Any]:
    """Every query, once for each value of each closed set."""
    for name in query_names():
        given: list[dict[str, str]] = [{}]
        for parameter in load_query(name).parameters:
            if parameter.choices:
                given = [
                    {**one, parameter.name: value} for one in given for value in parameter.choices
                ]
        for one in given:
            yield pytest.param(name, one, id="-".join((name, *one.values())))


@pytest.mark.parametrize(("name", "given"), list(cases()))
def test_a_query_gives_the_same_rows_and_types(
    name: str, given: dict[str, str], here: LocalQueryEngine, athena: AthenaQueryEngine
) -> None:
    declared = {parameter.name for parameter in load_query(name).parameters}
    wanted = {**WINDOW, "symbol": "it's", **given}
    parameters = {key: value for key, value in wanted.items() if key in declared}
    found = athena.run_file(name, parameters).table
    expected = here.run_file(name, parameters).table
    assert found.schema.remove_metadata() == expected.schema.remove_metadata()
    assert found.to_pylist() == expected.to_pylist()


@both_modes
def test_every_column_of_every_relation_reads_back_exactly(
    mode: StorageMode, here: LocalQueryEngine, athena: AthenaQueryEngine
) -> None:
    for relation in ("raw", "ticks", "received", "aggregated_1m", "aggregated_5m", "anomalies"):
        text = f"select * from {mode}.{relation}"
        found, expected = athena.run(text).table, here.run(text).table
        assert found.schema.remove_metadata() == expected.schema.remove_metadata()
        key = lambda row: sorted((name, repr(value)) for name, value in row.items())  # noqa: E731
        assert sorted(map(key, found.to_pylist())) == sorted(map(key, expected.to_pylist()))
        assert found.num_rows > 10


@both_modes
@pytest.mark.parametrize("relation", ["ticks", "anomalies"])
def test_a_filter_on_time_scans_the_hours_it_touches(
    mode: StorageMode, relation: str, athena: AthenaQueryEngine
) -> None:
    """In Parquet, too, whose hours stand in keys that the text does not name."""
    whole = athena.run(f"select max(event_us) from {mode}.{relation}")
    hour = athena.run(f"select max(event_us) from {mode}.{relation} where {HOUR}")
    estimate = athena.estimate(f"select max(event_us) from {mode}.{relation} where {HOUR}")
    assert 0 < hour.bytes < whole.bytes
    assert hour.bytes == estimate.bytes
    assert (estimate.partitions, estimate.files, estimate.pruned) == (1, 1, True)
    unbounded = athena.estimate(f"select max(event_us) from {mode}.{relation}")
    assert (unbounded.partitions, unbounded.bytes, unbounded.pruned) == (3, whole.bytes, False)
    assert f"{mode}.{relation} is read whole (3 hours)" in unbounded.warnings[0]


@pytest.mark.parametrize(
    ("condition", "partitions", "total"),
    [
        ("bucket_start < timestamp '2026-03-01 10:00:00 UTC'", 1, None),
        ("bucket_start >= timestamp '2026-03-01 11:00:00 UTC'", 1, None),
        ("bucket_start >= timestamp '2026-03-01 00:00:00 UTC'", 3, 3),
        ("bucket_start < timestamp '2027-01-01 00:00:00 UTC'", 3, 3),
        ("year = '2026' and month = '03' and day = '01' and hour = '10'", 1, None),
        ("bucket_start > timestamp '2030-01-01 00:00:00 UTC'", 0, None),
    ],
)
def test_an_estimate_lists_no_more_than_it_needs(
    condition: str, partitions: int, total: int | None, lake: AthenaLake
) -> None:
    """How many hours the table has is told only where the answer says it anyway."""
    text = f"select open from parquet_projection.aggregated_1m where {condition}"
    lake.twin.gateway.calls.clear()
    estimate = lake.engine().estimate(text)
    (scan,) = estimate.tables
    assert (scan.partitions, scan.partitions_total) == (partitions, total)
    assert estimate.bytes == lake.here.estimate(text).bytes
    assert len(lake.twin.gateway.calls) <= 3


def test_a_query_of_both_modes_is_estimated_as_here(lake: AthenaLake) -> None:
    found = lake.engine().estimate_file("storage_parity_ticks", WINDOW)
    expected = lake.here.estimate_file("storage_parity_ticks", WINDOW)
    assert [(scan.table, scan.partitions, scan.files) for scan in found.tables] == [
        (scan.table, scan.partitions, scan.files) for scan in expected.tables
    ]
    assert lake.engine().estimate("show schemas").tables == ()


@pytest.mark.parametrize(
    "text",
    [
        "select null as a, '' as b, ' \"x\", ' || chr(10) || 'y' as c, true as d, false as e",
        "select 0.1e0 + 0.2e0 as a, 1e-320 as b, 1.5e300 as c, -1e10 as d, 12345678.9e0 as e, -0e0 as f",
        "select cast('NaN' as double) as a, cast('Infinity' as double) as b, cast('-Infinity' as double) as c",
        "select timestamp '2026-03-01 09:00:00.123456 UTC' as a, timestamp '2026-03-01 09:00:00.120000' as b",
        "select date '2026-03-01' as a, 12.50 as b, cast(7 as smallint) as c, cast(7 as tinyint) as d, 7 as e",
        "select cast('2026-03-01 09:00:00.000001 UTC' as timestamp with time zone) as a",
        "select iceberg.ticks.symbol, count(*) as n from iceberg.ticks group by iceberg.ticks.symbol order by 1",
        "select parquet_projection.anomalies.event_at from parquet_projection.anomalies order by 1 limit 3",
        "select close, open from parquet_projection.aggregated_5m a order by a.symbol, a.bucket_start",
        "select symbol from iceberg.ticks where false",
        "show schemas",
        "show tables in iceberg",
        "describe parquet_projection.anomalies",
        "show create view iceberg.ticks",
    ],
)
def test_a_text_gives_the_same_here_and_there(text: str, lake: AthenaLake) -> None:
    found, expected = lake.engine().run(text).table, lake.here.run(text).table
    assert repr(found.to_pylist()) == repr(expected.to_pylist())
    if "null" not in text:
        assert found.schema.remove_metadata() == expected.schema.remove_metadata()


def test_parameters_of_each_type_are_bound(lake: AthenaLake) -> None:
    values = {
        "text": "it's",
        "flag": True,
        "whole": -12,
        "double": 0.1,
        "tiny": -1e-9,
        "infinite": float("inf"),
        "decimal": Decimal("1.25"),
        "instant": datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=timezone.utc),
        "naive": datetime(2026, 3, 1, 9, 0, 0, 1),  # noqa: DTZ001  (SQL has such, too)
        "day": date(2026, 3, 1),
        "nothing": None,
    }
    text = f"select {', '.join(f':{name} as {name}' for name in values)}"
    assert lake.engine().run(text, values).records == [values]


def test_rows_beyond_a_page_come_too(lake: AthenaLake) -> None:
    lake.twin.gateway.calls.clear()
    found = lake.engine().run("select n from unnest(sequence(1, 2500)) as t(n) order by n")
    assert found.table["n"].to_pylist() == list(range(1, 2501))
    assert lake.twin.gateway.calls.count("GetQueryResults") == 3


def test_explain_reads_nothing(lake: AthenaLake) -> None:
    found = lake.engine().run("explain select symbol from iceberg.ticks")
    assert found.table.num_rows > 3
    assert found.bytes == 0


def test_a_result_tells_which_query_it_was_and_what_it_cost(lake: AthenaLake) -> None:
    found = lake.engine().run("select max(price) from iceberg.raw")
    query = lake.athena.executions[-1]
    assert found.details["query_id"] == query.id
    assert found.details["workgroup"] == lake.settings.athena_workgroup
    assert (
        found.details["engine_milliseconds"]
        == query.describe()["Statistics"]["EngineExecutionTimeInMillis"]
    )
    assert int(found.details["queued_milliseconds"]) >= 0
    assert (found.bytes, found.files) == (query.scanned_bytes, None)
    assert found.seconds > 0


def test_rows_lie_where_the_workgroup_says(
    lake: AthenaLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Athena writes them: every value in quotes, a null nothing at all."""
    monkeypatch.setenv("AWS_ATHENA_S3_STAGING_DIR", "s3://elsewhere/")
    lake.engine().run("select 1 as a, 'x\"y' as b, null as c, '' as d")
    query = lake.athena.executions[-1]
    key = f"athena-results/jobs/{query.id}.csv"
    assert query.output == f"s3://{lake.settings.bucket}/{key}"
    found = lake.twin.client("s3").get_object(Bucket=lake.settings.bucket, Key=key)
    assert found["Body"].read().decode() == '"a","b","c","d"\n"1","x""y",,""\n'
    assert "ResultReuseConfiguration" not in query.request


def test_a_query_over_the_workgroups_limit_is_told_to_filter(lake: AthenaLake) -> None:
    """And passes when it does."""
    hour = lake.engine().estimate(f"select price from iceberg.ticks where {HOUR}")
    lake.athena.scan_limit_bytes = hour.bytes
    try:
        with pytest.raises(
            QueryError, match=r"tick-pipeline-jobs lets one query scan \([\d,]+ MiB\)"
        ):
            lake.engine().run("select price from iceberg.ticks")
        assert lake.athena.executions[-1].state == "CANCELLED"
        found = lake.engine().run(f"select price from iceberg.ticks where {HOUR}")
        assert found.bytes == hour.bytes
    finally:
        lake.athena.scan_limit_bytes = None


@both_modes
def test_minutes_without_a_candle_are_sorted_as_here(lake: AthenaLake, mode: StorageMode) -> None:
    start_us = parse_instant(WINDOW["start"])

    def measured(engine: QueryEngine, landing: Landing) -> Coverage:
        return measure_coverage(
            engine,
            landing,
            mode,
            start_us,
            start_us + 2 * US_PER_HOUR,
            calendar="24/7",
            closed_us=now_us(),
        )

    found = measured(lake.engine(), FirehoseLanding(AwsClients(lake.settings), lake.settings))
    assert sum(symbol.no_trade for symbol in found.symbols) > 0
    assert found == measured(lake.here, LocalLanding(lake.home, lake.settings))


@both_modes
@pytest.mark.parametrize("query", [*STANDARD_QUERIES, OPENING], ids=lambda query: query.name)
def test_a_question_of_the_report_has_the_same_answer(
    query: StandardQuery,
    mode: StorageMode,
    here: LocalQueryEngine,
    athena: AthenaQueryEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a filter on the time and without; and what is told of reading is Athena's own figure."""
    monkeypatch.setattr(asking, "_RUNS", 1)
    hour_us = parse_instant("2026-03-01T10:00:00Z")
    values = {
        "symbol": asking.busiest_symbol(here, hour_us),
        "start": as_datetime(hour_us),
        "end": as_datetime(hour_us + US_PER_HOUR),
    }
    for filtered in (True, False):
        sql = query.sql(mode, filtered=filtered)
        named = {name: value for name, value in values.items() if f":{name}" in sql}
        found = athena.run(sql, named)
        assert _rounded(found.table) == _rounded(here.run(sql, named).table)
        reading = asking.read(athena, sql, values)
        assert (reading.read_bytes, len(reading.runs)) == (found.bytes, 1)


def _rounded(table: Any) -> list[list[Any]]:
    """Rows whose doubles do not tell in which order a sum was made."""
    return [
        [f"{value:.12g}" if isinstance(value, float) else value for value in row.values()]
        for row in table.to_pylist()
    ]
