"""A run of the simulator: market, events, sender and outbox, in real time or as fast as it goes."""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from tick_pipeline.event_time import US_PER_SECOND, now_us
from tick_pipeline.producer.baseline import Baseline
from tick_pipeline.producer.events import EventPlan
from tick_pipeline.producer.instruments import instruments
from tick_pipeline.producer.labels import LabelsFile
from tick_pipeline.producer.outbox import Outbox
from tick_pipeline.producer.request import Progress, SimulationRequest, SimulationSummary
from tick_pipeline.producer.rows import Sender, stamp_held
from tick_pipeline.producer.scenarios import EventKind, find_scenario
from tick_pipeline.producer.walk import Market, mean_activity

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tick_pipeline.producer.instruments import Instrument
    from tick_pipeline.producer.rows import Rows
    from tick_pipeline.stream.port import Stream

__all__ = ["Progress", "SimulationRequest", "SimulationSummary", "run_simulation"]

#: Instruments x seconds of one part of the run: the size of its tables of paths.
_MAX_WINDOW_CELLS = 1_000_000
#: Rows of one part of the run, where time has passed already: enough to be fast.
_ROWS_OF_A_PART = 100_000


def run_simulation(
    stream: Stream,
    request: SimulationRequest,
    *,
    labels_folder: Path,
    on_progress: Callable[[Progress], None],
    stop: threading.Event,
    clock: Callable[[], int] = now_us,
    traded: Sequence[Instrument] | None = None,
) -> SimulationSummary:
    """Simulate ticks into a stream, until the window is covered or `stop` is set.

    Args:
        stream: where to put them.
        request: what to simulate.
        labels_folder: gets one file, named by the run's source.
        on_progress: called after each put.
        stop: ends the run cleanly: what is held back is put at once, so that no sequence has a gap.
        clock: microseconds since the epoch.
        traded: what trades instead of the first `request.symbols` instruments.

    Raises:
        ScenarioError: the request cannot be simulated.
        StreamError: a put failed.
        HomeError: the labels cannot be written.
    """
    request.check()
    start_us, end_us = request.window(clock())
    source = f"sim-{secrets.token_hex(4)}"
    with LabelsFile(labels_folder / f"{source}.jsonl") as labels:
        run = _Run(
            stream,
            request,
            labels,
            source=source,
            start_us=start_us,
            end_us=end_us,
            traded=instruments(request.symbols) if traded is None else traded,
        )
        labels.write([run.label()])
        began = time.monotonic()
        reached_us = run.simulate(on_progress, stop, None if request.simulates_clock else clock)
        return run.summary(reached_us, time.monotonic() - began)


class _Run:
    """The parts of one run, and the time that each takes."""

    def __init__(
        self,
        stream: Stream,
        request: SimulationRequest,
        labels: LabelsFile,
        *,
        source: str,
        start_us: int,
        end_us: int,
        traded: Sequence[Instrument],
    ) -> None:
        scenario = find_scenario(request.scenario)
        self._request, self._labels, self._source = request, labels, source
        self._start_us, self._end_us = start_us, end_us
        self._instruments = traded
        symbols = [item.symbol for item in self._instruments]
        kinds = [scenario.paths[index % len(scenario.paths)] for index in range(len(symbols))]
        self._market = Market(self._instruments, request.seed, kinds)
        self._mean_activity = mean_activity(start_us, end_us)
        self._plan = EventPlan(scenario, symbols, request.seed, start_us, end_us)
        moves = any(kind is not EventKind.HALT for kind in scenario.events)
        self._baseline = Baseline(len(symbols)) if moves else None
        self._sender = Sender(scenario, symbols, request.seed, request.lateness_seconds, end_us)
        self._outbox = Outbox(
            stream,
            labels,
            source=source,
            instruments=self._instruments,
            lateness_seconds=request.lateness_seconds,
        )
        self._injected = 0
        self._simulation_seconds = self._put_seconds = 0.0

    def label(self) -> dict[str, object]:
        """The first line of the labels: the run."""
        return {
            "kind": "run",
            **asdict(self._request),
            "source": self._source,
            "start_us": self._start_us,
            "end_us": self._end_us,
            "tick_sizes": {item.symbol: item.tick_size for item in self._instruments},
        }

    def simulate(
        self,
        on_progress: Callable[[Progress], None],
        stop: threading.Event,
        clock: Callable[[], int] | None,
    ) -> int:
        """Cover the window, by the clock if there is one; returns the instant that was reached."""
        expected = round(self._request.rate * self._request.duration_seconds)
        at_us = self._start_us
        while at_us < self._end_us and not stop.is_set():
            until_us = self._next_stop(at_us, clock() if clock else self._end_us)
            if clock and not _wait_until(until_us, clock, stop):
                break
            self._put(self._advance(at_us, until_us, clock() if clock else None))
            at_us = until_us
            on_progress(Progress(self._outbox.counts["sent"], expected))
        rest = self._sender.rest()
        self._put(stamp_held(rest, clock()) if clock else rest)
        on_progress(Progress(self._outbox.counts["sent"], expected))
        return at_us

    def summary(self, reached_us: int, seconds: float) -> SimulationSummary:
        """What was done until then, in so many seconds of wall time."""
        counts = self._outbox.counts
        return SimulationSummary(
            source=self._source,
            start_us=self._start_us,
            end_us=reached_us,
            sent=counts["sent"],
            rejected=counts["rejected"],
            malformed=counts["malformed"],
            invalid=counts["invalid"],
            duplicates=counts["duplicate"],
            late=counts["late"],
            injected=self._injected,
            seconds=seconds,
            simulation_seconds=self._simulation_seconds,
            put_seconds=self._put_seconds,
            rate=counts["sent"] / seconds if seconds > 0 else 0.0,
            stopped=reached_us < self._end_us,
            labels=self._labels.path,
        )

    def _next_stop(self, at_us: int, now_us: int) -> int:
        """End of the next part: a full second ahead, or more where time has passed already."""
        wanted = _ROWS_OF_A_PART / self._request.rate
        affordable = min(wanted, _MAX_WINDOW_CELLS / len(self._instruments))
        passed = (now_us - at_us) // US_PER_SECOND
        seconds = max(1, min(int(affordable), passed))
        return min((at_us // US_PER_SECOND + seconds) * US_PER_SECOND, self._end_us)

    def _advance(self, at_us: int, until_us: int, now_us: int | None) -> Rows:
        began = time.perf_counter()
        trades = self._market.trades(at_us, until_us, self._request.rate, self._mean_activity)
        events = self._plan.overlapping(at_us, until_us)
        effects = self._plan.halt(trades, events)
        if self._baseline is not None:
            last_second = -(-until_us // US_PER_SECOND)
            self._baseline.add(effects.trades, at_us // US_PER_SECOND, last_second)
            self._plan.move_prices(effects, events, self._baseline)
        self._labels.write(effects.labels)
        self._injected += len(effects.labels)
        self._sender.accept(effects.trades, effects.reserved, sent_us=now_us)
        rows = self._sender.due(until_us if now_us is None else now_us + 1)
        if now_us is not None:
            rows = stamp_held(rows, now_us)
        self._simulation_seconds += time.perf_counter() - began
        return rows

    def _put(self, rows: Rows) -> None:
        began = time.perf_counter()
        self._outbox.put(rows)
        self._put_seconds += time.perf_counter() - began


def _wait_until(instant_us: int, clock: Callable[[], int], stop: threading.Event) -> bool:
    """Wait for the clock; False where `stop` came first."""
    while (left_us := instant_us - clock()) > 0:
        if stop.wait(left_us / US_PER_SECOND):
            return False
    return True
