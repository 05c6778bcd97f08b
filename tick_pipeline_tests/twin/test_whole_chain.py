"""The whole pipeline on the twin: what a live deployment is judged by holds, and its tables equal the embedded one's."""

# pyarrow has no types, parts of Dagster's are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

import dagster as dg
import pytest

from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.settings import PREFIX, Settings, load_settings
from tick_pipeline.storage import TABLES, StorageMode
from tick_pipeline.stream.kinesis import KinesisStream
from tick_pipeline.stream.port import Earliest
from tick_pipeline_tests.evaluation.deployment_tests import DeploymentTests, both_modes
from tick_pipeline_tests.integration.pipeline import MODES, Pipeline
from tick_pipeline_tests.terraform.policies import find_policies, plan_resources
from tick_pipeline_tests.twin.provision import provision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tick_pipeline.orchestration.partitions import Window
    from tick_pipeline_tests.evaluation.deployed import Produced
    from tick_pipeline_tests.terraform.provider import Terraform
    from tick_pipeline_tests.twin.twin import Twin

#: Sums and ratios depend on the order of the summands; all else is exact.
_SUMS = {"volume", "notional", "vwap"}
_RELATIVE = 1e-9
#: Of scores, DESIGN's own.
_SCORES = {"value", "mean", "stddev", "zscore"}
#: Target of the protocol -> prefix of its actions in policies.
_ACTIONS = {
    "AWSGlue": "glue",
    "AmazonAthena": "athena",
    "Firehose_20150804": "firehose",
    "GraniteServiceVersion20100801": "cloudwatch",
    "Kinesis_20131202": "kinesis",
    "Logs_20140328": "logs",
}


