"""The command line: a wrong argument is one line and exit code 2, never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tick_pipeline.cli.main import run
from tick_pipeline.home import marker_of

HOUR = ["--start", "2026-01-01T00:00:00Z", "--end", "2026-01-01T01:00:00Z"]


@pytest.fixture(autouse=True)
def home_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["demo", "extra"], "extra"),
        (["demo", "--minutes", "many"], "--minutes"),
        (["demo", "--minutes", "0"], "duration"),
        (["produce"], "Missing option '--scenario'"),
        (["produce", "--scenario", "steady"], "--duration"),
        (["produce", "--scenario", "boom", "--duration", "1"], "flash_crash"),
        (["produce", "--scenario", "steady", "--duration", "-1"], "duration"),
        (["produce", "--scenario", "steady", "--duration", "1", "--rate", "0"], "rate"),
        (["produce", "--scenario", "steady", "--duration", "nan"], "duration"),
        (["produce", "--scenario", "steady", "--duration", "1", "--symbols", "0"], "symbols"),
        (["replay", "absent.csv"], "absent.csv"),
        (["replay", "."], "."),
        (["replay", "bad.csv"], "bad.csv"),
        (["deliver", "--storage-mode", "hudi"], "hudi"),
        (["ohlc", "--start", "noon", "--end", "2026-01-01"], "--start"),
        (["ohlc", "--start", "2026-01-01", "--end", "2026-01-01"], "not after"),
        (["ohlc", *HOUR, "--timeframes", "2m"], "1m, 5m"),
        (["ohlc", *HOUR, "--load-data-mode", "csv"], "csv"),
        (["ohlc", "--start", "0001-01-01T00:00+01:00", "--end", "2026-01-01"], "2000-01-01"),
        (["ohlc", "--start", "2026-01-01", "--end", "9999-12-31T23:30Z"], "2100-01-01"),
        (["status", "--watch", "--json"], "--watch"),
        (["contracts", "check", "--against", "latin.json"], "latin.json"),
        (["query"], "--file"),
        (["query", "select 1", "--file", "latest_candles"], "--file"),
        (["query", "--file", "no_such_query"], "latest_candles"),
        (["query", "--file", "candles", "--param", "symbol"], "name=value"),
        (["query", "select 1", "--param", "a=1"], "--param"),
        (["query", "drop table iceberg.raw"], "SELECT"),
        (["query", "select * from iceberg.rawr"], "iceberg.raw"),
        (["query", "selec 1"], "SELEC"),
        (["contracts"], "Missing command"),
        (["contracts", "check", "--against", "no-such-revision"], "no-such-revision"),
        (["contracts", "check", "--against", "bad.csv"], "not JSON"),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_code_2(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.csv").write_text("what,is,this\n1,2,3\n")
    Path("latin.json").write_bytes(b"{\xff}")
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("tick-pipeline: ")
    assert captured.err.count("\n") == 1
    assert complaint in captured.err


@pytest.mark.parametrize(
    ("name", "value"),
    [("STORAGE_MODES", "hudi"), ("DEPLOYMENT", "aws"), ("BUFFER_SECONDS", "soon")],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"TICK_PIPELINE_{name}", value)
    assert run(["status"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"TICK_PIPELINE_{name}" in error


def test_a_folder_that_is_no_home_is_one_line_and_exit_code_1(
    home_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home_path.mkdir()
    (home_path / "thesis.tex").write_text("years of work")
    assert run(["status"]) == 1
    assert "thesis.tex" in capsys.readouterr().err


def test_a_mode_that_is_switched_off_cannot_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_STORAGE_MODES", "iceberg")
    assert run(["deliver", "--storage-mode", "parquet_projection"]) == 2
    assert "switched off" in capsys.readouterr().err


def test_any_command_begins_an_absent_home(
    home_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["status", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert marker_of(home_path).exists()
    assert {(table["mode"], table["table"]) for table in document["tables"]} == {
        (mode, table)
        for mode in ("iceberg", "parquet_projection")
        for table in ("raw", "aggregated_1m", "aggregated_5m", "anomalies")
    }
    assert all(table["rows"] == 0 for table in document["tables"])


def test_reset_asks_before_it_deletes(home_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status"]) == 0
    assert run(["reset"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert home_path.exists()
    assert run(["reset", "--yes"]) == 0
    assert not home_path.exists()


def test_an_incompatible_contract_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    """The older side had a field that today's contract lacks."""
    source = Path(__file__).parents[2] / "tick_pipeline" / "contracts" / "tick.json"
    older = json.loads(source.read_text())
    field: dict[str, Any] = {
        "name": "venue",
        "type": "string",
        "required": False,
        "description": "",
        "rules": [],
    }
    older["fields"].append(field)
    Path("older.json").write_text(json.dumps(older))
    assert run(["contracts", "check", "--against", "older.json"]) == 1
    assert "the field venue was removed" in capsys.readouterr().err
    assert run(["contracts", "check", "--against", str(source)]) == 0


def test_help_starts_fast_because_it_imports_no_engine() -> None:
    program = (
        "import sys; from tick_pipeline.cli.main import run; run(['--help']);"
        "print([m for m in ('pyspark', 'duckdb', 'pyarrow', 'pyiceberg', 'pandas', 'dagster')"
        " if m in sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout
    assert output.splitlines()[-1] == "[]"


def test_a_reader_that_closes_early_gets_no_complaint() -> None:
    """As `tick-pipeline … | head -1` does."""
    command = f"{sys.executable} -m tick_pipeline.cli.main --help | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)  # noqa: S607
    assert (done.returncode, done.stderr) == (0, "")


def test_raw_of_a_mode_that_is_switched_off_is_not_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_STORAGE_MODES", "parquet_projection")
    assert run(["ohlc", *HOUR, "--load-data-mode", "iceberg"]) == 2
    assert "switches off" in capsys.readouterr().err
