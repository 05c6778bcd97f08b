"""`query` writes rows that read back exactly, and nothing else on stdout."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.cli.main import run
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.storage import RAW, iceberg_identifier

if TYPE_CHECKING:
    from pathlib import Path

SQL = (
    "select 0.1 + 0.2 as third, 1e300 as large, timestamp '2026-01-31 09:30:00.000001' as at, "
    "'a,\"b' as text, cast(null as double) as nothing"
)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(tmp_path / "home"))


def test_doubles_and_times_read_back_exactly_from_csv(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["query", SQL, "--format", "csv"]) == 0
    [row] = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert math.isclose(float(row["third"]), 0.3, rel_tol=1e-15)
    assert float(row["large"]) == 1e300
    assert (row["at"], row["text"]) == ("2026-01-31T09:30:00.000001", 'a,"b')
    assert row["nothing"] == ""


def test_json_is_one_document_without_a_row_limit(capsys: pytest.CaptureFixture[str]) -> None:
    sql = "select n from unnest(sequence(1, 25000)) as t(n) order by n"
    assert run(["query", sql, "--json"]) == 0
    assert [row["n"] for row in json.loads(capsys.readouterr().out)] == list(range(1, 25_001))


def test_a_table_of_many_rows_is_cut_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["query", "select n from unnest(sequence(1, 500)) as t(n)"]) == 0
    captured = capsys.readouterr()
    assert "100 of 500 rows" in captured.err
    assert "rows" not in captured.out


def test_an_estimate_runs_nothing_and_warns_without_pruning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["query", "select count(*) as n from iceberg.ticks", "--estimate", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["files"] == 0
    assert [table["table"] for table in document["tables"]] == ["iceberg.ticks"]


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_an_empty_table_gives_no_rows(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["query", "--file", "latest_candles", "--format", form]) == 0
    assert capsys.readouterr().err == ""


def test_two_columns_of_one_name_keep_their_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["query", "select 1 as a, 2 as a", "--format", "csv"]) == 0
    assert capsys.readouterr().out == "a,a\n1,2\n"
    assert run(["query", "select 1 as a, 2 as a", "--json"]) == 2
    assert "name them apart" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["query", "select count(*) as n from iceberg.raw"], ["status"], ["deliver"]],
    ids=lambda arguments: arguments[0],
)
def test_a_table_that_was_dropped_is_told_in_one_line(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["status"]) == 0
    open_catalog(tmp_path / "home").drop_table(iceberg_identifier(RAW))
    capsys.readouterr()
    assert run(arguments) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "catalog.db has no table iceberg.raw; restore the file" in line
