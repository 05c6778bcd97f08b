"""The ports as parameters of assets and checks.

Dagster looks at annotations when it loads. The ports' own modules bring their adapters' libraries with
them, which only a run needs, so here they are known to the type checker alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from tick_pipeline.landing.redrive import Redrive as _Redrive
    from tick_pipeline.resources.landed_files import LandedFiles as _LandedFiles
    from tick_pipeline.resources.landing import Landing as _Landing
    from tick_pipeline.resources.maintenance_port import Maintenance as _Maintenance
    from tick_pipeline.resources.notifier import Notifier as _Notifier
    from tick_pipeline.resources.query_engine import QueryEngine as _QueryEngine
    from tick_pipeline.resources.spark_jobs import SparkJobs as _SparkJobs
    from tick_pipeline.resources.stream_run import AnomalyStream as _AnomalyStream
    from tick_pipeline.resources.tables import Tables as _Tables

    AnomalyStream = dg.ResourceParam[_AnomalyStream]
    LandedFiles = dg.ResourceParam[_LandedFiles]
    Landing = dg.ResourceParam[_Landing]
    Maintenance = dg.ResourceParam[_Maintenance]
    Notifier = dg.ResourceParam[_Notifier]
    QueryEngine = dg.ResourceParam[_QueryEngine]
    Redrive = dg.ResourceParam[_Redrive]
    SparkJobs = dg.ResourceParam[_SparkJobs]
    Tables = dg.ResourceParam[_Tables]
else:
    AnomalyStream = LandedFiles = Landing = Maintenance = Notifier = dg.ResourceParam[Any]
    QueryEngine = Redrive = SparkJobs = Tables = dg.ResourceParam[Any]
