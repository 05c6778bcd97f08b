"""A delivery: what lands where, when it flushes, what it reports, and how it fails."""

# pyarrow, duckdb and pyiceberg are not fully typed.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
from __future__ import annotations

import json
import threading
import time
from datetime import timezone
from importlib.metadata import files
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from tick_pipeline.errors import BusyError, LandingError, StreamError
from tick_pipeline.event_time import (
    MAX_EVENT_US,
    MIN_EVENT_US,
    US_PER_HOUR,
    hour_floor,
    parse_instant,
)
from tick_pipeline.home import exclusive
from tick_pipeline.landing import delivery, iceberg_sink
from tick_pipeline.landing.delivery import DeliverySummary, Progress, deliver
from tick_pipeline.landing.error_records import read_errors
from tick_pipeline.landing.error_store import LocalErrorStore
from tick_pipeline.landing.iceberg_sink import CHECKPOINT_PROPERTY, IcebergSink
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline.storage import StorageMode, partition_hour
from tick_pipeline.stream.segments import LocalStream

BOTH = list(StorageMode)
START_US = parse_instant("2026-01-01T10:00:00Z")


def run(
    lake: Any, modes: list[StorageMode] | None = None, *, again: bool = False, **changes: Any
) -> dict[StorageMode, DeliverySummary]:
    """Deliver all that is pending, as a new process would."""
    settings = load_settings(home=lake.home.path, _env_file=None, **changes)
    stream = LocalStream(lake.home.stream)
    return deliver(lake.home, settings, stream, modes=modes or BOTH, again=again)


def test_a_mode_that_lost_its_files_is_delivered_again_from_the_stream(
    lake: Any, tick: Any
) -> None:
    """What was lost comes back; what was not is in raw twice, under other names."""
    lake.put([tick(sequence=number) for number in range(1, 40)])
    run(lake)
    (lost, *_) = lake.files(StorageMode.PARQUET_PROJECTION)
    lost.unlink()
    lake.put([tick(sequence=40)])
    run(lake, again=True)
    for mode, copies in ((StorageMode.ICEBERG, 39), (StorageMode.PARQUET_PROJECTION, 0)):
        rows = lake.raw(mode)
        assert set(rows.column("sequence").to_pylist()) == set(range(1, 41))
        assert rows.num_rows == 40 + copies
    assert all(summary.records == 0 for summary in run(lake).values())


def test_bad_records_are_kept_malformed_in_the_error_prefix_and_invalid_in_raw(
    lake: Any, tick: Any
) -> None:
    """Both with their reason: the malformed with its bytes and place, the invalid with its rule."""
    lake.put(
        [tick(), tick(price=-1.0), tick(symbol=None), b"garbage", b"\xff", tick(event_ts=None)]
    )
    summaries = run(lake)
    for mode in BOTH:
        summary = summaries[mode]
        assert (summary.records, summary.landed) == (6, 3)
        assert summary.malformed == {"not_json": 1, "not_utf8": 1, "no_event_time": 1}
        assert summary.invalid == {"price_exclusive_minimum": 1, "symbol_null": 1}
        kept = {
            record.data: record
            for record in read_errors(LocalErrorStore(lake.home.warehouse), mode)
        }
        assert kept.keys() == {b"garbage", b"\xff", tick(event_ts=None)}
        assert kept[b"garbage"].code == "not_json"
    lake.assert_each_record_landed_once()


def test_error_types_are_those_of_the_modes_firehose(lake: Any) -> None:
    lake.put([b"garbage"])
    run(lake)
    types = {
        mode: {r.error_type for r in read_errors(LocalErrorStore(lake.home.warehouse), mode)}
        for mode in BOTH
    }
    assert types == {
        StorageMode.ICEBERG: {"iceberg-failed"},
        StorageMode.PARQUET_PROJECTION: {"format-conversion-failed"},
    }


def test_both_modes_agree_row_by_row_and_lie_by_event_hour(lake: Any, ticks: Any) -> None:
    lake.put(ticks(2_000))
    summaries = run(lake)
    lake.assert_each_record_landed_once()
    for mode in BOTH:
        assert summaries[mode].hours == [START_US + hour * US_PER_HOUR for hour in range(3)]
    for path in lake.files(StorageMode.PARQUET_PROJECTION):
        hours = {hour_floor(us) for us in pq.ParquetFile(path).read()["event_ts"].to_pylist()}
        assert hours == {partition_hour(path.as_posix())}


