"""When anomalies are made."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
import dagster as dg

from tick_pipeline.orchestration.tables import asset_key
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import ANOMALIES


@dg.definitions
def automation() -> dg.Definitions:
    """`anomaly_batch`."""
    tables = [asset_key(mode, ANOMALIES) for mode in load_settings().storage_modes]
    anomaly_batch = dg.define_asset_job(
        "anomaly_batch",
        selection=dg.AssetSelection.assets(*tables),
        description="Anomalies of the hour from what has landed, and their checks.",
    )
    return dg.Definitions(jobs=[anomaly_batch])
