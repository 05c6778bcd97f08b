"""The sensor that looks after the stream of anomalies does what was decided, and tells it."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from dataclasses import dataclass, field, replace

import dagster as dg

from tick_pipeline.defs.anomalies.automation import anomaly_stream_watch
from tick_pipeline.errors import SparkJobError
from tick_pipeline.resources.stream_run import StreamOptions, StreamRunStatus
from tick_pipeline.settings import load_settings
from tick_pipeline_tests.orchestration.test_stream_watch import CRASHED, RESTS, RUNS


@dataclass
class RecordedStream:
    """A stream of which every wish is written down."""

    now: StreamRunStatus
    wishes: list[str] = field(default_factory=list[str])
    fails: bool = False

    def start(self, options: StreamOptions) -> StreamRunStatus:
        """See AnomalyStream."""
        self.wishes.append(f"start, trigger {options.trigger_seconds:g} s")
        if self.fails:
            raise SparkJobError("the stream of anomalies did not start: no memory")
        return self.now

    def stop(self, *, flush: bool = False) -> StreamRunStatus:
        """See AnomalyStream."""
        self.wishes.append(f"stop, flush {flush}")
        return self.now

    def status(self) -> StreamRunStatus:
        """See AnomalyStream."""
        return self.now

    def wanted_options(self) -> StreamOptions | None:
        """See AnomalyStream."""
        return StreamOptions(trigger_seconds=7) if self.now.wanted else None


def look(stream: RecordedStream, cursor: str | None = None) -> tuple[str, str]:
    """One look: what it tells, and its cursor."""
    context = dg.build_sensor_context(cursor=cursor, resources={"anomaly_stream": stream})
    result = anomaly_stream_watch(load_settings(_env_file=None))(context)
    assert isinstance(result, dg.SensorResult)
    assert isinstance(result.skip_reason, dg.SkipReason)
    assert result.skip_reason.skip_message is not None
    assert result.cursor is not None
    return result.skip_reason.skip_message, result.cursor


def test_a_crashed_stream_is_started_as_it_was_wanted() -> None:
    stream = RecordedStream(CRASHED)
    told, _ = look(stream)
    assert stream.wishes == ["start, trigger 7 s"]
    assert "it was killed" in told


def test_a_stream_that_nobody_wants_is_stopped() -> None:
    stream = RecordedStream(replace(RUNS, wanted=False))
    look(stream)
    assert stream.wishes == ["stop, flush False"]


def test_nothing_is_done_about_one_that_runs_or_rests() -> None:
    for status in (RUNS, RESTS):
        stream = RecordedStream(status)
        look(stream)
        assert stream.wishes == []


def test_starts_that_fail_count_and_end() -> None:
    """Three within an hour, each with its reason; the fourth look gives up."""
    stream = RecordedStream(CRASHED, fails=True)
    told, cursor = look(stream)
    for _ in range(3):
        told, cursor = look(stream, cursor)
    assert len(stream.wishes) == 3
    assert "3 times within an hour" in told
