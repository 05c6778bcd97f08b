"""`make test-evaluation` where there is nothing to evaluate."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tick_pipeline.settings import PREFIX

_LIVE = Path(__file__).with_name("live")


def test_without_a_deployment_it_is_skipped_with_the_reason(tmp_path: Path) -> None:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", PREFIX))
    }
    own = {f"{PREFIX}HOME": str(tmp_path / "home"), f"{PREFIX}DEPLOYMENT": "local"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "evaluation", "-rs", "-q", str(_LIVE)],
        cwd=_LIVE.parents[2],
        env={**inherited, **own},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "needs a live deployment" in done.stdout
    assert "passed" not in done.stdout
