"""The local engine: pruned reads in both modes, estimates, Hive's hidden names, a locked session, exact values."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportPrivateUsage=false, reportUnknownParameterType=false
# (duckdb and pyarrow have no types; a test may look inside)
from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tick_pipeline.errors import QueryError, WorkError
from tick_pipeline.event_time import US_PER_HOUR, as_datetime
from tick_pipeline.queries.dialect import to_duckdb
from tick_pipeline.resources import query_engine
from tick_pipeline.resources.local import open_home
from tick_pipeline.resources.query_engine import LocalQueryEngine, QueryEngine
from tick_pipeline.resources.query_plan import read_sql
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline.storage import ErrorType as Error
from tick_pipeline.storage import StorageMode, error_location
from tick_pipeline_tests.queries.warehouse import (
    START_US,
    candles_of,
    land,
    parquet_file,
    store_candles,
    tick,
)

if TYPE_CHECKING:
    from tick_pipeline.home import Home

MODES = tuple(StorageMode)
both_modes = pytest.mark.parametrize("mode", MODES, ids=str)
HOURS = 6


@pytest.fixture(scope="module")
def settings_of_hours(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(home=tmp_path_factory.mktemp("hours") / "home", _env_file=None)


@pytest.fixture(scope="module")
def hours(settings_of_hours: Settings) -> Home:
    """Six hours, a file each; 60 ticks and 60 one-minute candles an hour."""
    home = open_home(settings_of_hours)
    records = [tick("AAA", 60 * number, number + 1) for number in range(60 * HOURS)]
    land(home, records, MODES)
    store_candles(home, "1m", candles_of(records), MODES)
    return home


@pytest.fixture(scope="module")
def engine(hours: Home, settings_of_hours: Settings) -> LocalQueryEngine:
    return LocalQueryEngine(hours, settings_of_hours)


@pytest.fixture
def own(home: Home, settings: Settings) -> LocalQueryEngine:
    """Over a HOME of the test's own."""
    return LocalQueryEngine(home, settings)


def files_read(engine: LocalQueryEngine, sql: str, values: dict[str, Any] | None = None) -> int:
    """How many data files DuckDB itself says it opened."""
    statement = read_sql(sql, engine._modes)
    with engine._session(statement, values or {}) as (session, plan):
        assert plan.statement.tree is not None
        text = f"explain (analyze, format json) {to_duckdb(plan.statement.tree)}"
        rows = session.connection.execute(text, plan.values).fetchall()
    return _total_files(json.loads(rows[0][1]))


def _total_files(node: dict[str, Any]) -> int:
    own = node.get("extra_info") or {}
    here = int(own.get("Total Files Read", 0)) if isinstance(own, dict) else 0
    return here + sum(_total_files(child) for child in node.get("children", []))


PRUNED = [
    (
        "ticks",
        "event_at >= timestamp '2026-03-01 10:00:00 UTC' and event_at < timestamp '2026-03-01 12:00:00 UTC'",
        2,
    ),
    ("ticks", "event_at >= timestamp '2026-03-01 13:30:00 UTC'", 2),
    ("ticks", "event_at = timestamp '2026-03-01 11:00:00 UTC'", 1),
    ("ticks", "year = '2026' and month = '03' and day = '01' and hour = '12'", 1),
    ("ticks", "year = '2025'", 0),
    ("ticks", f"event_us between {START_US} and {START_US + US_PER_HOUR - 1}", 1),
    ("received", "event_at < timestamp '2026-03-01 11:00:00 UTC'", 2),
    (
        "aggregated_1m",
        "bucket_start >= timestamp '2026-03-01 10:00:00 UTC' and bucket_start < timestamp '2026-03-01 11:00:00 UTC'",
        1,
    ),
    ("ticks", "price > 0", HOURS),
]


@both_modes
@pytest.mark.parametrize(
    ("table", "condition", "files"), PRUNED, ids=[f"{t}: {c}" for t, c, _ in PRUNED]
)
def test_only_the_hours_asked_for_are_read(
    engine: LocalQueryEngine, mode: StorageMode, table: str, condition: str, files: int
) -> None:
    """DuckDB opens as many files as the estimate told, and finds as many rows as without pruning."""
    sql = f"select count(*) as n, sum(volume) as v from {mode}.{table} where {condition}"
    estimate = engine.estimate(sql)
    assert (estimate.files, estimate.partitions) == (files, files)
    assert estimate.pruned == (files < HOURS)
    assert files_read(engine, sql) == files
    result = engine.run(sql)
    assert result.files == files
    assert (result.bytes > 0) == (files > 0)
    hidden = (
        f"select count(*) as n, sum(volume) as v from {mode}.{table} where ({condition}) or false"
    )
    assert engine.estimate(hidden).files == HOURS
    assert result.table == engine.run(hidden).table


