"""The whole pipeline on the twin: the same ticks, jobs and checks as on a laptop, and equal tables."""

# pyarrow has no types, parts of Dagster's are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from tick_pipeline.event_time import widen_to_hours
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.orchestration.local_runs import run_job
from tick_pipeline.orchestration.partitions import Window
from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.settings import PREFIX, load_settings
from tick_pipeline.storage import TABLES, StorageMode
from tick_pipeline.stream.kinesis import KinesisStream
from tick_pipeline.stream.port import Earliest
from tick_pipeline_tests.integration.pipeline import MODES, Pipeline
from tick_pipeline_tests.terraform.policies import find_policies, plan_resources
from tick_pipeline_tests.twin.firehose import firehose_of
from tick_pipeline_tests.twin.provision import provision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tick_pipeline_tests.terraform.provider import Terraform
    from tick_pipeline_tests.twin.twin import Twin

pytestmark = pytest.mark.spark
#: Sums and ratios depend on the order of the summands; all else is exact.
_SUMS = {"volume", "notional", "vwap"}
_RELATIVE = 1e-9
#: Of scores, DESIGN's own.
_SCORES = {"value", "mean", "stddev", "zscore"}


@dataclass(frozen=True)
class Chain:
    """Both deployments over the same ticks."""

    twin: Twin
    aws: Pipeline
    local: Pipeline
    window: Window
    sent: int

    @property
    def hours(self) -> tuple[str, str]:
        """The window, as commands take it."""
        start, end = self.window.parameters["start"], self.window.parameters["end"]
        return f"--start={start}", f"--end={end}"

    def run(self, job: str) -> dg.ExecuteInProcessResult:
        """Run a job of the AWS deployment over the window."""
        with self.aws.here():
            home = open_deployment(load_settings()).home
            with open_instance(home, load_settings()) as instance:
                return run_job(instance, job, self.window)

    def rows(self, pipeline: Pipeline, mode: StorageMode, table: str) -> list[dict[str, Any]]:
        """A table's rows of the window, in the order of its key, as SQL gives them."""
        key = {
            "raw": ("event_id", "symbol"),
            "anomalies": ("event_id", "symbol", "metric"),
        }.get(table, ("symbol", "bucket_start"))
        time = "bucket_start" if table.startswith("aggregated") else "event_at"
        source = "ticks" if table == "raw" else table
        start, end = self.window.parameters["start"], self.window.parameters["end"]
        return pipeline.json(
            "query",
            f"select * from {mode}.{source} where {time} >= from_iso8601_timestamp('{start}') "
            f"and {time} < from_iso8601_timestamp('{end}') order by {', '.join(key)}",
        )


@pytest.fixture(scope="module")
def chain(
    running_twin: Twin, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Chain]:
    """Fifteen minutes of trading with events, landed by Firehose on the twin and by ourselves here."""
    running_twin.reset()
    provisioned = provision(running_twin.client, running_twin.url, wheel=wheel)
    settings = {name.removeprefix(PREFIX): value for name, value in provisioned.settings.items()}
    with pytest.MonkeyPatch.context() as patched:
        for name, value in running_twin.environment.items():
            patched.setenv(name, value)
        aws = Pipeline(tmp_path_factory.mktemp("aws") / "home", settings)
        produced = aws.json(
            "produce", "--scenario=spikes", "--duration=900", "--rate=40", "--symbols=4", "--past"
        )
        firehose_of(running_twin.gateway).drain()
        local = Pipeline(tmp_path_factory.mktemp("local") / "home")
        _copy_stream(running_twin, local)
        local.json("deliver")
        window = Window(*widen_to_hours(produced["start_us"], produced["end_us"]))
        yield Chain(running_twin, aws, local, window, produced["sent"])
    running_twin.reset()


@pytest.fixture(scope="module")
def candles(chain: Chain) -> dg.ExecuteInProcessResult:
    """The run of `ohlc_batch`; the same candles are here, too."""
    chain.local.json("ohlc", *chain.hours)
    return chain.run("ohlc_batch")


@pytest.fixture(scope="module")
def anomalies(chain: Chain, candles: dg.ExecuteInProcessResult) -> dg.ExecuteInProcessResult:
    """The run of `anomaly_batch`; the same anomalies are here, too."""
    chain.local.json("anomalies", "run", *chain.hours)
    return chain.run("anomaly_batch")


