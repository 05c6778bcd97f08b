"""What Dagster's instance tells of runs that ended: facts for those who decide about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from tick_pipeline.event_time import US_PER_SECOND
from tick_pipeline.orchestration.failed_checks import Evaluation
from tick_pipeline.orchestration.partitions import run_hours
from tick_pipeline.orchestration.run_failures import RunFailure
from tick_pipeline.redaction import without_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dagster._core.event_api import RunStatusChangeEventType
    from dagster_shared.error import SerializableErrorInfo

#: Events that one look reads of each type; the next look goes on from there.
_MOST_EVENTS = 100
_ERROR_CHARACTERS = 500
_FAILED = (dg.DagsterEventType.RUN_FAILURE,)
ENDED = (*_FAILED, dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_CANCELED)
_WILL_RETRY = "dagster/will_retry"


@dataclass(frozen=True)
class EndedRun:
    """A run that ended, the event that says so, and its number among all events."""

    id: int
    run: dg.DagsterRun
    entry: dg.EventLogEntry


@dataclass(frozen=True)
class EndedRuns:
    """Runs that ended, oldest first, and the newest event that was looked at, of whatever run."""

    runs: tuple[EndedRun, ...]
    after_id: int


def newest_id(instance: dg.DagsterInstance) -> int:
    """The number of the newest event of a run that ended; 0 before any did."""
    newest = [
        record.storage_id
        for kind in ENDED
        for record in instance.fetch_run_status_changes(kind, limit=1).records
    ]
    return max(newest, default=0)


def ended_runs(
    instance: dg.DagsterInstance,
    after_id: int,
    location: str | None,
    *,
    only_failed: bool = False,
) -> EndedRuns:
    """The next runs that ended, those of other code locations left out.

    Args:
        instance: of Dagster.
        after_id: the newest event that was looked at before.
        location: the code location whose runs count; those that none started do, too.
        only_failed: leave out what succeeded or was stopped.
    """
    types = _FAILED if only_failed else ENDED
    records = _changes(instance, after_id, types)
    found: list[EndedRun] = []
    for record in records:
        run = instance.get_run_by_id(record.run_id)
        # One that was deleted says nothing any more.
        if run is not None and _location(run) in (None, location):
            found.append(EndedRun(record.storage_id, run, record.event_log_entry))
    return EndedRuns(tuple(found), records[-1].storage_id if records else after_id)


def failures_of(instance: dg.DagsterInstance, runs: Sequence[EndedRun]) -> list[RunFailure]:
    """What is told of runs that failed; one that Dagster itself starts again is left out.

    It starts none again that a process of its own ran, without a code location.
    """
    return [
        _run_failure(instance, ended)
        for ended in runs
        if ended.run.remote_job_origin is None or ended.run.tags.get(_WILL_RETRY) != "true"
    ]


def evaluations_of(instance: dg.DagsterInstance, runs: Sequence[EndedRun]) -> list[Evaluation]:
    """What the checks of runs found, in order."""
    return [
        _evaluation(ended.run, found)
        for ended in runs
        for entry in instance.all_logs(
            ended.run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
        )
        if (found := entry.asset_check_evaluation) is not None
    ]


def _changes(
    instance: dg.DagsterInstance, after_id: int, types: Sequence[RunStatusChangeEventType]
) -> list[dg.EventLogRecord]:
    """The next events of the types, in order."""
    records = [
        record
        for kind in types
        for record in instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(kind, after_storage_id=after_id),
            limit=_MOST_EVENTS,
            ascending=True,
        ).records
    ]
    # The first of them all are among the first of each type.
    return sorted(records, key=lambda record: record.storage_id)[:_MOST_EVENTS]


def _location(run: dg.DagsterRun) -> str | None:
    origin = run.remote_job_origin
    return origin.repository_origin.code_location_origin.location_name if origin else None


def _run_failure(instance: dg.DagsterInstance, ended: EndedRun) -> RunFailure:
    run = ended.run
    steps = [
        event
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        if (event := entry.dagster_event) is not None
    ]
    error = _error_of_step(steps[0]) if steps else _error_of_run(ended.entry)
    return RunFailure(
        run_id=run.run_id,
        job="run of assets" if run.job_name.startswith("__") else run.job_name,
        partitions=" .. ".join(dict.fromkeys(run_hours(run.tags))),
        step=", ".join(event.step_key or "" for event in steps),
        error=_one_line(error),
        failed_us=int(ended.entry.timestamp * US_PER_SECOND),
    )


def _error_of_step(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description
    return _innermost(data.error) or event.message or ""


def _error_of_run(entry: dg.EventLogEntry) -> str:
    event = entry.dagster_event
    if event is None:
        return entry.user_message
    # Without data where Dagster's monitoring found the run's process gone.
    error = event.job_failure_data.error if event.event_specific_data is not None else None
    return _innermost(error) or event.message or ""


def _innermost(error: SerializableErrorInfo | None) -> str:
    """The error inside those that Dagster wraps around it; empty where none is known."""
    while error is not None and error.cause is not None and _is_wrapper(error.cls_name or ""):
        error = error.cause
    return error.message if error is not None else ""


def _is_wrapper(name: str) -> bool:
    return name.startswith("Dagster") or name == "RetryRequested"


def _evaluation(run: dg.DagsterRun, found: dg.AssetCheckEvaluation) -> Evaluation:
    stated = found.metadata.get("window")
    window = tuple(str(stated.value).split(" .. ")) if stated is not None else ()
    return Evaluation(
        asset=found.asset_key.to_user_string(),
        check=found.check_name,
        window=window if len(window) == 2 else run_hours(run.tags),  # noqa: PLR2004  (start and end)
        failed=not found.passed and found.severity is dg.AssetCheckSeverity.ERROR,
        description=_one_line(found.description or "it does not say why"),
        run_id=run.run_id,
    )


def _one_line(text: str) -> str:
    line = without_secrets(" ".join(text.split()))
    return line if len(line) <= _ERROR_CHARACTERS else f"{line[: _ERROR_CHARACTERS - 4]} ..."
