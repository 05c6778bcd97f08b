"""Whether the stream of anomalies has to be started or stopped: a decision without I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from tick_pipeline.event_time import US_PER_HOUR

if TYPE_CHECKING:
    from tick_pipeline.resources.stream_run import StreamRunStatus

#: A job that ends by itself more often than that has something wrong that a start does not mend.
MAX_RESTARTS_PER_HOUR = 3
#: It tells once a second; a micro-batch may take longer, after a long rest.
SILENT_SECONDS = 300.0


class Action(Enum):
    """What to do about the stream."""

    NOTHING = "nothing"
    START = "start"
    STOP = "stop"


@dataclass(frozen=True)
class WatchState:
    """What is known from the looks before.

    Attributes:
        starts_us: when it was started by a look, of the last hour, microseconds since the epoch.
    """

    starts_us: tuple[int, ...] = ()

    @staticmethod
    def from_cursor(cursor: str | None) -> WatchState:
        """As it was left."""
        return WatchState(tuple(json.loads(cursor)["starts_us"])) if cursor else WatchState()

    def to_cursor(self) -> str:
        """To be left for the next look."""
        return json.dumps({"starts_us": self.starts_us})


@dataclass(frozen=True)
class Decision:
    """What to do, why in one line, and what to remember; `alarm` where a person has to look."""

    action: Action
    reason: str
    state: WatchState
    alarm: bool = False


def decide(state: WatchState, status: StreamRunStatus, now_us: int) -> Decision:
    """Start what is wanted and does not run, but not for ever; stop what runs and is not wanted.

    Args:
        state: from the looks before.
        status: of the stream.
        now_us: this moment, microseconds since the epoch.
    """
    recent = tuple(at_us for at_us in state.starts_us if now_us - at_us < US_PER_HOUR)
    state = WatchState(recent)
    if status.runner is not None:
        if not status.wanted:
            return Decision(Action.STOP, "it runs and is not wanted", state)
        if (status.heartbeat_seconds or 0) > SILENT_SECONDS:
            reason = (
                f"{status.runner} says nothing for {status.heartbeat_seconds:.0f} s; "
                "look at its log, end it, and it is started again"
            )
            return Decision(Action.NOTHING, reason, state, alarm=True)
        behind = "" if status.behind is None else f", {status.behind:,} records behind"
        return Decision(Action.NOTHING, f"it runs{behind}", state)
    if not status.wanted:
        return Decision(Action.NOTHING, "it is not wanted", state)
    why = f"it ended by itself ({status.reason})" if status.reason else "it does not run"
    if len(recent) >= MAX_RESTARTS_PER_HOUR:
        reason = (
            f"{why}, and was started {len(recent)} times within an hour; "
            "`tick-pipeline anomalies start` tells why it ends"
        )
        return Decision(Action.NOTHING, reason, state, alarm=True)
    return Decision(Action.START, why, WatchState((*recent, now_us)))
