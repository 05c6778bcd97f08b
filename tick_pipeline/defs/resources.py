"""The adapters of each deployment: two dicts with the same keys, built when asked for."""

# The adapters are imported where one is made: loading the definitions stays fast.
# ruff: noqa: PLC0415

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from tick_pipeline.errors import SettingsError
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from tick_pipeline.resources.anomaly_stream import AnomalyStream
    from tick_pipeline.resources.landing import Landing
    from tick_pipeline.resources.query_engine import QueryEngine
    from tick_pipeline.resources.spark_jobs import SparkJobs
    from tick_pipeline.resources.tables import Tables


@dg.resource(description="Moves records from the stream into the raw tables.")
def local_landing() -> Landing:
    """The delivery loop over the stream of HOME."""
    from tick_pipeline.resources.landing import LocalLanding
    from tick_pipeline.resources.local import open_home

    settings = load_settings()
    return LocalLanding(open_home(settings), settings)


@dg.resource(description="Runs Spark jobs, and never leaves one behind.")
def local_spark_jobs() -> SparkJobs:
    """Subprocesses on local Spark, or on the master that SPARK_MASTER names."""
    from tick_pipeline.resources.local import open_home
    from tick_pipeline.resources.spark_jobs import LocalSparkJobs

    settings = load_settings()
    return LocalSparkJobs(open_home(settings), settings)


@dg.resource(description="Runs the streaming job of anomalies until it is stopped.")
def local_anomaly_stream() -> AnomalyStream:
    """A process of this machine, which outlives the one that started it."""
    from tick_pipeline.resources.anomaly_stream import LocalAnomalyStream
    from tick_pipeline.resources.local import open_home

    settings = load_settings()
    return LocalAnomalyStream(open_home(settings), settings)


@dg.resource(description="Runs read-only SQL in Athena's dialect.")
def local_query_engine() -> QueryEngine:
    """DuckDB over the tables of HOME."""
    from tick_pipeline.resources.local import open_home
    from tick_pipeline.resources.query_engine import LocalQueryEngine

    settings = load_settings()
    return LocalQueryEngine(open_home(settings), settings)


@dg.resource(description="Tells how tables are stored.")
def local_tables() -> Tables:
    """The Iceberg catalog and the Parquet files of HOME."""
    from tick_pipeline.resources.local import open_home
    from tick_pipeline.resources.tables import LocalTables

    return LocalTables(open_home(load_settings()))


LOCAL = {
    "landing": local_landing,
    "spark_jobs": local_spark_jobs,
    "anomaly_stream": local_anomaly_stream,
    "query_engine": local_query_engine,
    "tables": local_tables,
}


def aws() -> dict[str, dg.ResourceDefinition]:
    """The adapters on Kinesis, Firehose, Glue and Athena.

    Raises:
        SettingsError: always; they are not in this version.
    """
    raise SettingsError(
        "TICK_PIPELINE_DEPLOYMENT=aws: this version runs the local deployment only; set it to local"
    )


@dg.definitions
def resources() -> dg.Definitions:
    """The adapters of the deployment that TICK_PIPELINE_DEPLOYMENT names."""
    return dg.Definitions(resources=aws() if load_settings().deployment == "aws" else LOCAL)
