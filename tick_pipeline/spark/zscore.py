"""The z-score of every tick of a shard: pure numpy, no Spark, no files, no clock.

A tick at t is compared with all ticks of its symbol in [floor_1s(t) - window, floor_1s(t)):

    zscore = (value - mean) / max(stddev, floor)

with the sample standard deviation, and is an anomaly where the baseline has `min_samples` ticks and
|zscore| >= threshold. Source: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.17, "Detection of
outliers", with a baseline that ends before the tick, so that an outlier does not hide itself.

Event time decides. A shard's watermark is the newest event time among its records, in sequence order,
minus the lateness; a second is scored once the watermark has passed its end, and a tick of a second
that earlier records had closed is late. So the rows are a function of the shard's records alone: any
cut of them into batches gives the same rows, to the last bit.
"""

# numpy's element types are partial, pyarrow has none
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false, reportAttributeAccessIssue=false
from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.types import arrow_schema
from tick_pipeline.event_time import US_PER_SECOND
from tick_pipeline.spark.moments import Buckets, Moments, bucketed, window_moments
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tick_pipeline.spark.scoring_rules import ScoringRules

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Places = NDArray[np.intp]
    Mask = NDArray[np.bool_]

#: In place of the event time of a record that is no valid tick; far from any event time, and from
#: the ends of int64, so that differences of it do not overflow.
NO_TICK = -(1 << 62)
#: Symbols that have traded in no window for long are forgotten once there are so many more of them.
_IDLE_SYMBOLS = 1000
_MAX_RADIX = 1 << 16


@dataclass(frozen=True)
class Ticks:
    """Records of one shard in sequence order, or any valid ticks; columns of one length.

    Attributes:
        symbol: a string array.
        event_us: microseconds since the epoch, NO_TICK for a record that is no valid tick.
        arrival_us: when the stream took it: a tick too far ahead of that moves no watermark.
        sequence: of the tick, which orders ties.
        price: quote currency.
        volume: shares or coins.
        event_id: a string array.
    """

    symbol: pa.Array
    event_us: Ints
    arrival_us: Ints
    sequence: Ints
    price: Floats
    volume: Floats
    event_id: pa.Array

    @staticmethod
    def of(table: pa.Table) -> Ticks:
        """From a table with these columns; `arrival_us` may be absent, where no arrival is to be told."""
        event_us = _numbers(table, "event_us", NO_TICK)
        return Ticks(
            symbol=_strings(table, "symbol"),
            event_us=event_us,
            arrival_us=_numbers(table, "arrival_us", NO_TICK)
            if "arrival_us" in table.column_names
            else event_us,
            sequence=_numbers(table, "sequence", 0),
            price=_numbers(table, "price", 0.0),
            volume=_numbers(table, "volume", 0.0),
            event_id=_strings(table, "event_id"),
        )

    def __len__(self) -> int:
        return len(self.event_us)

    def taken(self, places: Places) -> Ticks:
        """The records at some places."""
        of = pa.array(places)
        return Ticks(
            self.symbol.take(of),
            self.event_us[places],
            self.arrival_us[places],
            self.sequence[places],
            self.price[places],
            self.volume[places],
            self.event_id.take(of),
        )


@dataclass
class _Held:
    """Ticks with their symbols as codes."""

    symbol: Ints
    event_us: Ints
    sequence: Ints
    price: Floats
    volume: Floats
    event_id: pa.Array

    def taken(self, places: Places | Mask) -> _Held:
        return _Held(
            self.symbol[places],
            self.event_us[places],
            self.sequence[places],
            self.price[places],
            self.volume[places],
            self.event_id.filter(pa.array(places))
            if places.dtype == np.bool_
            else self.event_id.take(pa.array(places)),
        )

    def joined(self, other: _Held) -> _Held:
        return _Held(
            np.concatenate((self.symbol, other.symbol)),
            np.concatenate((self.event_us, other.event_us)),
            np.concatenate((self.sequence, other.sequence)),
            np.concatenate((self.price, other.price)),
            np.concatenate((self.volume, other.volume)),
            pa.concat_arrays([self.event_id, other.event_id]),
        )


