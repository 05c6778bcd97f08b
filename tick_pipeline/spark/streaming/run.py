"""The streaming job's work: micro-batch by micro-batch from the stream into the tables.

For each micro-batch, in this order: collect its records, score them, add the rows to the tables, keep
the scorers' state, and let Spark commit it. After a crash Spark gives an uncommitted micro-batch again:
the newest state knows the positions that it holds and takes no record twice, the tables no key.
"""

# pyspark's types are partial, pyarrow has none
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false, reportAttributeAccessIssue=false
from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.errors import StreamingQueryException

from tick_pipeline.errors import SparkJobError, TickPipelineError
from tick_pipeline.event_time import US_PER_SECOND, now_us
from tick_pipeline.spark.streaming.progress import EndReason, Phase, StreamProgress
from tick_pipeline.spark.streaming.records import READ, collect, decoded, parsed
from tick_pipeline.spark.streaming.scoring import NEW_CHECKPOINT, StreamScoring

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from pyspark.sql import DataFrame, SparkSession

    from tick_pipeline.spark.scoring_rules import ScoringRules
    from tick_pipeline.spark.streaming.checkpoint import States
    from tick_pipeline.spark.streaming.progress import Control
    from tick_pipeline.spark.streaming.sinks import AnomalySink
    from tick_pipeline.spark.streaming.source import StreamSource
    from tick_pipeline.storage import StorageMode

_POLL_SECONDS = 0.2
_HEARTBEAT_SECONDS = 1.0
_STOP_WAIT_SECONDS = 60.0
_CAUSED = "Caused by: "


@dataclass(frozen=True)
class Schedule:
    """When a run takes micro-batches, and when it ends.

    Attributes:
        drain: take what is there, then end; else go on.
        flush: score the open seconds at the end of a drain.
        trigger_seconds: how often to look for records.
        idle_seconds: end after so long without a record; 0 for never.
        max_seconds: end after so long in any case; 0 for never.
    """

    drain: bool = False
    flush: bool = False
    trigger_seconds: float = 2.0
    idle_seconds: float = 0.0
    max_seconds: float = 0.0


