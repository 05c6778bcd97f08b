"""Names of what stands on the twin: those that Terraform gives with its default project name."""

from __future__ import annotations

from tick_pipeline.storage import StorageMode, glue_database
from tick_pipeline_tests.twin.emulator import ACCOUNT, REGION

PROJECT = "tick-pipeline"
#: Years in which a tick can be stored.
FIRST_YEAR, LAST_YEAR = 2026, 2030
BUCKET = f"{PROJECT}-{ACCOUNT}-{REGION}"
WAREHOUSE = f"s3://{BUCKET}/warehouse"
STREAM = f"{PROJECT}-ticks"
DATABASES = {mode: glue_database(PROJECT, mode) for mode in StorageMode}
FIREHOSES = {
    StorageMode.ICEBERG: f"{PROJECT}-iceberg",
    StorageMode.PARQUET_PROJECTION: f"{PROJECT}-parquet-projection",
}
JOBS = {
    name: f"{PROJECT}-{name.replace('_', '-')}" for name in ("ohlc", "anomalies", "anomaly_stream")
}
WORKGROUP = f"{PROJECT}-jobs"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:{PROJECT}-alerts"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{PROJECT}"
STREAM_ARN = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{STREAM}"
