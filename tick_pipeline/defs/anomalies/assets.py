"""The table of anomalies of each storage mode, by whole hours; the streaming job adds to it meanwhile."""

# parts of Dagster's types are partial
# pyright: reportMissingTypeArgument=false, reportUnknownParameterType=false, reportUnknownMemberType=false
import dagster as dg

from tick_pipeline.orchestration.failures import permanent_failures
from tick_pipeline.orchestration.mark_history import mark_metadata
from tick_pipeline.orchestration.metadata import anomaly_metadata
from tick_pipeline.orchestration.partitions import asset_window, hourly
from tick_pipeline.orchestration.pictures import anomaly_picture
from tick_pipeline.orchestration.ports import LandedFiles, QueryEngine, SparkJobs
from tick_pipeline.orchestration.tables import asset_key, table_spec
from tick_pipeline.settings import Settings, load_settings, scoring_rules
from tick_pipeline.spark.request import AnomalyRequest
from tick_pipeline.storage import ANOMALIES, RAW, StorageMode


def anomaly_asset(mode: StorageMode, settings: Settings) -> dg.AssetsDefinition:
    """One storage mode's anomalies."""
    spec = table_spec(
        mode,
        ANOMALIES,
        row="one tick's metric that lies far from its symbol's minutes before.",
        engine="spark",
        deps=[asset_key(mode, RAW)],
    )
    rules = scoring_rules(settings)

    @dg.multi_asset(
        name=f"{mode}_anomalies",
        specs=[spec],
        partitions_def=hourly(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=f"{mode}_anomalies",
    )
    def anomalies(
        context: dg.AssetExecutionContext,
        spark_jobs: SparkJobs,
        query_engine: QueryEngine,
        landed_files: LandedFiles,
    ) -> dg.MaterializeResult:
        window = asset_window(context)
        request = AnomalyRequest(window.start_us, window.end_us, (mode,), None, rules)
        with permanent_failures():
            mark = mark_metadata(landed_files.mark(mode))
            (report,) = spark_jobs.run_anomalies(request, run=context)
            asked = {"storage_mode": mode.value, **window.parameters}
            stored = query_engine.run_file("anomalies_with_candle", asked)
            picture = anomaly_picture(query_engine, report, window, rules)
        metadata = anomaly_metadata(report, window, stored, picture)
        return dg.MaterializeResult(metadata={**metadata, **mark, "run id": context.run.run_id})

    return anomalies


@dg.definitions
def anomalies() -> dg.Definitions:
    """Every enabled mode's anomalies."""
    settings = load_settings()
    return dg.Definitions(
        assets=dg.with_source_code_references(
            [anomaly_asset(mode, settings) for mode in settings.storage_modes]
        )
    )
