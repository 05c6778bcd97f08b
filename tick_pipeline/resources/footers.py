"""Footers of Parquet files, which tell columns and rows without the data."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    #: Arrow's metadata of a file; or a text, why there is none.
    Footer: TypeAlias = Any
    #: Paths -> the footer of each.
    ReadFooters: TypeAlias = Callable[[Sequence[str]], dict[str, Footer]]

#: As much as holds nearly every footer; of a larger one it tells the size.
_TAIL_BYTES = 64 << 10
#: The footer's size in four bytes, and the magic number. Source: https://parquet.apache.org/docs/file-format/
_TRAILER_BYTES, _SIZE_BYTES = 8, 4

GONE = "a data file is not there"
UNREADABLE = "a data file cannot be read as Parquet"


def local_footers(paths: Sequence[str]) -> dict[str, Footer]:
    """Footers of files on a local disk."""
    return {path: _read(path) for path in paths}


def read_footer(read_end: Callable[[int], bytes]) -> Footer:
    """A file's footer, from its end alone.

    Args:
        read_end: gives so many of the file's last bytes, all if it has fewer.

    Raises:
        ArrowException: it is no Parquet file.
    """
    end = read_end(_TAIL_BYTES)
    needed = int.from_bytes(end[-_TRAILER_BYTES:][:_SIZE_BYTES], "little") + _TRAILER_BYTES
    if len(end) == _TAIL_BYTES < needed:
        end = read_end(needed)
    # Arrow looks for the footer from the end, so the end alone is a file to it.
    return pq.read_metadata(pa.BufferReader(end))


def count_rows(footers: dict[str, Footer]) -> int:
    """Rows of the files that have a footer."""
    return sum(footer.num_rows for footer in footers.values() if not isinstance(footer, str))


def _read(path: str) -> Footer:
    try:
        return pq.read_metadata(path)
    except FileNotFoundError:
        return GONE
    except (OSError, pa.ArrowException):
        return UNREADABLE
