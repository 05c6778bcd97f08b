"""The command line over a HOME of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings


@pytest.fixture
def here(home: Home, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Home:
    """This process's environment with the HOME."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(settings.home))
    return home
