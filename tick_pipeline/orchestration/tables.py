"""What every table's asset says of itself."""

from __future__ import annotations

import dagster as dg

from tick_pipeline.contracts.contract import table_contract
from tick_pipeline.orchestration.metadata import column_schema
from tick_pipeline.storage import CANDLE_TABLES, RAW, StorageMode

OWNERS = ["team:market-data"]
#: What the job `ohlc_batch` makes, hour by hour.
OHLC_TABLES = (RAW, *CANDLE_TABLES)
#: The page that compares both modes.
STORAGE_COMPARISON = dg.AssetKey(["storage_comparison"])
_KINDS = {StorageMode.ICEBERG: "iceberg", StorageMode.PARQUET_PROJECTION: "parquet"}


def asset_key(mode: StorageMode, table: str) -> dg.AssetKey:
    """`[storage_mode, table]`."""
    return dg.AssetKey([mode.value, table])


def table_spec(
    mode: StorageMode,
    table: str,
    *,
    row: str,
    engine: str,
    deps: list[dg.AssetKey],
    skippable: bool = False,
) -> dg.AssetSpec:
    """An asset's key, group, kinds, owners, columns and description.

    Args:
        mode: which storage mode.
        table: which table.
        row: what one row is; the description begins with it.
        engine: what writes it, one of Dagster's kinds.
        deps: what it is made from.
        skippable: a run may leave it out.
    """
    return dg.AssetSpec(
        asset_key(mode, table),
        deps=deps,
        skippable=skippable,
        group_name=mode.value,
        kinds={_KINDS[mode], engine},
        owners=OWNERS,
        description=f"One row is {row}",
        metadata={
            "dagster/column_schema": column_schema(table_contract(table).name, mode),
            "dagster/table_name": f"{mode}.{table}",
        },
    )
