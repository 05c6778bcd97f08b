"""One experiment: break a sandbox, let the doctor look, mend it as he says, and let him look again."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tick_pipeline.doctor.lab.sandbox import Ended, Sandbox

if TYPE_CHECKING:
    from tick_pipeline.doctor.findings import Finding, Verdict
    from tick_pipeline.doctor.lab.failures import Failure
    from tick_pipeline.settings import Settings

_OURS = "tick-pipeline"


@dataclass(frozen=True)
class Outcome:
    """What became of a failure.

    Attributes:
        failure: its name.
        done: what was broken, in words.
        found: the doctor's findings that name it; empty where he did not.
        cure: the commands that were run, and how each ended.
        left: the findings that still name it after the cure; None without a cure.
        after: the worst that the doctor then says of anything.
        no_cure: why there is none.
        folder: of the sandbox, where it was kept.
        seconds: wall time.
    """

    failure: str
    done: str
    found: tuple[Finding, ...]
    cure: tuple[Ended, ...]
    left: tuple[Finding, ...] | None
    after: Verdict | None
    no_cure: str
    folder: str | None
    seconds: float

    @property
    def healed(self) -> bool | None:
        """Whether the cure worked; None where there is none, or the failure was not found."""
        return None if self.left is None else not self.left


def run_experiment(failure: Failure, user: Settings, *, keep: bool = False) -> Outcome:
    """Break a sandbox, and see.

    Args:
        failure: how.
        user: the user's settings, whose HOME is not touched.
        keep: leave the sandbox behind.

    Raises:
        TickPipelineError: the sandbox could not be made.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        if keep:
            folder = Path(tempfile.mkdtemp(prefix=f"{_OURS}-lab-"))
        else:
            made = stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{_OURS}-lab-"))
            folder = Path(made)
        box = Sandbox(folder, user, failure.settings)
        failure.damage(box)
        found = box.examine(failure.sql).of_failure(failure.name)
        commands = failure.cure(box, found) if found else []
        cure = tuple(_run(box, command) for command in commands)
        again = box.examine(failure.cured_sql) if cure else None
    return Outcome(
        failure=failure.name,
        done=failure.description,
        found=tuple(found),
        cure=cure,
        left=None if again is None else tuple(again.of_failure(failure.name)),
        after=None if again is None else again.verdict,
        no_cure=failure.no_cure,
        folder=str(folder) if keep else None,
        seconds=round(time.monotonic() - began, 2),
    )


def _run(box: Sandbox, command: str) -> Ended:
    if command.startswith(_OURS):
        return box.run(command)
    ended = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)
    return Ended(command, ended.returncode, ended.stderr.strip())
