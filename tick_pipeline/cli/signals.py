"""Ctrl-C and SIGTERM as an event that long work looks at, so that it ends cleanly."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType


class _Stop(threading.Event):
    """An event that a signal may set in the midst of a wait: a plain one waits for ever for the lock of that wait.

    Source: https://docs.python.org/3/library/queue.html#simplequeue-objects, of `put`
    """

    def __init__(self) -> None:
        super().__init__()
        self._asked = False
        self._wakes: SimpleQueue[None] = SimpleQueue()

    @override
    def is_set(self) -> bool:
        return self._asked

    @override
    def set(self) -> None:
        self._asked = True
        self._wakes.put(None)

    @override
    def wait(self, timeout: float | None = None) -> bool:
        if not self._asked:
            try:
                self._wakes.get(timeout=None if timeout is None else max(timeout, 0.0))
            except Empty:
                return self._asked
            # For whoever else waits.
            self._wakes.put(None)
        return True


@contextmanager
def stop_on_signals() -> Generator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets while the block runs; a second Ctrl-C interrupts at once."""
    stop = _Stop()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
