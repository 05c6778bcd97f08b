"""A script of a Glue job in a process of its own, which ends with its caller; and what it said."""

# boto3 has no types of its own.
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tick_pipeline_tests.twin.emulator import ACCESS_KEY, REGION, SECRET_KEY
from tick_pipeline_tests.twin.glue_process import glue_process

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from pathlib import Path

#: Becomes the script, and ends when the thread that waits for it does, in whatever way.
_LAUNCHER = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the twin is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""
_POLL_SECONDS = 0.02
_SECONDS_A_MINUTE = 60.0
_ERROR_LINE = re.compile(r"[\w.]*(?:Error|Exception|Exit|Interrupt)(?:: .*)?$")


class Launch(Protocol):
    """Makes command and environment of a run, as `glue_process` does."""

    def __call__(
        self,
        script: Path,
        arguments: Sequence[str],
        *,
        twin_url: str,
        modules: Sequence[Path],
        folder: Path,
    ) -> tuple[list[str], dict[str, str]]:
        """See `glue_process`."""
        ...


def plain_python(
    script: Path,
    arguments: Sequence[str],
    *,
    twin_url: str,
    modules: Sequence[Path],
    folder: Path,
) -> tuple[list[str], dict[str, str]]:
    """A script that needs no Spark, for `Switches.launch`: it starts in no time."""
    return [sys.executable, "-u", str(script), *arguments], {
        "PATH": os.defpath,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": twin_url,
    }


@dataclass
class Switches:
    """How runs go; as AWS has it if not changed.

    Attributes:
        start_delay_seconds: a run waits so long for its workers.
        minute_seconds: how long a minute of Timeout is.
        expire: runs end before they start.
        error_state: runs end as ERROR, with this message.
        ignore_stop: BatchStopJobRun refuses.
        launch: makes command and environment of a run.
    """

    start_delay_seconds: float = 0.0
    minute_seconds: float = _SECONDS_A_MINUTE
    expire: bool = False
    error_state: str | None = None
    ignore_stop: bool = False
    launch: Launch = glue_process


@dataclass
class Execution:
    """A command that runs; what it says goes into `stdout` and `stderr` of its folder.

    Attributes:
        command: with its arguments.
        environment: all of it.
        folder: its directory.
        limit_seconds: when it is killed.
        process_id: of it and of its group, once it runs.
        seconds: how long it has run.
    """

    command: list[str]
    environment: dict[str, str]
    folder: Path
    limit_seconds: float
    process_id: int | None = None
    seconds: float = 0.0

    def run_until(self, stop: threading.Event) -> int | None:
        """Run until it ends; its exit code, None where it was killed: stopped, or its time was up."""
        process = self._spawn()
        self.process_id = process.pid
        began = time.monotonic()
        killed = False
        while process.poll() is None:
            self.seconds = time.monotonic() - began
            if stop.wait(_POLL_SECONDS) or self.seconds > self.limit_seconds:
                killed = True
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.seconds = time.monotonic() - began
        return None if killed else process.returncode

    def _spawn(self) -> subprocess.Popen[bytes]:
        launch = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid())]
        with (
            (self.folder / "stdout").open("wb") as output,
            (self.folder / "stderr").open("wb") as errors,
        ):
            return subprocess.Popen(
                [*launch, *self.command],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )


def write_logs(logs: Any, groups: str, stream: str, folder: Path) -> None:
    """Standard output and error of an execution, each into its log group of CloudWatch.

    Args:
        logs: boto3's client of CloudWatch Logs.
        groups: what stands before `/output` and `/error`.
        stream: name of the log stream.
        folder: of the execution.
    """
    for kind, name in (("output", "stdout"), ("error", "stderr")):
        group = f"{groups}/{kind}"
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        text = (folder / name).read_text("utf-8", "replace")
        events = [
            {"timestamp": int(time.time() * 1000), "message": line}
            for line in text.splitlines()
            if line
        ]
        if events:
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def error_message(folder: Path, code: int) -> str:
    """As Glue forms it: a category, then the script's last line of an error, its type without a module."""
    lines = (folder / "stderr").read_text("utf-8", "replace").splitlines()
    errors = [line for line in lines if _ERROR_LINE.match(line)]
    if not errors:
        return f"Command failed with exit code {code}"
    kind, colon, said = errors[-1].partition(": ")
    return f"Error Category: UNCLASSIFIED_ERROR; {kind.rsplit('.', 1)[-1]}{colon}{said}"
