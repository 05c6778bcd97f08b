"""Small objects that a job on Glue writes beside its tables, by the boto3 that is on every Glue worker."""

# boto3 has no types
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit


def s3_client() -> Any:
    """boto3's client of S3, with the job's role and region."""
    # Only a job on AWS comes here: elsewhere boto3 need not be installed.
    import boto3  # noqa: PLC0415

    aws: Any = boto3
    return aws.client("s3")


def put_text(uri: str, text: str) -> None:
    """Write an object, whole or not at all.

    Args:
        uri: `s3://<bucket>/<key>`.
        text: what it holds, as UTF-8.
    """
    place = urlsplit(uri)
    s3_client().put_object(
        Bucket=place.netloc, Key=place.path.lstrip("/"), Body=text.encode("utf-8")
    )