@both_modes
def test_a_filter_passes_the_window_that_removes_copies(
    engine: LocalQueryEngine, mode: StorageMode
) -> None:
    """The view's own plan prunes: a filter that is said to DuckDB alone, outside of a CTE."""
    sql = (
        f"with t as (select * from {mode}.ticks) select count(*) as n from t "
        "where event_at >= timestamp '2026-03-01 10:00:00 UTC' and event_at < timestamp '2026-03-01 11:00:00 UTC' "
        "and year = '2026' and month = '03' and day = '01' and hour = '10'"
    )
    assert files_read(engine, sql) == 1
    assert engine.run(sql).table.to_pylist() == [{"n": 60}]


def test_bound_parameters_prune(engine: LocalQueryEngine) -> None:
    sql = "select count(*) as n from parquet_projection.ticks where event_at >= :start and symbol = :symbol"
    values = {"start": as_datetime(START_US + 5 * US_PER_HOUR), "symbol": "AAA"}
    assert files_read(engine, sql, values) == 1
    assert engine.run(sql, values).table.to_pylist() == [{"n": 60}]
    injected = values | {"symbol": "AAA' or '1'='1"}
    assert engine.run(sql, injected).table.to_pylist() == [{"n": 0}]
    with pytest.raises(QueryError, match="no value was given for the parameter symbol"):
        engine.run(sql, {"start": values["start"]})


@both_modes
def test_a_whole_table_is_warned_of_before_it_is_read(
    engine: LocalQueryEngine, mode: StorageMode
) -> None:
    estimate = engine.estimate(f"select * from {mode}.ticks where symbol = 'AAA'")
    assert estimate.warnings == (
        f"{mode}.ticks is read whole (6 hours): filter on its time column, or on year, month, day and hour",
    )
    (scan,) = estimate.tables
    assert (scan.partitions, scan.partitions_total, scan.files) == (HOURS, HOURS, HOURS)
    assert scan.bytes == estimate.bytes > 0


def test_a_filter_that_covers_all_hours_is_told_apart(engine: LocalQueryEngine) -> None:
    sql = "select * from iceberg.ticks where event_at >= timestamp '2026-01-01 00:00:00 UTC'"
    (warning,) = engine.estimate(sql).warnings
    assert warning == "iceberg.ticks is read whole: the filter covers all of its 6 hours"


def test_an_estimate_counts_each_place_that_names_a_table(engine: LocalQueryEngine) -> None:
    found = engine.estimate_file(
        "candles_match_sql", {"start": "2026-03-01T10:00:00Z", "end": "2026-03-01T11:00:00Z"}
    )
    assert [(scan.table, scan.files) for scan in found.tables] == [
        ("iceberg.ticks", 1),
        ("iceberg.aggregated_1m", 1),
    ]
    assert found.files == 2
    assert found.pruned


@both_modes
def test_every_relation_of_an_empty_home_can_be_queried(
    own: LocalQueryEngine, mode: StorageMode
) -> None:
    """With all its columns, and their types as described."""
    for name in ("raw", "ticks", "received", "aggregated_1m", "aggregated_5m", "anomalies"):
        result = own.run(f"select * from {mode}.{name}")
        assert result.table.num_rows == 0
        described = own.run(f"describe {mode}.{name}").table.to_pylist()
        assert result.table.column_names == [row["column"] for row in described]
        types = {
            "varchar": pa.string(),
            "bigint": pa.int64(),
            "double": pa.float64(),
            "timestamp(6) with time zone": pa.timestamp("us", "UTC"),
        }
        for field, row in zip(result.table.schema, described, strict=True):
            assert _utc(field.type) == types[row["type"]], field


