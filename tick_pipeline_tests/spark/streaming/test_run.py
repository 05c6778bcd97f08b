"""The streaming job on a real stream: its rows are a function of the stream alone."""

# pandas', pyspark's and pyarrow's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.event_time import US_PER_HOUR, now_us
from tick_pipeline.resources.iceberg import warehouse_uri
from tick_pipeline.resources.table_schema import schema_drift
from tick_pipeline.spark.streaming.progress import EndReason, Phase
from tick_pipeline.spark.streaming.sinks import IcebergSink, ParquetSink
from tick_pipeline.spark.streaming.source import SegmentSource
from tick_pipeline.storage import ANOMALIES, CATALOG, StorageMode
from tick_pipeline_tests.spark.anomaly_oracle import assert_equal, recompute
from tick_pipeline_tests.spark.streaming.shards import (
    RULES,
    US,
    in_key_order,
    out_of_order,
    scored,
    walk,
)
from tick_pipeline_tests.spark.streaming.streams import DRAIN, FLUSH, Streamed, tick_of

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from tick_pipeline.spark.streaming.run import StreamRun
    from tick_pipeline.spark.streaming.sinks import AnomalySink
    from tick_pipeline_tests.spark.lake import Lake

pytestmark = pytest.mark.spark

BOTH = tuple(StorageMode)
START_US = 1_767_000_000 * US
SYMBOLS = ("AA", "AB", "BA", "CA")


@pytest.fixture
def streamed(stream_lake: Lake, tmp_path: Path) -> Streamed:
    """An empty stream."""
    return Streamed(stream_lake, tmp_path)


@dataclass(frozen=True)
class Drained:
    """A stream that was drained and flushed into the lake's tables."""

    streamed: Streamed
    ticks: pd.DataFrame
    edge_us: int
    run: StreamRun

    def sinks(self) -> dict[StorageMode, AnomalySink]:
        """Into the lake's tables."""
        lake = self.streamed.lake
        return {
            StorageMode.ICEBERG: IcebergSink(lake.spark, CATALOG, lake.home.locks),
            StorageMode.PARQUET_PROJECTION: ParquetSink(
                warehouse_uri(lake.home.path), lake.home.locks
            ),
        }

    def rows(self, mode: StorageMode) -> pa.Table:
        """Of the two hours that the ticks are in."""
        found = self.streamed.lake.anomalies(self.edge_us - US_PER_HOUR, mode, hours=2)
        return in_key_order(found)


