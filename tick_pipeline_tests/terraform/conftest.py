"""An emulator of AWS for the configuration alone; Terraform itself is a fixture of all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tick_pipeline_tests.twin.emulator import Emulator, require_emulator, run_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator of AWS that nobody else puts anything into."""
    require_emulator()
    with run_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running
