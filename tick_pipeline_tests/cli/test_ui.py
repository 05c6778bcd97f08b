"""`ui` serves Dagster over a HOME, once, and says in one line why it cannot."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.cli.main import run
from tick_pipeline.cli.ui import only_dagster
from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.settings import load_settings
from tick_pipeline_tests.ports import free_port

if TYPE_CHECKING:
    from tick_pipeline.home import Home

_SECONDS = 240.0


@pytest.mark.parametrize("command", ["ui", "live"])
def test_a_calendar_that_is_none_is_told_before_dagster_fails_to_load(
    command: str, here: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_CALENDAR", "MOON")
    assert run([command]) == 2
    told = capsys.readouterr().err
    assert told.startswith("tick-pipeline: TICK_PIPELINE_CALENDAR='MOON' is no exchange-calendars")
    assert told.count("\n") == 1


def test_a_port_that_is_taken_is_one_line(here: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(["ui", "--port", str(port)]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"tick-pipeline: port {port} of 127.0.0.1 cannot be had (")
    assert told.count("\n") == 1


def test_it_serves_until_it_is_ended_and_a_second_one_is_refused(
    here: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two daemons over one HOME would both ask for its runs."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "tick_pipeline.cli.main", "ui", f"--port={port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            _await(f"http://127.0.0.1:{port}/server_info", process)
            for command in ("ui", "live"):
                assert run([command, f"--port={free_port()}"]) == 1
                assert "another process holds Dagster of" in capsys.readouterr().err
            process.terminate()
            process.wait(_SECONDS)
            with only_dagster(open_deployment(load_settings())):
                pass
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _SECONDS
    answered = False
    while not answered:
        with suppress(OSError), opener.open(url, timeout=30):
            answered = True
        assert process.poll() is None, "it ended"
        assert time.monotonic() < deadline, "it does not answer"
        time.sleep(0.2)
