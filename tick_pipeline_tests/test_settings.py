"""Settings come from the environment, then .env, then the defaults; a wrong one is one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tick_pipeline.errors import SettingsError
from tick_pipeline.settings import Settings, load_settings, scoring_rules, unknown_settings
from tick_pipeline.spark.scoring_rules import ScoringRules
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.aws_settings import AWS_SETTINGS


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(
        "TICK_PIPELINE_BUFFER_SECONDS=5\nTICK_PIPELINE_STREAM_SHARDS=2\n"
    )
    monkeypatch.setenv("TICK_PIPELINE_BUFFER_SECONDS", "7")
    settings = load_settings()
    assert (settings.buffer_seconds, settings.stream_shards) == (7, 2)


def test_one_storage_mode_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICK_PIPELINE_STORAGE_MODES", "parquet_projection")
    assert load_settings().storage_modes == (StorageMode.PARQUET_PROJECTION,)


def test_the_order_of_the_modes_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICK_PIPELINE_STORAGE_MODES", "parquet_projection, iceberg")
    assert load_settings().storage_modes == tuple(StorageMode)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("DEPLOYMENT", "moon", "'local' or 'aws'"),
        ("STORAGE_MODES", "hudi", "iceberg, parquet_projection"),
        ("STORAGE_MODES", ",", "iceberg, parquet_projection"),
        ("BUFFER_SECONDS", "soon", "valid number"),
        ("BUFFER_RECORDS", "0", "greater than or equal to 1"),
        ("CLOSE_AFTER_SECONDS", "60", "at least twice"),
        ("PARTITIONS_START", "2026-01-01T00:30:00Z", "whole UTC hour"),
        ("PARTITIONS_START", "tomorrow", "ISO 8601"),
        ("SPARK_DRIVER_MEMORY", "lots", "pattern"),
        ("ANOMALY_METRICS", "return,mood", "return, price, volume"),
        ("ANOMALY_WINDOW_MINUTES", "0", "greater than or equal to 1"),
        ("ANOMALY_THRESHOLD", "inf", "finite"),
        ("ANOMALY_MIN_SAMPLES", "1", "greater than or equal to 2"),
        ("ANOMALY_TICK_SIZES", "AAPL", "AAPL=0.01"),
        ("ANOMALY_TICK_SIZES", "AAPL=-1", "AAPL=0.01"),
        ("ANOMALY_RETURN_FLOOR", "0", "greater than 0"),
    ],
)
def test_a_wrong_value_is_one_line_with_its_name_value_and_rule(
    name: str, value: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"TICK_PIPELINE_{name}", value)
    with pytest.raises(SettingsError, match=complaint) as caught:
        load_settings()
    assert f"TICK_PIPELINE_{name}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_aws_names_all_that_terraform_has_not_told_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what the enabled storage modes need."""
    for name, value in AWS_SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TICK_PIPELINE_BUCKET")
    monkeypatch.delenv("TICK_PIPELINE_FIREHOSE_ICEBERG")
    complaint = "needs TICK_PIPELINE_BUCKET, TICK_PIPELINE_FIREHOSE_ICEBERG: .*`make env`"
    with pytest.raises(SettingsError, match=complaint):
        load_settings()
    monkeypatch.setenv("TICK_PIPELINE_STORAGE_MODES", "parquet_projection")
    with pytest.raises(SettingsError, match="needs TICK_PIPELINE_BUCKET: after"):
        load_settings()


def test_on_aws_the_partitions_begin_where_terraform_lets_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in AWS_SETTINGS.items():
        monkeypatch.setenv(name, value)
    assert load_settings().partitions_start == "2026-01-01T00:00:00Z"
    monkeypatch.setenv("TICK_PIPELINE_PARTITIONS_START", "2025-06-01T00:00:00Z")
    assert load_settings().partitions_start == "2025-06-01T00:00:00Z"


def test_pinned_symbols_are_read_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICK_PIPELINE_STREAM_PINNED_SYMBOLS", "BTCUSDT, ETHUSDT,BTCUSDT,")
    assert load_settings().stream_pinned_symbols == ("BTCUSDT", "ETHUSDT")


def test_tick_sizes_are_read_by_symbol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICK_PIPELINE_ANOMALY_TICK_SIZES", "AAPL=0.01, BTC-USD=0.5")
    assert load_settings().anomaly_tick_sizes == {"AAPL": 0.01, "BTC-USD": 0.5}


def test_the_defaults_are_those_of_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule has one default, whoever asks."""
    monkeypatch.delenv("TICK_PIPELINE_ANOMALY_TICK_SIZES", raising=False)
    assert scoring_rules(load_settings()) == ScoringRules()


def test_settings_are_frozen() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.buffer_seconds = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_the_example_file_names_every_setting_with_its_default() -> None:
    """What a user copies must be what the code does without it."""
    example = Path(__file__).parents[1] / ".env.example"
    named = {
        line.lstrip("# ").partition("=")[0].removeprefix("TICK_PIPELINE_").lower()
        for line in example.read_text().splitlines()
        if "TICK_PIPELINE_" in line
    }
    assert named == set(Settings.model_fields)
    assert load_settings(_env_file=example) == load_settings(_env_file=None)


def test_an_empty_variable_is_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICK_PIPELINE_HOME", "")
    assert load_settings().home == Path(".tick_pipeline")


def test_a_name_that_is_no_setting_is_told_with_the_closest_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of tests some have the prefix, too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("TICK_PIPELINE_STREAM_SHARD=2\nOTHER=1\n")
    monkeypatch.setenv("TICK_PIPELINE_XYZ", "1")
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(tmp_path))
    monkeypatch.setenv("TICK_PIPELINE_TEST_REAL_TRADES", "trades.csv")
    assert unknown_settings() == [
        "TICK_PIPELINE_STREAM_SHARD is no setting, so it has no effect; did you mean TICK_PIPELINE_STREAM_SHARDS?",
        "TICK_PIPELINE_XYZ is no setting, so it has no effect; .env.example lists all",
    ]
