"""The adapter of the upkeep port, for any lake: Iceberg by PyIceberg, Parquet by pyarrow, no Spark."""

# parts of pyiceberg have no types
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tick_pipeline.errors import BusyError, InputError, WorkError
from tick_pipeline.event_time import now_us, parse_instant
from tick_pipeline.resources.iceberg_upkeep import IcebergUpkeep
from tick_pipeline.resources.maintenance_port import ignore
from tick_pipeline.resources.parquet_upkeep import ParquetUpkeep
from tick_pipeline.resources.snapshot_history import no_such_snapshot, roll_back, snapshot_facts
from tick_pipeline.resources.time_travel import snapshot_at
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyiceberg.table import Table

    from tick_pipeline.resources.lake import Lake
    from tick_pipeline.resources.maintenance_port import (
        Rollback,
        SnapshotFacts,
        TableUpkeep,
        Tell,
        UpkeepRequest,
    )
    from tick_pipeline.resources.query_port import QueryEngine
    from tick_pipeline.settings import Settings


class LakeMaintenance:
    """The port on a lake.

    Args:
        lake: where the tables are.
        engine: runs the standard query.
        settings: what is kept, and how files are written.
    """

    def __init__(self, lake: Lake, engine: QueryEngine, settings: Settings) -> None:
        self._lake = lake
        self._engine = engine
        self._settings = settings

    def run(self, request: UpkeepRequest, tell: Tell = ignore) -> list[TableUpkeep]:
        """See Maintenance."""
        left_to = self._lake.left_to
        if left_to and request.retain_hours and StorageMode.ICEBERG in self._settings.storage_modes:
            raise InputError(
                f"retention of {request.retain_hours} hours cannot be the same in both modes: {left_to} looks after "
                'the Iceberg tables and drops no hour; set iceberg_maintainer = "table_maintenance" in Terraform'
            )
        done: list[TableUpkeep] = []
        failed: dict[str, Exception] = {}
        with self._lake.alone():
            began_us = now_us()
            for mode in request.storage_modes:
                for table in request.tables:
                    try:
                        done.append(self._look_after(mode, table, request, began_us))
                    except Exception as error:  # noqa: BLE001, PERF203  (raised below, after the other tables)
                        failed[f"{mode}.{table}"] = error
                    else:
                        tell(done[-1])
        _raise(failed)
        return done

    def history(self, table: str) -> list[SnapshotFacts]:
        """See Maintenance."""
        return snapshot_facts(self._lake.iceberg(table))

    def rollback(self, table: str, to: str) -> Rollback:
        """See Maintenance."""
        with self._lake.alone(), self._lake.telling(f"rolling back iceberg.{table}"):
            return self._roll_back(self._lake.iceberg(table), table, to)

    def _roll_back(self, stored: Table, table: str, to: str) -> Rollback:
        if to.isdecimal():
            found = stored.snapshot_by_id(int(to))
            if found is None:
                raise no_such_snapshot(stored, int(to))
            return roll_back(stored, found)
        try:
            at_us = parse_instant(to)
        except ValueError as error:
            raise InputError(
                f"--to {to!r} is neither the id of a snapshot nor an instant: {error}"
            ) from error
        return roll_back(stored, snapshot_at(stored, at_us))

    def _look_after(
        self, mode: StorageMode, table: str, request: UpkeepRequest, began_us: int
    ) -> TableUpkeep:
        began = time.monotonic()
        work = IcebergUpkeep if mode is StorageMode.ICEBERG else ParquetUpkeep
        with self._lake.telling(f"looking after {mode}.{table}"):
            done = work(self._lake, table, self._settings, self._engine, began_us).run(request)
        return replace(done, seconds=round(time.monotonic() - began, 3))


def _raise(failed: Mapping[str, Exception]) -> None:
    """The error of the table that failed; of several, one that may be tried again where each may."""
    errors = [*failed.values()]
    if len(errors) > 1:
        kind = BusyError if all(isinstance(error, BusyError) for error in errors) else WorkError
        told = "; ".join(f"{name}: {error}" for name, error in failed.items())
        raise kind(f"{len(errors)} tables were left: {told}") from errors[0]
    if errors:
        raise errors[0]
