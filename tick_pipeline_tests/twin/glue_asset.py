"""An asset that is made by a Spark job."""

# Dagster reads the annotations of an asset as objects: no `from __future__ import annotations` here.
# pyright: reportUnknownMemberType=false
from typing import Any

import dagster as dg

from tick_pipeline.orchestration.failures import permanent_failures
from tick_pipeline.orchestration.metadata import run_metadata
from tick_pipeline.resources.spark_jobs import SparkJobs
from tick_pipeline.spark.request import OhlcRequest


def candles_asset(jobs: SparkJobs, request: OhlcRequest) -> dg.AssetsDefinition:
    """Candles, with the number of rows that were read and the facts of the run."""

    @dg.asset
    def candles(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        with permanent_failures():
            (report,) = jobs.run_ohlc(request, run=context)
        return dg.MaterializeResult(metadata={"rows": report.rows, **run_metadata(report.run)})

    return candles
