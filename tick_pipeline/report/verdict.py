"""What the figures say, in plain words: three that decide, and whether they do; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tick_pipeline.report import words
from tick_pipeline.report.comparison import AwsCost, NotMeasured
from tick_pipeline.storage import LoadDataMode, StorageMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline.report.comparison import Comparison, Reading
    from tick_pipeline.report.remembered import CandleRun

ICEBERG, PARQUET = StorageMode.ICEBERG, StorageMode.PARQUET_PROJECTION


@dataclass(frozen=True)
class Least:
    """What a difference must reach to be called one: a ratio, and an amount of the figure's unit."""

    ratio: float
    amount: float


#: On a machine that does other things, medians of three runs vary by a fifth, and single runs of Spark by half.
#: Sizes and prices do not vary, but are beside the point where they are nearly the same.
_QUERY_SECONDS, _JOB_SECONDS = Least(1.2, 0.05), Least(1.5, 1.0)
_BYTES, _USD = Least(1.05, 4096), Least(1.05, 1.0)
#: Less than this is mostly fixed cost, whichever the mode.
SMALL_BYTES = 1 << 30


@dataclass(frozen=True)
class Decider:
    """One figure of both modes.

    Attributes:
        title: what was measured.
        values: mode -> figure, less is better; empty where nothing was measured.
        shown: mode -> the figure with its unit.
        better: the mode that is ahead by more than chance; None where none is.
        sentence: the same in words.
    """

    title: str
    values: dict[StorageMode, float]
    shown: dict[StorageMode, str]
    better: StorageMode | None
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """The answer: one line, the figures that decide, and what to keep in mind."""

    headline: str
    deciders: tuple[Decider, ...]
    caveat: str | None


def decide(comparison: Comparison) -> Verdict:
    """What this data says about the two modes."""
    deciders = (_answering(comparison), _writing(comparison), _paying(comparison))
    return Verdict(_headline(comparison, deciders), deciders, _caveat(comparison))


def _headline(comparison: Comparison, deciders: tuple[Decider, ...]) -> str:
    differing = [found.table for found in comparison.parity if found.differing]
    if differing:
        where = f"The modes differ in {_joined(differing)}"
        if not comparison.settled:
            return f"{where}, which may still be landing: compare again once it has, and its hour is closed."
        return f"{where}: mend that first, then compare."
    if not comparison.ticks:
        return "No ticks in these hours, so there is nothing to compare yet."
    ahead = {
        mode: [decider.title for decider in deciders if decider.better is mode]
        for mode in StorageMode
    }
    parts = [
        f"{words.MODE_NAMES[mode]} is ahead in {_joined(titles)}"
        for mode, titles in ahead.items()
        if titles
    ]
    if not parts:
        return "For this data: no measured figure decides. Choose by what only one of them can do."
    level = [decider.title for decider in deciders if decider.values and decider.better is None]
    rest = f"; no difference in {_joined(level)}" if level else ""
    return f"For this data: {', '.join(parts)}{rest}."


def _answering(comparison: Comparison) -> Decider:
    """Seconds of a question about one hour, beyond what opening a table takes."""
    opening = dict(comparison.opening)
    timed = [
        {mode: seconds for mode, of in read.items() if (seconds := of.seconds) is not None}
        for read in _readings(comparison)
    ]
    both = [seconds for seconds in timed if len(seconds) == len(StorageMode)]
    values = {
        mode: sum(max(0.0, seconds[mode] - opening[mode]) for seconds in both) / len(both)
        for mode in StorageMode
        if both
    }
    return _decider(
        "answering",
        values,
        words.seconds,
        _QUERY_SECONDS,
        "{better} answers a question about one hour {less} faster, once its table is open",
        "No difference that three runs could tell: a question about one hour takes about as long on both",
        "The standard queries were not run",
    )


