"""What Dagster's state remembers of earlier runs, as the report's plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from tick_pipeline.event_time import US_PER_SECOND, parse_instant
from tick_pipeline.orchestration.late_ledger import Entry
from tick_pipeline.orchestration.tables import asset_key
from tick_pipeline.orchestration.upkeep import FIGURES
from tick_pipeline.report.remembered import (
    CandleRun,
    CheckRun,
    History,
    Landing,
    Ledger,
    TableState,
    Upkeep,
)
from tick_pipeline.storage import RAW, TABLES, LoadDataMode, StorageMode, candle_table

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Events of a table and runs that are looked at: newest first, so that a report takes seconds in any state.
_MOST_EVENTS, _MOST_RUNS = 500, 40
_BY_THE_RUN = "by this run"


def read_history(instance: dg.DagsterInstance) -> History:
    """What materializations and checks tell, newest first."""
    landed = {mode: list(_events(instance, mode, RAW)) for mode in StorageMode}
    landings = tuple(
        landing for mode, events in landed.items() if (landing := _landing(mode, events))
    )
    runs = [run for mode in StorageMode for run in _candle_runs(instance, mode)]
    return History(
        candle_runs=tuple(sorted(runs, key=lambda run: run.at_us, reverse=True)),
        landings=landings,
        last_landing_us=tuple((mode, events[0][0]) for mode, events in landed.items() if events),
        checks=tuple(_check_runs(instance)),
        upkeep=tuple(
            upkeep
            for mode in StorageMode
            for table in TABLES
            if (upkeep := _upkeep(instance, mode, table))
        ),
        ledgers=tuple(ledger for mode in StorageMode if (ledger := _ledger(instance, mode))),
    )


def _events(
    instance: dg.DagsterInstance, mode: StorageMode, table: str
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Time, run id and metadata of a table's materializations; a run of several hours tells each the same."""
    seen: set[tuple[object, ...]] = set()
    key = asset_key(mode, table)
    for record in instance.fetch_materializations(key, limit=_MOST_EVENTS).records:
        event = record.asset_materialization
        metadata = {name: value.value for name, value in event.metadata.items()} if event else {}
        at_us = round(record.timestamp * US_PER_SECOND)
        told = (record.run_id, metadata.get("window"), metadata.get("seconds"))
        if told not in seen:
            seen.add(told)
            yield at_us, record.run_id, metadata


def _landing(mode: StorageMode, events: list[tuple[int, str, dict[str, Any]]]) -> Landing | None:
    """Deliveries that a run made for this mode alone; one for both modes has no seconds of each."""
    own = [
        metadata
        for _, _, metadata in events
        if metadata.get("delivery") == _BY_THE_RUN and metadata.get("landed")
    ]
    if not own:
        return None
    rows, seconds = (sum(metadata[name] for metadata in own) for name in ("landed", "seconds"))
    return Landing(mode, len(own), rows, seconds)


def _candle_runs(instance: dg.DagsterInstance, mode: StorageMode) -> Iterator[CandleRun]:
    for at_us, _, metadata in _events(instance, mode, candle_table("1m")):
        if "read mode" not in metadata:
            continue
        start, _, end = str(metadata["window"]).partition(" .. ")
        yield CandleRun(
            storage_mode=mode,
            read_mode=LoadDataMode(metadata["read mode"]),
            start_us=parse_instant(start),
            end_us=parse_instant(end),
            ticks=metadata.get("ticks read"),
            files=metadata.get("files"),
            bytes=metadata.get("bytes"),
            requests=metadata.get("requests"),
            read_seconds=metadata.get("read seconds"),
            seconds=metadata["seconds"],
            at_us=at_us,
        )


def _observations(
    instance: dg.DagsterInstance, mode: StorageMode, table: str
) -> Iterator[tuple[int, dg.AssetObservation]]:
    found = instance.fetch_observations(asset_key(mode, table), limit=_MOST_EVENTS)
    for record in found.records:
        if observation := record.event_log_entry.asset_observation:
            yield round(record.timestamp * US_PER_SECOND), observation


def _upkeep(instance: dg.DagsterInstance, mode: StorageMode, table: str) -> Upkeep | None:
    """The newest maintenance of a table that changed or could have changed it."""
    for at_us, observation in _observations(instance, mode, table):
        metadata: dict[str, Any] = {
            name: value.value for name, value in observation.metadata.items()
        }
        if FIGURES in metadata and not metadata["dry run"]:
            states = (_state(metadata[FIGURES][name]) for name in ("before", "after"))
            return Upkeep(mode, table, at_us, metadata["seconds"], *states)
    return None


def _state(figures: dict[str, Any]) -> TableState:
    names = ("files", "bytes", "snapshots", "query_seconds")
    return TableState(**{name: figures[name] for name in names})


def _ledger(instance: dg.DagsterInstance, mode: StorageMode) -> Ledger | None:
    """The newest entry of each hour, summed."""
    newest: dict[str | None, Entry] = {}
    for _, observation in _observations(instance, mode, RAW):
        if entry := Entry.from_metadata(observation.metadata):
            newest.setdefault(observation.partition, entry)
    if not newest:
        return None
    entries = newest.values()
    late, repaired, waiting = (
        sum(getattr(entry, name) for entry in entries) for name in ("late", "repaired", "waiting")
    )
    return Ledger(mode, late, repaired, waiting)


def _check_runs(instance: dg.DagsterInstance) -> Iterator[CheckRun]:
    """Evaluations of the newest runs; those of freshness, which no run makes, are not among them."""
    for run in instance.get_runs(limit=_MOST_RUNS):
        found = instance.get_records_for_run(
            run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION, ascending=False
        )
        for record in found.records:
            event = record.event_log_entry.dagster_event
            if event is None:
                continue
            told = event.asset_check_evaluation_data
            mode, *rest = told.asset_key.path
            if mode not in set(StorageMode) or len(rest) != 1:
                continue
            yield CheckRun(
                run_id=run.run_id,
                at_us=round(record.timestamp * US_PER_SECOND),
                mode=StorageMode(mode),
                table=rest[0],
                check=told.check_name,
                outcome="ok" if told.passed else told.severity.value.lower(),
                description=told.description or "",
            )