@pytest.fixture(scope="module")
def drained(stream_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Drained:
    """Ticks over the edge of an hour, out of order, among malformed, invalid and repeated records."""
    edge_us = stream_lake.fresh_hours(2) + US_PER_HOUR
    streamed, rng = Streamed(stream_lake, tmp_path_factory.mktemp("drained")), random.Random(1)
    ticks = walk(edge_us - 120 * US, 1, SYMBOLS, rows=300)
    streamed.put(out_of_order(ticks, rng, within_seconds=9), segments=5, bad=rng)
    found = Drained(streamed, ticks, edge_us, streamed.run(files=3))
    found.run.sinks = found.sinks()
    found.run.progress.written = {mode.value: 0 for mode in BOTH}
    streamed.follow(found.run)
    return found


@pytest.mark.parametrize("mode", BOTH, ids=str)
def test_streaming_equals_batch(drained: Drained, mode: StorageMode) -> None:
    """The kernel over all ticks at once, pandas', and the batch job, which finds no row to differ."""
    rows = drained.rows(mode)
    assert rows.num_rows > 50
    assert rows.equals(scored(drained.ticks))
    assert_equal(rows, recompute(drained.ticks, RULES), RULES)
    start_us, lake = drained.edge_us - US_PER_HOUR, drained.streamed.lake
    assert schema_drift(lake.home, mode, ANOMALIES, start_us, start_us + 2 * US_PER_HOUR) == []
    lake.land([tick_of(row) for row in drained.ticks.to_dict("records")], mode)
    report = lake.score(start_us, mode, rules=RULES, hours=2)
    assert (report.replaced, report.differing, report.added) == (rows.num_rows, 0, 0)


def test_replay_changes_nothing(drained: Drained) -> None:
    """The whole stream again, with a new checkpoint and in other batches, adds no row."""
    before = [drained.rows(mode) for mode in BOTH]
    run = drained.streamed.drain(sinks=drained.sinks(), checkpoint="new", files=100)
    assert run.progress.records == drained.run.progress.records
    assert run.progress.written == {mode.value: 0 for mode in BOTH}
    assert [drained.rows(mode) for mode in BOTH] == before


def test_a_drained_stream_has_nothing_more_to_give(drained: Drained) -> None:
    run = drained.streamed.drain(DRAIN, sinks=drained.sinks())
    assert run.progress.end_reason is EndReason.DRAINED
    assert (run.progress.records, run.progress.batch_at_us) == (0, None)
    assert run.progress.positions == drained.run.progress.positions
    assert run.progress.watermarks_us == drained.run.progress.watermarks_us


def test_progress_tells_how_far_a_run_has_come(drained: Drained) -> None:
    progress = drained.run.progress
    shards = drained.streamed.stream.shards()
    assert {shard.shard_id: shard.latest for shard in shards} == progress.positions
    assert progress.committed == progress.positions
    assert progress.records == sum(shard.records or 0 for shard in shards) > len(drained.ticks)
    rows = scored(drained.ticks).num_rows
    assert progress.written == {mode.value: rows for mode in BOTH}
    unique = drained.ticks.drop_duplicates()
    assert (progress.scored, progress.duplicates) == (
        len(unique),
        len(drained.ticks) - len(unique),
    )
    assert (progress.late, progress.lost, progress.held, progress.pending) == (0, 0, 0, 0)
    # A flush moves each watermark past its shard's newest second.
    newest_us = drained.ticks["event_us"].max() // US * US + US
    assert max(progress.watermarks_us.values()) == newest_us
    assert (progress.phase, progress.end_reason) == (Phase.ENDED, EndReason.DRAINED)
    assert (progress.pid, progress.batch) == (os.getpid(), 3)
    assert 0 < progress.lag_seconds < 600
    assert progress.started_us < (progress.batch_at_us or 0) <= progress.heartbeat_us <= now_us()


@pytest.mark.parametrize("files", [1, 3, 100])
def test_order_does_not_matter(streamed: Streamed, files: int) -> None:
    """Any order inside the lateness, in any micro-batches, delivered in any order of segments."""
    rng = random.Random(files)
    ticks = walk(START_US, 2, SYMBOLS)
    streamed.put(out_of_order(ticks, rng, within_seconds=9), segments=3, bad=rng)
    segments = [path for shard in (0, 1) for path in streamed.segments(shard)]
    for mtime, path in enumerate(rng.sample(segments, len(segments)), start=1_700_000_000):
        os.utime(path, (mtime, mtime))
    run = streamed.drain(files=files)
    assert run.progress.batch == {1: 5, 3: 1, 100: 0}[files]
    assert streamed.rows().equals(scored(ticks))
    assert (run.progress.late, run.progress.lost) == (0, 0)


def test_open_seconds_wait_for_the_next_drain(streamed: Streamed) -> None:
    """Without a flush; nothing of them is late then, and the rows are those of one drain."""
    ticks = walk(START_US, 3, SYMBOLS)
    streamed.put(ticks.iloc[:120], segments=1)
    first = streamed.drain(DRAIN)
    newest_us = int(ticks["event_us"].iloc[:120].max())
    assert max(first.progress.watermarks_us.values()) == newest_us - RULES.lateness_seconds * US
    assert first.progress.pending > 0
    rows = streamed.rows()
    assert 0 < rows.num_rows < scored(ticks.iloc[:120]).num_rows
    streamed.put(ticks.iloc[120:], segments=2)
    last = streamed.drain(FLUSH)
    assert (last.progress.pending, last.progress.late) == (0, 0)
    assert last.progress.records == len(ticks) - 120
    assert streamed.rows().equals(scored(ticks))


def test_late_ticks_are_counted_and_in_no_row(streamed: Streamed) -> None:
    ticks = walk(START_US, 4, SYMBOLS)
    streamed.put(ticks.iloc[:150], segments=1)
    late = ticks.iloc[:7].drop_duplicates().assign(price=1e6)
    late["event_id"] += " late"
    streamed.put(late, segments=1)
    streamed.put(ticks.iloc[150:], segments=1)
    run = streamed.drain(files=2)
    assert run.progress.late == len(late)
    assert streamed.rows().equals(scored(ticks))


@dataclass(frozen=True)
class KeepingSource(SegmentSource):
    """A stream that still has whatever it once had, though not yet in sight."""

    def is_gone(self, shard: str, position: int) -> bool:
        """Never."""
        return False


@pytest.mark.parametrize("kept", [True, False], ids=["put back", "dropped"])
def test_a_hole_waits_until_it_is_filled_or_dropped(streamed: Streamed, kept: bool) -> None:
    """What follows is held, and scored when the segment comes; dropped, it is counted as lost."""
    ticks = walk(START_US, 5, SYMBOLS)
    streamed.put(ticks, segments=3)
    _, path, last = streamed.segments(0)
    hidden = path.rename(streamed.folder / path.name)
    count, after = (int(segment.name.split("-")[1]) for segment in (path, last))
    run = streamed.drain(DRAIN, source=KeepingSource(streamed.stream.root, 100))
    assert (run.progress.held, run.progress.lost) == (after, 0)
    if kept:
        hidden.rename(path)
    run = streamed.drain(FLUSH)
    assert (run.progress.held, run.progress.lost) == (0, 0 if kept else count)
    assert run.progress.positions == {
        shard.shard_id: shard.latest for shard in streamed.stream.shards()
    }
    assert streamed.rows().equals(scored(streamed.ticks()))
    assert len(streamed.ticks()) == len(ticks) - (0 if kept else count)
