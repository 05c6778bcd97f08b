"""Objects in S3: what a listing has, their bytes or the last of them, many at a time, and removing them."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from tick_pipeline.errors import AwsError
from tick_pipeline.resources.aws.clients import error_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tick_pipeline.resources.aws.clients import AwsClients

#: Not more than a client's pool has connections: the others would be thrown away after each request.
#: Source: https://botocore.amazonaws.com/v1/documentation/api/latest/reference/config.html
_AT_ONCE = 10
#: Objects of a DeleteObjects, at most.
#: Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
_DELETED_AT_ONCE = 1000
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


def list_objects(clients: AwsClients, bucket: str, prefix: str, **more: Any) -> Iterator[Any]:
    """What a listing tells of each object, in order of their keys: a request for each 1,000, when it is needed.

    Args:
        clients: of AWS.
        bucket: where.
        prefix: of the keys.
        more: of ListObjectsV2, as `StartAfter`.

    Raises:
        ClientError, BotoCoreError: a refusal, or no answer, for `aws_errors` to tell.
    """
    for page in _pages(clients, bucket, prefix, more):
        yield from page.get("Contents", ())


def list_keys(clients: AwsClients, bucket: str, prefix: str, **more: Any) -> Iterator[str]:
    """The keys of a listing; with a `Delimiter` those of folders, too, which end with it. See list_objects."""
    for page in _pages(clients, bucket, prefix, more):
        yield from (str(folder["Prefix"]) for folder in page.get("CommonPrefixes", ()))
        yield from (str(entry["Key"]) for entry in page.get("Contents", ()))


def delete_objects(clients: AwsClients, bucket: str, keys: Iterable[str]) -> None:
    """Remove objects, where they are there.

    Raises:
        AwsError: one could not be removed; others may be gone.
        ClientError, BotoCoreError: a refusal, or no answer, for `aws_errors` to tell.
    """
    rest = iter(keys)
    while some := [{"Key": key} for key in islice(rest, _DELETED_AT_ONCE)]:
        answer: Any = clients.client("s3").delete_objects(
            Bucket=bucket, Delete={"Objects": some, "Quiet": True}
        )
        if refused := answer.get("Errors"):
            code, key = refused[0].get("Code", ""), refused[0].get("Key")
            raise AwsError(f"deleting s3://{bucket}/{key}: {code}", code=code)


def _pages(clients: AwsClients, bucket: str, prefix: str, more: dict[str, Any]) -> Any:
    pages = clients.client("s3").get_paginator("list_objects_v2")
    return pages.paginate(Bucket=bucket, Prefix=prefix, **more)


def at_once(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results for the items, in their order; several are worked on at a time, and few are kept."""
    rest = iter(items)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="s3") as threads:
        while some := list(islice(rest, _AT_ONCE)):
            yield from threads.map(work, some)
