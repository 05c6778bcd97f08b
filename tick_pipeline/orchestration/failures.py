"""Which failures a run tries again: a lock that another process held, nothing that would fail again."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from tick_pipeline.errors import BusyError, SparkJobError, TickPipelineError
from tick_pipeline.orchestration.metadata import Metadata, run_metadata

if TYPE_CHECKING:
    from collections.abc import Generator

_RETRIES, _RETRY_SECONDS = 2, 10


@contextmanager
def permanent_failures() -> Generator[None]:
    """Turn an error of ours that would only repeat itself into a failure that is not retried.

    No retry policy does this: a policy counts someone's stopping the run as a failure, and the step
    would start again.

    Raises:
        dagster.RetryRequested: another process held a lock.
        dagster.Failure: with the error's one line, and where a Spark job failed, what is known of its run.
    """
    try:
        yield
    except BusyError as error:
        raise dg.RetryRequested(_RETRIES, _RETRY_SECONDS) from error
    except TickPipelineError as error:
        metadata: Metadata = {}
        if isinstance(error, SparkJobError):
            metadata |= run_metadata(error.run)
            if error.log_tail:
                metadata["log"] = dg.MetadataValue.md(f"```\n{error.log_tail}\n```")
        raise dg.Failure(str(error), metadata=metadata, allow_retries=False) from error
