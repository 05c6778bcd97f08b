"""What stands after provision() is what `terraform apply` makes, and a tick goes through the latter's Firehoses."""

# boto3 has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.event_time import parse_instant
from tick_pipeline.storage import RAW, StorageMode
from tick_pipeline_tests.terraform.provider import LOCAL_TYPES, point_at
from tick_pipeline_tests.twin.emulator import ACCOUNT, REGION
from tick_pipeline_tests.twin.firehose import firehose_of
from tick_pipeline_tests.twin.lake import TwinLake
from tick_pipeline_tests.twin.provision import BUCKET, FIREHOSES, JOBS, STREAM, provision
from tick_pipeline_tests.twin.stack import DATABASES, WORKGROUP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tick_pipeline_tests.terraform.provider import Terraform
    from tick_pipeline_tests.twin.twin import Twin

pytest.importorskip("jq", reason="there are wheels of jq 1.6 for Linux only")

HOUR_US = parse_instant("2026-01-01T10:00:00Z")
TICK = {
    "event_id": "A:1",
    "source": "test",
    "sequence": 1,
    "symbol": "A",
    "price": 1.5,
    "volume": 2.0,
    "event_ts": HOUR_US,
    "event_time": "2026-01-01T10:00:00.000000Z",
    "sent_ts": HOUR_US,
}
#: Where provision() is to differ, and why.
DIFFERENCES = {
    r".*/(CreateTime|CreatedOn|CreationTime|CreateTimestamp|StreamCreationTimestamp|DeliveryStartTimestamp"
    r"|LastAccessTime|LastModifiedOn|UpdateTime)": "they were made one after the other",
    r".*/(RoleARN|Role)": "the twin asks for no permission, and one name stands for all roles",
    r".*/BufferingHints/IntervalInSeconds": "AWS has none below 60 seconds, and a test cannot wait",
    r"/stream/OpenShardCount": "the profile demo has one shard; tests want to see two",
    r"/jobs/.*/Command/ScriptLocation": "Terraform names scripts and wheel by their hash",
    r"/jobs/.*/DefaultArguments/--additional-python-modules": "the same; and only jobs that run need a wheel",
    r"/workgroup/Configuration/BytesScannedCutoffPerQuery": "100 GiB unless the profile demo says less",
    r"/tables/.*/Parameters/metadata_location": "Iceberg makes the name up",
}


@dataclass(frozen=True)
class Standing:
    """What AWS tells of each, by path, and what else Terraform's stack was seen to do.

    Attributes:
        applied: what stands after `terraform apply`.
        provisioned: what stands after `provision()`.
        outputs: Terraform's.
        settings: those that provision() returns.
        landed: rows of the tick that was put into Terraform's stream, by mode.
        archived: bodies of the objects of Terraform's archive.
    """

    applied: dict[str, Any]
    provisioned: dict[str, Any]
    outputs: dict[str, Any]
    settings: dict[str, str]
    landed: dict[StorageMode, list[dict[str, Any]]]
    archived: list[bytes]


@pytest.fixture(scope="module")
def standing(
    terraform: Terraform, workspace: Callable[[], Path], running_twin: Twin
) -> Iterator[Standing]:
    """Both stacks on the twin, one after the other."""
    if not terraform.is_standin:
        pytest.skip(
            "only the offline stand-in of the provider keeps in its state what the emulator lacks"
        )
    twin = running_twin
    twin.reset()
    folder = workspace()
    point_at(folder, twin.url)
    own = {"TF_STANDIN_ACCOUNT": ACCOUNT, "TF_STANDIN_LOCAL_TYPES": ",".join(LOCAL_TYPES)}
    variables = (f"-var=region={REGION}", "-var=raw_archive_enabled=true")
    options = ("-auto-approve", "-var-file=profiles/demo.tfvars", *variables)
    terraform.run(folder, "apply", *options, env={**twin.environment, **own})
    outputs = terraform.json(folder, "output")
    applied = dict(_flat(_describe(twin)))
    twin.client("kinesis").put_record(
        StreamName=STREAM, Data=json.dumps(TICK).encode(), PartitionKey="A"
    )
    firehose_of(twin.gateway).drain()
    lake = TwinLake(twin)
    landed = {mode: lake.rows(RAW, mode, HOUR_US).to_pylist() for mode in StorageMode}
    s3 = twin.client("s3")
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="archive/ticks/")["Contents"]
    bodies = [s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in listed]
    twin.reset()
    provisioned = provision(twin.client, twin.url)
    told = dict(_flat(_describe(twin)))
    values = {name: output["value"] for name, output in outputs.items()}
    yield Standing(applied, told, values, provisioned.settings, landed, bodies)
    twin.reset()