def test_any_hour_of_the_century_lands_in_its_own_partition(lake: Any, tick: Any) -> None:
    """Hundreds of hours in one flush, the first and the last possible one among them."""
    step = (MAX_EVENT_US - MIN_EVENT_US) // 300
    times = [*range(MIN_EVENT_US, MAX_EVENT_US, step), MAX_EVENT_US - 1]
    lake.put([tick(sequence=place, event_ts=us) for place, us in enumerate(times, start=1)])
    summaries = run(lake)
    assert summaries[StorageMode.ICEBERG].flushes == 1
    assert summaries[StorageMode.ICEBERG].files == len({hour_floor(us) for us in times})
    lake.assert_each_record_landed_once()


def test_order_does_not_matter_within_a_file_it_is_sorted(lake: Any, ticks: Any) -> None:
    lake.put(ticks(1_000, hours=1, bad_share=0.0))
    run(lake)
    for mode in BOTH:
        for path in lake.files(mode):
            rows = pq.ParquetFile(path).read().select(["symbol", "event_ts"]).to_pylist()
            keys = [(row["symbol"], row["event_ts"]) for row in rows]
            assert keys == sorted(keys)


@pytest.mark.parametrize("order", ["symbol,event_ts", "event_ts", "none"])
@pytest.mark.parametrize("compression", ["zstd", "snappy", "gzip", "none"])
def test_settings_choose_sort_and_compression(
    lake: Any, ticks: Any, order: str, compression: str
) -> None:
    lake.put(ticks(300))
    run(lake, parquet_sort=order, parquet_compression=compression, parquet_compression_level=19)
    lake.assert_each_record_landed_once()
    column = pq.ParquetFile(lake.files(StorageMode.ICEBERG)[0]).metadata.row_group(0).column(0)
    assert column.compression == {"none": "UNCOMPRESSED"}.get(compression, compression.upper())


def test_integers_are_delta_packed_and_texts_are_not(lake: Any, ticks: Any) -> None:
    """Iceberg's readers lose their vectorised path on delta-encoded texts."""
    lake.put(ticks(500))
    run(lake)
    for mode in BOTH:
        group = pq.ParquetFile(lake.files(mode)[0]).metadata.row_group(0)
        encodings = {
            group.column(place).path_in_schema: group.column(place).encodings
            for place in range(group.num_columns)
        }
        for name in ("sequence", "event_ts", "sent_ts"):
            assert "DELTA_BINARY_PACKED" in encodings[name]
        for name in ("event_id", "event_time", "symbol", "source"):
            assert not [item for item in encodings[name] if item.startswith("DELTA")]


def test_replay_changes_nothing_when_nothing_is_new(lake: Any, ticks: Any) -> None:
    lake.put(ticks(300))
    run(lake)
    before = lake.raw_table().metadata_location
    summaries = run(lake)
    assert {(item.records, item.flushes) for item in summaries.values()} == {(0, 0)}
    assert lake.raw_table().metadata_location == before
    lake.assert_each_record_landed_once()


def test_an_empty_stream_is_delivered_at_once(lake: Any) -> None:
    assert {summary.records for summary in run(lake).values()} == {0}


@pytest.mark.parametrize(
    ("limit", "flushes"),
    [({"buffer_records": 250}, 4), ({"buffer_mib": 0.05}, 4), ({}, 1)],
    ids=["count", "size", "neither"],
)
def test_a_flush_ends_by_count_or_size(
    lake: Any, ticks: Any, limit: dict[str, Any], flushes: int
) -> None:
    for _ in range(20):
        lake.put(ticks(50, bad_share=0.0))
    summaries = run(lake, **limit)
    assert summaries[StorageMode.ICEBERG].flushes == pytest.approx(flushes, abs=1)
    lake.assert_each_record_landed_once()


def test_a_flush_of_malformed_records_alone_moves_both_modes_on(lake: Any, tick: Any) -> None:
    lake.put([b"garbage"] * 10)
    first = run(lake)
    assert first[StorageMode.ICEBERG].files == 0
    assert {item.records for item in run(lake).values()} == {0}
    lake.put([tick()])
    run(lake)
    lake.assert_each_record_landed_once()


