"""Expiration of an append-only table's old snapshots, and of every metadata file that none needs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

from tick_pipeline.event_time import US_PER_MS
from tick_pipeline.resources.iceberg_expiry import expire, read_settled

if TYPE_CHECKING:
    from pyiceberg.table import Table

_NS_PER_US = 1000


def expire_snapshots(table: Table, before_us: int) -> int:
    """Drop the snapshots older than an instant, then the metadata files that were needed by them alone.

    PyIceberg leaves those behind, and the manifests that a merge or a lost race made useless. Heads
    of branches and tagged snapshots stay. Data files stay too: appending never replaces one, and
    those that a compaction replaced are for table maintenance to remove.

    Args:
        table: in a local warehouse.
        before_us: microseconds since the epoch; far enough back that no commit under way and no
            reader is older.

    Returns:
        How many snapshots were dropped.

    Raises:
        BusyError: other writers were faster, time and again.
        WorkError: a file of the metadata is not there.
    """
    before = len(table.metadata.snapshots)
    expire(table, before_us)
    needed = read_settled(table, lambda: _needed_files(table))
    # In this order a kill in between leaves files that nothing needs, never a need without its file.
    for path in Path(urlparse(table.location()).path, "metadata").iterdir():
        # Upkeep, and each of its commits, removes files here, too.
        with suppress(FileNotFoundError):
            if path.name not in needed and path.stat().st_mtime_ns < before_us * _NS_PER_US:
                path.unlink()
    return before - len(table.metadata.snapshots)


def oldest_unread_us(table: Table, mark: int | None) -> int | None:
    """When the oldest snapshot was made that a reader of what lands has not read, microseconds.

    Args:
        table: raw.
        mark: how far the last of its readers is, see `landing.read_marks`; None where there is none.

    Returns:
        None where nothing is unread.
    """
    unread = [
        snapshot.timestamp_ms
        for snapshot in table.metadata.snapshots
        if mark is not None and (snapshot.sequence_number or 0) > mark
    ]
    return min(unread) * US_PER_MS if unread else None


def _needed_files(table: Table) -> set[str]:
    """Names of the metadata files that the table, its log or one of its snapshots refers to."""
    paths = {
        table.metadata_location,
        *(entry.metadata_file for entry in table.metadata.metadata_log),
    }
    for snapshot in table.metadata.snapshots:
        paths.add(snapshot.manifest_list)
        paths.update(manifest.manifest_path for manifest in snapshot.manifests(table.io))
    for statistics in (*table.metadata.statistics, *table.metadata.partition_statistics):
        paths.add(statistics.statistics_path)
    return {path.rsplit("/", 1)[-1] for path in paths}
