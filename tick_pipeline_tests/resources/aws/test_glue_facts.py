"""What a run of Glue cost, and where to look at it."""

from __future__ import annotations

from typing import Any

import pytest

from tick_pipeline.resources.aws.glue_facts import (
    cost_usd,
    dpu_seconds,
    log_groups,
    log_page,
    run_facts,
    run_page,
)


def run(**fields: Any) -> dict[str, Any]:
    made = {"WorkerType": "G.1X", "NumberOfWorkers": 2, "ExecutionTime": 3600}
    return {"Id": "jr_1", "JobName": "tick-pipeline-ohlc", **made, **fields}


@pytest.mark.parametrize(
    ("fields", "dpus", "usd"),
    [
        ({}, 7200, 0.88),
        ({"WorkerType": "G.2X"}, 14400, 1.76),
        # Workers that come and go are counted by Glue.
        ({"DPUSeconds": 3600.0}, 3600, 0.44),
        ({"DPUSeconds": 3600.0, "ExecutionClass": "FLEX"}, 3600, 0.29),
        # Less than a minute is billed as one.
        ({"ExecutionTime": 15}, 30, 2 / 60 * 0.44),
        ({"ExecutionTime": 30, "DPUSeconds": 45.0}, 45, 1.5 / 60 * 0.44),
        ({"ExecutionTime": 61}, 122, 122 / 3600 * 0.44),
        # One that never had its workers costs nothing.
        ({"ExecutionTime": 0}, 0, 0),
    ],
)
def test_a_run_costs_its_workers_seconds_at_the_price_of_its_class(
    fields: dict[str, Any], dpus: float, usd: float
) -> None:
    assert dpu_seconds(run(**fields)) == dpus
    assert cost_usd(run(**fields)) == pytest.approx(usd)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "https://eu-central-1.console.aws.amazon.com/"),
        ("cn-north-1", "https://cn-north-1.console.amazonaws.cn/"),
        ("us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com/"),
    ],
)
def test_pages_are_in_the_console_of_the_region(region: str, host: str) -> None:
    assert run_page(region, run()).startswith(host)
    assert log_page(region, "/aws-glue/jobs/output", "jr_1").startswith(host)


def test_logs_are_where_the_job_sends_them_and_else_where_glue_does() -> None:
    named = {"DefaultArguments": {"--custom-logGroup-prefix": "/aws-glue/jobs/tick-pipeline-ohlc"}}
    assert log_groups(named) == "/aws-glue/jobs/tick-pipeline-ohlc"
    assert log_groups({}) == "/aws-glue/jobs"


def test_facts_have_names_that_people_read() -> None:
    assert run_facts({}, run(ExecutionTime=90), "us-east-1") == {
        "Spark run": "jr_1",
        "Spark run's page": run_page("us-east-1", run()),
        "Spark log": log_page("us-east-1", "/aws-glue/jobs/output", "jr_1"),
        "worker type": "G.1X",
        "workers": 2,
        "execution class": "STANDARD",
        "DPU-seconds": 180.0,
        "cost estimate (US dollars)": 0.022,
    }