def test_a_mode_that_was_off_catches_up_alone(lake: Any, ticks: Any) -> None:
    lake.put(ticks(300))
    run(lake, modes=[StorageMode.ICEBERG])
    lake.put(ticks(200))
    summaries = run(lake)
    assert summaries[StorageMode.ICEBERG].records == 200
    assert summaries[StorageMode.PARQUET_PROJECTION].records == 500
    lake.assert_each_record_landed_once()


def test_the_stream_knows_how_far_each_mode_has_come(lake: Any, ticks: Any) -> None:
    lake.put(ticks(300))
    summaries = run(lake)
    latest = {shard.shard_id: shard.latest for shard in lake.stream.shards() if shard.latest}
    for mode in BOTH:
        assert lake.stream.positions(mode.value) == summaries[mode].positions == latest


def test_the_checkpoint_travels_with_the_snapshot_and_needs_no_file(lake: Any, ticks: Any) -> None:
    """Iceberg alone says what it holds: without landing's file nothing lands twice."""
    lake.put(ticks(300))
    positions = run(lake)[StorageMode.ICEBERG].positions
    snapshot = lake.raw_table().current_snapshot()
    assert json.loads(snapshot.summary[CHECKPOINT_PROPERTY])["positions"] == positions
    (lake.home.landing / "iceberg.json").unlink()
    assert run(lake)[StorageMode.ICEBERG].records == 0


def test_duckdb_reads_the_added_files_by_their_metadata(lake: Any, ticks: Any) -> None:
    """Files without field ids are found by the table's name mapping, and pruned by hour."""
    lake.put(ticks(1_000, bad_share=0.0))
    run(lake)
    connection = duckdb.connect()
    for name in ("avro", "httpfs", "iceberg"):
        [path] = _extension(name)
        connection.execute(f"load '{path}'")
    location = lake.raw_table().metadata_location
    rows = connection.execute(
        "select count(*), count(distinct event_id), min(event_ts), count(price) from iceberg_scan(?)",
        [location],
    ).fetchall()
    oldest = lake.raw_table().scan().to_arrow()["event_ts"].to_pylist()
    assert rows == [(1_000, 1_000, min(oldest), 1_000)]
    assert min(oldest).utcoffset() == timezone.utc.utcoffset(None)


