"""Expiration of an append-only table's old snapshots, and of every metadata file that none needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

from tick_pipeline.event_time import as_datetime

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
    """
    before = len(table.metadata.snapshots)
    table.maintenance.expire_snapshots().older_than(as_datetime(before_us)).commit()
    needed = _needed_files(table)
    # In this order a kill in between leaves files that nothing needs, never a need without its file.
    for path in Path(urlparse(table.location()).path, "metadata").iterdir():
        if path.name not in needed and path.stat().st_mtime_ns < before_us * _NS_PER_US:
            path.unlink(missing_ok=True)
    return before - len(table.metadata.snapshots)


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
