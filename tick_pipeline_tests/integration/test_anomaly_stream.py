"""The stream of anomalies as a process: started, looked after, stopped, and refused where it must be."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from tick_pipeline.defs.anomalies.automation import anomaly_stream_watch
from tick_pipeline.resources.anomaly_stream import CONSUMER, LocalAnomalyStream
from tick_pipeline.resources.landing import open_stream
from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import load_settings
from tick_pipeline_tests.integration.pipeline import MODES, Pipeline
from tick_pipeline_tests.integration.processes import assert_all_end, until_free

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.spark

_SECONDS = 240
_HEARTBEAT_SECONDS = 5


@pytest.fixture
def pipeline(new_pipeline: Callable[..., Pipeline]) -> Iterator[Pipeline]:
    """A HOME with ten minutes of ticks in its stream; whatever runs on it is ended."""
    made = new_pipeline()
    _produce(made, 600)
    yield made
    made.json("anomalies", "stop")


def test_it_runs_in_the_background_until_it_is_stopped(pipeline: Pipeline) -> None:
    """Killed, it is started again where it stood; stopped, it scores the open seconds and lets go."""
    started = pipeline.json("anomalies", "start", "--trigger-seconds", "0.2")
    assert (started["state"], started["wanted"]) == ("running", True)
    assert pipeline.json("anomalies", "start")["runner"] == started["runner"], "one runs already"
    first = _until_scored(pipeline)
    assert (first["runner"], first["behind"]) == (started["runner"], 0)
    assert first["heartbeat_seconds"] < _HEARTBEAT_SECONDS
    code, _, errors = pipeline.run("anomalies", "start", "--drain")
    assert code == 1
    assert "another process holds the stream of anomalies" in errors

    os.kill(int(started["runner"]), signal.SIGKILL)
    assert_all_end(pipeline.home)
    crashed = until_free(pipeline)
    assert (crashed["state"], crashed["wanted"]) == ("failed", True)
    assert crashed["reason"] == "it was killed"
    _produce(pipeline, 60)
    with pipeline.here():
        settings = load_settings()
        stream = LocalAnomalyStream(open_home(settings), settings)
        context = dg.build_sensor_context(resources={"anomaly_stream": stream})
        told = anomaly_stream_watch(settings)(context)
        assert "started" in str(told)
    again = _until_scored(pipeline)
    assert again["runner"] != started["runner"]
    assert again["progress"]["scored"] >= first["progress"]["scored"]
    assert again["progress"]["lost"] == 0

    stopped = pipeline.json("anomalies", "stop", "--flush")
    assert (stopped["state"], stopped["wanted"]) == ("stopped", False)
    assert stopped["progress"]["pending"] == 0
    assert stopped["reason"] == "stopped"
    assert_all_end(pipeline.home)
    with pipeline.here():
        settings = load_settings()
        assert CONSUMER not in open_stream(open_home(settings), settings).consumers()
    counts = [pipeline.scalar(f"select count(*) from {mode}.anomalies") for mode in MODES]
    assert counts[0] == counts[1]


def test_it_ends_by_itself_after_idle_time(pipeline: Pipeline) -> None:
    """A stream that nobody feeds must not cost for ever."""
    # Longer than a busy machine takes to see that there are records.
    pipeline.json("anomalies", "start", "--idle-minutes", "0.2", "--trigger-seconds", "0.2")
    deadline = time.monotonic() + _SECONDS
    while (status := pipeline.json("anomalies", "status"))["state"] != "stopped":
        assert time.monotonic() < deadline, status
        time.sleep(0.2)
    assert (status["reason"], status["wanted"]) == ("idle", False)
    assert status["behind"] == 0


def test_a_checkpoint_of_other_rules_is_one_clear_line_with_a_way_on(pipeline: Pipeline) -> None:
    """And the way on works: the stream is scored anew, and no row doubles."""
    pipeline.json("anomalies", "start", "--drain", "--flush")
    wide = Pipeline(pipeline.home, {"ANOMALY_WINDOW_MINUTES": "2"})
    for arguments in (["--drain"], []):
        code, output, errors = wide.run("anomalies", "start", *arguments)
        assert (code, output) == (1, "")
        assert errors.count("tick-pipeline: ") == 1
        assert "window=10m" in errors
        assert "window=2m" in errors
        assert "--new-checkpoint" in errors
    assert wide.json("anomalies", "status")["wanted"] is False
    progress = wide.json("anomalies", "start", "--drain", "--flush", "--new-checkpoint")
    assert progress["records"] == progress["scored"]
    assert wide.json("query", "--file", "anomaly_sanity", *_today(wide)) == []


def _today(pipeline: Pipeline) -> list[str]:
    mode = f"--param=storage_mode={MODES[0].value}"
    bounds = pipeline.json(
        "query", f"select min(event_us) a, max(event_us) b from {MODES[0]}.anomalies"
    )
    assert bounds
    return [mode, "--param=start=2020-01-01T00:00:00Z", "--param=end=2099-01-01T00:00:00Z"]


def _produce(pipeline: Pipeline, seconds: int) -> None:
    pipeline.json("produce", "--scenario", "spikes", "--past", "--duration", str(seconds))


def _until_scored(pipeline: Pipeline) -> dict[str, Any]:
    """The status once all is scored, and told a moment ago."""
    deadline = time.monotonic() + _SECONDS
    while (
        (status := pipeline.json("anomalies", "status"))["behind"]
        or not status["progress"]["batch_at_us"]
        or status["heartbeat_seconds"] >= _HEARTBEAT_SECONDS
    ):
        assert time.monotonic() < deadline, status
        time.sleep(0.2)
    return status