def test_old_snapshots_go_each_hour_and_leave_no_metadata(
    lake: Any, ticks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the oldest is an hour beyond what is kept; every file of the folder is needed afterwards."""
    for _ in range(30):
        lake.put(ticks(50))
        run(lake, modes=[StorageMode.ICEBERG])
    assert len(lake.raw_table().metadata.snapshots) == 30
    clock_us = iceberg_sink.now_us() + (iceberg_sink.KEEP_SNAPSHOTS_HOURS + 2) * US_PER_HOUR
    monkeypatch.setattr(iceberg_sink, "now_us", lambda: clock_us)
    lake.put(ticks(50))
    run(lake, modes=[StorageMode.ICEBERG])
    table = lake.raw_table()
    assert len(table.metadata.snapshots) == 1
    [snapshot] = table.metadata.snapshots
    needed = {snapshot.manifest_list, *(m.manifest_path for m in snapshot.manifests(table.io))}
    folder = lake.home.warehouse / "iceberg/raw/metadata"
    assert {f"file://{path}" for path in folder.glob("*.avro")} == needed
    assert len(list(folder.glob("*.json"))) <= 21
    lake.put(ticks(50))
    run(lake)
    lake.assert_each_record_landed_once()


def test_progress_counts_up_to_what_was_expected(lake: Any, ticks: Any, settings: Settings) -> None:
    lake.put(ticks(1_000))
    seen: list[Progress] = []
    small = settings.model_copy(update={"buffer_records": 300})
    deliver(lake.home, small, lake.stream, modes=BOTH, on_progress=seen.append)
    assert [item.records for item in seen] == [300, 600, 900, 1_000]
    assert {item.expected for item in seen} == {1_000}


def test_follow_flushes_by_interval_until_it_is_stopped(
    lake: Any, ticks: Any, settings: Settings
) -> None:
    """What arrives meanwhile lands within the interval; what is buffered at the stop is not lost."""
    quick = settings.model_copy(update={"buffer_seconds": 0.2})
    stop = threading.Event()
    found: dict[StorageMode, DeliverySummary] = {}

    def follow() -> None:
        found.update(deliver(lake.home, quick, lake.stream, modes=BOTH, follow=True, stop=stop))

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        for _ in range(2):
            lake.put(ticks(50))
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline and not _caught_up(lake):
                time.sleep(0.02)
            assert _caught_up(lake)
        lake.put(ticks(50))
    finally:
        stop.set()
        thread.join(120)
    assert found[StorageMode.ICEBERG].flushes >= 2
    run(lake)
    lake.assert_each_record_landed_once()


def test_a_stopped_delivery_can_go_on(lake: Any, ticks: Any, settings: Settings) -> None:
    stop = threading.Event()
    small = settings.model_copy(update={"buffer_records": 100})
    lake.put(ticks(1_000))
    summaries = deliver(
        lake.home, small, lake.stream, modes=BOTH, stop=stop, on_progress=lambda _: stop.set()
    )
    assert 0 < summaries[StorageMode.ICEBERG].records < 1_000
    run(lake)
    lake.assert_each_record_landed_once()


def test_a_mode_that_is_held_elsewhere_is_refused_in_one_line(
    lake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "LEASE_WAIT_SECONDS", 0.2)
    lock = lake.home.locks / "deliver-iceberg.lock"
    with exclusive(lock, what="the test"), pytest.raises(BusyError, match="delivery of iceberg"):
        run(lake)
    run(lake)


def test_one_mode_that_fails_does_not_stop_the_other(
    lake: Any, ticks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other lands everything, then the error is raised; the next delivery mends the first."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    lake.put(ticks(500))
    with monkeypatch.context() as patched:
        patched.setattr(IcebergSink, "_commit", fail)
        with pytest.raises(
            LandingError, match=r"iceberg: .*No space left.*done: parquet_projection"
        ):
            run(lake, buffer_records=200)
    assert lake.raw(StorageMode.ICEBERG).num_rows == 0
    assert lake.raw(StorageMode.PARQUET_PROJECTION).num_rows > 400
    run(lake)
    lake.assert_each_record_landed_once()


def test_a_missing_iceberg_table_fails_that_mode_alone(lake: Any, tick: Any) -> None:
    lake.put([tick()])
    lake.raw_table().catalog.drop_table("iceberg.raw")
    with pytest.raises(LandingError, match=r"no table iceberg.raw.*done: parquet_projection"):
        run(lake)
    assert lake.raw(StorageMode.PARQUET_PROJECTION).num_rows == 1


@pytest.mark.parametrize(
    "text", ["", "{}", "garbage", '{"version":9}', '{"version":1,"flush":"x"}']
)
def test_a_damaged_checkpoint_is_told_and_nothing_lands_twice(
    lake: Any, tick: Any, text: str
) -> None:
    lake.put([tick()])
    run(lake)
    (lake.home.landing / "parquet_projection.json").write_text(text)
    with pytest.raises(LandingError, match=r"parquet_projection\.json"):
        run(lake)
    assert lake.raw(StorageMode.PARQUET_PROJECTION).num_rows == 1


def test_records_lost_by_retention_are_told_not_skipped(lake: Any, ticks: Any) -> None:
    lake.put(ticks(300))
    run(lake)
    lake.put(ticks(300))
    lake.stream.expire(iceberg_sink.now_us() + 100 * US_PER_HOUR, drop_unread=True)
    lake.put(ticks(300))
    with pytest.raises(StreamError, match="dropped"):
        run(lake)


def test_a_mode_that_lost_records_to_retention_does_not_hold_the_other_back(
    lake: Any, ticks: Any
) -> None:
    lake.put(ticks(300, bad_share=0.0))
    run(lake)
    lake.put(ticks(300, bad_share=0.0))
    run(lake, modes=[StorageMode.ICEBERG])
    lake.stream.expire(iceberg_sink.now_us() + 100 * US_PER_HOUR, drop_unread=True)
    lake.put(ticks(300, bad_share=0.0))
    with pytest.raises(LandingError, match=r"parquet_projection: .*dropped.*done: iceberg"):
        run(lake)
    assert lake.raw(StorageMode.ICEBERG).num_rows == 900


def _caught_up(lake: Any) -> bool:
    latest = {shard.shard_id: shard.latest for shard in lake.stream.shards() if shard.latest}
    return all(lake.stream.positions(mode.value) == latest for mode in BOTH)


def _extension(name: str) -> list[str]:
    return [
        str(path.locate())
        for path in files(f"duckdb-extension-{name}") or []
        if path.name.endswith(".duckdb_extension")
    ]
