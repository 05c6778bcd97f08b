"""A redrive on AWS: Firehose's own error forms through Kinesis into both modes, once, whoever else redrives."""

# boto3 has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tick_pipeline.errors import BusyError
from tick_pipeline.event_time import US_PER_HOUR, now_us, parse_instant
from tick_pipeline.landing.gaps import find_gaps
from tick_pipeline.landing.redrive_groups import RedriveRequest, State
from tick_pipeline.landing.redrive_memory import Plan
from tick_pipeline.landing.redrive_mending import parse_mending
from tick_pipeline.landing.redrive_records import identity_of
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.aws.s3_redrive_memory import S3MemoryFolder
from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import StorageMode, error_root
from tick_pipeline_tests.queries.warehouse import START_US, tick
from tick_pipeline_tests.twin.firehose import firehose_of
from tick_pipeline_tests.twin.lake import TwinLake
from tick_pipeline_tests.twin.provision import provision
from tick_pipeline_tests.twin.stack import BUCKET, WAREHOUSE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tick_pipeline.resources.deployments import Deployment
    from tick_pipeline.settings import Settings
    from tick_pipeline_tests.twin.twin import Twin

GOLDEN = Path(__file__).with_name("golden") / "errors"
SINCE_US = parse_instant("2026-11-21T16:00:00Z")
UNTIL_US = parse_instant("2026-11-21T17:00:00Z")
LEASE = "checkpoints/redrive-lease.json"
MENDING = parse_mending(["price=187.25", "sequence=1"], ["venue"])
REQUEST = RedriveRequest(tuple(StorageMode), SINCE_US, UNTIL_US, MENDING)


@dataclass(frozen=True)
class Aws:
    """The twin with what an apply makes."""

    twin: Twin
    settings: Settings

    def open(self) -> Deployment:
        """The deployment, as another process or machine would open it."""
        return open_deployment(self.settings)

    def scalar(self, sql: str) -> Any:
        """The one value that a statement gives."""
        [row] = self.open().query_engine().run(sql).records
        [value] = row.values()
        return value


