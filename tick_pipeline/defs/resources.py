"""The adapters of each deployment: two dicts with the same keys, built when asked for."""

# The adapters are imported where one is made: loading the definitions stays fast.
# ruff: noqa: PLC0415

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tick_pipeline.resources.deployments import Deployment


#: Name of a resource -> what a deployment has for it.
_PORTS: dict[str, Callable[[Deployment], Any]] = {
    "landing": lambda at: at.landing(),
    "landed_files": lambda at: at.landed_files(),
    "spark_jobs": lambda at: at.spark_jobs(),
    "anomaly_stream": lambda at: at.anomaly_stream(),
    "query_engine": lambda at: at.query_engine(),
    "tables": lambda at: at.tables(),
    "notifier": lambda at: at.notifier(),
    "maintenance": lambda at: at.maintenance(),
    "redrive": lambda at: at.redrive(),
}


def _adapter(make: Callable[[Deployment], Any], description: str) -> dg.ResourceDefinition:
    """What the deployment of the settings has for a port."""

    def open_adapter(_: dg.InitResourceContext) -> Any:
        from tick_pipeline.resources.deployments import open_deployment

        return make(open_deployment(load_settings()))

    return dg.ResourceDefinition(open_adapter, description=description)


def _adapters(descriptions: Mapping[str, str]) -> dict[str, dg.ResourceDefinition]:
    """One for each port, described as it is in a deployment."""
    return {name: _adapter(make, descriptions[name]) for name, make in _PORTS.items()}


LOCAL = _adapters(
    {
        "landing": "The delivery loop over the stream of HOME.",
        "landed_files": "Snapshots of the Iceberg catalog and Parquet files, by when they came into raw.",
        "spark_jobs": "Subprocesses on local Spark, or a master of one's own.",
        "anomaly_stream": "The streaming job as a process here.",
        "query_engine": "Athena's SQL, on DuckDB over the tables of HOME.",
        "tables": "The Iceberg catalog and the Parquet files of HOME.",
        "notifier": "The log.",
        "maintenance": "PyIceberg and pyarrow over the tables of HOME.",
        "redrive": "Puts again what failed; HOME remembers it.",
    }
)

AWS = _adapters(
    {
        "landing": "Two Firehoses, observed.",
        "landed_files": "Snapshots in the Glue Data Catalog and objects in S3, by when they came into raw.",
        "spark_jobs": "Runs of Glue jobs.",
        "anomaly_stream": "The streaming job as a run of Glue.",
        "query_engine": "Athena.",
        "tables": "The Glue Data Catalog and the objects in S3.",
        "notifier": "A topic of SNS.",
        "maintenance": "PyIceberg and pyarrow over the bucket, where Glue's optimizers do not do it.",
        "redrive": "Puts again what Firehose could not deliver; the bucket remembers it.",
    }
)


@dg.definitions
def resources() -> dg.Definitions:
    """The adapters of the deployment that TICK_PIPELINE_DEPLOYMENT names."""
    return dg.Definitions(resources=AWS if load_settings().deployment == "aws" else LOCAL)
