"""`anomalies run`: anomalies of whole hours, by Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tick_pipeline.cli.hours import (
    EndOption,
    LoadOption,
    StartOption,
    asked_hours,
    raw_marks,
    rows_of_reading,
    say_next,
    say_where_partitions_begin,
)
from tick_pipeline.cli.options import AsJson, StorageModeOption, deployment_of
from tick_pipeline.cli.output import progress_bar, show_json, show_table
from tick_pipeline.settings import load_settings, scoring_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.spark.report import AnomalyReport

_SYMBOLS_SHOWN = 5


def run(
    start: StartOption,
    end: EndOption,
    storage_mode: StorageModeOption = None,
    load_data_mode: LoadOption = None,
    as_json: AsJson = False,
) -> None:
    """Recompute the anomalies of whole hours from raw; a rerun changes nothing."""
    from tick_pipeline.orchestration.reports import report_anomalies
    from tick_pipeline.spark.request import AnomalyRequest

    settings = load_settings()
    hours = asked_hours(start, end, storage_mode, load_data_mode, settings, made="anomalies")
    request = AnomalyRequest(*hours, rules=scoring_rules(settings))
    deployment = deployment_of(settings)
    say_where_partitions_begin(deployment.home, hours.start_us)
    marks = raw_marks(deployment, hours)
    with progress_bar("anomalies by Spark"):
        reports = deployment.spark_jobs().run_anomalies(request)
    report_anomalies(deployment.home, settings, reports, marks)
    if as_json:
        show_json(reports)
        return
    show_table(("what", *(report.storage_mode for report in reports)), report_rows(reports))
    say_next(reports, "anomalies_with_candle")


def report_rows(reports: Sequence[AnomalyReport]) -> list[tuple[Any, ...]]:
    """Runs of the job side by side, for people."""
    metrics = sorted({name for report in reports for name in report.by_metric})
    return [
        ("read as", *(report.load_data_mode for report in reports)),
        ("rows read", *(report.rows for report in reports)),
        ("rows read as context", *(report.context_rows for report in reports)),
        ("ticks scored", *(report.ticks for report in reports)),
        ("invalid", *(report.invalid for report in reports)),
        ("duplicates", *(report.duplicates for report in reports)),
        ("anomalies", *(report.anomalies for report in reports)),
        *((f"by {name}", *(report.by_metric.get(name) for report in reports)) for name in metrics),
        ("most of", *(_most(report) for report in reports)),
        ("worst |zscore|", *(round(report.worst_zscore, 1) for report in reports)),
        ("replaced rows", *(report.replaced for report in reports)),
        ("that differed", *(report.differing for report in reports)),
        ("no anomalies any more", *(report.gone for report in reports)),
        ("added rows", *(report.added for report in reports)),
        *rows_of_reading(reports),
    ]


def _most(report: AnomalyReport) -> str:
    most = list(report.by_symbol.items())[:_SYMBOLS_SHOWN]
    return ", ".join(f"{symbol} {number:,}" for symbol, number in most) or "none"