@pytest.fixture(scope="module")
def aws_deployment(running_twin: Twin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Of this module; its Firehoses deliver."""
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patched.delenv(name)
        running_twin.reset()
        provisioned = provision(running_twin.client, running_twin.url)
        for name, value in {**running_twin.environment, **provisioned.settings}.items():
            patched.setenv(name, value)
        folder = tmp_path_factory.mktemp("redrive") / "home"
        yield Aws(running_twin, load_settings(home=folder, _env_file=None))
    running_twin.reset()


def place_golden(aws: Aws) -> None:
    """Put Firehose's error objects under both modes' prefixes."""
    s3 = aws.twin.client("s3")
    for mode in StorageMode:
        root = error_root(WAREHOUSE, mode).removeprefix(f"s3://{BUCKET}/")
        for path in GOLDEN.rglob("*"):
            if path.is_file():
                key = f"{root}/{path.relative_to(GOLDEN).as_posix()}"
                s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())


def test_bad_records_are_kept_and_redriven_once(aws_deployment: Aws) -> None:
    """Six error lines of one record: three mended to the same bytes, one valid as it is, two beyond help."""
    place_golden(aws_deployment)
    shown = aws_deployment.open().redrive().survey(REQUEST)
    reasons = {group.reason: group.by_mode for group in shown.groups}
    assert set(reasons) == {
        "wrong_type",
        "unknown_field",
        "not_finite",
        "no_event_time",
        "Lambda.FunctionTimedOut",
    }
    assert reasons["wrong_type"] == {"iceberg": 2, "parquet_projection": 2}
    summary = aws_deployment.open().redrive().put(REQUEST)
    assert (summary.put, summary.count(State.READY), summary.count(State.LEFT)) == (2, 4, 2)
    firehose_of(aws_deployment.twin.gateway).drain()
    for mode in StorageMode:
        assert aws_deployment.scalar(f"select count(*) from {mode}.ticks") == 1
        assert aws_deployment.scalar(f"select count(*) from {mode}.received") == 2
    again = aws_deployment.open().redrive().put(REQUEST)
    assert (again.put, again.count(State.REDRIVEN), again.count(State.LEFT)) == (0, 4, 2)
    for mode in StorageMode:
        found = aws_deployment.open().landing().recent_errors(mode, SINCE_US)
        assert (found.count, found.redriven) == (2, 4)


def test_what_a_killed_redrive_put_is_found_in_the_stream(aws_deployment: Aws) -> None:
    """Of two records that it wrote down, one was put."""
    data = [json.dumps({"n": number}).encode() for number in range(2)]
    pairs = tuple((f"failed {number}", identity_of(item)) for number, item in enumerate(data))
    plan = Plan(now_us(), pairs)
    folder = S3MemoryFolder(AwsClients(aws_deployment.settings), BUCKET)
    folder.write(plan.name, plan.to_json())
    aws_deployment.open().stream().put(pa.array(["AAA"]), pa.array(data[:1], pa.binary()))
    nothing = RedriveRequest((StorageMode.ICEBERG,), now_us())
    assert aws_deployment.open().redrive().put(nothing).recovered == 1
    texts = dict(folder.texts(f"{plan.planned_us:017d}"))
    assert json.loads(texts[plan.name]) == {
        "version": 1,
        "settled": True,
        "records": [list(pairs[0])],
    }
    assert plan.name not in dict(folder.texts(f"{plan.planned_us + 1:017d}"))


def test_gaps_are_seen_beside_what_firehose_could_not_deliver(aws_deployment: Aws) -> None:
    """Of three missing numbers one failed, one has a wrong symbol, and one never came."""
    missing = {"rawData": base64.b64encode(json.dumps(tick("AAA", 2, 2)).encode()).decode()}
    rows = [tick("AAA", 1, 1), tick("A A", 3, 3), tick("AAA", 5, 5)]
    TwinLake(aws_deployment.twin).land(rows, *StorageMode)
    arrival_ms = START_US // 1000 + 60_000
    line = {**missing, "errorCode": "E", "arrivalTimestamp": arrival_ms}
    opened = aws_deployment.open()
    for mode in StorageMode:
        root = error_root(WAREHOUSE, mode).removeprefix(f"s3://{BUCKET}/")
        aws_deployment.twin.client("s3").put_object(
            Bucket=BUCKET,
            Key=f"{root}/iceberg-failed/2026/03/01/09/object",
            Body=json.dumps(line).encode(),
        )
        [gap] = find_gaps(
            opened.query_engine(),
            opened.landing(),
            mode,
            START_US,
            START_US + US_PER_HOUR,
            close_after_seconds=600,
        ).gaps
        assert (gap.first_missing, gap.last_missing) == (2, 4)
        assert (gap.in_errors, gap.invalid, gap.never_arrived) == (1, 1, 1)


def test_one_redrives_at_a_time(aws_deployment: Aws) -> None:
    """A lease that was not given back ends by itself; whoever lost his puts nothing more."""
    clients, s3 = AwsClients(aws_deployment.settings), aws_deployment.twin.client("s3")
    first, second = (S3MemoryFolder(clients, BUCKET, wait_seconds=0) for _ in range(2))
    with (
        first.held(),
        pytest.raises(BusyError, match=r", process \d+ holds the redrive \(s3://"),
        second.held(),
    ):
        pass
    with second.held() as still_held:
        still_held()
        over = {"holder": "a machine that is off", "until_us": now_us() - 1}
        s3.put_object(Bucket=BUCKET, Key=LEASE, Body=json.dumps(over).encode())
        with first.held(), pytest.raises(BusyError, match="went to another process"):
            still_held()
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix=LEASE)
