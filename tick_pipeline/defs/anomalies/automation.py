"""When anomalies are made."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
import dagster as dg

from tick_pipeline.errors import TickPipelineError
from tick_pipeline.event_time import now_us
from tick_pipeline.orchestration.automation import sensor_status
from tick_pipeline.orchestration.jobs import anomaly_batch
from tick_pipeline.orchestration.ports import AnomalyStream
from tick_pipeline.orchestration.stream_watch import Action, WatchState, decide
from tick_pipeline.settings import Settings, load_settings


def anomaly_stream_watch(settings: Settings) -> dg.SensorDefinition:
    """Who keeps the stream of anomalies running while it is wanted, and ends it when it is not."""

    @dg.sensor(
        name="anomaly_stream_watch",
        minimum_interval_seconds=30,
        default_status=sensor_status(settings),
        description="Starts the stream of anomalies where it is wanted and does not run; ends it where it is not.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, anomaly_stream: AnomalyStream
    ) -> dg.SensorResult:
        decision = decide(WatchState.from_cursor(context.cursor), anomaly_stream.status(), now_us())
        reason = decision.reason
        options = anomaly_stream.wanted_options()
        try:
            if decision.action is Action.START and options is not None:
                anomaly_stream.start(options)
                reason = f"started: {reason}"
            elif decision.action is Action.STOP:
                anomaly_stream.stop()
                reason = f"stopped: {reason}"
        except TickPipelineError as error:
            # The start counts, or it would be tried for ever: so no failure of this tick.
            reason = f"{reason}; {error}"
            context.log.warning(reason)
        if decision.alarm:
            context.log.warning(reason)
        return dg.SensorResult(skip_reason=reason, cursor=decision.state.to_cursor())

    return sensor


@dg.definitions
def automation() -> dg.Definitions:
    """`anomaly_batch`, and who looks after the stream."""
    settings = load_settings()
    return dg.Definitions(
        jobs=[anomaly_batch(settings.storage_modes)], sensors=[anomaly_stream_watch(settings)]
    )
