"""What reached a mode's error prefix of late: how much, why, in which folders, and how old it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.landing.error_records import (
    UNREADABLE,
    ErrorRecord,
    error_objects,
    read_object,
)
from tick_pipeline.storage import error_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tick_pipeline.storage import StorageMode


@dataclass(frozen=True)
class ErrorSummary:
    """The error records of one mode that arrived at an instant or later.

    Attributes:
        count: how many; a line that is no error record counts, too, and so does an object that
            cannot be read.
        by_reason: why -> how many, most first: `code: message` where each record of the code has
            that message, else the code.
        by_type: folder of the error type, known or not -> how many, most first.
        newest_us: when the newest arrived, microseconds; the start of its folder's hour where its
            line does not say; None without any.
        oldest_us: the same of the oldest.
        objects: objects that hold them.
        unreadable: path below the mode's error root -> why a line of it, or all of it, could not be
            read, or when it arrived is not known.
    """

    count: int
    by_reason: dict[str, int]
    by_type: dict[str, int]
    newest_us: int | None
    oldest_us: int | None
    objects: int
    unreadable: dict[str, str]


def recent_errors(warehouse: str, mode: StorageMode, since_us: int) -> ErrorSummary:
    """Sum up a mode's error records that arrived at `since_us` or later.

    Folders of older hours are not entered. What does not say when it arrived counts as recent.

    Args:
        warehouse: its path.
        mode: whose error prefix.
        since_us: arrival of the first that counts, microseconds.

    Raises:
        OSError: a folder cannot be listed.
    """
    tally = _Tally()
    for record in _recent(Path(error_root(warehouse, mode)), since_us):
        tally.add(record)
    return tally.summary()


@dataclass
class _Tally:
    """Counts record by record: a bad day's records need not fit the memory."""

    codes: Counter[str] = field(default_factory=Counter[str])
    messages: dict[str, str] = field(default_factory=dict[str, str])
    types: Counter[str] = field(default_factory=Counter[str])
    arrivals: tuple[int, int] | None = None
    paths: set[str] = field(default_factory=set[str])
    unreadable: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, record: ErrorRecord) -> None:
        self.codes[record.code] += 1
        if self.messages.setdefault(record.code, record.message) != record.message:
            self.messages[record.code] = ""
        self.types[record.error_type] += 1
        self.paths.add(record.path)
        arrival_us = record.arrival_us
        if record.code == UNREADABLE:
            self.unreadable.setdefault(record.path, record.message)
        elif arrival_us is None:
            self.unreadable.setdefault(record.path, "it does not say when its records arrived")
        if arrival_us is not None:
            oldest, newest = self.arrivals or (arrival_us, arrival_us)
            self.arrivals = min(oldest, arrival_us), max(newest, arrival_us)

    def summary(self) -> ErrorSummary:
        oldest_us, newest_us = self.arrivals or (None, None)
        return ErrorSummary(
            count=self.codes.total(),
            by_reason={
                f"{code}: {self.messages[code]}" if self.messages[code] else code: count
                for code, count in self.codes.most_common()
            },
            by_type=dict(self.types.most_common()),
            newest_us=newest_us,
            oldest_us=oldest_us,
            objects=len(self.paths),
            unreadable=self.unreadable,
        )


def _recent(root: Path, since_us: int) -> Iterator[ErrorRecord]:
    for path in error_objects(root, since_us):
        yield from (record for record in _records(path, root) if _is_recent(record, since_us))


def _records(path: Path, root: Path) -> Iterator[ErrorRecord]:
    try:
        yield from read_object(path, root)
    except FileNotFoundError:
        return  # redriven since it was listed
    except OSError as error:
        place = path.relative_to(root)
        message = f"the object cannot be read: {error.strerror}"
        yield ErrorRecord(place.parts[0], place.as_posix(), UNREADABLE, message, None, b"")


def _is_recent(record: ErrorRecord, since_us: int) -> bool:
    if record.arrival_us is None:
        return True
    # Of a line that cannot be read, the hour is all that is known.
    known_for_us = US_PER_HOUR - 1 if record.code == UNREADABLE else 0
    return record.arrival_us + known_for_us >= since_us
