"""An emulator of AWS for a session of tests, empty for each of them."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tick_pipeline_tests.twin.athena_lake import AthenaLake, athena_lake
from tick_pipeline_tests.twin.emulator import ROOT, Emulator, require_emulator, run_emulator
from tick_pipeline_tests.twin.twin import Twin, run_twin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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


@pytest.fixture(scope="session")
def running_twin(emulator: Emulator) -> Iterator[Twin]:
    """The session's one twin, with whatever the test before left in it."""
    with run_twin(emulator) as running:
        yield running


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an apply would ship to the jobs."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([ROOT / "terraform" / "scripts" / "build-wheel", folder], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def twin(running_twin: Twin, monkeypatch: pytest.MonkeyPatch) -> Iterator[Twin]:
    """The twin, empty, and the environment such that every AWS SDK here speaks to it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in running_twin.environment.items():
        monkeypatch.setenv(name, value)
    running_twin.reset()
    yield running_twin
    running_twin.gateway.reset()


@pytest.fixture(scope="module")
def empty_lake(
    running_twin: Twin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AthenaLake]:
    """The twin with what an apply makes, its tables empty, and a HOME."""
    with athena_lake(running_twin, tmp_path_factory.mktemp("empty") / "home") as made:
        yield made


@pytest.fixture
def lake(empty_lake: AthenaLake) -> AthenaLake:
    """The twin with empty tables, and no fault, switch or query of the test before."""
    empty_lake.twin.gateway.reset()
    return empty_lake
