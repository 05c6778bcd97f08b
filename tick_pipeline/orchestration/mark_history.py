"""What Dagster's instance tells of an hour: what its runs could read, what is under way, what came late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from tick_pipeline.event_time import now_us
from tick_pipeline.landing.read_marks import Mark
from tick_pipeline.orchestration.jobs import MADE_OF_RAW, OHLC_BATCH
from tick_pipeline.orchestration.landed_hours import Facts, due_hours, ripe
from tick_pipeline.orchestration.late_ledger import Entry
from tick_pipeline.orchestration.partitions import partition_key, run_hours
from tick_pipeline.orchestration.tables import asset_key
from tick_pipeline.storage import RAW

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tick_pipeline.orchestration.landed_hours import HoursState, Rules
    from tick_pipeline.resources.landed import Landed
    from tick_pipeline.resources.landed_files import LandedFiles
    from tick_pipeline.resources.landing import Landing
    from tick_pipeline.storage import StorageMode

#: Metadata of what is made of raw: the mark of raw that its run could read, its number and its table
#: (resources/landed.py).
MARK = "landed up to the mark"
RAW_TABLE = "landed in the table"
#: The sensor that asks for hours to be made again.
LANDED_HOURS = "landed_hours"
#: Of an hour, from its first on, among which its first from a raw table is looked for.
_MOST_RUNS = 100
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def mark_metadata(mark: Mark) -> dict[str, str | int]:
    """What to tell of a run that reads raw after its mark was taken."""
    return {MARK: mark.number, RAW_TABLE: mark.table}


def facts_of_hours(
    instance: dg.DagsterInstance,
    landing: Landing,
    state: HoursState,
    landed: Mapping[StorageMode, Landed],
    rules: Rules,
) -> Facts:
    """What has to be known of the hours that runs may be asked for, see `landed_hours.decide`.

    Raises:
        StreamError: the stream cannot be read.
        AwsError: it could not be seen how far a delivery is.
    """
    now = now_us()
    hours = [item.key for item in ripe(due_hours(state, landed, rules, now), rules, now)]
    # In this order: a run that ends in between was under way, and the next look sees what it did.
    under_way = runs_under_way(instance, hours)
    positions = landing.positions() if hours else {}
    return Facts(
        now_us=now,
        landed=landed,
        read=newest_marks(instance, hours, landed),
        under_way=under_way,
        delivered_until_us={mode: at.delivered_until_us for mode, at in positions.items()},
    )


def why_not_to_run(
    instance: dg.DagsterInstance,
    landing: Landing,
    landed_files: LandedFiles,
    rules: Rules,
    hour_us: int,
    modes: Collection[StorageMode],
) -> str | None:
    """Why an hour's candles need no run at this moment; None where they do, or may.

    An hour that is open needs one: `landed_hours` asks for none yet, and where nobody delivers, the run does.

    Raises:
        StreamError: the stream cannot be read.
        AwsError: it could not be seen what landed, or how far a delivery is.
    """
    if hour_us < rules.first_hour_us:
        return "the hour is before the first partition"
    key = (OHLC_BATCH, hour_us)
    # It had closed when that was asked for; of others under way, nobody knows what they will have read.
    if runs_under_way(instance, [key], asked_by=LANDED_HOURS):
        return f"the run that {LANDED_HOURS} asked for is queued or under way"
    read = newest_marks(instance, [key], modes)[key]
    if len(read) < len(modes):
        return None
    positions = landing.positions()
    if any(positions[mode].delivered_until_us < rules.closes_us(hour_us) for mode in modes):
        return None
    for mode in modes:
        landed = landed_files.since(mode, read[mode.value])
        if any(file.hour_us == hour_us for file in landed.files):
            return None
    return "its candles were made of all that has landed, in every storage mode"


def newest_marks(
    instance: dg.DagsterInstance, hours: Iterable[tuple[str, int]], modes: Iterable[StorageMode]
) -> dict[tuple[str, int], dict[str, Mark]]:
    """(job, hour) -> mode -> the mark that the newest runs of all its tables could read."""
    found: dict[tuple[str, int], dict[str, Mark]] = {key: {} for key in hours}
    for job, tables in MADE_OF_RAW.items():
        of_job = {partition_key(hour_us): (job, hour_us) for name, hour_us in found if name == job}
        for mode in modes if of_job else ():
            of_tables = [_newest(instance, asset_key(mode, name), of_job) for name in tables]
            for partition, key in of_job.items():
                marks = [marks[partition] for marks in of_tables if partition in marks]
                # One that was made of another raw table tells nothing of this one.
                if len(marks) == len(tables) and len({mark.table for mark in marks}) == 1:
                    found[key][mode.value] = min(marks, key=lambda mark: mark.number)
    return found


def first_mark(
    instance: dg.DagsterInstance, mode: StorageMode, table: str, hour_us: int, raw_table: str
) -> int | None:
    """The number of the mark that an hour's first run from a raw table could read; None without a run."""
    wanted = dg.AssetRecordsFilter(
        asset_key(mode, table), asset_partitions=[partition_key(hour_us)]
    )
    records = instance.fetch_materializations(wanted, _MOST_RUNS, ascending=True).records
    marks = (mark for mark in map(_mark, records) if mark is not None)
    return next((mark.number for mark in marks if mark.table == raw_table), None)


