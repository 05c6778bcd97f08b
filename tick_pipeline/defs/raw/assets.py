"""The stream, and the raw table of each storage mode."""

# parts of Dagster's types are partial
# pyright: reportMissingTypeArgument=false, reportUnknownParameterType=false, reportUnknownMemberType=false
import dagster as dg

from tick_pipeline.orchestration.failures import permanent_failures
from tick_pipeline.orchestration.metadata import raw_metadata
from tick_pipeline.orchestration.partitions import asset_window, hourly
from tick_pipeline.orchestration.ports import Landing, QueryEngine
from tick_pipeline.orchestration.tables import OWNERS, table_spec
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline.storage import RAW, StorageMode

stream_ticks = dg.AssetSpec(
    ["stream", "ticks"],
    group_name="stream",
    kinds={"json"},
    owners=OWNERS,
    description="One record is one trade as its producer sent it: a JSON object in a shard.",
)


def raw_asset(mode: StorageMode, settings: Settings) -> dg.AssetsDefinition:
    """The raw table of one storage mode."""
    spec = table_spec(
        mode,
        RAW,
        row="one record of the stream as it landed, valid or not, copies included.",
        engine="python",
        deps=[stream_ticks.key],
    )

    @dg.multi_asset(
        name=f"{mode}_raw",
        specs=[spec],
        partitions_def=hourly(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=f"{mode}_raw",
    )
    def raw(
        context: dg.AssetExecutionContext, landing: Landing, query_engine: QueryEngine
    ) -> dg.MaterializeResult:
        window = asset_window(context)
        asked = {"storage_mode": mode.value, **window.parameters}
        late = {"lateness_seconds": settings.lateness_seconds}
        with permanent_failures():
            summary = landing.land(mode, window.start_us, window.end_us)
            minutes = query_engine.run_file("raw_minutes", {**asked, **late})
            copies = query_engine.run_file("duplicates", asked)
        metadata = raw_metadata(window, summary, minutes, copies)
        return dg.MaterializeResult(metadata={**metadata, "run id": context.run.run_id})

    return raw


@dg.definitions
def raw() -> dg.Definitions:
    """The stream and every enabled mode's raw."""
    settings = load_settings()
    return dg.Definitions(
        assets=dg.with_source_code_references(
            [stream_ticks, *(raw_asset(mode, settings) for mode in settings.storage_modes)]
        )
    )
