"""Firehose writes where Athena looks and where the code's own paths lead: by the event's hour, in Firehose's jq."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.event_time import parse_instant
from tick_pipeline.storage import (
    RAW,
    TABLES,
    ErrorType,
    StorageMode,
    error_location,
    hour_partition,
    table_location,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tick_pipeline_tests.terraform.provider import Terraform

FIRST_YEAR, YEARS = 2026, 3
FIRST_US = parse_instant(f"{FIRST_YEAR}-01-01T00:00:00Z")
END_US = parse_instant(f"{FIRST_YEAR + YEARS}-01-01T00:00:00Z")
_EVENT_TS = load_contract("tick").field("event_ts")
assert _EVENT_TS.convertible is not None
CONVERTIBLE = _EVENT_TS.convertible


@pytest.fixture(scope="module")
def planned(terraform: Terraform, workspace: Callable[[], Path]) -> dict[str, dict[str, Any]]:
    """Address -> the planned values of a resource."""
    folder = workspace()
    variables = (
        "region=eu-central-1",
        f"partitions_start={FIRST_YEAR}-06-01T00:00:00Z",
        f"projection_years={YEARS}",
    )
    terraform.run(folder, "plan", "-out=plan.tfplan", *(f"-var={text}" for text in variables))
    plan = json.loads(terraform.run(folder, "show", "-json", "plan.tfplan").stdout)
    resources = plan["planned_values"]["root_module"]["resources"]
    return {resource["address"]: resource["values"] for resource in resources}


@pytest.fixture(scope="module")
def parquet_firehose(planned: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The destination of the Firehose that converts to Parquet."""
    firehose = planned["aws_kinesis_firehose_delivery_stream.parquet[0]"]
    return firehose["extended_s3_configuration"][0]


@pytest.fixture(scope="module")
def keys_of(parquet_firehose: dict[str, Any]) -> Callable[[str], dict[str, str] | None]:
    """The partition keys that Firehose's query makes of a record; None where it makes none.

    The library holds jq 1.6, the version that Firehose runs.
    """
    jq = pytest.importorskip("jq", reason="jq 1.6 comes as a package for Linux alone")
    parameters = parquet_firehose["processing_configuration"][0]["processors"][0]["parameters"]
    by_name = {item["parameter_name"]: item["parameter_value"] for item in parameters}
    assert by_name["JsonParsingEngine"] == "JQ-1.6"
    program = jq.compile(by_name["MetadataExtractionQuery"])

    def keys(record: str) -> dict[str, str] | None:
        try:
            return program.input(text=record).first()
        except ValueError:
            return None

    return keys


@given(us=st.integers(FIRST_US, END_US - 1))
def test_firehose_puts_a_tick_where_the_code_looks_for_its_hour(
    us: int,
    parquet_firehose: dict[str, Any],
    keys_of: Callable[[str], dict[str, str] | None],
) -> None:
    keys = keys_of(json.dumps({"event_ts": us}))
    assert keys is not None
    prefix = parquet_firehose["prefix"]
    for name, value in keys.items():
        prefix = prefix.replace(f"!{{partitionKeyFromQuery:{name}}}", value)
    location = table_location("warehouse", StorageMode.PARQUET_PROJECTION, RAW)
    assert prefix == f"{location}/{hour_partition(us)}/"


@pytest.mark.parametrize(
    "event_ts",
    [
        *("null", "1.5", '"1773500000000000"', "true", "[]", "{}", "1e300", "-1", "0"),
        *(str(bound) for bound in (CONVERTIBLE[0] - 1, CONVERTIBLE[1], FIRST_US - 1, END_US)),
    ],
)
def test_a_tick_that_no_reader_would_see_goes_to_the_error_prefix(
    event_ts: str, keys_of: Callable[[str], dict[str, str] | None]
) -> None:
    """What jq refuses Firehose keeps as processing-failed: no partition more, none that Athena does not project."""
    assert keys_of(f'{{"event_ts": {event_ts}}}') is None


def test_a_record_without_an_event_time_goes_to_the_error_prefix(
    keys_of: Callable[[str], dict[str, str] | None],
) -> None:
    assert keys_of("{}") is None


@pytest.mark.parametrize("table", TABLES)
def test_athena_looks_where_the_code_writes(table: str, planned: dict[str, dict[str, Any]]) -> None:
    us = parse_instant("2026-03-04T05:00:00Z")
    template = planned[f'aws_glue_catalog_table.parquet_projection["{table}"]']["parameters"][
        "storage.location.template"
    ]
    for name, value in re.findall(r"(\w+)=(\d+)", hour_partition(us)):
        template = template.replace(f"${{{name}}}", value)
    bucket = planned["aws_s3_bucket.lake[0]"]["bucket"]
    location = table_location(f"s3://{bucket}/warehouse", StorageMode.PARQUET_PROJECTION, table)
    assert template == f"{location}/{hour_partition(us)}"


@pytest.mark.parametrize("table", TABLES)
def test_an_iceberg_table_lies_where_the_code_says(
    table: str, planned: dict[str, dict[str, Any]]
) -> None:
    iceberg = planned[f'aws_glue_catalog_table.iceberg["{table}"]']["open_table_format_input"][0]
    bucket = planned["aws_s3_bucket.lake[0]"]["bucket"]
    assert iceberg["iceberg_input"][0]["iceberg_table_input"][0]["location"] == table_location(
        f"s3://{bucket}/warehouse", StorageMode.ICEBERG, table
    )


def test_errors_lie_under_the_mode_by_their_kind(
    planned: dict[str, dict[str, Any]], parquet_firehose: dict[str, Any]
) -> None:
    iceberg = planned["aws_kinesis_firehose_delivery_stream.iceberg[0]"]["iceberg_configuration"][0]
    prefixes = {
        StorageMode.ICEBERG: iceberg["s3_configuration"][0]["error_output_prefix"],
        StorageMode.PARQUET_PROJECTION: parquet_firehose["error_output_prefix"],
    }
    for mode, prefix in prefixes.items():
        for kind in ErrorType:
            written = prefix.replace("!{firehose:error-output-type}", kind.value)
            assert written.startswith(f"{error_location('warehouse', mode, kind)}/")
