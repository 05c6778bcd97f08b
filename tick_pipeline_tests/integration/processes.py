"""The processes that work on a HOME, found by their environment, and killed at bad moments."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from tick_pipeline.settings import PREFIX
from tick_pipeline.storage import StorageMode, table_location

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from tick_pipeline_tests.integration.pipeline import Pipeline

#: A job looks at its parent five times a second. A call that was under way when its JVM was killed may never come back:
#: it gives that up after ten seconds. The rest is for a machine with other work.
SURVIVAL_SECONDS = 120.0
#: What a JVM starts to become the program that it runs; killed in between, it leaves this, which works on nothing.
_HELPER_OF_JVM = "jspawnhelper"


class Victim(Enum):
    """Who is killed: the process that started the job, the job's Python, or its JVM."""

    CALLER = "caller"
    JOB = "job"
    JVM = "jvm"


def processes_of(home: Path) -> list[psutil.Process]:
    """Every living process that works on a HOME, except this one."""
    return list(_with_variable(f"{PREFIX}HOME", str(home)))


def assert_all_end(home: Path) -> None:
    """Whoever works on the HOME ends soon: nobody survives those who started it."""
    deadline = time.monotonic() + SURVIVAL_SECONDS
    while (left := processes_of(home)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left, f"still alive after {SURVIVAL_SECONDS} s: {left}"


def until_free(pipeline: Pipeline) -> dict[str, Any]:
    """How the stream of anomalies stands once nobody holds its lease.

    The system closes the files of a process after all else of it has gone.
    """
    deadline = time.monotonic() + SURVIVAL_SECONDS
    while (status := pipeline.json("anomalies", "status"))["runner"] is not None:
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
    return status


def find_victim(
    home: Path, victim: Victim, caller: subprocess.Popen[str] | subprocess.Popen[bytes]
) -> psutil.Process | None:
    """The victim's process, waited for where the run has not come to it; None after the run."""
    while caller.poll() is None:
        if victim is Victim.CALLER:
            return psutil.Process(caller.pid)
        for found in processes_of(home):
            with contextlib.suppress(psutil.NoSuchProcess):
                is_jvm = found.name() == "java"
                if is_jvm if victim is Victim.JVM else (not is_jvm and found.ppid() == caller.pid):
                    return found
        time.sleep(0.05)
    return None


def kill_batch_run(
    pipeline: Pipeline,
    command: Sequence[str],
    tables: Sequence[str],
    victim: Victim,
    chance: random.Random,
) -> bool:
    """Kill one process of a batch run at a random moment; whether its work was not yet done.

    Where it is not the caller, that one tells it in one line.

    Args:
        pipeline: its HOME.
        command: of the command line.
        tables: that it writes.
        victim: who is killed.
        chance: when.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tick_pipeline.cli.main", *command],
        env=pipeline.environment(),
        cwd=pipeline.home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        # Writing is the shorter and more delicate part: two of three kills hit it.
        if chance.random() < 2 / 3:
            _wait_for_a_write(pipeline, tables, process)
            time.sleep(chance.uniform(0, 1.5))
        else:
            time.sleep(chance.uniform(0.3, 6))
        target = find_victim(pipeline.home, victim, process)
        if target is None:
            process.communicate(timeout=60)
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            target.kill()
        assert_all_end(pipeline.home)
        _, errors = process.communicate(timeout=SURVIVAL_SECONDS)
    if process.returncode == 0:
        # A JVM ends after its job.
        return False
    if victim is not Victim.CALLER:
        assert process.returncode == 1
        assert errors.count("tick-pipeline: ") == 1
        assert "the Spark job ended with code" in errors
        assert "Traceback" not in errors
    return True


def _wait_for_a_write(
    pipeline: Pipeline, tables: Sequence[str], process: subprocess.Popen[str]
) -> None:
    """Until the run's first rows lie in a table's folder, in either storage mode."""
    iceberg = [
        pipeline.home / table_location("warehouse", StorageMode.ICEBERG, table) for table in tables
    ]

    def files() -> set[Path]:
        # A glob would fail at a folder that the job removes meanwhile.
        walked = (
            Path(folder) / name
            for folder, folders, names in os.walk(pipeline.home)
            for name in (*folders, *names)
        )
        return {
            path
            for path in walked
            if "_staging" in path.parts[:-2]
            or (path.suffix == ".parquet" and any(path.is_relative_to(of) for of in iceberg))
        }

    before = files()
    while not files() - before and process.poll() is None:
        time.sleep(0.05)


def _with_variable(name: str, value: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        # One that ends while we look, or is another user's.
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            alive = process.status() != psutil.STATUS_ZOMBIE and process.name() != _HELPER_OF_JVM
            if alive and process.environ().get(name) == value:
                yield process
