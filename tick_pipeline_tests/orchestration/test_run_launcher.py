"""A run that lost its process is failed by Dagster's monitoring; one that has one, or never had, goes on."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false, reportArgumentType=false, reportUnknownVariableType=false
from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._daemon.monitoring.run_monitoring import monitor_started_run

from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.orchestration.run_launcher import PROCESS_TAG, this_process
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tick_pipeline.home import Home


@dg.op
def wait() -> None:
    """Nothing."""


@dg.job
def waiting() -> None:
    """A job like any other."""
    wait()


@pytest.fixture
def instance(home: Home) -> Iterator[dg.DagsterInstance]:
    """The instance of a HOME, as it is configured."""
    with open_instance(home, load_settings(home=home.path, _env_file=None)) as opened:
        yield opened


def watched(instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.DagsterRunStatus:
    """A run's status after the monitoring has looked at it."""
    run = instance.create_run_for_job(waiting, status=dg.DagsterRunStatus.STARTED, tags=tags)
    record = instance.get_run_record_by_id(run.run_id)
    monitor_started_run(instance, None, record, logging.getLogger(__name__))
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def test_a_run_whose_code_server_is_gone_is_failed(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """As Ctrl-C and kill -9 leave it; of a run that tells no process, nobody knows."""
    server = {"host": "localhost", "socket": str(tmp_path / "nobody")}
    gone = watched(instance, {GRPC_INFO_TAG: json.dumps(server)})
    assert gone is dg.DagsterRunStatus.FAILURE
    assert watched(instance, {}) is dg.DagsterRunStatus.STARTED


def test_a_run_whose_command_is_gone_is_failed(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """As a closed terminal leaves that of `demo`; on another machine nobody can look.

    The web interface executes it anew with its tags, but in a process of its code server.
    """
    code = "from tick_pipeline.orchestration.run_launcher import this_process as p; print(p())"
    gone = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    told = gone.stdout.strip()
    assert watched(instance, {PROCESS_TAG: told}) is dg.DagsterRunStatus.FAILURE
    assert watched(instance, {PROCESS_TAG: f"not{told}"}) is dg.DagsterRunStatus.STARTED
    assert watched(instance, {PROCESS_TAG: this_process()}) is dg.DagsterRunStatus.STARTED
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "server"))
        listening.listen()
        server = json.dumps({"host": "localhost", "socket": str(tmp_path / "server")})
        anew = watched(instance, {PROCESS_TAG: told, GRPC_INFO_TAG: server})
        assert anew is dg.DagsterRunStatus.STARTED
    host, pid, began = this_process().split()
    # The clock was set by a second.
    shifted = f"{host} {pid} {float(began) + 1}"
    assert watched(instance, {PROCESS_TAG: shifted}) is dg.DagsterRunStatus.STARTED
    # Another process got its number.
    assert watched(instance, {PROCESS_TAG: f"{host} {pid} 1.5"}) is dg.DagsterRunStatus.FAILURE
