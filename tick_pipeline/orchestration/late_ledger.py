"""How many ticks of each hour came late, and how many of them mended a candle: kept without I/O.

An hour's entry is the newest observation of `[storage_mode, raw]` in its partition. It begins with the first tick
that landed after the hour had closed, and grows: an entry tells up to which mark of raw it counts, so files that
are looked at twice count once. Of a raw table that was made anew the entries begin anew, too.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from tick_pipeline.landing.read_marks import Mark
from tick_pipeline.orchestration.notifications import MOST_LISTED, Message, is_due
from tick_pipeline.orchestration.partitions import partition_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tick_pipeline.resources.landed import Landed, LandedFile
    from tick_pipeline.storage import StorageMode

#: Files that a look reads, whose rows it counts; the others are left for the next.
MOST_FILES = 100
_LABELS = {
    "late": "late",
    "p50_seconds": "late p50 (seconds)",
    "max_seconds": "late max (seconds)",
    "ticks": "ticks of the hour",
    "repaired": "repaired",
    "waiting": "wait for a run",
    "waiting_mark": "wait for the mark",
    "counted_to": "counted to the mark",
    "raw_table": "counted in the table",
}


@dataclass(frozen=True)
class Entry:
    """What is known of one hour of one storage mode.

    Attributes:
        late: records that landed after the hour had closed, and were put into the stream late.
        p50_seconds: median lateness of the hour's late ticks, each once.
        max_seconds: the largest.
        ticks: of the hour, each once, late or not.
        repaired: records that landed after the hour's first run and its closing, and that a later run has read.
        waiting: such records that no run has read yet.
        waiting_mark: the mark that a run needs to have read them.
        counted_to: files up to this mark are counted.
        raw_table: whose marks they are.
    """

    late: int = 0
    p50_seconds: float = 0.0
    max_seconds: float = 0.0
    ticks: int = 0
    repaired: int = 0
    waiting: int = 0
    waiting_mark: int = 0
    counted_to: int = 0
    raw_table: str = ""

    def to_metadata(self) -> dict[str, Any]:
        """As an observation shows it."""
        return {label: getattr(self, name) for name, label in _LABELS.items()}

    @staticmethod
    def from_metadata(metadata: Mapping[str, Any]) -> Entry | None:
        """That of an observation; None of one that is none of the ledger's."""
        if any(label not in metadata for label in _LABELS.values()):
            return None
        return Entry(**{item.name: metadata[_LABELS[item.name]].value for item in fields(Entry)})


@dataclass(frozen=True)
class LedgerState:
    """What is known from the looks before.

    Attributes:
        marks: storage mode -> how far it was looked at.
        waiting: storage mode, hour: entries of which records wait for a run.
        untold: storage mode, hour, records that came late and were not told yet.
        told_us: when such were last told, microseconds; None if never.
    """

    marks: dict[str, Mark] = field(default_factory=dict[str, Mark])
    waiting: tuple[tuple[str, int], ...] = ()
    untold: tuple[tuple[str, int, int], ...] = ()
    told_us: int | None = None

    @property
    def hours(self) -> set[tuple[str, int]]:
        """Storage mode and hour of the entries that the next look has to know."""
        return {*self.waiting, *((mode, hour_us) for mode, hour_us, _ in self.untold)}


@dataclass(frozen=True)
class HourFacts:
    """One hour of one storage mode in which something landed, or of which something waits.

    Attributes:
        entry: as it stands.
        late: records late among those that landed after the hour had closed and are not counted yet.
        mends: all of these records that the hour's first run could not read, late or not.
        mark: the greatest of their files; 0 where nothing landed after the hour had closed.
        newest_mark: what the hour's newest run could read; None without a run.
        lateness: of the hour's late ticks, by the query `lateness`; None where nothing late landed.
    """

    entry: Entry
    late: int
    mends: int
    mark: int
    newest_mark: int | None
    lateness: Mapping[str, Any] | None


@dataclass(frozen=True)
class LedgerDecision:
    """What is to be entered, told and remembered.

    Attributes:
        entries: those that changed.
        message: what to tell, if anything.
        state: what to remember once it was told.
        untold: what to remember where it did not get through; the entries hold all the same.
    """

    entries: dict[tuple[str, int], Entry]
    message: Message | None
    state: LedgerState
    untold: LedgerState


def first_files(landed: Landed) -> tuple[list[LandedFile], Mark]:
    """As many files as a look reads, in the order of their marks, and the mark up to which that is all."""
    files = sorted(landed.files, key=lambda file: file.mark)
    if len(files) <= MOST_FILES:
        return files, landed.mark
    # Files of one commit have one mark and stay together.
    number = files[MOST_FILES - 1].mark
    return [file for file in files if file.mark <= number], replace(landed.mark, number=number)


