"""`capacity` and `cost`: for a described load, and for what the run of HOME was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.cli.main import run
from tick_pipeline.costs import prices
from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.settings import load_settings
from tick_pipeline_tests.aws_settings import AWS_SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

LOAD = ["--records-per-second", "60", "--record-bytes", "229"]


@pytest.fixture(autouse=True)
def home_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """A command's JSON document."""
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_capacity_tells_shards_of_a_described_load(
    capsys: pytest.CaptureFixture[str], home_path: Path
) -> None:
    load = ["--records-per-second", "12000", "--record-bytes", "8000", "--readers", "2"]
    found = told(capsys, "capacity", *load)
    assert found["shards"]["needed"] == 96
    assert found["shards"]["decided_by"] == ["bytes", "reading"]
    assert found["region"] == "us-east-1"
    assert {item["name"] for item in found["deliveries"]} == {"iceberg", "parquet_projection"}
    assert not home_path.exists()
    headroom = told(capsys, "capacity", *load, "--headroom", "0.5")
    assert headroom["shards"]["needed"] == 144


def test_capacity_warns_of_a_hot_symbol_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    load = ["--records-per-second", "4000", "--record-bytes", "229"]
    assert run(["capacity", *load, "--symbols", "AAPL=0.5,MSFT=0.1"]) == 0
    output, errors = capsys.readouterr()
    assert "4 shards (records)" in output
    assert "worst freshness" in output
    assert errors.count("\n") == 1
    assert errors.startswith("warning: AAPL alone would fill 2 shards")


def test_cost_tells_every_row_and_what_changes_it(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "cost", *LOAD, "--per", "day", "--set", "stream_mode=PROVISIONED")
    rows = found["estimate"]["rows"]
    assert found["estimate"]["total_usd"] == pytest.approx(sum(row["usd"] for row in rows))
    assert found["estimate"]["hours"] == 24
    assert found["load"]["stream_mode"] == {"value": "PROVISIONED", "origin": "given"}
    assert found["load"]["kms_key_enabled"]["origin"] == "assumed"
    assert found["measured"] is None
    first = rows[0]
    assert first["price"]["source"].startswith("https://aws.amazon.com/")
    assert {"units", "usd", "settings", "standing", "note"} <= set(first)
    assert {"stream_mode = ON_DEMAND", "no streaming job"} <= {
        item["change"] for item in found["what_ifs"]
    }


def test_cost_is_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cost", *LOAD, "--region", "eu-west-1"]) == 0
    output, errors = capsys.readouterr()
    assert "US dollars for 720 hours in eu-west-1" in output
    for word in ("largest drivers", "anomaly_stream_max_hours", "what if", "assumed: ", "given: "):
        assert word in output
    assert "no second source confirmed" in output
    assert errors == ""


def test_an_assumption_without_a_figure_says_what_it_follows_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["cost", *LOAD, "--set", "anomaly_stream_hours_per_day=0"]) == 0
    (assumed,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith("assumed: "))
    assert "readers = 2 (each Firehose" in assumed
    assert "stream_shards = as many as the load needs" in assumed
    assert "none" not in assumed.lower()


def test_the_storage_modes_of_the_settings_are_those_that_cost(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_STORAGE_MODES", "iceberg")
    found = told(capsys, "cost", *LOAD)
    assert {row["what"] for row in found["estimate"]["rows"] if row["station"] == "Firehose"} == {
        "into Iceberg"
    }


def test_old_prices_are_one_line_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prices, "_DAYS_A_YEAR", -1_000_000)
    assert run(["cost", *LOAD, "--json"]) == 0
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert errors.startswith("warning: the prices of us-east-1 are of ")


def test_a_run_of_home_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    produce = ["produce", "--scenario", "steady", "--duration", "120", "--past", "--json"]
    assert run(produce) == 0
    sent = json.loads(capsys.readouterr().out)["sent"]
    settings = load_settings()
    for mode in settings.storage_modes:
        open_deployment(settings).landing().land(mode, 0, 1)
    capsys.readouterr()
    found = told(capsys, "cost", "--per", "hour")
    rate = found["load"]["records_per_second"]
    assert rate["origin"] == "measured"
    assert rate["value"] == pytest.approx(60, rel=0.05)
    assert found["measured"]["records"] == found["measured"]["landed"] == sent > 6_000
    assert 150 < found["load"]["record_bytes"]["value"] < 300
    needed = told(capsys, "capacity")
    assert needed["shards"]["needed"] == 1
    assert needed["load"]["record_bytes"] == found["load"]["record_bytes"]["value"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["cost"], "there is nothing to measure"),
        (["capacity"], "there is nothing to measure"),
        (["cost", "--records-per-second", "60"], "go together"),
        (["capacity", "--record-bytes", "60"], "go together"),
        (["cost", *LOAD, "--region", "mars-1"], "eu-west-1, us-east-1"),
        (["cost", *LOAD, "--per", "year"], "--per"),
        (["cost", *LOAD, "--set", "shards=3"], "shards is no part of a load"),
        (["cost", *LOAD, "--set", "stream_shards"], "a whole number"),
        (["cost", "--records-per-second", "nan", "--record-bytes", "1"], "records_per_second"),
        (["capacity", *LOAD, "--headroom", "-1"], "headroom must be from 0"),
        (["capacity", *LOAD, "--symbols", "AAPL"], "'AAPL' is no share"),
        (["capacity", *LOAD, "--symbols", "AAPL=2"], "AAPL=2"),
    ],
)
def test_a_wrong_load_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert run(arguments) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1
    assert complaint in errors


def test_on_aws_a_load_is_described_and_not_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in AWS_SETTINGS.items():
        monkeypatch.setenv(name, value)
    assert run(["cost"]) == 2
    assert "give --records-per-second and --record-bytes" in capsys.readouterr().err
    assert run(["cost", *LOAD]) == 0


def test_a_region_of_the_settings_without_prices_is_told_and_another_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody asked for it here, so nobody is refused."""
    monkeypatch.setenv("TICK_PIPELINE_AWS_REGION", "mars-1")
    assert run(["cost", *LOAD]) == 0
    told = capsys.readouterr()
    assert "no prices of mars-1" in told.err
    assert "in us-east-1" in told.out
