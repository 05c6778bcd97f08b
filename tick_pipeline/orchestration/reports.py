"""What the command line did without a run, told to Dagster's state in HOME."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.event_time import format_short, hours_of
from tick_pipeline.orchestration.comparison import comparison_metadata
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.orchestration.mark_history import mark_metadata
from tick_pipeline.orchestration.metadata import effort_metadata, replacement_metadata
from tick_pipeline.orchestration.partitions import partition_key
from tick_pipeline.orchestration.tables import STORAGE_COMPARISON, asset_key
from tick_pipeline.orchestration.upkeep import upkeep_metadata
from tick_pipeline.storage import ANOMALIES, RAW, LoadDataMode, StorageMode, candle_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import dagster as dg

    from tick_pipeline.home import Home
    from tick_pipeline.landing.read_marks import Mark
    from tick_pipeline.landing.summary import DeliverySummary
    from tick_pipeline.report.comparison import Comparison
    from tick_pipeline.resources.maintenance_port import TableUpkeep
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


def report_candles(
    home: Home, settings: Settings, reports: Sequence[OhlcReport], marks: Mapping[StorageMode, Mark]
) -> None:
    """Materializations of the candle tables, for each hour of the job; `marks` are of before it, by mode."""
    with open_instance(home, settings) as instance:
        for report in reports:
            for timeframe, candles in report.candles.items():
                metadata = {"dagster/row_count": candles, **_of_hours(report, marks)}
                _report_hours(instance, home, report, candle_table(timeframe), metadata)


def report_anomalies(
    home: Home,
    settings: Settings,
    reports: Sequence[AnomalyReport],
    marks: Mapping[StorageMode, Mark],
) -> None:
    """Materializations of the table of anomalies, for each hour of the job; `marks` are of before it, by mode."""
    with open_instance(home, settings) as instance:
        for report in reports:
            metadata = {
                "dagster/row_count": report.anomalies,
                **_of_hours(report, marks),
                **replacement_metadata(report),
            }
            _report_hours(instance, home, report, ANOMALIES, metadata)


def report_upkeep(home: Home, settings: Settings, done: Sequence[TableUpkeep]) -> None:
    """Observations of the tables that were looked after."""
    import dagster as dg  # noqa: PLC0415

    with open_instance(home, settings) as instance:
        for item in done:
            key = asset_key(StorageMode(item.storage_mode), item.table)
            metadata = {**_BY, **upkeep_metadata(item)}
            instance.report_runless_asset_event(dg.AssetObservation(key, metadata=metadata))


def report_comparison(instance: dg.DagsterInstance, comparison: Comparison, page: Path) -> None:
    """A materialization of the report."""
    import dagster as dg  # noqa: PLC0415

    metadata = {**_BY, **comparison_metadata(comparison, page)}
    instance.report_runless_asset_event(
        dg.AssetMaterialization(STORAGE_COMPARISON, metadata=metadata)
    )


def _of_hours(report: JobReport, marks: Mapping[StorageMode, Mark]) -> dict[str, str | float]:
    mode, read_from = StorageMode(report.storage_mode), LoadDataMode(report.load_data_mode)
    # Of what was read of the other mode's raw, the mode's own mark tells nothing.
    own = (read_from is LoadDataMode.ICEBERG) == (mode is StorageMode.ICEBERG)
    return {
        **(mark_metadata(marks[mode]) if own else {}),
        "window": f"{format_short(report.start_us)} .. {format_short(report.end_us)}",
        "ticks read": report.rows,
        **effort_metadata(report),
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
