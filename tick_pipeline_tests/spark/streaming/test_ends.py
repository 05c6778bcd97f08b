"""How a run of the streaming job ends: asked to, by the clock, or by a failure that a restart repairs."""

# pandas', pyspark's and pyarrow's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.errors import BusyError, SparkJobError
from tick_pipeline.resources.iceberg import warehouse_uri
from tick_pipeline.spark.folders import LocalFolder
from tick_pipeline.spark.streaming.checkpoint import States
from tick_pipeline.spark.streaming.progress import ControlFolder, EndReason, Phase
from tick_pipeline.spark.streaming.run import Schedule
from tick_pipeline.spark.streaming.sinks import IcebergSink, ParquetSink
from tick_pipeline.storage import CATALOG, StorageMode
from tick_pipeline_tests.spark.streaming.shards import (
    RULES,
    US,
    in_key_order,
    out_of_order,
    scored,
    walk,
)
from tick_pipeline_tests.spark.streaming.streams import DRAIN, Streamed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from tick_pipeline.spark.streaming.sinks import AnomalySink
    from tick_pipeline_tests.spark.lake import Lake

pytestmark = pytest.mark.spark

START_US = 1_767_000_000 * US
SYMBOLS = ("AA", "AB", "BA", "CA")
ICEBERG, PARQUET = StorageMode.ICEBERG, StorageMode.PARQUET_PROJECTION
LIVE = Schedule(trigger_seconds=0.2)


@pytest.fixture
def streamed(stream_lake: Lake, tmp_path: Path) -> Streamed:
    """An empty stream."""
    return Streamed(stream_lake, tmp_path)


@dataclass
class Failing:
    """Fails after a number of calls, when the last one's work is done."""

    calls: int

    def count(self) -> None:
        """Note a call."""
        self.calls -= 1
        if self.calls == 0:
            raise OSError("the disk is full\nand more")


@dataclass
class FailingSink:
    """A sink that fails after it wrote."""

    sink: AnomalySink
    failing: Failing

    def write(self, rows: pa.Table, batch: str) -> int:
        """As the sink does, then perhaps fail."""
        written = self.sink.write(rows, batch)
        self.failing.count()
        return written


class FailingStates(States):
    """States that fail after one was written."""

    failing = Failing(0)

    def write(self, batch: int, state: bytes) -> None:
        """As they do, then perhaps fail."""
        super().write(batch, state)
        self.failing.count()


@pytest.mark.parametrize("step", ["first sink", "second sink", "state"])
def test_a_crash_loses_nothing_and_doubles_nothing(streamed: Streamed, step: str) -> None:
    """After each step of the second micro-batch; a new process goes on from the checkpoint."""
    lake, rng = streamed.lake, random.Random(6)
    start_us = lake.fresh_hours()
    ticks = walk(start_us, 6, SYMBOLS)
    streamed.put(out_of_order(ticks, rng, within_seconds=9), segments=4, bad=rng)

    def sinks() -> dict[StorageMode, AnomalySink]:
        return {
            ICEBERG: IcebergSink(lake.spark, CATALOG, lake.home.locks),
            PARQUET: ParquetSink(warehouse_uri(lake.home.path), lake.home.locks),
        }

    broken, states = sinks(), FailingStates(LocalFolder(streamed.folder / "checkpoint"))
    if step == "state":
        states.failing = Failing(2)
    else:
        mode = ICEBERG if step == "first sink" else PARQUET
        broken[mode] = FailingSink(broken[mode], Failing(2))
    with pytest.raises(SparkJobError) as caught:
        streamed.drain(files=2, sinks=broken, states=states)
    assert str(caught.value) == "the stream of anomalies failed: OSError: the disk is full"
    assert streamed.states().newest() == (1 if step == "state" else 0)
    run = streamed.drain(files=2, sinks=sinks())
    assert run.progress.batch == 3
    for mode in StorageMode:
        assert in_key_order(lake.anomalies(start_us, mode)).equals(scored(ticks))


