"""Runs of the simulator: what reaches the stream, and that the labels tell it."""
# pyarrow has no types:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.decode import MalformedError, decode
from tick_pipeline.contracts.rules import broken_rule
from tick_pipeline.errors import HomeError, ScenarioError, StreamError
from tick_pipeline.event_time import US_PER_SECOND
from tick_pipeline.producer.instruments import tick_sizes
from tick_pipeline.producer.scenarios import SCENARIOS
from tick_pipeline.producer.simulate import SimulationRequest, SimulationSummary, run_simulation
from tick_pipeline.stream.port import Earliest
from tick_pipeline.stream.segments import LocalStream
from tick_pipeline_tests.producer.memory_stream import MemoryStream

if TYPE_CHECKING:
    from pathlib import Path

START_US = 1_790_000_000 * US_PER_SECOND
Tick = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A finished run: its summary, labels, and records as (partition key, bytes)."""

    summary: SimulationSummary
    labels: list[dict[str, Any]]
    records: list[tuple[str, bytes]]

    @cached_property
    def ticks(self) -> list[Tick]:
        """The records that are ticks, in the order of sending."""
        return [json.loads(data) for _, data in self.records if is_valid(data)]

    def of_kind(self, *kinds: str) -> list[dict[str, Any]]:
        """Labels of these kinds."""
        return [label for label in self.labels if label["kind"] in kinds]


def problem_of(data: bytes) -> tuple[str, str] | None:
    """What the strict decoder, or the rules, find wrong with a record: its class and reason."""
    try:
        rule = broken_rule(load_contract("tick"), decode(data))
    except MalformedError as error:
        return "malformed", error.reason
    return ("invalid", rule) if rule else None


def is_valid(data: bytes) -> bool:
    return problem_of(data) is None


def run_of(folder: Path, scenario: str, seconds: float, **changes: Any) -> Run:
    stream = MemoryStream()
    given: dict[str, Any] = {"rate": 200.0, "start_us": START_US, **changes}
    request = SimulationRequest(scenario, seconds, **given)
    summary = run_simulation(
        stream,
        request,
        labels_folder=folder,
        on_progress=lambda _progress: None,
        stop=threading.Event(),
    )
    return Run(summary, labels_of(summary.labels), stream.records)


def labels_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def assert_dense(ticks: list[Tick]) -> None:
    """Sequences run from 1 without a gap, in the order of event time."""
    for symbol in {tick["symbol"] for tick in ticks}:
        mine = {tick["sequence"]: tick["event_ts"] for tick in ticks if tick["symbol"] == symbol}
        assert sorted(mine) == list(range(1, len(mine) + 1))
        times = [mine[number] for number in sorted(mine)]
        assert times == sorted(times)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_sends_ticks_that_meet_the_contract(scenario: str, tmp_path: Path) -> None:
    """Only bad_records and mixed send others, and they count them."""
    run = run_of(tmp_path, scenario, 120)
    bad = run.summary.malformed + run.summary.invalid
    assert run.summary.sent == len(run.records) > 120 * 200 * 0.7
    assert len(run.ticks) == len(run.records) - bad
    assert (bad > 0) == (scenario in ("bad_records", "mixed"))
    sizes = tick_sizes(10)
    for (key, _), tick in zip(run.records, run.ticks, strict=False):
        if bad == 0:
            assert key == tick["symbol"]
        assert START_US <= tick["event_ts"] < START_US + 120 * US_PER_SECOND
        assert tick["sent_ts"] >= tick["event_ts"]
        assert tick["source"] == run.summary.source
        assert tick["event_id"] == f"{tick['source']}:{tick['symbol']}:{tick['sequence']}"
        ticks = tick["price"] / sizes[tick["symbol"]]
        assert math.isclose(ticks, round(ticks), rel_tol=1e-9)
    if bad == 0:
        assert_dense(run.ticks)


def test_the_same_seed_and_window_give_the_same_ticks_under_another_source(tmp_path: Path) -> None:
    first, second = (run_of(tmp_path, "steady", 30) for _ in range(2))
    assert first.summary.source != second.summary.source
    own = ("source", "event_id")
    assert [{k: t[k] for k in t if k not in own} for t in first.ticks] == [
        {k: t[k] for k in t if k not in own} for t in second.ticks
    ]


def test_overlapping_runs_trade_on_one_path(tmp_path: Path) -> None:
    """Two runs of other rates: their mean prices per second and symbol lie within the spread."""
    means: list[dict[tuple[str, int], float]] = []
    for rate, start_us in ((2000.0, START_US), (3000.0, START_US + 3_250_000)):
        prices: dict[tuple[str, int], list[float]] = {}
        for tick in run_of(tmp_path, "steady", 10, rate=rate, start_us=start_us).ticks:
            second = tick["event_ts"] // US_PER_SECOND
            prices.setdefault((tick["symbol"], second), []).append(tick["price"])
        means.append(
            {key: sum(found) / len(found) for key, found in prices.items() if len(found) > 30}
        )
    shared = means[0].keys() & means[1].keys()
    assert len(shared) > 20
    for key in shared:
        assert means[0][key] == pytest.approx(means[1][key], rel=5e-4)


def test_bad_records_are_labelled_with_the_reason_that_they_meet(tmp_path: Path) -> None:
    """Each label's reason is the one that the strict decoder, or the rules, find."""
    run = run_of(tmp_path, "bad_records", 60)
    problems = (problem_of(data) for _, data in run.records)
    found = Counter(problem for problem in problems if problem)
    labelled = Counter((label["class"], label["reason"]) for label in run.of_kind("bad_record"))
    assert found == labelled
    assert run.summary.malformed == sum(n for (kind, _), n in found.items() if kind == "malformed")
    assert run.summary.invalid == sum(n for (kind, _), n in found.items() if kind == "invalid")
    assert len({label["what"] for label in run.of_kind("bad_record")}) > 40
    spoilt = [{"symbol": label["symbol"], **label} for label in run.of_kind("bad_record")]
    assert_dense(run.ticks + spoilt)


