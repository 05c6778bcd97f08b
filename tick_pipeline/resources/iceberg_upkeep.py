"""Upkeep of one Iceberg table."""

# parts of pyiceberg have no types
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tick_pipeline.event_time import US_PER_MS
from tick_pipeline.landing.iceberg_sink import CHECKPOINT_PROPERTY
from tick_pipeline.landing.snapshots import oldest_unread_us
from tick_pipeline.maintenance.plan import (
    LEAST_MANIFESTS,
    expiry_instant,
    files_to_drop,
    files_to_merge,
)
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources.iceberg import partition_column
from tick_pipeline.resources.iceberg_expiry import find_garbage, remove_garbage
from tick_pipeline.resources.iceberg_rewrite import (
    current_files,
    data_manifests,
    merge_files,
    merge_manifests,
    replace_files,
)
from tick_pipeline.resources.lake import TableWork
from tick_pipeline.resources.maintenance_port import TableFigures, TableUpkeep
from tick_pipeline.storage import RAW, StorageMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.resources.iceberg_rewrite import TableFile
    from tick_pipeline.resources.maintenance_port import UpkeepRequest


class IcebergUpkeep(TableWork):
    """Each step is a commit of its own, or none: a kill leaves a table, and files that the next run removes."""

    mode = StorageMode.ICEBERG

    def run(self, request: UpkeepRequest) -> TableUpkeep:
        """Drop, merge, rewrite manifests, expire, remove: in this order each finds what the one before left."""
        self._stored = self.lake.iceberg(self.table)
        if self.lake.left_to:
            figures = self._figures(())
            note = f"left to {self.lake.left_to}"
            return TableUpkeep(
                self.mode, self.table, request.dry_run, figures, figures, notes=(note,)
            )
        files = current_files(self._stored, TimeRange())
        before_us = self.retention_us(request)
        dropped = files_to_drop(files, before_us=before_us)
        gone = {file.path for file in dropped}
        stay = [file for file in files if file.path not in gone]
        times = TimeRange(request.start_us, request.end_us)
        groups = files_to_merge(stay, times, closed_before_us=self.closed_before_us)
        hours = sorted({group[0].hour_us for group in groups})
        found = TableUpkeep(
            self.mode,
            self.table,
            request.dry_run,
            before=self._figures(() if request.dry_run else hours),
            dropped_hours=len({file.hour_us for file in dropped}),
            dropped_files=len(dropped),
            merged_hours=len(hours),
            merged_files=sum(map(len, groups)),
            merged_into=len(groups),
        )
        if request.dry_run:
            return self._with_garbage(found, data_manifests(self._stored), remove=False)
        return self._do(found, dropped, groups, hours)

    def _do(
        self,
        found: TableUpkeep,
        dropped: list[TableFile],
        groups: list[list[TableFile]],
        hours: list[int],
    ) -> TableUpkeep:
        if dropped and not replace_files(self._stored, dropped, [], what="retention"):
            self.notes.append(
                "hours that retention ends were written meanwhile; the next run drops them"
            )
            found = replace(found, dropped_hours=0, dropped_files=0)
        merged = [group for group in groups if self._merge(group)]
        if len(merged) < len(groups):
            left = {group[0].hour_us for group in groups if group not in merged}
            self.notes.append(
                f"{len(left)} hours were written anew meanwhile, and left as they are"
            )
        manifests = data_manifests(self._stored)
        if manifests >= LEAST_MANIFESTS:
            merge_manifests(self._stored)
        found = self._with_garbage(found, manifests, remove=True)
        return replace(
            found,
            after=self._figures(hours),
            merged_hours=len({group[0].hour_us for group in merged}),
            merged_files=sum(map(len, merged)),
            merged_into=len(merged),
            notes=tuple(self.notes),
        )

    def _merge(self, group: list[TableFile]) -> bool:
        sort_by = ("symbol", partition_column(self.table))
        return merge_files(self._stored, group, sort_by, self.settings)

    def _with_garbage(self, found: TableUpkeep, manifests: int, *, remove: bool) -> TableUpkeep:
        before_us = self._expire_before_us()
        orphans_us = self.orphan_before_us
        garbage = find_garbage(
            self._stored, self.store, expire_before_us=before_us, orphan_before_us=orphans_us
        )
        if self.table == RAW:
            garbage = replace(garbage, files=self.lake.settled(self.mode, garbage.files))
        if remove:
            remove_garbage(self._stored, self.store, garbage, expire_before_us=before_us)
        return replace(
            found,
            merged_manifests=manifests if manifests >= LEAST_MANIFESTS else 0,
            expired_snapshots=garbage.snapshots,
            removed_files=len(garbage.files),
            removed_bytes=garbage.bytes,
        )

    def _expire_before_us(self) -> int:
        """Neither what the sensor has still to read, nor the newest checkpoint of a delivery, expires."""
        snapshots = self._stored.metadata.snapshots
        checkpoints = [
            snapshot.timestamp_ms * US_PER_MS
            for snapshot in snapshots
            if snapshot.summary and CHECKPOINT_PROPERTY in snapshot.summary.additional_properties
        ]
        unread_us = (
            oldest_unread_us(self._stored, self.lake.read_mark()) if self.table == RAW else None
        )
        return expiry_instant(
            self.now_us,
            self.settings.snapshot_keep_hours,
            [snapshot.timestamp_ms * US_PER_MS for snapshot in snapshots],
            [unread_us, max(checkpoints, default=None)],
        )

    def _figures(self, hours: Sequence[int]) -> TableFigures:
        self._stored.refresh()
        files = current_files(self._stored, TimeRange())
        stored = self.store.files()
        snapshot = self._stored.current_snapshot()
        return TableFigures(
            files=len(files),
            bytes=sum(file.bytes for file in files),
            stored_files=len(stored),
            stored_bytes=sum(file.bytes for file in stored),
            snapshots=len(self._stored.metadata.snapshots),
            manifests=0 if snapshot is None else len(snapshot.manifests(self._stored.io)),
            query_seconds=self.query_seconds(hours),
        )
