"""A HOME in which ticks land, and the sensors and schedules that look at it."""

# pyarrow has no types, parts of Dagster's are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa

from tick_pipeline.event_time import US_PER_SECOND
from tick_pipeline.orchestration.mark_history import mark_metadata
from tick_pipeline.orchestration.partitions import partition_key
from tick_pipeline.orchestration.tables import asset_key
from tick_pipeline.resources.iceberg import create_tables, open_catalog
from tick_pipeline.resources.landed import LOCAL_SETTLE_US
from tick_pipeline.resources.landing import open_stream
from tick_pipeline.storage import ANOMALIES, CANDLE_TABLES, RAW, StorageMode, iceberg_identifier
from tick_pipeline_tests.queries.warehouse import START_US, tick

if TYPE_CHECKING:
    from tick_pipeline.resources.deployments import Deployment
    from tick_pipeline.settings import Settings
    from tick_pipeline_tests.defs.looks import RecordedNotifier


@dataclass
class Landed:
    """A HOME in which ticks land, and who looks at it."""

    settings: Settings
    deployment: Deployment
    instance: dg.DagsterInstance
    notifier: RecordedNotifier

    def land(self, hour_us: int, *, late_seconds: int) -> None:
        """Land one tick of an hour in both modes, put into the stream so much later."""
        record = tick("AAA", (hour_us - START_US) / US_PER_SECOND, 1)
        record["sent_ts"] += late_seconds * US_PER_SECOND
        stream = open_stream(self.deployment.home, self.settings)
        stream.put(pa.array(["AAA"]), pa.array([json.dumps(record).encode()], pa.binary()))
        for mode in self.settings.storage_modes:
            self.deployment.landing().land(mode, 0, 0)
        # A look leaves to the next what is as young as that.
        time.sleep(LOCAL_SETTLE_US / US_PER_SECOND)

    def aggregate(self, hour_us: int, *modes: StorageMode) -> None:
        """Tell of an hour's tables as runs do that begin now and make them of raw."""
        files = self.deployment.landed_files()
        for mode in modes or self.settings.storage_modes:
            for table in (*CANDLE_TABLES, ANOMALIES):
                event = dg.AssetMaterialization(
                    asset_key(mode, table),
                    partition=partition_key(hour_us),
                    metadata=mark_metadata(files.mark(mode)),
                )
                self.instance.report_runless_asset_event(event)

    def make_raw_anew(self) -> None:
        """Drop Iceberg's raw; what the stream has lands in the new one with the next landing."""
        home = self.deployment.home.path
        with closing(open_catalog(home)) as catalog:
            catalog.drop_table(iceberg_identifier(RAW))
        create_tables(home)

    def look(self, sensor: dg.SensorDefinition, cursor: str | None = None) -> dg.SensorResult:
        """One look of a sensor."""
        ports: dict[str, Any] = {
            "landed_files": self.deployment.landed_files(),
            "landing": self.deployment.landing(),
            "query_engine": self.deployment.query_engine(),
            "notifier": self.notifier,
        }
        wanted = {name: ports[name] for name in sensor.required_resource_keys}
        context = dg.build_sensor_context(self.instance, cursor, resources=wanted)
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        return result
