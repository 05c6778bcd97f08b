"""The streaming job as a run of Glue: what it is told, how it stands, how it ends, and who wants it."""

# boto3 has no types
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.errors import AwsError, BusyError, StreamError
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.aws.glue_anomaly_stream import GlueAnomalyStream
from tick_pipeline.resources.stream_run import StreamOptions, StreamRunStatus
from tick_pipeline.spark.scoring_rules import ScoringRules
from tick_pipeline_tests.aws_settings import AWS_SETTINGS
from tick_pipeline_tests.twin.glue_stand_in import (
    BUCKET,
    FOLLOW,
    QUICK,
    SLEEP,
    UNTIL_ASKED,
    make_job,
    use_twin,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tick_pipeline.settings import Settings
    from tick_pipeline_tests.twin.glue_runs import GlueRuns
    from tick_pipeline_tests.twin.twin import Twin

NAME = AWS_SETTINGS["TICK_PIPELINE_GLUE_JOB_ANOMALY_STREAM"]
CONTROL = "checkpoints/anomaly-stream-control"
CHECKPOINT = "checkpoints/anomaly-stream"
OPTIONS = StreamOptions(trigger_seconds=5, idle_minutes=0, max_hours=0)


@pytest.fixture
def settings(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of the twin, and a stream of two shards."""
    settings = use_twin(twin, monkeypatch, STREAM_PINNED_SYMBOLS="HOT")
    twin.client("kinesis").create_stream(StreamName=settings.stream, ShardCount=2)
    return settings


@pytest.fixture
def stream(settings: Settings) -> GlueAnomalyStream:
    """The adapter, in a hurry."""
    return GlueAnomalyStream(AwsClients(settings), settings, pace=QUICK)


def make(twin: Twin, script: str, **arguments: str) -> GlueRuns:
    """The streaming job, with a script of the test's own."""
    given = {"--CHECKPOINT": f"s3://{BUCKET}/{CHECKPOINT}", **arguments}
    return make_job(
        twin,
        script,
        name=NAME,
        DefaultArguments=given,
        ExecutionProperty={"MaxConcurrentRuns": 1},
        Command={
            "Name": "gluestreaming",
            "ScriptLocation": f"s3://{BUCKET}/artifacts/test/{NAME}.py",
        },
    )


def until(
    stream: GlueAnomalyStream, condition: Callable[[StreamRunStatus], bool], seconds: float = 120
) -> StreamRunStatus:
    """Its status, once that is as it is to be."""
    deadline = time.monotonic() + seconds
    while not condition(status := stream.status()):
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
    return status


def is_state(name: str) -> Callable[[StreamRunStatus], bool]:
    return lambda status: status.state == name


def runs_of(twin: Twin) -> list[dict[str, Any]]:
    return twin.client("glue").get_job_runs(JobName=NAME)["JobRuns"]


def keys(twin: Twin, prefix: str) -> list[str]:
    listed = twin.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/")
    return [entry["Key"].removeprefix(f"{prefix}/") for entry in listed.get("Contents", ())]


def test_it_rests_before_anything_was_started(twin: Twin, stream: GlueAnomalyStream) -> None:
    make(twin, FOLLOW)
    assert stream.status() == StreamRunStatus("stopped", False, None, None, None, None, None, None)
    assert stream.wanted_options() is None
    assert stream.stop().state == "stopped"


def test_it_starts_tells_how_it_stands_and_ends_when_it_is_asked(
    twin: Twin, stream: GlueAnomalyStream, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    wait = f"import os\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.05)\n"
    make(twin, wait + FOLLOW + UNTIL_ASKED)
    started = stream.start(OPTIONS)
    assert (started.state, started.wanted) == ("starting", True)
    gate.touch()
    running = until(stream, is_state("running"))
    (run,) = runs_of(twin)
    assert running.runner == run["Id"]
    assert running.progress is not None
    assert running.heartbeat_seconds is not None
    assert stream.wanted_options() == OPTIONS
    assert stream.start(OPTIONS).runner == run["Id"], "one runs already"

    stopped = stream.stop(flush=True)
    assert (stopped.state, stopped.wanted, stopped.runner) == ("stopped", False, None)
    assert (stopped.reason, stopped.ended_us is not None) == ("stopped", True)
    assert stream.wanted_options() is None
    wish = twin.client("s3").get_object(Bucket=BUCKET, Key=f"{CONTROL}/stop.json")
    assert json.loads(wish["Body"].read()) == {"flush": True}
    assert [run["JobRunState"] for run in runs_of(twin)] == ["SUCCEEDED"]


def test_it_is_told_rules_shards_and_limits(twin: Twin, stream: GlueAnomalyStream) -> None:
    make(twin, FOLLOW)
    stream.start(replace(OPTIONS, drain=True, flush=True, idle_minutes=1.5, max_hours=1))
    (run,) = runs_of(twin)
    arguments = run["Arguments"]
    assert json.loads(arguments["--SHARDS"]) == {
        "shardId-000000000000": "0" * 32,
        "shardId-000000000001": f"{1 << 127:032x}",
    }
    assert json.loads(arguments["--PINNED"]) == {"HOT": "shardId-000000000001"}
    assert ScoringRules.from_json(arguments["--RULES"]) == ScoringRules()
    assert arguments["--STORAGE_MODE"] == "iceberg,parquet_projection"
    assert arguments["--CONTROL"] == f"s3://{BUCKET}/{CONTROL}"
    assert (arguments["--DRAIN"], arguments["--FLUSH"]) == ("true", "true")
    assert (arguments["--TRIGGER_SECONDS"], arguments["--IDLE_SECONDS"]) == ("5", "90.0")
    assert 3000 < float(arguments["--MAX_SECONDS"]) <= 3600


@pytest.mark.parametrize(
    ("allowed", "max_hours", "seconds"), [("7200", 0, 7200), ("7200", 12, 7200), ("0", 0, 0)]
)
def test_a_run_is_no_longer_than_terraform_allows(
    allowed: str, max_hours: float, seconds: float, twin: Twin, stream: GlueAnomalyStream
) -> None:
    make(twin, FOLLOW, **{"--MAX_SECONDS": allowed})
    stream.start(replace(OPTIONS, max_hours=max_hours))
    (run,) = runs_of(twin)
    assert float(run["Arguments"]["--MAX_SECONDS"]) == seconds


@pytest.mark.parametrize(("reason", "wanted"), [("idle", False), ("time up", True)])
def test_one_that_ends_as_it_should_is_wanted_only_until_its_time_is_over(
    reason: str, wanted: bool, twin: Twin, stream: GlueAnomalyStream
) -> None:
    make(twin, FOLLOW + f"end({reason!r})")
    stream.start(OPTIONS)
    ended = until(stream, is_state("stopped"))
    assert (ended.reason, ended.wanted) == (reason, wanted)
    assert (stream.wanted_options() is not None) is wanted


def test_one_that_is_started_again_goes_on_with_the_time_that_it_has_left(
    twin: Twin, stream: GlueAnomalyStream
) -> None:
    make(twin, FOLLOW + "end('time up')")
    stream.start(replace(OPTIONS, max_hours=1))
    until(stream, is_state("stopped"))
    wanted = stream.wanted_options()
    assert wanted is not None
    key = f"{CONTROL}/wanted.json"
    s3 = twin.client("s3")
    document = json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    document["since_us"] -= 1800 * 1_000_000
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(document).encode())
    stream.start(wanted)
    newest, _ = runs_of(twin)
    assert 1500 < float(newest["Arguments"]["--MAX_SECONDS"]) <= 1800


def test_one_that_fails_says_why_and_is_still_wanted(twin: Twin, stream: GlueAnomalyStream) -> None:
    make(twin, FOLLOW + "raise ValueError('the checkpoint is of other rules')")
    stream.start(OPTIONS)
    failed = until(stream, is_state("failed"))
    assert "ValueError: the checkpoint is of other rules" in str(failed.reason)
    assert (failed.wanted, failed.runner) == (True, None)


def test_one_that_waits_for_workers_is_starting_and_ends_at_once(
    twin: Twin, stream: GlueAnomalyStream
) -> None:
    make(twin, FOLLOW).switches.start_delay_seconds = 60
    stream.start(OPTIONS)
    assert stream.status().state == "starting"
    assert stream.stop().state == "stopped"
    assert [run["JobRunState"] for run in runs_of(twin)] == ["STOPPED"]


def test_one_that_does_not_listen_is_ended_by_glue(twin: Twin, settings: Settings) -> None:
    runs = make(twin, FOLLOW + SLEEP)
    hasty = GlueAnomalyStream(AwsClients(settings), settings, pace=replace(QUICK, stop=10))
    hasty.start(OPTIONS)
    until(hasty, is_state("running"))
    assert hasty.stop().reason == "someone stopped it"
    assert runs.process_ids == []


def test_what_an_earlier_run_told_is_not_taken_for_the_next_ones(
    twin: Twin, stream: GlueAnomalyStream
) -> None:
    runs = make(twin, FOLLOW + UNTIL_ASKED)
    stream.start(OPTIONS)
    until(stream, is_state("running"))
    stream.stop()
    # It has not begun when it is looked at.
    runs.switches.start_delay_seconds = 600
    twin.client("glue").start_job_run(JobName=NAME)
    status = stream.status()
    assert (status.state, status.heartbeat_seconds) == ("starting", None)
    # Started by hand: it runs, and the watch will end it.
    assert (status.runner is not None, status.wanted) == (True, False)


def test_a_new_checkpoint_is_made_once(twin: Twin, stream: GlueAnomalyStream) -> None:
    make(twin, FOLLOW + UNTIL_ASKED)
    for name in ("offsets/0", "scorers/0000000000.npz"):
        twin.client("s3").put_object(Bucket=BUCKET, Key=f"{CHECKPOINT}/{name}", Body=b"old")
    stream.start(OPTIONS)
    assert len(keys(twin, CHECKPOINT)) == 2
    stream.stop()
    stream.start(replace(OPTIONS, new_checkpoint=True))
    assert keys(twin, CHECKPOINT) == []
    assert stream.wanted_options() == OPTIONS


@pytest.mark.parametrize(
    ("operation", "code", "error"),
    [
        ("StartJobRun", "AccessDeniedException", AwsError),
        ("ListShards", "ExpiredTokenException", AwsError),
        ("ListShards", "ResourceNotFoundException", StreamError),
    ],
)
def test_one_that_cannot_be_started_is_not_wanted(
    operation: str, code: str, error: type[Exception], twin: Twin, stream: GlueAnomalyStream
) -> None:
    make(twin, FOLLOW)
    twin.gateway.fail(operation, code)
    with pytest.raises(error):
        stream.start(OPTIONS)
    assert stream.wanted_options() is None


def test_another_that_starts_it_at_the_same_time_is_told(
    twin: Twin, stream: GlueAnomalyStream
) -> None:
    make(twin, FOLLOW)
    twin.gateway.fail("StartJobRun", "ConcurrentRunsExceededException", times=100)
    with pytest.raises(BusyError, match="has 1 run going on"):
        stream.start(OPTIONS)


def test_objects_that_s3_will_not_delete_are_told(twin: Twin, stream: GlueAnomalyStream) -> None:
    make(twin, FOLLOW)
    twin.client("s3").put_object(Bucket=BUCKET, Key=f"{CHECKPOINT}/offsets/0", Body=b"old")
    twin.gateway.fail("POST", "AccessDenied", status=403)
    with pytest.raises(AwsError, match=f"deleting what lies below s3://{BUCKET}/{CHECKPOINT}"):
        stream.start(replace(OPTIONS, new_checkpoint=True))