@dataclass
class StreamRun:
    """One run over a stream.

    Attributes:
        rules: what counts as an anomaly.
        source: the stream.
        states: where the scorers' state rests.
        sinks: storage mode -> its table.
        control: where progress is told; None where nobody reads it.
        log: the job's log.
    """

    rules: ScoringRules
    source: StreamSource
    states: States
    sinks: Mapping[StorageMode, AnomalySink]
    control: Control | None
    log: logging.Logger
    progress: StreamProgress = field(default_factory=StreamProgress)
    _scoring: StreamScoring | None = None
    _failure: Exception | None = None

    def __post_init__(self) -> None:
        self.progress.pid = os.getpid()
        self.progress.started_us = now_us()
        self.progress.written = {mode.value: 0 for mode in self.sinks}
        self.tell()

    def check_state(self) -> None:
        """Refuse a state that cannot be gone on with, before anything is read.

        Raises:
            SparkJobError: it is of another version or other rules, or Spark's part of the checkpoint
                is there without it.
        """
        if self.states.newest() is None and self.states.spark_has_committed():
            raise SparkJobError(f"the checkpoint holds no state of the scorers; {NEW_CHECKPOINT}")
        self._scoring = self._state()
        self._note_scores(self._scoring)

    def take(self, records: DataFrame, batch: int) -> None:
        """Take a micro-batch: Spark calls it, again after a crash."""
        try:
            self._take(records, batch)
        except Exception as error:
            # Spark tells it as a text of the JVM's.
            self._failure = error
            raise

    def _take(self, records: DataFrame, batch: int) -> None:
        began = time.monotonic()
        # That Spark asks for another micro-batch says that it has committed those before.
        self.progress.committed = self.progress.positions
        collected = collect(records, READ)
        # A failure below must not leave a half-advanced state in use.
        scoring, self._scoring = self._state(), None
        rows = scoring.advance(decoded(collected)) if collected.num_rows else None
        gone = scoring.skip_holes(self.source.is_gone)
        self._emit(gone if rows is None else pa.concat_tables([rows, gone]), str(batch))
        # Of a state that outlived Spark's part of the checkpoint, the newest must stay the newest.
        scoring.batch = max(scoring.batch, batch)
        self.states.write(scoring.batch, scoring.dump())
        self._scoring = scoring
        self._note(scoring, collected, time.monotonic() - began)
        self.tell()

    def flush(self) -> None:
        """Score the open seconds and move the watermarks past them, between micro-batches."""
        scoring = self._state()
        if scoring.batch < 0:
            return
        self._scoring = None
        gone = scoring.skip_holes(self.source.is_gone)
        self._emit(pa.concat_tables([gone, scoring.flush()]), f"{scoring.batch}-flush")
        self.states.write(scoring.batch, scoring.dump())
        self._scoring = scoring
        self._note_scores(scoring)

    def follow(self, spark: SparkSession, checkpoint: str, schedule: Schedule) -> EndReason:
        """Take micro-batches until the schedule or whoever watches says stop.

        Args:
            spark: the session.
            checkpoint: folder of Spark's own checkpoint, a URI.
            schedule: when to begin and end.

        Raises:
            TickPipelineError: a micro-batch met it.
            SparkJobError: the query failed otherwise.
        """
        self._failure = None
        writer = (
            parsed(self.source.read(spark))
            .writeStream.foreachBatch(self.take)
            .option("checkpointLocation", checkpoint)
        )
        if schedule.drain:
            query: Any = writer.trigger(availableNow=True).start()
        else:
            query = writer.trigger(processingTime=f"{schedule.trigger_seconds} seconds").start()
        self.progress.phase = Phase.RUNNING
        reason, flush = self._watch(query, schedule)
        if flush:
            self.flush()
        self.progress.phase, self.progress.end_reason = Phase.ENDED, reason
        self.progress.committed = self.progress.positions
        self.tell()
        self.log.info("ended: %s", reason)
        return reason

    def tell(self) -> None:
        """Tell the progress to whoever watches."""
        self.progress.heartbeat_us = now_us()
        if self.control is not None:
            self.control.tell(self.progress)

    def _watch(self, query: Any, schedule: Schedule) -> tuple[EndReason, bool]:
        began = quiet_since = time.monotonic()
        newest_us = self.progress.batch_at_us
        while not _has_ended(query):
            if now_us() - self.progress.heartbeat_us > _HEARTBEAT_SECONDS * US_PER_SECOND:
                self.tell()
            asked = self.control.stop_asked() if self.control is not None else None
            if asked is not None:
                self._stop(query)
                return EndReason.STOPPED, asked
            if schedule.drain:
                continue
            now = time.monotonic()
            if query.status["isDataAvailable"] or self.progress.batch_at_us != newest_us:
                quiet_since, newest_us = now, self.progress.batch_at_us
            if schedule.idle_seconds and now - quiet_since > schedule.idle_seconds:
                self._stop(query)
                return EndReason.IDLE, False
            if schedule.max_seconds and now - began > schedule.max_seconds:
                self._stop(query)
                return EndReason.TIME_UP, False
        self._refuse_failed(query)
        return EndReason.DRAINED, schedule.flush

    def _stop(self, query: Any) -> None:
        """End the query between micro-batches; one that lasts too long is cut off, and done again."""
        self.progress.phase = Phase.STOPPING
        self.tell()
        deadline = time.monotonic() + _STOP_WAIT_SECONDS
        while query.status["isTriggerActive"] and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS / 4)
        self._refuse_failed(query)
        query.stop()

    def _refuse_failed(self, query: Any) -> None:
        error = query.exception()
        if error is None:
            return
        failure = self._failure
        if isinstance(failure, TickPipelineError):
            raise failure
        raise SparkJobError(
            f"the stream of anomalies failed: {_cause(failure or error)}"
        ) from failure

    def _state(self) -> StreamScoring:
        """The state after the newest micro-batch that was written."""
        if self._scoring is not None:
            return self._scoring
        scoring = StreamScoring(self.rules, self.source.dense, self.source.first)
        newest = self.states.newest()
        state = None if newest is None else self.states.read(newest)
        if state is not None:
            scoring.load(state, where=f"the state after micro-batch {newest}")
        return scoring

    def _emit(self, rows: pa.Table, batch: str) -> None:
        if not rows.num_rows:
            return
        for mode, sink in self.sinks.items():
            written = sink.write(rows, batch)
            self.progress.written[mode.value] += written
            self.log.info("%s: %d anomalies added in micro-batch %s", mode.value, written, batch)

    def _note(self, scoring: StreamScoring, records: pa.Table, seconds: float) -> None:
        progress = self.progress
        progress.batch_at_us = now_us()
        progress.batch_seconds = round(seconds, 3)
        progress.records += records.num_rows
        if records.num_rows:
            oldest_us = pc.min(records["arrival_us"]).as_py()
            progress.lag_seconds = round((progress.batch_at_us - oldest_us) / US_PER_SECOND, 3)
        self._note_scores(scoring)

    def _note_scores(self, scoring: StreamScoring) -> None:
        progress = self.progress
        progress.batch = scoring.batch
        for name in ("late", "duplicates", "scored", "pending"):
            setattr(progress, name, scoring.total(name))
        sequences = scoring.sequences
        progress.lost = sum(sequence.lost for sequence in sequences.values())
        progress.held = sum(
            sequence.held.num_rows for sequence in sequences.values() if sequence.held is not None
        )
        progress.positions = {shard: str(item.last) for shard, item in sequences.items()}
        progress.watermarks_us = {
            shard: scorer.watermark_us
            for shard, scorer in scoring.scorers.items()
            if scorer.watermark_us is not None
        }


def _has_ended(query: Any) -> bool:
    """Whether the query ended, in whatever way, within the time of a look."""
    try:
        return query.awaitTermination(_POLL_SECONDS) or not query.isActive
    except StreamingQueryException:
        return True


def _cause(error: Exception) -> str:
    """Why a query failed, in one line: the JVM's innermost cause, or what Python raised."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line.removeprefix(_CAUSED) for line in lines if line.startswith(_CAUSED)]
    return causes[-1] if causes else f"{type(error).__name__}: {lines[0] if lines else 'no word'}"
