"""A Glue job whose script is a few lines of the test's own: no Spark, so a run takes a second."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tick_pipeline.resources.aws.glue_pace import Pace
from tick_pipeline.settings import load_settings
from tick_pipeline.spark.report import OhlcReport
from tick_pipeline.spark.request import OhlcRequest
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.aws_settings import AWS_SETTINGS
from tick_pipeline_tests.twin.glue_execution import plain_python
from tick_pipeline_tests.twin.glue_runs import GlueRuns

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tick_pipeline.settings import Settings
    from tick_pipeline_tests.twin.twin import Twin

HOUR_US = 3_600_000_000
START_US = 1_767_225_600_000_000
BUCKET = AWS_SETTINGS["TICK_PIPELINE_BUCKET"]
NAME = AWS_SETTINGS["TICK_PIPELINE_GLUE_JOB_OHLC"]
REQUEST = OhlcRequest(
    START_US, START_US + HOUR_US, (StorageMode.PARQUET_PROJECTION,), None, ("1m", "5m")
)
#: As quick as a test wants it.
QUICK = Pace(first_poll=0.05, longest_poll=0.1, queue=5, outage=60, busy=0.3, lost=0.3, stop=60)
REPORT = OhlcReport(
    storage_mode="parquet_projection",
    load_data_mode="parquet",
    start_us=START_US,
    end_us=START_US + HOUR_US,
    rows=10,
    invalid=1,
    duplicates=2,
    files=3,
    bytes=4_000,
    partitions=1,
    requests=4,
    read_seconds=0.5,
    tasks=6,
    task_seconds_median=0.1,
    task_seconds_max=0.2,
    spill_bytes=0,
    shuffle_bytes=100,
    seconds=1.5,
    invalid_by_rule={"price_positive": 1},
    conflicting_duplicates=0,
    shared_instants=0,
    candles={"1m": 60, "5m": 12},
)
_MESSAGES_WAIT = "dagster._core.pipes.utils.WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL"
_BEGIN = f"""
import sys, time
from tick_pipeline.errors import BusyError
from tick_pipeline.spark.report import OhlcReport, dagster_log, reporter_for
given = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
report = OhlcReport(**{asdict(REPORT)!r})
print("arguments:", sorted(given), flush=True)
"""
#: What the real entry scripts do around their work.
SUCCEED = """
with dagster_log() as log:
    log.info("candles from %s to %s", given["--START"], given["--END"])
    reporter_for(given["--REPORT"]).report([report])
"""
SLEEP = "time.sleep(3600)"
#: Tells its progress, and ends as it is asked to: what the streaming job does, without a stream.
FOLLOW = """
import boto3
from urllib.parse import urlsplit
from tick_pipeline.event_time import now_us
from tick_pipeline.spark.streaming.progress import EndReason, Phase, StreamProgress
s3, place = boto3.client("s3"), urlsplit(given["--CONTROL"])
progress = StreamProgress(started_us=now_us(), heartbeat_us=now_us(), phase=Phase.RUNNING)
def tell():
    progress.heartbeat_us = now_us()
    key = place.path.lstrip("/") + "/progress.json"
    s3.put_object(Bucket=place.netloc, Key=key, Body=progress.to_json().encode())
def asked():
    listed = s3.list_objects_v2(Bucket=place.netloc, Prefix=place.path.lstrip("/") + "/stop")
    return "Contents" in listed
def end(reason):
    progress.phase, progress.end_reason = Phase.ENDED, EndReason(reason)
    tell()
    sys.exit(0)
tell()
"""
UNTIL_ASKED = """
while not asked():
    time.sleep(0.05)
end("stopped")
"""


def use_twin(twin: Twin, monkeypatch: pytest.MonkeyPatch, **named: str) -> Settings:
    """Settings of the twin, in the environment, too.

    Args:
        twin: what they are of.
        monkeypatch: of the test.
        named: more of them, by their names.
    """
    more = {f"TICK_PIPELINE_{name}": value for name, value in named.items()}
    endpoint = {"TICK_PIPELINE_AWS_ENDPOINT_URL": twin.url}
    for name, value in {**AWS_SETTINGS, **endpoint, **more}.items():
        monkeypatch.setenv(name, value)
    # Dagster would wait ten seconds for the messages of a script that sends none.
    monkeypatch.setattr(_MESSAGES_WAIT, 0)
    return load_settings()


def make_job(twin: Twin, script: str, *, name: str = NAME, **more: Any) -> GlueRuns:
    """A job of a stand-in script in the twin; returns who runs it.

    Args:
        twin: empty.
        script: what it does, in Python; it has `given`, `report`, `dagster_log` and `reporter_for`.
        name: of the job.
        more: fields of the job.
    """
    s3 = twin.client("s3")
    if not s3.list_buckets()["Buckets"]:
        s3.create_bucket(Bucket=BUCKET)
    key = f"artifacts/test/{name}.py"
    s3.put_object(Bucket=BUCKET, Key=key, Body=(_BEGIN + script).encode())
    twin.client("glue").create_job(
        **{
            "Name": name,
            "Role": "arn:aws:iam::000000000000:role/glue",
            "Command": {"Name": "glueetl", "ScriptLocation": f"s3://{BUCKET}/{key}"},
            "DefaultArguments": {"--custom-logGroup-prefix": f"/aws-glue/jobs/{name}"},
            "GlueVersion": "5.1",
            "WorkerType": "G.1X",
            "NumberOfWorkers": 4,
            "Timeout": 60,
            "ExecutionProperty": {"MaxConcurrentRuns": 2},
            **more,
        }
    )
    runs = glue_runs(twin)
    runs.switches.launch = plain_python
    return runs


def replace_script(twin: Twin, name: str, script: str) -> GlueRuns:
    """Give a job that is there a stand-in script; returns who runs it.

    Args:
        twin: that has the job.
        name: of the job.
        script: see `make_job`.
    """
    command = twin.client("glue").get_job(JobName=name)["Job"]["Command"]
    bucket, _, key = command["ScriptLocation"].removeprefix("s3://").partition("/")
    twin.client("s3").put_object(Bucket=bucket, Key=key, Body=(_BEGIN + script).encode())
    runs = glue_runs(twin)
    runs.switches.launch = plain_python
    return runs


def states(twin: Twin, name: str = NAME) -> list[str]:
    """States of a job's runs, newest first."""
    found = twin.client("glue").get_job_runs(JobName=name)["JobRuns"]
    return [run["JobRunState"] for run in found]


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for something that comes about by itself."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def glue_runs(twin: Twin) -> GlueRuns:
    """Who runs the jobs of the twin."""
    return next(item for item in twin.gateway.services if isinstance(item, GlueRuns))
