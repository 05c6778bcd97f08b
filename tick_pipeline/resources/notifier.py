"""The port through which people are told something, and its local adapter, the log."""

from __future__ import annotations

import logging
from typing import Protocol

_log = logging.getLogger("tick_pipeline.notifications")


class Notifier(Protocol):
    """Tells whoever looks after the pipeline."""

    def notify(self, subject: str, text: str) -> None:
        """Tell it once.

        Args:
            subject: one line.
            text: the whole, any number of lines.

        Raises:
            WorkError: it did not get through.
        """
        ...


class LogNotifier:
    """The port on this process's log, which Dagster's run or sensor shows."""

    def notify(self, subject: str, text: str) -> None:
        """See Notifier."""
        _log.warning("%s\n%s", subject, text)
