"""A Spark job on Glue: its report, its log and its facts come back; so does the error of its script."""

# parts of Dagster's types are partial, boto3 has none
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from tick_pipeline.errors import BusyError, SparkJobError
from tick_pipeline.resources.aws import glue_jobs
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.aws.glue_jobs import GlueSparkJobs
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline.spark.request import AnomalyRequest
from tick_pipeline.spark.scoring_rules import ScoringRules
from tick_pipeline.storage import LoadDataMode, StorageMode
from tick_pipeline_tests.spark.lake import tick
from tick_pipeline_tests.twin.glue_asset import candles_asset
from tick_pipeline_tests.twin.glue_execution import plain_python
from tick_pipeline_tests.twin.glue_stand_in import (
    BUCKET,
    HOUR_US,
    NAME,
    QUICK,
    REPORT,
    REQUEST,
    START_US,
    SUCCEED,
    glue_runs,
    make_job,
    states,
    use_twin,
)
from tick_pipeline_tests.twin.lake import TwinLake
from tick_pipeline_tests.twin.provision import JOBS, provision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tick_pipeline_tests.twin.twin import Twin


@pytest.fixture
def settings(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of the twin."""
    return use_twin(twin, monkeypatch)


@pytest.fixture
def jobs(settings: Settings) -> GlueSparkJobs:
    """The adapter, in a hurry."""
    return GlueSparkJobs(AwsClients(settings), settings, pace=QUICK)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's, for one test."""
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def materialized(
    jobs: GlueSparkJobs, instance: dg.DagsterInstance, **options: Any
) -> dg.ExecuteInProcessResult:
    """Run the job as an asset does."""
    return dg.materialize([candles_asset(jobs, REQUEST)], instance=instance, **options)


def told(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> str:
    """All that a Dagster run logged."""
    return "\n".join(entry.message for entry in instance.all_logs(result.run_id))


def test_a_run_gives_the_report_that_the_script_wrote_and_what_the_run_was(
    twin: Twin, jobs: GlueSparkJobs
) -> None:
    make_job(twin, SUCCEED)
    assert jobs.run_ohlc(REQUEST) == [REPORT]
    (run,) = twin.client("glue").get_job_runs(JobName=NAME)["JobRuns"]
    arguments = run["Arguments"]
    assert arguments["--START"] == "2026-01-01T00:00:00Z"
    assert arguments["--END"] == "2026-01-01T01:00:00Z"
    assert arguments["--STORAGE_MODE"] == "parquet_projection"
    assert arguments["--TIMEFRAMES"] == "1m,5m"
    assert arguments["--REPORT"].startswith(f"s3://{BUCKET}/pipes/")
    assert (run["WorkerType"], run["NumberOfWorkers"]) == ("G.1X", 2)


def test_a_dagster_run_has_the_scripts_log_and_the_runs_facts(
    twin: Twin, jobs: GlueSparkJobs, instance: dg.DagsterInstance
) -> None:
    make_job(twin, SUCCEED)
    result = materialized(jobs, instance)
    assert "candles from 2026-01-01T00:00:00Z to 2026-01-01T01:00:00Z" in told(instance, result)
    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    run_id = str(metadata["Spark run"].value)
    assert metadata["rows"].value == REPORT.rows
    page = str(metadata["Spark run's page"].value)
    assert page.endswith(f"/gluestudio/home?region=us-east-1#/job/{NAME}/run/{run_id}")
    group = f"$252Faws-glue$252Fjobs$252F{NAME}$252Foutput"
    assert str(metadata["Spark log"].value).endswith(f"log-group/{group}/log-events/{run_id}")
    assert isinstance(metadata["Spark log"], dg.UrlMetadataValue)
    assert (metadata["worker type"].value, metadata["workers"].value) == ("G.1X", 2)
    assert metadata["execution class"].value == "STANDARD"
    # Two DPUs for a minute, the least that is billed.
    assert metadata["cost estimate (US dollars)"].value == pytest.approx(2 / 60 * 0.44, abs=1e-4)


def test_a_failed_run_tells_the_scripts_error_and_the_end_of_its_log(
    twin: Twin, jobs: GlueSparkJobs, instance: dg.DagsterInstance
) -> None:
    make_job(twin, "with dagster_log() as log:\n    raise ValueError('no such column: prize')")
    result = materialized(jobs, instance, raise_on_error=False)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    data = failure.step_failure_data.user_failure_data
    assert data is not None
    assert "ended as FAILED: " in str(data.description)
    assert "ValueError: no such column: prize; its log: https://" in str(data.description)
    assert "Traceback" in str(data.metadata["log"].value)
    assert str(data.metadata["Spark run"].value) in str(data.description)
    assert states(twin) == ["FAILED"], "nothing that fails again is tried again"


def test_a_failure_without_a_message_is_told_by_the_log(twin: Twin, jobs: GlueSparkJobs) -> None:
    make_job(twin, "print('the disk is full'); sys.exit(3)")
    with pytest.raises(SparkJobError, match="Command failed with exit code 3") as raised:
        jobs.run_ohlc(REQUEST)
    assert "the disk is full" in raised.value.log_tail


def test_no_secret_of_a_log_is_told(twin: Twin, jobs: GlueSparkJobs) -> None:
    make_job(twin, "raise ValueError('aws_secret_access_key=EXAMPLEKEY in use')")
    with pytest.raises(SparkJobError, match=r"aws_secret_access_key=\*\*\* in use") as raised:
        jobs.run_ohlc(REQUEST)
    assert "EXAMPLEKEY" not in f"{raised.value} {raised.value.log_tail}"


def test_a_job_that_found_a_table_taken_is_busy(twin: Twin, jobs: GlueSparkJobs) -> None:
    make_job(twin, "raise BusyError('the streaming job writes the table')")
    with pytest.raises(BusyError, match=r"^the streaming job writes the table$"):
        jobs.run_ohlc(REQUEST)


@pytest.mark.parametrize(
    ("script", "says"),
    [("pass", "without a report at s3://"), (SUCCEED.replace("[report]", "[1]"), "FAILED")],
)
def test_a_run_without_its_report_is_a_failure(
    script: str, says: str, twin: Twin, jobs: GlueSparkJobs
) -> None:
    make_job(twin, script)
    with pytest.raises(SparkJobError, match=says):
        jobs.run_ohlc(REQUEST)


def test_a_report_of_another_version_says_what_to_deploy(twin: Twin, jobs: GlueSparkJobs) -> None:
    old = "from tick_pipeline.spark.s3_objects import put_text\n"
    make_job(twin, old + """put_text(given["--REPORT"], '[{"rows": 1}]')""")
    with pytest.raises(SparkJobError, match=r"is none of this version.*`terraform apply`"):
        jobs.run_ohlc(REQUEST)


def test_a_log_that_cannot_be_read_hides_no_failure(
    twin: Twin, jobs: GlueSparkJobs, caplog: pytest.LogCaptureFixture
) -> None:
    make_job(twin, "raise ValueError('no such column')")
    twin.gateway.fail("GetLogEvents", "AccessDeniedException")
    with caplog.at_level(logging.WARNING), pytest.raises(SparkJobError, match="no such column"):
        jobs.run_ohlc(REQUEST)
    assert "AWS refuses GetLogEvents" in caplog.text


def test_workers_follow_from_the_raw_files_of_all_modes_and_rules_are_passed_on(
    twin: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of other hours do not count."""
    for name, value in provision(twin.client, twin.url).settings.items():
        monkeypatch.setenv(name, value)
    name = JOBS["anomalies"]
    twin.client("s3").put_object(
        Bucket=BUCKET,
        Key="artifacts/test/anomalies.py",
        Body=b"import sys\nfrom tick_pipeline.spark.s3_objects import put_text\n"
        b"put_text(sys.argv[sys.argv.index('--REPORT') + 1], '[]')",
    )
    twin.client("glue").update_job(JobName=name, JobUpdate={"NumberOfWorkers": 10})
    glue_runs(twin).switches.launch = plain_python
    both, lake = tuple(StorageMode), TwinLake(twin)
    lake.land([tick(START_US)], *both)
    lake.land([tick(START_US + HOUR_US)], *both)
    (parquet,) = lake.objects("raw", START_US).values()
    monkeypatch.setattr(glue_jobs, "ANOMALIES_BYTES_A_DPU", len(parquet))
    settings, rules = load_settings(), ScoringRules(window_minutes=3)
    request = AnomalyRequest(START_US, START_US + HOUR_US, both, LoadDataMode.SPARK, rules)
    assert GlueSparkJobs(AwsClients(settings), settings, pace=QUICK).run_anomalies(request) == []
    (run,) = twin.client("glue").get_job_runs(JobName=name)["JobRuns"]
    # The driver, one for Parquet's file, and two for Iceberg's, which is larger.
    assert run["NumberOfWorkers"] == 4
    assert json.loads(run["Arguments"]["--RULES"])["window_minutes"] == 3
    assert run["Arguments"]["--STORAGE_MODE"] == "iceberg,parquet_projection"
    assert run["Arguments"]["--LOAD_DATA_MODE"] == "spark"
