"""Which failures a run tries again: a lock that another process held, nothing that would fail again."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from tick_pipeline.errors import BusyError, SparkJobError, TickPipelineError

if TYPE_CHECKING:
    from collections.abc import Generator

#: For assets: what is left to fail after `permanent_failures` is worth another try.
RETRIES = dg.RetryPolicy(max_retries=2, delay=10, backoff=dg.Backoff.EXPONENTIAL)


@contextmanager
def permanent_failures() -> Generator[None]:
    """Turn an error of ours that would only repeat itself into a failure that is not retried.

    Raises:
        dagster.Failure: with the error's one line, and the job's log where there is one.
    """
    try:
        yield
    except BusyError:
        raise
    except TickPipelineError as error:
        metadata: dict[str, dg.MetadataValue] = {}
        if isinstance(error, SparkJobError) and error.log_tail:
            metadata["log"] = dg.MetadataValue.md(f"```\n{error.log_tail}\n```")
        raise dg.Failure(str(error), metadata=metadata, allow_retries=False) from error
