"""What came into raw since a look before: each file once, whatever else happens to the tables."""

# pyarrow has no types, pyiceberg has partial ones
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.types import arrow_schema
from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, hour_floor, now_us
from tick_pipeline.landing import iceberg_sink
from tick_pipeline.landing.read_marks import Mark, ReadMarks
from tick_pipeline.landing.snapshots import oldest_unread_us
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources import landed_files as landed_files_module
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.resources.iceberg_rewrite import current_files, merge_files
from tick_pipeline.resources.landed import LOCAL_SETTLE_US, Landed, LandedFile, parquet_mark
from tick_pipeline.resources.landed_files import LocalLandedFiles
from tick_pipeline.resources.landing import LocalLanding, open_stream
from tick_pipeline.storage import (
    RAW,
    StorageMode,
    hour_partition,
    iceberg_identifier,
    merged_name,
    table_location,
)
from tick_pipeline_tests.queries.warehouse import START_US, tick

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

ICEBERG, PARQUET = StorageMode
MODES = (ICEBERG, PARQUET)
both_modes = pytest.mark.parametrize("mode", MODES, ids=str)
HOUR_US = hour_floor(now_us()) - 5 * US_PER_HOUR
READER = "landed_hours"


def ticks(hour_us: int, number: int, *, late_seconds: int = 0) -> list[dict[str, Any]]:
    """Ticks of an hour, each put into the stream so much later."""
    found = [tick("AAA", (hour_us - START_US) / US_PER_SECOND + n, n + 1) for n in range(number)]
    return [item | {"sent_ts": item["event_ts"] + late_seconds * US_PER_SECOND} for item in found]


def deliver(home: Home, settings: Settings, *records: dict[str, Any]) -> None:
    """Land records in both modes, by the delivery loop."""
    data = [json.dumps(record).encode() for record in records]
    open_stream(home, settings).put(pa.array(["AAA"] * len(data)), pa.array(data, pa.binary()))
    for mode in MODES:
        LocalLanding(home, settings).land(mode, 0, 0)


def raw(home: Home) -> Any:
    return open_catalog(home.path).load_table(iceberg_identifier(RAW))


def rows_of(records: list[dict[str, Any]]) -> pa.Table:
    rows = pa.Table.from_pylist(records, arrow_schema(load_contract("tick"), PARQUET))
    return rows.cast(arrow_schema(load_contract("tick"), ICEBERG))


