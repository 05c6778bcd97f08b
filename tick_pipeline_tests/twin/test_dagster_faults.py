"""What goes wrong on AWS, as Dagster shows it: state, message and log of the run; and nothing is lost by it.

Runs are launched and cancelled at the real web server, as its buttons do. Spark is stood in for by
scripts of a few lines: what is looked at is what becomes of their end.
"""

# parts of Dagster's types are partial, boto3 has none
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.event_time import parse_instant, widen_to_hours
from tick_pipeline.orchestration.partitions import Window
from tick_pipeline.settings import PREFIX
from tick_pipeline.storage import StorageMode, glue_database
from tick_pipeline_tests.integration.pipeline import Pipeline
from tick_pipeline_tests.integration.web import Web, serve, wait_for
from tick_pipeline_tests.twin.athena import Athena
from tick_pipeline_tests.twin.firehose import firehose_of
from tick_pipeline_tests.twin.glue_stand_in import SLEEP, glue_runs, replace_script, states
from tick_pipeline_tests.twin.kinesis_limits import kinesis_limits
from tick_pipeline_tests.twin.provision import JOBS, PROJECT, provision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tick_pipeline_tests.twin.twin import Twin

ICEBERG, PARQUET = StorageMode.ICEBERG, StorageMode.PARQUET_PROJECTION
_TICKS = 1_500


@dataclass(frozen=True)
class Served:
    """A web server over the AWS deployment, whose raw tables hold some ticks."""

    twin: Twin
    web: Web
    pipeline: Pipeline
    window: Window
    produced: dict[str, Any]

    @property
    def partition(self) -> str:
        """Of the hour that the last of the ticks is of."""
        return self.window.partitions[-1]

    def run(self, job: str, *asset: tuple[str, str]) -> str:
        """Launch a run of assets without their checks, and wait for its end; its id."""
        run = self.web.launch(job, partition=self.partition, assets=list(asset), checks=[])
        self.web.ended(run)
        return run

    def failure(self, run: str) -> tuple[str, str]:
        """Message and log of the one step that failed."""
        assert self.web.status(run) == "FAILURE"
        (failed,) = (
            event
            for event in self.web.events(run)
            if event["__typename"] == "ExecutionStepFailureEvent"
        )
        entries = (failed["failureMetadata"] or {}).get("metadataEntries", [])
        log = next((entry.get("mdStr", "") for entry in entries if entry["label"] == "log"), "")
        error = failed["error"]
        told = error["message"] + ((error.get("cause") or {}).get("message") or "")
        return told, log

    def messages(self, run: str) -> str:
        """All that the run logged."""
        return "\n".join(event.get("message") or "" for event in self.web.events(run))


