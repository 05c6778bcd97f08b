"""What upkeep does to a table, decided from the names, sizes and hours of its files alone."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Protocol, TypeVar

from tick_pipeline.event_time import US_PER_HOUR, format_instant, hour_floor
from tick_pipeline.queries.relations import Relation
from tick_pipeline.storage import RAW, TICKS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tick_pipeline.queries.pruning import TimeRange
    from tick_pipeline.storage import StorageMode

#: What a merged file may have at most: some three million ticks, which are sorted in about a gigabyte of memory.
TARGET_BYTES = 64 << 20
#: A file of less is small.
SMALL_BYTES = TARGET_BYTES // 2
#: An hour with fewer small files stays as it is, as with Glue's optimizer (terraform/table_optimizers.tf).
LEAST_FILES = 5
#: Snapshots that stay, however old they are.
LEAST_SNAPSHOTS = 10
#: From so many manifests on, they are rewritten.
LEAST_MANIFESTS = 10
#: Hours after which a file that nothing refers to is an orphan: longer than any job writes.
ORPHAN_HOURS = 72
#: The standard query reads no more, counted back from the newest hour that changed.
MEASURED_HOURS = 24


class HourFile(Protocol):
    """A data file of one hour."""

    @property
    def path(self) -> str:
        """Where it is."""
        ...

    @property
    def bytes(self) -> int:
        """Its size."""
        ...

    @property
    def hour_us(self) -> int:
        """Start of its hour, microseconds."""
        ...


File = TypeVar("File", bound=HourFile)


def files_to_merge(
    files: Iterable[File], times: TimeRange, *, closed_before_us: int
) -> list[list[File]]:
    """Groups of small files of one hour, each to become one file.

    Args:
        files: of the table.
        times: hours that it touches are looked at.
        closed_before_us: an hour that ends later is left alone, microseconds.
    """
    of_hours = sorted(files, key=lambda file: (file.hour_us, file.path))
    groups: list[list[File]] = []
    for hour_us, of_hour in groupby(of_hours, key=lambda file: file.hour_us):
        small = [file for file in of_hour if file.bytes < SMALL_BYTES]
        if (
            len(small) >= LEAST_FILES
            and hour_us + US_PER_HOUR <= closed_before_us
            and times.touches_hour(hour_us)
        ):
            groups += [group for group in _bins(small) if len(group) > 1]
    return groups


def files_to_drop(files: Iterable[File], *, before_us: int | None) -> list[File]:
    """Files of hours that retention ends; None keeps all."""
    return [file for file in files if before_us is not None and file.hour_us < before_us]


def retention_start(now_us: int, retain_hours: int | None) -> int | None:
    """Start of the oldest hour that stays, microseconds; None where all stay."""
    return None if retain_hours is None else hour_floor(now_us - retain_hours * US_PER_HOUR)


def expiry_instant(
    now_us: int, keep_hours: int, snapshots_us: Sequence[int], needed_us: Iterable[int | None]
) -> int:
    """Snapshots that are older than this may go, microseconds.

    Args:
        now_us: the clock.
        keep_hours: for how long the table can be read as it was.
        snapshots_us: when each snapshot was made.
        needed_us: moments of the oldest snapshot that somebody has still to read, where there is one.
    """
    newest = sorted(snapshots_us)[-LEAST_SNAPSHOTS:]
    limits = [*newest[:1], *(us for us in needed_us if us is not None)]
    return min(now_us - keep_hours * US_PER_HOUR, *limits) if limits else 0


def measured_range(hours_us: Collection[int]) -> tuple[int, int]:
    """What the standard query reads of hours that changed: a day at most, up to the last one's end, microseconds.

    Two hours may lie a year apart, and on AWS a query costs what it reads.
    """
    end_us = max(hours_us) + US_PER_HOUR
    return max(min(hours_us), end_us - MEASURED_HOURS * US_PER_HOUR), end_us


def standard_query(mode: StorageMode, table: str, start_us: int, end_us: int) -> str:
    """The query that upkeep is measured by: every symbol's rows of some hours, and its newest."""
    relation = Relation(mode, TICKS if table == RAW else table)
    time = relation.instant_column
    since, until = (
        f"timestamp '{format_instant(us)[:-1].replace('T', ' ')} UTC'" for us in (start_us, end_us)
    )
    return (
        f"select symbol, count(*) as row_count, max({time}) as newest from {relation} "  # noqa: S608
        f"where {time} >= {since} and {time} < {until} group by symbol order by symbol"
    )


def _bins(files: Sequence[File]) -> list[list[File]]:
    """Neighbours whose sizes together fit into one file."""
    bins: list[list[File]] = [[]]
    size_bytes = 0
    for file in files:
        if size_bytes + file.bytes > TARGET_BYTES:
            bins.append([])
            size_bytes = 0
        bins[-1].append(file)
        size_bytes += file.bytes
    return bins
