"""One Spark session for the tests of this folder, with the configuration of the real job."""

# pyspark's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.resources.local import open_home
from tick_pipeline.resources.spark_jobs import LocalSparkJobs
from tick_pipeline.resources.spark_runtime import spark_environment
from tick_pipeline.settings import load_settings
from tick_pipeline_tests.spark.lake import Lake

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A HOME with empty tables, and Spark in this process."""
    from pyspark.sql import SparkSession

    settings = load_settings(
        home=tmp_path_factory.mktemp("lake") / "home", spark_driver_memory="1g", _env_file=None
    )
    home = open_home(settings)
    (home.path / "spark").mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in spark_environment().items():
            patch.setenv(name, value)
        patch.setenv(
            "PYSPARK_SUBMIT_ARGS",
            LocalSparkJobs(home, settings).submit_arguments(["-XX:TieredStopAtLevel=1"]),
        )
        builder: Any = SparkSession.builder
        spark = builder.getOrCreate()
        spark.sparkContext.setLogLevel("ERROR")
        yield Lake(spark, home)
        gateway = spark.sparkContext._gateway
        spark.stop()
        if gateway is not None:
            # The JVM ends with its standard input.
            gateway.shutdown()
            gateway.proc.stdin.close()
            gateway.proc.wait(timeout=300)
