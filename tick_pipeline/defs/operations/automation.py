"""When what runs."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
import dagster as dg

from tick_pipeline.errors import TickPipelineError
from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, hour_floor
from tick_pipeline.orchestration.automation import schedule_status, sensor_status
from tick_pipeline.orchestration.freshness import freshness_checks, freshness_sensor
from tick_pipeline.orchestration.jobs import ohlc_batch
from tick_pipeline.orchestration.landed_hours import Rules
from tick_pipeline.orchestration.mark_history import why_not_to_run
from tick_pipeline.orchestration.partitions import first_hour_us, partition_key
from tick_pipeline.orchestration.ports import LandedFiles, Landing
from tick_pipeline.settings import Settings, load_settings


def ohlc_hourly_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Who asks for candles where `landed_hours` is off, or has not asked for them."""
    modes = settings.storage_modes

    @dg.schedule(
        name="ohlc_hourly",
        job=ohlc_batch(modes),
        cron_schedule="15 * * * *",
        execution_timezone="UTC",
        default_status=schedule_status(settings),
        description="Asks for the hour before the current one, a quarter past, unless its candles are up to date.",
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, landed_files: LandedFiles, landing: Landing
    ) -> dg.RunRequest | dg.SkipReason:
        now_us = int(context.scheduled_execution_time.timestamp()) * US_PER_SECOND
        hour_us = hour_floor(now_us) - US_PER_HOUR
        hour, rules = partition_key(hour_us), Rules.of(settings, first_hour_us(settings))
        try:
            reason = why_not_to_run(context.instance, landing, landed_files, rules, hour_us, modes)
        except TickPipelineError as error:
            # A run too many changes nothing, and a tick that fails is not repeated.
            # Dagster keeps a tick's lines without their arguments.
            context.log.warning(f"asked for, whether or not it is up to date: {error}")  # noqa: G004
            reason = None
        if reason is not None:
            return dg.SkipReason(f"{hour}: {reason}")
        return dg.RunRequest(run_key=hour, partition_key=hour)

    return schedule


@dg.definitions
def automation() -> dg.Definitions:
    """`ohlc_batch`, its schedule, and what evaluates freshness."""
    settings = load_settings()
    fresh = freshness_checks(settings.storage_modes)
    return dg.Definitions(
        asset_checks=fresh,
        jobs=[ohlc_batch(settings.storage_modes)],
        schedules=[ohlc_hourly_schedule(settings)],
        sensors=[freshness_sensor(fresh, sensor_status(settings))],
    )