def _copy_stream(twin: Twin, local: Pipeline) -> None:
    """Put what Kinesis holds into the local stream, shard by shard in its order."""
    kinesis = KinesisStream(twin.client("kinesis"), "tick-pipeline-ticks", rejected=None)
    with local.here():
        stream = open_deployment(load_settings()).stream()
        for table in kinesis.read_all(Earliest()):
            stream.put(table["partitionKey"].combine_chunks(), table["data"].combine_chunks())


def test_every_tick_is_in_both_modes_of_both_deployments(chain: Chain) -> None:
    counts = {
        (name, mode): pipeline.scalar(f"select count(*) from {mode}.ticks")
        for name, pipeline in (("aws", chain.aws), ("local", chain.local))
        for mode in MODES
    }
    assert set(counts.values()) == {chain.sent}


def test_candles_are_made_and_every_check_passes(candles: dg.ExecuteInProcessResult) -> None:
    assert_green(candles)


def test_anomalies_are_found_and_every_check_passes(anomalies: dg.ExecuteInProcessResult) -> None:
    assert_green(anomalies)


def assert_green(run: dg.ExecuteInProcessResult) -> None:
    """The run succeeded, and so did each of its checks."""
    assert run.success, [event.message for event in run.all_events if event.is_failure]
    checks = run.get_asset_check_evaluations()
    assert checks
    failed = {
        f"{found.check_name} of {found.asset_key.to_user_string()}": found.description
        for found in checks
        if not found.passed
    }
    assert failed == {}


@pytest.mark.usefixtures("anomalies")
@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_equal_to_that_of_the_embedded_deployment(
    chain: Chain, mode: StorageMode, table: str
) -> None:
    """Promise `both_modes_agree` across deployments."""
    here, there = (chain.rows(pipeline, mode, table) for pipeline in (chain.local, chain.aws))
    assert here
    assert_equal(table, there, here)


def assert_equal(table: str, there: list[dict[str, Any]], here: list[dict[str, Any]]) -> None:
    """As DESIGN section 4 has it: sums and ratios within 1e-9, all else exactly."""
    assert len(there) == len(here)
    inexact = {"raw": set[str](), "anomalies": _SCORES}.get(table, _SUMS)
    for mine, other in zip(here, there, strict=True):
        assert mine.keys() == other.keys()
        for name, value in mine.items():
            if name in inexact and value is not None:
                assert other[name] == pytest.approx(value, rel=_RELATIVE, abs=1e-12), (name, mine)
            else:
                assert other[name] == value, (name, mine)


def test_a_materialization_links_to_its_run_and_tells_its_cost(
    candles: dg.ExecuteInProcessResult,
) -> None:
    materialized = candles.asset_materializations_for_node("parquet_projection_candles")
    metadata = materialized[0].metadata
    links = [
        str(value.value) for value in metadata.values() if isinstance(value, dg.UrlMetadataValue)
    ]
    assert any("glue" in link for link in links)
    assert any("cloudwatch" in link.lower() or "logs" in link for link in links)
    text = json.dumps({name: str(value.value) for name, value in metadata.items()})
    assert "DPU" in text
    assert "US dollars" in text


def test_status_tells_shards_deliveries_and_tables(chain: Chain) -> None:
    status = chain.aws.json("status")
    assert status["deployment"] == "aws"
    assert len(status["shards"]) == 2
    assert status["deliveries"].keys() == {mode.value for mode in MODES}
    rows = {(table["mode"], table["table"]): table["rows"] for table in status["tables"]}
    assert rows["iceberg", "raw"] == chain.sent


#: Target of the protocol -> prefix of its actions in policies.
_ACTIONS = {
    "AWSGlue": "glue",
    "AmazonAthena": "athena",
    "Firehose_20150804": "firehose",
    "GraniteServiceVersion20100801": "cloudwatch",
    "Kinesis_20131202": "kinesis",
    "Logs_20140328": "logs",
}


@pytest.mark.usefixtures("anomalies")
def test_the_role_of_dagster_may_do_all_that_was_done(
    chain: Chain, terraform: Terraform, workspace: Callable[[], Path]
) -> None:
    """S3 apart, whose actions have other names than its calls."""
    done = {
        f"{_ACTIONS[target]}:{operation}"
        for target, operation in chain.twin.gateway.ours
        if target in _ACTIONS
    }
    resources = plan_resources(terraform, workspace(), "profiles/demo.tfvars")
    allowed = {
        action
        for policy in find_policies(resources)
        if policy.address.startswith("module.dagster_role") and policy.kind == "aws_iam_role_policy"
        for statement in policy.statements
        for action in statement["Action"]
    }
    assert {"glue:StartJobRun", "athena:StartQueryExecution", "kinesis:PutRecords"} <= done
    assert done - allowed == set()
