"""The port through which people are told something, and its local adapter, the log."""

from __future__ import annotations

import logging
from typing import Protocol

from tick_pipeline.redaction import without_secrets

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
    """The port on this process's log; who asks from a sensor also tells the log of the sensor's tick."""

    def notify(self, subject: str, text: str) -> None:
        """See Notifier."""
        _log.warning("%s", without_secrets(f"{subject}\n{text}"))
