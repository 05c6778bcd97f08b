"""What the late-data ledger has to know of the hours in which something landed: gathered by the ports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND
from tick_pipeline.orchestration.jobs import OHLC_BATCH
from tick_pipeline.orchestration.late_ledger import HourFacts, first_files, landed_late
from tick_pipeline.orchestration.mark_history import first_mark, ledger_entry, newest_marks
from tick_pipeline.orchestration.partitions import Window, first_hour_us
from tick_pipeline.storage import CANDLE_TABLES, StorageMode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import dagster as dg

    from tick_pipeline.landing.read_marks import Mark
    from tick_pipeline.orchestration.late_ledger import LedgerState
    from tick_pipeline.resources.landed import Landed, LandedFile
    from tick_pipeline.resources.landed_files import LandedFiles
    from tick_pipeline.resources.query_engine import QueryEngine
    from tick_pipeline.settings import Settings

#: Of one query: a workgroup of Athena refuses what scans too much.
_MOST_HOURS = 24


@dataclass(frozen=True)
class Look:
    """What a look found.

    Attributes:
        marks: how far it goes, by storage mode.
        hours: storage mode, hour -> its facts.
        warnings: why that may not be all, in one line each.
    """

    marks: dict[StorageMode, Mark]
    hours: dict[tuple[str, int], HourFacts]
    warnings: list[str]


@dataclass(frozen=True)
class LedgerPorts:
    """Who is asked, and what the settings say.

    Attributes:
        instance: Dagster's, which has the entries and the runs.
        landed_files: reads how late rows are.
        query_engine: tells of an hour's late ticks.
        settings: what is late, and when an hour closes.
    """

    instance: dg.DagsterInstance
    landed_files: LandedFiles
    query_engine: QueryEngine
    settings: Settings

    def look(self, state: LedgerState, landed: Mapping[StorageMode, Landed]) -> Look:
        """The facts of the hours in which something landed, and of those that wait for a run.

        Hours before the partitions have no entry, and of a mode, or a table that was made anew, the ledger begins
        with what lands after the first look.

        Raises:
            AwsError: a file or the table could not be read.
        """
        of_hours: dict[tuple[str, int], list[LandedFile]] = {
            (mode, hour_us): [] for mode, hour_us in state.hours if StorageMode(mode) in landed
        }
        marks: dict[StorageMode, Mark] = {}
        first_us = first_hour_us(self.settings)
        closes_after_us = US_PER_HOUR + self.settings.close_after_seconds * US_PER_SECOND
        for mode, found in landed.items():
            known = state.marks.get(mode)
            if known is None or known.table != found.mark.table:
                marks[mode] = found.mark
                continue
            files, marks[mode] = first_files(found)
            for file in landed_late(files, closes_after_us):
                if file.hour_us >= first_us:
                    of_hours.setdefault((mode.value, file.hour_us), []).append(file)
        hours: dict[tuple[str, int], HourFacts] = {}
        unread = 0
        for key, files in of_hours.items():
            table = landed[StorageMode(key[0])].mark.table
            hours[key], unread_here = self._facts(*key, files, table)
            unread += unread_here
        warnings = [f"{mode}: {found.warning}" for mode, found in landed.items() if found.warning]
        if unread:
            warnings.append(f"{unread:,} files were merged or removed before they were counted")
        return Look(marks, self._with_lateness(hours), warnings)

    def _facts(
        self, mode_name: str, hour_us: int, files: Sequence[LandedFile], table: str
    ) -> tuple[HourFacts, int]:
        """An hour's facts and its files that were not read, of those that landed after it had closed."""
        mode = StorageMode(mode_name)
        entry = ledger_entry(self.instance, mode, hour_us, table)
        fresh = [file for file in files if file.mark > entry.counted_to]
        missed: list[LandedFile] = []
        if fresh:
            first = first_mark(self.instance, mode, CANDLE_TABLES[0], hour_us, table)
            missed = [file for file in fresh if first is not None and file.mark > first]
        read = [file for file in fresh if file not in missed]
        over_us = self.settings.lateness_seconds * US_PER_SECOND
        counts = [self.landed_files.lateness(part, over_us) for part in (read, missed)]
        late = sum(count.late for count in counts)
        key = (OHLC_BATCH, hour_us)
        newest = newest_marks(self.instance, [key], [mode])[key].get(mode.value)
        facts = HourFacts(
            entry=entry,
            late=late,
            mends=counts[1].rows,
            mark=max((file.mark for file in fresh), default=0),
            newest_mark=newest.number if newest and newest.table == table else None,
            lateness=None,
        )
        return facts, sum(count.unread for count in counts)

    def _with_lateness(
        self, hours: Mapping[tuple[str, int], HourFacts]
    ) -> dict[tuple[str, int], HourFacts]:
        """With what the query `lateness` tells of those hours in which something late landed."""
        told: dict[tuple[str, int], Mapping[str, Any]] = {}
        for mode, window in _stretches(key for key, facts in hours.items() if facts.late):
            asked = {
                "storage_mode": mode,
                "lateness_seconds": self.settings.lateness_seconds,
                **window.parameters,
            }
            for row in self.query_engine.run_file("lateness", asked).records:
                told[mode, int(row["hour"].timestamp()) * US_PER_SECOND] = row
        return {
            key: replace(facts, lateness=told.get(key)) if facts.late else facts
            for key, facts in hours.items()
        }


def _stretches(late: Iterable[tuple[str, int]]) -> list[tuple[str, Window]]:
    """Hours that follow one another as one window: after an outage, a query for each would outlast a look."""
    found: list[tuple[str, Window]] = []
    for mode, hour_us in sorted(late):
        before = found[-1][1] if found and found[-1][0] == mode else None
        if before is None or before.end_us != hour_us or len(before.partitions) == _MOST_HOURS:
            found.append((mode, Window(hour_us, hour_us + US_PER_HOUR)))
        else:
            found[-1] = mode, Window(before.start_us, hour_us + US_PER_HOUR)
    return found
