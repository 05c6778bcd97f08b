"""A run of Glue is started once, waited for, and not left running, whatever AWS or the caller does."""

# parts of Dagster's types are partial, boto3 has none
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError
from dagster._core.errors import DagsterExecutionInterruptedError

from tick_pipeline.errors import AwsError, BusyError, SparkJobError
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.aws.glue_jobs import GlueSparkJobs
from tick_pipeline_tests.twin.emulator import ROOT, has_ended
from tick_pipeline_tests.twin.glue_asset import candles_asset
from tick_pipeline_tests.twin.glue_stand_in import (
    NAME,
    QUICK,
    REPORT,
    REQUEST,
    SLEEP,
    SUCCEED,
    glue_runs,
    make_job,
    states,
    until,
    use_twin,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tick_pipeline.settings import Settings
    from tick_pipeline_tests.twin.twin import Twin


#: Runs a script that never ends by itself, and says which process it is.
HOLDER = """
import sys, threading
from pathlib import Path
from tick_pipeline_tests.twin.glue_execution import Execution
folder = Path(sys.argv[1])
tell = ["-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"]
running = Execution([sys.executable, *tell], {}, folder, 600)
threading.Thread(target=running.run_until, args=(threading.Event(),)).start()
while not (folder / "stdout").exists() or not (told := (folder / "stdout").read_text()):
    pass
print(told.strip(), flush=True)
"""


@pytest.fixture
def settings(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of the twin."""
    return use_twin(twin, monkeypatch)


@pytest.fixture
def clients(settings: Settings) -> AwsClients:
    """Of the twin."""
    return AwsClients(settings)


@pytest.fixture
def jobs(clients: AwsClients, settings: Settings) -> GlueSparkJobs:
    """The adapter, in a hurry."""
    return GlueSparkJobs(clients, settings, pace=QUICK)


def _on_event(
    clients: AwsClients, monkeypatch: pytest.MonkeyPatch, event: str, do: Callable[..., None]
) -> None:
    """Let something happen in the course of calls, in clients that are made from now on."""
    make = clients.session.client

    def client(service: str, **options: Any) -> Any:
        made = make(service, **options)
        made.meta.events.register(event, do)
        return made

    monkeypatch.setattr(clients.session, "client", client)


def _lose(
    clients: AwsClients,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    error: Exception,
    times: int,
) -> None:
    """Let connections be lost before an operation's next calls."""
    left = [error] * times

    def lose(**_: Any) -> None:
        if left:
            raise left.pop()

    _on_event(clients, monkeypatch, f"before-send.glue.{operation}", lose)


def test_a_run_that_takes_longer_than_the_jobs_timeout_is_told_so(
    twin: Twin, jobs: GlueSparkJobs
) -> None:
    make_job(twin, SLEEP, Timeout=1).switches.minute_seconds = 0.3
    with pytest.raises(SparkJobError, match=r"ended as TIMEOUT: .*timeout of 1 min"):
        jobs.run_ohlc(REQUEST)


def test_a_run_that_never_starts_is_stopped_in_the_end(
    twin: Twin, clients: AwsClients, settings: Settings
) -> None:
    """A timeout of Glue's counts only from when a run has its workers."""
    make_job(twin, SUCCEED, Timeout=1).switches.start_delay_seconds = 60
    impatient = GlueSparkJobs(clients, settings, pace=replace(QUICK, queue=-59.5))
    with pytest.raises(
        SparkJobError, match=r"did not end .*it is WAITING \(Resource unavailable\)"
    ):
        impatient.run_ohlc(REQUEST)
    assert states(twin) == ["STOPPED"]


@pytest.mark.parametrize(
    ("switches", "says"),
    [
        ({"expire": True}, "ended as EXPIRED: it waited too long for its workers"),
        ({"error_state": "Internal service error"}, "ended as ERROR: Internal service error"),
    ],
)
def test_a_state_that_glue_alone_brings_about_ends_the_wait(
    switches: dict[str, Any], says: str, twin: Twin, jobs: GlueSparkJobs
) -> None:
    runs = make_job(twin, SUCCEED)
    for name, value in switches.items():
        setattr(runs.switches, name, value)
    with pytest.raises(SparkJobError, match=says):
        jobs.run_ohlc(REQUEST)


def test_a_run_that_someone_else_stops_is_told_so(twin: Twin, jobs: GlueSparkJobs) -> None:
    make_job(twin, SLEEP)

    def stop() -> None:
        glue = twin.client("glue")
        until(lambda: states(twin) == ["RUNNING"])
        (run,) = glue.get_job_runs(JobName=NAME)["JobRuns"]
        glue.batch_stop_job_run(JobName=NAME, JobRunIds=[run["Id"]])

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(SparkJobError, match="ended as STOPPED: someone stopped it"):
        jobs.run_ohlc(REQUEST)
    stopper.join()


def test_cancelling_the_dagster_run_stops_the_glue_run(twin: Twin, jobs: GlueSparkJobs) -> None:
    """As the button in the web interface does: an interrupt of the process that runs the step."""
    runs = make_job(twin, SLEEP)

    def interrupt() -> None:
        until(lambda: bool(runs.process_ids))
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(DagsterExecutionInterruptedError):
            dg.materialize([candles_asset(jobs, REQUEST)], instance=instance)
        (run,) = instance.get_runs()
        messages = [entry.message for entry in instance.all_logs(run.run_id)]
    assert states(twin) == ["STOPPED"]
    assert runs.process_ids == []
    assert any("stopping the run jr_" in message for message in messages)


def test_a_stop_that_glue_refuses_does_not_hide_the_interruption(
    twin: Twin, jobs: GlueSparkJobs, caplog: pytest.LogCaptureFixture
) -> None:
    runs = make_job(twin, SLEEP)
    runs.switches.ignore_stop = True

    def interrupt() -> None:
        until(lambda: bool(runs.process_ids))
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        jobs.run_ohlc(REQUEST)
    assert "may still be going on, stop it in Glue's console: the run jr_" in caplog.text
    assert states(twin) == ["RUNNING"]


def test_an_interruption_while_a_run_is_being_started_stops_that_run(
    twin: Twin, clients: AwsClients, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job(twin, SLEEP)

    def interrupt(**_: Any) -> None:
        raise KeyboardInterrupt

    _on_event(clients, monkeypatch, "after-call.glue.StartJobRun", interrupt)
    with pytest.raises(KeyboardInterrupt):
        GlueSparkJobs(clients, settings, pace=QUICK).run_ohlc(REQUEST)
    assert states(twin) == ["STOPPED"]


def test_throttled_looks_are_tried_again(
    twin: Twin, jobs: GlueSparkJobs, caplog: pytest.LogCaptureFixture
) -> None:
    make_job(twin, SUCCEED)
    twin.gateway.fail("GetJobRun", "ThrottlingException", times=3)
    assert jobs.run_ohlc(REQUEST) == [REPORT]
    assert caplog.text.count("the run goes on, asking again") == 3


def test_a_throttled_start_is_tried_again(twin: Twin, jobs: GlueSparkJobs) -> None:
    make_job(twin, SUCCEED)
    twin.gateway.fail("StartJobRun", "ThrottlingException", times=2)
    assert jobs.run_ohlc(REQUEST) == [REPORT]
    assert states(twin) == ["SUCCEEDED"]


@pytest.mark.parametrize(
    ("code", "status"), [("InternalServiceException", 500), ("OperationTimeoutException", 400)]
)
def test_a_run_whose_start_was_not_answered_is_found_and_not_started_twice(
    code: str, status: int, twin: Twin, jobs: GlueSparkJobs
) -> None:
    make_job(twin, SUCCEED)
    twin.gateway.fail("StartJobRun", code, status=status, after=True)
    assert jobs.run_ohlc(REQUEST) == [REPORT]
    assert states(twin) == ["SUCCEEDED"]


def test_a_start_that_did_not_reach_glue_is_made_again(twin: Twin, jobs: GlueSparkJobs) -> None:
    make_job(twin, SUCCEED)
    twin.gateway.fail("StartJobRun", "InternalServiceException", status=500)
    assert jobs.run_ohlc(REQUEST) == [REPORT]
    assert states(twin) == ["SUCCEEDED"]


@pytest.mark.parametrize("operation", ["GetJobRun", "StartJobRun"])
@pytest.mark.parametrize(
    "error",
    [
        ConnectionClosedError(endpoint_url="https://glue"),
        EndpointConnectionError(endpoint_url="https://glue"),
    ],
)
def test_a_lost_connection_starts_no_second_run(
    operation: str,
    error: Exception,
    twin: Twin,
    clients: AwsClients,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_job(twin, SUCCEED)
    _lose(clients, monkeypatch, operation, error, times=2)
    assert GlueSparkJobs(clients, settings, pace=QUICK).run_ohlc(REQUEST) == [REPORT]
    assert states(twin) == ["SUCCEEDED"]


def test_where_glue_answers_no_more_the_run_is_stopped_and_the_reason_told(
    twin: Twin,
    clients: AwsClients,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_job(twin, SLEEP)
    error = EndpointConnectionError(endpoint_url="https://glue")
    _lose(clients, monkeypatch, "GetJobRun", error, times=10)
    patient = replace(QUICK, outage=0.2)
    with pytest.raises(AwsError, match=r"looking at the run jr_.* AWS was not reached"):
        GlueSparkJobs(clients, settings, pace=patient).run_ohlc(REQUEST)
    until(lambda: states(twin) == ["STOPPED"])


@pytest.mark.parametrize(
    ("operation", "code", "says"),
    [
        ("GetJob", "EntityNotFoundException", "reading the Glue job"),
        ("StartJobRun", "AccessDeniedException", "AWS refuses StartJobRun"),
        ("StartJobRun", "ExpiredTokenException", "does not take the credentials"),
        ("StartJobRun", "IdempotentParameterMismatchException", "a fault of the test"),
        ("GetJobRun", "AccessDeniedException", "AWS refuses GetJobRun"),
        ("GetJobRun", "ExpiredTokenException", "does not take the credentials"),
    ],
)
def test_what_aws_refuses_is_told_at_once(
    operation: str, code: str, says: str, twin: Twin, jobs: GlueSparkJobs
) -> None:
    make_job(twin, SLEEP)
    twin.gateway.fail(operation, code)
    with pytest.raises(AwsError, match=says) as raised:
        jobs.run_ohlc(REQUEST)
    assert raised.value.code == code
    assert states(twin) in ([], ["STOPPED"])


def test_a_job_with_all_its_runs_going_on_is_busy(twin: Twin, jobs: GlueSparkJobs) -> None:
    make_job(twin, SLEEP, ExecutionProperty={"MaxConcurrentRuns": 1})
    other = {"--STORAGE_MODE": "iceberg"}
    twin.client("glue").start_job_run(JobName=NAME, Arguments=other)
    with pytest.raises(BusyError, match="has 1 run going on, which is all it may have"):
        jobs.run_ohlc(REQUEST)
    assert len(states(twin)) == 1


def test_an_account_with_all_its_runs_going_on_is_busy(
    twin: Twin, clients: AwsClients, settings: Settings, jobs: GlueSparkJobs
) -> None:
    """As a new account is, whose limits are low."""
    make_job(twin, SUCCEED)
    twin.gateway.fail("StartJobRun", "ResourceNumberLimitExceededException", times=99)
    with pytest.raises(BusyError, match=r"the account has all the runs .* Service Quotas"):
        jobs.run_ohlc(REQUEST)
    twin.gateway.faults.clear()
    twin.gateway.fail("StartJobRun", "ResourceNumberLimitExceededException")
    patient = GlueSparkJobs(clients, settings, pace=replace(QUICK, busy=120))
    assert patient.run_ohlc(REQUEST) == [REPORT]


def test_a_job_that_is_free_soon_is_waited_for(
    twin: Twin, clients: AwsClients, settings: Settings
) -> None:
    script = "if given['--STORAGE_MODE'] == 'iceberg':\n    time.sleep(0.5); sys.exit(0)\n"
    make_job(twin, script + SUCCEED, ExecutionProperty={"MaxConcurrentRuns": 1})
    other = {"--STORAGE_MODE": "iceberg"}
    twin.client("glue").start_job_run(JobName=NAME, Arguments=other)
    patient = GlueSparkJobs(clients, settings, pace=replace(QUICK, busy=120))
    assert patient.run_ohlc(REQUEST) == [REPORT]


@pytest.mark.parametrize("modes", ["parquet_projection", "iceberg,parquet_projection", None])
def test_a_run_that_writes_the_same_table_is_waited_for_and_not_joined(
    modes: str | None, twin: Twin, jobs: GlueSparkJobs
) -> None:
    """Such as one whose caller was killed: Glue locks no tables."""
    make_job(twin, SLEEP)
    other = {"--STORAGE_MODE": modes} if modes else {}
    twin.client("glue").start_job_run(JobName=NAME, Arguments=other)
    with pytest.raises(BusyError, match=r"run jr_.* writes the same tables"):
        jobs.run_ohlc(REQUEST)


def test_a_script_dies_with_the_process_that_runs_it(tmp_path: Path) -> None:
    """In whatever way that ends: a killed test leaves no Spark behind."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        script_id = int(holder.stdout.readline())
        holder.kill()
    until(lambda: has_ended(script_id))


def test_a_reset_of_the_twin_kills_what_runs(twin: Twin) -> None:
    runs = make_job(twin, SLEEP)
    twin.client("glue").start_job_run(JobName=NAME)
    until(lambda: bool(runs.process_ids))
    (process_id,) = runs.process_ids
    twin.reset()
    assert glue_runs(twin).process_ids == []
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)
