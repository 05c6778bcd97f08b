"""What the processes that a benchmark starts spend, looked at from outside."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Spent:
    """By this process's descendants: wall and CPU seconds, highest sum of resident bytes."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


def spent_by_children(work: Callable[[], object]) -> Spent:
    """Do the work and look at its processes ten times a second; what they spend after the last look is lost."""
    peak, cpu = [0], dict[int, float]()
    done = threading.Event()

    def poll() -> None:
        while not done.wait(_POLL_SECONDS):
            total = 0
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    total += child.memory_info().rss
                    times = child.cpu_times()
                    cpu[child.pid] = times.user + times.system
            peak[0] = max(peak[0], total)

    watcher = threading.Thread(target=poll)
    watcher.start()
    began = time.monotonic()
    try:
        work()
    finally:
        wall = time.monotonic() - began
        done.set()
        watcher.join()
    return Spent(wall, sum(cpu.values()), peak[0])


def peak_of_children(work: Callable[[], object]) -> int:
    """Highest sum of resident bytes over this process's descendants while `work` runs."""
    return spent_by_children(work).peak_bytes
