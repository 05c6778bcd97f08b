"""The error objects that Firehose wrote into the bucket."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from tick_pipeline.landing.error_store import ErrorObject
from tick_pipeline.resources.aws.clients import aws_errors, error_code
from tick_pipeline.resources.aws.s3_objects import at_once, list_keys, read_object
from tick_pipeline.storage import error_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tick_pipeline.landing.error_store import Arrivals
    from tick_pipeline.resources.aws.clients import AwsClients
    from tick_pipeline.storage import StorageMode

#: Refusals that others need not meet: of its key, or because it was archived.
#: Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_OF_ONE_OBJECT = ("AccessDenied", "InvalidObjectState", "KMS.")
_YEAR = re.compile(r"\d{4}/")


class S3ErrorStore:
    """The error objects of a warehouse in S3; see landing/error_store.py.

    Args:
        clients: of AWS.
        warehouse: `s3://<bucket>/warehouse`.
    """

    def __init__(self, clients: AwsClients, warehouse: str) -> None:
        self._clients = clients
        self._warehouse = warehouse
        self._bucket = urlsplit(warehouse).netloc

    def names(self, mode: StorageMode, arrivals: Arrivals) -> Iterator[str]:
        """See ErrorStore. Keys sort as the hours do: an error type's year is one listing from its oldest hour on."""
        root = self._root(mode)
        with aws_errors(f"listing s3://{self._bucket}/{root}"):
            for name in self._below(root, arrivals):
                if arrivals.may_hold(name) and not name.endswith("/"):
                    yield name

    def read(self, mode: StorageMode, arrivals: Arrivals) -> Iterator[ErrorObject]:
        """See ErrorStore."""
        root = self._root(mode)

        def read(name: str) -> ErrorObject | None:
            try:
                return ErrorObject(name, read_object(self._clients, self._bucket, root + name))
            except FileNotFoundError:
                return None
            except ClientError as error:
                code = error_code(error)
                if not code.startswith(_OF_ONE_OBJECT):
                    raise
                return ErrorObject(name, None, f"S3 refuses it ({code})")

        with aws_errors(f"reading the error records of s3://{self._bucket}/{root}"):
            for found in at_once(read, self.names(mode, arrivals)):
                if found is not None:
                    yield found

    def _root(self, mode: StorageMode) -> str:
        return f"{urlsplit(error_root(self._warehouse, mode)).path.lstrip('/')}/"

    def _below(self, root: str, arrivals: Arrivals) -> Iterator[str]:
        for kind in self._list(root, "", Delimiter="/"):
            if not kind.endswith("/"):
                yield kind
                continue
            for name in self._list(root, kind, Delimiter="/"):
                if not name.endswith("/"):
                    yield name
                elif arrivals.may_hold(name):
                    yield from self._of_folder(root, name, arrivals)

    def _of_folder(self, root: str, folder: str, arrivals: Arrivals) -> Iterator[str]:
        kind, _, part = folder.partition("/")
        if not _YEAR.fullmatch(part):
            yield from self._list(root, folder)
            return
        newest = arrivals.newest_hour
        after = f"{root}{kind}/{arrivals.oldest_hour}"
        for name in self._list(root, folder, StartAfter=after):
            if newest is not None and name[len(kind) + 1 :][: len(newest)] > newest:
                return
            yield name

    def _list(self, root: str, prefix: str, **more: str) -> Iterator[str]:
        """Objects, and where a delimiter is given folders, relative to the root."""
        for key in list_keys(self._clients, self._bucket, root + prefix, **more):
            yield key[len(root) :]
