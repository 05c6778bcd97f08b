"""Sequence numbers that no tick of raw has: where each range is, and what of it is known to have arrived."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, as_datetime, hour_floor, now_us
from tick_pipeline.landing.numbers import Number, read_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tick_pipeline.resources.landing import Landing
    from tick_pipeline.resources.query_port import QueryEngine, QueryResult
    from tick_pipeline.storage import StorageMode

#: An event may be so much younger than its arrival: by a producer's clock that is ahead.
_AHEAD_US = US_PER_HOUR


@dataclass(frozen=True)
class Gap:
    """One range of numbers of a source and symbol that raw does not have.

    Attributes:
        source: who numbers.
        symbol: of what.
        first_missing: the range's first number.
        last_missing: its last, inclusive.
        missing: how many.
        in_errors: of these, those that a record in the error prefix has: a redrive can bring them.
        invalid: those that an invalid row of raw has, which does not tell its number rightly: not lost either.
        never_arrived: the rest.
        after_us: event time of the tick before the range, microseconds.
        before_us: of the tick after it.
        may_still_come: its hour is still open, or the delivery is behind.
    """

    source: str
    symbol: str
    first_missing: int
    last_missing: int
    missing: int
    in_errors: int
    invalid: int
    never_arrived: int
    after_us: int
    before_us: int
    may_still_come: bool


@dataclass(frozen=True)
class GapReport:
    """The gaps of a window in one storage mode.

    Attributes:
        gaps: by source, symbol and number.
        result: of the query that found them.
    """

    gaps: tuple[Gap, ...]
    result: QueryResult

    def total(self, what: str) -> int:
        """Sum of `missing`, `in_errors`, `invalid` or `never_arrived` over all gaps."""
        return sum(getattr(gap, what) for gap in self.gaps)

    @property
    def may_still_come(self) -> int:
        """Missing numbers of hours that are still open."""
        return sum(gap.missing for gap in self.gaps if gap.may_still_come)


def find_gaps(
    engine: QueryEngine,
    landing: Landing,
    mode: StorageMode,
    start_us: int,
    end_us: int,
    *,
    close_after_seconds: int,
) -> GapReport:
    """The gaps between the ticks of [start, end) in a mode's raw; what failed is read only where there are any.

    Args:
        engine: has raw.
        landing: has the error records.
        mode: whose.
        start_us: first event time, microseconds.
        end_us: end of the window, exclusive.
        close_after_seconds: an hour is open until so long after its end.

    Raises:
        QueryError: raw cannot be read.
        AwsError: on AWS, which refused a call, or did not answer.
    """
    asked = {"storage_mode": mode.value, "start": start_us, "end": end_us}
    result = engine.run_file("gaps", asked)
    rows = result.records
    if not rows:
        return GapReport((), result)
    errors = (
        read_number(record.data) for record in landing.error_records(mode, start_us - _AHEAD_US)
    )
    times = {"start": as_datetime(start_us), "end": as_datetime(end_us)}
    nameless = engine.run(_nameless_sql(mode), times).records
    return GapReport(
        sort_gaps(
            rows,
            errors=errors,
            invalid=(
                Number(row["source"] or None, row["symbol"], row["sequence"], row["event_us"])
                for row in nameless
            ),
            closed_us=now_us() - close_after_seconds * US_PER_SECOND
            if landing.positions()[mode].caught_up
            else 0,
        ),
        result,
    )


def sort_gaps(
    rows: Iterable[Mapping[str, Any]],
    *,
    errors: Iterable[Number],
    invalid: Iterable[Number],
    closed_us: int,
) -> tuple[Gap, ...]:
    """Tell for each missing range what of it arrived: a computation without I/O.

    Args:
        rows: the answer of `gaps`.
        errors: numbers of what failed. One that lacks source or symbol is whoever's misses it; a record that lacks
            the number takes one of a range whose time it shares.
        invalid: of invalid rows, in the same way.
        closed_us: hours that end by then are closed.
    """
    failed, wrong = _Arrived(errors), _Arrived(invalid)
    return tuple(_gap(row, failed, wrong, closed_us) for row in rows)


_Owner = tuple[str | None, str | None]


class _Arrived:
    """Numbers, and where a record tells none, event times, by the source and symbol that it tells."""

    def __init__(self, numbers: Iterable[Number]) -> None:
        sequences: defaultdict[_Owner, set[int]] = defaultdict(set)
        self._times: defaultdict[_Owner, list[int]] = defaultdict(list)
        for number in numbers:
            owner = number.source, number.symbol
            if number.sequence is not None:
                sequences[owner].add(number.sequence)
            elif number.event_us is not None:
                self._times[owner].append(number.event_us)
        self._sequences = {owner: sorted(found) for owner, found in sequences.items()}
        for times in self._times.values():
            times.sort()

    def sequences(self, row: Mapping[str, Any]) -> set[int]:
        """Numbers of a missing range."""
        found: set[int] = set()
        for owner in _owners(row):
            known = self._sequences.get(owner, [])
            found.update(_part(known, row["first_missing"], row["last_missing"]))
        return found

    def nameless(self, row: Mapping[str, Any]) -> int:
        """Records without a number whose event time lies between the ticks on both sides."""
        return sum(
            len(_part(self._times.get(owner, []), row["after_us"], row["before_us"]))
            for owner in _owners(row)
        )


def _owners(row: Mapping[str, Any]) -> tuple[_Owner, ...]:
    """The range's own, and what records tell that have half of it."""
    source, symbol = row["source"], row["symbol"]
    return (source, symbol), (source, None), (None, symbol)


def _part(ascending: list[int], first: int, last: int) -> list[int]:
    return ascending[bisect_left(ascending, first) : bisect_right(ascending, last)]


def _gap(row: Mapping[str, Any], failed: _Arrived, wrong: _Arrived, closed_us: int) -> Gap:
    missing: int = row["missing"]
    numbers = failed.sequences(row)
    of_rows = wrong.sequences(row) - numbers
    left = missing - len(numbers) - len(of_rows)
    nameless = min(failed.nameless(row), left)
    nameless_rows = min(wrong.nameless(row), left - nameless)
    hour_end_us = hour_floor(row["before_us"]) + US_PER_HOUR
    return Gap(
        source=row["source"],
        symbol=row["symbol"],
        first_missing=row["first_missing"],
        last_missing=row["last_missing"],
        missing=missing,
        in_errors=len(numbers) + nameless,
        invalid=len(of_rows) + nameless_rows,
        never_arrived=left - nameless - nameless_rows,
        after_us=row["after_us"],
        before_us=row["before_us"],
        may_still_come=hour_end_us > closed_us,
    )


def _nameless_sql(mode: StorageMode) -> str:
    """Rows that do not tell whose number they took, or which; a wrong symbol is none."""
    return (
        "select source, case when broken_rule = 'symbol_pattern' then null else symbol end as symbol, "  # noqa: S608
        f"case when sequence >= 1 then sequence end as sequence, event_us from {mode}.received "
        "where event_at >= :start and event_at < :end and broken_rule is not null and (source is null "
        "or source = '' or symbol is null or broken_rule = 'symbol_pattern' or sequence is null or sequence < 1)"
    )
