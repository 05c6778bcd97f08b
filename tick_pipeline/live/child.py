"""One process that is looked after: started behind a guard, with a log of its own, and ended with all it started."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from tick_pipeline.live import guard
from tick_pipeline.settings import process_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: A log of that size begins anew.
MAX_LOG_BYTES = 64 << 20
#: Colours and the like, which belong to a terminal of its own.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
#: A line that tells something by itself: no part of a table.
_SENTENCE = re.compile(r"[^\u2500-\u257f]*\w")


class AtEnd(Enum):
    """What it means that a process ended with code 0 by itself; with another code it is always a failure."""

    FAILURE = "it should not have"
    AGAIN = "it is started for the next"
    FINISH = "everything is done"


@dataclass(frozen=True)
class ChildSpec:
    """What is run, and what its end means.

    Attributes:
        name: for people, and of its log.
        command: and its arguments.
        environment: variables on top of this process's own.
        grace_seconds: how long it may take to end once it was asked to.
        vital: its failure ends everything; else it is started again.
        at_end: what its good end means.
        last: a command that is run once it was asked to end, and did.
        detached: what it looks after runs elsewhere, and is ended by it; by `last`, where it failed.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    grace_seconds: float = 15.0
    vital: bool = False
    at_end: AtEnd = AtEnd.FAILURE
    last: tuple[str, ...] = ()
    detached: bool = False


class Child:
    """A process of a specification, at any time one at most.

    Args:
        spec: what is run.
        log: file that takes what it says, anew with each object.
        lease: descriptor of a lock that is held until it has ended, too; None for none.
    """

    def __init__(self, spec: ChildSpec, log: Path, lease: int | None = None) -> None:
        self.spec = spec
        self._lease = lease
        self.log = log
        self.starts = 0
        self.code: int | None = None
        self.started_at = 0.0
        self._is_signalled = False
        self._patient_until = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._told_bytes = 0
        self._rest = b""
        self._last_line = ""
        log.write_bytes(b"")

    @property
    def session(self) -> int | None:
        """Id of the session, and group, of what runs; None where nothing does."""
        return None if self._process is None else self._process.pid

    @property
    def last_line(self) -> str:
        """The last line that it said since it was started and that `new_lines` gave."""
        return self._last_line

    @property
    def running_seconds(self) -> float:
        """How long it runs; 0 where it does not."""
        return 0.0 if self._process is None else time.monotonic() - self.started_at

    def start(self, command: tuple[str, ...] | None = None) -> None:
        """Start it, or another command in its place."""
        self.starts += command is None
        self.code, self._last_line = None, ""
        self.started_at = time.monotonic()
        self._is_signalled = False
        grace = str(self.spec.grace_seconds)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    guard.__file__,
                    grace,
                    *(command or self.spec.command),
                ],
                env=process_environment(self.spec.environment),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[] if self._lease is None else [self._lease],
            )

    def poll(self) -> int | None:
        """The code with which it ended; None while it, or something that it started, runs.

        What it leaves behind may end as the process itself may: a run of Dagster first stops its run of Glue.
        """
        process = self._process
        if process is None:
            return self.code
        code = process.poll()
        if code is None:
            return None
        if not self._is_signalled:
            self.signal(signal.SIGINT)
        if guard.is_there(process.pid):
            if time.monotonic() < self._patient_until:
                return None
            self.signal(signal.SIGKILL)
        self._process = None
        self.code = code
        if process.stdin is not None:
            process.stdin.close()
        return code

    def signal(self, number: int) -> None:
        """Send a signal to it and all that it started."""
        if self._process is not None:
            self._is_signalled = True
            patience_seconds = 0.0 if number == signal.SIGKILL else self.spec.grace_seconds
            self._patient_until = time.monotonic() + patience_seconds
            guard.signal_group(self._process.pid, number)

    def let_go(self) -> None:
        """Have it end by itself, as if this process had gone."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def new_lines(self) -> list[str]:
        """What it said since the last call, whole lines, without colours."""
        with self.log.open("rb") as file:
            file.seek(self._told_bytes)
            read = file.read()
        self._told_bytes += len(read)
        *lines, self._rest = (self._rest + read).split(b"\n")
        texts = [_CONTROL.sub("", line.decode("utf-8", "replace")).rstrip() for line in lines]
        said = (text for text in reversed(texts) if _SENTENCE.match(text))
        self._last_line = next(said, self._last_line)
        if self._told_bytes > MAX_LOG_BYTES:
            # It appends: what it says next stands at the new end.
            os.truncate(self.log, 0)
            self._told_bytes = 0
        return texts
