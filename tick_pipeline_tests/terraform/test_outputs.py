"""Terraform's outputs and the package's settings name the same things, and one becomes the other."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tick_pipeline.settings import PREFIX, Settings, load_settings

TERRAFORM = Path(__file__).parents[2] / "terraform"
OUTPUTS = re.findall(r'^output "(\w+)"', (TERRAFORM / "outputs.tf").read_text(), re.MULTILINE)
#: Settings that mean something without Terraform, and that it must agree with.
SHARED = {"storage_modes", "partitions_start", "iceberg_maintainer"}
AWS = {
    "aws_region",
    "project",
    "bucket",
    "stream",
    "firehose_iceberg",
    "firehose_parquet",
    "glue_job_ohlc",
    "glue_job_anomalies",
    "glue_job_anomaly_stream",
    "athena_workgroup",
    "sns_topic_arn",
}


def write_env(file: Path, text: str) -> subprocess.CompletedProcess[str]:
    """What `make env` runs, on these outputs."""
    return subprocess.run(
        [sys.executable, str(TERRAFORM / "scripts" / "write_env.py"), str(file)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def outputs(**values: str | None) -> str:
    """Outputs as `terraform output -json` prints them."""
    return json.dumps({name: {"value": value, "type": "string"} for name, value in values.items()})


def test_outputs_are_exactly_what_the_settings_read() -> None:
    assert set(OUTPUTS) == AWS | SHARED
    assert set(OUTPUTS) <= set(Settings.model_fields)


def test_every_setting_of_aws_stands_in_the_example() -> None:
    example = (TERRAFORM.parent / ".env.example").read_text()
    assert [name for name in AWS if f"{PREFIX}{name.upper()}=" not in example] == []


def test_make_env_writes_what_the_settings_then_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = dict.fromkeys(OUTPUTS, "x") | {
        "storage_modes": "iceberg",
        "partitions_start": "2026-01-01T00:00:00Z",
        "iceberg_maintainer": "table_maintenance",
    }
    assert write_env(tmp_path / ".env", outputs(**values)).returncode == 0
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert {name: getattr(settings, name) for name in AWS} == dict.fromkeys(AWS, "x")
    assert [mode.value for mode in settings.storage_modes] == ["iceberg"]
    assert settings.iceberg_maintainer == "table_maintenance"


def test_make_env_keeps_every_other_line(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"# mine\n{PREFIX}BUCKET=old\n{PREFIX}FIREHOSE_ICEBERG=old\nOTHER=1\n")
    write_env(file, outputs(bucket="new", firehose_iceberg=None))
    assert file.read_text() == f"# mine\nOTHER=1\n{PREFIX}BUCKET=new\n"


@pytest.mark.parametrize("text", ["", "{}", "no JSON"])
def test_make_env_without_outputs_says_what_to_do_and_changes_nothing(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\n")
    ended = write_env(file, text)
    assert ended.returncode == 1
    assert ended.stderr == "write_env: Terraform has no outputs; run `make tf-apply` first\n"
    assert file.read_text() == "A=1\n"
