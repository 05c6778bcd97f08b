"""Starts runs as Dagster does by default, and can tell that a run has lost its process."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import json
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

if TYPE_CHECKING:
    import dagster as dg

#: Of a run that a command executes: its machine, its process and when that began.
PROCESS_TAG = "tick_pipeline/process"
_ASK_SECONDS = 10.0
_SAME_PROCESS_SECONDS = 60.0


class WatchedRunLauncher(DefaultRunLauncher):
    """Lets Dagster's run monitoring fail, and start anew, a run whose process is gone.

    With the default one it stays `started` for ever after a kill, and keeps its place among the runs that may
    go on at a time. What a living code server's run comes to is told by that server.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        """It does, of code servers and commands on this machine."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the code server that started the run is there, or the command that executes it."""
        server = json.loads(run.tags.get(GRPC_INFO_TAG, "{}")).get("socket")
        if server is None:
            who, is_gone = "command", _has_ended(run.tags.get(PROCESS_TAG, ""))
        else:
            # Executed anew by it, a run of a command keeps that command's tag.
            who, is_gone = "code server", not _is_listening(server)
        if is_gone:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"the {who} that ran it is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def this_process() -> str:
    """The value of PROCESS_TAG for a run of this process."""
    process = psutil.Process()
    return f"{socket.gethostname()} {process.pid} {process.create_time()}"


def _has_ended(told: str) -> bool:
    """Whether the process that told so of itself has ended; False of another machine's, or of none."""
    if not told:
        return False
    host, pid, began = told.split()
    if host != socket.gethostname():
        return False
    try:
        began_later_seconds = psutil.Process(int(pid)).create_time() - float(began)
    except psutil.NoSuchProcess:
        return True
    # The clock by which a process began may be set meanwhile.
    return abs(began_later_seconds) > _SAME_PROCESS_SECONDS


def _is_listening(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_ASK_SECONDS)
        try:
            # Who has no time to answer is there.
            with suppress(TimeoutError, BlockingIOError):
                probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True
