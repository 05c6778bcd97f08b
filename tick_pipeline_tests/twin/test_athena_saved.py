"""The saved queries, which Terraform puts into Athena's console, run there as they stand."""

# boto3 has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.queries.saved import saved_queries
from tick_pipeline.storage import StorageMode, glue_database
from tick_pipeline_tests.twin.athena_execution import ENDED
from tick_pipeline_tests.twin.athena_lake import AthenaLake, athena_lake, copy_to_twin, fill
from tick_pipeline_tests.twin.provision import PROJECT, WORKGROUP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tick_pipeline_tests.twin.twin import Twin

#: What the last whole hour of a saved query begins and ends with -> the hours that there are.
THEN = {
    "(date_trunc('hour', current_timestamp) - interval '1' hour)": "timestamp '2026-03-01 09:00:00 UTC'",
    "(date_trunc('hour', current_timestamp))": "timestamp '2026-03-01 12:00:00 UTC'",
}


@pytest.fixture(scope="module")
def lake(running_twin: Twin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AthenaLake]:
    with athena_lake(running_twin, tmp_path_factory.mktemp("saved") / "home") as made:
        fill(made.home)
        copy_to_twin(made)
        yield made


def in_console(text: str) -> str:
    """As Terraform writes it: the databases' names in place of their tokens."""
    for mode in StorageMode:
        text = text.replace(f"@{mode}@", glue_database(PROJECT, mode))
    return text


def run(lake: AthenaLake, texts: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Each text's execution, at its end."""
    athena = lake.twin.client("athena")
    ids = {
        name: athena.start_query_execution(QueryString=text, WorkGroup=WORKGROUP)[
            "QueryExecutionId"
        ]
        for name, text in texts.items()
    }
    found: dict[str, dict[str, Any]] = {}
    while len(found) < len(ids):
        time.sleep(0.05)
        for name, query_id in ids.items():
            execution = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            if execution["Status"]["State"] in ENDED:
                found[name] = execution
    return found


def test_every_saved_query_runs(lake: AthenaLake) -> None:
    """But those for which the console asks."""
    texts = {
        name: in_console(query["sql"])
        for name, query in saved_queries().items()
        if "?" not in query["sql"]
    }
    found = run(lake, texts)
    assert {name: item["Status"] for name, item in found.items()} == {
        name: {**item["Status"], "State": "SUCCEEDED"} for name, item in found.items()
    }
    assert len(found) > 30


@pytest.mark.parametrize(
    "name",
    [
        "anomaly_sanity-iceberg",
        "anomaly_sanity-parquet_projection",
        "storage_parity_anomalies",
        "storage_parity_candles",
        "storage_parity_ticks",
        "candles_match_sql-parquet_projection",
        "five_is_five_ones-parquet_projection",
        "candle_invariants-parquet_projection",
    ],
)
def test_a_saved_check_finds_nothing_where_all_is_well(lake: AthenaLake, name: str) -> None:
    """Athena reads a Hive timestamp in milliseconds, which is not what the other mode has."""
    text = saved_queries()[name]["sql"]
    for expression, then in THEN.items():
        assert expression in text
        text = text.replace(expression, then)
    execution = run(lake, {name: in_console(text)})[name]
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    rows = lake.twin.client("athena").get_query_results(
        QueryExecutionId=execution["QueryExecutionId"]
    )["ResultSet"]["Rows"]
    assert rows[1:] == []
    assert execution["Statistics"]["DataScannedInBytes"] > 0
