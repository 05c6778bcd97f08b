"""The log of a Glue job in the Dagster run that started it: Pipes over objects in S3.

Dagster's own PipesGlueClient also starts and waits, and loses runs where it does; here it is only the log.
"""

# dagster_aws and botocore have no types
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import warnings
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg
from botocore.exceptions import BotoCoreError
from dagster_aws.pipes import PipesS3MessageReader

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping


class S3Messages(PipesS3MessageReader):
    """A run's messages below a prefix of its own; a lost connection ends one look, not the reading."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        super().__init__(bucket=bucket, client=client)
        self._prefix = prefix

    @contextmanager
    def get_params(self) -> Generator[Mapping[str, Any]]:
        """Where a job is to write."""
        yield {"bucket": self.bucket, "key_prefix": self._prefix}

    def messages_are_readable(self, params: Mapping[str, Any]) -> bool:
        """Whether there are any."""
        try:
            return super().messages_are_readable(params)
        except BotoCoreError:
            return False

    def download_messages_chunk(self, index: int, params: Mapping[str, Any]) -> str | None:
        """The messages of an object, by its number; None where it is not there yet."""
        try:
            return super().download_messages_chunk(index, params)
        except BotoCoreError:
            return None


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
    with ExitStack() as session_of_run:
        with warnings.catch_warnings():
            # Dagster warns of what only Dagster itself uses here.
            warnings.simplefilter("ignore", dg.PreviewWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            session = session_of_run.enter_context(
                dg.open_pipes_session(
                    run, dg.PipesEnvContextInjector(), S3Messages(client, bucket, prefix)
                )
            )
        yield dict(session.get_bootstrap_cli_arguments())