def test_a_flush_that_failed_is_done_again(streamed: Streamed) -> None:
    """By whatever run comes next."""
    ticks = walk(START_US, 7, SYMBOLS)
    streamed.put(ticks, segments=2)
    streamed.drain(DRAIN)
    run = streamed.run()
    for mode, sink in list(run.sinks.items()):
        run.sinks = {mode: FailingSink(sink, Failing(1))}
    with pytest.raises(OSError, match="the disk is full"):
        run.flush()
    assert streamed.drain().progress.pending == 0
    assert streamed.rows().equals(scored(ticks))


def test_a_failed_micro_batch_leaves_no_half_advanced_state(streamed: Streamed) -> None:
    """The same process, asked to go on, scores it again."""

    class FailingOnce(ParquetSink):
        failed = False

        def write(self, rows: pa.Table, batch: str) -> int:
            if not self.failed:
                self.failed = True
                raise OSError("the disk is full")
            return super().write(rows, batch)

    ticks = walk(START_US, 16, SYMBOLS)
    streamed.put(ticks, segments=2)
    run = streamed.run(sinks={PARQUET: FailingOnce(f"file://{streamed.folder}/warehouse", None)})
    with pytest.raises(SparkJobError, match="the disk is full"):
        streamed.follow(run)
    streamed.follow(run)
    assert streamed.rows().equals(scored(ticks))


def test_a_state_that_outlived_sparks_part_of_the_checkpoint_stays_the_newest(
    streamed: Streamed,
) -> None:
    """Spark numbers its micro-batches from 0 again and gives all records again: none is scored twice."""
    ticks = walk(START_US, 8, SYMBOLS)
    streamed.put(ticks.iloc[:150], segments=3)
    streamed.drain(DRAIN, files=1)
    for folder in ("commits", "offsets", "sources"):
        (streamed.folder / "checkpoint" / folder).rename(streamed.folder / folder)
    streamed.put(ticks.iloc[150:], segments=1)
    streamed.drain(DRAIN)
    run = streamed.drain()
    assert (run.progress.held, run.progress.pending) == (0, 0)
    assert streamed.rows().equals(scored(ticks))


@pytest.mark.parametrize(
    ("changes", "told"), [({"window_minutes": 2}, "window=2m"), ({"metrics": ("price",)}, "price")]
)
def test_a_checkpoint_of_other_rules_is_refused_before_anything_is_read(
    streamed: Streamed, changes: dict[str, Any], told: str
) -> None:
    streamed.put(walk(START_US, 9, SYMBOLS, rows=20), segments=1)
    streamed.drain(DRAIN)
    other = streamed.run(rules=replace(RULES, **changes))
    with pytest.raises(SparkJobError, match=told) as caught:
        other.check_state()
    assert "the state after micro-batch 0 was made with" in str(caught.value)


def test_a_checkpoint_without_the_scorers_state_is_refused(streamed: Streamed) -> None:
    """Spark would go on in the middle of the stream, with nothing to compare with."""
    streamed.put(walk(START_US, 9, SYMBOLS, rows=20), segments=1)
    streamed.drain(DRAIN)
    (streamed.folder / "checkpoint" / "scorers" / "0000000000.npz").unlink()
    with pytest.raises(SparkJobError, match="holds no state of the scorers"):
        streamed.run().check_state()


def eventually(claim: Callable[[], bool]) -> None:
    """Wait until it holds, for five minutes."""
    deadline = time.monotonic() + 300
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_run_ends_when_it_is_asked_to(streamed: Streamed) -> None:
    """Without a flush the open seconds wait for the next run; with one they are scored; both live."""
    ticks = walk(START_US, 10, SYMBOLS)
    control = ControlFolder(streamed.folder)
    streamed.put(ticks.iloc[:80], segments=1)

    def taken() -> int:
        progress = control.progress()
        return progress.records if progress is not None and progress.phase is Phase.RUNNING else 0

    def watch(more: Any, wanted: int, *, flush: bool) -> None:
        eventually(lambda: taken() > 0)
        streamed.put(more, segments=1)
        eventually(lambda: taken() >= wanted)
        control.ask_to_stop(flush=flush)

    def run_live(more: Any, wanted: int, *, flush: bool) -> Any:
        control.forget()
        watcher = threading.Thread(target=watch, args=(more, wanted), kwargs={"flush": flush})
        watcher.start()
        run = streamed.follow(streamed.run(control=control), LIVE)
        watcher.join()
        assert control.progress() == run.progress
        assert (run.progress.phase, run.progress.end_reason) == (Phase.ENDED, EndReason.STOPPED)
        return run

    run = run_live(ticks.iloc[80:120], 120, flush=False)
    assert run.progress.pending > 0
    assert 0 < streamed.rows().num_rows < scored(ticks.iloc[:120]).num_rows
    streamed.put(ticks.iloc[120:160], segments=1)
    run = run_live(ticks.iloc[160:], len(ticks) - 120, flush=True)
    assert run.progress.pending == 0
    assert streamed.rows().equals(scored(ticks))


