"""The live mode on AWS: Ctrl-C ends its own processes and the runs of Glue that it began, and nothing is lost.

Spark is stood in for by scripts of a few lines: test_glue_anomaly_stream.py has the streaming job's own behaviour.
"""

# boto3 and pyarrow have no types, parts of Dagster's are partial
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus

from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import PREFIX, load_settings
from tick_pipeline.stream.kinesis import KinesisStream
from tick_pipeline.stream.port import Earliest
from tick_pipeline_tests.integration.pipeline import Pipeline, both_modes
from tick_pipeline_tests.integration.processes import assert_all_end
from tick_pipeline_tests.integration.sent import Sent, assert_landed, judge_records
from tick_pipeline_tests.integration.web import wait_for
from tick_pipeline_tests.ports import free_port
from tick_pipeline_tests.twin.firehose import firehose_of
from tick_pipeline_tests.twin.glue_stand_in import (
    FOLLOW,
    SLEEP,
    UNTIL_ASKED,
    replace_script,
    states,
)
from tick_pipeline_tests.twin.provision import BUCKET, JOBS, STREAM, provision

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from tick_pipeline.storage import StorageMode
    from tick_pipeline_tests.twin.twin import Twin

_CONTROL = "checkpoints/anomaly-stream-control"
_BATCH = ("ohlc", "anomalies")
#: Much more than it takes: Dagster's code is loaded thrice.
_UP_SECONDS, _END_SECONDS = 600.0, 600.0

pytestmark = pytest.mark.timeout(1800)


@dataclass(frozen=True)
class Lived:
    """A live mode that was ended by Ctrl-C, and what it left.

    Attributes:
        twin: where.
        pipeline: the HOME.
        code: that it ended with.
        result: that it told.
        said: on stderr.
        health: Dagster's word of the runs under way, while they were.
        runs: of Dagster, after the end: each one's status.
        sent: what the stream holds.
    """

    twin: Twin
    pipeline: Pipeline
    code: int
    result: dict[str, Any]
    said: str
    health: set[WorkerStatus]
    runs: list[dg.DagsterRunStatus]
    sent: Sent


@pytest.fixture(scope="module")
def lived(running_twin: Twin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """A closed hour of the past, at least, then everything until a batch run of Glue is under way, then Ctrl-C."""
    running_twin.reset()
    provisioned = provision(running_twin.client, running_twin.url)
    settings = {name.removeprefix(PREFIX): value for name, value in provisioned.settings.items()}
    replace_script(running_twin, JOBS["anomaly_stream"], FOLLOW + UNTIL_ASKED)
    for name in _BATCH:
        replace_script(running_twin, JOBS[name], SLEEP)
    folder = tmp_path_factory.mktemp("live")
    with pytest.MonkeyPatch.context() as patched:
        for name, value in running_twin.environment.items():
            patched.setenv(name, value)
        pipeline = Pipeline(folder / "home", settings)
        pipeline.json(
            "produce", "--scenario=steady", "--symbols=6", "--past", "--duration=4300", "--rate=0.5"
        )
        try:
            yield _live(running_twin, pipeline, folder)
        finally:
            running_twin.reset()


def _live(twin: Twin, pipeline: Pipeline, folder: Path) -> Lived:
    port = free_port()
    options = ("--json", "--scenario=spikes", "--symbols=6", "--rate=60", f"--port={port}")
    said = folder / "stderr"
    with (folder / "stdout").open("w+") as output, said.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tick_pipeline.cli.main", "live", *options],
            env=pipeline.environment(),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        )
        try:
            wait_for(lambda: _is_up(twin, process, said), seconds=_UP_SECONDS)
            with _dagster(pipeline) as instance:
                under_way = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
                asked = instance.run_launcher.check_run_worker_health
                health = {asked(run).status for run in under_way}
            process.send_signal(signal.SIGINT)
            code = process.wait(_END_SECONDS)
        finally:
            # Its children end by themselves.
            process.kill()
            process.wait()
        output.seek(0)
        result = json.load(output)
    with _dagster(pipeline) as instance:
        runs = [run.status for run in instance.get_runs()]
    return Lived(twin, pipeline, code, result, said.read_text("utf-8"), health, runs, _sent(twin))


def _is_up(twin: Twin, process: subprocess.Popen[bytes], said: Path) -> bool:
    """Dagster's web interface answers, and its sensor's run of Glue is under way, beside the stream of anomalies."""
    told = said.read_text("utf-8")
    assert process.poll() is None, told
    under_way = any(states(twin, JOBS[name])[:1] == ["RUNNING"] for name in _BATCH)
    streams = states(twin, JOBS["anomaly_stream"])[:1] == ["RUNNING"]
    return under_way and streams and "Dagster answers at " in told


@contextmanager
def _dagster(pipeline: Pipeline) -> Generator[dg.DagsterInstance]:
    """Dagster's state."""
    with pipeline.here():
        settings = load_settings()
        with open_instance(open_home(settings), settings) as instance:
            yield instance


def _sent(twin: Twin) -> Sent:
    stream = KinesisStream(twin.client("kinesis"), STREAM, rejected=None)
    tables = stream.read_all(Earliest())
    return judge_records(data for table in tables for data in table["data"].to_pylist())


def test_ctrl_c_ends_all_its_processes_and_is_no_failure(lived: Lived) -> None:
    assert lived.code == 0, lived.said
    ended = {
        process["name"]: (process["state"], process["starts"], process["code"])
        for process in lived.result["processes"]
    }
    assert ended == dict.fromkeys(("anomalies", "dagster", "producer"), ("ended", 1, 0))
    assert_all_end(lived.pipeline.home)


@both_modes
def test_all_that_was_produced_is_in_both_modes_once_firehose_has_delivered(
    mode: StorageMode, lived: Lived
) -> None:
    """Firehose goes on by itself: the last of it lands after the end."""
    firehose_of(lived.twin.gateway).drain()
    assert lived.sent.records > 1_800
    assert_landed(lived.pipeline, mode, lived.sent)


def test_the_run_of_glue_that_streams_is_ended_with_its_open_seconds_scored(lived: Lived) -> None:
    assert states(lived.twin, JOBS["anomaly_stream"]) == ["SUCCEEDED"]
    s3 = lived.twin.client("s3")
    wish = s3.get_object(Bucket=BUCKET, Key=f"{_CONTROL}/stop.json")["Body"].read()
    assert json.loads(wish)["flush"] is True
    status = lived.pipeline.json("anomalies", "status")
    assert (status["state"], status["wanted"], status["reason"]) == ("stopped", False, "stopped")


def test_batch_runs_that_sensors_asked_for_are_stopped_on_glue(lived: Lived) -> None:
    ended = [state for name in _BATCH for state in states(lived.twin, JOBS[name])]
    assert ended
    assert set(ended) == {"STOPPED"}


def test_the_runs_it_interrupted_have_failed_for_dagster_to_repeat_them(lived: Lived) -> None:
    """None is left as if it went on: it would keep its place among the runs that may go on at a time."""
    assert lived.health == {WorkerStatus.RUNNING}
    assert dg.DagsterRunStatus.FAILURE in lived.runs
    assert not {dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELED} & set(lived.runs)
