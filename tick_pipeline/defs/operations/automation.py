"""When what runs."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
import dagster as dg

from tick_pipeline.orchestration.checks import freshness_checks
from tick_pipeline.orchestration.partitions import hourly
from tick_pipeline.orchestration.tables import OHLC_TABLES, asset_key
from tick_pipeline.settings import load_settings


@dg.definitions
def automation() -> dg.Definitions:
    """`ohlc_batch`, its schedule, and what evaluates freshness."""
    settings = load_settings()
    hours = hourly(settings)
    tables = dg.AssetSelection.assets(
        *(asset_key(mode, table) for mode in settings.storage_modes for table in OHLC_TABLES)
    )
    # Freshness is about now, not about the hour of a run.
    fresh = freshness_checks(settings.storage_modes)
    ohlc_batch = dg.define_asset_job(
        "ohlc_batch",
        selection=tables - dg.AssetSelection.checks(*fresh),
        description="What is pending in the stream into raw, candles of the hour, and their checks.",
    )

    @dg.schedule(job=ohlc_batch, cron_schedule="15 * * * *", execution_timezone="UTC")
    def ohlc_hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """The hour before the current one, a quarter past."""
        # The newest partition is the current hour.
        hour = hours.get_partition_keys(current_time=context.scheduled_execution_time)[-2]
        return dg.RunRequest(run_key=hour, partition_key=hour)

    return dg.Definitions(
        asset_checks=fresh,
        jobs=[ohlc_batch],
        schedules=[ohlc_hourly],
        sensors=[dg.build_sensor_for_freshness_checks(freshness_checks=fresh)],
    )
