"""Where error objects lie: what lists and reads those of a storage mode, on a disk as in a bucket."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tick_pipeline.event_time import US_PER_SECOND, as_datetime
from tick_pipeline.storage import error_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tick_pipeline.storage import StorageMode

#: Firehose names an object's hour by its oldest record; others of it arrived up to this much later.
#: Source: https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html and, for its longest
#: buffering, https://docs.aws.amazon.com/firehose/latest/dev/buffering-hints.html
_BUFFERED_US = 900 * US_PER_SECOND
_HOUR = "%Y/%m/%d/%H"
_SPAN = re.compile(r"(?:^|/)(\d{4}(?:/\d{2}){0,3})/")


@dataclass(frozen=True)
class Arrivals:
    """Half-open range of the time at which the stream took a record, microseconds; an end of None is now."""

    start_us: int = 0
    end_us: int | None = None

    @property
    def oldest_hour(self) -> str:
        """`YYYY/MM/DD/HH` of the first folder that may hold a record of the range."""
        return as_datetime(max(self.start_us - _BUFFERED_US, 0)).strftime(_HOUR)

    @property
    def newest_hour(self) -> str | None:
        """The last such folder; None where the range has no end."""
        return None if self.end_us is None else as_datetime(self.end_us - 1).strftime(_HOUR)

    def may_hold(self, name: str) -> bool:
        """Whether an object, or a folder that ends with `/`, may hold records of the range.

        What lies outside the folders of years, months, days and hours may hold any.
        """
        match = _SPAN.search(name)
        if match is None:
            return True
        span, newest = match[1], self.newest_hour
        return span >= self.oldest_hour[: len(span)] and (
            newest is None or span <= newest[: len(span)]
        )


@dataclass(frozen=True)
class ErrorObject:
    """One object below a mode's error root.

    Attributes:
        name: relative to that root.
        data: its bytes; None where it cannot be read.
        fault: why it cannot.
    """

    name: str
    data: bytes | None
    fault: str = ""


class ErrorStore(Protocol):
    """The error objects of both storage modes."""

    def names(self, mode: StorageMode, arrivals: Arrivals) -> Iterator[str]:
        """Objects that may hold records of the range, relative to the mode's error root.

        Folders of other hours are not listed; what lies outside the folders of hours always is.

        Raises:
            OSError: a folder cannot be listed.
            AwsError: the bucket cannot be listed.
        """
        ...

    def read(self, mode: StorageMode, arrivals: Arrivals) -> Iterator[ErrorObject]:
        """Those objects with their bytes; one that expired since it was listed is left out.

        Raises:
            OSError: a folder cannot be listed.
            AwsError: the bucket cannot be listed, or does not answer.
        """
        ...


class LocalErrorStore:
    """The error objects of a warehouse on a local disk.

    Args:
        warehouse: its path.
    """

    def __init__(self, warehouse: Path | str) -> None:
        self._warehouse = str(warehouse)

    def names(self, mode: StorageMode, arrivals: Arrivals) -> Iterator[str]:
        """See ErrorStore."""
        root = self._root(mode)
        for path in _walk(root, root, arrivals):
            yield path.relative_to(root).as_posix()

    def read(self, mode: StorageMode, arrivals: Arrivals) -> Iterator[ErrorObject]:
        """See ErrorStore."""
        root = self._root(mode)
        for name in self.names(mode, arrivals):
            found = _read(root, name)
            if found is not None:
                yield found

    def _root(self, mode: StorageMode) -> Path:
        return Path(error_root(self._warehouse, mode))


def _read(root: Path, name: str) -> ErrorObject | None:
    try:
        return ErrorObject(name, (root / name).read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        return ErrorObject(name, None, str(error.strerror))


def _walk(folder: Path, root: Path, arrivals: Arrivals) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except FileNotFoundError:
        return  # no error yet, or gone since its parent was listed
    for path in entries:
        if path.is_dir():
            if arrivals.may_hold(f"{path.relative_to(root).as_posix()}/"):
                yield from _walk(path, root, arrivals)
        # Ours while being written, never Firehose's.
        elif path.is_file() and not (path.name.startswith("_") and path.name.endswith(".tmp")):
            yield path
