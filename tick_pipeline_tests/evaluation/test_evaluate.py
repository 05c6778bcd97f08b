"""`tick-pipeline anomalies evaluate`: its table, its JSON, its exit codes, and the targets themselves."""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.cli.main import run
from tick_pipeline_tests.docs.pages import ROOT, page

if TYPE_CHECKING:
    from pathlib import Path

EVALUATE = ["anomalies", "evaluate"]
SHORT = [*EVALUATE, "--seeds", "1", "--duration", "900", "--rate", "10", "--symbols", "2"]


def document_of(text: str) -> Any:
    return json.loads(text)


def test_the_json_has_a_line_for_each_scenario_metric_and_threshold(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is judged away from the defaults, and the settings' own threshold is never left out."""
    arguments = [
        "--scenarios",
        "spikes,steady",
        "--metrics",
        "all",
        "--thresholds",
        "9,4",
        "--json",
    ]
    assert run([*SHORT, *arguments]) == 0
    document = document_of(capsys.readouterr().out)
    lines = [(row["case"], row["metric"], row["threshold"]) for row in document["qualities"]]
    assert lines == [
        (case, metric, threshold)
        for case in ("spikes", "steady")
        for metric in ("return", "price", "volume")
        for threshold in (4, 5, 9)
    ]
    assert document["judged"] is False
    assert document["rules"]["threshold"] == 5
    assert {(target["case"], target["measure"]) for target in document["targets"]} == {
        ("spikes", "recall"),
        ("spikes", "precision"),
        ("steady", "alerts_per_million"),
    }


def test_the_table_shows_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SHORT, "--scenarios", "spikes", "--thresholds", "8"]) == 0
    captured = capsys.readouterr()
    assert "spikes" in captured.out
    assert "recall >= 0.95: holds" in captured.out
    assert "promised at the default settings" in captured.err


def test_settings_are_the_configured_ones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_ANOMALY_METRICS", "price")
    monkeypatch.setenv("TICK_PIPELINE_ANOMALY_THRESHOLD", "3.5")
    assert run([*SHORT, "--scenarios", "steady", "--thresholds", "4", "--json"]) == 0
    document = document_of(capsys.readouterr().out)
    assert [(row["metric"], row["threshold"]) for row in document["qualities"]] == [
        ("price", 3.5),
        ("price", 4),
    ]
    assert document["targets"] == []


def test_no_home_is_needed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(tmp_path / "home"))
    assert run([*SHORT, "--scenarios", "steady"]) == 0
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--scenarios", "boom"], "low_volatility"),
        (["--scenarios", ""], "low_volatility"),
        (["--seeds", "one"], "--seeds"),
        (["--thresholds", "0"], "--thresholds"),
        (["--thresholds", "nan"], "--thresholds"),
        (["--metrics", "spread"], "volume"),
        (["--duration", "0"], "duration"),
        (["--rate", "-1"], "rate"),
        (["--symbols", "0"], "symbols"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_code_2(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*EVALUATE, *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert complaint in captured.err


@pytest.fixture(scope="module")
def evaluated() -> tuple[int, Any]:
    """Exit code and document of the evaluation at its defaults: half a minute."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = run([*EVALUATE, "--json"])
    return code, document_of(out.getvalue())


@pytest.mark.parametrize(
    ("case", "measure"),
    [
        ("steady", "alerts_per_million"),
        ("trend", "alerts_per_million"),
        ("low_volatility", "alerts_per_million"),
        ("spikes", "recall"),
        ("spikes", "precision"),
        ("flash_crash", "recall"),
        ("mixed", "recall"),
        ("mixed", "precision"),
    ],
)
def test_the_default_rules_reach_their_target(
    case: str, measure: str, evaluated: tuple[int, Any]
) -> None:
    _, document = evaluated
    [target] = [
        target
        for target in document["targets"]
        if (target["case"], target["measure"]) == (case, measure)
    ]
    assert target["holds"], f"{target['value']} is not {target['wanted']}"


def test_the_defaults_are_judged_on_a_million_ticks_of_each_market(
    evaluated: tuple[int, Any],
) -> None:
    code, document = evaluated
    assert document["judged"] is True
    assert code == (0 if all(target["holds"] for target in document["targets"]) else 1)
    assert len(document["targets"]) == 8
    assert min(row["ticks"] for row in document["qualities"]) >= 1_000_000


def figures_of(document: Any) -> list[str]:
    """Each market's line of the page: events, recall, alerts per million and precision by threshold."""
    markets: dict[str, list[Any]] = {}
    for row in document["qualities"]:
        markets.setdefault(row["case"], []).append(row)
    lines: list[str] = []
    for case, rows in markets.items():
        recall = next(row["recall"] for row in rows if row["threshold"] == 5)
        cells = [
            *(case.replace("_", " "), str(rows[0]["events"]), _share(recall)),
            *(f"{row['alerts_per_million']:.0f}" for row in rows),
            *(_share(row["precision"]) for row in rows),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def test_the_page_shows_the_figures_of_this_code(evaluated: tuple[int, Any]) -> None:
    """After a wanted change: copy the lines that this tells, then read the diff."""
    shown = page(ROOT / "docs" / "anomalies.md").text
    assert [line for line in figures_of(evaluated[1]) if line not in shown] == []


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
