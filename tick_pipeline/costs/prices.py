"""List prices of AWS, one dated file for each region: `prices/<region>.csv`.

A row is verified (y) where a second published source gives the same figure; none was read from AWS's live
price pages, which `source` names for whoever checks. Rows that are not verified are the best known, and those
of regions beside us-east-1 in part carried over from it by the ratio of the region's other prices. Volume
discounts and the free tier are left out: an estimate is rather too high than too low.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from tick_pipeline.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where nobody names a region; it has the file with the most verified rows.
DEFAULT_REGION = "us-east-1"
COLUMNS = ("service", "item", "unit", "usd", "rounding", "source", "verified", "date")
_DAYS_A_YEAR = 365


@dataclass(frozen=True)
class Price:
    """What one unit of something costs.

    Attributes:
        service: of AWS, as `kinesis`.
        item: what of it is billed.
        unit: what the price is for, as `GB`, `million PUT units`.
        usd: US dollars for one unit.
        rounding: how AWS counts units; empty where it counts them as they are.
        source: page of AWS that names the price.
        verified: a second published source gives the same figure.
        date: of the last look at it.
    """

    service: str
    item: str
    unit: str
    usd: Decimal
    rounding: str
    source: str
    verified: bool
    date: date


@dataclass(frozen=True)
class Prices:
    """Every price of a region.

    Attributes:
        region: of AWS.
        rows: (service, item) -> price.
    """

    region: str
    rows: Mapping[tuple[str, str], Price]

    def of(self, service: str, item: str) -> Price:
        """The price of an item.

        Raises:
            InputError: the region's file does not name it.
        """
        try:
            return self.rows[service, item]
        except KeyError as error:
            raise InputError(
                f"the prices of {self.region} have no row {service},{item}; "
                f"add it to tick_pipeline/costs/prices/{self.region}.csv"
            ) from error

    @property
    def as_of(self) -> date:
        """Date of the row that was looked at longest ago."""
        return min(price.date for price in self.rows.values())


def regions() -> tuple[str, ...]:
    """Every region that has a file of prices."""
    folder = files("tick_pipeline.costs") / "prices"
    return tuple(
        sorted(
            file.name.removesuffix(".csv")
            for file in folder.iterdir()
            if file.name.endswith(".csv")
        )
    )


@cache
def load_prices(region: str) -> Prices:
    """The prices of a region.

    Raises:
        InputError: there is no file of it, or a row of it cannot be used.
    """
    if region not in regions():
        raise InputError(
            f"there are no prices of the region {region!r}; there are those of {', '.join(regions())}"
        )
    file = files("tick_pipeline.costs") / "prices" / f"{region}.csv"
    return parse_prices(region, file.read_text(encoding="utf-8"))


def nearest_prices(region: str) -> Prices:
    """The prices of a region, or those of us-east-1 where there are none of it."""
    return load_prices(region if region in regions() else DEFAULT_REGION)


def parse_prices(region: str, text: str) -> Prices:
    """Prices from a file's text.

    Raises:
        InputError: a column is missing, or a row cannot be used; names the line.
    """
    reader = csv.DictReader(text.splitlines(), strict=True)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise InputError(f"the prices of {region} must have the columns {', '.join(COLUMNS)}")
    rows: dict[tuple[str, str], Price] = {}
    for row in reader:
        try:
            price = _price(row)
        except (ValueError, InvalidOperation, TypeError, AttributeError) as error:
            raise InputError(
                f"line {reader.line_num} of the prices of {region} cannot be used: {row}"
            ) from error
        if (price.service, price.item) in rows:
            raise InputError(
                f"line {reader.line_num} of the prices of {region} names {price.service},{price.item} again"
            )
        rows[price.service, price.item] = price
    return Prices(region, rows)


def age_warning(prices: Prices, today: date) -> str | None:
    """One line where prices are older than a year; None where they are not."""
    days = (today - prices.as_of).days
    if days <= _DAYS_A_YEAR:
        return None
    return (
        f"the prices of {prices.region} are of {prices.as_of}, {days} days old: look at the pages that "
        f"tick_pipeline/costs/prices/{prices.region}.csv names, and date its rows anew"
    )


def _price(row: Mapping[str, str]) -> Price:
    usd = Decimal(row["usd"])
    if not usd.is_finite() or usd < 0 or row["verified"] not in ("y", "n"):
        raise ValueError(row["usd"], row["verified"])
    return Price(
        service=row["service"],
        item=row["item"],
        unit=row["unit"],
        usd=usd,
        rounding=row["rounding"],
        source=row["source"],
        verified=row["verified"] == "y",
        date=date.fromisoformat(row["date"]),
    )
