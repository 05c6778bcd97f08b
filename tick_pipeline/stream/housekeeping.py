"""What a stream needs from time to time: old records dropped, old small segments merged."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tick_pipeline.errors import BusyError
from tick_pipeline.event_time import now_us

if TYPE_CHECKING:
    from tick_pipeline.stream.segments import LocalStream

INTERVAL_SECONDS = 3600.0


class Housekeeping:
    """Expiry and merging, at most once an hour; whoever reads the stream calls it between reads."""

    def __init__(self, stream: LocalStream) -> None:
        self._stream = stream
        self._last: float | None = None

    def if_due(self) -> None:
        """Do it if the last time is an hour ago, or never was."""
        if self._last is None or time.monotonic() - self._last >= INTERVAL_SECONDS:
            self.now()

    def now(self) -> None:
        """Do it; where another process is at it, that is good enough."""
        self._last = time.monotonic()
        try:
            self._stream.expire(now_us())
            self._stream.merge_segments()
        except BusyError:
            return