class Scorer:
    """Scores the ticks of one shard.

    Attributes:
        late: valid ticks so far that came after their second was scored.
        duplicates: ticks so far that were copies of another.
        scored: ticks so far that were scored, each once.
    """

    def __init__(self, rules: ScoringRules) -> None:
        """Args: the rules."""
        self._rules = rules
        self.late = self.duplicates = self.scored = 0
        self._newest_us = NO_TICK
        #: First second that is not scored.
        self._open_second = NO_TICK // US_PER_SECOND
        self._symbols: list[str] = []
        self._codes: dict[str, int] = {}
        self._tick_size: Floats = np.empty(0)
        self._last_us: Ints = np.empty(0, np.int64)
        self._last_price: Floats = np.empty(0)
        self._pending = _no_ticks()
        self._buckets = {metric: Buckets.none() for metric in rules.metrics}

    @property
    def watermark_us(self) -> int | None:
        """Event time up to which every second is scored; None before the first tick."""
        if self._newest_us == NO_TICK:
            return None
        return max(self._open_second * US_PER_SECOND, self._newest_us - self._lateness_us)

    @property
    def pending(self) -> int:
        """Ticks that wait for the watermark."""
        return len(self._pending.event_us)

    def advance(self, ticks: Ticks) -> pa.Table:
        """Take the next records of the shard; returns the anomalies of the seconds that closed.

        Args:
            ticks: records in sequence order.

        Returns:
            Rows of the contract `anomaly`, by (metric, symbol, event time).
        """
        self._accept(ticks)
        return self._close()

    def flush(self) -> pa.Table:
        """Score the open seconds, too, and move the watermark past them.

        A tick that is ahead of its arrival by more than the lateness stays pending.
        """
        if self._newest_us != NO_TICK:
            self._open_second = max(self._open_second, self._newest_us // US_PER_SECOND + 1)
        return self._close()

    def score(self, ticks: Ticks) -> pa.Table:
        """Score ticks that are all there is, in any order: nothing is late.

        Returns:
            Rows of the contract `anomaly`, by (metric, symbol, event time).
        """
        valid = ticks.event_us > NO_TICK
        self._hold(ticks, None if valid.all() else np.flatnonzero(valid))
        if self.pending:
            self._newest_us = max(self._newest_us, int(self._pending.event_us.max()))
        return self.flush()

    def dump(self) -> dict[str, NDArray[Any]]:
        """The state as arrays; `load` takes it up again."""
        state: dict[str, NDArray[Any]] = {
            "counts": np.array([self.late, self.duplicates, self.scored], np.int64),
            "marks": np.array([self._newest_us, self._open_second], np.int64),
            "last_us": self._last_us,
            "last_price": self._last_price,
        }
        pending = self._pending
        for name, column in (
            ("symbol", pending.symbol),
            ("event_us", pending.event_us),
            ("sequence", pending.sequence),
            ("price", pending.price),
            ("volume", pending.volume),
        ):
            state[f"pending.{name}"] = column
        state |= _dump_strings("pending.event_id", pending.event_id)
        state |= _dump_strings("symbols", pa.array(self._symbols, pa.string()))
        for metric, buckets in self._buckets.items():
            state[f"{metric}.symbol"], state[f"{metric}.second"] = buckets.symbol, buckets.second
            for name, column in zip(Moments._fields, buckets.moments, strict=True):
                state[f"{metric}.{name}"] = column
        return state

    @staticmethod
    def load(rules: ScoringRules, state: Mapping[str, NDArray[Any]]) -> Scorer:
        """A scorer that goes on where another's `dump` was made, under rules of the same `state_key`."""
        scorer = Scorer(rules)
        scorer.late, scorer.duplicates, scorer.scored = (int(item) for item in state["counts"])
        scorer._newest_us, scorer._open_second = (int(item) for item in state["marks"])
        for symbol in _load_strings("symbols", state).to_pylist():
            scorer._code_of(symbol)
        scorer._last_us, scorer._last_price = state["last_us"].copy(), state["last_price"].copy()
        scorer._grow()
        scorer._pending = _Held(
            state["pending.symbol"],
            state["pending.event_us"],
            state["pending.sequence"],
            state["pending.price"],
            state["pending.volume"],
            _load_strings("pending.event_id", state),
        )
        scorer._buckets = {
            metric: Buckets(
                state[f"{metric}.symbol"],
                state[f"{metric}.second"],
                Moments(*(state[f"{metric}.{name}"] for name in Moments._fields)),
            )
            for metric in rules.metrics
        }
        return scorer

    @property
    def _lateness_us(self) -> int:
        return self._rules.lateness_seconds * US_PER_SECOND

    def _accept(self, ticks: Ticks) -> None:
        """Move the watermark, record by record, and hold what is not late."""
        if not len(ticks):
            return
        us, valid = ticks.event_us, ticks.event_us > NO_TICK
        moves = valid & (us - self._lateness_us <= ticks.arrival_us)
        newest = np.maximum.accumulate(
            np.concatenate(([self._newest_us], np.where(moves, us, NO_TICK)))
        )
        # The first open second as it stood before each record.
        opened = np.maximum((newest[:-1] - self._lateness_us) // US_PER_SECOND, self._open_second)
        late = valid & (us < opened * US_PER_SECOND)
        self.late += int(late.sum())
        self._newest_us = int(newest[-1])
        self._open_second = max(
            self._open_second, (self._newest_us - self._lateness_us) // US_PER_SECOND
        )
        kept = valid & ~late
        self._hold(ticks, None if kept.all() else np.flatnonzero(kept))

    def _hold(self, ticks: Ticks, places: Places | None) -> None:
        """Add ticks to those that wait; all, or those at some places."""
        if places is not None:
            ticks = ticks.taken(places)
        encoded = ticks.symbol.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        codes = np.fromiter((self._code_of(name) for name in names), np.int64, len(names))
        self._grow()
        held = _Held(
            codes[encoded.indices.to_numpy()],
            ticks.event_us,
            ticks.sequence,
            ticks.price,
            ticks.volume,
            ticks.event_id,
        )
        self._pending = self._pending.joined(held) if self.pending else held

    def _code_of(self, symbol: str) -> int:
        code = self._codes.setdefault(symbol, len(self._symbols))
        if code == len(self._symbols):
            self._symbols.append(symbol)
        return code

    def _grow(self) -> None:
        """Make room for what is kept per symbol."""
        added = len(self._symbols) - len(self._last_us)
        if added > 0:
            self._last_us = np.concatenate((self._last_us, np.full(added, NO_TICK)))
            self._last_price = np.concatenate((self._last_price, np.ones(added)))
        if len(self._tick_size) != len(self._symbols):
            sizes = self._rules.tick_sizes
            self._tick_size = np.array([sizes.get(name, np.nan) for name in self._symbols])

    def _close(self) -> pa.Table:
        """Score the held ticks of seconds that are closed."""
        closed = self._pending.event_us < self._open_second * US_PER_SECOND
        if not closed.any():
            return anomaly_schema().empty_table()
        if closed.all():
            ticks, self._pending = self._pending, _no_ticks()
        else:
            ticks, self._pending = self._pending.taken(closed), self._pending.taken(~closed)
        ticks = self._in_order(ticks)
        self.scored += len(ticks.event_us)
        previous_us, previous_price = self._previous(ticks)
        # Infinities and what comes of them are judged by nothing, see _score_metric.
        with np.errstate(over="ignore", invalid="ignore"):
            found = [
                self._score_metric(metric, ticks, previous_us, previous_price)
                for metric in self._rules.metrics
            ]
        self._forget_idle_symbols()
        return pa.concat_tables(found)

    def _in_order(self, ticks: _Held) -> _Held:
        """The ticks by symbol and total order, each once."""
        order = _by_symbol_and_time(ticks.symbol, ticks.event_us, len(self._symbols))
        if order is not None:
            ticks = ticks.taken(order)
        tied = (np.diff(ticks.symbol) == 0) & (np.diff(ticks.event_us) == 0)
        if not tied.any():
            return ticks
        places = np.flatnonzero(np.concatenate(([False], tied)) | np.concatenate((tied, [False])))
        ordered, surplus = _ties_in_order(ticks.taken(places))
        if not surplus.any() and (np.diff(ordered) > 0).all():
            return ticks
        order = np.arange(len(ticks.symbol))
        order[places] = places[ordered]
        self.duplicates += int(surplus.sum())
        return ticks.taken(np.delete(order, places[surplus]))

    def _previous(self, ticks: _Held) -> tuple[Ints, Floats]:
        """Time and price of each tick's predecessor of the same symbol, and note the last ones."""
        symbol = ticks.symbol
        first = np.concatenate(([True], symbol[1:] != symbol[:-1]))
        last = np.concatenate((first[1:], [True]))
        previous_us = np.concatenate(([0], ticks.event_us[:-1]))
        previous_price = np.concatenate(([1.0], ticks.price[:-1]))
        previous_us[first] = self._last_us[symbol[first]]
        previous_price[first] = self._last_price[symbol[first]]
        self._last_us[symbol[last]] = ticks.event_us[last]
        self._last_price[symbol[last]] = ticks.price[last]
        return previous_us, previous_price

    def _score_metric(
        self, metric: str, ticks: _Held, previous_us: Ints, previous_price: Floats
    ) -> pa.Table:
        """Anomalies of one metric; the ticks' seconds become buckets."""
        rules, places = self._rules, None
        if metric == "return":
            near = ticks.event_us - previous_us <= rules.window_seconds * US_PER_SECOND
            if not near.all():
                places = np.flatnonzero(near)
            value = _log_return(ticks.price, previous_price)
        else:
            value = ticks.price if metric == "price" else ticks.volume
        symbol, us = ticks.symbol, ticks.event_us
        if places is not None:
            value, symbol, us = value[places], symbol[places], us[places]
        if not len(value):
            return anomaly_schema().empty_table()
        second = us // US_PER_SECOND
        starts = np.flatnonzero(
            np.concatenate(([True], (np.diff(second) != 0) | (np.diff(symbol) != 0)))
        )
        added = bucketed(symbol, second, value, starts)
        buckets = self._buckets[metric].joined(added)
        baseline = window_moments(buckets, added.symbol, added.second, rules.window_seconds)
        self._buckets[metric] = buckets.where(
            buckets.second >= self._open_second - rules.window_seconds
        )
        deviation = np.sqrt(baseline.m2 / np.maximum(baseline.number - 1.0, 1.0))
        # Prices near the end of the doubles have no finite variance, so no score.
        judged = (baseline.number >= rules.min_samples) & np.isfinite(deviation)
        # What could be an anomaly lies this far from the mean at least; few do.
        bound = np.where(judged, rules.threshold * (1 - 1e-9) * deviation, np.nan)
        suspects = _beyond(value, starts, baseline.mean, bound)
        of = np.searchsorted(starts, suspects, side="right") - 1
        own = suspects if places is None else places[suspects]
        mean, spread = baseline.mean[of], deviation[of]
        floor = self._floor(metric, mean, ticks.symbol[own], previous_price[own])
        scale = np.maximum(spread, floor)
        # Without any scale (a volume that was always zero) there is nothing to judge by.
        zscore = np.divide(
            value[suspects] - mean, scale, out=np.zeros(len(suspects)), where=scale > 0
        )
        hit = np.abs(zscore) >= rules.threshold
        own, of = own[hit], of[hit]
        return self._rows(
            metric,
            ticks.taken(own),
            value=value[suspects[hit]],
            mean=mean[hit],
            stddev=spread[hit],
            zscore=zscore[hit],
            sample_count=baseline.number[of].astype(np.int64),
        )

    def _floor(self, metric: str, mean: Floats, symbol: Ints, previous_price: Floats) -> Floats:
        """The least scale of each value: below it, what moves is the price's own grain."""
        rules = self._rules
        if metric == "price":
            return rules.price_floor * np.abs(mean)
        if metric == "volume":
            return rules.volume_floor * mean
        size = self._tick_size[symbol]
        return np.where(np.isnan(size), rules.return_floor, 0.5 * size / previous_price)

    def _rows(self, metric: str, ticks: _Held, **measures: NDArray[Any]) -> pa.Table:
        names = pa.array(self._symbols, pa.string())
        rows = len(ticks.event_us)
        columns: dict[str, Any] = {
            "event_id": ticks.event_id,
            "symbol": names.take(pa.array(ticks.symbol)),
            "event_us": ticks.event_us,
            "event_at": pa.array(ticks.event_us).cast(pa.timestamp("us", "UTC")),
            "metric": pa.array([metric] * rows, pa.string()),
            **measures,
            "window_minutes": np.full(rows, self._rules.window_minutes, np.int64),
            "threshold": np.full(rows, self._rules.threshold),
        }
        schema = anomaly_schema()
        return pa.table([columns[name] for name in schema.names], schema=schema)

    def _forget_idle_symbols(self) -> None:
        """Drop symbols that no later row can need: new names for ever must not grow the state."""
        needed_us = (self._open_second - self._rules.window_seconds) * US_PER_SECOND
        active = self._last_us >= needed_us
        active[self._pending.symbol] = True
        idle = len(active) - int(active.sum())
        if idle < _IDLE_SYMBOLS + len(active) // 2:
            return
        kept = np.flatnonzero(active)
        code_of = np.cumsum(active) - 1
        self._symbols = [self._symbols[code] for code in kept.tolist()]
        self._codes = {name: code for code, name in enumerate(self._symbols)}
        self._last_us, self._last_price = self._last_us[kept], self._last_price[kept]
        self._tick_size = self._tick_size[kept]
        self._pending.symbol = code_of[self._pending.symbol]
        for metric, buckets in self._buckets.items():
            ours = buckets.where(active[buckets.symbol])
            self._buckets[metric] = Buckets(code_of[ours.symbol], ours.second, ours.moments)


@lru_cache
def anomaly_schema() -> pa.Schema:
    """The contract's columns as Arrow has them, alike in both storage modes."""
    return arrow_schema(load_contract("anomaly"), StorageMode.PARQUET_PROJECTION)


def _no_ticks() -> _Held:
    whole = np.empty(0, np.int64)
    return _Held(whole, whole, whole, np.empty(0), np.empty(0), pa.array([], pa.string()))


def _by_symbol_and_time(symbol: Ints, event_us: Ints, symbols: int) -> Places | None:
    """A stable order by symbol, then time; None where they are in it."""
    step_symbol, step_us = np.diff(symbol), np.diff(event_us)
    if not ((step_symbol < 0) | ((step_symbol == 0) & (step_us < 0))).any():
        return None
    # Times are nearly in order and symbols are few: a merge of runs, then a radix sort.
    in_time = np.argsort(event_us, kind="stable") if (step_us < 0).any() else None
    codes = symbol if in_time is None else symbol[in_time]
    by_symbol = np.argsort(
        codes.astype(np.uint16) if symbols <= _MAX_RADIX else codes, kind="stable"
    )
    return by_symbol if in_time is None else in_time[by_symbol]


def _ties_in_order(ticks: _Held) -> tuple[Places, Mask]:
    """Ticks that share symbol and microsecond: their total order, and which are copies of an earlier.

    Returns:
        Places in the total order (of symbol, time, sequence, id, price, volume: what else tells
        copies apart changes no score), and, in that order, whether the id stood before.
    """
    encoded = ticks.event_id.dictionary_encode()
    rank = np.empty(len(encoded.dictionary), np.int64)
    rank[pc.array_sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(rank))
    identity = rank[encoded.indices.to_numpy()]
    order = np.lexsort(
        (ticks.volume, ticks.price, identity, ticks.sequence, ticks.event_us, ticks.symbol)
    )
    same = np.lexsort(
        (np.arange(len(order)), identity[order], ticks.event_us[order], ticks.symbol[order])
    )
    sorted_places = order[same]
    copy = np.concatenate(
        (
            [False],
            (np.diff(identity[sorted_places]) == 0)
            & (np.diff(ticks.event_us[sorted_places]) == 0)
            & (np.diff(ticks.symbol[sorted_places]) == 0),
        )
    )
    surplus = np.zeros(len(order), np.bool_)
    surplus[same[copy]] = True
    return order, surplus


def _beyond(value: Floats, starts: Places, mean: Floats, bound: Floats) -> Places:
    """Places of the values that lie at least `bound` from their bucket's mean, and not on it."""
    away = np.maximum(
        np.maximum.reduceat(value, starts) - mean, mean - np.minimum.reduceat(value, starts)
    )
    buckets = np.flatnonzero((away >= bound) & (away > 0))
    if not len(buckets):
        return np.empty(0, np.intp)
    ends = np.append(starts[1:], len(value))
    lengths = ends[buckets] - starts[buckets]
    of = np.repeat(buckets, lengths)
    offsets = np.arange(len(of)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    places = starts[of] + offsets
    distance = np.abs(value[places] - mean[of])
    return places[(distance >= bound[of]) & (distance > 0)]


def _log_return(price: Floats, previous_price: Floats) -> Floats:
    """Log of the ratio; of prices whose ratio is no double, the difference of logs."""
    with np.errstate(over="ignore", under="ignore"):
        ratio = price / previous_price
    extreme = ~((ratio > 0) & (ratio < np.inf))
    if not extreme.any():
        return np.log(ratio)
    ratio[extreme] = 1.0
    value = np.log(ratio)
    value[extreme] = np.log(price[extreme]) - np.log(previous_price[extreme])
    return value


def _numbers(table: pa.Table, name: str, absent: float) -> NDArray[Any]:
    column = table.column(name)
    column = column.fill_null(absent) if column.null_count else column
    return column.to_numpy()


def _strings(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name)
    whole = (
        column.chunk(0)
        if column.num_chunks == 1
        else pa.concat_arrays(column.chunks or [pa.array([], pa.string())])
    )
    return whole.cast(pa.string())


def _dump_strings(name: str, texts: pa.Array) -> dict[str, NDArray[Any]]:
    lengths = pc.binary_length(texts).to_numpy(zero_copy_only=False).astype(np.int32)
    return {f"{name}.lengths": lengths, f"{name}.bytes": _text_bytes(texts)}


def _text_bytes(texts: pa.Array) -> NDArray[np.uint8]:
    compact = pa.concat_arrays([texts])
    _, offsets, data = compact.buffers()
    if data is None or not len(compact):
        return np.empty(0, np.uint8)
    ends = np.frombuffer(offsets, np.int32)[compact.offset : compact.offset + len(compact) + 1]
    return np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]


def _load_strings(name: str, state: Mapping[str, NDArray[Any]]) -> pa.Array:
    lengths = state[f"{name}.lengths"]
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    data = np.ascontiguousarray(state[f"{name}.bytes"])
    return pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(data))
