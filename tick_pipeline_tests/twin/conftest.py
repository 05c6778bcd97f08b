"""An emulator of AWS for a session of tests, empty for each of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tick_pipeline_tests.twin.emulator import Emulator, require_emulator, run_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The session's one emulator, with whatever the test before left in it."""
    require_emulator()
    with run_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture
def aws(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The emulator, empty, and the environment such that every AWS SDK here speaks to it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    emulator.reset()
    return emulator
