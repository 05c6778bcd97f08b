"""A deployment on AWS with ticks produced, landed and aggregated once, for every test of a class to look at."""

from __future__ import annotations

import json
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tick_pipeline.cli.main import run
from tick_pipeline.event_time import widen_to_hours
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.orchestration.local_runs import run_job
from tick_pipeline.orchestration.partitions import Window
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.deployments import open_deployment

if TYPE_CHECKING:
    import dagster as dg

    from tick_pipeline.resources.deployments import Deployment
    from tick_pipeline.settings import Settings

#: How long Firehose may take beyond its buffer: it opens a partition's first file slowly.
_LANDING_SECONDS = 900.0


@dataclass(frozen=True)
class Produced:
    """A run of the producer: its source, how many ticks it sent, and the hours that they are of."""

    source: str
    sent: int
    started_us: int
    window: Window


class Deployed:
    """Fixtures of a deployment; a class below it has one `settings` more, which says which.

    Attributes:
        trading: options of `produce`, all before now.
        poll_seconds: between two looks at what has landed.
    """

    trading: ClassVar[tuple[str, ...]] = (
        "--scenario=steady",
        "--duration=300",
        "--rate=20",
        "--symbols=4",
    )
    poll_seconds: ClassVar[float] = 15.0

    @pytest.fixture(autouse=True)
    def _no_settings_of_the_user(self) -> None:
        """Here the user's own settings are what is tested."""

    @pytest.fixture(scope="class")
    @classmethod
    def deployment(cls, settings: Settings) -> Deployment:
        """The adapters."""
        return open_deployment(settings)

    @pytest.fixture(scope="class")
    @classmethod
    def clients(cls, settings: Settings) -> AwsClients:
        """AWS itself."""
        return AwsClients(settings)

    @pytest.fixture(scope="class")
    @classmethod
    def produced(cls, settings: Settings) -> Produced:
        """Some minutes of trading, under a source of their own."""
        started_us = time.time_ns() // 1000
        summary = command("produce", *cls.trading, "--past")
        window = Window(*widen_to_hours(summary["start_us"], summary["end_us"]))
        return Produced(summary["source"], summary["sent"], started_us, window)

    @pytest.fixture(scope="class")
    @classmethod
    def landed(
        cls, settings: Settings, deployment: Deployment, produced: Produced
    ) -> dict[str, int]:
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
            time.sleep(cls.poll_seconds)

    @pytest.fixture(scope="class")
    @classmethod
    def candles(
        cls,
        settings: Settings,
        deployment: Deployment,
        produced: Produced,
        landed: dict[str, int],
    ) -> dg.ExecuteInProcessResult:
        """The run of `ohlc_batch` over the producer's hours."""
        return _run(settings, deployment, "ohlc_batch", produced.window)

    @pytest.fixture(scope="class")
    @classmethod
    def anomalies(
        cls,
        settings: Settings,
        deployment: Deployment,
        produced: Produced,
        landed: dict[str, int],
    ) -> dg.ExecuteInProcessResult:
        """The run of `anomaly_batch` over the producer's hours."""
        return _run(settings, deployment, "anomaly_batch", produced.window)


def command(*arguments: str) -> Any:
    """The result of a command that must succeed."""
    output = StringIO()
    with redirect_stdout(output):
        code = run([*arguments, "--json"])
    assert code == 0, output.getvalue()
    return json.loads(output.getvalue())


def _run(
    settings: Settings, deployment: Deployment, job: str, window: Window
) -> dg.ExecuteInProcessResult:
    with open_instance(deployment.home, settings) as instance:
        return run_job(instance, job, window)


def _within(window: Window) -> str:
    start, end = window.parameters["start"], window.parameters["end"]
    return (
        f"event_at >= from_iso8601_timestamp('{start}') "
        f"and event_at < from_iso8601_timestamp('{end}')"
    )
