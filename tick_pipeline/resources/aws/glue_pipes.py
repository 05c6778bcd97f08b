"""The log of a Glue job in the Dagster run that started it: Pipes over objects in S3.

Dagster's own PipesGlueClient also starts and waits, and loses runs where it does; here it is only the log.
"""

# dagster_aws and botocore have no types
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import json
import warnings
from contextlib import ExitStack, contextmanager
from threading import Event
from typing import TYPE_CHECKING, Any

import dagster as dg
from botocore.exceptions import BotoCoreError
from dagster_aws.pipes import PipesS3MessageReader
from dagster_pipes import PIPES_PROTOCOL_VERSION, PIPES_PROTOCOL_VERSION_FIELD

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

#: What a job writes last, unless it is stopped.
_CLOSED = json.dumps(
    {PIPES_PROTOCOL_VERSION_FIELD: PIPES_PROTOCOL_VERSION, "method": "closed", "params": None}
)


class S3Messages(PipesS3MessageReader):
    """A run's messages below a prefix of its own; a lost connection ends one look, not the reading."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        super().__init__(bucket=bucket, client=client)
        self._prefix = prefix
        self._ended = Event()

    def end(self) -> None:
        """The run writes no more: what S3 has is all, though the job did not close its messages.

        Dagster would else wait ten seconds for more, in an interrupted run, too. S3 shows a written object at
        once: https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel
        """
        self._ended.set()

    @contextmanager
    def get_params(self) -> Generator[Mapping[str, Any]]:
        """Where a job is to write."""
        yield {"bucket": self.bucket, "key_prefix": self._prefix}

    def messages_are_readable(self, params: Mapping[str, Any]) -> bool:
        """Whether there are any, or none will come."""
        if self._ended.is_set():
            return True
        try:
            return super().messages_are_readable(params)
        except BotoCoreError:
            return False

    def download_messages_chunk(self, index: int, params: Mapping[str, Any]) -> str | None:
        """The messages of an object, by its number; None where it is not there yet."""
        ended = self._ended.is_set()
        try:
            chunk = super().download_messages_chunk(index, params)
        except BotoCoreError:
            return None
        return _CLOSED if chunk is None and ended else chunk


@contextmanager
def pipes_arguments(
    run: dg.AssetExecutionContext, client: Any, bucket: str, prefix: str
) -> Generator[dict[str, str]]:
    """While the block runs, a job that has these arguments writes its log into the Dagster run.

    Args:
        run: the Dagster run.
        client: boto3's of S3.
        bucket: where the messages go.
        prefix: of their keys, of this run and no other.
    """
    messages = S3Messages(client, bucket, prefix)
    with ExitStack() as session_of_run:
        with warnings.catch_warnings():
            # Dagster warns of what only Dagster itself uses here.
            warnings.simplefilter("ignore", dg.PreviewWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            session = session_of_run.enter_context(
                dg.open_pipes_session(run, dg.PipesEnvContextInjector(), messages)
            )
        # Told before Dagster closes the session.
        session_of_run.callback(messages.end)
        yield dict(session.get_bootstrap_cli_arguments())