@pytest.fixture(scope="module")
def served(running_twin: Twin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    running_twin.reset()
    provisioned = provision(running_twin.client, running_twin.url)
    settings = {name.removeprefix(PREFIX): value for name, value in provisioned.settings.items()}
    with pytest.MonkeyPatch.context() as patched:
        for name, value in running_twin.environment.items():
            patched.setenv(name, value)
        pipeline = Pipeline(tmp_path_factory.mktemp("faults") / "home", settings)
        # Half-failed batches.
        kinesis_limits(running_twin.gateway).refuse(lambda place: place % 3 == 0, times=4)
        firehose_of(running_twin.gateway).switches.duplicate_every = 5
        produced = pipeline.json(
            "produce", "--scenario=steady", "--duration=50", "--rate=30", "--symbols=3", "--past"
        )
        kinesis_limits(running_twin.gateway).close()
        firehose_of(running_twin.gateway).drain()
        window = Window(*widen_to_hours(produced["start_us"], produced["end_us"]))
        with serve(pipeline) as web:
            yield Served(running_twin, web, pipeline, window, produced)
    running_twin.reset()


@pytest.fixture(autouse=True)
def _no_fault_of_another_test(served: Served) -> Iterator[None]:
    yield
    served.twin.gateway.faults.clear()
    athena(served).slow_seconds = 0


def athena(served: Served) -> Athena:
    """The twin's Athena."""
    return next(item for item in served.twin.gateway.services if isinstance(item, Athena))


@pytest.mark.parametrize("mode", [ICEBERG, PARQUET], ids=str)
def test_half_failed_puts_and_a_delivery_that_repeats_itself_lose_and_double_nothing(
    mode: StorageMode, served: Served
) -> None:
    """Promise `crash_loses_nothing` on AWS: at least once in raw, exactly once in ticks."""
    run = served.run("ohlc_batch", (mode.value, "raw"))
    assert served.web.status(run) == "SUCCESS"
    sql = f"select count(*) as rows, count(distinct event_id) as ids from {mode}"
    (received,) = served.pipeline.json("query", f"{sql}.received")
    (ticks,) = served.pipeline.json("query", f"{sql}.ticks")
    sent = served.produced["sent"]
    assert sent > _TICKS * 0.8
    assert ticks == {"rows": sent, "ids": sent}
    assert received["ids"] == sent
    assert received["rows"] > sent, "the delivery repeated itself"


def test_a_throttled_query_succeeds_in_the_end(served: Served) -> None:
    served.twin.gateway.fail("StartQueryExecution", "TooManyRequestsException", times=2)
    served.twin.gateway.fail("GetQueryExecution", "ThrottlingException", times=2)
    assert served.web.status(served.run("ohlc_batch", ("iceberg", "raw"))) == "SUCCESS"
    assert served.twin.gateway.faults == []


@pytest.mark.parametrize(
    ("operation", "code", "advice"),
    [
        ("StartQueryExecution", "ExpiredTokenException", "renew them"),
        ("StartQueryExecution", "AccessDeniedException", "terraform/iam.tf"),
        ("DescribeDeliveryStream", "AccessDeniedException", "terraform/iam.tf"),
    ],
)
def test_what_aws_refuses_fails_the_run_with_one_line_and_advice(
    operation: str, code: str, advice: str, served: Served
) -> None:
    served.twin.gateway.fail(operation, code, times=99)
    told, _ = served.failure(served.run("ohlc_batch", ("iceberg", "raw")))
    assert code in told
    assert advice in told


def test_a_lost_query_fails_the_run_and_the_next_run_succeeds(served: Served) -> None:
    athena(served).lose("minute")
    told, _ = served.failure(served.run("ohlc_batch", ("parquet_projection", "raw")))
    assert "run it again" in told or "lost" in told or "does not know" in told
    athena(served).close()
    again = served.run("ohlc_batch", ("parquet_projection", "raw"))
    assert served.web.status(again) == "SUCCESS"


def test_a_missing_table_is_named_with_what_to_do(served: Served) -> None:
    glue = served.twin.client("glue")
    database = glue_database(PROJECT, PARQUET)
    table = glue.get_table(DatabaseName=database, Name="raw")["Table"]
    glue.delete_table(DatabaseName=database, Name="raw")
    try:
        told, _ = served.failure(served.run("ohlc_batch", ("parquet_projection", "raw")))
    finally:
        kept = ("Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
        glue.create_table(DatabaseName=database, TableInput={name: table[name] for name in kept})
    assert f"{database}.raw" in told
    assert "terraform" in told


def test_a_failing_job_shows_its_error_the_end_of_its_log_and_where_to_look(
    served: Served,
) -> None:
    replace_script(served.twin, JOBS["ohlc"], "raise SystemExit('the disk of the worker is full')")
    run = served.run("ohlc_batch", ("iceberg", "aggregated_1m"))
    told, log = served.failure(run)
    assert "the disk of the worker is full" in told + log
    assert "jr_" in told
    assert "/log-events/jr_" in told


def test_a_job_that_takes_too_long_is_told_so(served: Served) -> None:
    runs = replace_script(served.twin, JOBS["ohlc"], SLEEP)
    runs.switches.minute_seconds = 0.05
    told, _ = served.failure(served.run("ohlc_batch", ("iceberg", "aggregated_1m")))
    assert "TIMEOUT" in told
    runs.switches.minute_seconds = 60


def test_cancelling_a_run_stops_the_run_of_glue(served: Served) -> None:
    runs = replace_script(served.twin, JOBS["ohlc"], SLEEP)
    run = served.web.launch(
        "ohlc_batch",
        partition=served.partition,
        assets=[("iceberg", "aggregated_1m")],
        checks=[],
    )
    wait_for(lambda: runs.process_ids, seconds=180)
    assert served.web.terminate(run) == "TerminateRunSuccess"
    assert served.web.ended(run) == "CANCELED"
    assert states(served.twin, JOBS["ohlc"])[0] == "STOPPED"
    assert glue_runs(served.twin).process_ids == []


def test_a_job_of_the_script_tells_dagster_line_by_line(served: Served) -> None:
    """And its materialization has what it cost."""
    start = parse_instant(served.window.parameters["start"])
    script = f"""
report = OhlcReport(**{{**report.__dict__, "storage_mode": "iceberg", "start_us": {start}}})
with dagster_log() as log:
    log.info("a line of the job")
    reporter_for(given["--REPORT"]).report([report])
"""
    replace_script(served.twin, JOBS["ohlc"], script)
    run = served.run("ohlc_batch", ("iceberg", "aggregated_1m"))
    assert served.web.status(run) == "SUCCESS", served.messages(run)
    assert "a line of the job" in served.messages(run)
    (newest,) = served.twin.client("glue").get_job_runs(JobName=JOBS["ohlc"])["JobRuns"][:1]
    assert newest["JobRunState"] == "SUCCEEDED"
    assert newest["Arguments"]["--STORAGE_MODE"] == "iceberg"
