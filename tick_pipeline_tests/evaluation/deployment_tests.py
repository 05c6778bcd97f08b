"""What a deployment on AWS must do, from the producer to the queries: of a live one, and of the twin."""

# boto3 makes its clients at run time, and pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.contracts.contract import load_contract, table_contract
from tick_pipeline.queries.catalogue import query_names
from tick_pipeline.queries.relations import VIEWS
from tick_pipeline.storage import (
    PARTITION_KEYS,
    RAW,
    TABLES,
    StorageMode,
    glue_database,
    hour_partition,
    table_location,
)
from tick_pipeline.stream.port import AtTimestamp
from tick_pipeline_tests.evaluation.deployed import Deployed

if TYPE_CHECKING:
    from tick_pipeline.resources.aws.clients import AwsClients
    from tick_pipeline.resources.deployments import Deployment
    from tick_pipeline.settings import Settings
    from tick_pipeline_tests.evaluation.deployed import Produced

_TERRAFORM = Path(__file__).parents[2] / "terraform"
_GLUE_TYPES = {"string": "string", "int64": "bigint", "double": "double", "timestamp": "timestamp"}
#: Where a query needs a value that no default gives.
_PARAMETERS = {"symbol": "AAPL", "timeframe": "1m"}


both_modes = pytest.mark.parametrize("mode", list(StorageMode), ids=str)


