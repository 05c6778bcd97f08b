"""The report that compares both storage modes, and its job."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false, reportMissingTypeArgument=false, reportUnknownParameterType=false
import dagster as dg

from tick_pipeline.orchestration.comparison import comparison_metadata
from tick_pipeline.orchestration.failures import permanent_failures
from tick_pipeline.orchestration.history import read_history
from tick_pipeline.orchestration.ports import Landing, QueryEngine, Tables
from tick_pipeline.orchestration.tables import OWNERS, STORAGE_COMPARISON, asset_key
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import TABLES, StorageMode


@dg.asset(
    key=STORAGE_COMPARISON,
    deps=[asset_key(mode, table) for mode in StorageMode for table in TABLES],
    group_name="comparison",
    kinds={"html", "bokeh"},
    owners=OWNERS,
    description="One page is the answer to `Iceberg or Parquet with projection?`, measured on the newest 24 hours "
    "with ticks: parity, files, bytes and seconds of standard queries, writing, late data, upkeep, cost.",
)
def storage_comparison(
    context: dg.AssetExecutionContext, query_engine: QueryEngine, tables: Tables, landing: Landing
) -> dg.MaterializeResult:
    """Measure by read-only queries and what earlier runs told; no job is started."""
    # They bring the libraries of charts and templates.
    from tick_pipeline.report.make import default_page, make_report  # noqa: PLC0415
    from tick_pipeline.report.measure import Sources  # noqa: PLC0415

    settings = load_settings()
    sources = Sources(settings, query_engine, tables, landing, read_history(context.instance))
    page = default_page(settings)
    with permanent_failures():
        comparison = make_report(sources, page)
    return dg.MaterializeResult(metadata=comparison_metadata(comparison, page))


@dg.definitions
def comparison() -> dg.Definitions:
    """Nothing to compare where one storage mode is switched off."""
    if len(load_settings().storage_modes) == 1:
        return dg.Definitions()
    job = dg.define_asset_job(
        "storage_report",
        selection=dg.AssetSelection.assets(STORAGE_COMPARISON),
        description="The page that compares both storage modes, made anew.",
    )
    return dg.Definitions(assets=dg.with_source_code_references([storage_comparison]), jobs=[job])
