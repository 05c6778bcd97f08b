"""The ticks of a run between the market and the stream: who is late, sent again, or spoilt."""
# pyarrow has no types:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from tick_pipeline.event_time import US_PER_SECOND
from tick_pipeline.producer.encode import tick_schema
from tick_pipeline.producer.noise import bits, key_of, substream, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tick_pipeline.producer.scenarios import Scenario
    from tick_pipeline.producer.walk import Trades

#: What is special about a row.
ORDINARY, LATE, RESENT, CONFLICTING, BAD = range(5)
#: One in this many duplicates has another price.
_CONFLICTING_ONE_IN = 5
#: Its functions are made when it is imported, which a type checker does not see.
_compute: Any = pyarrow.compute
_ROW = np.dtype(
    [
        ("symbol", np.int64),
        ("sequence", np.int64),
        ("event_us", np.int64),
        ("price_ticks", np.int64),
        ("volume", np.float64),
        ("sent_us", np.int64),
        ("due_us", np.int64),  # when it goes into the stream
        ("mark", np.int8),
    ]
)
Rows = np.ndarray[Any, np.dtype[np.void]]


class Sender:
    """Numbers the trades, decides on what becomes of each, and holds back what is not due."""

    def __init__(
        self, scenario: Scenario, symbols: list[str], seed: int, lateness_seconds: int, end_us: int
    ) -> None:
        """Nothing that is late is planned to come after the end, microseconds since the epoch."""
        self._scenario = scenario
        self._keys = np.array([key_of("send", seed, symbol) for symbol in symbols], np.uint64)
        # Each symbol has one way to the stream, so its ordinary ticks arrive in order: 2 to 40 ms.
        self._latency_us = (2_000 + 38_000 * uniform(self._keys)).astype(np.int64)
        self._sequences = np.zeros(len(symbols), np.int64)
        self._lateness_us = lateness_seconds * US_PER_SECOND
        self._end_us = end_us
        self._held: Rows = np.zeros(0, _ROW)

    def accept(
        self, trades: Trades, reserved: NDArray[np.bool_], *, sent_us: int | None = None
    ) -> None:
        """Take in a window's trades.

        Args:
            trades: by symbol, then time.
            reserved: trades that are neither late nor spoilt.
            sent_us: when they are put, microseconds since the epoch; None simulates it.
        """
        rows = np.zeros(len(trades.symbol), _ROW)
        rows["symbol"], rows["event_us"] = trades.symbol, trades.event_us
        rows["price_ticks"], rows["volume"] = trades.price_ticks, trades.volume
        rows["sequence"] = self._number(trades.symbol)
        simulated = trades.event_us + self._latency_us[trades.symbol]
        rows["due_us"] = simulated if sent_us is None else np.maximum(sent_us, trades.event_us)
        random = bits(substream(self._keys, 1)[trades.symbol], trades.event_us)
        self._mark(rows, random, reserved)
        rows["sent_us"] = rows["due_us"]
        self._held = np.concatenate([self._held, rows, self._duplicates(rows, random)])

    def due(self, until_us: int) -> Rows:
        """Take out what is due before an instant, in the order of sending."""
        held = self._held[np.argsort(self._held["due_us"], kind="stable")]
        count = int(np.searchsorted(held["due_us"], until_us))
        self._held = held[count:]
        return held[:count]

    def rest(self) -> Rows:
        """Take out all that is held, due or not, in the order of sending."""
        return self.due(int(np.iinfo(np.int64).max))

    def _number(self, symbol: NDArray[np.int64]) -> NDArray[np.int64]:
        counts = np.bincount(symbol, minlength=len(self._sequences))
        starts = np.cumsum(counts) - counts
        sequence = np.arange(len(symbol)) - starts[symbol] + self._sequences[symbol] + 1
        self._sequences += counts
        return sequence

    def _mark(self, rows: Rows, random: NDArray[np.uint64], reserved: NDArray[np.bool_]) -> None:
        chance, scenario = uniform(random), self._scenario
        delay_us = (
            self._lateness_us + US_PER_SECOND + (random & np.uint64(0x1FF_FFFF)).astype(np.int64)
        )
        late_us = rows["event_us"] + delay_us
        bad = chance < scenario.bad_share
        late = ~bad & (chance < scenario.bad_share + scenario.late_share) & (late_us < self._end_us)
        rows["mark"][bad & ~reserved] = BAD
        late &= ~reserved
        rows["mark"][late] = LATE
        rows["due_us"][late] = late_us[late]

    def _duplicates(self, rows: Rows, random: NDArray[np.uint64]) -> Rows:
        # From the other end of the same chance, so that no tick is two special things at once.
        again = (uniform(random) >= 1 - self._scenario.duplicate_share) & (rows["mark"] == ORDINARY)
        copies, low = rows[again], random[again]
        delay_us = 50_000 + (low & np.uint64(0x3F_FFFF)).astype(np.int64)
        copies["due_us"] += delay_us
        conflicting = low % np.uint64(_CONFLICTING_ONE_IN) == 0
        copies["mark"] = np.where(conflicting, CONFLICTING, RESENT)
        copies["price_ticks"][conflicting] += 1
        copies["sent_us"][conflicting] = copies["due_us"][conflicting]
        return copies


def stamp_held(rows: Rows, now_us: int) -> Rows:
    """The rows, held back ones now sent at this instant; a record sent again says what it said."""
    moved = (rows["mark"] == LATE) | (rows["mark"] == CONFLICTING)
    rows["sent_us"][moved] = now_us
    return rows


def tick_table(
    rows: Rows, source: str, symbols: list[str], ticks_per_unit: NDArray[np.int64]
) -> pa.Table:
    """The rows as ticks of the contract, in their order."""
    names = pa.DictionaryArray.from_arrays(
        pa.array(rows["symbol"].astype(np.int32)), pa.array(symbols, pa.string())
    ).cast(pa.string())
    prefixes = pa.DictionaryArray.from_arrays(
        pa.array(rows["symbol"].astype(np.int32)),
        pa.array([f"{source}:{symbol}:" for symbol in symbols], pa.string()),
    ).cast(pa.string())
    sequence = pa.array(rows["sequence"])
    columns = {
        "event_id": _compute.binary_join_element_wise(prefixes, sequence.cast(pa.string()), ""),
        "source": pa.repeat(source, len(rows)),
        "sequence": sequence,
        "symbol": names,
        # A quotient of whole numbers is the double nearest to the decimal price.
        "price": rows["price_ticks"] / ticks_per_unit[rows["symbol"]],
        "volume": rows["volume"],
        "event_ts": rows["event_us"],
        "event_time": instant_texts(rows["event_us"]),
        "sent_ts": rows["sent_us"],
    }
    schema = tick_schema()
    return pa.table([columns[name] for name in schema.names], schema=schema)


def instant_texts(instants_us: NDArray[np.int64]) -> pa.StringArray:
    """`event_time.format_instant` of each, microseconds since the epoch, ten times faster."""
    text = pa.array(instants_us).cast(pa.timestamp("us")).cast(pa.string())
    with_t = _compute.binary_replace_slice(text, 10, 11, "T")
    return _compute.binary_join_element_wise(with_t, "Z", "")
