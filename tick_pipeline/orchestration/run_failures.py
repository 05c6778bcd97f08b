"""Which failed runs are told now, and which later as a number: a decision without I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tick_pipeline.event_time import format_short
from tick_pipeline.orchestration.notifications import (
    MOST_LISTED,
    Decision,
    Message,
    is_due,
    listed,
    run_address,
    times,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What differs between two texts of one error: hours, numbers, ids.
_VARIES = re.compile(r"\b[0-9a-f]{8}[0-9a-f-]*\b|\d+")
_NEXT = (
    "`tick-pipeline doctor` says what is wrong; once it is mended, re-execute the run: "
    "a run can be repeated at any time"
)


@dataclass(frozen=True)
class RunFailure:
    """One run that failed.

    Attributes:
        run_id: of Dagster.
        job: its name.
        partitions: hour or hours of the run; empty where it is about none.
        step: the step or steps that failed; empty where the run itself did.
        error: in one line.
        failed_us: when, microseconds since the epoch.
    """

    run_id: str
    job: str
    partitions: str
    step: str
    error: str
    failed_us: int


@dataclass(frozen=True)
class Repeated:
    """Failures of one job with one error.

    Attributes:
        job: its name.
        error: without what varies.
        told_us: when they were last told; None if never.
        untold: since then, the newest of them, oldest first.
        count: since then, all of them.
    """

    job: str
    error: str
    told_us: int | None = None
    untold: tuple[RunFailure, ...] = ()
    count: int = 0

    def with_one(self, failure: RunFailure) -> Repeated:
        """With one more that is to be told."""
        return replace(self, untold=(*self.untold, failure)[-MOST_LISTED:], count=self.count + 1)


@dataclass(frozen=True)
class FailureState:
    """What is known from the looks before: up to which event, and the failures of the last hour."""

    after_id: int
    repeated: tuple[Repeated, ...] = ()


def decide(
    state: FailureState,
    failures: Sequence[RunFailure],
    after_id: int,
    now_us: int,
    *,
    dagster_url: str | None = None,
) -> Decision[FailureState]:
    """One message for all that is due: a failure at once, those like it within an hour as a number.

    Args:
        state: from the looks before.
        failures: since then, oldest first.
        after_id: the newest event that was looked at.
        now_us: this moment, microseconds since the epoch.
        dagster_url: of the web interface.
    """
    known = {(item.job, item.error): item for item in state.repeated}
    for failure in failures:
        key = failure.job, _VARIES.sub("#", failure.error)
        known[key] = known.get(key, Repeated(*key)).with_one(failure)
    due = [item for item in known.values() if item.count and is_due(item.told_us, now_us)]
    for item in due:
        known[item.job, item.error] = Repeated(item.job, item.error, told_us=now_us)
    kept = tuple(item for item in known.values() if item.count or not is_due(item.told_us, now_us))
    message = _message(due, dagster_url) if due else None
    return Decision(message, FailureState(after_id, kept))


def _message(due: Sequence[Repeated], dagster_url: str | None) -> Message:
    if len(due) == 1:
        subject = f"{due[0].job} failed{times(due[0].count)}: {due[0].untold[-1].error}"
    else:
        jobs = ", ".join(sorted({item.job for item in due}))
        subject = f"{sum(item.count for item in due):,} runs failed: {jobs}"
    return Message(subject, "\n\n".join(_paragraph(item, dagster_url) for item in due))


def _paragraph(item: Repeated, dagster_url: str | None) -> str:
    newest = item.untold[-1]
    partitions = [failure.partitions for failure in item.untold if failure.partitions]
    lines = {
        "error": newest.error,
        "step": newest.step or "none: the run itself failed",
        "partitions": listed(partitions, len(partitions) + item.count - len(item.untold)) or "none",
        "newest run" if item.count > 1 else "run": run_address(newest.run_id, dagster_url),
        "next": _NEXT,
    }
    since = format_short(item.untold[0].failed_us)
    head = f"{item.job} failed{times(item.count)}, {'since' if item.count > 1 else 'at'} {since}"
    return "\n".join([head, *(f"  {name}: {text}" for name, text in lines.items())])
