"""What people are told, and how a look of a sensor remembers what it told: without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from tick_pipeline.event_time import US_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What was told is told again only so much later, with what has come since.
WINDOW_US = US_PER_HOUR
#: Single cases that a message lists, and a cursor keeps; the others are counted.
MOST_LISTED = 20
State = TypeVar("State")


@dataclass(frozen=True)
class Message:
    """One notification: a subject of one line, and the whole."""

    subject: str
    text: str


@dataclass(frozen=True)
class Decision(Generic[State]):
    """What to tell, if anything, and what to remember once it was told."""

    message: Message | None
    state: State


def to_cursor(state: object) -> str:
    """A state of dataclasses as a sensor's cursor."""
    return msgspec.json.encode(state).decode()


def from_cursor(kind: type[State], cursor: str | None) -> State | None:
    """The state of a cursor; None where there is none, or it is none of this version's."""
    try:
        return msgspec.json.decode(cursor, type=kind) if cursor else None
    except msgspec.MsgspecError:
        return None


def is_due(told_us: int | None, now_us: int) -> bool:
    """Whether what was told then may be told again."""
    return told_us is None or now_us - told_us >= WINDOW_US


def times(number: int) -> str:
    """`` for once, ` 3 times` for more."""
    return f" {number:,} times" if number > 1 else ""


def listed(items: Sequence[str], total: int) -> str:
    """Items beside one another, each once, and how many more there are."""
    shown = ", ".join(dict.fromkeys(items))
    return f"{shown}, and {total - len(items):,} before" if total > len(items) else shown


def run_address(run_id: str, dagster_url: str | None) -> str:
    """A run as its id, and its page where the web interface's address is known."""
    return f"{run_id}  {dagster_url.rstrip('/')}/runs/{run_id}" if dagster_url else run_id
