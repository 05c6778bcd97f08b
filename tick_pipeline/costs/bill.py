"""A bill: rows of units and prices that add up exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tick_pipeline.costs.units import up

if TYPE_CHECKING:
    from decimal import Decimal

    from tick_pipeline.costs.prices import Price, Prices


@dataclass(frozen=True)
class Row:
    """One line of a bill.

    Attributes:
        station: of the pipeline, as `Kinesis`.
        what: is billed.
        units: how many, rounded as AWS does and up to a millionth.
        usd: what they cost, rounded up to a millionth of a US dollar.
        price: of one unit.
        settings: that change it: variables of Terraform, and TICK_PIPELINE_...
        standing: it is billed without a record, too.
        note: how the units come about, where that is worth a word.
    """

    station: str
    what: str
    units: Decimal
    usd: Decimal
    price: Price
    settings: tuple[str, ...]
    standing: bool
    note: str


class Bill:
    """Collects rows.

    Args:
        prices: of a region.
    """

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self.rows: list[Row] = []

    def add(
        self,
        station: str,
        what: str,
        item: tuple[str, str],
        units: Decimal,
        *settings: str,
        standing: bool = False,
        note: str = "",
    ) -> None:
        """Bill some units; none is no row.

        Args:
            station: see Row, as are what, settings, standing and note.
            what: see Row.
            item: service and item of the price.
            units: of the price's unit.
            settings: see Row.
            standing: see Row.
            note: see Row.

        Raises:
            InputError: the region has no such price.
        """
        if not units:
            return
        price = self._prices.of(*item)
        counted = up(units)
        usd = up(counted * price.usd)
        self.rows.append(Row(station, what, counted, usd, price, settings, standing, note))