def _writing(comparison: Comparison) -> Decider:
    """Seconds to make candles in each mode's own way of reading; to land their ticks, too, where both tell it."""
    landings = comparison.landings
    landed = (
        {}
        if isinstance(landings, NotMeasured) or len(landings) < len(StorageMode)
        else {found.mode: found.seconds / found.rows for found in landings}
    )
    own = {ICEBERG: LoadDataMode.ICEBERG, PARQUET: LoadDataMode.PARQUET}
    candles = {
        run.storage_mode: run
        for figures in comparison.read_modes
        for run in figures.runs
        if own[run.storage_mode] is figures.read_mode
    }
    values = (
        {
            mode: run.seconds + landed.get(mode, 0.0) * (run.ticks or 0)
            for mode, run in candles.items()
        }
        if len(candles) == len(StorageMode) and _same_work(*candles.values())
        else {}
    )
    return _decider(
        "writing",
        values,
        words.seconds,
        _JOB_SECONDS,
        f"{{better}} {'lands ticks and makes their' if landed else 'makes'} candles {{less}} faster",
        f"No difference that single runs could tell: {'landing ticks and ' if landed else ''}making candles "
        "takes about as long in both",
        "No two runs of the candle job over the same hours, one in each mode",
    )


def _same_work(one: CandleRun, other: CandleRun) -> bool:
    """The same hours, and about as many ticks: on AWS either raw may hold some of them twice."""
    fewer, more = sorted((one.ticks or 0, other.ticks or 0))
    return (one.start_us, one.end_us) == (other.start_us, other.end_us) and more <= 1.01 * fewer


def _paying(comparison: Comparison) -> Decider:
    """What AWS would charge in a month; where that is not known, what a question reads, which Athena charges for."""
    if isinstance(comparison.cost, AwsCost):
        return _decider(
            "price on AWS",
            {cost.mode: cost.usd for cost in comparison.cost.modes},
            lambda usd: f"{words.usd(usd)} a month",
            _USD,
            "{better} costs {less} less on AWS, by the estimate below",
            "AWS would charge about as much for both, by the estimate below",
            "",
        )
    compared = [_bytes_alike(read) for read in _readings(comparison)]
    read = {mode: float(sum(of[mode] for of in compared)) for mode in StorageMode if compared}
    return _decider(
        "bytes read",
        read,
        words.size,
        _BYTES,
        "{better} reads {less} less for the same questions, which is what Athena charges for",
        "The same questions read about as much in both, and Athena charges for what is read",
        "The standard queries were not run",
    )


def _readings(comparison: Comparison) -> list[dict[StorageMode, Reading]]:
    """Of each standard query that both modes were asked: what it reads of an hour."""
    by_name: dict[str, dict[StorageMode, Reading]] = {}
    for query in comparison.queries:
        by_name.setdefault(query.name, {})[query.mode] = query.one_hour
    return [read for read in by_name.values() if len(read) == len(StorageMode)]


def _bytes_alike(read: dict[StorageMode, Reading]) -> dict[StorageMode, int]:
    """What was read in both modes, or what is planned in both: the one is no measure of the other."""
    told = {mode: of.read_bytes for mode, of in read.items() if of.read_bytes is not None}
    return told if len(told) == len(read) else {mode: of.planned_bytes for mode, of in read.items()}


def _decider(
    title: str,
    values: dict[StorageMode, float],
    shown: Callable[[float], str],
    least: Least,
    ahead: str,
    level: str,
    missing: str,
) -> Decider:
    if len(values) < len(StorageMode):
        return Decider(title, {}, {}, None, f"Not measured. {missing}.")
    better = min(values, key=lambda mode: values[mode])
    smaller, larger = sorted(values.values())
    decides = larger - smaller >= least.amount and larger > least.ratio * smaller
    sentence = (
        ahead.format(better=words.MODE_NAMES[better], less=words.less(larger, smaller))
        if decides
        else level
    )
    return Decider(
        title,
        values,
        {mode: shown(value) for mode, value in values.items()},
        better if decides else None,
        f"{sentence}.",
    )


def _caveat(comparison: Comparison) -> str | None:
    stored = max(
        sum(found.bytes for found in comparison.tables if found.mode is mode)
        for mode in StorageMode
    )
    if stored >= SMALL_BYTES:
        return None
    return (
        f"Each mode holds {words.size(stored)} here. At this size seconds are mostly the fixed cost of starting, "
        "and say little of a table a thousand times as large: measure your own ticks before you choose."
    )


def _joined(names: list[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"  # noqa: PLR2004
