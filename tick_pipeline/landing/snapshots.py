"""Expiration of an append-only table's old snapshots, without the files that PyIceberg's leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.event_time import as_datetime

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot


def expire_snapshots(table: Table, before_us: int) -> int:
    """Drop the snapshots older than an instant and the manifests that only they need; how many.

    Heads of branches and tagged snapshots stay. Data files stay too: appending never replaces one,
    and those that a compaction replaced are for table maintenance to remove.
    """
    before = table.metadata.snapshots
    table.maintenance.expire_snapshots().older_than(as_datetime(before_us)).commit()
    kept_ids = {snapshot.snapshot_id for snapshot in table.metadata.snapshots}
    expired = [snapshot for snapshot in before if snapshot.snapshot_id not in kept_ids]
    needed = _metadata_files(table, table.metadata.snapshots)
    # In this order a kill in between leaves files that nothing needs, never a need without its file.
    for path in sorted(_metadata_files(table, expired) - needed):
        table.io.delete(path)
    return len(expired)


def _metadata_files(table: Table, snapshots: Iterable[Snapshot]) -> set[str]:
    paths: set[str] = set()
    for snapshot in snapshots:
        paths.add(snapshot.manifest_list)
        paths.update(manifest.manifest_path for manifest in snapshot.manifests(table.io))
    return paths
