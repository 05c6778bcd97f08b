"""The files of one stored table by their names, on a local disk as in S3."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tick_pipeline.storage import landed_instant, partition_hour

if TYPE_CHECKING:
    from collections.abc import Iterable

_NS_PER_US = 1000


@dataclass(frozen=True)
class StoredFile:
    """One file.

    Attributes:
        path: relative to the table's folder.
        bytes: its size.
        modified_us: when it was written, microseconds since the epoch.
        named_us: when it got its name, if later.
    """

    path: str
    bytes: int
    modified_us: int
    named_us: int = 0

    @property
    def name(self) -> str:
        """Without its folder."""
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """Where it lies."""
        return self.path.rpartition("/")[0]

    @property
    def landed_us(self) -> int:
        """When its newest rows landed, microseconds."""
        return landed_instant(self.name, max(self.modified_us, self.named_us))

    @property
    def hour_us(self) -> int:
        """Start of the hour that its path's keys name, microseconds; -1 without keys."""
        hour = partition_hour(self.path)
        return -1 if hour is None else hour

    @property
    def is_data(self) -> bool:
        """Whether a reader of a Parquet table takes it for rows: Hive's rule."""
        hidden = any(part.startswith(("_", ".")) for part in self.path.split("/"))
        return self.hour_us >= 0 and not hidden


class Store(Protocol):
    """A table's folder.

    Attributes:
        uri: of the folder.
    """

    uri: str

    def files(self, folder: str = "") -> list[StoredFile]:
        """Every file below it, hidden ones, too, by path.

        Args:
            folder: look at this one of it alone; its path.

        Raises:
            AwsError: the bucket could not be listed.
        """
        ...

    def read(self, path: str, *, last_bytes: int = 0) -> bytes:
        """What a file holds.

        Args:
            path: where.
            last_bytes: only so many of its end, all if it has fewer; 0 for all of it.

        Raises:
            FileNotFoundError: it is not there.
            AwsError: it could not be read.
        """
        ...

    def put(self, path: str, content: bytes, *, landed_us: int) -> None:
        """Put a file, whole or not at all, in place of one that is there.

        Args:
            path: where.
            content: its bytes.
            landed_us: when its rows landed, for those who go by a file's time, microseconds.

        Raises:
            OSError: it could not be written.
            AwsError: it could not be written.
        """
        ...

    def delete(self, paths: Iterable[str]) -> None:
        """Remove files, where they are there.

        Raises:
            AwsError: one could not be removed; others may be gone.
        """
        ...


class LocalStore:
    """A folder on a local disk.

    Args:
        root: absolute; it need not be there yet.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.uri = f"file://{root}"

    def files(self, folder: str = "") -> list[StoredFile]:
        """See Store."""
        found: list[StoredFile] = []
        for where, _, names in os.walk(self._root / folder):
            for name in names:
                path = Path(where, name)
                # Whoever writes or removes files goes on beside this.
                with suppress(FileNotFoundError):
                    told = path.stat()
                    relative = path.relative_to(self._root).as_posix()
                    times_us = (told.st_mtime_ns // _NS_PER_US, told.st_ctime_ns // _NS_PER_US)
                    found.append(StoredFile(relative, told.st_size, *times_us))
        return sorted(found, key=lambda file: file.path)

    def read(self, path: str, *, last_bytes: int = 0) -> bytes:
        """See Store."""
        with (self._root / path).open("rb") as file:
            if last_bytes:
                size_bytes = file.seek(0, os.SEEK_END)
                file.seek(max(0, size_bytes - last_bytes))
            return file.read()

    def put(self, path: str, content: bytes, *, landed_us: int) -> None:
        """See Store; its bytes are on the disk when this returns."""
        target = self._root / path
        temporary = target.with_name(f"_{target.name}.tmp")
        with temporary.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        os.utime(temporary, ns=(landed_us * _NS_PER_US, landed_us * _NS_PER_US))
        temporary.replace(target)

    def delete(self, paths: Iterable[str]) -> None:
        """See Store; folders stay, a writer beside this may be about to use one."""
        for path in paths:
            (self._root / path).unlink(missing_ok=True)
