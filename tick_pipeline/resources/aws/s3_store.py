"""The files of one stored table by their names, in S3."""

# boto3 makes its clients at run time
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tick_pipeline.event_time import EPOCH, US_PER_SECOND
from tick_pipeline.resources.aws.clients import aws_errors
from tick_pipeline.resources.aws.s3_objects import delete_objects, list_objects, read_object
from tick_pipeline.resources.object_store import StoredFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tick_pipeline.resources.aws.clients import AwsClients


class S3Store:
    """A prefix of a bucket; see resources/object_store.py.

    Args:
        clients: of AWS.
        uri: `s3://<bucket>/<prefix>`.
    """

    def __init__(self, clients: AwsClients, uri: str) -> None:
        self.uri = uri.rstrip("/")
        place = urlsplit(self.uri)
        self._bucket, self._root = place.netloc, f"{place.path.strip('/')}/"
        self._clients = clients

    def files(self, folder: str = "") -> list[StoredFile]:
        """See Store."""
        prefix = f"{self._root}{folder}/" if folder else self._root
        with aws_errors(f"listing {self.uri}"):
            return [
                StoredFile(
                    str(entry["Key"])[len(self._root) :],
                    int(entry["Size"]),
                    round((entry["LastModified"] - EPOCH).total_seconds() * US_PER_SECOND),
                )
                for entry in list_objects(self._clients, self._bucket, prefix)
                # What a console puts in the place of a folder.
                if not str(entry["Key"]).endswith("/")
            ]

    def read(self, path: str, *, last_bytes: int = 0) -> bytes:
        """See Store."""
        with aws_errors(f"reading {self.uri}/{path}"):
            return read_object(
                self._clients, self._bucket, self._root + path, last_bytes=last_bytes
            )

    def put(self, path: str, content: bytes, *, landed_us: int) -> None:
        """See Store; when it landed, its name says: S3 takes no time of ours."""
        with aws_errors(f"writing {self.uri}/{path}"):
            self._clients.client("s3").put_object(
                Bucket=self._bucket, Key=self._root + path, Body=content
            )

    def delete(self, paths: Iterable[str]) -> None:
        """See Store."""
        with aws_errors(f"deleting what lies below {self.uri}"):
            delete_objects(self._clients, self._bucket, (self._root + path for path in paths))
