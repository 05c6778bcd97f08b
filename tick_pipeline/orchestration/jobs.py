"""The jobs that make a mode's tables of an hour, named once for those who start them."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import dagster as dg

from tick_pipeline.orchestration.freshness import freshness_checks
from tick_pipeline.orchestration.tables import OHLC_TABLES, asset_key
from tick_pipeline.storage import ANOMALIES, CANDLE_TABLES

if TYPE_CHECKING:
    from tick_pipeline.storage import StorageMode

OHLC_BATCH, ANOMALY_BATCH = "ohlc_batch", "anomaly_batch"
#: Job -> the tables that it makes of raw.
MADE_OF_RAW = {OHLC_BATCH: CANDLE_TABLES, ANOMALY_BATCH: (ANOMALIES,)}


# Who starts a job has to name the very definition that the code location lists.
@lru_cache
def ohlc_batch(modes: tuple[StorageMode, ...]) -> Any:
    """Raw and candles of every enabled mode, with their checks."""
    tables = dg.AssetSelection.assets(
        *(asset_key(mode, table) for mode in modes for table in OHLC_TABLES)
    )
    # Freshness is about now, not about the hour of a run.
    return dg.define_asset_job(
        OHLC_BATCH,
        selection=tables - dg.AssetSelection.checks(*freshness_checks(modes)),
        description="What is pending in the stream into raw, candles of the hour, and their checks.",
    )


@lru_cache
def anomaly_batch(modes: tuple[StorageMode, ...]) -> Any:
    """Anomalies of every enabled mode, with their checks."""
    return dg.define_asset_job(
        ANOMALY_BATCH,
        selection=dg.AssetSelection.assets(*(asset_key(mode, ANOMALIES) for mode in modes)),
        description="Anomalies of the hour from what has landed, and their checks.",
    )
