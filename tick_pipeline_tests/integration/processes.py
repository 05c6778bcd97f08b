"""The processes that work on a HOME, found by their environment."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import psutil

from tick_pipeline.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: A job looks at its parent five times a second; the rest is for a machine with other work.
SURVIVAL_SECONDS = 3.0


def processes_of(home: Path) -> list[psutil.Process]:
    """Every living process that works on a HOME, except this one."""
    return list(_with_variable(f"{PREFIX}HOME", str(home)))


def assert_all_end(home: Path) -> None:
    """Whoever works on the HOME ends soon: nobody survives those who started it."""
    deadline = time.monotonic() + SURVIVAL_SECONDS
    while (left := processes_of(home)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left, f"still alive after {SURVIVAL_SECONDS} s: {left}"


def _with_variable(name: str, value: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        # One that ends while we look, or is another user's.
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and process.environ().get(name) == value:
                yield process