def test_provision_makes_what_terraform_makes(standing: Standing) -> None:
    paths = sorted(standing.applied.keys() | standing.provisioned.keys())
    different = {
        path: (standing.applied.get(path), standing.provisioned.get(path))
        for path in paths
        if standing.applied.get(path) != standing.provisioned.get(path)
    }
    assert {
        path: values
        for path, values in different.items()
        if not any(re.fullmatch(pattern, path) for pattern in DIFFERENCES)
    } == {}
    assert [
        pattern
        for pattern in DIFFERENCES
        if not any(re.fullmatch(pattern, path) for path in different)
    ] == []


def test_a_tick_lands_in_both_modes_through_terraforms_firehoses(standing: Standing) -> None:
    assert standing.landed == {mode: [TICK] for mode in StorageMode}


def test_the_archive_of_terraform_keeps_a_tick_as_it_came(standing: Standing) -> None:
    (body,) = standing.archived
    assert gzip.decompress(body) == json.dumps(TICK).encode() + b"\n"


def test_settings_of_provision_are_terraforms_outputs(standing: Standing) -> None:
    """`make env` adds nothing to them but the deployment, and AWS has no endpoint of ours."""
    outputs = {f"TICK_PIPELINE_{name.upper()}": value for name, value in standing.outputs.items()}
    own = {"TICK_PIPELINE_DEPLOYMENT", "TICK_PIPELINE_AWS_ENDPOINT_URL"}
    assert {name: value for name, value in standing.settings.items() if name not in own} == outputs


def _describe(twin: Twin) -> dict[str, Any]:
    """What AWS tells of all that the pipeline reads."""
    client = twin.client
    glue, firehose = client("glue"), client("firehose")
    stream = client("kinesis").describe_stream_summary(StreamName=STREAM)
    return {
        "databases": {
            name: glue.get_database(Name=name)["Database"] for name in DATABASES.values()
        },
        "tables": {
            f"{name}.{table['Name']}": _table(table)
            for name in DATABASES.values()
            for table in glue.get_tables(DatabaseName=name)["TableList"]
        },
        "iceberg": {
            table: _iceberg(TwinLake(twin).iceberg(table))
            for table in ("raw", "aggregated_1m", "aggregated_5m", "anomalies")
        },
        "firehoses": {
            name: firehose.describe_delivery_stream(DeliveryStreamName=name)[
                "DeliveryStreamDescription"
            ]
            for name in FIREHOSES.values()
        },
        "jobs": {name: glue.get_job(JobName=name)["Job"] for name in JOBS.values()},
        "workgroup": client("athena").get_work_group(WorkGroup=WORKGROUP)["WorkGroup"],
        "stream": stream["StreamDescriptionSummary"],
        "topics": [topic["TopicArn"] for topic in client("sns").list_topics()["Topics"]],
    }


def _table(table: dict[str, Any]) -> dict[str, Any]:
    """A table, the definition of a view as JSON."""
    text = table.get("ViewOriginalText") or ""
    if not text.startswith("/* Presto View: "):
        return table
    encoded = text.removeprefix("/* Presto View: ").removesuffix(" */")
    return {**table, "ViewOriginalText": json.loads(base64.b64decode(encoded))}


def _iceberg(table: Any) -> dict[str, Any]:
    return {
        "location": table.location(),
        "properties": dict(table.properties),
        "schema": table.schema().model_dump(mode="json"),
        "spec": table.spec().model_dump(mode="json"),
        "format": table.format_version,
    }


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves by path; what is named in a list goes by its name, arguments of Spark one by one."""
    if isinstance(value, str) and " --conf " in value:
        value = sorted(value.split(" --conf "))
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _flat(item, f"{path}/{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flat(item, f"{path}/{index}")
    else:
        yield path, value
