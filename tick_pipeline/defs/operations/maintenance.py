"""Upkeep of the stored tables, once a day."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
import dagster as dg
from pydantic import Field

from tick_pipeline.errors import InputError
from tick_pipeline.event_time import US_PER_SECOND, parse_instant
from tick_pipeline.orchestration.automation import schedule_status
from tick_pipeline.orchestration.failures import permanent_failures
from tick_pipeline.orchestration.ports import Maintenance
from tick_pipeline.orchestration.tables import asset_key
from tick_pipeline.orchestration.upkeep import upkeep_metadata
from tick_pipeline.resources.maintenance_port import TableUpkeep, UpkeepRequest
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import TABLES, StorageMode


class MaintenanceConfig(dg.Config):
    """What to look after: as the options of `tick-pipeline maintain run`."""

    tables: list[str] = Field([], description="Which tables; all if empty.")
    start: str = Field("", description="Merge files of hours from here on; ISO 8601, UTC.")
    end: str = Field("", description="... up to here, exclusive.")
    dry_run: bool = Field(default=False, description="Tell what would be done; change nothing.")


def request_of(mode: StorageMode, config: MaintenanceConfig, at_us: int | None) -> UpkeepRequest:
    """What a run was asked for, of one storage mode.

    Args:
        mode: which.
        config: of the run.
        at_us: when the run was asked for, microseconds: one moment for both modes.

    Raises:
        InputError: the configuration names an unknown table, no instant, or an end that is not after the start.
    """
    unknown = sorted(set(config.tables) - set(TABLES))
    if unknown:
        raise InputError(f"tables: {unknown[0]!r} is none of {', '.join(TABLES)}")
    try:
        start_us, end_us = (
            parse_instant(text) if text else None for text in (config.start, config.end)
        )
    except ValueError as error:
        raise InputError(f"start, end: {error}") from error
    return UpkeepRequest(
        (mode,),
        tuple(config.tables) or TABLES,
        start_us,
        end_us,
        load_settings().retain_hours,
        config.dry_run,
        at_us,
    )


def _asked_us(context: dg.OpExecutionContext) -> int | None:
    """When the run was asked for, microseconds; of one that goes on with another, when that was."""
    asked = context.instance.get_run_record_by_id(context.run.root_run_id or context.run.run_id)
    return None if asked is None else round(asked.create_timestamp.timestamp() * US_PER_SECOND)


def look_after(mode: StorageMode) -> dg.OpDefinition:
    """The step of one storage mode; no run of its candles is going on meanwhile."""

    @dg.op(name=f"look_after_{mode}", out=dg.Out(dg.Nothing), pool=f"{mode}_candles")
    def step(
        context: dg.OpExecutionContext, config: MaintenanceConfig, maintenance: Maintenance
    ) -> None:
        """Small files merged, old snapshots and orphans removed, hours dropped that retention ends."""

        def tell(done: TableUpkeep) -> None:
            key, metadata = asset_key(mode, done.table), upkeep_metadata(done)
            context.log_event(dg.AssetObservation(key, metadata=metadata))

        with permanent_failures():
            maintenance.run(request_of(mode, config, _asked_us(context)), tell)

    return step


@dg.definitions
def maintenance() -> dg.Definitions:
    """`table_maintenance` and its schedule."""
    settings = load_settings()

    @dg.job(
        name="table_maintenance",
        description="Merges small files of closed hours, expires snapshots, removes orphans, and drops the hours "
        "that retention ends; each table's asset is told its figures before and after.",
        executor_def=dg.in_process_executor,
    )
    def table_maintenance() -> None:
        """One step for each storage mode."""
        for mode in settings.storage_modes:
            look_after(mode)()

    @dg.schedule(
        name="maintenance_daily",
        job=table_maintenance,
        # When markets of both sides of the Atlantic are closed, and between two runs of ohlc_hourly.
        cron_schedule="40 3 * * *",
        execution_timezone="UTC",
        default_status=schedule_status(settings),
        description="Looks after every table, each night at 03:40 UTC.",
    )
    def maintenance_daily() -> dg.RunRequest:
        return dg.RunRequest()

    return dg.Definitions(jobs=[table_maintenance], schedules=[maintenance_daily])
