"""What a command tells Dagster's instance of the hours that it made."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.event_time import US_PER_HOUR, hour_floor, now_us
from tick_pipeline.landing.read_marks import Mark
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.orchestration.mark_history import newest_marks
from tick_pipeline.orchestration.reports import report_anomalies, report_candles
from tick_pipeline.spark.report import AnomalyReport, JobReport, OhlcReport
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

ICEBERG, PARQUET = StorageMode
HOUR_US = hour_floor(now_us()) - US_PER_HOUR
MARKS = {ICEBERG: Mark("iceberg/raw", 7), PARQUET: Mark("parquet_projection", 9)}


def report(kind: type[JobReport], mode: StorageMode, read: str) -> Any:
    """That of an hour with nothing in it."""
    own: dict[str, Any] = {
        "storage_mode": mode.value,
        "load_data_mode": read,
        "start_us": HOUR_US,
        "end_us": HOUR_US + US_PER_HOUR,
        "candles": {"1m": 0, "5m": 0},
        "invalid_by_rule": {},
        "by_symbol": {},
        "by_metric": {},
        "run": {},
    }
    return kind(**{item.name: own.get(item.name, 0) for item in fields(kind)})


@pytest.mark.parametrize(
    ("mode", "read", "told"),
    [
        (ICEBERG, "iceberg", [ICEBERG]),
        (PARQUET, "spark", [PARQUET]),
        (PARQUET, "iceberg", []),
        (ICEBERG, "parquet", []),
    ],
)
def test_the_mark_is_told_of_runs_that_read_their_own_raw(
    home: Home, settings: Settings, mode: StorageMode, read: str, told: list[StorageMode]
) -> None:
    """One that read the other mode's may have missed what landed in its own."""
    report_candles(home, settings, [report(OhlcReport, mode, read)], MARKS)
    report_anomalies(home, settings, [report(AnomalyReport, mode, read)], MARKS)
    hours = [("ohlc_batch", HOUR_US), ("anomaly_batch", HOUR_US)]
    expected = {mode.value: MARKS[mode] for mode in told}
    with open_instance(home, settings) as instance:
        assert newest_marks(instance, hours, StorageMode) == dict.fromkeys(hours, expected)
