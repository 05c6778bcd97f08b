"""Bytes of objects in S3: whole ones, their ends, and many at a time."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from tick_pipeline.resources.aws.clients import error_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tick_pipeline.resources.aws.clients import AwsClients

#: Not more than a client's pool has connections: the others would be thrown away after each request.
#: Source: https://botocore.amazonaws.com/v1/documentation/api/latest/reference/config.html
_AT_ONCE = 10
Item = TypeVar("Item")
Result = TypeVar("Result")


def read_object(clients: AwsClients, bucket: str, key: str, *, last_bytes: int = 0) -> bytes:
    """An object's bytes, or only its last ones.

    Args:
        clients: of AWS.
        bucket: where.
        key: which object.
        last_bytes: how many of its end; 0 for all of it.

    Raises:
        FileNotFoundError: there is no such object.
        ClientError, BotoCoreError: another refusal, or no answer, for `aws_errors` to tell.
    """
    ranged = {"Range": f"bytes=-{last_bytes}"} if last_bytes else {}
    try:
        answer: Any = clients.client("s3").get_object(Bucket=bucket, Key=key, **ranged)
    except ClientError as error:
        code = error_code(error)
        if code == "NoSuchKey":
            raise FileNotFoundError(2, "no such object", f"s3://{bucket}/{key}") from error
        if code == "InvalidRange":
            # An empty object has no last bytes.
            return b""
        raise
    return answer["Body"].read()


def at_once(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results for the items, in their order; several are worked on at a time, and few are kept."""
    rest = iter(items)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="s3") as threads:
        while some := list(islice(rest, _AT_ONCE)):
            yield from threads.map(work, some)
