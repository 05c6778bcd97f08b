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

GONE = "a data file is not there"
UNREADABLE = "a data file cannot be read as Parquet"


def local_footers(paths: Sequence[str]) -> dict[str, Footer]:
    """Footers of files on a local disk."""
    return {path: _read(path) for path in paths}


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
