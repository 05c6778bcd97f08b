"""How checks tell what they found, and which of them are about now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from tick_pipeline.orchestration.metadata import DIFFERING, GONE, record_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tick_pipeline.orchestration.partitions import Window
    from tick_pipeline.resources.query_engine import QueryResult

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


def no_rows(
    window: Window,
    result: QueryResult,
    *,
    otherwise: str,
    severity: dg.AssetCheckSeverity = ERROR,
    **more: Any,
) -> dg.AssetCheckResult:
    """A claim that holds when its query returns no row.

    Args:
        window: the hours that it is about.
        result: of the query.
        otherwise: what a row is, for people, as `candles that break an invariant`.
        severity: where there are rows.
        more: metadata.
    """
    rows = result.records
    found = len(rows)
    metadata: dict[str, Any] = {
        "window": str(window),
        "found": found,
        "files": result.files,
        "bytes": result.bytes,
        "seconds": round(result.seconds, 3),
        **result.details,
        **more,
    }
    if found:
        metadata["rows"] = record_table(rows)
    return dg.AssetCheckResult(
        passed=not found,
        severity=severity,
        description=f"{otherwise}: {found}" if found else None,
        metadata=metadata,
    )


def parity_severity(*, closed: bool, delivered: dict[str, bool]) -> dg.AssetCheckSeverity:
    """ERROR where a difference cannot be a delivery that is still under way.

    Args:
        closed: every hour of the window ended long enough ago.
        delivered: storage mode -> its delivery has passed the stream's end as of the check's start.
    """
    return ERROR if closed and all(delivered.values()) else WARN


def replaced_differing(
    instance: dg.DagsterInstance, key: dg.AssetKey, window: Window
) -> dg.AssetCheckResult:
    """A claim that holds when the newest batch runs of the hours replaced only rows equal to theirs.

    Args:
        instance: whose materializations tell it.
        key: of the table.
        window: the hours.
    """
    newest = instance.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, set(window.partitions)
    )
    wanted = dg.AssetRecordsFilter(key, storage_ids=list(newest.values()))
    of_runs: dict[tuple[str, object], tuple[int, int]] = {}
    for record in instance.fetch_materializations(wanted, max(len(newest), 1)).records:
        event = record.asset_materialization
        metadata: Mapping[str, Any] = event.metadata if event else {}
        if DIFFERING in metadata:
            # A run of several hours tells each of them what it found in all.
            counts = (metadata[DIFFERING].value, metadata[GONE].value)
            of_runs[record.run_id, metadata["window"].value] = counts
    differing, gone = (sum(counts) for counts in zip((0, 0), *of_runs.values(), strict=True))
    return dg.AssetCheckResult(
        passed=not differing,
        severity=WARN,
        description=f"the batch run found other figures for {differing} anomalies of the stream, and {gone} of "
        "them no anomalies: late ticks, which only it sees, change the baselines after them"
        if differing
        else None,
        metadata={
            "window": str(window),
            "batch runs": len(of_runs),
            DIFFERING: differing,
            GONE: gone,
        },
    )
