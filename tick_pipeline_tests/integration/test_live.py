"""The live mode with everything real: nothing is lost, both modes agree, and no process stays behind."""

# pyarrow and pandas have no types, parts of Dagster's are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager, suppress
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import dagster as dg
import psutil
import pytest

from tick_pipeline.event_time import US_PER_HOUR, parse_instant
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.resources.landing import open_stream
from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import load_settings
from tick_pipeline.stream.port import Earliest
from tick_pipeline_tests.integration.pipeline import MODES, Pipeline
from tick_pipeline_tests.integration.processes import assert_all_end, processes_of
from tick_pipeline_tests.integration.sent import assert_landed, judge_records
from tick_pipeline_tests.integration.web import Web
from tick_pipeline_tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

_PAST_SECONDS = 7200
#: How much longer it may last until Dagster has come up and asked for candles, on a busy machine.
_PATIENCE_SECONDS = 400
_ASKERS = {"landed_hours", "ohlc_hourly"}
_SUCCESS = dg.DagsterRunStatus.SUCCESS
_RUNS = "{ runsOrError { ... on Runs { results { status tags { value } } } } }"


def _records(pipeline: Pipeline) -> Iterator[bytes]:
    with pipeline.here():
        settings = load_settings()
        stream = open_stream(open_home(settings), settings)
    for shard in stream.shards():
        for table in stream.read(shard.shard_id, Earliest(), max_records=10**9):
            yield from table["data"].to_pylist()


def _run_live(pipeline: Pipeline, *, seconds: int, rate: int) -> dict[str, Any]:
    """Two hours of the past in the stream, then so many seconds of everything, at least until candles are made."""
    common = ("--scenario=mixed", "--symbols=6")
    pipeline.json("produce", *common, "--past", f"--duration={_PAST_SECONDS}", "--rate=5")
    port = free_port()
    options = (f"--duration={seconds + _PATIENCE_SECONDS}", f"--rate={rate}", f"--port={port}")
    with _producer_ends(pipeline, Web(f"http://127.0.0.1:{port}", psutil.Process()), seconds):
        return pipeline.json("live", *common, *options)


@contextmanager
def _producer_ends(pipeline: Pipeline, web: Web, seconds: int) -> Generator[None]:
    """Meanwhile have the producer end after so many seconds, and not before Dagster makes candles."""
    over, began = threading.Event(), time.monotonic()

    def watch() -> None:
        while not over.wait(1):
            if time.monotonic() - began >= seconds and _makes_candles(web):
                break
        for process in processes_of(pipeline.home):
            with suppress(psutil.Error):
                if process.cmdline()[1:4] == ["-m", "tick_pipeline.cli.main", "produce"]:
                    process.send_signal(signal.SIGINT)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _makes_candles(web: Web) -> bool:
    try:
        runs = web.ask(_RUNS)["runsOrError"]["results"]
    except (OSError, HTTPException, ValueError, KeyError, AssertionError):
        # It comes up.
        return False
    return any(
        run["status"] not in {"QUEUED", "NOT_STARTED", "STARTING"}
        and _ASKERS & {tag["value"] for tag in run["tags"]}
        for run in runs
    )


def _check(pipeline: Pipeline, result: dict[str, Any], *, seconds: int, rate: int) -> None:
    for process in result["processes"]:
        assert (process["state"], process["starts"], process["code"]) == ("ended", 1, 0), process
    assert result["ui_seconds"] is not None
    assert_all_end(pipeline.home)
    sent = judge_records(_records(pipeline))
    assert sent.records > 0.8 * (seconds * rate + _PAST_SECONDS * 5)
    for mode in MODES:
        assert_landed(pipeline, mode, sent)
    with pipeline.here():
        settings = load_settings()
        home = open_home(settings)
        with open_instance(home, settings) as instance:
            runs = instance.get_runs()
    asked_by = {
        run.tags.get("dagster/sensor_name") or run.tags.get("dagster/schedule_name") for run in runs
    }
    assert asked_by & _ASKERS, "candles were asked for"
    _check_candles(pipeline, runs)


def _check_candles(pipeline: Pipeline, runs: Sequence[dg.DagsterRun]) -> None:
    """Both modes have the same candles of each hour whose last run ended well."""
    # The newest come first.
    last = {
        _hour_us(run.tags["dagster/partition"]): run.status
        for run in reversed(runs)
        if run.job_name == "ohlc_batch"
    }
    hours_us = {hour_us for hour_us, status in last.items() if status is _SUCCESS}
    frames = [pipeline.candles(mode, "1m") for mode in MODES]
    for hour_us in hours_us:
        of_hour = [
            frame[frame["bucket_start"].between(hour_us, hour_us + US_PER_HOUR - 1)].reset_index(
                drop=True
            )
            for frame in frames
        ]
        assert of_hour[0].equals(of_hour[1])
        assert len(of_hour[0])


def _hour_us(partition: str) -> int:
    """Of a key as `2026-01-01-10:00`."""
    return parse_instant(f"{partition[:10]}T{partition[11:]}:00Z")


@pytest.mark.spark
def test_a_minute_of_everything_loses_nothing_and_leaves_no_process(
    new_pipeline: Callable[..., Pipeline],
) -> None:
    """Producer, delivery, the stream of anomalies and Dagster, whose sensor asks for the candles of closed hours."""
    pipeline = new_pipeline(BUFFER_SECONDS="5")
    result = _run_live(pipeline, seconds=50, rate=60)
    _check(pipeline, result, seconds=50, rate=60)


@pytest.mark.soak
@pytest.mark.spark
@pytest.mark.timeout(1500)
def test_ten_minutes_of_everything_lose_nothing(new_pipeline: Callable[..., Pipeline]) -> None:
    """At a thousand ticks a second, and candles of both modes that Dagster made meanwhile."""
    pipeline = new_pipeline(BUFFER_SECONDS="5")
    result = _run_live(pipeline, seconds=600, rate=1000)
    _check(pipeline, result, seconds=600, rate=1000)
