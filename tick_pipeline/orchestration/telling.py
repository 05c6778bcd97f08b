"""How a sensor tells people something, in its tick's log and by the notifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.errors import TickPipelineError

if TYPE_CHECKING:
    import dagster as dg

    from tick_pipeline.orchestration.notifications import Message
    from tick_pipeline.resources.notifier import Notifier


def tell(
    context: dg.SensorEvaluationContext, notifier: Notifier, message: Message | None
) -> str | None:
    """Tell it, if there is anything to tell; why that did not get through, None where it did."""
    if message is None:
        return None
    # Dagster keeps a tick's lines without their arguments.
    context.log.warning(f"{message.subject}\n{message.text}")  # noqa: G004
    try:
        notifier.notify(message.subject, message.text)
    except TickPipelineError as error:
        reason = f"not told, so tried again at the next look: {error}"
        context.log.error(reason)  # noqa: TRY400  (an error of ours is one line, no trace)
        return reason
    return None
