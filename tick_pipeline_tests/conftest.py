"""Fixtures for every test: settings and a HOME of its own, and the real trades where they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.resources.local import open_home
from tick_pipeline.resources.spark_runtime import jar_paths, spark_environment
from tick_pipeline.settings import PREFIX, Settings, load_settings
from tick_pipeline.spark.session import local_conf

if TYPE_CHECKING:
    from collections.abc import Generator

    from tick_pipeline.home import Home

#: Names the file of real trades; unset, the file beside the checkout is taken if it is there.
REAL_TRADES_VARIABLE = "TICK_PIPELINE_TEST_REAL_TRADES"
_BESIDE = Path(__file__).parents[2] / "shared" / "data" / "trades_2014-09-17.csv.gz"


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own TICK_PIPELINE_ variables must not change a test."""
    for name in list(os.environ):
        if name.startswith(PREFIX) and name not in (f"{PREFIX}CACHE", REAL_TRADES_VARIABLE):
            monkeypatch.delenv(name)
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
def spark(tmp_path_factory: pytest.TempPathFactory) -> Generator[Any]:
    """One Spark for the tests that look at data frames; jobs start their own."""
    settings = load_settings(_env_file=None)
    scratch = tmp_path_factory.mktemp("spark")
    conf = local_conf(
        catalog_file=str(scratch / "catalog.db"), warehouse=scratch.as_uri(), scratch=str(scratch)
    )
    conf["spark.driver.extraClassPath"] = ":".join(str(jar) for jar in jar_paths(settings))
    conf["spark.ui.showConsoleProgress"] = "false"
    conf["spark.driver.extraJavaOptions"] = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
    environment = spark_environment()
    os.environ.update(
        {
            name: environment[name]
            for name in ("JAVA_HOME", "SPARK_HOME", "PYSPARK_PYTHON", "SPARK_LOCAL_IP")
        }
    )
    from pyspark.sql import SparkSession

    builder: Any = SparkSession.builder.master("local[2]")
    for name, value in conf.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def real_trades() -> Path:
    """43,581 real trades of three symbols."""
    path = Path(os.environ.get(REAL_TRADES_VARIABLE) or _BESIDE)
    if not path.exists():
        pytest.skip(f"no real trades: set {REAL_TRADES_VARIABLE} to trades_2014-09-17.csv.gz")
    return path