def runs_under_way(
    instance: dg.DagsterInstance, hours: Iterable[tuple[str, int]], asked_by: str | None = None
) -> set[tuple[str, int]]:
    """Those (job, hour) of which a run is queued or under way; of a sensor's runs alone if it is named."""
    hours = list(hours)
    if not hours:
        return set()
    tags = {"dagster/sensor_name": asked_by} if asked_by else None
    runs = [
        (made, *span)
        for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED, tags=tags))
        if (span := run_hours(run.tags))
        for made in _jobs_of(run)
    ]
    # Keys of hours sort as the hours do.
    return {
        (job, hour_us)
        for job, hour_us in hours
        for name, first, last in runs
        if name == job and first <= partition_key(hour_us) <= last
    }


def ledger_entry(
    instance: dg.DagsterInstance, mode: StorageMode, hour_us: int, raw_table: str
) -> Entry:
    """The hour's entry in the late-data ledger; an empty one where there is none of this raw table."""
    wanted = dg.AssetRecordsFilter(asset_key(mode, RAW), asset_partitions=[partition_key(hour_us)])
    # Others may observe raw, too.
    for record in instance.fetch_observations(wanted, 10).records:
        observation = record.asset_observation
        entry = Entry.from_metadata(observation.metadata) if observation else None
        if entry is not None:
            return entry if entry.raw_table == raw_table else Entry(raw_table=raw_table)
    return Entry(raw_table=raw_table)


def _jobs_of(run: dg.DagsterRun) -> list[str]:
    """The job of a run, or those of whose tables it makes some: a backfill is of no job of ours."""
    selected = {key.path[-1] for key in run.asset_selection or ()}
    return [
        job
        for job, tables in MADE_OF_RAW.items()
        if run.job_name == job or selected.intersection(tables)
    ]


def _newest(
    instance: dg.DagsterInstance, key: dg.AssetKey, partitions: Collection[str]
) -> dict[str, Mark]:
    """Partition -> the mark of its newest materialization, where that tells one."""
    newest = instance.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, set(partitions)
    )
    if not newest:
        return {}
    wanted = dg.AssetRecordsFilter(key, storage_ids=list(newest.values()))
    records = instance.fetch_materializations(wanted, len(newest)).records
    marks = {str(record.partition_key): _mark(record) for record in records}
    return {partition: mark for partition, mark in marks.items() if mark is not None}


def _mark(record: dg.EventLogRecord) -> Mark | None:
    event = record.asset_materialization
    metadata: Mapping[str, Any] = event.metadata if event else {}
    if MARK not in metadata or RAW_TABLE not in metadata:
        return None
    return Mark(str(metadata[RAW_TABLE].value), int(metadata[MARK].value))
