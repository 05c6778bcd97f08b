"""Upkeep of real tables: what readers see stays, whoever writes, and whenever it is killed."""

# pyarrow and pyiceberg have no types, or partial ones.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from tick_pipeline.errors import BusyError, TickPipelineError, WorkError
from tick_pipeline.event_time import US_PER_HOUR, now_us
from tick_pipeline.home import exclusive
from tick_pipeline.landing.checkpoint import CheckpointFile
from tick_pipeline.landing.read_marks import ReadMarks
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources import parquet_merge
from tick_pipeline.resources.data_files import _walk  # pyright: ignore[reportPrivateUsage]
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.resources.iceberg_rewrite import (
    current_files,
    merge_files,
    merge_manifests,
    replace_files,
)
from tick_pipeline.resources.inspection import LocalInspection
from tick_pipeline.resources.landed_files import LocalLandedFiles
from tick_pipeline.resources.local_lake import LocalLake
from tick_pipeline.resources.maintenance_port import UpkeepRequest
from tick_pipeline.resources.object_store import LocalStore
from tick_pipeline.storage import PARTITION_KEYS, is_merged
from tick_pipeline_tests.landing.conftest import START_US
from tick_pipeline_tests.resources.maintained import (
    ICEBERG,
    MODES,
    PARQUET,
    SmallFiles,
    small_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline.home import Home
    from tick_pipeline.resources.maintenance_port import TableUpkeep
    from tick_pipeline.settings import Settings

_MAINTAINER = Path(__file__).parent / "maintainer.py"
_STATISTICS = (
    "select symbol, count(*) as n, sum(volume) as volume, min(event_us) as first, max(event_us) as last "
    "from {mode}.ticks group by symbol order by symbol"
)


@pytest.fixture
def small(home: Home, settings: Settings) -> SmallFiles:
    """Three hours with six files each."""
    made = small_files(home, settings)
    made.land(6)
    return made


@pytest.fixture
def at_hours(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Moves the clock of upkeep so many hours on."""

    def move(hours: int) -> None:
        monkeypatch.setattr(
            "tick_pipeline.resources.maintenance.now_us", lambda: now_us() + hours * US_PER_HOUR
        )

    return move


def test_small_files_of_closed_hours_become_one_sorted_file_and_queries_answer_the_same(
    small: SmallFiles,
) -> None:
    before = {mode: (small.ticks_hash(mode), small.rows(_STATISTICS, mode)) for mode in MODES}
    done = small.maintain()
    for mode in MODES:
        item = done[mode.value, "raw"]
        assert (item.merged_hours, item.merged_files, item.merged_into) == (3, 18, 3)
        assert item.after is not None
        assert (item.before.files, item.after.files) == (18, 3)
        assert item.after.bytes < item.before.bytes
        assert item.before.query_seconds
        assert item.after.query_seconds
        assert (small.ticks_hash(mode), small.rows(_STATISTICS, mode)) == before[mode]
    small.lake.assert_each_record_landed_once()
    for path in [*small.lake.files(PARQUET), *small.home.warehouse.rglob("merged-*.parquet")]:
        rows = pq.ParquetFile(path).read(["symbol", "event_ts"]).to_pylist()
        keys = [(row["symbol"] is None, row["symbol"], row["event_ts"]) for row in rows]
        assert keys == sorted(keys)
    again = small.maintain()
    assert all(item.merged_files == 0 and item.after == item.before for item in again.values())


def test_what_lands_after_a_merge_is_merged_with_it_the_next_time(small: SmallFiles) -> None:
    small.maintain()
    small.land(5, hours=1)
    done = small.maintain()
    for mode in MODES:
        assert (done[mode.value, "raw"].merged_files, done[mode.value, "raw"].merged_into) == (6, 1)
    small.lake.assert_each_record_landed_once()


def test_nothing_is_lost_or_doubled_beside_a_running_delivery(small: SmallFiles) -> None:
    """It lands into the very hours that are merged, over and over."""
    failures: list[BaseException] = []

    def deliver_on() -> None:
        try:
            for _ in range(4):
                small.land(6, records=120, hours=2)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    delivery = threading.Thread(target=deliver_on)
    delivery.start()
    merged = 0
    while delivery.is_alive():
        merged += sum(item.merged_files for item in small.maintain().values())
    delivery.join()
    assert not failures
    assert merged
    small.maintain()
    small.lake.assert_each_record_landed_once()
    assert small.ticks_hash(ICEBERG) == small.ticks_hash(PARQUET)


def test_a_merge_does_not_undo_an_overwrite_of_its_hour(small: SmallFiles) -> None:
    table = small.lake.raw_table()
    hour = [file for file in current_files(table, TimeRange()) if file.hour_us == START_US]
    other = small.lake.raw_table()
    first = other.scan(limit=3).to_arrow()
    other.overwrite(first, "event_ts < '2026-01-01T11:00:00+00:00'")
    assert merge_files(table, hour, ("symbol", "event_ts"), small.settings) is False
    seen = small.lake.raw_table().scan("event_ts < '2026-01-01T11:00:00+00:00'").to_arrow()
    assert seen.num_rows == 3
    assert not list(small.home.warehouse.rglob("merged-*.parquet"))


def test_a_commit_that_is_always_too_late_is_told(
    small: SmallFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = small.lake.raw_table()
    table.transaction().set_properties({"commit.retry.num-retries": "0"}).commit_transaction()
    files = current_files(table, TimeRange())

    def too_late(*_: object, **__: object) -> None:
        from pyiceberg.exceptions import CommitFailedException

        raise CommitFailedException("somebody else")

    monkeypatch.setattr(type(table.catalog), "commit_table", too_late)
    monkeypatch.setattr("tick_pipeline.resources.iceberg_rewrite._WAIT_SECONDS", 0)
    with pytest.raises(BusyError, match="changed time and again"):
        replace_files(table, files, [], what="retention")


@pytest.mark.parametrize(
    "moment",
    [
        "written, not committed",
        "committed",
        "named, nothing removed",
        "one removed",
    ],
)
def test_a_kill_leaves_tables_right_and_the_next_run_finishes(
    small: SmallFiles, moment: str
) -> None:
    before = [small.ticks_hash(mode) for mode in MODES]
    command = [sys.executable, str(_MAINTAINER), str(small.home.path), moment]
    killed = subprocess.run(command, check=False, env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL
    assert [small.ticks_hash(mode) for mode in MODES] == before
    small.maintain()
    assert [small.ticks_hash(mode) for mode in MODES] == before
    assert len(small.lake.files(PARQUET)) == 3
    assert len(current_files(small.lake.raw_table(), TimeRange())) == 3
    small.lake.assert_each_record_landed_once()


def test_what_a_kill_left_and_old_snapshots_are_removed_in_time(
    small: SmallFiles, at_hours: Callable[[int], None]
) -> None:
    half = small.home.warehouse / "parquet_projection/raw/year=2026/_half.parquet.tmp"
    orphan = small.home.warehouse / "iceberg/raw/data/merged-of-a-killed-run.parquet"
    for path in (half, orphan):
        path.write_bytes(b"half")
    small.maintain()
    for _ in range(3):
        small.land(5, records=60, hours=1)
        small.maintain()
    assert half.exists(), "it may be in the making"
    assert orphan.exists(), "it may be in the making"
    before = [small.ticks_hash(mode) for mode in MODES]
    at_hours(200)
    done = small.maintain()
    item = done["iceberg", "raw"]
    assert item.after is not None
    assert item.expired_snapshots > 0
    assert item.after.snapshots == 10
    assert item.removed_files > 20
    assert item.before.stored_bytes - item.after.stored_bytes > item.removed_bytes / 2
    assert not half.exists()
    assert not orphan.exists()
    assert [small.ticks_hash(mode) for mode in MODES] == before
    assert small.maintain()["iceberg", "raw"].removed_files == 0
    small.land(1)
    small.lake.assert_each_record_landed_once()


def test_what_the_sensor_has_not_read_and_the_newest_checkpoint_do_not_expire(
    small: SmallFiles, at_hours: Callable[[int], None]
) -> None:
    small.land(8, hours=1)
    ReadMarks(small.home).keep("landed_hours", ICEBERG, 3)
    at_hours(10_000)
    small.maintain(snapshot_keep_hours=1)
    table = small.lake.raw_table()
    assert min(item.sequence_number or 0 for item in table.metadata.snapshots) == 4
    ReadMarks(small.home).keep("landed_hours", ICEBERG, 10**6)
    for _ in range(12):
        # Snapshots of upkeep carry no checkpoint of a delivery.
        merge_manifests(table)
    small.maintain(snapshot_keep_hours=1)
    kept = small.lake.raw_table().metadata.snapshots
    assert any("tick-pipeline.landing.checkpoint" in (item.summary or {}) for item in kept)


def test_many_manifests_become_few_and_nothing_landed_with_that(
    home: Home, settings: Settings
) -> None:
    small = small_files(home, settings)
    small.land(12, records=60, hours=1)
    mark = LocalLandedFiles(small.home, settings).mark(ICEBERG)
    table = small.lake.raw_table()
    before = small.ticks_hash(ICEBERG)
    # The hours are not closed then, so that only manifests are left to do.
    item = small.maintain(start_us=START_US + 24 * US_PER_HOUR)["iceberg", "raw"]
    assert item.after is not None
    assert (item.before.manifests, item.after.manifests, item.merged_manifests) == (12, 1, 12)
    assert small.lake.raw_table().properties == table.properties
    assert small.ticks_hash(ICEBERG) == before
    landed = LocalLandedFiles(small.home, settings).since(ICEBERG, mark, reader="test")
    assert landed.files == ()


@pytest.mark.parametrize("mode", MODES)
def test_merging_is_no_landing_and_hides_none(
    small: SmallFiles, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sensor reruns no hour for it, and still hears of what landed before it."""
    # What landed a moment ago is told at the first look.
    monkeypatch.setattr("tick_pipeline.resources.landed_files.LOCAL_SETTLE_US", 0)
    hours = (now_us() - START_US) // US_PER_HOUR + 24
    landed = LocalLandedFiles(
        small.home, small.settings.model_copy(update={"late_lookback_hours": hours})
    )
    read = landed.since(ICEBERG if mode == ICEBERG else PARQUET, None, reader="test").mark
    stored = ICEBERG if mode == ICEBERG else PARQUET
    small.maintain()
    assert landed.since(stored, read, reader="test").files == ()
    small.land(5, hours=1)
    small.maintain()
    seen = landed.since(stored, read, reader="test")
    assert {file.hour_us for file in seen.files} == {START_US}


def test_a_flush_that_is_not_counted_yet_is_left_for_its_retry(small: SmallFiles) -> None:
    """A kill between a flush's files and its checkpoint: the retry writes the same names again."""
    kept = CheckpointFile(small.home.landing / "parquet_projection.json")
    checkpoint, _ = kept.read()
    kept.write(type(checkpoint)(checkpoint.flush - 1, checkpoint.positions))
    done = small.maintain()
    assert done["parquet_projection", "raw"].merged_files == 15
    names = [path.name for path in small.lake.files(PARQUET)]
    assert sum(is_merged(name) for name in names) == 3
    assert sum(name.startswith("0000000006-") for name in names) == 3


def test_files_that_landing_is_about_to_write_again_are_no_orphans(
    small: SmallFiles, at_hours: Callable[[int], None]
) -> None:
    """A delivery that was killed, and stood still for days."""
    folder = next(small.home.warehouse.glob("iceberg/raw/data/*"))
    counted, planned = (folder / f"{n:010d}-0123456789abcdef.parquet" for n in (6, 7))
    for path in (counted, planned):
        path.write_bytes(b"rows")
    at_hours(200)
    small.maintain()
    assert (counted.exists(), planned.exists()) == (False, True)


def test_a_dry_run_tells_all_and_changes_nothing(
    small: SmallFiles, at_hours: Callable[[int], None]
) -> None:
    small.land(8, hours=1)
    at_hours(200)
    before = small.stored_hash()
    told = small.maintain(dry_run=True, retain_hours=1)
    assert small.stored_hash() == before
    for item in told.values():
        assert item.dry_run
        assert item.after is None
        assert item.dropped_files == item.before.files
    assert told["iceberg", "raw"].expired_snapshots == 4


def test_retention_drops_the_same_hours_in_both_modes(
    small: SmallFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_us = now_us()
    monkeypatch.setattr("tick_pipeline.resources.maintenance.now_us", lambda: clock_us)
    hours = (clock_us - START_US) // US_PER_HOUR - 1
    done = small.maintain("raw", "anomalies", retain_hours=hours)
    for mode in MODES:
        assert done[mode.value, "raw"].dropped_hours == 1
        assert done[mode.value, "anomalies"].dropped_hours == 0
        first = small.rows("select min(event_us) as first from {mode}.ticks", mode)[0]["first"]
        assert START_US + US_PER_HOUR <= first < START_US + 2 * US_PER_HOUR
    assert small.ticks_hash(ICEBERG) == small.ticks_hash(PARQUET)


def test_retention_drops_the_same_hours_in_both_modes_while_an_hour_ends(
    home: Home, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = small_files(home, settings)
    small.land(1, hours=3)
    clock = itertools.count(START_US + 11 * US_PER_HOUR, US_PER_HOUR)
    monkeypatch.setattr("tick_pipeline.resources.maintenance.now_us", lambda: next(clock))
    done = small.maintain(retain_hours=10, dry_run=True)
    assert [item.dropped_hours for item in done.values()] == [1, 1]
    # Dagster asks for each mode by itself.
    for mode in MODES:
        request = UpkeepRequest((mode,), ("raw",), None, None, 10, dry_run=True, at_us=START_US)
        assert [item.dropped_hours for item in small.maintenance().run(request)] == [0]


def test_a_merged_file_that_cannot_be_read_keeps_its_hour_as_it_is_and_no_other(
    small: SmallFiles,
) -> None:
    small.maintain()
    small.land(5)
    broken = min(path for path in small.lake.files(PARQUET) if is_merged(path.name))
    broken.write_bytes(b"no parquet")
    told = small.maintain(dry_run=True)["parquet_projection", "raw"]
    done = small.maintain()["parquet_projection", "raw"]
    assert done.merged_hours == told.merged_hours == 2
    assert told.notes == done.notes
    assert f"{broken.name} is not to be read" in done.notes[0]
    assert len(list(broken.parent.iterdir())) == 6


def test_of_merged_files_only_the_ends_are_read_again(
    home: Home, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = small_files(home, settings)
    small.land(5, hours=1)
    small.maintain()
    small.land(1, hours=1)
    read, asked = LocalStore.read, list[int]()

    def reading(store: LocalStore, path: str, *, last_bytes: int = 0) -> bytes:
        asked.append(last_bytes)
        return read(store, path, last_bytes=last_bytes)

    monkeypatch.setattr(LocalStore, "read", reading)
    small.maintain()
    assert len(asked) == 1
    assert asked[0] > 0


def test_two_upkeeps_at_once_double_no_row_where_nothing_locks(
    home: Home, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on S3: while one reads an hour's files, another puts one in the place of those and one more."""
    small = small_files(home, settings)
    small.land(5, hours=1)
    monkeypatch.setattr(LocalLake, "alone", nullcontext)
    others = iter([lambda: (small.land(1, hours=1), small.maintain())])

    def slowly(*given: Any) -> parquet_merge.MergedFile:
        made = parquet_merge.merged_file(*given)
        for other in others:
            other()
        return made

    monkeypatch.setattr("tick_pipeline.resources.parquet_upkeep.merged_file", slowly)
    done = small.maintain()["parquet_projection", "raw"]
    assert "merged by another upkeep" in done.notes[0]
    assert len(small.lake.files(PARQUET)) == 1
    small.lake.assert_each_record_landed_once()


def test_a_folder_that_names_no_hour_is_no_table_s(small: SmallFiles) -> None:
    stray = small.home.warehouse / "parquet_projection/raw/year=2026/month=13/day=40/hour=99"
    stray.mkdir(parents=True)
    (stray / "x.parquet").write_bytes(b"")
    assert small.maintain(dry_run=True)["parquet_projection", "raw"].before.files == 18
    assert small.rows("select count(*) as n from {mode}.ticks", PARQUET)[0]["n"]
    [told] = LocalInspection(small.home).strays(PARQUET, TimeRange())
    assert "there is no such hour" in told


def test_a_file_that_is_merged_while_its_folder_is_listed_is_passed_over(
    small: SmallFiles,
) -> None:
    root = str(small.home.warehouse / "parquet_projection/raw")
    listing = _walk(root, PARTITION_KEYS, TimeRange())
    first = next(listing)
    for path in Path(first.path).parent.iterdir():
        path.unlink()
    assert {file.hour_us for file in listing} == {
        START_US + US_PER_HOUR,
        START_US + 2 * US_PER_HOUR,
    }


def test_a_file_that_cannot_be_merged_stays_and_is_told(small: SmallFiles) -> None:
    first = small.lake.files(PARQUET)[0]
    rows = pq.ParquetFile(first).read()
    pq.write_table(rows.append_column("stranger", rows["price"]), first)
    done = small.maintain()["parquet_projection", "raw"]
    assert done.merged_hours == 2
    assert "has the column stranger" in done.notes[0]
    first.write_bytes(b"no parquet")
    notes = small.maintain()["parquet_projection", "raw"].notes
    assert any("is not to be read" in note for note in notes)
    assert first.read_bytes() == b"no parquet"


def test_files_of_a_job_that_reads_them_are_not_taken_away(
    small: SmallFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_WAIT_SECONDS", "_ALONE_SECONDS"):
        monkeypatch.setattr(f"tick_pipeline.resources.local_lake.{name}", 0.1)
    files = small.lake.files(PARQUET)
    lock = small.home.locks / "parquet_projection-aggregated_1m.lock"
    with exclusive(lock, what="candles"), pytest.raises(BusyError, match="aggregated_1m"):
        small.maintain()
    assert small.lake.files(PARQUET) == files
    with (
        exclusive(small.home.locks / "maintenance.lock", what="upkeep"),
        pytest.raises(BusyError, match="upkeep"),
    ):
        small.maintain()


def test_a_table_that_fails_keeps_no_other_from_being_looked_after(small: SmallFiles) -> None:
    broken = next(small.home.warehouse.glob("iceberg/raw/data/*/*.parquet"))
    broken.write_bytes(broken.read_bytes()[:100])
    done: list[TableUpkeep] = []
    request = UpkeepRequest(MODES, ("raw", "anomalies"))
    with pytest.raises(WorkError, match=r"^looking after iceberg\.raw: a file was not"):
        small.maintenance().run(request, done.append)
    told = {(item.storage_mode, item.table): item.merged_files for item in done}
    assert told == {(ICEBERG, "anomalies"): 0, (PARQUET, "raw"): 18, (PARQUET, "anomalies"): 0}
    with closing(open_catalog(small.home.path)) as catalog:
        catalog.drop_table("iceberg.anomalies")
    with pytest.raises(WorkError, match=r"^2 tables were left: .*raw: .*; iceberg\.anomalies: "):
        small.maintenance().run(request)


def test_a_table_that_no_library_can_read_keeps_no_other_from_being_looked_after(
    small: SmallFiles,
) -> None:
    for manifest in small.home.warehouse.glob("iceberg/raw/metadata/*.avro"):
        manifest.write_bytes(manifest.read_bytes()[:50])
    done: list[TableUpkeep] = []
    with pytest.raises(Exception, match=r".") as raised:
        small.maintenance().run(UpkeepRequest(MODES, ("raw",)), done.append)
    assert not isinstance(raised.value, TickPipelineError)
    assert [(item.storage_mode, item.merged_files) for item in done] == [(PARQUET, 18)]


def test_tables_that_are_read_may_be_tried_again(
    small: SmallFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tick_pipeline.resources.local_lake._WAIT_SECONDS", 0.1)
    lock = small.home.locks / "parquet_projection-aggregated_1m.lock"
    request = UpkeepRequest(MODES, ("raw", "anomalies"), retain_hours=1)
    hour = small.home.warehouse / "parquet_projection/anomalies/year=2026/month=01/day=01/hour=00"
    hour.mkdir(parents=True)
    (hour / "anomalies.parquet").write_bytes(b"of an hour that retention ends")
    with exclusive(lock, what="candles"), pytest.raises(BusyError, match=r"^2 tables were left: "):
        small.maintenance().run(request)


def test_a_table_whose_files_lie_elsewhere_loses_none(small: SmallFiles) -> None:
    """If what it refers to is not in its folder, what is there cannot be told from what it needs."""
    path = next(small.home.warehouse.glob("iceberg/raw/data/*/*.parquet"))
    path.rename(path.with_suffix(".moved"))
    with pytest.raises(WorkError, match="do not lie below"):
        small.maintain(dry_run=True)
