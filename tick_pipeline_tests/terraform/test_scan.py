"""checkov finds in terraform/ what .checkov.yaml skips for a reason, and nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tick_pipeline_tests.terraform.provider import copy_configuration

ROOT = Path(__file__).parents[2]
#: Its environment is its own, for what it brings conflicts with ours.
CHECKOV = ROOT / ".venv" / "checkov" / "bin" / "checkov"
CONFIGURATION = ROOT / "terraform" / ".checkov.yaml"

_SKIPS = re.compile(r"^skip-check:\n(.*)", re.MULTILINE | re.DOTALL)


def skipped() -> list[str]:
    """The checks that the configuration skips, in its order."""
    found = _SKIPS.search(CONFIGURATION.read_text(encoding="utf-8"))
    return re.findall(r"^  - (\w+)$", found[1], re.MULTILINE) if found else []


def test_each_skip_has_a_reason() -> None:
    text = CONFIGURATION.read_text(encoding="utf-8")
    reasoned = re.findall(r"^  # .{20,}\n(?:  # .+\n)*  - (\w+)$", text, re.MULTILINE)
    assert reasoned == skipped()
    assert len(reasoned) == len(set(reasoned))


def test_findings_are_those_that_are_skipped(tmp_path: Path) -> None:
    """One more is to be mended or reasoned; one less leaves a skip that would hide the next."""
    if not CHECKOV.exists():
        # In CI a test that is skipped for good would look like one that passes.
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(
            "no checkov in .venv/checkov: make .venv/.checkov"
        )
    # A configuration in the folder that is scanned would be in force too.
    folder = copy_configuration(tmp_path)
    (folder / CONFIGURATION.name).unlink()
    everything = tmp_path / "checkov.yaml"
    text = CONFIGURATION.read_text(encoding="utf-8")
    everything.write_text(_SKIPS.sub("output: json\n", text), encoding="utf-8")
    ended = subprocess.run(
        [CHECKOV, "-d", folder.name, "--config-file", everything],
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.startswith("{"), ended.stderr
    report = json.loads(ended.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 50
    found = {
        check["check_id"]: f"{check['check_name']}: {check['resource']}"
        for check in report["results"]["failed_checks"]
    }
    assert sorted(found) == sorted(skipped()), found