def _utc(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp(kind.unit, "UTC") if pa.types.is_timestamp(kind) else kind


def test_names_that_hive_ignores_are_no_data(home: Home, own: LocalQueryEngine) -> None:
    """`_` and `.` names at every level, and the error prefix, which is beside the tables."""
    land(home, [tick("AAA", 1, 1)], [StorageMode.PARQUET_PROJECTION])
    real = parquet_file(home, "raw", START_US, "part-0.parquet")
    for name in ("_temporary.parquet", ".part-0.parquet.crc", "_SUCCESS"):
        (real.parent / name).write_bytes(b"no parquet")
    root = real.parents[4]
    shutil.copytree(root / "year=2026", root / "_staged" / "year=2026")
    shutil.copytree(root / "year=2026", root / ".hidden")
    stray = root / "year=2026" / "month=03" / "_day=01" / "hour=09"
    stray.mkdir(parents=True)
    shutil.copy(real, stray)
    mode = StorageMode.PARQUET_PROJECTION
    errors = Path(error_location(str(home.warehouse), mode, Error.PROCESSING_FAILED))
    errors.mkdir(parents=True)
    (errors / "x.json").write_text("{}")
    assert own.run("select count(*) as n from parquet_projection.raw").table["n"].to_pylist() == [1]
    assert own.estimate("select * from parquet_projection.raw").files == 1


def test_files_from_before_a_column_have_nulls_in_it(home: Home, own: LocalQueryEngine) -> None:
    """As Athena reads them: a contract may gain a column while old hours stay as they are."""
    land(home, [tick("AAA", 1, 1)], [StorageMode.PARQUET_PROJECTION])
    path = parquet_file(home, "raw", START_US, "part-0.parquet")
    old = pq.ParquetFile(path).read().drop_columns(["sent_ts"])
    sql = "select symbol, sent_ts from parquet_projection.raw order by 2"
    pq.write_table(old, path)
    assert own.run(sql).records == [{"symbol": "AAA", "sent_ts": None}]
    pq.write_table(old.slice(0, 0), path.with_name("part-1.parquet"))
    land(home, [tick("BBB", 2, 1)], [StorageMode.PARQUET_PROJECTION])
    assert [row["sent_ts"] is None for row in own.run(sql).records] == [False, True]


def test_a_home_of_an_odd_name_can_be_queried(tmp_path: Path) -> None:
    """Quotes, blanks and parentheses of a path stand for themselves."""
    settings = load_settings(home=tmp_path / "o'hara & söhne (x)", _env_file=None)
    home = open_home(settings)
    land(home, [tick("AAA", 1, 1)], [StorageMode.PARQUET_PROJECTION])
    engine = LocalQueryEngine(home, settings)
    assert engine.run("select symbol from parquet_projection.ticks").table.num_rows == 1


def test_a_session_reads_nothing_but_the_warehouse(home: Home, own: LocalQueryEngine) -> None:
    """Even past the check of the statement: no other file, no network, no setting."""
    land(home, [tick("AAA", 1, 1)], MODES)
    statement = read_sql("select * from iceberg.raw", own._modes)
    with own._session(statement, {}) as (session, _):
        for text in (
            "select * from read_text('/etc/passwd')",
            "select * from read_csv('/etc/hosts')",
            f"select * from read_text('{home.warehouse}/../home.json')",
            "copy (select 1) to '/tmp/never'",
            "attach '/tmp/never.db'",
            "install spatial",
            "set enable_external_access = true",
            "set allowed_directories = ['/']",
        ):
            with pytest.raises(duckdb.Error):
                session.connection.execute(text)
        count = session.connection.execute("select count(*) from iceberg.raw").fetchone()
    assert count == (1,)


def test_a_storage_mode_that_is_switched_off_is_not_there(home: Home, settings: Settings) -> None:
    only = settings.model_copy(update={"storage_modes": (StorageMode.PARQUET_PROJECTION,)})
    engine = LocalQueryEngine(home, only)
    assert engine.run("show schemas").table.to_pylist() == [{"schema": "parquet_projection"}]
    assert engine.run_file("latest_candles").table.num_rows == 0
    with pytest.raises(QueryError, match="switched off"):
        engine.run("select * from iceberg.ticks")
    with pytest.raises(QueryError, match="switched off"):
        engine.run_file("storage_parity_ticks", {"start": "2026-03-01", "end": "2026-03-02"})


def test_values_come_back_exactly(home: Home, own: LocalQueryEngine) -> None:
    price, volume = 0.1 + 0.2, 5e-324
    sequence = 2**62 + 1
    land(home, [tick("AAA", 1.000001, sequence, price=price, volume=volume)], MODES)
    for mode in MODES:
        rows = own.run(
            f"select price, volume, sequence, event_at from {mode}.ticks"
        ).table.to_pylist()
        assert rows == [
            {
                "price": price,
                "volume": volume,
                "sequence": sequence,
                "event_at": as_datetime(START_US + 1_000_001),
            }
        ]


def test_sums_of_integers_are_bigints_as_on_athena(engine: LocalQueryEngine) -> None:
    """DuckDB's are 128 bits wide, which a reader of the rows would take for a decimal."""
    sql = "select sum(sequence) as s, count_if(price > 1) as c from iceberg.ticks"
    table = engine.run(sql).table
    assert table.schema.types == [pa.int64(), pa.int64()]
    with engine.result_rows(sql) as reader:
        assert reader.schema == table.schema
        assert reader.read_all() == table


def test_a_sum_past_a_bigint_fails_as_on_athena(home: Home, own: LocalQueryEngine) -> None:
    land(home, [tick("AAA", number, 2**62 + number) for number in range(3)], [StorageMode.ICEBERG])
    with pytest.raises(QueryError, match="out of bounds"):
        own.run("select sum(sequence) as s from iceberg.ticks")


def test_rows_stream_without_a_limit(engine: LocalQueryEngine) -> None:
    sql = "select n from unnest(sequence(1, 10000)) as a(n) cross join unnest(sequence(1, 30)) as b(m)"
    with engine.result_rows(sql) as reader:
        sizes = [batch.num_rows for batch in reader]
    assert sum(sizes) == 300_000
    assert max(sizes) <= 10_000
    with engine.result_rows("show tables in iceberg") as reader:
        assert reader.read_all().num_rows == 6


def test_show_and_describe_tell_what_there_is(engine: LocalQueryEngine) -> None:
    assert {row["schema"] for row in engine.run("show tables").table.to_pylist()} == set(MODES)
    view = engine.run("show create view iceberg.ticks").table["view"][0].as_py()
    assert "from iceberg.raw" in view
    with pytest.raises(QueryError, match="is no view"):
        engine.run("show create view iceberg.raw")
    assert "ICEBERG_SCAN" in str(engine.run("explain select * from iceberg.raw").table.to_pylist())
    assert engine.estimate("show tables").tables == ()


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (
            "select prise from iceberg.ticks",
            'line 1, column 8: Binder Error: Referenced column "prise"',
        ),
        ("select t.nope from iceberg.ticks as t", "line 1, column"),
        ("select nofunction(price) from iceberg.ticks", "nofunction"),
        ("select symbol, count(*) from iceberg.ticks", "GROUP BY"),
        ("select cast('x' as bigint)", "convert"),
        ("select getenv('HOME')", "getenv"),
        ("select 1 / 2", "differs between Athena and DuckDB"),
    ],
)
def test_a_failing_statement_is_one_line(engine: LocalQueryEngine, sql: str, reason: str) -> None:
    with pytest.raises(QueryError) as failure:
        engine.run(sql)
    assert reason in str(failure.value)
    assert "\n" not in str(failure.value)


