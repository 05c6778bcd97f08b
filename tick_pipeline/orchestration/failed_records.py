"""How gaps and records that failed are told in Dagster: what a person has to do first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from tick_pipeline.event_time import US_PER_SECOND, format_instant, format_short
from tick_pipeline.landing.redrive_groups import State
from tick_pipeline.orchestration.metadata import record_table

if TYPE_CHECKING:
    from tick_pipeline.landing.error_summary import ErrorSummary
    from tick_pipeline.landing.gaps import Gap, GapReport
    from tick_pipeline.landing.redrive import RedriveSummary
    from tick_pipeline.landing.redrive_groups import Group
    from tick_pipeline.orchestration.metadata import Metadata
    from tick_pipeline.orchestration.partitions import Window

_WARN = dg.AssetCheckSeverity.WARN


def gaps_told(window: Window, report: GapReport) -> dg.AssetCheckResult:
    """A claim that holds when no number is missing.

    Args:
        window: the hours that it is about.
        report: of these.
    """
    counts = {
        "missing": report.total("missing"),
        "never arrived": report.total("never_arrived"),
        "in the error prefix": report.total("in_errors"),
        "invalid in raw": report.total("invalid"),
        "may still come": report.may_still_come,
    }
    metadata: Metadata = {
        "window": str(window),
        "found": len(report.gaps),
        **counts,
        "files": report.result.files,
        "bytes": report.result.bytes,
        "seconds": round(report.result.seconds, 3),
        **report.result.details,
    }
    if report.gaps:
        metadata["rows"] = record_table([_gap_row(gap) for gap in report.gaps])
    return dg.AssetCheckResult(
        passed=not report.gaps,
        severity=_WARN,
        description=_of_gaps(len(report.gaps), counts) if report.gaps else None,
        metadata=metadata,
    )


def errors_told(found: ErrorSummary, now_us: int) -> dg.AssetCheckResult:
    """A claim that holds when no record of the last day failed, save those that were redriven.

    Args:
        found: of the last day.
        now_us: this moment, microseconds.
    """
    metadata: Metadata = {
        "error records": found.count,
        "redriven": found.redriven,
        "copies": found.copies,
        **found.by_reason,
    }
    if found.oldest_us is not None:
        metadata["oldest"] = format_short(found.oldest_us)
        metadata["age of the oldest (seconds)"] = (now_us - found.oldest_us) // US_PER_SECOND
    more = f", {found.redriven} more were redriven" if found.redriven else ""
    return dg.AssetCheckResult(
        passed=found.count == 0,
        severity=_WARN,
        description=f"{found.count} records of the last day could not be stored{more}; "
        "`tick-pipeline redrive` tells why, and what can be done"
        if found.count
        else None,
        metadata=metadata,
    )


def redrive_metadata(summary: RedriveSummary) -> Metadata:
    """What a redrive did, and what it left."""
    metadata: dict[str, Any] = {
        "put": summary.put,
        "left": summary.count(State.LEFT),
        "not asked for": summary.count(State.NOT_ASKED),
        "redriven before": summary.count(State.REDRIVEN),
        "found to be put by a redrive that was killed": summary.recovered,
        "since": format_short(summary.since_us),
        "seconds": round(summary.seconds, 3),
    }
    if summary.groups:
        metadata["groups"] = record_table([_group_row(group) for group in summary.groups])
    return metadata


def _of_gaps(ranges: int, counts: dict[str, int]) -> str:
    """What is missing, and where the rest is, without what there is none of."""
    parts = (
        f"{counts[name]} {name}"
        for name in ("never arrived", "in the error prefix", "invalid in raw")
        if counts[name]
    )
    late = counts["may still come"]
    return (
        f"ranges of sequence numbers that did not land: {ranges}, {counts['missing']} numbers ({', '.join(parts)})"
        + (f"; {late} of them may still come, their hour is open" if late else "")
        + (
            "; `tick-pipeline redrive` puts what failed again"
            if counts["in the error prefix"]
            else ""
        )
    )


def _gap_row(gap: Gap) -> dict[str, str | int | bool]:
    return {
        "source": gap.source,
        "symbol": gap.symbol,
        "first_missing": gap.first_missing,
        "last_missing": gap.last_missing,
        "missing": gap.missing,
        "never_arrived": gap.never_arrived,
        "in_errors": gap.in_errors,
        "invalid": gap.invalid,
        "after": format_instant(gap.after_us),
        "before": format_instant(gap.before_us),
        "may_still_come": gap.may_still_come,
    }


def _group_row(group: Group) -> dict[str, str | int | None]:
    return {
        "kind": group.kind.value,
        "reason": group.reason,
        "records": group.records,
        **{state.value: group.state(state) for state in State},
        "failed again": group.again,
        "oldest": None if group.oldest_us is None else format_short(group.oldest_us),
        "sample": group.samples[0].data if group.samples else "",
    }
