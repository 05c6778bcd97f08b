"""A job of this deployment, run from the command line as the web interface would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.orchestration.partitions import partition_key

if TYPE_CHECKING:
    import dagster as dg

    from tick_pipeline.orchestration.partitions import Window

_RANGE_START, _RANGE_END = (
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
)
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_job(instance: dg.DagsterInstance, name: str, window: Window) -> dg.ExecuteInProcessResult:
    """Run a job over whole hours, in this process, as one run of the instance.

    A step that fails, or a check, is told by the result; nothing is raised for it.

    Args:
        instance: that of HOME.
        name: of the job.
        window: hours that are partitions.
    """
    from tick_pipeline.definitions import defs  # noqa: PLC0415  (loads every definition)
    from tick_pipeline.orchestration.run_launcher import PROCESS_TAG, this_process  # noqa: PLC0415

    job = defs().resolve_job_def(name)
    return job.execute_in_process(
        run_config=_QUIET,
        instance=instance,
        tags={
            _RANGE_START: partition_key(window.start_us),
            _RANGE_END: partition_key(window.end_us - US_PER_HOUR),
            PROCESS_TAG: this_process(),
        },
        raise_on_error=False,
    )
