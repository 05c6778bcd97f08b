"""Terraform, copies of the configuration to run it in, and an emulator to apply it to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tick_pipeline_tests.terraform.provider import (
    NoTerraformError,
    Terraform,
    copy_configuration,
    find_terraform,
)
from tick_pipeline_tests.twin.emulator import Emulator, require_emulator, run_emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Terraform with a provider, or a skip that says what is missing."""
    try:
        return find_terraform(tmp_path_factory.mktemp("terraform"))
    except NoTerraformError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def workspace(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes copies of terraform/, initialised and without a backend, each with a state of its own."""

    def copy() -> Path:
        folder = copy_configuration(tmp_path_factory.mktemp("workspace"))
        terraform.run(folder, "init", "-backend=false")
        return folder

    return copy


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator of AWS that nobody else puts anything into."""
    require_emulator()
    with run_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running
