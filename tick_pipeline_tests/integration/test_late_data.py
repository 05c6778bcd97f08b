"""Promise `late_is_repaired`: a late tick changes its candle after the next look, and is counted."""

# pyarrow has no types, parts of Dagster's are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa
import pytest

from tick_pipeline.definitions import defs
from tick_pipeline.defs.raw.automation import landed_hours_sensor, late_ticks_sensor
from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, hour_floor, now_us
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.orchestration.local_runs import run_job
from tick_pipeline.orchestration.partitions import Window, partition_key
from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.resources.landing import open_stream
from tick_pipeline.settings import load_settings
from tick_pipeline_tests.defs.looks import RecordedNotifier
from tick_pipeline_tests.integration.pipeline import MODES, Pipeline
from tick_pipeline_tests.queries.warehouse import START_US, tick

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline.resources.deployments import Deployment
    from tick_pipeline.settings import Settings

pytestmark = pytest.mark.spark
LATE_PRICE = 999.0


@dataclass
class Automation:
    """Both sensors over one HOME, each with the cursor that its look before left."""

    instance: dg.DagsterInstance
    deployment: Deployment
    settings: Settings
    notifier: RecordedNotifier = field(default_factory=RecordedNotifier)
    cursors: dict[str, str | None] = field(default_factory=dict[str, "str | None"])

    def asks(self) -> list[tuple[str | None, str | None]]:
        """What `landed_hours` asks for: job and partition."""
        found = self._look(
            landed_hours_sensor(self.settings),
            landed_files=self.deployment.landed_files(),
            landing=self.deployment.landing(),
        )
        return [
            (request.job_name, request.tags["dagster/partition"])
            for request in found.run_requests or ()
        ]

    def enters(self) -> dict[str, dict[str, Any]]:
        """What `late_ticks` enters, by storage mode, as its daemon would store it."""
        found = self._look(
            late_ticks_sensor(self.settings),
            landed_files=self.deployment.landed_files(),
            query_engine=self.deployment.query_engine(),
            notifier=self.notifier,
        )
        entries: dict[str, dict[str, Any]] = {}
        for event in found.asset_events:
            assert isinstance(event, dg.AssetObservation)
            self.instance.report_runless_asset_event(event)
            values = {name: value.value for name, value in event.metadata.items()}
            entries[event.asset_key.path[0]] = values | {"hour": event.partition}
        return entries

    def _look(self, sensor: dg.SensorDefinition, **resources: Any) -> Any:
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursors.get(sensor.name),
            repository_def=defs().get_repository_def(),
            resources=resources,
        ) as context:
            found = sensor.evaluate_tick(context)
        self.cursors[sensor.name] = found.cursor
        return found


def put(deployment: Deployment, settings: Settings, *records: dict[str, Any]) -> None:
    """Put records into the stream, as a producer does."""
    data = [json.dumps(record).encode() for record in records]
    open_stream(deployment.home, settings).put(
        pa.array(["AAA"] * len(data)), pa.array(data, pa.binary())
    )


def test_late_is_repaired(new_pipeline: Callable[..., Pipeline]) -> None:
    """With the tables, the runs and the instance that people have."""
    pipeline = new_pipeline()
    hour_us = hour_floor(now_us()) - 3 * US_PER_HOUR
    hour, first = partition_key(hour_us), (hour_us - START_US) / US_PER_SECOND
    window = Window(hour_us, hour_us + US_PER_HOUR)
    with pipeline.here():
        settings = load_settings()
        deployment = open_deployment(settings)
        with open_instance(deployment.home, settings) as instance:
            automation = Automation(instance, deployment, settings)
            assert (automation.asks(), automation.enters()) == ([], {})

            put(deployment, settings, *(tick("AAA", first + n, n + 1) for n in range(30)))
            pipeline.json("deliver")
            pipeline.json("ohlc", *(f"--{name}={us}" for name, us in window.parameters.items()))
            # What somebody made by hand is made.
            others = [("anomaly_batch", hour), ("anomaly_batch", partition_key(window.end_us))]
            assert (automation.asks(), automation.enters()) == (others, {})

            late = tick("AAA", first + 15.5, 31, price=LATE_PRICE)
            put(deployment, settings, late | {"sent_ts": now_us()})
            assert automation.asks() == []
            pipeline.json("deliver")
            assert automation.asks() == [("ohlc_batch", hour), *others]
            entries = automation.enters()
            assert list(entries) == [mode.value for mode in MODES]
            for entry in entries.values():
                assert (entry["hour"], entry["late"], entry["ticks of the hour"]) == (hour, 1, 31)
                assert (entry["repaired"], entry["wait for a run"]) == (0, 1)
                assert entry["late p50 (seconds)"] == entry["late max (seconds)"] > 7200
            [(subject, _)] = automation.notifier.told
            assert subject == "ticks came late: iceberg 1, parquet_projection 1"
            assert automation.enters() == {}

            # The run lands one more itself, and reads it: its hour is not asked for again.
            put(deployment, settings, tick("AAA", first + 40, 32))
            assert run_job(instance, "ohlc_batch", window).success
            repaired = {mode: entry["repaired"] for mode, entry in automation.enters().items()}
            assert repaired == {mode.value: 2 for mode in MODES}
            assert [job for job, _ in automation.asks() if job == "ohlc_batch"] == []
            assert automation.enters() == {}
            assert len(automation.notifier.told) == 1
    for mode in MODES:
        candle = pipeline.candles(mode, "1m").iloc[0]
        assert (candle["high"], candle["trade_count"]) == (LATE_PRICE, 32)
