"""What upkeep did to a table, for people."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from tick_pipeline.orchestration.metadata import Metadata
    from tick_pipeline.resources.maintenance_port import TableUpkeep

#: Figures before and after as values; the report of the storage modes reads them.
FIGURES = "figures"
_DONE = (
    "dropped_hours",
    "dropped_files",
    "merged_hours",
    "merged_files",
    "merged_into",
    "merged_manifests",
    "expired_snapshots",
    "removed_files",
    "removed_bytes",
)


def upkeep_metadata(done: TableUpkeep) -> Metadata:
    """Figures before and after side by side, and each step's own."""
    before = asdict(done.before)
    after = asdict(done.after or done.before)
    rows = [
        f"| {name.replace('_', ' ')} | {before[name]:,} | {after[name]:,} |"
        for name in before
        if before[name] is not None and after[name] is not None
    ]
    table = "\n".join(["| figure | before | after |", "|---|---:|---:|", *rows])
    return {
        "before and after": dg.MetadataValue.md(table),
        FIGURES: dg.MetadataValue.json({"before": before, "after": after}),
        "dry run": done.dry_run,
        **{name.replace("_", " "): int(getattr(done, name)) for name in _DONE},
        "files": after["files"],
        "bytes": after["bytes"],
        "seconds": done.seconds,
        **({"notes": dg.MetadataValue.md("\n".join(done.notes))} if done.notes else {}),
    }
