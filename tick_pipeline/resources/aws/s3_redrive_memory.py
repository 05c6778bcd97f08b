"""The redrive's memory in the bucket, which everybody shares who redrives, and its lease."""

# boto3 makes its clients at run time
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import json
import os
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tick_pipeline.errors import BusyError
from tick_pipeline.event_time import US_PER_SECOND, format_short, now_us
from tick_pipeline.resources.aws.clients import aws_errors, error_code
from tick_pipeline.resources.aws.s3_objects import at_once, list_keys, read_object

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tick_pipeline.resources.aws.clients import AwsClients

#: Below the prefix that Dagster's role reads and writes (terraform/iam.tf), where nothing expires.
_PREFIX = "checkpoints/redrive"
_LEASE = f"{_PREFIX}-lease.json"
#: A put of a batch into Kinesis ends well before; whoever was killed is waited for no longer.
LEASE_SECONDS = 600
_WAIT_SECONDS = 10.0
_POLL_SECONDS = 0.5
#: The object was there, or was another, when it was put on condition.
#: Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
_REFUSED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})


class S3MemoryFolder:
    """See MemoryFolder in landing/redrive_memory.py.

    Args:
        clients: of AWS.
        bucket: its name.
        wait_seconds: how long to wait for whoever holds the lease.
    """

    def __init__(
        self, clients: AwsClients, bucket: str, *, wait_seconds: float = _WAIT_SECONDS
    ) -> None:
        self._clients = clients
        self._bucket = bucket
        self._wait_seconds = wait_seconds

    def texts(self, after: str) -> Iterator[tuple[str, str]]:
        """See MemoryFolder."""
        with aws_errors(f"reading the redrive's memory in s3://{self._bucket}/{_PREFIX}"):
            yield from at_once(self._text, self._names(after))

    def write(self, name: str, text: str) -> None:
        """See MemoryFolder."""
        with aws_errors(f"writing s3://{self._bucket}/{_PREFIX}/{name}"):
            self._s3.put_object(Bucket=self._bucket, Key=f"{_PREFIX}/{name}", Body=text.encode())

    @contextmanager
    def held(self) -> Generator[Callable[[], None]]:
        """See MemoryFolder. A lease, renewed by each call: whoever is killed holds it LEASE_SECONDS at most."""
        mine = self._take()

        def renew() -> None:
            nonlocal mine
            taken = self._put_lease(IfMatch=mine)
            if taken is None:
                raise BusyError(
                    f"the redrive's lease {self._where} went to another process, for this one did not renew it "
                    f"within {LEASE_SECONDS} s; nothing more was put: redrive again"
                )
            mine = taken

        try:
            yield renew
        finally:
            with aws_errors(f"giving {self._where} back"):
                if self._lease()[0] == mine:
                    self._s3.delete_object(Bucket=self._bucket, Key=_LEASE)

    @property
    def _s3(self) -> Any:
        return self._clients.client("s3")

    @property
    def _where(self) -> str:
        return f"s3://{self._bucket}/{_LEASE}"

    def _names(self, after: str) -> Iterator[str]:
        root = f"{_PREFIX}/"
        for key in list_keys(self._clients, self._bucket, root, StartAfter=f"{root}{after}"):
            yield key[len(root) :]

    def _text(self, name: str) -> tuple[str, str]:
        return name, read_object(self._clients, self._bucket, f"{_PREFIX}/{name}").decode()

    def _take(self) -> str:
        """The lease's tag, once it is ours.

        Raises:
            BusyError: another process has it.
        """
        deadline = time.monotonic() + self._wait_seconds
        while True:
            tag, holder, until_us = self._lease()
            if tag is None or until_us < now_us():
                condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
                taken = self._put_lease(**condition)
                if taken is not None:
                    return taken
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"{holder or 'another process'} holds the redrive ({self._where}), until "
                    f"{format_short(until_us)} at most; wait for it to end, then try again"
                )
            time.sleep(_POLL_SECONDS)

    def _lease(self) -> tuple[str | None, str, int]:
        """Tag, holder and end of the lease; no tag where nobody has it."""
        with aws_errors(f"reading {self._where}"):
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=_LEASE)
            except ClientError as error:
                if error_code(error) != "NoSuchKey":
                    raise
                return None, "", 0
            document = json.loads(answer["Body"].read())
        return str(answer["ETag"]), str(document["holder"]), int(document["until_us"])

    def _put_lease(self, **condition: str) -> str | None:
        """Put the lease on condition; its tag, or None where the condition does not hold."""
        document = {
            "holder": f"{socket.gethostname()}, process {os.getpid()}",
            "until_us": now_us() + LEASE_SECONDS * US_PER_SECOND,
        }
        with aws_errors(f"taking {self._where}"):
            try:
                answer = self._s3.put_object(
                    Bucket=self._bucket, Key=_LEASE, Body=json.dumps(document).encode(), **condition
                )
            except ClientError as error:
                if error_code(error) not in _REFUSED:
                    raise
                return None
        return str(answer["ETag"])
