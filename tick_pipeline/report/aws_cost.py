"""What each mode alone would cost on AWS in a month, if the ticks of the report went on like that; pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tick_pipeline.costs.cost import estimate
from tick_pipeline.costs.load import PERIODS
from tick_pipeline.costs.measured import Measured, describe
from tick_pipeline.costs.prices import DEFAULT_REGION, nearest_prices
from tick_pipeline.report.comparison import AwsCost, Baseline, MonthlyCost, NotMeasured
from tick_pipeline.report.tables import raw_stats
from tick_pipeline.storage import DEFAULT_LOAD_DATA_MODE, StorageMode

if TYPE_CHECKING:
    from tick_pipeline.report.comparison import Comparison

_MINUTE_SECONDS = 60


def aws_cost(comparison: Comparison, region: str | None) -> AwsCost | NotMeasured:
    """The bill of each mode alone, at list prices.

    Args:
        comparison: everything but the cost.
        region: of AWS; where there are no prices of it, those of the default one.

    Raises:
        InputError: the region's prices lack one that is needed.
    """
    baseline = comparison.baseline
    # Of many objects on S3 nobody counts the rows: the other mode landed the same records.
    rows = [raw_stats(comparison, mode).rows or 0 for mode in StorageMode]
    if isinstance(baseline, NotMeasured) or not comparison.minutes or not any(rows):
        return NotMeasured(
            "there are no ticks whose load could be taken",
            "tick-pipeline cost --records-per-second R --record-bytes B",
        )
    prices = nearest_prices(region or DEFAULT_REGION)
    month = {"hours": Decimal(PERIODS["month"])}
    loads = {
        mode: describe(month, _measured(comparison, baseline, mode, landed or max(rows))).load
        for mode, landed in zip(StorageMode, rows, strict=True)
    }
    bills = {mode: estimate(load, prices) for mode, load in loads.items()}
    load = loads[StorageMode.ICEBERG]
    return AwsCost(
        load=f"{load.records_per_second:,.1f} ticks a second of {load.record_bytes:,} bytes, day and night",
        modes=tuple(
            MonthlyCost(
                mode,
                float(bill.total_usd),
                {station: float(usd) for station, usd in bill.stations.items()},
            )
            for mode, bill in bills.items()
        ),
        prices=f"list prices of {prices.region} as of {prices.as_of}",
        not_included=next(iter(bills.values())).not_included,
    )


def _measured(
    comparison: Comparison, baseline: Baseline, mode: StorageMode, landed: int
) -> Measured:
    """Of one mode alone; only the jobs' seconds are both modes', whose single runs vary more than the modes do."""
    return Measured(
        records=sum(minute.rows for minute in comparison.minutes),
        record_bytes=round(baseline.bytes_per_tick),
        landed=landed,
        active_seconds=len(comparison.minutes) * _MINUTE_SECONDS,
        busiest_minute=max(minute.rows for minute in comparison.minutes),
        raw_bytes={mode: raw_stats(comparison, mode).bytes},
        run_seconds=tuple(
            run.seconds
            for figures in comparison.read_modes
            for run in figures.runs
            if DEFAULT_LOAD_DATA_MODE[run.storage_mode] is figures.read_mode
        ),
    )
