"""What is done about that which lands: hours are made again, and late ticks are told."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
import dagster as dg

from tick_pipeline.event_time import now_us
from tick_pipeline.orchestration import landed_hours, late_ledger
from tick_pipeline.orchestration.automation import sensor_status
from tick_pipeline.orchestration.jobs import anomaly_batch, ohlc_batch
from tick_pipeline.orchestration.landed_hours import HoursState, Rules
from tick_pipeline.orchestration.late_ledger import Entry, LedgerState
from tick_pipeline.orchestration.ledger_facts import LedgerPorts
from tick_pipeline.orchestration.mark_history import LANDED_HOURS, facts_of_hours
from tick_pipeline.orchestration.notifications import from_cursor, to_cursor
from tick_pipeline.orchestration.partitions import first_hour_us, partition_key
from tick_pipeline.orchestration.ports import LandedFiles, Landing, Notifier, QueryEngine
from tick_pipeline.orchestration.tables import asset_key
from tick_pipeline.orchestration.telling import tell
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline.storage import RAW, StorageMode

_SECONDS = 60


def landed_hours_sensor(settings: Settings) -> dg.SensorDefinition:
    """Who asks for hours to be made again."""
    modes = settings.storage_modes

    @dg.sensor(
        name=LANDED_HOURS,
        jobs=[ohlc_batch(modes), anomaly_batch(modes)],
        minimum_interval_seconds=_SECONDS,
        default_status=sensor_status(settings),
        description="Asks for candles and anomalies of closed hours in which something landed since their last run.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, landed_files: LandedFiles, landing: Landing
    ) -> dg.SensorResult:
        rules = Rules.of(settings, first_hour_us(settings))
        state = from_cursor(HoursState, context.cursor) or HoursState()
        landed = {
            mode: landed_files.since(mode, state.marks.get(mode), reader=LANDED_HOURS)
            for mode in modes
        }
        facts = facts_of_hours(context.instance, landing, state, landed, rules)
        decision = landed_hours.decide(state, facts, rules)
        for warning in decision.warnings:
            context.log.warning(warning)
        requests = [
            dg.RunRequest(
                item.run_key, job_name=item.job, partition_key=partition_key(item.hour_us)
            )
            for item in decision.requests
        ]
        if requests:
            context.log.info(decision.summary)
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else decision.summary,
            cursor=to_cursor(decision.state),
        )

    return sensor


def late_ticks_sensor(settings: Settings) -> dg.SensorDefinition:
    """Who keeps the late-data ledger."""

    @dg.sensor(
        name="late_ticks",
        minimum_interval_seconds=_SECONDS,
        default_status=sensor_status(settings),
        description="Enters ticks that landed after their hour had closed as observations of raw; tells of them, once an hour at most.",
    )
    def sensor(
        context: dg.SensorEvaluationContext,
        landed_files: LandedFiles,
        query_engine: QueryEngine,
        notifier: Notifier,
    ) -> dg.SensorResult:
        state = from_cursor(LedgerState, context.cursor) or LedgerState()
        landed = {
            mode: landed_files.since(mode, state.marks.get(mode), reader="late_ticks")
            for mode in settings.storage_modes
        }
        ports = LedgerPorts(context.instance, landed_files, query_engine, settings)
        look = ports.look(state, landed)
        for warning in look.warnings:
            context.log.warning(warning)
        decision = late_ledger.decide(state, look.marks, look.hours, now_us())
        refused = tell(context, notifier, decision.message)
        said = f"{len(decision.entries)} entries changed"
        return dg.SensorResult(
            asset_events=[_observation(*key, entry) for key, entry in decision.entries.items()],
            skip_reason=f"{said}; {refused}" if refused else said,
            cursor=to_cursor(decision.untold if refused else decision.state),
        )

    return sensor


def _observation(mode: str, hour_us: int, entry: Entry) -> dg.AssetObservation:
    return dg.AssetObservation(
        asset_key(StorageMode(mode), RAW),
        partition=partition_key(hour_us),
        description="Ticks that landed after the hour had closed.",
        metadata=entry.to_metadata(),
    )


@dg.definitions
def automation() -> dg.Definitions:
    """Both sensors."""
    settings = load_settings()
    return dg.Definitions(sensors=[landed_hours_sensor(settings), late_ticks_sensor(settings)])
