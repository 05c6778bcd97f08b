"""The job that puts on the stream again what failed."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false

import dagster as dg
from pydantic import Field

from tick_pipeline.errors import InputError
from tick_pipeline.event_time import US_PER_DAY, now_us, parse_instant
from tick_pipeline.landing.redrive_groups import RedriveRequest
from tick_pipeline.landing.redrive_mending import parse_mending
from tick_pipeline.orchestration.failed_records import redrive_metadata
from tick_pipeline.orchestration.failures import permanent_failures
from tick_pipeline.orchestration.ports import Redrive
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import StorageMode


class RedriveConfig(dg.Config):
    """Which records, and how they are mended: as the options of `tick-pipeline redrive`."""

    only: list[str] = Field([], description="Reasons of the records to put; all if empty.")
    set: list[str] = Field([], description="field=value, where the field's own value is wrong.")
    drop: list[str] = Field([], description="Members that a tick does not have, to leave out.")
    coerce: bool = Field(
        default=False, description="Give values their field's type where nothing is lost."
    )
    mode: str = Field("", description="One storage mode; all that are in use if empty.")
    since: str = Field("", description="ISO 8601, UTC, of arrival; a day ago if empty.")


def request_of(config: RedriveConfig) -> RedriveRequest:
    """What a run was asked for.

    Raises:
        InputError: the configuration names an unknown mode, field or instant.
    """
    modes = load_settings().storage_modes
    if config.mode and config.mode not in modes:
        raise InputError(f"mode: {config.mode!r} is none of {', '.join(modes)}")
    try:
        since_us = parse_instant(config.since) if config.since else now_us() - US_PER_DAY
    except ValueError as error:
        raise InputError(f"since: {error}") from error
    return RedriveRequest(
        modes=(StorageMode(config.mode),) if config.mode else modes,
        since_us=since_us,
        mending=parse_mending(config.set, config.drop, coerces=config.coerce),
        only=frozenset(config.only),
    )


@dg.op(out=dg.Out(dg.Nothing))
def put_again(context: dg.OpExecutionContext, config: RedriveConfig, redrive: Redrive) -> None:
    """Each record that would be stored now, once; unless told to mend, only what is valid by the contract."""
    with permanent_failures():
        summary = redrive.put(request_of(config))
    context.add_output_metadata(redrive_metadata(summary))


@dg.job(
    name="redrive_errors",
    description="Puts on the stream again what failed, each record once; mends what the configuration says.",
    executor_def=dg.in_process_executor,
)
def redrive_errors() -> None:
    """One step."""
    put_again()


@dg.definitions
def redrive_job() -> dg.Definitions:
    """Started by hand: somebody has looked at what failed."""
    return dg.Definitions(jobs=[redrive_errors])
