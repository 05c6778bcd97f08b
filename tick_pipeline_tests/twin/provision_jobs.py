"""The three Glue jobs of terraform/glue_jobs.tf and its module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tick_pipeline.spark.session import glue_conf
from tick_pipeline.storage import CATALOG, StorageMode, glue_database
from tick_pipeline_tests.twin.emulator import REGION, ROOT
from tick_pipeline_tests.twin.stack import BUCKET, JOBS, PROJECT, ROLE, STREAM, WAREHOUSE

_TIMEOUT_MINUTES = 15
_STREAM_SECONDS = 3600
_DESCRIPTIONS = {
    "ohlc": "Candles of whole hours from raw ticks, one storage mode after the other",
    "anomalies": "Anomalies of whole hours from raw ticks, one storage mode after the other",
    "anomaly_stream": "Anomalies from the stream as it comes, into the tables of every storage mode",
}

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def create_job(client: Callable[[str], Any], name: str, wheel: Path | None) -> None:
    """Put a job's script, and make the job.

    Args:
        client: boto3's client of a service.
        name: of the job, a key of JOBS.
        wheel: what it installs; without it, it cannot run.
    """
    script = ROOT / "tick_pipeline" / "spark" / "jobs" / f"{name}.py"
    key = f"artifacts/test/{name}.py"
    client("s3").put_object(Bucket=BUCKET, Key=key, Body=script.read_bytes())
    arguments = _arguments(name)
    if wheel is not None:
        place = f"artifacts/test/{wheel.name}"
        client("s3").put_object(Bucket=BUCKET, Key=place, Body=wheel.read_bytes())
        modules = f"s3://{BUCKET}/{place},dagster-pipes==1.13.27"
        arguments["--additional-python-modules"] = modules
    client("glue").create_job(
        Name=JOBS[name],
        Description=_DESCRIPTIONS[name],
        Role=ROLE,
        Command={
            "Name": "gluestreaming" if name == "anomaly_stream" else "glueetl",
            "PythonVersion": "3",
            "ScriptLocation": f"s3://{BUCKET}/{key}",
        },
        DefaultArguments=arguments,
        GlueVersion="5.1",
        WorkerType="G.1X",
        NumberOfWorkers=2,
        MaxRetries=0,
        **_limits(name),
    )


def _arguments(name: str) -> dict[str, str]:
    arguments = {
        "--WAREHOUSE": WAREHOUSE,
        "--CATALOG": CATALOG,
        "--STORAGE_MODE": ",".join(sorted(StorageMode)),
        "--DATABASE": glue_database(PROJECT, StorageMode.ICEBERG),
        "--conf": " --conf ".join(
            f"{key}={value}" for key, value in sorted(glue_conf(warehouse=WAREHOUSE).items())
        ),
        "--datalake-formats": "iceberg",
        "--python-modules-installer-option": "--no-deps",
        "--TempDir": f"s3://{BUCKET}/temporary/",
        "--enable-auto-scaling": "true",
        "--job-bookmark-option": "job-bookmark-disable",
        "--enable-metrics": "true",
        "--enable-observability-metrics": "true",
        "--enable-continuous-cloudwatch-log": "true",
        "--custom-logGroup-prefix": f"/aws-glue/jobs/{JOBS[name]}",
        "--enable-spark-ui": "true",
        "--spark-event-logs-path": f"s3://{BUCKET}/spark-ui/",
    }
    own = {
        "ohlc": {"--METRICS_NAMESPACE": "TickPipeline"},
        "anomaly_stream": {
            "--SOURCE": "kinesis",
            "--STREAM": STREAM,
            "--ENDPOINT": f"https://kinesis.{REGION}.amazonaws.com",
            "--CHECKPOINT": f"s3://{BUCKET}/checkpoints/anomaly-stream",
            "--IDLE_SECONDS": "600",
            "--MAX_SECONDS": str(_STREAM_SECONDS),
        },
    }
    return arguments | own.get(name, {})


def _limits(name: str) -> dict[str, Any]:
    """How many runs at once, and how long one may take, in minutes."""
    if name != "anomaly_stream":
        runs = {"MaxConcurrentRuns": len(StorageMode)}
        return {"Timeout": _TIMEOUT_MINUTES, "ExecutionProperty": runs}
    minutes = _STREAM_SECONDS // 60
    return {
        "Timeout": minutes + 30,
        "ExecutionProperty": {"MaxConcurrentRuns": 1},
        "NotificationProperty": {"NotifyDelayAfter": minutes + 10},
        "MaintenanceWindow": "Sun:5",
    }
