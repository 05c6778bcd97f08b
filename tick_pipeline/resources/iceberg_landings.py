"""When the data files of an Iceberg table came into it, as its snapshots tell."""

# parts of pyiceberg have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.manifest import DataFileContent
from pyiceberg.table.snapshots import Operation

from tick_pipeline.event_time import US_PER_HOUR, US_PER_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyiceberg.table import Table

    from tick_pipeline.queries.pruning import TimeRange


def landing_times(table: Table) -> dict[int, int]:
    """Snapshot -> when it was made, microseconds; without those that wrote rows anew which had landed before."""
    return {
        item.snapshot_id: item.timestamp_ms * US_PER_MS
        for item in table.metadata.snapshots
        if item.summary is None or item.summary.operation is not Operation.REPLACE
    }


def dated_files(table: Table, times: TimeRange) -> Iterator[tuple[str, int, int, int | None]]:
    """Path, bytes, hour and landing of each data file of the table's hours that a range touches, microseconds.

    The landing is that of the snapshot that brought the file; None where it has expired, or where it wrote
    rows anew that had landed before.
    """
    current = table.current_snapshot()
    if current is None:
        return
    brought_us = landing_times(table)
    for manifest in current.manifests(table.io):
        for entry in manifest.fetch_manifest_entry(table.io):
            file = entry.data_file
            if file.content is DataFileContent.DATA:
                hour_us = int(file.partition[0]) * US_PER_HOUR
                if times.touches_hour(hour_us):
                    landed_us = brought_us.get(entry.snapshot_id or 0)
                    yield file.file_path, file.file_size_in_bytes, hour_us, landed_us
