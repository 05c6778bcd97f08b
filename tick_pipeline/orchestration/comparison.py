"""What a report of the storage modes says, as metadata of its asset."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from tick_pipeline.event_time import format_short
from tick_pipeline.report.verdict import decide

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline.orchestration.metadata import Metadata
    from tick_pipeline.report.comparison import Comparison


def comparison_metadata(comparison: Comparison, page: Path) -> Metadata:
    """Where the page is, the verdict, and the figures that decide."""
    verdict = decide(comparison)
    return {
        "verdict": verdict.headline,
        "page": dg.MetadataValue.path(str(page)),
        "window": f"{format_short(comparison.start_us)} .. {format_short(comparison.end_us)}",
        "ticks": comparison.ticks,
        "tables that differ": sum(found.differing > 0 for found in comparison.parity),
        **{
            f"{decider.title}, {mode}": shown
            for decider in verdict.deciders
            for mode, shown in decider.shown.items()
        },
        "seconds": comparison.seconds,
    }
