"""Footers of Parquet objects in S3, by reading their ends alone."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from tick_pipeline.resources.aws.clients import aws_errors
from tick_pipeline.resources.aws.s3_objects import at_once, read_object
from tick_pipeline.resources.footers import GONE, UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.resources.aws.clients import AwsClients
    from tick_pipeline.resources.footers import Footer, ReadFooters

#: As much as holds nearly every footer; of a larger one it tells the size.
_TAIL_BYTES = 64 << 10
#: The footer's size in four bytes, and the magic number. Source: https://parquet.apache.org/docs/file-format/
_TRAILER_BYTES, _SIZE_BYTES = 8, 4


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
        tail = read_object(clients, bucket, key, last_bytes=_TAIL_BYTES)
        size = tail[-_TRAILER_BYTES:][:_SIZE_BYTES]
        needed = int.from_bytes(size, "little") + _TRAILER_BYTES
        if len(tail) == _TAIL_BYTES < needed:
            tail = read_object(clients, bucket, key, last_bytes=needed)
        # Arrow looks for the footer from the end, so the end alone is a file to it.
        return pq.read_metadata(pa.BufferReader(tail))
    except FileNotFoundError:
        return GONE
    except pa.ArrowException:
        return UNREADABLE
