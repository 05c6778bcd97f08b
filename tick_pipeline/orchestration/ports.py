"""The ports as parameters of assets and checks.

Dagster looks at annotations when it loads. The ports' own modules bring their adapters' libraries with
them, which only a run needs, so here they are known to the type checker alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from tick_pipeline.resources.landing import Landing as _Landing
    from tick_pipeline.resources.query_engine import QueryEngine as _QueryEngine
    from tick_pipeline.resources.spark_jobs import SparkJobs as _SparkJobs
    from tick_pipeline.resources.stream_run import AnomalyStream as _AnomalyStream
    from tick_pipeline.resources.tables import Tables as _Tables

    AnomalyStream = dg.ResourceParam[_AnomalyStream]
    Landing = dg.ResourceParam[_Landing]
    QueryEngine = dg.ResourceParam[_QueryEngine]
    SparkJobs = dg.ResourceParam[_SparkJobs]
    Tables = dg.ResourceParam[_Tables]
else:
    AnomalyStream = Landing = QueryEngine = SparkJobs = Tables = dg.ResourceParam[Any]
