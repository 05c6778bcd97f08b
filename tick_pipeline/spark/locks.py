"""Locks of the operating system, on files: freed when the process ends, however it ends."""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tick_pipeline.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_POLL_SECONDS = 0.05
#: Comparing and replacing the hours of a table takes seconds; a day of them on a busy disk, more.
_TABLE_WAIT_SECONDS = 120.0


@contextmanager
def exclusive(lock: Path, *, what: str, wait_seconds: float = 10.0) -> Generator[int]:
    """Hold an OS lock on a file; the system frees it when the process ends, however it ends.

    Yields the file's descriptor: a child that inherits it holds the lock, too.

    Raises:
        BusyError: another process held it for `wait_seconds`.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    with lock.open("a+b") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise BusyError(
                        f"another process holds {what} ({lock}); wait for it to end, then try again"
                    ) from None
                time.sleep(_POLL_SECONDS)
        yield handle.fileno()


def is_held(lock: Path) -> bool:
    """Whether a process holds the lock of a file alone, at this moment."""
    try:
        with lock.open("rb") as handle:
            # Shared: two that only look do not take each other for a holder.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def table_lock(
    folder: Path | None, name: str, *, wait_seconds: float = _TABLE_WAIT_SECONDS
) -> Generator[None]:
    """Hold a table alone while its rows are looked at and replaced, or added to.

    The batch job and the streaming job write the same table. Python opens files so that no process
    started meanwhile, Spark's or another, inherits the lock.

    Args:
        folder: where the lock files lie; None where one writer at a time is the caller's business
            (a pool, on Glue), and nothing is locked.
        name: `<storage mode>-<table>`.
        wait_seconds: how long to wait for whoever holds it.

    Raises:
        BusyError: another process held it for `wait_seconds`.
    """
    if folder is None:
        yield
        return
    what = f"the writing of {name.replace('-', '.', 1)}"
    with exclusive(folder / f"{name}.lock", what=what, wait_seconds=wait_seconds):
        yield
