"""What reached a mode's error prefix of late: how much, why, in which folders, and how old it is."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.landing.error_records import UNREADABLE, ErrorRecord, read_errors
from tick_pipeline.landing.error_store import Arrivals
from tick_pipeline.landing.redrive_records import identity_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tick_pipeline.landing.error_store import ErrorStore
    from tick_pipeline.storage import StorageMode

#: So many records, which take some 10 MB, are told from their copies; beyond, each counts.
MOST_KNOWN = 100_000
_IDENTITY_BYTES = 16


@dataclass(frozen=True)
class ErrorSummary:
    """The error records of one mode that arrived at an instant or later, and were not redriven.

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
        redriven: those that were; in no other figure.
        copies: of a record that counts already, as `deliver --again` writes them, and a Firehose at times;
            in no other figure.
    """

    count: int
    by_reason: dict[str, int]
    by_type: dict[str, int]
    newest_us: int | None
    oldest_us: int | None
    objects: int
    unreadable: dict[str, str]
    redriven: int = 0
    copies: int = 0


def recent_errors(
    store: ErrorStore,
    mode: StorageMode,
    since_us: int,
    until_us: int | None = None,
    *,
    redriven: Collection[str] = (),
) -> ErrorSummary:
    """Sum up a mode's error records that arrived at `since_us` or later, and before `until_us`.

    Folders of other hours are not entered. What does not say when it arrived counts as recent.

    Args:
        store: of the error objects.
        mode: whose error prefix.
        since_us: arrival of the first that counts, microseconds.
        until_us: arrival of the first later one that does not; None for no end.
        redriven: identities of records that were redriven.

    Raises:
        OSError: a folder cannot be listed.
        AwsError: the bucket cannot be listed, or does not answer.
    """
    tally = _Tally()
    for record in arrived_errors(store, mode, Arrivals(since_us, until_us)):
        if tally.knows(record):
            tally.copies += 1
        elif redriven and identity_of(record.data) in redriven:
            tally.redriven += 1
        else:
            tally.add(record)
    return tally.summary()


def arrived_errors(
    store: ErrorStore, mode: StorageMode, arrivals: Arrivals
) -> Iterator[ErrorRecord]:
    """A mode's error records of a range of arrival, and those that do not say when they arrived.

    Raises:
        OSError: a folder cannot be listed.
        AwsError: the bucket cannot be listed, or does not answer.
    """
    return (record for record in read_errors(store, mode, arrivals) if _is_of(record, arrivals))


@dataclass
class _Tally:
    """Counts record by record: a bad day's records need not fit the memory."""

    codes: Counter[str] = field(default_factory=Counter[str])
    messages: dict[str, str] = field(default_factory=dict[str, str])
    types: Counter[str] = field(default_factory=Counter[str])
    arrivals: tuple[int, int] | None = None
    paths: set[str] = field(default_factory=set[str])
    unreadable: dict[str, str] = field(default_factory=dict[str, str])
    redriven: int = 0
    copies: int = 0
    known: set[bytes] = field(default_factory=set[bytes])

    def knows(self, record: ErrorRecord) -> bool:
        """Whether it is a copy; what does not say its place in the stream is none, nor what comes after too many."""
        if record.sequence_number is None:
            return False
        place = f"{record.shard_id} {record.sequence_number} ".encode()
        # Records that a producer put together share their number.
        identity = hashlib.blake2b(place + record.data, digest_size=_IDENTITY_BYTES).digest()
        if identity in self.known:
            return True
        if len(self.known) < MOST_KNOWN:
            self.known.add(identity)
        return False

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
            redriven=self.redriven,
            copies=self.copies,
        )


def _is_of(record: ErrorRecord, arrivals: Arrivals) -> bool:
    if record.arrival_us is None:
        return True
    # Of a line that cannot be read, the hour is all that is known.
    known_for_us = US_PER_HOUR - 1 if record.code == UNREADABLE else 0
    return record.arrival_us + known_for_us >= arrivals.start_us and (
        arrivals.end_us is None or record.arrival_us < arrivals.end_us
    )
