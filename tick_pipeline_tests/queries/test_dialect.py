"""Athena's SQL on DuckDB: an allow-list of what the files use, proven by values, and the translated texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlglot

from tick_pipeline.contracts.rules import Dialect
from tick_pipeline.queries.catalogue import load_query, query_names
from tick_pipeline.queries.dialect import to_duckdb
from tick_pipeline.queries.reader import read_statement
from tick_pipeline.queries.relations import VIEWS
from tick_pipeline.queries.views import view_sql
from tick_pipeline.resources.duckdb_session import DuckDBSession
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.queries.constructs import PROVEN, construct_of

SNAPSHOTS = Path(__file__).parent / "snapshots"
CASES = [(name, sql, rows) for name, cases in PROVEN.items() for sql, rows in cases]


@pytest.mark.parametrize(("construct", "sql", "expected"), CASES, ids=[case[1] for case in CASES])
def test_a_construct_gives_the_value_that_athena_documents(
    construct: str, sql: str, expected: list[tuple[Any, ...]]
) -> None:
    statement = read_statement(sql, tuple(StorageMode))
    assert statement.tree is not None
    assert construct in {construct_of(node) for node in statement.tree.walk()}
    with DuckDBSession() as session:
        given = {"given": 41} if ":given" in sql else {}
        rows = session.connection.execute(to_duckdb(statement.tree), given).fetchall()
    assert rows == expected


@pytest.mark.parametrize("name", query_names())
def test_a_query_uses_proven_constructs_only(name: str) -> None:
    tree = sqlglot.parse_one(load_query(name).sql, read="athena")
    assert {construct_of(node) for node in tree.walk()} - set(PROVEN) == set()


def snapshot_texts() -> dict[str, str]:
    """Every translated query and every view, pretty, by file name."""
    texts: dict[str, str] = {}
    for name in query_names():
        query = load_query(name)
        names = {p.name: p.choices[0] for p in query.parameters if p.choices}
        tree = read_statement(query.sql, tuple(StorageMode), names).tree
        assert tree is not None
        duckdb = sqlglot.parse_one(to_duckdb(tree), read="duckdb")
        texts[f"{name}.duckdb.sql"] = duckdb.sql("duckdb", pretty=True) + "\n"
    for mode in StorageMode:
        for view in VIEWS:
            for dialect in (Dialect.ATHENA, Dialect.DUCKDB):
                text = view_sql(view, mode, dialect).strip() + "\n"
                texts[f"{mode}.{view}.{dialect.value}.sql"] = text
    return texts


@pytest.mark.parametrize(("name", "text"), snapshot_texts().items(), ids=list(snapshot_texts()))
def test_a_translated_text_is_as_reviewed(name: str, text: str) -> None:
    """After a wanted change: `python -m tick_pipeline_tests.queries.test_dialect`, then read the diff."""
    assert text == (SNAPSHOTS / name).read_text(encoding="utf-8")


def test_no_snapshot_is_left_over() -> None:
    assert {path.name for path in SNAPSHOTS.iterdir()} == set(snapshot_texts())


@pytest.mark.parametrize("mode", StorageMode, ids=str)
@pytest.mark.parametrize("view", VIEWS)
def test_the_views_of_athena_can_be_read_as_athena_reads_them(mode: StorageMode, view: str) -> None:
    tree = read_statement(view_sql(view, mode, Dialect.ATHENA), tuple(StorageMode))
    assert [str(source.relation) for source in tree.sources] == [f"{mode}.raw"]


def write_snapshots() -> None:
    """Write every text anew."""
    for path in SNAPSHOTS.iterdir():
        path.unlink()
    for name, text in snapshot_texts().items():
        (SNAPSHOTS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_snapshots()
