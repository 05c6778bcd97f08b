"""Footers of Parquet objects in S3, by reading their ends alone."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pyarrow as pa

from tick_pipeline.resources.aws.clients import aws_errors
from tick_pipeline.resources.aws.s3_objects import at_once, read_object
from tick_pipeline.resources.footers import GONE, UNREADABLE, read_footer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.resources.aws.clients import AwsClients
    from tick_pipeline.resources.footers import Footer, ReadFooters


def s3_footers(clients: AwsClients) -> ReadFooters:
    """What reads the footers of objects, each as `s3://<bucket>/<key>`.

    It raises AwsError where S3 refuses, or does not answer.
    """

    def read(path: str) -> tuple[str, Footer]:
        return path, _read(clients, path)

    def footers(paths: Sequence[str]) -> dict[str, Footer]:
        with aws_errors("reading Parquet's footers in S3"):
            return dict(at_once(read, paths))

    return footers


def _read(clients: AwsClients, path: str) -> Footer:
    place = urlsplit(path)
    bucket, key = place.netloc, place.path.lstrip("/")
    try:
        return read_footer(lambda size: read_object(clients, bucket, key, last_bytes=size))
    except FileNotFoundError:
        return GONE
    except pa.ArrowException:
        return UNREADABLE
