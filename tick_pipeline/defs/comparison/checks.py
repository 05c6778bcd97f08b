"""Promise `both_modes_agree`: the storage modes hold the same."""

import dagster as dg

from tick_pipeline.event_time import US_PER_SECOND, now_us
from tick_pipeline.orchestration.checks import no_rows, parity_severity
from tick_pipeline.orchestration.partitions import check_window
from tick_pipeline.orchestration.ports import Landing, QueryEngine
from tick_pipeline.orchestration.tables import asset_key
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline.storage import ANOMALIES, RAW, TIMEFRAMES, StorageMode, candle_table

#: Table -> the query that returns what differs, and its parameters.
_QUERIES: dict[str, tuple[str, dict[str, str]]] = {
    RAW: ("storage_parity_ticks", {}),
    **{
        candle_table(timeframe): ("storage_parity_candles", {"timeframe": timeframe})
        for timeframe in TIMEFRAMES
    },
    ANOMALIES: ("storage_parity_anomalies", {}),
}


def storage_parity(table: str, settings: Settings) -> dg.AssetChecksDefinition:
    """One table, in both storage modes."""
    query, parameters = _QUERIES[table]

    @dg.asset_check(
        asset=asset_key(StorageMode.PARQUET_PROJECTION, table),
        name="storage_parity",
        additional_deps=[asset_key(StorageMode.ICEBERG, table)],
    )
    def check(
        context: dg.AssetCheckExecutionContext, query_engine: QueryEngine, landing: Landing
    ) -> dg.AssetCheckResult:
        """Both storage modes hold the same; a warning only while the hour may still be landing."""
        window = check_window(context)
        positions = landing.positions()
        closed_us = window.end_us + settings.close_after_seconds * US_PER_SECOND
        severity = parity_severity(
            closed=now_us() >= closed_us,
            delivered={mode: at.caught_up for mode, at in positions.items()},
        )
        return no_rows(
            window,
            query_engine.run_file(query, {**parameters, **window.parameters}),
            otherwise="rows that differ between the storage modes",
            severity=severity,
            **{f"{mode} delivered": at.description for mode, at in positions.items()},
        )

    return check


@dg.definitions
def comparison() -> dg.Definitions:
    """Nothing to compare where one storage mode is switched off."""
    settings = load_settings()
    if len(settings.storage_modes) == 1:
        return dg.Definitions()
    return dg.Definitions(asset_checks=[storage_parity(table, settings) for table in _QUERIES])
