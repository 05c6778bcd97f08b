"""What a live deployment is judged by holds against the twin: so it is known to work before anyone pays."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.settings import PREFIX
from tick_pipeline_tests.twin.emulator import ROOT
from tick_pipeline_tests.twin.provision import provision

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline_tests.twin.twin import Twin

_LIVE = ROOT / "tick_pipeline_tests" / "evaluation" / "live"


def _run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """As `make test-evaluation` does."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", PREFIX)) or name == f"{PREFIX}CACHE"
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "evaluation", "-rs", "-q", str(_LIVE)],
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.spark
def test_the_twin_passes_the_evaluation(twin: Twin, wheel: Path, tmp_path: Path) -> None:
    done = _run(
        {
            **twin.environment,
            **provision(twin.client, twin.url, wheel=wheel).settings,
            f"{PREFIX}HOME": str(tmp_path / "home"),
            f"{PREFIX}EVALUATION_POLL_SECONDS": "0.5",
        }
    )
    assert done.returncode == 0, done.stdout[-6000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) > 40
    skipped = re.findall(r"(?m)^SKIPPED .*?: (.*)$", done.stdout)
    assert all("Terraform state" in reason for reason in skipped), skipped


def test_without_a_deployment_it_is_skipped_with_the_reason(tmp_path: Path) -> None:
    done = _run({f"{PREFIX}HOME": str(tmp_path / "home"), f"{PREFIX}DEPLOYMENT": "local"})
    assert done.returncode == 0, done.stdout[-3000:]
    assert "needs a live deployment" in done.stdout
    assert "passed" not in done.stdout
