"""What a caller asks a Spark job for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tick_pipeline.spark.scoring_rules import ScoringRules
    from tick_pipeline.storage import LoadDataMode, StorageMode


@dataclass(frozen=True)
class HoursRequest:
    """Whole hours of event time.

    Attributes:
        start_us: first hour, microseconds.
        end_us: end of the last hour, exclusive.
        storage_modes: whose table is written; one run of Spark makes all.
        load_data_mode: how raw is read; None: each storage mode's own.
    """

    start_us: int
    end_us: int
    storage_modes: tuple[StorageMode, ...]
    load_data_mode: LoadDataMode | None


@dataclass(frozen=True)
class OhlcRequest(HoursRequest):
    """Candles of whole hours.

    Attributes:
        timeframes: which.
    """

    timeframes: tuple[str, ...]


@dataclass(frozen=True)
class AnomalyRequest(HoursRequest):
    """Anomalies of whole hours.

    Attributes:
        rules: what counts as one.
    """

    rules: ScoringRules
