"""`tick-pipeline anomalies plot`: its files, its JSON and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.cli.main import run

if TYPE_CHECKING:
    from tick_pipeline.home import Home

PLOT = ["anomalies", "plot"]


@pytest.fixture
def _drawn(drawn_home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(drawn_home.path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_drawn")
def test_both_files_are_drawn_here_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(PLOT) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == ["anomalies-AAA.png", "anomalies-AAA.html"]
    assert "3 alerts" in captured.err
    assert Path("anomalies-AAA.png").read_bytes().startswith(b"\x89PNG")
    assert Path("anomalies-AAA.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.usefixtures("_drawn")
def test_a_symbol_with_a_slash_is_a_file_of_this_folder() -> None:
    assert run([*PLOT, "--symbol", "B/B", "--storage-mode", "parquet_projection"]) == 0
    assert Path("anomalies-B-B.png").exists()


@pytest.mark.usefixtures("_drawn")
def test_only_the_outputs_that_are_asked_for_are_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run([*PLOT, "--output", "one.png", "--output", "two.PNG".lower(), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [item["path"] for item in document["files"]] == ["one.png", "two.png"]
    assert sorted(path.name for path in Path().iterdir()) == ["one.png", "two.png"]
    assert document["symbol"] == "AAA"
    assert document["candles"] == 41
    assert [alert["zscore"] for alert in document["alerts"]] == [41.5, -40.25, 7.75]


@pytest.mark.usefixtures("_drawn")
@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["--symbol", "NONE"], 2, "AAA, B/B"),
        (["--output", "picture.svg"], 2, ".png or .html"),
        (["--start", "noon"], 2, "--start"),
        (["--end", "2026-03-01T08:00"], 1, "anomalies holds nothing in that range"),
        (["--output", "absent/picture.png"], 1, "cannot be written"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    arguments: list[str], code: int, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*PLOT, *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert complaint in captured.err
    assert list(Path().iterdir()) == []


def test_an_empty_table_is_one_line_and_exit_code_1(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(home.path))
    assert run(PLOT) == 1
    assert capsys.readouterr().err.count("\n") == 1
