"""Fixtures: HOMEs that the command line filled, each made once for a module of tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tick_pipeline_tests.integration.pipeline import Pipeline
from tick_pipeline_tests.integration.web import SCREENSHOTS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def new_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Pipeline]:
    """Makes a pipeline over an absent HOME; variables without their prefix."""

    def make(**variables: str) -> Pipeline:
        return Pipeline(tmp_path_factory.mktemp("pipeline") / "home", variables)

    return make


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that keeps the pictures."""
    named = os.environ.get(SCREENSHOTS_VARIABLE)
    folder = Path(named).absolute() if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