def test_late_ticks_are_sent_after_later_ones_and_beyond_the_lateness(tmp_path: Path) -> None:
    run = run_of(tmp_path, "late", 120, lateness_seconds=30)
    late = {label["event_id"]: label["lateness_us"] for label in run.of_kind("late")}
    assert run.summary.late == len(late) > 50
    newest = 0
    for tick in run.ticks:
        lateness_us = tick["sent_ts"] - tick["event_ts"]
        assert (tick["event_id"] in late) == (lateness_us > 30 * US_PER_SECOND)
        if tick["event_id"] in late:
            assert late[tick["event_id"]] == lateness_us
            assert newest > tick["event_ts"]
        newest = max(newest, tick["event_ts"])
    sent = [tick["sent_ts"] for tick in run.ticks]
    assert sent == sorted(sent)


def test_duplicates_repeat_the_record_or_conflict_in_the_price(tmp_path: Path) -> None:
    run = run_of(tmp_path, "duplicates", 60)
    by_id: dict[str, list[bytes]] = {}
    for _, data in run.records:
        by_id.setdefault(json.loads(data)["event_id"], []).append(data)
    twice = {event_id: found for event_id, found in by_id.items() if len(found) > 1}
    labels = {label["event_id"]: label["conflicting"] for label in run.of_kind("duplicate")}
    assert twice.keys() == labels.keys()
    assert run.summary.duplicates == len(labels)
    assert set(labels.values()) == {True, False}
    for event_id, (first, again) in twice.items():
        assert (first != again) == labels[event_id]
        one, other = json.loads(first), json.loads(again)
        assert all(one[name] == other[name] for name in ("symbol", "event_ts", "sequence"))
        assert (one["price"] != other["price"]) == labels[event_id]


