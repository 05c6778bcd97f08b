"""One statement that reads, over known relations: everything else is one clear line."""

from __future__ import annotations

import pytest

from tick_pipeline.errors import QueryError
from tick_pipeline.queries.reader import Kind, read_statement
from tick_pipeline.storage import StorageMode

MODES = tuple(StorageMode)

REFUSED = [
    ("", "empty"),
    (" ; ", "empty"),
    ("select 1; select 2", "2 statements"),
    ("select 1; drop table iceberg.raw", "2 statements"),
    ("drop table iceberg.raw", "only reads"),
    ("insert into iceberg.raw select * from iceberg.raw", "only reads"),
    ("delete from iceberg.raw", "only reads"),
    ("update iceberg.raw set price = 1", "only reads"),
    ("create table x as select 1", "only reads"),
    ("copy (select 1) to '/tmp/x'", "only reads"),
    ("attach '/tmp/x'", "only reads"),
    ("pragma database_list", "only reads"),
    ("set threads = 1", "only reads"),
    ("call x()", "only reads"),
    ("unload (select 1) to 's3://x/'", "only reads"),
    ("optimize iceberg.raw rewrite data", "only reads"),
    ("msck repair table parquet_projection.raw", "only reads"),
    ("vacuum iceberg.raw", "only reads"),
    ("explain analyze select 1", "only reads"),
    ("explain delete from iceberg.raw", "only reads"),
    ("with t as (delete from iceberg.raw) select 1", "only reads"),
    ("select * into x from iceberg.raw", "only reads"),
    ("select * from read_csv('/etc/passwd')", "table functions"),
    ("select * from read_parquet('x')", "table functions"),
    ("select * from glob('/*')", "missing"),
    ("select * from duckdb_settings()", "table functions"),
    ("select * from '/etc/passwd'", "there is no table"),
    ('select * from "a.parquet"', "there is no table"),
    ("select * from ticks", "there are iceberg.raw"),
    ("select * from information_schema.tables", "there is no table"),
    ("select * from iceberg.tikcs", "did you mean iceberg.ticks?"),
    ("select (select max(x) from nope.t)", "there is no table"),
    ("select 1 union select x from nope.t", "there is no table"),
    ("select * from other.iceberg.raw", "no such catalog"),
    ('select * from iceberg."raw$snapshots"', "metadata tables differ"),
    ("select from where", "line 1, column"),
    ("select 'open", "cannot be read"),
    ("show functions", "SHOW TABLES"),
    ("show tables in nope", "there is no schema"),
    ("describe iceberg.nope", "there is no table"),
]


@pytest.mark.parametrize(("sql", "reason"), REFUSED, ids=[sql for sql, _ in REFUSED])
def test_what_does_not_only_read_is_refused_in_one_line(
    sql: str, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(QueryError) as refusal:
        read_statement(sql, MODES)
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("select 1", Kind.SELECT),
        (" SELECT * FROM Iceberg.Ticks ; ", Kind.SELECT),
        ("(select 1) union all (select 2)", Kind.SELECT),
        ("table iceberg.raw", Kind.SELECT),
        ("select * from awsdatacatalog.iceberg.raw", Kind.SELECT),
        ("select 'drop table x; --' as text", Kind.SELECT),
        ("select x from unnest(array[1, 2]) as t(x)", Kind.SELECT),
        ("select a from (values (1)) as t(a)", Kind.SELECT),
        ("explain select 1", Kind.EXPLAIN),
        ("show schemas", Kind.SHOW_SCHEMAS),
        ("show databases", Kind.SHOW_SCHEMAS),
        ("show tables", Kind.SHOW_TABLES),
        ("show tables in iceberg", Kind.SHOW_TABLES),
        ("show columns from iceberg.ticks", Kind.SHOW_COLUMNS),
        ("describe iceberg.raw", Kind.SHOW_COLUMNS),
        ("show create view iceberg.ticks", Kind.SHOW_VIEW),
    ],
)
def test_what_reads_is_read(sql: str, kind: Kind) -> None:
    assert read_statement(sql, MODES).kind is kind


def test_the_name_of_a_cte_is_no_table() -> None:
    """Also in a subquery of its scope; outside of it the name means nothing."""
    sql = (
        "with t as (select * from iceberg.ticks) "
        "select * from (select * from t) as u where price > (select avg(price) from t)"
    )
    assert [str(source.relation) for source in read_statement(sql, MODES).sources] == [
        "iceberg.ticks"
    ]
    with pytest.raises(QueryError, match="no table 't'"):
        read_statement("select * from (with t as (select 1) select * from t) as u, t", MODES)


def test_a_storage_mode_that_is_switched_off_is_told() -> None:
    with pytest.raises(QueryError, match="switched off by TICK_PIPELINE_STORAGE_MODES"):
        read_statement("select * from iceberg.ticks", (StorageMode.PARQUET_PROJECTION,))


def test_an_unknown_table_is_told_with_its_position() -> None:
    with pytest.raises(QueryError, match=r"^line 2, column \d+: there is no table 'iceberg.x'"):
        read_statement("select 1\nfrom iceberg.x", MODES)
