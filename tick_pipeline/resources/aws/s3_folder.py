"""Small objects below a prefix of S3, each put whole or not at all."""

# boto3 makes its clients at run time
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from tick_pipeline.resources.aws.clients import aws_errors, error_code
from tick_pipeline.resources.aws.s3_objects import delete_objects, list_keys

if TYPE_CHECKING:
    from tick_pipeline.resources.aws.clients import AwsClients

_MISSING = frozenset({"NoSuchKey", "404"})


class S3Folder:
    """Objects by their names below a prefix.

    Args:
        clients: of AWS.
        uri: `s3://<bucket>/<prefix>`.
    """

    def __init__(self, clients: AwsClients, uri: str) -> None:
        self.uri = uri.rstrip("/")
        place = urlsplit(self.uri)
        self._bucket, self._prefix = place.netloc, place.path.strip("/")
        self._clients = clients
        self._s3 = clients.client("s3")

    def read(self, name: str) -> str | None:
        """What an object holds; None where there is none.

        Raises:
            AwsError: S3 refused, or did not answer.
        """
        with aws_errors(f"reading {self.uri}/{name}"):
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}")
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return None
                raise
            return str(answer["Body"].read().decode())

    def write(self, name: str, text: str) -> None:
        """Put an object, in place of one that is there.

        Raises:
            AwsError: S3 refused, or did not answer.
        """
        with aws_errors(f"writing {self.uri}/{name}"):
            self._s3.put_object(
                Bucket=self._bucket, Key=f"{self._prefix}/{name}", Body=text.encode()
            )

    def delete(self, *names: str) -> None:
        """Remove objects, where they are there.

        Raises:
            AwsError: S3 refused, or did not answer.
        """
        for name in names:
            with aws_errors(f"deleting {self.uri}/{name}"):
                self._s3.delete_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}")

    def clear(self) -> None:
        """Remove all objects.

        Raises:
            AwsError: S3 refused, or did not answer; some may be gone.
        """
        with aws_errors(f"deleting what lies below {self.uri}"):
            keys = list_keys(self._clients, self._bucket, f"{self._prefix}/")
            delete_objects(self._clients, self._bucket, keys)