@pytest.mark.parametrize("scenario", ["spikes", "flash_crash"])
def test_an_injected_return_has_the_labelled_size(scenario: str, tmp_path: Path) -> None:
    """Sizes are deviations of the returns of the ten minutes before, recomputed plainly here."""
    run = run_of(tmp_path, scenario, 1500, rate=30.0, symbols=5)
    labels = run.of_kind("spike", "flash_crash")
    assert run.summary.injected == len(labels) >= 5
    by_symbol: dict[str, list[Tick]] = {}
    for tick in sorted(run.ticks, key=lambda tick: (tick["event_ts"], tick["sequence"])):
        by_symbol.setdefault(tick["symbol"], []).append(tick)
    for label in labels:
        ticks = by_symbol[label["symbol"]]
        at = next(i for i, tick in enumerate(ticks) if tick["event_ts"] == label["start_us"])
        second_us = label["start_us"] - label["start_us"] % US_PER_SECOND
        returns = [
            math.log(tick["price"] / before["price"])
            for before, tick in pairwise(ticks)
            if second_us - 600 * US_PER_SECOND <= tick["event_ts"] < second_us
        ]
        mean = sum(returns) / len(returns)
        deviation = math.sqrt(sum((r - mean) ** 2 for r in returns) / (len(returns) - 1))
        sigma = max(deviation, 0.5 * tick_sizes(10)[label["symbol"]] / ticks[at - 1]["price"])
        size = math.log(ticks[at]["price"] / ticks[at - 1]["price"]) / sigma
        assert abs(size) >= 8 - 1e-6
        assert size == pytest.approx(label["size_sigmas"], rel=1e-6)
        assert label["sigma"] == pytest.approx(sigma, rel=1e-6)


def test_a_flash_crash_falls_on_and_recovers_by_its_end(tmp_path: Path) -> None:
    run, steady = (
        run_of(tmp_path, name, 1500, rate=8.0, symbols=1) for name in ("flash_crash", "steady")
    )
    calm = {tick["event_ts"]: tick["price"] for tick in steady.ticks if tick["symbol"] == "AAPL"}
    (label,) = [label for label in run.of_kind("flash_crash") if label["symbol"] == "AAPL"]
    offsets = {
        tick["event_ts"]: math.log(tick["price"] / calm[tick["event_ts"]]) / label["sigma"]
        for tick in run.ticks
        if tick["symbol"] == "AAPL" and tick["price"] != calm[tick["event_ts"]]
    }
    assert label["start_us"] <= min(offsets) <= max(offsets) <= label["end_us"]
    assert min(offsets.values()) < 1.5 * label["size_sigmas"]
    assert abs(offsets[max(offsets)]) < 2


def test_a_halted_symbol_does_not_trade_and_then_reopens(tmp_path: Path) -> None:
    run = run_of(tmp_path, "halt", 900, rate=50.0)
    halts = run.of_kind("halt")
    assert run.summary.injected == len(halts) == 10
    for halt in halts:
        times = [tick["event_ts"] for tick in run.ticks if tick["symbol"] == halt["symbol"]]
        assert halt["end_us"] - halt["start_us"] == 180 * US_PER_SECOND
        assert not [at for at in times if halt["start_us"] <= at < halt["end_us"]]
        assert min(times) < halt["start_us"]
        assert max(times) > halt["end_us"]
    assert_dense(run.ticks)


def test_events_of_a_symbol_are_ten_minutes_apart(tmp_path: Path) -> None:
    run = run_of(tmp_path, "mixed", 4 * 3600, rate=20.0)
    events = run.of_kind("spike", "flash_crash", "halt")
    assert {event["kind"] for event in events} == {"spike", "flash_crash", "halt"}
    for symbol in {event["symbol"] for event in events}:
        mine = sorted((e["start_us"], e["end_us"]) for e in events if e["symbol"] == symbol)
        assert len(mine) > 3
        for (_, end_us), (start_us, _) in pairwise(mine):
            assert start_us - end_us >= 600 * US_PER_SECOND


