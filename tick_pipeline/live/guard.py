"""Runs one command in a session that does not outlive the process that asked for it, however that ends.

Usage: python -I -S guard.py GRACE_SECONDS COMMAND...

Stdin is a pipe whose other end the asker holds: where the asker has gone, it reads as ended. The guard leads
the session and its process group. It lets the group's signals pass, since the command knows how to end, and
ends with the command's code. It needs nothing but Python itself, so that it is there at once.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_POLL_SECONDS = 0.2
_TERM_SECONDS = 5.0


def main() -> int:
    """Run the command; its exit code, or 128 and the signal's number."""
    grace_seconds, command = float(sys.argv[1]), sys.argv[2:]
    asked: list[int] = []

    def take(number: int, _frame: FrameType | None) -> None:
        """Leave it to the command. Not SIG_IGN, which that would inherit."""
        asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, take)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while child.poll() is None:
        if _is_asker_gone(_POLL_SECONDS):
            _end_command(child, grace_seconds)
    group = os.getpgrp()
    if os.fork() == 0:
        # Outside of the group, which this process is a member of as long as it lives.
        os.setsid()
        _see_out(group, grace_seconds, is_asked=bool(asked))
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def is_there(group: int) -> bool:
    """Whether a process group has a member."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        # The latter, on macOS, where all its members have ended and nobody has asked how.
        return False
    return True


def signal_group(group: int, number: int) -> None:
    """Send a signal to those of a process group that are there."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _is_asker_gone(wait_seconds: float) -> bool:
    ended, _, _ = select.select([sys.stdin.fileno()], [], [], wait_seconds)
    return bool(ended)


def _end_command(child: subprocess.Popen[bytes], grace_seconds: float) -> None:
    """Ask the command and all that it started to end, more firmly after a while; kill them all in the end."""
    for number, seconds in ((signal.SIGINT, grace_seconds), (signal.SIGTERM, _TERM_SECONDS)):
        os.killpg(0, number)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return
    os.killpg(0, signal.SIGKILL)


def _see_out(group: int, grace_seconds: float, *, is_asked: bool) -> None:
    """Stay until whatever the command left behind has ended; where the asker goes, it has its grace, too."""
    deadline = None
    while is_there(group):
        if deadline is None and _is_asker_gone(_POLL_SECONDS):
            deadline = time.monotonic() + grace_seconds
            if not is_asked:
                signal_group(group, signal.SIGINT)
        elif deadline is not None:
            if time.monotonic() > deadline:
                signal_group(group, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
