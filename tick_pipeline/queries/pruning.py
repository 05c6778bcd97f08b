"""Which hours of a table a statement can touch, from its WHERE clauses; and the keys that say so.

Every table is partitioned by the UTC hour of its rows' time. In Parquet the hour stands in four string
keys, which no engine connects with the time column: a filter on the time would read every hour. So what a
WHERE clause says about time, or about leading keys, is worked out before the statement runs, and said again
in the other form. Only conditions joined by AND in the SELECT that names the table count; a missed one costs
reading, never rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from tick_pipeline.event_time import (
    MAX_EVENT_US,
    MIN_EVENT_US,
    US_PER_HOUR,
    as_datetime,
    hour_floor,
    parse_instant,
)
from tick_pipeline.storage import PARTITION_KEYS, StorageMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tick_pipeline.queries.reader import Source

    #: Computes an expression without columns: an instant in microseconds or an integer, or a text; None
    #: where it has no such value.
    Evaluate = Callable[[exp.Expr, type[int | str]], int | str | None]

_FLIPPED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.EQ: exp.EQ,
}
_MOVING = (exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.Anonymous, exp.Rand)


@dataclass(frozen=True)
class TimeRange:
    """Half-open range of microseconds; None is unbounded."""

    start_us: int | None = None
    end_us: int | None = None

    @property
    def bounded(self) -> bool:
        """Whether it excludes any time."""
        return self.start_us is not None or self.end_us is not None

    def intersect(self, other: TimeRange) -> TimeRange:
        """The times in both."""
        starts = [us for us in (self.start_us, other.start_us) if us is not None]
        ends = [us for us in (self.end_us, other.end_us) if us is not None]
        return TimeRange(max(starts, default=None), min(ends, default=None))

    def hull(self, other: TimeRange) -> TimeRange:
        """The smallest range that holds both."""
        starts, ends = (self.start_us, other.start_us), (self.end_us, other.end_us)
        return TimeRange(
            None if None in starts else min(us for us in starts if us is not None),
            None if None in ends else max(us for us in ends if us is not None),
        )

    def touches_hour(self, hour_us: int) -> bool:
        """Whether any of the hour that begins then is in it."""
        return (self.start_us is None or hour_us + US_PER_HOUR > self.start_us) and (
            self.end_us is None or hour_us < self.end_us
        )


@dataclass(frozen=True)
class Scan:
    """A relation as one SELECT reads it: the times that can matter."""

    source: Source
    times: TimeRange


def find_scans(sources: Iterable[Source], evaluate: Evaluate) -> list[Scan]:
    """The times that each named relation is read for."""
    return [Scan(source, _times(source, evaluate)) for source in sources]


def say_hours(scans: Iterable[Scan]) -> None:
    """Add to each SELECT, in place, the conditions that let its engine skip files.

    They follow from conditions that are there already, so no row is lost.
    """
    for scan in scans:
        select = scan.source.node.find_ancestor(exp.Select)
        if select is None or not scan.times.bounded:
            continue
        relation = scan.source.relation
        if relation.mode is StorageMode.PARQUET_PROJECTION:
            conditions = list(_key_conditions(scan.times, scan.source.node.alias_or_name))
        elif relation.instant_column:
            conditions = list(_time_conditions(scan, relation.instant_column))
        else:
            continue
        select.where(*conditions, copy=False)


def _times(source: Source, evaluate: Evaluate) -> TimeRange:
    select = source.node.find_ancestor(exp.Select)
    where = select.args.get("where") if select else None
    if select is None or not isinstance(where, exp.Where):
        return TimeRange()
    alias = source.node.alias_or_name
    alone = isinstance(source.node.parent, exp.From) and not select.args.get("joins")
    found, keys = TimeRange(), dict[str, str]()
    for condition in _conjuncts(where.this):
        for column, operator, value in _comparisons(condition):
            if column.table != alias and not (alone and not column.table):
                continue
            found = found.intersect(_bound(source, column.name.lower(), operator, value, evaluate))
            if column.name.lower() in PARTITION_KEYS and operator is exp.EQ:
                text = evaluate(value, str)
                keys[column.name.lower()] = str(text)
    return found.intersect(_times_of_keys(keys)) if source.relation.has_keys else found


def _conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    bare = condition.unnest()
    if isinstance(bare, exp.And):
        for part in (bare.left, bare.right):
            yield from _conjuncts(part)
    else:
        yield bare


def _comparisons(
    condition: exp.Expr,
) -> Iterator[tuple[exp.Column, type[exp.Expr], exp.Expr]]:
    """`column operator constant`, also of BETWEEN and of the flipped form."""
    if isinstance(condition, exp.Between) and isinstance(condition.this, exp.Column):
        for name, operator in (("low", exp.GTE), ("high", exp.LTE)):
            if _is_constant(condition.args[name]):
                yield condition.this, operator, condition.args[name]
    operator = type(condition)
    if operator not in _FLIPPED:
        return
    left, right = condition.args["this"].unnest(), condition.args["expression"].unnest()
    if isinstance(left, exp.Column) and _is_constant(right):
        yield left, operator, right
    elif isinstance(right, exp.Column) and _is_constant(left):
        yield right, _FLIPPED[operator], left


def _is_constant(value: exp.Expr) -> bool:
    return value.find(exp.Column, exp.Query, exp.AggFunc, exp.Window, exp.Star) is None


def _bound(
    source: Source,
    column: str,
    operator: type[exp.Expr],
    value: exp.Expr,
    evaluate: Evaluate,
) -> TimeRange:
    relation = source.relation
    if column == relation.instant_column:
        us = evaluate(exp.cast(value.copy(), "timestamptz"), int)
    elif column == relation.us_column:
        us = evaluate(value, int)
    else:
        return TimeRange()
    # `now()` is later when the statement runs: a bound below stays true, one above may not.
    moving = value.find(*_MOVING) is not None and operator not in (exp.GT, exp.GTE)
    if not isinstance(us, int) or moving:
        return TimeRange()
    start = us + (operator is exp.GT) if operator in (exp.GT, exp.GTE, exp.EQ) else None
    end = us + (operator is not exp.LT) if operator in (exp.LT, exp.LTE, exp.EQ) else None
    return TimeRange(start, end)


def _times_of_keys(keys: dict[str, str]) -> TimeRange:
    """The times of `year = '2026' [and month = '01' [and day = '31' [and hour = '09']]]`."""
    texts = [keys.get(key) for key in PARTITION_KEYS]
    given = texts[: texts.index(None)] if None in texts else texts
    if not given:
        return TimeRange()
    first = [text or "" for text in (*given, *("01", "01", "00")[len(given) - 1 :])]
    last_moments = _next(first, len(given))
    try:
        start_us = parse_instant("{}-{}-{}T{}:00:00Z".format(*first))
    except ValueError:
        return TimeRange(MAX_EVENT_US, MIN_EVENT_US)
    return TimeRange(start_us, last_moments)


def _next(first: list[str], given: int) -> int | None:
    """Where the year, month, day or hour that the first `given` keys name ends, microseconds."""
    year, month, day, hour = (int(text) if text.isdecimal() else 0 for text in first)
    if given == 1:
        year += 1
    elif given == 2:  # noqa: PLR2004  (year and month)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)  # noqa: PLR2004
    try:
        us = parse_instant(f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:00:00Z")
    except ValueError:
        return None
    if given == 3:  # noqa: PLR2004  (down to the day)
        return us + 24 * US_PER_HOUR
    return us + US_PER_HOUR if given == len(PARTITION_KEYS) else us


def _key_conditions(times: TimeRange, alias: str) -> Iterator[exp.Expr]:
    """The hours as conditions on the keys: equal where first and last agree, else a range.

    A range of one key is said by that key alone, as Athena's partition projection likes it best.
    """
    first = None if times.start_us is None else _keys(max(times.start_us, MIN_EVENT_US))
    last = None if times.end_us is None else _keys(min(times.end_us, MAX_EVENT_US) - 1)
    columns = [exp.column(key, table=alias) for key in PARTITION_KEYS]
    same = 0
    while first and last and same < len(columns) and first[same] == last[same]:
        yield columns[same].copy().eq(exp.Literal.string(first[same]))
        same += 1
    if same == len(columns):
        return
    whole = [column.copy() for column in columns[same:]]
    joined = exp.Concat(expressions=whole) if len(whole) > 1 else whole[0]
    for keys, operator in ((first, exp.GTE), (last, exp.LTE)):
        if keys is None:
            continue
        if len(whole) > 1:
            yield operator(this=columns[same].copy(), expression=exp.Literal.string(keys[same]))
        yield operator(this=joined.copy(), expression=exp.Literal.string("".join(keys[same:])))


def _time_conditions(scan: Scan, column: str) -> Iterator[exp.Expr]:
    """The time range as conditions on the timestamp, to which an Iceberg table's metadata refers."""
    name = exp.column(column, table=scan.source.node.alias_or_name)
    for us, operator in ((scan.times.start_us, exp.GTE), (scan.times.end_us, exp.LT)):
        if us is not None and MIN_EVENT_US <= us <= MAX_EVENT_US:
            text = as_datetime(us).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
            yield operator(
                this=name.copy(),
                # Athena's own precision is milliseconds where none is said.
                expression=exp.cast(exp.Literal.string(text), "timestamptz(6)"),
            )


def _keys(us: int) -> list[str]:
    return as_datetime(hour_floor(us)).strftime("%Y %m %d %H").split()
