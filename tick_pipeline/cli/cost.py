"""`cost`: what a load costs on AWS, row by row, and which settings change that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from tick_pipeline.cli.load_options import (
    Fields,
    RecordBytes,
    RecordsPerSecond,
    Region,
    described_load,
    prices_of,
)
from tick_pipeline.cli.options import AsJson
from tick_pipeline.cli.output import say, show, show_json, show_table

if TYPE_CHECKING:
    from decimal import Decimal

    from tick_pipeline.costs.cost import Estimate, WhatIf
    from tick_pipeline.costs.load import Load
    from tick_pipeline.costs.measured import DescribedLoad
    from tick_pipeline.storage import StorageMode

#: Field without a figure of its own -> what it follows from.
_UNSAID = {
    "peak_records_per_second": "the average",
    "readers": "{load.polling_readers} (each Firehose, and the streaming job where it has no fan-out)",
    "stream_shards": "as many as the load needs",
    "query_bytes": "an hour of raw of one storage mode",
}


def cost(
    records_per_second: RecordsPerSecond = None,
    record_bytes: RecordBytes = None,
    per: Annotated[
        Literal["hour", "day", "month"], typer.Option(help="The period; a month has 30 days.")
    ] = "month",
    fields: Fields = None,
    region: Region = None,
    as_json: AsJson = False,
) -> None:
    """Estimate what a load costs on AWS; without a load, what the run of HOME would cost there."""
    from datetime import datetime, timezone
    from decimal import Decimal

    from tick_pipeline.costs.cost import estimate, what_ifs
    from tick_pipeline.costs.load import PERIODS
    from tick_pipeline.costs.prices import age_warning

    given: dict[str, Any] = {"hours": Decimal(PERIODS[per])}
    described, settings = described_load("cost", records_per_second, record_bytes, given, fields)
    prices = prices_of(region, settings)
    found = estimate(described.load, prices)
    others = what_ifs(described.load, prices)
    if (warning := age_warning(prices, datetime.now(timezone.utc).date())) is not None:
        say(f"warning: {warning}")
    if as_json:
        show_json(
            {
                "load": {
                    name: {"value": getattr(described.load, name), "origin": origin}
                    for name, origin in described.origins.items()
                },
                "measured": described.measured,
                "estimate": found,
                "what_ifs": others,
            }
        )
    else:
        _show(found, others, described)


def _show(found: Estimate, others: tuple[WhatIf, ...], described: DescribedLoad) -> None:
    _show_rows(found)
    show_table(
        ("largest drivers", "USD", "share", "setting that changes it"),
        [
            (
                f"{driver.station}: {driver.what}",
                _money(driver.usd),
                f"{driver.share:.0%}",
                ", ".join(driver.settings),
            )
            for driver in found.drivers
        ],
    )
    show_table(
        ("what if", "USD", "saves", "note"),
        [
            (item.change, _money(item.total_usd), _money(item.saves_usd), item.note)
            for item in others
        ],
    )
    for origin in ("given", "measured", "assumed"):
        told = [name for name, from_where in described.origins.items() if from_where == origin]
        if told:
            figures = [f"{name} = {_told(described.load, name)}" for name in told]
            show(f"{origin}: {', '.join(figures)}")
    show(f"not included: {'; '.join(found.not_included)}")
    show(
        f"List prices as of {found.prices_as_of}; {found.unverified} of {len(found.rows)} rows have a price "
        f"that no second source confirmed: tick_pipeline/costs/prices/{found.region}.csv"
    )


def _show_rows(found: Estimate) -> None:
    show_table(
        ("station", "what", "units", "unit", "USD a unit", "USD", "rounding", "how it comes about"),
        [
            (
                row.station,
                row.what,
                float(row.units),
                row.price.unit,
                float(row.price.usd),
                _money(row.usd),
                row.price.rounding,
                row.note,
            )
            for row in found.rows
        ],
        title=f"{found.total_usd:,.2f} US dollars for {found.hours:,.6g} hours in {found.region}",
    )


def _money(usd: Decimal) -> float:
    """US dollars to the cent, what is less than one to four digits."""
    return float(round(usd, 2 if abs(usd) >= 1 else 4))


def _told(load: Load, name: str) -> str:
    """A field of the load, for people; of one without a figure, what it follows from."""
    value: Any = getattr(load, name)
    if isinstance(value, tuple):
        return "+".join(mode.value for mode in cast("tuple[StorageMode, ...]", value))
    if value is None:
        return _UNSAID[name].format(load=load)
    return str(value).lower() if isinstance(value, bool) else str(value)
