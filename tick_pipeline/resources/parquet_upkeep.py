"""Upkeep of one Parquet table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tick_pipeline.maintenance.plan import files_to_drop, files_to_merge
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources.lake import TableWork
from tick_pipeline.resources.maintenance_port import TableFigures, TableUpkeep
from tick_pipeline.resources.parquet_merge import UnmergeableError, find_leftovers, merged_file
from tick_pipeline.storage import RAW, StorageMode, is_merged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.resources.maintenance_port import UpkeepRequest
    from tick_pipeline.resources.object_store import StoredFile


class ParquetUpkeep(TableWork):
    """What a kill leaves beside a merged file, the next run removes; see resources/parquet_merge.py."""

    mode = StorageMode.PARQUET_PROJECTION

    def run(self, request: UpkeepRequest) -> TableUpkeep:
        """Remove what is left of a killed run, drop, merge; of other tables than raw an hour is one object."""
        every = self.store.files()
        self._known = {file.path for file in every}
        data = [file for file in every if file.is_data]
        left = find_leftovers(self.store, data)
        self.notes += left.unclear.values()
        before_us = self.retention_us(request)
        dropped = files_to_drop(data, before_us=before_us)
        gone = {file.path for file in (*left.files, *dropped)}
        stay = [file for file in data if file.path not in gone and file.folder not in left.unclear]
        groups = self._groups(stay, TimeRange(request.start_us, request.end_us))
        removed = [*left.files, *(file for file in every if self._is_unfinished(file))]
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
            removed_files=len(removed),
            removed_bytes=sum(file.bytes for file in removed),
            notes=tuple(self.notes),
        )
        if request.dry_run:
            return found
        if removed or dropped:
            with self.lake.unread(self.mode):
                self.store.delete(file.path for file in (*removed, *dropped))
        return self._merge_all(found, groups, hours)

    def _merge_all(
        self, found: TableUpkeep, groups: list[list[StoredFile]], hours: list[int]
    ) -> TableUpkeep:
        merged = [group for group in groups if self._merge(group)]
        return replace(
            found,
            after=self._figures(hours),
            merged_hours=len({group[0].hour_us for group in merged}),
            merged_files=sum(map(len, merged)),
            merged_into=len(merged),
            notes=tuple(self.notes),
        )

    def _is_unfinished(self, file: StoredFile) -> bool:
        """Whether it was never given its name, by a writer that is gone."""
        temporary = file.name.startswith("_") and file.name.endswith(".tmp")
        return temporary and file.modified_us < self.orphan_before_us

    def _groups(self, files: list[StoredFile], times: TimeRange) -> list[list[StoredFile]]:
        if self.table != RAW:
            return []
        settled = self.lake.settled(self.mode, files)
        return files_to_merge(settled, times, closed_before_us=self.closed_before_us)

    def _merge(self, group: list[StoredFile]) -> bool:
        try:
            merged = merged_file(self.store, self.table, group, self.settings)
        except UnmergeableError as error:
            self.notes.append(str(error))
            return False
        with self.lake.unread(self.mode):
            if not self._is_as_found(group):
                self.notes.append(
                    f"{self.store.uri}/{group[0].folder} was merged by another upkeep meanwhile, and left as it is"
                )
                return False
            self.store.put(merged.path, merged.content, landed_us=merged.landed_us)
            self.store.delete(file.path for file in group)
        self._known.add(merged.path)
        return True

    def _is_as_found(self, group: list[StoredFile]) -> bool:
        """Whether nobody has merged files of the hour since the table was listed: S3 has no locks."""
        now = {file.path: file for file in self.store.files(group[0].folder)}
        others = any(is_merged(file.name) and path not in self._known for path, file in now.items())
        return not others and all(file.path in now for file in group)

    def _figures(self, hours: Sequence[int]) -> TableFigures:
        stored = self.store.files()
        data = [file for file in stored if file.is_data]
        return TableFigures(
            files=len(data),
            bytes=sum(file.bytes for file in data),
            stored_files=len(stored),
            stored_bytes=sum(file.bytes for file in stored),
            query_seconds=self.query_seconds(hours),
        )
