"""Ports of this machine."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

#: Below those that the system gives to whoever asks for any: one of these is still free when a server has started.
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """One of 127.0.0.1 that nobody listens on at this moment."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