def test_past_covers_the_time_before_now_and_progress_ends_at_the_total(tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    stream = MemoryStream()
    now_us = START_US + 123_456
    summary = run_simulation(
        stream,
        SimulationRequest("steady", 50.5, rate=100, past=True),
        labels_folder=tmp_path,
        on_progress=lambda seen: progress.append((seen.sent, seen.expected)),
        stop=threading.Event(),
        clock=lambda: now_us,
    )
    assert (summary.start_us, summary.end_us) == (now_us - 50_500_000, now_us)
    assert not summary.stopped
    assert progress[-1] == (len(stream.records), 5050)
    (label,) = labels_of(summary.labels)
    assert (label["kind"], label["start_us"], label["source"]) == (
        "run",
        summary.start_us,
        summary.source,
    )


class Waiting(threading.Event):
    """A stop that comes after some time, and the clock of whoever waits for it."""

    def __init__(self, seconds: float = math.inf) -> None:
        super().__init__()
        self.now_us = START_US + 123_456
        self.stops_us = self.now_us + seconds * US_PER_SECOND

    def wait(self, timeout: float | None = None) -> bool:
        """Takes no time."""
        assert timeout is not None
        until_us = self.now_us + math.ceil(timeout * US_PER_SECOND)
        self.now_us = int(min(until_us, self.stops_us))
        if until_us >= self.stops_us:
            self.set()
        return self.is_set()


def test_real_time_sends_each_second_and_keeps_to_the_clock(tmp_path: Path) -> None:
    stream, stop = MemoryStream(), Waiting()
    began_us = stop.now_us
    summary = run_simulation(
        stream,
        SimulationRequest("duplicates", 2.2, rate=500),
        labels_folder=tmp_path,
        on_progress=lambda _progress: None,
        stop=stop,
        clock=lambda: stop.now_us,
    )
    assert 2.1 < (stop.now_us - began_us) / US_PER_SECOND < 4
    assert len(stream.puts) >= 3
    ticks = [json.loads(data) for _, data in stream.records]
    assert all(0 <= tick["sent_ts"] - tick["event_ts"] < 3 * US_PER_SECOND for tick in ticks)
    assert summary.sent == len(ticks)
    assert_dense(ticks)


def test_stopping_sends_what_is_held_back_so_that_no_sequence_has_a_gap(tmp_path: Path) -> None:
    """A late tick that goes out early is not late, and has no label."""
    stream, stop = MemoryStream(), Waiting(1.5)
    summary = run_simulation(
        stream,
        SimulationRequest("late", 3600, rate=5000),
        labels_folder=tmp_path,
        on_progress=lambda _progress: None,
        stop=stop,
        clock=lambda: stop.now_us,
    )
    assert summary.stopped
    assert summary.end_us - summary.start_us < 10 * US_PER_SECOND
    assert summary.late == 0
    ticks = [json.loads(data) for _, data in stream.records]
    assert len(ticks) > 1000
    assert_dense(ticks)


def test_a_run_that_is_stopped_before_it_began_sends_nothing(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    summary = run_simulation(
        MemoryStream(),
        SimulationRequest("mixed", 60, past=True),
        labels_folder=tmp_path,
        on_progress=lambda _progress: None,
        stop=stop,
    )
    assert (summary.sent, summary.stopped) == (0, True)
    assert summary.start_us == summary.end_us


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenario": "boom"}, "there is no scenario 'boom'; there are steady, trend, volatile, "),
        ({"duration_seconds": 0}, "the duration must be more than 0 and at most"),
        ({"duration_seconds": math.nan}, "the duration must be .*, not nan"),
        ({"duration_seconds": math.inf}, "the duration must be .*, not inf"),
        ({"rate": 0}, "the rate must be more than 0 and at most 1,000,000 ticks per second, not 0"),
        ({"rate": -1}, "the rate must be"),
        ({"rate": 1e9}, "the rate must be"),
        ({"symbols": 0}, "symbols must be 1 to 500, not 0"),
        ({"symbols": 501}, "symbols must be 1 to 500, not 501"),
        ({"lateness_seconds": -1}, "the lateness must be 0 seconds or more, not -1"),
        ({"scenario": "late"}, "the scenario late needs a duration of 70 seconds or more"),
        ({"start_us": 0}, "leaves the time of ticks, 2000-01-01T00:00:00Z to 2100-01-01T00:00:00Z"),
        (
            {"past": True, "duration_seconds": 3e8, "start_us": 4_102_000_000_000_000},
            "leaves the time",
        ),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_one_line(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"scenario": "steady", "duration_seconds": 10, **changes}
    with pytest.raises(ScenarioError, match=message) as caught:
        run_simulation(
            MemoryStream(),
            SimulationRequest(**given),
            labels_folder=tmp_path,
            on_progress=lambda _progress: None,
            stop=threading.Event(),
        )
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_labels_stand_before_the_put(tmp_path: Path) -> None:
    """Whatever ends the run at a put, the labels of that batch are in the file."""

    class Broken(MemoryStream):
        def put(self, partition_keys: Any, data: Any) -> Any:
            super().put(partition_keys, data)
            raise StreamError("the disk is full")

    stream = Broken()
    with pytest.raises(StreamError, match="the disk is full"):
        run_simulation(
            stream,
            SimulationRequest("bad_records", 60, past=True, rate=100),
            labels_folder=tmp_path,
            on_progress=lambda _progress: None,
            stop=threading.Event(),
        )
    (path,) = tmp_path.iterdir()
    bad = [data for _, data in stream.records if not is_valid(data)]
    assert (
        len(bad) == len([label for label in labels_of(path) if label["kind"] == "bad_record"]) > 50
    )


def test_a_folder_that_cannot_hold_labels_is_told(tmp_path: Path) -> None:
    (tmp_path / "labels").write_text("a file")
    with pytest.raises(HomeError, match="labels cannot be written to"):
        run_of(tmp_path / "labels", "steady", 1)


_PRODUCE = """
import sys, threading
from pathlib import Path
from tick_pipeline.producer.simulate import SimulationRequest, run_simulation
from tick_pipeline.stream.segments import LocalStream

home = Path(sys.argv[1])
print("ready", flush=True)
run_simulation(
    LocalStream(home / "stream", shards=4),
    SimulationRequest("bad_records", 3600, rate=10_000),
    labels_folder=home / "labels",
    on_progress=lambda progress: print(progress.sent, flush=True),
    stop=threading.Event(),
)
"""


def _kill_after(home: Path, delay_seconds: float, *, has_put: bool) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _PRODUCE, str(home)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    while has_put and process.stdout.readline() == "0\n":
        pass
    time.sleep(delay_seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def _assert_nothing_lost_or_unlabelled(home: Path) -> int:
    stream = LocalStream(home / "stream", shards=4)
    records: list[bytes] = []
    for shard in stream.shards():
        for table in stream.read(shard.shard_id, Earliest(), max_records=10**9):
            records.extend(table["data"].to_pylist())
    files = sorted((home / "labels").glob("*.jsonl")) if (home / "labels").exists() else []
    labels = [label for path in files for label in labels_of(path)]
    spoilt = {label["event_id"]: label for label in labels if label["kind"] == "bad_record"}
    ticks = [json.loads(data) for data in records if is_valid(data)]
    bad = len(records) - len(ticks)
    assert bad <= len(spoilt)
    assert len({tick["event_id"] for tick in ticks}) == len(ticks)
    # A put is whole per shard, so each symbol's sequences are dense up to where it was killed.
    for source, symbol in {(tick["source"], tick["symbol"]) for tick in ticks}:
        mine = {t["sequence"] for t in ticks if (t["source"], t["symbol"]) == (source, symbol)}
        lost = set(range(1, max(mine) + 1)) - mine
        assert {f"{source}:{symbol}:{number}" for number in lost} <= spoilt.keys()
    return len(records)


def _killed_runs(home: Path, seed: int, kills: int) -> None:
    chance = random.Random(seed)
    print(f"seed {seed}")  # noqa: T201  (to repeat a failure)
    for kill in range(kills):
        _kill_after(home, chance.uniform(0, 2), has_put=kill > 0)
    assert _assert_nothing_lost_or_unlabelled(home) > 0


def test_crash_loses_nothing_when_produce_is_killed(tmp_path: Path) -> None:
    """SIGKILL at three random moments: no record twice, no gap, every bad record labelled."""
    _killed_runs(tmp_path, random.randrange(2**32), kills=3)


@pytest.mark.soak
def test_crash_loses_nothing_when_produce_is_killed_twenty_times(tmp_path: Path) -> None:
    _killed_runs(tmp_path, random.randrange(2**32), kills=20)