def look(files: LocalLandedFiles, mode: StorageMode, mark: Mark | None) -> Landed:
    """A look at a moment at which all that landed before has settled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landed_files_module, "now_us", lambda: now_us() + 2 * LOCAL_SETTLE_US)
        return files.since(mode, mark, reader=READER)


def hours(landed: Landed) -> list[int]:
    return sorted(file.hour_us for file in landed.files)


@both_modes
def test_each_file_is_told_once(home: Home, settings: Settings, mode: StorageMode) -> None:
    """Of whatever hour; and when it landed."""
    files = LocalLandedFiles(home, settings)
    first = look(files, mode, None)
    assert (first.files, first.warning) == ((), None)
    before_us = now_us()
    deliver(home, settings, *ticks(HOUR_US, 2), *ticks(HOUR_US + US_PER_HOUR, 1))
    second = look(files, mode, first.mark)
    assert hours(second) == [HOUR_US, HOUR_US + US_PER_HOUR]
    # Iceberg's time has milliseconds, and clocks of file systems tick every few of them.
    assert all(
        before_us - LOCAL_SETTLE_US <= (file.landed_us or 0) <= now_us() for file in second.files
    )
    deliver(home, settings, *ticks(HOUR_US, 1))
    third = look(files, mode, second.mark)
    assert hours(third) == [HOUR_US]
    assert look(files, mode, third.mark).files == ()
    # Whoever has no mark is told all that is there.
    assert len(look(files, mode, None).files) == 3


@both_modes
def test_a_mark_tells_what_a_run_that_begins_then_can_read(
    home: Home, settings: Settings, mode: StorageMode
) -> None:
    files = LocalLandedFiles(home, settings)
    deliver(home, settings, *ticks(HOUR_US, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landed_files_module, "now_us", lambda: now_us() + LOCAL_SETTLE_US)
        mark = files.mark(mode)
    deliver(home, settings, *ticks(HOUR_US, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landed_files_module, "now_us", lambda: now_us() + 3 * LOCAL_SETTLE_US)
        found = files.since(mode, None, reader=READER).files
    assert sorted(file.mark <= mark.number for file in found) == [False, True]


def test_a_file_that_has_just_got_its_name_is_told_by_the_next_look(
    home: Home, settings: Settings
) -> None:
    """Its time may be some milliseconds older than its name: a run that began in between did not see it."""
    files = LocalLandedFiles(home, settings)
    deliver(home, settings, *ticks(HOUR_US, 1))
    [file] = look(files, PARQUET, None).files
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landed_files_module, "now_us", lambda: file.mark - 1)
        early = files.since(PARQUET, None, reader=READER)
    assert early.files == ()
    assert look(files, PARQUET, early.mark).files == (file,)


def test_what_replaces_overwrites_or_deletes_lands_nothing(home: Home, settings: Settings) -> None:
    """Even between appends, and with manifests that a commit merged."""
    files = LocalLandedFiles(home, settings)
    deliver(home, settings, *ticks(HOUR_US, 3))
    mark = files.mark(ICEBERG)
    table = raw(home)
    table.delete("sequence = 2")
    assert look(files, ICEBERG, mark).files == ()
    with table.transaction() as change:
        change.set_properties({"commit.manifest.min-count-to-merge": "2"})
    for number in range(3):
        deliver(home, settings, *ticks(HOUR_US + number * US_PER_HOUR, 1))
    table.refresh()
    table.delete("sequence = 3")
    assert hours(look(files, ICEBERG, mark)) == [HOUR_US + n * US_PER_HOUR for n in range(3)]
    operations = [item.summary.operation.value for item in raw(home).snapshots() if item.summary]
    assert "overwrite" in operations


def test_hours_older_than_the_look_back_are_told_of_iceberg_alone(
    home: Home, settings: Settings
) -> None:
    old_us = HOUR_US - settings.late_lookback_hours * US_PER_HOUR
    files = LocalLandedFiles(home, settings)
    deliver(home, settings, *ticks(HOUR_US, 1))
    marks = {mode: look(files, mode, None).mark for mode in MODES}
    deliver(home, settings, *ticks(old_us, 1))
    assert hours(look(files, ICEBERG, marks[ICEBERG])) == [old_us]
    assert hours(look(files, PARQUET, marks[PARQUET])) == []
    assert hours(look(files, ICEBERG, None)) == [HOUR_US]


def test_expired_cursor(home: Home, settings: Settings) -> None:
    """Of the look-back's hours nothing is missed; that older ones may be is told."""
    old_us = HOUR_US - settings.late_lookback_hours * US_PER_HOUR
    files = LocalLandedFiles(home, settings)
    deliver(home, settings, *ticks(HOUR_US, 1))
    mark = files.mark(ICEBERG)
    for hour_us in (old_us, HOUR_US + US_PER_HOUR, HOUR_US + 2 * US_PER_HOUR, old_us):
        deliver(home, settings, *ticks(hour_us, 1))
    table = raw(home)
    snapshots = sorted(table.snapshots(), key=lambda item: item.sequence_number or 0)
    expiring = [item.snapshot_id for item in snapshots[:3]]
    table.maintenance.expire_snapshots().by_ids(expiring).commit()
    found = look(files, ICEBERG, mark)
    assert found.warning is not None
    assert "have expired" in found.warning
    assert hours(found) == [old_us, HOUR_US + US_PER_HOUR, HOUR_US + 2 * US_PER_HOUR]
    unknown = [file.hour_us for file in found.files if file.landed_us is None]
    assert unknown == [HOUR_US + US_PER_HOUR]
    assert look(files, ICEBERG, found.mark) == Landed((), found.mark)
    # That its own snapshot is gone is no loss, as long as those after it are there.
    assert look(files, ICEBERG, replace(mark, number=3)).warning is None


def test_a_compaction_does_not_tell_when_the_rows_landed(home: Home, settings: Settings) -> None:
    """A first look sees its file, which may hold ticks of long ago: nobody came late with it."""
    for _ in range(2):
        deliver(home, settings, *ticks(HOUR_US, 1))
    table = raw(home)
    old = current_files(table, TimeRange())
    assert merge_files(table, old, ("symbol", "event_ts"), settings)
    [file] = look(LocalLandedFiles(home, settings), ICEBERG, None).files
    assert (file.hour_us, file.landed_us) == (HOUR_US, None)


def test_of_a_table_that_was_made_anew_all_is_told(home: Home, settings: Settings) -> None:
    """Of whatever hour, and however far the old one was read; that it happened is told once."""
    old_us = HOUR_US - settings.late_lookback_hours * US_PER_HOUR
    files = LocalLandedFiles(home, settings)
    deliver(home, settings, *ticks(old_us, 1))
    deliver(home, settings, *ticks(HOUR_US, 1))
    for number in (1, 99):
        found = look(files, ICEBERG, Mark("iceberg/another", number))
        assert found.warning == "the table was made anew since the last look"
        assert (hours(found), found.mark) == ([old_us, HOUR_US], files.mark(ICEBERG))
    assert look(files, ICEBERG, found.mark) == Landed((), found.mark)