class DeploymentTests(Deployed):
    """A class below it gives `settings`."""

    def test_the_stream_gives_back_what_the_producer_put(
        self, deployment: Deployment, produced: Produced
    ) -> None:
        stream = deployment.stream()
        names = {field.name for field in load_contract("tick").fields}
        ours = 0
        for shard in stream.shards():
            begin = AtTimestamp(produced.started_us)
            for table in stream.read(shard.shard_id, begin, max_records=1_000_000):
                for row in table.to_pylist():
                    tick = json.loads(row["data"])
                    if tick.get("source") == produced.source:
                        ours += 1
                        assert tick.keys() == names
                        assert row["partitionKey"] == tick["symbol"]
        assert ours == produced.sent

    @both_modes
    def test_each_mode_has_a_database_with_its_tables_and_views(
        self, mode: StorageMode, settings: Settings, clients: AwsClients
    ) -> None:
        _skip_if_off(settings, mode)
        pages = clients.client("glue").get_paginator("get_tables")
        database = glue_database(str(settings.project), mode)
        found = {
            table["Name"]: table["TableType"]
            for page in pages.paginate(DatabaseName=database)
            for table in page["TableList"]
        }
        assert {name for name in found if name in TABLES} == set(TABLES)
        assert {name for name, kind in found.items() if kind == "VIRTUAL_VIEW"} == set(VIEWS)

    @both_modes
    @pytest.mark.parametrize("table", TABLES)
    def test_columns_and_types_are_those_of_the_contract(
        self,
        table: str,
        mode: StorageMode,
        settings: Settings,
        deployment: Deployment,
        produced: Produced,
    ) -> None:
        _skip_if_off(settings, mode)
        window = produced.window
        assert deployment.tables().schema_drift(mode, table, window.start_us, window.end_us) == []

    @pytest.mark.parametrize("table", TABLES)
    def test_partitions_are_projected_where_the_code_writes(
        self, table: str, settings: Settings, clients: AwsClients, produced: Produced
    ) -> None:
        mode = StorageMode.PARQUET_PROJECTION
        _skip_if_off(settings, mode)
        stored = clients.client("glue").get_table(
            DatabaseName=glue_database(str(settings.project), mode), Name=table
        )["Table"]
        keys = {column["Name"]: column["Type"] for column in stored["PartitionKeys"]}
        assert keys == dict.fromkeys(PARTITION_KEYS, "string")
        columns = {
            column["Name"]: column["Type"] for column in stored["StorageDescriptor"]["Columns"]
        }
        fields = table_contract(table).fields
        assert columns == {field.name: _GLUE_TYPES[field.type] for field in fields}
        parameters = stored["Parameters"]
        assert parameters["projection.enabled"] == "true"
        template = parameters["storage.location.template"]
        hour = hour_partition(produced.window.start_us)
        for part in hour.split("/"):
            name, _, value = part.partition("=")
            first, last = map(int, parameters[f"projection.{name}.range"].split(","))
            assert first <= int(value) <= last
            assert int(parameters[f"projection.{name}.digits"]) == len(value)
            template = template.replace(f"${{{name}}}", value)
        assert template == f"{_table(settings, mode, table)}/{hour}"

    @both_modes
    def test_every_tick_lands_in_each_mode(
        self, mode: StorageMode, settings: Settings, produced: Produced, landed: dict[str, int]
    ) -> None:
        _skip_if_off(settings, mode)
        assert landed[mode.value] == produced.sent

    @both_modes
    def test_objects_lie_under_the_prefix_of_raw(
        self, mode: StorageMode, settings: Settings, clients: AwsClients, landed: dict[str, int]
    ) -> None:
        _skip_if_off(settings, mode)
        prefix = _table(settings, mode, RAW).removeprefix(f"s3://{settings.bucket}/")
        found = clients.client("s3").list_objects_v2(Bucket=settings.bucket, Prefix=f"{prefix}/")
        assert any(item["Key"].endswith(".parquet") for item in found["Contents"])

    @pytest.mark.parametrize("made", ["candles", "anomalies"])
    def test_a_job_succeeds_and_tells_what_it_cost(
        self, made: str, request: pytest.FixtureRequest
    ) -> None:
        run = request.getfixturevalue(made)
        failed = [
            event.step_failure_data.error_display_string
            for event in run.all_events
            if event.is_step_failure
        ]
        assert run.success, failed
        materializations = [
            event.materialization for event in run.get_asset_materialization_events()
        ]
        assert materializations
        for materialization in materializations:
            assert "dagster/row_count" in materialization.metadata
            assert "run id" in materialization.metadata

    @pytest.mark.parametrize("made", ["candles", "anomalies"])
    def test_no_check_finds_an_error(self, made: str, request: pytest.FixtureRequest) -> None:
        """Warnings may be: what else is in the stream is not this test's."""
        run = request.getfixturevalue(made)
        wrong = {
            f"{found.check_name} of {found.asset_key.to_user_string()}": found.description
            for found in run.get_asset_check_evaluations()
            if not found.passed and found.severity.value == "ERROR"
        }
        assert wrong == {}

    @pytest.mark.parametrize("name", query_names())
    @pytest.mark.usefixtures("candles", "anomalies")
    def test_every_query_runs(
        self,
        name: str,
        settings: Settings,
        deployment: Deployment,
        produced: Produced,
    ) -> None:
        given: dict[str, Any] = {
            **_PARAMETERS,
            **produced.window.parameters,
            "storage_mode": settings.storage_modes[0].value,
        }
        result = deployment.query_engine().run_file(name, _wanted(name, given))
        assert result.table.num_columns
        assert result.seconds > 0

    @pytest.mark.parametrize("name", ["storage_parity_ticks", "storage_parity_anomalies"])
    @pytest.mark.usefixtures("candles", "anomalies")
    def test_the_modes_agree(
        self,
        name: str,
        settings: Settings,
        deployment: Deployment,
        produced: Produced,
    ) -> None:
        if len(settings.storage_modes) == 1:
            pytest.skip("one storage mode is switched off: there is nothing to compare")
        assert deployment.query_engine().run_file(name, produced.window.parameters).records == []

    @pytest.mark.usefixtures("candles", "anomalies")
    def test_an_apply_after_commits_would_change_nothing(self) -> None:
        """What commits move is not Terraform's to set back."""
        terraform = shutil.which("terraform")
        if terraform is None or not (_TERRAFORM / "terraform.tfstate").exists():
            pytest.skip("no Terraform state here: run it where the apply was run")
        plan = [terraform, f"-chdir={_TERRAFORM}", "plan", "-detailed-exitcode", "-input=false"]
        done = subprocess.run(plan, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def _skip_if_off(settings: Settings, mode: StorageMode) -> None:
    if mode not in settings.storage_modes:
        pytest.skip(f"{mode} is switched off by TICK_PIPELINE_STORAGE_MODES")


def _table(settings: Settings, mode: StorageMode, table: str) -> str:
    return table_location(f"s3://{settings.bucket}/warehouse", mode, table)


def _wanted(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Of these values, those that the query has a parameter for."""
    from tick_pipeline.queries.catalogue import load_query

    names = {parameter.name for parameter in load_query(name).parameters}
    return {key: value for key, value in given.items() if key in names}
