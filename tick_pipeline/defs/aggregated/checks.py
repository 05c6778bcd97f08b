"""What must hold of candles."""

import dagster as dg

from tick_pipeline.orchestration.checks import no_rows
from tick_pipeline.orchestration.partitions import check_window
from tick_pipeline.orchestration.ports import Landing, QueryEngine
from tick_pipeline.orchestration.session_coverage import coverage_told
from tick_pipeline.orchestration.tables import asset_key
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline.storage import RAW, TIMEFRAMES, StorageMode, candle_table


def candle_invariants(mode: StorageMode, timeframe: str) -> dg.AssetChecksDefinition:
    """Each candle makes sense by itself."""

    @dg.asset_check(
        asset=asset_key(mode, candle_table(timeframe)), name="candle_invariants", blocking=True
    )
    def check(
        context: dg.AssetCheckExecutionContext, query_engine: QueryEngine
    ) -> dg.AssetCheckResult:
        """Low <= open, close, vwap <= high; counts, alignment, unique key."""
        window = check_window(context)
        asked = {"storage_mode": mode.value, "timeframe": timeframe, **window.parameters}
        result = query_engine.run_file("candle_invariants", asked)
        return no_rows(window, result, otherwise="candles that break an invariant")

    return check


def candles_match_sql(mode: StorageMode) -> dg.AssetChecksDefinition:
    """Spark's candles are those of an independent recompute in SQL."""

    @dg.asset_check(asset=asset_key(mode, candle_table("1m")), name="candles_match_sql")
    def check(
        context: dg.AssetCheckExecutionContext, query_engine: QueryEngine
    ) -> dg.AssetCheckResult:
        """One-minute candles equal what SQL makes of the same ticks."""
        window = check_window(context)
        asked = {"storage_mode": mode.value, **window.parameters}
        result = query_engine.run_file("candles_match_sql", asked)
        return no_rows(window, result, otherwise="candles that are not what their ticks give")

    return check


def session_coverage(mode: StorageMode, settings: Settings) -> dg.AssetChecksDefinition:
    """Why minutes have no candle."""

    @dg.asset_check(
        asset=asset_key(mode, candle_table("1m")),
        name="session_coverage",
        additional_deps=[asset_key(mode, RAW)],
    )
    def check(
        context: dg.AssetCheckExecutionContext, query_engine: QueryEngine, landing: Landing
    ) -> dg.AssetCheckResult:
        """No minute of the market's sessions lacks its candle because data was lost."""
        window = check_window(context)
        return coverage_told(query_engine, landing, mode, window, settings)

    return check


def five_is_five_ones(mode: StorageMode) -> dg.AssetChecksDefinition:
    """The longer candles are made of the shorter ones."""

    @dg.asset_check(
        asset=asset_key(mode, candle_table("5m")),
        name="five_is_five_ones",
        additional_deps=[asset_key(mode, candle_table("1m"))],
    )
    def check(
        context: dg.AssetCheckExecutionContext, query_engine: QueryEngine
    ) -> dg.AssetCheckResult:
        """Each five-minute candle equals its one-minute candles."""
        window = check_window(context)
        asked = {"storage_mode": mode.value, **window.parameters}
        result = query_engine.run_file("five_is_five_ones", asked)
        return no_rows(window, result, otherwise="candles that are not what their minutes give")

    return check


@dg.definitions
def checks() -> dg.Definitions:
    """The checks of every enabled mode's candles."""
    settings = load_settings()
    modes = settings.storage_modes
    return dg.Definitions(
        asset_checks=[
            *(candle_invariants(mode, timeframe) for mode in modes for timeframe in TIMEFRAMES),
            *(candles_match_sql(mode) for mode in modes),
            *(session_coverage(mode, settings) for mode in modes),
            *(five_is_five_ones(mode) for mode in modes),
        ]
    )
