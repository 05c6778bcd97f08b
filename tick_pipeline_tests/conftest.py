"""Fixtures for every test: settings and a HOME of its own, the real trades where they are, and Terraform."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import PREFIX, Settings, load_settings
from tick_pipeline_tests.terraform.provider import (
    NoTerraformError,
    Terraform,
    copy_configuration,
    find_terraform,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline.home import Home

#: Names the file of real trades; unset, the file beside the checkout is taken if it is there.
REAL_TRADES_VARIABLE = "TICK_PIPELINE_TEST_REAL_TRADES"
_OF_TERMINALS = ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
_BESIDE = Path(__file__).parents[2] / "shared" / "data" / "trades_2014-09-17.csv.gz"

# How long an example takes is the machine's affair. `make test` tries the same examples each time; the long tests, others.
for _profile, _same in (("same", True), ("explore", False)):
    hypothesis.settings.register_profile(
        _profile,
        deadline=None,
        derandomize=_same,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
        print_blob=True,
    )
hypothesis.settings.load_profile("same")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that all processes end together; last, what looks for secrets in all that was written."""
    long = {item.path for item in items if item.get_closest_marker("spark")}
    items.sort(key=lambda item: (item.path.name == "test_nothing_secret.py", item.path not in long))


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own TICK_PIPELINE_ variables must not change a test, nor the size of a terminal."""
    for name in list(os.environ):
        if name.startswith(PREFIX) and name not in (f"{PREFIX}CACHE", REAL_TRADES_VARIABLE):
            monkeypatch.delenv(name)
    for name in _OF_TERMINALS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose HOME is a fresh folder."""
    return load_settings(home=tmp_path / "home", _env_file=None)


@pytest.fixture
def home(settings: Settings) -> Home:
    """An initialised HOME with all tables, empty."""
    return open_home(settings)


@pytest.fixture(scope="session")
def real_trades() -> Path:
    """43,581 real trades of three symbols."""
    path = Path(os.environ.get(REAL_TRADES_VARIABLE) or _BESIDE)
    if not path.exists():
        pytest.skip(f"no real trades: set {REAL_TRADES_VARIABLE} to trades_2014-09-17.csv.gz")
    return path


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
