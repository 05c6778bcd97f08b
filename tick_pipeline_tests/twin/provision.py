"""What `terraform apply` makes, as far as the pipeline itself reads it: made here by AWS's own calls.

So the twin needs no Terraform; test_provision.py holds it against what Terraform applies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.twin.emulator import REGION
from tick_pipeline_tests.twin.provision_firehoses import destination
from tick_pipeline_tests.twin.provision_jobs import create_job
from tick_pipeline_tests.twin.provision_tables import create_tables
from tick_pipeline_tests.twin.stack import (
    BUCKET,
    FIREHOSES,
    FIRST_YEAR,
    JOBS,
    PROJECT,
    ROLE,
    STREAM,
    STREAM_ARN,
    TOPIC,
    WAREHOUSE,
    WORKGROUP,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = [
    "BUCKET",
    "FIREHOSES",
    "JOBS",
    "PROJECT",
    "ROLE",
    "STREAM",
    "STREAM_ARN",
    "WAREHOUSE",
    "Provisioned",
    "provision",
]


@dataclass(frozen=True)
class Provisioned:
    """What stands there: settings of the package, by the name of their variable."""

    settings: dict[str, str]


def provision(
    client: Callable[[str], Any],
    url: str,
    *,
    wheel: Path | None = None,
    shards: int = 2,
    buffer_seconds: int = 1,
) -> Provisioned:
    """Make all of it.

    Args:
        client: boto3's client of a service.
        url: of the twin.
        wheel: what the jobs install; without it they cannot run.
        shards: of the stream.
        buffer_seconds: of both Firehoses; AWS has none below 60 for Parquet, the twin need not wait.
    """
    client("s3").create_bucket(Bucket=BUCKET)
    client("kinesis").create_stream(StreamName=STREAM, ShardCount=shards)
    client("kinesis").get_waiter("stream_exists").wait(
        StreamName=STREAM, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    create_tables(client("glue"))
    for mode in StorageMode:
        client("firehose").create_delivery_stream(
            DeliveryStreamName=FIREHOSES[mode],
            DeliveryStreamType="KinesisStreamAsSource",
            KinesisStreamSourceConfiguration={"KinesisStreamARN": STREAM_ARN, "RoleARN": ROLE},
            **destination(mode, buffer_seconds),
        )
    for name in JOBS:
        create_job(client, name, wheel)
    client("athena").create_work_group(
        Name=WORKGROUP,
        Description="Dagster's checks and reports",
        Configuration={
            "ResultConfiguration": {
                "OutputLocation": f"s3://{BUCKET}/athena-results/jobs/",
                "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
            },
            "EnforceWorkGroupConfiguration": True,
            "PublishCloudWatchMetricsEnabled": True,
            "BytesScannedCutoffPerQuery": 100 << 30,
            "EngineVersion": {"SelectedEngineVersion": "Athena engine version 3"},
        },
    )
    client("sns").create_topic(Name=TOPIC.rsplit(":", 1)[1])
    return Provisioned(
        {
            f"TICK_PIPELINE_{name}": value
            for name, value in {
                "DEPLOYMENT": "aws",
                "AWS_REGION": REGION,
                "AWS_ENDPOINT_URL": url,
                "PROJECT": PROJECT,
                "STORAGE_MODES": ",".join(sorted(StorageMode)),
                "PARTITIONS_START": f"{FIRST_YEAR}-01-01T00:00:00Z",
                "ICEBERG_MAINTAINER": "table_maintenance",
                "BUCKET": BUCKET,
                "STREAM": STREAM,
                "FIREHOSE_ICEBERG": FIREHOSES[StorageMode.ICEBERG],
                "FIREHOSE_PARQUET": FIREHOSES[StorageMode.PARQUET_PROJECTION],
                "GLUE_JOB_OHLC": JOBS["ohlc"],
                "GLUE_JOB_ANOMALIES": JOBS["anomalies"],
                "GLUE_JOB_ANOMALY_STREAM": JOBS["anomaly_stream"],
                "ATHENA_WORKGROUP": WORKGROUP,
                "SNS_TOPIC_ARN": TOPIC,
            }.items()
        }
    )
