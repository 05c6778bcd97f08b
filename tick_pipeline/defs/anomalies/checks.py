"""What must hold of anomalies."""

import dagster as dg

from tick_pipeline.orchestration.checks import no_rows, replaced_differing
from tick_pipeline.orchestration.partitions import check_window
from tick_pipeline.orchestration.ports import QueryEngine
from tick_pipeline.orchestration.tables import asset_key
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import ANOMALIES, StorageMode


def anomaly_sanity(mode: StorageMode) -> dg.AssetChecksDefinition:
    """Each anomaly makes sense by itself, and the streaming job's were those of the batch run."""
    key = asset_key(mode, ANOMALIES)

    @dg.asset_check(asset=key, name="anomaly_sanity")
    def check(
        context: dg.AssetCheckExecutionContext, query_engine: QueryEngine
    ) -> dg.AssetCheckResult:
        """Each meets its threshold, stands once; a warning where the last batch run replaced others."""
        window = check_window(context)
        asked = {"storage_mode": mode.value, **window.parameters}
        wrong = query_engine.run_file("anomaly_sanity", asked)
        if wrong.records:
            return no_rows(window, wrong, otherwise="anomalies that break a rule")
        return replaced_differing(context.instance, key, window)

    return check


@dg.definitions
def checks() -> dg.Definitions:
    """The checks of every enabled mode's anomalies."""
    return dg.Definitions(
        asset_checks=[anomaly_sanity(mode) for mode in load_settings().storage_modes]
    )