@pytest.mark.spark
class TestTwin(DeploymentTests):
    """Fifteen minutes of trading with events, landed by Firehose on the twin and by ourselves here."""

    trading: ClassVar[tuple[str, ...]] = (
        "--scenario=spikes",
        "--duration=900",
        "--rate=20",
        "--symbols=4",
    )
    poll_seconds: ClassVar[float] = 0.5

    @pytest.fixture(scope="class")
    @classmethod
    def aws(
        cls, running_twin: Twin, wheel: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Pipeline]:
        """The deployment on the twin, which this process's environment names as long as the class runs."""
        running_twin.reset()
        settings = {
            name.removeprefix(PREFIX): value
            for name, value in provision(
                running_twin.client, running_twin.url, wheel=wheel
            ).settings.items()
        }
        with pytest.MonkeyPatch.context() as patched:
            for name, value in running_twin.environment.items():
                patched.setenv(name, value)
            aws = Pipeline(tmp_path_factory.mktemp("aws") / "home", settings)
            with aws.here():
                yield aws
        running_twin.reset()

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls, aws: Pipeline) -> Settings:
        """Those of the twin."""
        return load_settings()

    @pytest.fixture(scope="class")
    @classmethod
    def local(
        cls,
        running_twin: Twin,
        produced: Produced,
        landed: dict[str, int],
        tmp_path_factory: pytest.TempPathFactory,
    ) -> Pipeline:
        """The same records here, landed and made into candles and anomalies."""
        local = Pipeline(tmp_path_factory.mktemp("local") / "home")
        _copy_stream(running_twin, local)
        local.json("deliver")
        start, end = produced.window.parameters["start"], produced.window.parameters["end"]
        local.json("ohlc", f"--start={start}", f"--end={end}")
        local.json("anomalies", "run", f"--start={start}", f"--end={end}")
        return local

    @pytest.mark.parametrize("made", ["candles", "anomalies"])
    def test_every_check_passes(self, made: str, request: pytest.FixtureRequest) -> None:
        """Warnings, too: nobody else uses this one."""
        checks = request.getfixturevalue(made).get_asset_check_evaluations()
        assert checks
        failed = {
            f"{found.check_name} of {found.asset_key.to_user_string()}": found.description
            for found in checks
            if not found.passed
        }
        assert failed == {}

    @pytest.mark.usefixtures("candles", "anomalies")
    @both_modes
    @pytest.mark.parametrize("table", TABLES)
    def test_a_table_is_equal_to_that_of_the_embedded_deployment(
        self, aws: Pipeline, local: Pipeline, produced: Produced, mode: StorageMode, table: str
    ) -> None:
        """Promise `both_modes_agree` across deployments."""
        here, there = (_rows(pipeline, mode, table, produced.window) for pipeline in (local, aws))
        assert here
        assert_equal(table, there, here)

    def test_nothing_is_landed_twice_in_either_deployment(
        self, aws: Pipeline, local: Pipeline, produced: Produced
    ) -> None:
        counts = {
            (name, mode): pipeline.scalar(f"select count(*) from {mode}.ticks")
            for name, pipeline in (("aws", aws), ("local", local))
            for mode in MODES
        }
        assert set(counts.values()) == {produced.sent}

    def test_a_materialization_links_to_its_run_and_tells_its_cost(
        self, candles: dg.ExecuteInProcessResult
    ) -> None:
        materialized = candles.asset_materializations_for_node("parquet_projection_candles")
        metadata = materialized[0].metadata
        links = [
            str(value.value)
            for value in metadata.values()
            if isinstance(value, dg.UrlMetadataValue)
        ]
        assert any("glue" in link for link in links)
        assert any("cloudwatch" in link.lower() or "logs" in link for link in links)
        text = json.dumps({name: str(value.value) for name, value in metadata.items()})
        assert "DPU" in text
        assert "US dollars" in text

    def test_status_tells_shards_deliveries_and_tables(
        self, aws: Pipeline, produced: Produced, landed: dict[str, int]
    ) -> None:
        status = aws.json("status")
        assert status["deployment"] == "aws"
        assert len(status["shards"]) == 2
        assert status["deliveries"].keys() == {mode.value for mode in MODES}
        rows = {(table["mode"], table["table"]): table["rows"] for table in status["tables"]}
        assert rows["iceberg", "raw"] == produced.sent

    @pytest.mark.usefixtures("candles", "anomalies")
    def test_the_role_of_dagster_may_do_all_that_was_done(
        self, running_twin: Twin, terraform: Terraform, workspace: Callable[[], Path]
    ) -> None:
        """S3 apart, whose actions have other names than its calls."""
        done = {
            f"{_ACTIONS[target]}:{operation}"
            for target, operation in running_twin.gateway.ours
            if target in _ACTIONS
        }
        resources = plan_resources(terraform, workspace(), "profiles/demo.tfvars")
        allowed = {
            action
            for policy in find_policies(resources)
            if policy.address.startswith("module.dagster_role")
            and policy.kind == "aws_iam_role_policy"
            for statement in policy.statements
            for action in statement["Action"]
        }
        assert {"glue:StartJobRun", "athena:StartQueryExecution", "kinesis:PutRecords"} <= done
        assert done - allowed == set()


def _copy_stream(twin: Twin, local: Pipeline) -> None:
    """Put what Kinesis holds into the local stream, shard by shard in its order."""
    kinesis = KinesisStream(twin.client("kinesis"), "tick-pipeline-ticks", rejected=None)
    with local.here():
        stream = open_deployment(load_settings()).stream()
        for table in kinesis.read_all(Earliest()):
            stream.put(table["partitionKey"].combine_chunks(), table["data"].combine_chunks())


def _rows(
    pipeline: Pipeline, mode: StorageMode, table: str, window: Window
) -> list[dict[str, Any]]:
    """A table's rows of the window, in the order of its key, as SQL gives them."""
    key = {
        "raw": ("event_id", "symbol"),
        "anomalies": ("event_id", "symbol", "metric"),
    }.get(table, ("symbol", "bucket_start"))
    time = "bucket_start" if table.startswith("aggregated") else "event_at"
    source = "ticks" if table == "raw" else table
    start, end = window.parameters["start"], window.parameters["end"]
    return pipeline.json(
        "query",
        f"select * from {mode}.{source} where {time} >= from_iso8601_timestamp('{start}') "
        f"and {time} < from_iso8601_timestamp('{end}') order by {', '.join(key)}",
    )


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