def test_a_file_swapped_away_is_planned_anew(
    home: Home, own: LocalQueryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer replaces an hour between the plan and the read; for ever, and it is told."""
    land(home, [tick("AAA", 1, 1)], [StorageMode.PARQUET_PROJECTION])
    listed = query_engine.parquet_files
    calls: list[int] = []

    def stale(*arguments: Any) -> list[Any]:
        calls.append(1)
        found = listed(*arguments)
        if len(calls) > stale_calls:
            return found
        return [replace(file, path=f"{file.path}.gone") for file in found]

    monkeypatch.setattr(query_engine, "parquet_files", stale)
    stale_calls = 1
    assert own.run("select * from parquet_projection.ticks").table.num_rows == 1
    calls.clear()
    stale_calls = 99
    with pytest.raises(WorkError, match="changed under the query; run it again"):
        own.run("select * from parquet_projection.ticks")
    assert len(calls) == 3


def test_each_query_sees_what_was_committed_before_it(home: Home, own: LocalQueryEngine) -> None:
    sql = "select count(*) as n from iceberg.ticks"
    assert own.run(sql).table["n"].to_pylist() == [0]
    land(home, [tick("AAA", 1, 1)], [StorageMode.ICEBERG])
    assert own.run(sql).table["n"].to_pylist() == [1]


def test_the_local_engine_is_a_query_engine(engine: LocalQueryEngine) -> None:
    port: QueryEngine = engine
    assert port.run("select 1 as one").table.to_pylist() == [{"one": 1}]
