"""Who is told of what went wrong: failed runs, and checks that fail."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
from collections.abc import Callable
from typing import TypeVar

import dagster as dg

from tick_pipeline.event_time import now_us
from tick_pipeline.orchestration import failed_checks, run_failures
from tick_pipeline.orchestration.automation import sensor_status
from tick_pipeline.orchestration.failed_checks import CheckState
from tick_pipeline.orchestration.notifications import Decision, from_cursor, to_cursor
from tick_pipeline.orchestration.ports import Notifier
from tick_pipeline.orchestration.run_facts import (
    ended_runs,
    evaluations_of,
    failures_of,
    newest_id,
)
from tick_pipeline.orchestration.run_failures import FailureState
from tick_pipeline.orchestration.telling import tell
from tick_pipeline.settings import Settings, load_settings

_SECONDS = 60
State = TypeVar("State", FailureState, CheckState)


def run_failure_notifier(settings: Settings) -> dg.SensorDefinition:
    """Who tells of failed runs."""

    def look(context: dg.SensorEvaluationContext, state: FailureState) -> Decision[FailureState]:
        ended = ended_runs(context.instance, state.after_id, _location(context), only_failed=True)
        failures = failures_of(context.instance, ended.runs)
        return run_failures.decide(
            state, failures, ended.after_id, now_us(), dagster_url=settings.dagster_url
        )

    return _notifier(
        "run_failure_notifier",
        "Tells of failed runs; those of one job with one error once an hour, as a number.",
        settings,
        FailureState,
        look,
    )


def failed_check_notifier(settings: Settings) -> dg.SensorDefinition:
    """Who tells of checks that fail, and that pass again."""

    def look(context: dg.SensorEvaluationContext, state: CheckState) -> Decision[CheckState]:
        ended = ended_runs(context.instance, state.after_id, _location(context))
        evaluations = evaluations_of(context.instance, ended.runs)
        return failed_checks.decide(
            state, evaluations, ended.after_id, now_us(), dagster_url=settings.dagster_url
        )

    return _notifier(
        "failed_check_notifier",
        "Tells of checks that fail with the severity ERROR, and once of those that recovered.",
        settings,
        CheckState,
        look,
    )


def _notifier(
    name: str,
    description: str,
    settings: Settings,
    kind: type[State],
    look: Callable[[dg.SensorEvaluationContext, State], Decision[State]],
) -> dg.SensorDefinition:
    """A sensor that tells what its look decides; what does not get through is decided anew by the next one."""

    @dg.sensor(
        name=name,
        minimum_interval_seconds=_SECONDS,
        default_status=sensor_status(settings),
        description=description,
    )
    def sensor(context: dg.SensorEvaluationContext, notifier: Notifier) -> dg.SensorResult:
        state = from_cursor(kind, context.cursor)
        if state is None:
            # What happened before the first look is old news.
            first = to_cursor(kind(newest_id(context.instance)))
            return dg.SensorResult(skip_reason="begins with what ends from now on", cursor=first)
        decision = look(context, state)
        message = decision.message
        refused = tell(context, notifier, message)
        if refused is not None:
            return dg.SensorResult(skip_reason=refused, cursor=context.cursor)
        said = f"told: {message.subject}" if message else "nothing to tell"
        return dg.SensorResult(skip_reason=said, cursor=to_cursor(decision.state))

    return sensor


def _location(context: dg.SensorEvaluationContext) -> str | None:
    origin = context.code_location_origin
    return origin.location_name if origin else None


@dg.definitions
def notifications() -> dg.Definitions:
    """Both sensors."""
    settings = load_settings()
    return dg.Definitions(sensors=[run_failure_notifier(settings), failed_check_notifier(settings)])
