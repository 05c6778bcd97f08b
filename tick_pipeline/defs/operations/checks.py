"""Claims about every table."""

import dagster as dg

from tick_pipeline.orchestration.checks import ERROR
from tick_pipeline.orchestration.partitions import check_window
from tick_pipeline.orchestration.ports import Tables
from tick_pipeline.orchestration.tables import asset_key
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import TABLES, StorageMode


def schema_drift(mode: StorageMode, table: str) -> dg.AssetChecksDefinition:
    """How one table is stored."""

    @dg.asset_check(asset=asset_key(mode, table), name="schema_drift")
    def check(context: dg.AssetCheckExecutionContext, tables: Tables) -> dg.AssetCheckResult:
        """The catalog's columns, and those of the data files, are the contract's."""
        window = check_window(context)
        found = tables.schema_drift(mode, table, window.start_us, window.end_us)
        return dg.AssetCheckResult(
            passed=not found,
            severity=ERROR,
            description="; ".join(found) or None,
            metadata={
                "window": str(window),
                **(
                    {"differences": dg.MetadataValue.md("\n".join(f"- {line}" for line in found))}
                    if found
                    else {}
                ),
            },
        )

    return check


@dg.definitions
def checks() -> dg.Definitions:
    """The checks of every enabled mode's tables."""
    modes = load_settings().storage_modes
    return dg.Definitions(
        asset_checks=[schema_drift(mode, table) for mode in modes for table in TABLES]
    )