def test_a_table_that_went_back_to_an_earlier_state_is_looked_at_again(
    home: Home, settings: Settings
) -> None:
    """As one that was registered from a copy of its metadata."""
    files = LocalLandedFiles(home, settings)
    deliver(home, settings, *ticks(HOUR_US, 1))
    now = files.mark(ICEBERG)
    found = look(files, ICEBERG, replace(now, number=99))
    assert found.warning == "the table was rolled back since the last look"
    assert (hours(found), found.mark) == ([HOUR_US], now)


def test_after_a_rollback_what_is_appended_is_told(home: Home, settings: Settings) -> None:
    files = LocalLandedFiles(home, settings)
    for hour in range(3):
        deliver(home, settings, *ticks(HOUR_US + hour * US_PER_HOUR, 1))
    mark = files.mark(ICEBERG)
    first = min(raw(home).snapshots(), key=lambda item: item.sequence_number or 0)
    raw(home).manage_snapshots().rollback_to_snapshot(first.snapshot_id).commit()
    assert look(files, ICEBERG, mark) == Landed((), mark)
    raw(home).append(rows_of(ticks(HOUR_US, 1)))
    assert hours(look(files, ICEBERG, mark)) == [HOUR_US]


def test_merging_parquet_files_is_no_landing(home: Home, settings: Settings) -> None:
    """The merged one tells when the newest of its rows landed: who had not looked until then is told of it."""
    files = LocalLandedFiles(home, settings)
    for _ in range(2):
        deliver(home, settings, *ticks(HOUR_US, 1))
    seen = look(files, PARQUET, None)
    landed_us = max(file.landed_us or 0 for file in seen.files)
    folder = Path(table_location(str(home.warehouse), PARQUET, RAW), hour_partition(HOUR_US))
    names = [path.name for path in folder.iterdir()]
    rows = pa.concat_tables([pq.ParquetFile(folder / name).read() for name in names])
    pq.write_table(rows, folder / merged_name(names, landed_us))
    for name in names:
        (folder / name).unlink()
    assert look(files, PARQUET, seen.mark).files == ()
    [merged] = look(files, PARQUET, parquet_mark(landed_us - 1)).files
    assert (merged.landed_us, merged.mark) == (landed_us, landed_us + LOCAL_SETTLE_US)


@both_modes
def test_rows_that_are_late_are_counted(home: Home, settings: Settings, mode: StorageMode) -> None:
    """One that does not say when it was sent is not late; a file that is gone is told."""
    files = LocalLandedFiles(home, settings)
    unsent = ticks(HOUR_US, 1)[0] | {"sent_ts": None}
    deliver(home, settings, *ticks(HOUR_US, 3, late_seconds=60), unsent)
    deliver(home, settings, *ticks(HOUR_US, 2, late_seconds=61))
    found = look(files, mode, None).files
    counted = files.lateness(found, 60 * US_PER_SECOND)
    assert (counted.rows, counted.late, counted.unread) == (6, 2, 0)
    gone = LandedFile(HOUR_US, 1, 1, str(home.warehouse / "gone.parquet"))
    assert files.lateness([gone], 0).unread == 1


def test_landing_keeps_the_snapshots_that_a_reader_has_not_read(
    home: Home, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a day; without a reader, or of what all of them have read, for two hours."""
    files = LocalLandedFiles(home, settings)
    for _ in range(4):
        deliver(home, settings, *ticks(HOUR_US, 1))
    ReadMarks(home).keep("late_ticks", ICEBERG, 4)
    early = replace(files.mark(ICEBERG), number=2)
    look(files, ICEBERG, early)
    assert ReadMarks(home).smallest(ICEBERG) == 2
    start_us, passed_hours = now_us(), iceberg_sink.KEEP_SNAPSHOTS_HOURS + 2
    monkeypatch.setattr(iceberg_sink, "now_us", lambda: start_us + passed_hours * US_PER_HOUR)
    deliver(home, settings, *ticks(HOUR_US, 1))
    assert {3, 4, 5} <= {item.sequence_number for item in raw(home).snapshots()}
    assert look(files, ICEBERG, early).warning is None
    passed_hours = iceberg_sink.KEEP_UNREAD_HOURS + 2
    deliver(home, settings, *ticks(HOUR_US, 1))
    assert len(raw(home).snapshots()) == 1


def test_a_mark_that_cannot_be_read_is_that_of_a_reader_that_read_nothing(home: Home) -> None:
    marks = ReadMarks(home)
    assert marks.smallest(ICEBERG) is None
    marks.keep(READER, ICEBERG, 7)
    marks.keep(READER, PARQUET, 1)
    assert marks.smallest(ICEBERG) == 7
    other = home.landing / "read" / "iceberg-other"
    other.write_text("?", encoding="utf-8")
    assert marks.smallest(ICEBERG) == 0
    # Who has not looked for more than a week is forgotten.
    os.utime(other, (0, 0))
    assert marks.smallest(ICEBERG) == 7
    assert oldest_unread_us(raw(home), 0) is None
