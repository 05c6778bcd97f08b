"""The candle tables of each storage mode: both timeframes in one run of Spark."""

# parts of Dagster's types are partial
# pyright: reportMissingTypeArgument=false, reportUnknownParameterType=false, reportUnknownMemberType=false
from collections.abc import Iterator

import dagster as dg

from tick_pipeline.orchestration.failures import permanent_failures
from tick_pipeline.orchestration.mark_history import mark_metadata
from tick_pipeline.orchestration.metadata import candle_metadata
from tick_pipeline.orchestration.partitions import asset_window, hourly
from tick_pipeline.orchestration.ports import LandedFiles, Landing, QueryEngine, SparkJobs
from tick_pipeline.orchestration.session_coverage import session_metadata
from tick_pipeline.orchestration.tables import asset_key, table_spec
from tick_pipeline.sessions.calendar import check_calendar
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline.spark.request import OhlcRequest
from tick_pipeline.storage import RAW, TIMEFRAMES, StorageMode, candle_table


def candle_assets(mode: StorageMode, settings: Settings) -> dg.AssetsDefinition:
    """Both candle tables of one storage mode."""
    one_minute, five_minutes = (
        table_spec(
            mode,
            candle_table(timeframe),
            row=f"one symbol's candle of {TIMEFRAMES[timeframe] // 60} minute"
            f"{'s' if timeframe != '1m' else ''} that has trades.",
            engine="spark",
            deps=[asset_key(mode, made_from)],
        ).replace_attributes(skippable=True)
        for timeframe, made_from in (("1m", RAW), ("5m", candle_table("1m")))
    )

    @dg.multi_asset(
        name=f"{mode}_candles",
        specs=[one_minute, five_minutes],
        can_subset=True,
        partitions_def=hourly(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=f"{mode}_candles",
    )
    def candles(
        context: dg.AssetExecutionContext,
        spark_jobs: SparkJobs,
        query_engine: QueryEngine,
        landed_files: LandedFiles,
        landing: Landing,
    ) -> Iterator[dg.MaterializeResult]:
        window = asset_window(context)
        wanted = {
            timeframe: asset_key(mode, candle_table(timeframe))
            for timeframe in TIMEFRAMES
            if asset_key(mode, candle_table(timeframe)) in context.selected_asset_keys
        }
        request = OhlcRequest(window.start_us, window.end_us, (mode,), None, tuple(wanted))
        with permanent_failures():
            mark = mark_metadata(landed_files.mark(mode))
            (report,) = spark_jobs.run_ohlc(request, run=context)
            asked = {"storage_mode": mode.value, **window.parameters}
            movers = query_engine.run_file("top_movers", asked)
            minutes = (
                session_metadata(query_engine, landing, mode, window, settings)
                if "1m" in wanted
                else {}
            )
        for timeframe, key in wanted.items():
            metadata = candle_metadata(report, timeframe, window, movers)
            if timeframe == "1m":
                metadata |= minutes
            yield dg.MaterializeResult(
                asset_key=key, metadata={**metadata, **mark, "run id": context.run.run_id}
            )

    return candles


@dg.definitions
def aggregated() -> dg.Definitions:
    """Every enabled mode's candles; a calendar that there is not shall fail here, not in the first run."""
    settings = load_settings()
    check_calendar(settings.calendar)
    return dg.Definitions(
        assets=dg.with_source_code_references(
            [candle_assets(mode, settings) for mode in settings.storage_modes]
        )
    )
