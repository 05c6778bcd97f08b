"""What the simulator trades: symbols with a price level, a tick size, an activity and a lot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tick_pipeline.producer.noise import key_of, uniform

MAX_SYMBOLS = 500


@dataclass(frozen=True)
class Instrument:
    """One symbol.

    Attributes:
        symbol: its name.
        price: level around which it trades, quote currency.
        ticks_per_unit: 1 / tick size; a whole number, so that prices are exact decimals.
        weight: its share of all ticks, relative to the others.
        sigma: standard deviation of its log price over one second.
        spread_ticks: distance of bid and ask, in ticks.
        lots_per_unit: 1 / the smallest volume: 1 for shares, more for coins.
        lots: its median volume, in lots.
    """

    symbol: str
    price: float
    ticks_per_unit: int
    weight: float
    sigma: float
    spread_ticks: float
    lots_per_unit: int
    lots: float

    @property
    def tick_size(self) -> float:
        """Smallest step of its price, quote currency."""
        return 1 / self.ticks_per_unit


_KNOWN = (
    Instrument("AAPL", 187.0, 100, 1.5, 0.9e-4, 1.5, 1, 100),
    Instrument("MSFT", 415.0, 100, 1.2, 0.8e-4, 3.0, 1, 60),
    Instrument("NVDA", 122.0, 100, 2.0, 1.6e-4, 1.5, 1, 120),
    Instrument("AMZN", 183.0, 100, 1.2, 1.0e-4, 1.5, 1, 80),
    Instrument("F", 11.2, 100, 0.7, 1.1e-4, 1.0, 1, 300),
    Instrument("BRK.B", 441.0, 100, 0.4, 0.6e-4, 5.0, 1, 40),
    Instrument("JPM", 204.0, 100, 0.7, 0.8e-4, 2.0, 1, 70),
    Instrument("TSLA", 242.0, 100, 1.8, 2.0e-4, 2.5, 1, 90),
    Instrument("BTC-USD", 64_250.0, 10, 1.4, 1.2e-4, 20.0, 10_000, 350),
    Instrument("ETH-USD", 3_180.0, 100, 1.1, 1.5e-4, 25.0, 1_000, 400),
)


def instruments(count: int) -> tuple[Instrument, ...]:
    """The first `count` instruments: ten known by name, then generated ones; always the same."""
    generated = (_generated(number) for number in range(len(_KNOWN) + 1, count + 1))
    return (*_KNOWN[:count], *generated)


def tick_sizes(count: int) -> dict[str, float]:
    """Symbol -> tick size of the first `count` instruments, quote currency."""
    return {instrument.symbol: instrument.tick_size for instrument in instruments(count)}


def _generated(number: int) -> Instrument:
    keys = np.array(
        [key_of("instrument", number, name) for name in ("price", "weight", "sigma")], np.uint64
    )
    price, weight, sigma = (float(value) for value in uniform(keys))
    level = round(8.0 * 50.0**price, 2)
    return Instrument(
        symbol=f"SIM{number:03d}",
        price=level,
        ticks_per_unit=100,
        weight=0.3 + weight,
        sigma=(0.7 + sigma) * 1e-4,
        spread_ticks=max(1.0, level / 120),
        lots_per_unit=1,
        lots=max(10.0, round(15_000 / level)),
    )
