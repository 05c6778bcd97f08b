"""Which hours have to be made again because something landed in them: a decision without I/O.

A job's run tells the mark of raw that it could read (resources/landed.py), so an hour is due for a job as long as
something with a greater mark has landed in it than its newest run told, whoever started that run. What a run told
of a table that was made anew since counts for nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND, format_short
from tick_pipeline.landing.read_marks import Mark
from tick_pipeline.orchestration.jobs import ANOMALY_BATCH, OHLC_BATCH
from tick_pipeline.orchestration.partitions import partition_key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from tick_pipeline.resources.landed import Landed
    from tick_pipeline.settings import Settings
    from tick_pipeline.storage import StorageMode

#: Runs of both jobs that are queued or under way at a time; the other hours wait in the cursor.
MOST_RUNS = 12
#: A run that failed is not asked for for ever: what fails each time needs a person.
MOST_TRIES = 3
RETRY_SECONDS = 900
_RETRY_US = RETRY_SECONDS * US_PER_SECOND
_AHEAD_US = 24 * US_PER_HOUR


@dataclass(frozen=True)
class Due:
    """An hour for which a job has to be run.

    Attributes:
        job: its name.
        hour_us: start of the hour, microseconds.
        marks: storage mode -> mark of the newest that landed in it.
        tries: runs that were asked for since that landed.
        asked_us: when the last of them was, microseconds.
    """

    job: str
    hour_us: int
    marks: dict[str, Mark]
    tries: int = 0
    asked_us: int = 0

    @property
    def key(self) -> tuple[str, int]:
        """What it is about."""
        return self.job, self.hour_us

    @property
    def run_key(self) -> str:
        """Names the run: the same for whoever asks twice."""
        marks = " ".join(str(mark) for _, mark in sorted(self.marks.items()))
        return f"{self.job} {partition_key(self.hour_us)} {marks} try {self.tries}"


@dataclass(frozen=True)
class HoursState:
    """What is known from the looks before.

    Attributes:
        marks: storage mode -> how far it was looked at.
        due: hours that wait: open ones, and those whose run is not done.
    """

    marks: dict[str, Mark] = field(default_factory=dict[str, Mark])
    due: tuple[Due, ...] = ()


@dataclass(frozen=True)
class Rules:
    """What the settings say.

    Attributes:
        close_after_us: an hour closes so much after its end, microseconds.
        first_hour_us: first hour that is a partition, microseconds.
        reach_hours: how many hours after an hour its ticks change the anomalies of.
    """

    close_after_us: int
    first_hour_us: int
    reach_hours: int

    @staticmethod
    def of(settings: Settings, first_hour_us: int) -> Rules:
        """Those of a deployment; an anomaly needs two windows before its hour (spark/anomalies.py)."""
        context_us = 2 * settings.anomaly_window_minutes * US_PER_MINUTE
        return Rules(
            settings.close_after_seconds * US_PER_SECOND,
            first_hour_us,
            -(-context_us // US_PER_HOUR),
        )

    def may_run(self, hour_us: int, now_us: int) -> bool:
        """Whether an hour is a partition, or soon will be: the cursor keeps none of a clock that is years ahead."""
        return self.first_hour_us <= hour_us <= now_us + _AHEAD_US

    def closes_us(self, hour_us: int) -> int:
        """When an hour closes, if it was delivered until then, microseconds."""
        return hour_us + US_PER_HOUR + self.close_after_us


@dataclass(frozen=True)
class Facts:
    """What is the case now.

    Attributes:
        now_us: microseconds.
        landed: enabled storage mode -> what landed since the last look.
        read: (job, hour) -> storage mode -> the mark that the job's newest run of the hour could read.
        under_way: (job, hour) of runs that are queued or under way.
        delivered_until_us: storage mode -> what came to the stream before has landed; needed once an hour is ripe.
    """

    now_us: int
    landed: Mapping[StorageMode, Landed]
    read: Mapping[tuple[str, int], Mapping[str, Mark]]
    under_way: Collection[tuple[str, int]]
    delivered_until_us: Mapping[StorageMode, int]


@dataclass(frozen=True)
class Decision:
    """What to ask for, what to remember, what to tell in one line, and what a person should see."""

    requests: list[Due]
    state: HoursState
    summary: str
    warnings: list[str]


class _Verdict(Enum):
    """Why an hour is asked for, or not, as people read it."""

    DONE = "up to date"
    ASKED = "asked for"
    OPEN = "open or not delivered"
    UNDER_WAY = "being run"
    TRIED = "tried again later"
    GIVEN_UP = "given up"
    WAITING = "left for later looks"


def due_hours(
    state: HoursState, landed: Mapping[StorageMode, Landed], rules: Rules, now_us: int
) -> list[Due]:
    """The hours that wait after what landed, the oldest first; those that are partitions no more are forgotten."""
    due = {
        item.key: _of_tables(item, landed)
        for item in state.due
        if rules.may_run(item.hour_us, now_us)
    }
    for mode, found in landed.items():
        for hour_us, number in _newest(found).items():
            mark = Mark(found.mark.table, number)
            for key in _made_of(hour_us, rules, now_us):
                item = due.get(key, Due(*key, {}))
                if not _covers(item.marks, mode, mark):
                    due[key] = Due(*key, {**item.marks, mode.value: mark})
    # Of an hour the candles first.
    return sorted(
        (item for item in due.values() if item.marks),
        key=lambda item: (item.hour_us, item.job != OHLC_BATCH),
    )


def ripe(due: list[Due], rules: Rules, now_us: int) -> list[Due]:
    """Those whose hour is over for long enough: facts about the others are not needed."""
    return [item for item in due if now_us >= rules.closes_us(item.hour_us)]


def decide(state: HoursState, facts: Facts, rules: Rules) -> Decision:
    """Ask for runs of closed hours in which something landed since their last run.

    Args:
        state: from the looks before.
        facts: of now.
        rules: of the deployment.
    """
    requests: list[Due] = []
    kept: list[Due] = []
    verdicts: Counter[_Verdict] = Counter()
    warnings = list(_warnings(facts, rules))
    for item in due_hours(state, facts.landed, rules, facts.now_us):
        room = MOST_RUNS - len(facts.under_way) - len(requests)
        verdict = _judge(item, facts, rules, room)
        verdicts[verdict] += 1
        if verdict is _Verdict.ASKED:
            asked = replace(item, tries=item.tries + 1, asked_us=facts.now_us)
            requests.append(asked)
            kept.append(asked)
        elif verdict is not _Verdict.DONE:
            kept.append(item)
        if verdict is _Verdict.GIVEN_UP:
            warnings.append(
                f"{item.job} of {partition_key(item.hour_us)} was run {item.tries} times for what landed, and the "
                "hour is not up to date: see its runs; one by hand that succeeds ends this"
            )
    marks = {**state.marks, **{mode.value: found.mark for mode, found in facts.landed.items()}}
    return Decision(requests, HoursState(marks, tuple(kept)), _summary(verdicts), warnings)


def _summary(verdicts: Mapping[_Verdict, int]) -> str:
    counts = [f"{verdicts[verdict]} {verdict.value}" for verdict in _Verdict if verdict in verdicts]
    return f"runs of hours: {', '.join(counts)}" if counts else "nothing landed since the last look"


def _judge(item: Due, facts: Facts, rules: Rules, room: int) -> _Verdict:
    read = facts.read.get(item.key, {})
    if all(_covers(read, mode, mark) for mode, mark in item.marks.items()):
        return _Verdict.DONE
    closes_us = rules.closes_us(item.hour_us)
    if facts.now_us < closes_us or any(
        facts.delivered_until_us.get(mode, 0) < closes_us for mode in facts.landed
    ):
        return _Verdict.OPEN
    if item.key in facts.under_way:
        return _Verdict.UNDER_WAY
    if item.tries >= MOST_TRIES:
        return _Verdict.GIVEN_UP
    if item.tries and facts.now_us < item.asked_us + _RETRY_US:
        return _Verdict.TRIED
    return _Verdict.ASKED if room > 0 else _Verdict.WAITING


def _warnings(facts: Facts, rules: Rules) -> Iterator[str]:
    for mode, found in facts.landed.items():
        if found.warning:
            yield f"{mode}: {found.warning}"
        outside = sorted(
            hour_us for hour_us in _newest(found) if not rules.may_run(hour_us, facts.now_us)
        )
        if outside:
            yield (
                f"{mode}: ticks landed in {len(outside)} hours that are no partitions, from "
                f"{format_short(outside[0])} to {format_short(outside[-1])}: nothing is run for them; `tick-pipeline "
                "ohlc` runs any hour, TICK_PIPELINE_PARTITIONS_START sets where partitions begin, and an hour "
                "that is still to come is of a clock that is ahead"
            )


def _covers(marks: Mapping[str, Mark], mode: str, mark: Mark) -> bool:
    known = marks.get(mode)
    return known is not None and known.covers(mark)


def _of_tables(item: Due, landed: Mapping[StorageMode, Landed]) -> Due:
    """Without modes that were switched off since, and tables that were made anew."""
    tables = {found.mark.table for found in landed.values()}
    marks = {mode: mark for mode, mark in item.marks.items() if mark.table in tables}
    return replace(item, marks=marks)


def _newest(found: Landed) -> dict[int, int]:
    """Hour -> the greatest number of a mark in it."""
    newest: dict[int, int] = {}
    for file in found.files:
        newest[file.hour_us] = max(file.mark, newest.get(file.hour_us, -1))
    return newest


def _made_of(hour_us: int, rules: Rules, now_us: int) -> Iterator[tuple[str, int]]:
    """The jobs and hours that an hour's ticks change, as far as they are partitions."""
    if rules.may_run(hour_us, now_us):
        yield OHLC_BATCH, hour_us
    for after in range(rules.reach_hours + 1):
        if rules.may_run(hour_us + after * US_PER_HOUR, now_us):
            yield ANOMALY_BATCH, hour_us + after * US_PER_HOUR
