"""Series of CloudWatch: asked for by name and dimension, many by one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tick_pipeline.event_time import EPOCH, US_PER_SECOND, as_datetime
from tick_pipeline.resources.aws.clients import aws_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tick_pipeline.resources.aws.clients import AwsClients

#: What the services tell, they tell of each minute.
PERIOD_SECONDS = 60


def metric_query(
    name: str, namespace: str, metric: str, dimension: str, value: str, statistic: str
) -> dict[str, Any]:
    """One series, as GetMetricData takes it; `name` stands for it in the answer."""
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": metric,
                "Dimensions": [{"Name": dimension, "Value": value}],
            },
            "Period": PERIOD_SECONDS,
            "Stat": statistic,
        },
    }


def read_metrics(
    clients: AwsClients, queries: Sequence[dict[str, Any]], start_us: int, end_us: int, *, of: str
) -> dict[str, list[tuple[int, float]]]:
    """Name of each series that has values -> (start of the minute in microseconds, value).

    Args:
        clients: of AWS.
        queries: what is asked for.
        start_us: of the first minute.
        end_us: end, exclusive.
        of: whose metrics these are, for an error.

    Raises:
        AwsError: CloudWatch refused, or did not answer.
    """
    found: dict[str, list[tuple[int, float]]] = {}
    with aws_errors(f"reading the metrics of {of}"):
        pages: Any = clients.client("cloudwatch").get_paginator("get_metric_data")
        for page in pages.paginate(
            MetricDataQueries=list(queries),
            StartTime=as_datetime(start_us),
            EndTime=as_datetime(end_us),
        ):
            for result in page["MetricDataResults"]:
                points = zip(map(_us, result["Timestamps"]), result["Values"], strict=True)
                found.setdefault(result["Id"], []).extend(points)
    return found


def _us(moment: datetime) -> int:
    return round((moment - EPOCH).total_seconds()) * US_PER_SECOND