def landed_late(files: Iterable[LandedFile], closes_after_us: int) -> list[LandedFile]:
    """The files that landed after their hour had closed, so much after its begin, microseconds."""
    return [
        file
        for file in files
        if file.landed_us is not None and file.landed_us >= file.hour_us + closes_after_us
    ]


def decide(
    state: LedgerState,
    marks: Mapping[StorageMode, Mark],
    hours: Mapping[tuple[str, int], HourFacts],
    now_us: int,
) -> LedgerDecision:
    """Enter what landed late, and tell of it: at once, and what comes within an hour of that as one more message.

    Args:
        state: from the looks before.
        marks: how far this look goes, by storage mode.
        hours: (storage mode, hour) -> its facts; those of `state.hours` are among them, where their mode is enabled.
        now_us: this moment, microseconds since the epoch.
    """
    entries = {key: _entered(facts) for key, facts in hours.items()}
    changed = {
        key: entry
        for key, entry in entries.items()
        if entry != hours[key].entry and (entry.late or entry.repaired or entry.waiting)
    }
    news = _news(state, hours, entries)
    untouched = [key for key in state.waiting if key not in hours]
    waiting = [key for key, entry in entries.items() if entry.waiting]
    untold = LedgerState(
        {**state.marks, **{mode.value: mark for mode, mark in marks.items()}},
        tuple(sorted({*untouched, *waiting})),
        tuple((*key, number) for key, number in news.items()),
        state.told_us,
    )
    if not news or not is_due(state.told_us, now_us):
        return LedgerDecision(changed, None, untold, untold)
    told = replace(untold, untold=(), told_us=now_us)
    return LedgerDecision(changed, _message(news, entries), told, untold)


def _news(
    state: LedgerState,
    hours: Mapping[tuple[str, int], HourFacts],
    entries: Mapping[tuple[str, int], Entry],
) -> dict[tuple[str, int], int]:
    """The records of each hour that came late and were not told yet."""
    news = Counter({(mode, hour_us): number for mode, hour_us, number in state.untold})
    for key, entry in entries.items():
        news[key] += entry.late - hours[key].entry.late
    # Not of a mode that was switched off since, or of a table that was made anew.
    return {
        key: number
        for key, number in sorted(news.items())
        if number and key in entries and entries[key].late
    }


def _entered(facts: HourFacts) -> Entry:
    entry = facts.entry
    if facts.mark:
        entry = replace(entry, late=entry.late + facts.late, counted_to=facts.mark)
    if facts.mends:
        entry = replace(entry, waiting=entry.waiting + facts.mends, waiting_mark=facts.mark)
    if facts.lateness is not None:
        entry = replace(
            entry,
            ticks=int(facts.lateness["ticks"]),
            p50_seconds=float(facts.lateness["late_p50_seconds"] or 0.0),
            max_seconds=float(facts.lateness["max_seconds"] or 0.0),
        )
    if entry.waiting and facts.newest_mark is not None and facts.newest_mark >= entry.waiting_mark:
        entry = replace(entry, repaired=entry.repaired + entry.waiting, waiting=0)
    return entry


def _message(
    news: Mapping[tuple[str, int], int], entries: Mapping[tuple[str, int], Entry]
) -> Message:
    lines = [_line(*key, number, entries[key]) for key, number in news.items()]
    modes = {mode: 0 for mode, _ in news}
    for (mode, _), number in news.items():
        modes[mode] += number
    counts = ", ".join(f"{mode} {number:,}" for mode, number in sorted(modes.items()))
    return Message(f"ticks came late: {counts}", "\n".join(_shown(lines)))


def _line(mode: str, hour_us: int, number: int, entry: Entry) -> str:
    line = (
        f"{mode} {partition_key(hour_us)}: {number:,} landed after the hour had closed, {entry.late:,} in all; its late "
        f"ticks came {entry.p50_seconds:,.0f} s (median) to {entry.max_seconds:,.0f} s after their time"
    )
    if entry.waiting:
        return f"{line}; {entry.waiting:,} records wait for the hour's next run"
    return line


def _shown(lines: Sequence[str]) -> list[str]:
    if len(lines) <= MOST_LISTED:
        return list(lines)
    return [
        *lines[:MOST_LISTED],
        f"and {len(lines) - MOST_LISTED:,} hours more: the query lateness",
    ]
