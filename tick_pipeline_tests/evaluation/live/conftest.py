"""A live deployment: ticks produced, landed and aggregated once, for every test to look at.

`make test-evaluation` runs these against what .env names; the tests of the twin run them against the twin.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.cli.main import run
from tick_pipeline.event_time import widen_to_hours
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.orchestration.local_runs import run_job
from tick_pipeline.orchestration.partitions import Window
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.settings import PREFIX, Settings, load_settings

if TYPE_CHECKING:
    import dagster as dg

    from tick_pipeline.resources.deployments import Deployment

#: How long Firehose may take beyond its buffer: it opens a partition's first file slowly.
_LANDING_SECONDS = 900.0
_POLL_SECONDS = float(os.environ.get(f"{PREFIX}EVALUATION_POLL_SECONDS", "15"))
_DURATION_SECONDS, _RATE, _SYMBOLS = 300, 20, 4


@pytest.fixture(autouse=True)
def _no_settings_of_the_user() -> None:
    """Here the user's own settings are what is tested."""


@pytest.fixture(scope="session")
def settings() -> Settings:
    """Those of the deployment, from the environment and .env."""
    settings = load_settings()
    if settings.deployment != "aws":
        pytest.skip(
            f"needs a live deployment: {PREFIX}DEPLOYMENT=aws, and Terraform's outputs by `make env`"
        )
    return settings


@pytest.fixture(scope="session")
def deployment(settings: Settings) -> Deployment:
    """The adapters."""
    return open_deployment(settings)


@pytest.fixture(scope="session")
def clients(settings: Settings) -> AwsClients:
    """AWS itself."""
    return AwsClients(settings)


def command(*arguments: str) -> Any:
    """The result of a command that must succeed."""
    output = StringIO()
    with redirect_stdout(output):
        code = run([*arguments, "--json"])
    assert code == 0, output.getvalue()
    return json.loads(output.getvalue())


@dataclass(frozen=True)
class Produced:
    """A run of the producer: its source, how many ticks it sent, and the hours that they are of."""

    source: str
    sent: int
    started_us: int
    window: Window


@pytest.fixture(scope="session")
def produced(settings: Settings) -> Produced:
    """Some minutes of steady trading before now, under a source of their own."""
    started_us = time.time_ns() // 1000
    summary = command(
        "produce",
        "--scenario=steady",
        f"--duration={_DURATION_SECONDS}",
        f"--rate={_RATE}",
        f"--symbols={_SYMBOLS}",
        "--past",
    )
    window = Window(*widen_to_hours(summary["start_us"], summary["end_us"]))
    return Produced(summary["source"], summary["sent"], started_us, window)


@pytest.fixture(scope="session")
def landed(settings: Settings, deployment: Deployment, produced: Produced) -> dict[str, int]:
    """Storage mode -> ticks of the producer's run in it, once all are there or the wait is over."""
    engine = deployment.query_engine()
    deadline = time.monotonic() + _LANDING_SECONDS
    while True:
        counts = {
            mode.value: int(
                engine.run(
                    f"select count(*) as ticks from {mode}.ticks "
                    f"where source = '{produced.source}' and {_within(produced.window)}"
                ).records[0]["ticks"]
            )
            for mode in settings.storage_modes
        }
        if min(counts.values()) >= produced.sent or time.monotonic() > deadline:
            return counts
        time.sleep(_POLL_SECONDS)


@dataclass(frozen=True)
class Batch:
    """Runs of both jobs over the producer's hours, by name."""

    runs: dict[str, dg.ExecuteInProcessResult]


@pytest.fixture(scope="session")
def batch(
    settings: Settings, deployment: Deployment, produced: Produced, landed: dict[str, int]
) -> Batch:
    """The candles and anomalies of those hours, made by Glue."""
    with open_instance(deployment.home, settings) as instance:
        return Batch(
            {
                name: run_job(instance, name, produced.window)
                for name in ("ohlc_batch", "anomaly_batch")
            }
        )


def _within(window: Window) -> str:
    start, end = window.parameters["start"], window.parameters["end"]
    return (
        f"event_at >= from_iso8601_timestamp('{start}') "
        f"and event_at < from_iso8601_timestamp('{end}')"
    )
