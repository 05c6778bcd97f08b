"""What was redriven, so that nothing is twice: a small text for each batch, in a folder that all who redrive share.

The text is written before the batch is put, unsettled, and again when the put is known to be done. Whoever is
killed in between leaves it unsettled: the next redrive looks into the stream for what of it was put.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tick_pipeline.errors import LandingError
from tick_pipeline.home import write_atomically
from tick_pipeline.spark.locks import exclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from contextlib import AbstractContextManager

    from tick_pipeline.home import Home

_VERSION = 1
_DIGITS_OF_TIME = 17
_DIGITS_OF_NAME = 8
_SUFFIX = ".json"
_WAIT_SECONDS = 10.0


@dataclass(frozen=True)
class Plan:
    """One batch.

    Attributes:
        planned_us: when it was written down first, microseconds.
        pairs: identity of each record that failed, and that of the record which is put for it.
        settled: the second of each pair is in the stream.
    """

    planned_us: int
    pairs: tuple[tuple[str, str], ...]
    settled: bool = False

    @property
    def name(self) -> str:
        """Of its text: a function of when and what, so that names sort as the batches came."""
        digest = hashlib.sha256(json.dumps(self.pairs[:1]).encode()).hexdigest()
        return f"{self.planned_us:0{_DIGITS_OF_TIME}d}-{digest[:_DIGITS_OF_NAME]}{_SUFFIX}"

    def to_json(self) -> str:
        """As `parse_plan` reads it."""
        return json.dumps({"version": _VERSION, "settled": self.settled, "records": self.pairs})


class MemoryFolder(Protocol):
    """Where the texts lie."""

    def texts(self, after: str) -> Iterator[tuple[str, str]]:
        """Name and text of each whose name sorts after `after`, by name.

        Raises:
            OSError: the folder cannot be read.
            AwsError: the bucket cannot be read.
        """
        ...

    def write(self, name: str, text: str) -> None:
        """Put a text, in place of one of that name, durably and whole.

        Raises:
            OSError: the folder cannot be written.
            AwsError: the bucket cannot be written.
        """
        ...

    def held(self) -> AbstractContextManager[Callable[[], None]]:
        """Hold the memory alone; what it gives is called before each put, and raises where it is not held any more.

        Raises:
            BusyError: another process holds it.
        """
        ...


class LocalMemoryFolder:
    """The memory of a HOME.

    Args:
        home: which.
    """

    def __init__(self, home: Home) -> None:
        self._folder = home.path / "redrive"
        self._lock = home.locks / "redrive.lock"

    def texts(self, after: str) -> Iterator[tuple[str, str]]:
        """See MemoryFolder."""
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            if path.name > after:
                yield path.name, path.read_text(encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        """See MemoryFolder."""
        # A HOME of an earlier release has none.
        self._folder.mkdir(exist_ok=True)
        write_atomically(self._folder / name, text)

    @contextmanager
    def held(self) -> Generator[Callable[[], None]]:
        """See MemoryFolder. A lock of the system: whoever is killed holds it no more."""
        with exclusive(self._lock, what="the redrive", wait_seconds=_WAIT_SECONDS):
            yield lambda: None


@dataclass(frozen=True)
class Memory:
    """What the texts tell.

    Attributes:
        redriven: identities of records that failed and were redriven.
        put: identities of what was put for them.
        unsettled: batches of which nobody knows whether they were put.
    """

    redriven: frozenset[str]
    put: frozenset[str]
    unsettled: tuple[Plan, ...]

    @property
    def under_way(self) -> frozenset[str]:
        """Identities of the failed records of the unsettled batches."""
        return frozenset(failed for plan in self.unsettled for failed, _ in plan.pairs)


def recall(folder: MemoryFolder, since_us: int = 0) -> Memory:
    """What was redriven at an instant or later.

    Args:
        folder: of the texts.
        since_us: batches that were written down before are left out, microseconds.

    Raises:
        LandingError: a text cannot be read.
        OSError: the folder cannot be read.
        AwsError: the bucket cannot be read.
    """
    after = f"{max(since_us, 0):0{_DIGITS_OF_TIME}d}"
    plans = [_parse_plan(name, text) for name, text in folder.texts(after)]
    settled = [plan for plan in plans if plan.settled]
    return Memory(
        redriven=frozenset(failed for plan in settled for failed, _ in plan.pairs),
        put=frozenset(put for plan in settled for _, put in plan.pairs),
        unsettled=tuple(plan for plan in plans if not plan.settled),
    )


def _parse_plan(name: str, text: str) -> Plan:
    try:
        document = json.loads(text)
        if document["version"] != _VERSION:
            raise LandingError(
                f"{name} of the redrive's memory is of version {document['version']}, this tick_pipeline needs "
                f"{_VERSION}; redrive with the release that wrote it"
            )
        pairs = tuple((str(failed), str(put)) for failed, put in document["records"])
        return Plan(int(name.partition("-")[0]), pairs, bool(document["settled"]))
    except (ValueError, KeyError, TypeError) as error:
        raise LandingError(
            f"{name} of the redrive's memory cannot be read ({error!r}); without it records would be redriven "
            "twice: restore it"
        ) from error
