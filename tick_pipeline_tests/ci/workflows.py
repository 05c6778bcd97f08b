"""The workflows as GitHub reads them, and a step of one run as the runner runs it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"


@dataclass(frozen=True)
class Workflow:
    """One file."""

    name: str
    text: str
    content: dict[str, Any]

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        """By their names in the file."""
        return self.content["jobs"]

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Of all jobs, in order."""
        return [step for job in self.jobs.values() for step in job["steps"]]

    def script(self, step: str) -> str:
        """What a step of this name runs."""
        [found] = [each["run"] for each in self.steps if each.get("name") == step]
        return found


def workflows() -> dict[str, Workflow]:
    """Every workflow, by the name of its file without the ending."""
    found: dict[str, Workflow] = {}
    for path in sorted(FOLDER.iterdir()):
        text = path.read_text(encoding="utf-8")
        # Text alone, as in YAML 1.2: `on` is a name there, and PyYAML's `true`.
        content = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506
        found[path.stem] = Workflow(path.stem, text, content)
    return found


WORKFLOWS = workflows()


def run_script(
    script: str, *, cwd: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run it by the shell and the options that `shell: bash` stands for."""
    return subprocess.run(
        ["/usr/bin/env", "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
