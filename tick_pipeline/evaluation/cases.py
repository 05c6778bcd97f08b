"""The markets on which quality is measured."""

from __future__ import annotations

from dataclasses import dataclass

from tick_pipeline.errors import ScenarioError
from tick_pipeline.producer.instruments import MAX_SYMBOLS, Instrument, instruments

_LOW_VOLATILITY = "low_volatility"


@dataclass(frozen=True)
class Case:
    """One market.

    Attributes:
        name: as the user gives it.
        scenario: the producer's scenario.
        traded: its instruments.
    """

    name: str
    scenario: str
    traded: tuple[Instrument, ...]


def case_names() -> tuple[str, ...]:
    """Every case, in the order of the report."""
    return (
        *("steady", "trend", "volatile", _LOW_VOLATILITY),
        *("spikes", "flash_crash", "halt", "mixed"),
    )


def find_case(name: str, symbols: int) -> Case:
    """The case of that name with so many symbols.

    Raises:
        ScenarioError: there is none, and the message names them all; or the symbols are none or too many.
    """
    if not 1 <= symbols <= MAX_SYMBOLS:
        raise ScenarioError(f"symbols must be 1 to {MAX_SYMBOLS}, not {symbols}")
    if name not in case_names():
        raise ScenarioError(f"there is no case {name!r}; there are {', '.join(case_names())}")
    if name == _LOW_VOLATILITY:
        return Case(name, "steady", tuple(_quiet_stock(number) for number in range(symbols)))
    return Case(name, name, instruments(symbols))


def _quiet_stock(number: int) -> Instrument:
    """A $100 stock that moves by a tenth of a cent a second, so its price rests, then steps by a cent.

    Spreads of a tenth of a cent to a whole one: from a price that hardly ever bounces to one that
    does with every other trade.
    """
    return Instrument(
        symbol=f"QUIET{number:03d}",
        price=100.0,
        ticks_per_unit=100,
        weight=1.0,
        sigma=0.1e-4,
        spread_ticks=0.1 * (number % 10 + 1),
        lots_per_unit=1,
        lots=100,
    )
