"""What must hold of raw, and what someone should look at."""

import dagster as dg

from tick_pipeline.event_time import US_PER_DAY, now_us
from tick_pipeline.landing.gaps import find_gaps
from tick_pipeline.orchestration.checks import ERROR, WARN
from tick_pipeline.orchestration.failed_records import errors_told, gaps_told
from tick_pipeline.orchestration.metadata import record_table
from tick_pipeline.orchestration.partitions import check_window
from tick_pipeline.orchestration.ports import Landing, QueryEngine
from tick_pipeline.orchestration.tables import asset_key
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import RAW, StorageMode

#: More than this part of the rows is an error, not a warning.
_BAD_SHARE = 0.01


def raw_quality(mode: StorageMode) -> dg.AssetChecksDefinition:
    """How many rows no candle will count."""

    @dg.asset_check(asset=asset_key(mode, RAW), name="raw_quality")
    def check(
        context: dg.AssetCheckExecutionContext, query_engine: QueryEngine, landing: Landing
    ) -> dg.AssetCheckResult:
        """No invalid row, no conflicting copies, no error record; more than 1 % is an error."""
        window = check_window(context)
        asked = {"storage_mode": mode.value, **window.parameters}
        invalid = query_engine.run_file("invalid_ticks", asked).records
        (copies,) = query_engine.run_file("duplicates", asked).records
        # Error records have no event hour: those that arrived since the window began.
        errors = landing.recent_errors(mode, window.start_us).count
        invalid_rows = sum(row["invalid_rows"] for row in invalid)
        bad = invalid_rows + int(copies["conflicting"]) + errors
        total = invalid_rows + int(copies["valid_rows"]) + errors
        return dg.AssetCheckResult(
            passed=bad == 0,
            severity=ERROR if bad > _BAD_SHARE * total else WARN,
            description=f"{bad} of {total} records are bad" if bad else None,
            metadata={
                "window": str(window),
                "rows": total - errors,
                "invalid": invalid_rows,
                "conflicting duplicates": int(copies["conflicting"]),
                "error records": errors,
                "bad share": bad / total if total else 0.0,
                **({"invalid by rule": record_table(invalid)} if invalid_rows else {}),
            },
        )

    return check


def raw_gaps(mode: StorageMode) -> dg.AssetChecksDefinition:
    """Sequence numbers that did not arrive, or failed."""

    @dg.asset_check(asset=asset_key(mode, RAW), name="raw_gaps")
    def check(
        context: dg.AssetCheckExecutionContext, query_engine: QueryEngine, landing: Landing
    ) -> dg.AssetCheckResult:
        """Between two numbers of a source and symbol, none is missing; where one is, it tells what became of it."""
        window = check_window(context)
        report = find_gaps(
            query_engine,
            landing,
            mode,
            window.start_us,
            window.end_us,
            close_after_seconds=load_settings().close_after_seconds,
        )
        return gaps_told(window, report)

    return check


def error_records(mode: StorageMode) -> dg.AssetChecksDefinition:
    """What lies under the mode's error prefix."""

    @dg.asset_check(asset=asset_key(mode, RAW), name="error_records")
    def check(landing: Landing) -> dg.AssetCheckResult:
        """No record went to the error prefix within the last day, save those that were redriven."""
        now = now_us()
        return errors_told(landing.recent_errors(mode, now - US_PER_DAY), now)

    return check


@dg.definitions
def checks() -> dg.Definitions:
    """The checks of every enabled mode's raw."""
    return dg.Definitions(
        asset_checks=[
            make(mode)
            for mode in load_settings().storage_modes
            for make in (raw_quality, raw_gaps, error_records)
        ]
    )
