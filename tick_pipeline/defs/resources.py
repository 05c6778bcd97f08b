"""The adapters of each deployment: two dicts with the same keys, built when asked for."""

# The adapters are imported where one is made: loading the definitions stays fast.
# ruff: noqa: PLC0415

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline.resources.deployments import Deployment


def _adapter(make: Callable[[Deployment], Any], description: str) -> dg.ResourceDefinition:
    """What the deployment of the settings has for a port."""

    def open_adapter(_: dg.InitResourceContext) -> Any:
        from tick_pipeline.resources.deployments import open_deployment

        return make(open_deployment(load_settings()))

    return dg.ResourceDefinition(open_adapter, description=description)


LOCAL = {
    "landing": _adapter(lambda at: at.landing(), "The delivery loop over the stream of HOME."),
    "spark_jobs": _adapter(
        lambda at: at.spark_jobs(), "Subprocesses on local Spark, or a master of one's own."
    ),
    "anomaly_stream": _adapter(
        lambda at: at.anomaly_stream(), "The streaming job as a process here."
    ),
    "query_engine": _adapter(
        lambda at: at.query_engine(), "Athena's SQL, on DuckDB over the tables of HOME."
    ),
    "tables": _adapter(
        lambda at: at.tables(), "The Iceberg catalog and the Parquet files of HOME."
    ),
    "notifier": _adapter(lambda at: at.notifier(), "The log."),
}

AWS = {
    "landing": _adapter(lambda at: at.landing(), "Two Firehoses, observed."),
    "spark_jobs": _adapter(lambda at: at.spark_jobs(), "Runs of Glue jobs."),
    "anomaly_stream": _adapter(
        lambda at: at.anomaly_stream(), "The streaming job as a run of Glue."
    ),
    "query_engine": _adapter(lambda at: at.query_engine(), "Athena."),
    "tables": _adapter(lambda at: at.tables(), "The Glue Data Catalog and the objects in S3."),
    "notifier": _adapter(lambda at: at.notifier(), "A topic of SNS."),
}


@dg.definitions
def resources() -> dg.Definitions:
    """The adapters of the deployment that TICK_PIPELINE_DEPLOYMENT names."""
    return dg.Definitions(resources=AWS if load_settings().deployment == "aws" else LOCAL)
