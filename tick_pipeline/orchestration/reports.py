"""What the command line did without a run, told to Dagster's state in HOME."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.event_time import format_short, hours_of
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.orchestration.metadata import replacement_metadata
from tick_pipeline.orchestration.partitions import partition_key
from tick_pipeline.orchestration.tables import asset_key
from tick_pipeline.storage import ANOMALIES, RAW, StorageMode, candle_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import dagster as dg

    from tick_pipeline.home import Home
    from tick_pipeline.landing.summary import DeliverySummary
    from tick_pipeline.settings import Settings
    from tick_pipeline.spark.report import AnomalyReport, JobReport, OhlcReport

_BY = {"written by": "tick-pipeline, without a run"}


def report_deliveries(
    home: Home, settings: Settings, summaries: Mapping[StorageMode, DeliverySummary]
) -> None:
    """Materializations of raw, for each hour that a delivery touched."""
    with open_instance(home, settings) as instance:
        for mode, summary in summaries.items():
            metadata = {**_BY, "landed": summary.landed, "seconds": summary.seconds}
            _report(instance, home, asset_key(mode, RAW), summary.hours, metadata)


def report_candles(home: Home, settings: Settings, reports: Sequence[OhlcReport]) -> None:
    """Materializations of the candle tables, for each hour of the job."""
    with open_instance(home, settings) as instance:
        for report in reports:
            for timeframe, candles in report.candles.items():
                metadata = {"dagster/row_count": candles, **_of_hours(report)}
                _report_hours(instance, home, report, candle_table(timeframe), metadata)


def report_anomalies(home: Home, settings: Settings, reports: Sequence[AnomalyReport]) -> None:
    """Materializations of the table of anomalies, for each hour of the job."""
    with open_instance(home, settings) as instance:
        for report in reports:
            metadata = {
                "dagster/row_count": report.anomalies,
                **_of_hours(report),
                **replacement_metadata(report),
            }
            _report_hours(instance, home, report, ANOMALIES, metadata)


def _of_hours(report: JobReport) -> dict[str, str | float]:
    return {
        "window": f"{format_short(report.start_us)} .. {format_short(report.end_us)}",
        "read mode": report.load_data_mode,
        "seconds": report.seconds,
        **report.run,
    }


def _report_hours(
    instance: dg.DagsterInstance,
    home: Home,
    report: JobReport,
    table: str,
    metadata: Mapping[str, str | int | float],
) -> None:
    key = asset_key(StorageMode(report.storage_mode), table)
    hours = hours_of(report.start_us, report.end_us)
    _report(instance, home, key, hours, {**_BY, **metadata})


def _report(
    instance: dg.DagsterInstance,
    home: Home,
    key: dg.AssetKey,
    hours_us: Sequence[int],
    metadata: Mapping[str, str | int | float],
) -> None:
    """One event per hour; hours before the partitions begin are one event without a partition."""
    import dagster as dg  # noqa: PLC0415

    partitions = dict.fromkeys(
        partition_key(us) if us >= home.partitions_start_us else None for us in hours_us
    )
    hint = (
        f"hours before {format_short(home.partitions_start_us)} are no partitions; "
        "TICK_PIPELINE_PARTITIONS_START sets where they begin"
    )
    for partition in partitions:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset_key=key,
                partition=partition,
                description=None if partition else hint,
                metadata=metadata,
            )
        )
