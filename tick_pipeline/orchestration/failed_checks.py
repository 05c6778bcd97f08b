"""Which failed checks are told now, which later, and which pass again: a decision without I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tick_pipeline.orchestration.notifications import (
    MOST_LISTED,
    Decision,
    Message,
    is_due,
    run_address,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Of one check; older ones are forgotten, or one that nobody mends would fill the cursor.
_MOST_REMEMBERED = 100
_NEXT = "docs/runbook.md has what each check means, and its remedy; `tick-pipeline doctor` looks further"


@dataclass(frozen=True)
class Evaluation:
    """What one run of a check found.

    Attributes:
        asset: its key, as `iceberg/raw`.
        check: its name.
        window: what it is about, start and end as texts that sort; empty where it is about no hours.
        failed: with the severity ERROR; a warning is none.
        description: in one line.
        run_id: of Dagster.
    """

    asset: str
    check: str
    window: tuple[str, ...]
    failed: bool
    description: str
    run_id: str


@dataclass(frozen=True)
class Failing:
    """Hours for which a check fails, and whether that was told."""

    window: tuple[str, ...]
    description: str
    run_id: str
    told: bool = False


@dataclass(frozen=True)
class Watched:
    """A check that fails, or did within the hour.

    Attributes:
        asset: its key.
        check: its name.
        told_us: when it was last told to fail; None if never.
        alarmed: it was told to fail, and not yet that it passes again.
        failing: the hours, oldest first.
    """

    asset: str
    check: str
    told_us: int | None = None
    alarmed: bool = False
    failing: tuple[Failing, ...] = ()

    @property
    def name(self) -> str:
        """`check of asset`."""
        return f"{self.check} of {self.asset}"

    @property
    def untold(self) -> tuple[Failing, ...]:
        """The hours that are to be told."""
        return tuple(item for item in self.failing if not item.told)

    def after(self, found: Evaluation) -> Watched:
        """With one more evaluation: what it covers fails, or passes again."""
        if not found.failed:
            left = (item for item in self.failing if not _covers(found.window, item.window))
            return replace(self, failing=tuple(left))
        if any(_covers(item.window, found.window) for item in self.failing):
            return self
        new = Failing(found.window, found.description, found.run_id)
        return replace(self, failing=(*self.failing, new)[-_MOST_REMEMBERED:])

    def told(self, now_us: int) -> Watched:
        """After its failures were told."""
        told = tuple(replace(item, told=True) for item in self.failing)
        return replace(self, told_us=now_us, alarmed=True, failing=told)


@dataclass(frozen=True)
class CheckState:
    """What is known from the looks before: up to which event, and the checks that fail."""

    after_id: int
    watched: tuple[Watched, ...] = ()


def decide(
    state: CheckState,
    evaluations: Sequence[Evaluation],
    after_id: int,
    now_us: int,
    *,
    dagster_url: str | None = None,
) -> Decision[CheckState]:
    """One message for all checks that fail since, further hours of each once an hour, and what recovered.

    Args:
        state: from the looks before.
        evaluations: since then, oldest first.
        after_id: the newest event that was looked at.
        now_us: this moment, microseconds since the epoch.
        dagster_url: of the web interface.
    """
    known = {(item.asset, item.check): item for item in state.watched}
    for found in evaluations:
        key = found.asset, found.check
        known[key] = known.get(key, Watched(*key)).after(found)
    failed = [item for item in known.values() if item.untold and is_due(item.told_us, now_us)]
    recovered = [item for item in known.values() if item.alarmed and not item.failing]
    for item in failed:
        known[item.asset, item.check] = item.told(now_us)
    for item in recovered:
        known[item.asset, item.check] = replace(item, alarmed=False)
    kept = tuple(
        item for item in known.values() if item.failing or not is_due(item.told_us, now_us)
    )
    message = _message(failed, recovered, dagster_url) if failed or recovered else None
    return Decision(message, CheckState(after_id, kept))


def _covers(window: tuple[str, ...], other: tuple[str, ...]) -> bool:
    if not window or not other:
        return window == other
    return window[0] <= other[0] and other[1] <= window[1]


def _message(
    failed: Sequence[Watched], recovered: Sequence[Watched], dagster_url: str | None
) -> Message:
    parts = ((failed, "fails", "checks fail"), (recovered, "recovered", "checks recovered"))
    subject = "; ".join(
        f"{items[0].name} {one}" if len(items) == 1 else f"{len(items)} {many}"
        for items, one, many in parts
        if items
    )
    paragraphs = [_paragraph(item, dagster_url) for item in failed]
    if failed:
        paragraphs.append(f"next: {_NEXT}")
    paragraphs += [f"{item.name} recovered: it no longer fails where it did" for item in recovered]
    return Message(subject, "\n\n".join(paragraphs))


def _paragraph(item: Watched, dagster_url: str | None) -> str:
    shown, before = item.untold[-MOST_LISTED:], len(item.untold[:-MOST_LISTED])
    lines = [
        f"  {' .. '.join(dict.fromkeys(case.window)) or 'as of now'}: {case.description}\n"
        f"    run {run_address(case.run_id, dagster_url)}"
        for case in shown
    ]
    more = [f"  and {before:,} before"] if before else []
    return "\n".join([f"{item.name} fails", *lines, *more])
