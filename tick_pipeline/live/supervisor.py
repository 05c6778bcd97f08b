"""Looks after several processes: starts again what dies, and ends them all in order."""

from __future__ import annotations

import shutil
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tick_pipeline.errors import WorkError
from tick_pipeline.live.child import AtEnd, Child

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tick_pipeline.live.child import ChildSpec

#: A process that ran for so long is not the one that could not start.
STEADY_SECONDS = 60.0
MAX_QUICK_ENDS = 5
_FIRST_BACKOFF_SECONDS, _MAX_BACKOFF_SECONDS = 1.0, 30.0
_BAD_USAGE = 2
_TERM_SECONDS, _KILL_SECONDS = 5.0, 5.0
_POLL_SECONDS = 0.1
_ROOM_BYTES = 1 << 20


@dataclass(frozen=True)
class ChildState:
    """A process at one moment.

    Attributes:
        name: which.
        state: `running`, `waiting` to be started again, or `ended`.
        starts: how often it was started.
        seconds: for how long it runs.
        code: with which it ended last; None while it runs.
        last_line: what it said last.
    """

    name: str
    state: str
    starts: int
    seconds: float
    code: int | None
    last_line: str


class Supervisor:
    """Several processes as one.

    Args:
        specs: what is run, in the order of starting.
        logs: folder of their logs, created where it is absent.
        tell: takes a line that a process said, or "" as its name and one of our own.
        lease: descriptor of a lock that is held until all have ended, even if this process is killed.

    Attributes:
        finished: one of them has ended whose good end is the end of all.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        logs: Path,
        tell: Callable[[str, str], None],
        lease: int | None = None,
    ) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._children = {
            spec.name: Child(spec, logs / f"{spec.name}.log", lease) for spec in specs
        }
        self._tell = tell
        self._quick_ends = dict.fromkeys(self._children, 0)
        self._start_at: dict[str, float] = {}
        self.finished = False

    def start(self) -> None:
        """Start them all."""
        for child in self._children.values():
            child.start()

    def look(self) -> None:
        """Pass on what they said, and see to those that ended.

        Raises:
            WorkError: one has ended that must not, or ends again and again.
        """
        now = time.monotonic()
        for name, child in self._children.items():
            self._pass_on(child)
            due_at = self._start_at.get(name)
            if due_at is not None:
                if now >= due_at:
                    del self._start_at[name]
                    child.start()
            elif child.session is not None:
                ran_seconds = child.running_seconds
                if child.poll() is not None:
                    self._pass_on(child)
                    self._judge(child, ran_seconds)

    def states(self) -> tuple[ChildState, ...]:
        """How they stand."""
        return tuple(
            ChildState(
                name=name,
                state="running"
                if child.session is not None
                else "waiting"
                if name in self._start_at
                else "ended",
                starts=child.starts,
                seconds=child.running_seconds,
                code=child.code,
                last_line=child.last_line,
            )
            for name, child in self._children.items()
        )

    def session(self, name: str) -> int | None:
        """Id of a process's session, which all that it starts belongs to; None where it does not run."""
        return self._children[name].session

    def stop(self, order: Sequence[str]) -> None:
        """End them one after the other; each has its grace, and then is made to."""
        self._start_at.clear()
        for name in order:
            if (child := self._children.get(name)) is None:
                continue
            self._tell("", f"{name} is asked to end")
            self._end(child)
            if child.spec.last and not (child.spec.detached and child.code == 0):
                child.start(child.spec.last)
                self._await(child, child.spec.grace_seconds)
                self._end(child)
            if child.code:
                self._tell("", _ended(child))

    def kill(self) -> None:
        """End them all at once.

        One that has to end what runs elsewhere is let go, and does so by itself.
        """
        self._start_at.clear()
        for child in self._children.values():
            if child.spec.detached:
                child.let_go()
            else:
                child.signal(signal.SIGKILL)
                self._await(child, _KILL_SECONDS)

    def _judge(self, child: Child, ran_seconds: float) -> None:
        """What the end of a process means: nothing more to do, or a start, at once or after a while."""
        at_end = child.spec.at_end if child.code == 0 else AtEnd.FAILURE
        if at_end is AtEnd.FINISH:
            self.finished = True
            return
        wait_seconds = 0.0 if at_end is AtEnd.AGAIN else self._backoff_seconds(child, ran_seconds)
        self._start_at[child.spec.name] = time.monotonic() + wait_seconds

    def _backoff_seconds(self, child: Child, ran_seconds: float) -> float:
        """How long to wait before one that failed is started again; one line tells of it."""
        spec, code, ended = child.spec, child.code, _ended(child)
        if spec.vital or code == _BAD_USAGE:
            raise WorkError(f"{ended}; its log: {child.log}")
        quick = self._quick_ends[spec.name] + 1 if ran_seconds < STEADY_SECONDS else 1
        self._quick_ends[spec.name] = quick
        if quick >= MAX_QUICK_ENDS:
            raise WorkError(f"{ended}, the {quick}th time in a row; its log: {child.log}")
        seconds = min(_FIRST_BACKOFF_SECONDS * 2 ** (quick - 1), _MAX_BACKOFF_SECONDS)
        self._tell("", f"{ended}; it is started again in {seconds:g} s")
        return seconds

    def _end(self, child: Child) -> None:
        for number, seconds in (
            (signal.SIGINT, child.spec.grace_seconds),
            (signal.SIGTERM, _TERM_SECONDS),
            (signal.SIGKILL, _KILL_SECONDS),
        ):
            child.signal(number)
            if self._await(child, seconds):
                return

    def _await(self, child: Child, seconds: float) -> bool:
        """Whether it ends in time; what it says meanwhile is passed on."""
        deadline = time.monotonic() + seconds
        while child.session is not None:
            self._pass_on(child)
            if child.poll() is not None:
                self._pass_on(child)
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def _pass_on(self, child: Child) -> None:
        for line in child.new_lines():
            self._tell(child.spec.name, line)


def _ended(child: Child) -> str:
    said = f": {child.last_line}" if child.last_line else ""
    # Then it could not even say so in its log.
    is_full = shutil.disk_usage(child.log.parent).free < _ROOM_BYTES
    full = f"; the disk of {child.log.parent} is full" if is_full else ""
    return f"{child.spec.name} ended with code {child.code}{said}{full}"
