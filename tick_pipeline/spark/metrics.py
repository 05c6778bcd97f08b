"""What the OHLC job tells CloudWatch, so that an alarm can tell that no candles come.

The one module here that speaks to AWS, by the boto3 that is on every Glue worker.
"""

# boto3 has no types
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence

    from tick_pipeline.spark.report import OhlcReport

#: The alarms and the dashboard in terraform/ read it.
CANDLES_WRITTEN = "CandlesWritten"
#: An endpoint out of reach (a subnet without a way to CloudWatch) must not keep a billed job waiting.
_TIMEOUT_SECONDS = 5
_ATTEMPTS = 3


def put_candles_written(
    namespace: str,
    reports: Sequence[OhlcReport],
    log: logging.Logger,
    client: Any | None = None,
) -> None:
    """Send how many candles each storage mode and timeframe got, as the metric CandlesWritten.

    A failure is a warning in the log, not an error: the candles are written by then, and a run that
    fails here would be repeated for nothing. It cannot pass unseen either, because the alarm takes
    a missing metric for missing candles.

    Args:
        namespace: of the metric.
        reports: of the run.
        log: takes the warning.
        client: boto3's of CloudWatch; that of the job's role and region if not given.
    """
    # Only a job on AWS comes here: elsewhere boto3 need not be installed.
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        cloudwatch = _cloudwatch() if client is None else client
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=candles_written(reports))
    except (BotoCoreError, ClientError) as error:
        log.warning(
            "The candles are written, but the metric %s of namespace %s was not sent, and its alarm"
            " will take them for missing: %s: %s",
            CANDLES_WRITTEN,
            namespace,
            type(error).__name__,
            error,
        )


def candles_written(reports: Sequence[OhlcReport]) -> list[dict[str, Any]]:
    """The reports as PutMetricData takes them: a datum for each storage mode and timeframe."""
    return [
        {
            "MetricName": CANDLES_WRITTEN,
            "Dimensions": [
                {"Name": "StorageMode", "Value": report.storage_mode},
                {"Name": "Timeframe", "Value": timeframe},
            ],
            "Value": candles,
            "Unit": "Count",
        }
        for report in reports
        for timeframe, candles in report.candles.items()
    ]


def _cloudwatch() -> Any:
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    aws: Any = boto3
    return aws.client(
        "cloudwatch",
        config=Config(
            connect_timeout=_TIMEOUT_SECONDS,
            read_timeout=_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        ),
    )
