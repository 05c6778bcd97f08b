"""The runner of jobs: what it says when one fails, and that none outlives its caller."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from tick_pipeline.errors import BusyError, RuntimeMissingError, SparkJobError
from tick_pipeline.event_time import US_PER_HOUR, parse_instant
from tick_pipeline.home import exclusive
from tick_pipeline.resources import spark_jobs
from tick_pipeline.resources.iceberg import warehouse_uri
from tick_pipeline.resources.spark_jobs import LocalSparkJobs
from tick_pipeline.resources.spark_runtime import JARS, jar_paths
from tick_pipeline.spark.request import AnomalyRequest, OhlcRequest
from tick_pipeline.spark.scoring_rules import ScoringRules
from tick_pipeline.storage import TIMEFRAMES, StorageMode

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

START_US = parse_instant("2026-01-01T00:00:00Z")
REQUEST = OhlcRequest(
    start_us=START_US,
    end_us=START_US + US_PER_HOUR,
    storage_modes=(StorageMode.PARQUET_PROJECTION,),
    load_data_mode=None,
    timeframes=tuple(TIMEFRAMES),
)


@pytest.mark.spark
def test_a_failing_job_is_one_line_and_a_log(home: Home, settings: Settings) -> None:
    own = settings.model_copy(update={"spark_master": "nonsense"})
    with pytest.raises(SparkJobError) as caught:
        LocalSparkJobs(home, own).run_ohlc(REQUEST)
    message = str(caught.value)
    assert "\n" not in message
    assert "Master must" in message
    (log,) = home.reports.glob("ohlc-*.log")
    assert str(log) in message
    assert "Traceback" in log.read_text(encoding="utf-8")


def test_one_run_writes_a_table_at_a_time(
    home: Home, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_jobs, "_LOCK_WAIT_SECONDS", 0.1)
    lock = home.locks / "parquet_projection-aggregated_5m.lock"
    with exclusive(lock, what="a test"), pytest.raises(BusyError, match="aggregated_5m"):
        LocalSparkJobs(home, settings).run_ohlc(REQUEST)


def test_two_batch_runs_of_anomalies_exclude_each_other(
    home: Home, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From start to end; the streaming job shares only the lock of the writing."""
    monkeypatch.setattr(spark_jobs, "_LOCK_WAIT_SECONDS", 0.1)
    request = AnomalyRequest(
        START_US, START_US + US_PER_HOUR, (StorageMode.ICEBERG,), None, ScoringRules()
    )
    lock = home.locks / "iceberg-anomalies-batch.lock"
    with exclusive(lock, what="a test"), pytest.raises(BusyError, match="anomalies-batch"):
        LocalSparkJobs(home, settings).run_anomalies(request)


def test_a_table_that_is_busy_inside_a_job_is_busy_outside(home: Home, settings: Settings) -> None:
    """So that a Dagster run tries again, as it does for a lock of its own."""
    code = "from tick_pipeline.errors import BusyError; raise BusyError('the table is held')"
    command = [sys.executable, "-c", code]
    with pytest.raises(BusyError, match=r"^the table is held$"):
        LocalSparkJobs(home, settings)._run(command, [], home.reports / "anomalies-1.json", [], {})


def test_a_missing_jar_is_named_with_the_place_to_put_it(
    settings: Settings, tmp_path: Path
) -> None:
    own = settings.model_copy(update={"cache": tmp_path})
    with pytest.raises(RuntimeMissingError) as caught:
        jar_paths(own)
    assert JARS[0].coordinates in str(caught.value)
    assert str(tmp_path / "jars" / JARS[0].file_name) in str(caught.value)


@pytest.mark.spark
def test_a_job_ends_whose_caller_had_gone_before_it_could_look(home: Home) -> None:
    """The caller's id is an argument: asked for later, it would be the id of whoever adopted us."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    job = subprocess.Popen(
        [
            *(sys.executable, "-m", "tick_pipeline.spark.jobs.ohlc"),
            *("--START=2026-01-01T00:00:00Z", "--END=2026-01-01T01:00:00Z"),
            *("--STORAGE_MODE=parquet_projection", f"--WAREHOUSE={warehouse_uri(home.path)}"),
            f"--PARENT={gone.pid}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    family = psutil.Process(job.pid)
    assert job.wait(timeout=300) == 1
    deadline = time.monotonic() + 60
    while family.is_running() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not family.is_running()
