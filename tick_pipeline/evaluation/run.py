"""One market, simulated, decoded and scored in memory: the path of a tick without files and Spark."""

# pyarrow and duckdb have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec
import numpy as np
import pyarrow as pa

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.rules import Dialect, broken_rule_sql
from tick_pipeline.errors import WorkError
from tick_pipeline.evaluation.matching import InjectedEvent, check_apart, injected_events
from tick_pipeline.landing.convert import Converter
from tick_pipeline.producer.events import QUIET_SECONDS
from tick_pipeline.producer.simulate import SimulationRequest, run_simulation
from tick_pipeline.spark.zscore import Scorer, Ticks
from tick_pipeline.stream.port import Position, PutResult, Shard
from tick_pipeline.stream.sharding import shard_indices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from tick_pipeline.evaluation.cases import Case
    from tick_pipeline.spark.scoring_rules import ScoringRules

#: As the local stream has them: each has a watermark of its own.
SHARDS = 4
_RECORDS_PER_PUT = 100_000


@dataclass(frozen=True)
class MarketRun:
    """One market of one seed.

    Attributes:
        ticks: that were scored.
        late: valid ticks that came after their second was scored.
        duplicates: copies of other ticks.
        events: what was injected.
        alerts: rows of the contract `anomaly`, of every metric, at the rules' threshold.
    """

    ticks: int
    late: int
    duplicates: int
    events: list[InjectedEvent]
    alerts: list[dict[str, Any]]


@dataclass(frozen=True)
class RunSize:
    """How much of a market is simulated: a window of event time, and ticks a second in it."""

    start_us: int
    duration_seconds: float
    rate: float


def run_market(case: Case, seed: int, size: RunSize, rules: ScoringRules) -> MarketRun:
    """Simulate and score one market, shard by shard, record by record, as the stream delivers them.

    Args:
        case: the market.
        seed: names its price paths.
        size: how much of it.
        rules: how to score; the tick sizes are the simulator's instead.

    Raises:
        ScenarioError: the numbers cannot be simulated.
        WorkError: the labels are none to measure by.
    """
    request = SimulationRequest(
        scenario=case.scenario,
        duration_seconds=size.duration_seconds,
        rate=size.rate,
        symbols=len(case.traded),
        seed=seed,
        lateness_seconds=rules.lateness_seconds,
        start_us=size.start_us,
    )
    sizes = {instrument.symbol: instrument.tick_size for instrument in case.traded}
    stream = _ScoringStream(replace(rules, tick_sizes=sizes))
    with tempfile.TemporaryDirectory() as folder:
        summary = run_simulation(
            stream,
            request,
            labels_folder=Path(folder),
            on_progress=lambda _: None,
            stop=threading.Event(),
            traded=case.traded,
        )
        labels = read_labels(summary.labels)
    if labels[0]["tick_sizes"] != sizes:
        raise WorkError(f"the labels of {case.name} tell other tick sizes than its instruments")
    alerts = stream.finish()
    events = injected_events(labels, stream.ticks_after())
    check_apart(events, QUIET_SECONDS)
    return MarketRun(
        ticks=sum(scorer.scored for scorer in stream.scorers),
        late=sum(scorer.late for scorer in stream.scorers),
        duplicates=sum(scorer.duplicates for scorer in stream.scorers),
        events=events,
        alerts=alerts.to_pylist(),
    )


def read_labels(path: Path) -> list[dict[str, Any]]:
    """The lines of a labels file; the first is the run."""
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


class _ScoringStream:
    """A stream that decodes what is put and scores it at once, each shard with its own scorer."""

    def __init__(self, rules: ScoringRules) -> None:
        self.scorers = [Scorer(rules) for _ in range(SHARDS)]
        self._arrived_us = 0
        self._converter = Converter()
        self._found: list[pa.Table] = []
        self._times: list[tuple[pa.Array, NDArray[np.int64]]] = []

    @property
    def records_per_put(self) -> int:
        """As many as are scored fast."""
        return _RECORDS_PER_PUT

    def put(self, partition_keys: pa.StringArray, data: pa.BinaryArray) -> PutResult:
        """See Stream. The simulator's partition key is the symbol, in the tick as well."""
        ticks = self._ticks_of(data)
        shard = shard_indices(ticks.symbol, SHARDS)
        for index, scorer in enumerate(self.scorers):
            self._found.append(scorer.advance(ticks.taken(np.flatnonzero(shard == index))))
        self._times.append((ticks.symbol, ticks.event_us))
        return PutResult(len(data), data.nbytes, 0)

    def shards(self) -> list[Shard]:
        """None: nothing is kept."""
        return []

    def read(
        self, shard_id: str, position: Position, *, max_records: int, end: str | None = None
    ) -> Iterator[pa.Table]:
        """Nothing is kept."""
        return iter(())

    def finish(self) -> pa.Table:
        """Score the open seconds, too; every anomaly of the run."""
        self._converter.close()
        return pa.concat_tables([*self._found, *(scorer.flush() for scorer in self.scorers)])

    def ticks_after(self) -> Callable[[str, int], int | None]:
        """Answers when a symbol's next valid tick was."""
        symbols = pa.chunked_array([symbol for symbol, _ in self._times]).dictionary_encode()
        codes = symbols.unify_dictionaries().combine_chunks()
        code = codes.indices.to_numpy()
        event_us = np.concatenate([event_us for _, event_us in self._times])
        times = {
            name: np.sort(event_us[code == place])
            for place, name in enumerate(codes.dictionary.to_pylist())
        }

        def tick_after(symbol: str, at_us: int) -> int | None:
            of_symbol = times.get(symbol)
            if of_symbol is None:
                return None
            place = int(np.searchsorted(of_symbol, at_us, side="right"))
            return int(of_symbol[place]) if place < len(of_symbol) else None

        return tick_after

    def _ticks_of(self, data: pa.BinaryArray) -> Ticks:
        """The valid ticks among the records.

        In the records' order: the simulator's valid ticks are in the form that the converter's first
        tier takes, and a record that is no valid tick has no place in the order.
        """
        converted = self._converter.convert(data)
        rows = converted.rows
        if converted.invalid:
            with duckdb.connect(config={"threads": 1}) as database:
                database.register("ticks", rows)
                rule = broken_rule_sql(load_contract("tick"), Dialect.DUCKDB)
                rows = database.sql(f"select * from ticks where ({rule}) is null").to_arrow_table()  # noqa: S608  (of the contract alone)
        sent_us = rows["sent_ts"].to_numpy()
        # A record is taken when it is sent; one sent again still tells its first sending.
        arrival_us = np.maximum.accumulate(np.concatenate(([self._arrived_us], sent_us)))
        self._arrived_us = int(arrival_us[-1])
        ticks = rows.rename_columns({"event_ts": "event_us"})
        return Ticks.of(ticks.append_column("arrival_us", pa.array(arrival_us[1:])))