def test_a_run_without_records_ends_when_it_was_idle_for_so_long(streamed: Streamed) -> None:
    """Counted from its last record; the open seconds wait."""
    streamed.put(walk(START_US, 11, SYMBOLS, rows=30), segments=1)
    run = streamed.follow(streamed.run(), replace(LIVE, idle_seconds=10.0))
    assert run.progress.end_reason is EndReason.IDLE
    assert run.progress.records == sum(map(int, run.progress.positions.values())) > 0
    assert run.progress.pending > 0


def test_a_run_ends_when_its_time_is_up(streamed: Streamed) -> None:
    began = time.monotonic()
    run = streamed.follow(streamed.run(), replace(LIVE, max_seconds=1.0))
    assert run.progress.end_reason is EndReason.TIME_UP
    assert 1 <= time.monotonic() - began < 120


def test_a_long_micro_batch_is_not_idle(streamed: Streamed) -> None:
    """A run with records to take goes on, however slow they are."""

    class Slow(ParquetSink):
        def write(self, rows: pa.Table, batch: str) -> int:
            time.sleep(5)
            return super().write(rows, batch)

    ticks = walk(START_US, 12, SYMBOLS)
    streamed.put(ticks, segments=2)
    slow = {PARQUET: Slow(f"file://{streamed.folder}/warehouse", None)}
    # Longer than Spark needs from one micro-batch to the next, shorter than each.
    schedule = replace(LIVE, idle_seconds=4.0)
    run = streamed.follow(streamed.run(files=2, sinks=slow), schedule)
    assert (run.progress.end_reason, run.progress.records) == (EndReason.IDLE, len(ticks))


def test_a_failure_that_meets_a_stop_is_told(streamed: Streamed) -> None:
    """A run that was asked to stop while it failed must not end in good order."""

    class Broken(ParquetSink):
        def write(self, rows: pa.Table, batch: str) -> int:
            ControlFolder(streamed.folder).ask_to_stop(flush=True)
            time.sleep(0.5)
            raise OSError("the disk is full")

    streamed.put(walk(START_US, 13, SYMBOLS), segments=1)
    broken = {PARQUET: Broken(f"file://{streamed.folder}/warehouse", None)}
    run = streamed.run(sinks=broken, control=ControlFolder(streamed.folder))
    with pytest.raises(SparkJobError, match="the disk is full"):
        streamed.follow(run, LIVE)


def test_a_busy_table_is_told_as_such(streamed: Streamed) -> None:
    """What this project raises on purpose comes out as it went in, not as a text of Spark's."""

    class Busy(ParquetSink):
        def write(self, rows: pa.Table, batch: str) -> int:
            raise BusyError("another process holds the writing of it")

    streamed.put(walk(START_US, 13, SYMBOLS), segments=1)
    busy = {PARQUET: Busy(f"file://{streamed.folder}/warehouse", None)}
    with pytest.raises(BusyError, match=r"^another process holds the writing of it$"):
        streamed.drain(sinks=busy)


def test_a_damaged_segment_is_named_in_one_line(streamed: Streamed) -> None:
    streamed.put(walk(START_US, 14, SYMBOLS, rows=20), segments=1)
    path = streamed.segments(0)[0]
    path.write_bytes(b"PAR1 no longer")
    with pytest.raises(SparkJobError, match=path.name) as caught:
        streamed.drain()
    assert "\n" not in str(caught.value)
