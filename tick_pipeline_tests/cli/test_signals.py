"""Ctrl-C is an event, whatever the process was doing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tick_pipeline.cli.signals import stop_on_signals

#: Sends a Ctrl-C soon after each byte that it is told.
_SENDER = """
import os, random, signal, time
while os.read({told}, 1):
    end = time.perf_counter() + random.uniform(0.0002, 0.001)
    while time.perf_counter() < end:
        pass
    os.kill({process}, signal.SIGINT)
"""


@pytest.mark.timeout(600)
def test_a_ctrl_c_in_the_midst_of_a_wait_ends_it() -> None:
    """It comes to the thread that waits, which may hold what setting an event needs."""
    reading, writing = os.pipe()
    script = _SENDER.format(told=reading, process=os.getpid())
    with (
        subprocess.Popen([sys.executable, "-c", script], pass_fds=[reading]),
        os.fdopen(writing, "wb", buffering=0) as sender,
    ):
        os.close(reading)
        for _ in range(1000):
            with stop_on_signals() as stop:
                sender.write(b"x")
                while not stop.wait(1e-5):
                    pass
