"""What a caller asks a Spark job for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tick_pipeline.storage import LoadDataMode, StorageMode


@dataclass(frozen=True)
class OhlcRequest:
    """Candles of whole hours.

    Attributes:
        start_us: first hour, microseconds.
        end_us: end of the last hour, exclusive.
        storage_modes: whose candles; one run of Spark makes all.
        load_data_mode: how raw is read; None: each storage mode's own.
        timeframes: which.
    """

    start_us: int
    end_us: int
    storage_modes: tuple[StorageMode, ...]
    load_data_mode: LoadDataMode | None
    timeframes: tuple[str, ...]
