"""Figures as people read them: with their unit, grouped by thousands, with no more digits than were measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.event_time import as_datetime
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from tick_pipeline.report.comparison import Reading

MODE_NAMES = {StorageMode.ICEBERG: "Iceberg", StorageMode.PARQUET_PROJECTION: "Parquet"}
NOTHING = "\u2013"
_KIB = 1024


def count(number: float | None) -> str:
    """`105,973`."""
    return NOTHING if number is None else f"{number:,.0f}"


def size(number: float | None) -> str:
    """`1.54 MiB`: three digits."""
    if number is None:
        return NOTHING
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < _KIB:
            return f"{number:.0f} {unit}" if unit == "B" else f"{_three_digits(number)} {unit}"
        number /= _KIB
    return f"{_three_digits(number)} TiB"


def seconds(number: float | None) -> str:
    """`27 ms`, `0.27 s`, `84 s`, `12 min`: two digits: a clock on a busy machine knows no more."""
    if number is None:
        return NOTHING
    if number < 0.1:  # noqa: PLR2004
        return f"{number * 1000:.0f} ms"
    if number < 10:  # noqa: PLR2004
        return f"{number:.2f} s" if number < 1 else f"{number:.1f} s"
    return f"{number:,.0f} s" if number < 600 else f"{number / 60:,.0f} min"  # noqa: PLR2004


def times(larger: float, smaller: float) -> str:
    """`8.1` and the sign of multiplication: how often the smaller goes into the larger."""
    return f"{_three_digits(larger / smaller)}\u00d7" if smaller else NOTHING


def less(larger: float, smaller: float) -> str:
    """How much less the smaller is: `12 %`, or where it goes into the larger more than twice, how often."""
    if larger > 2 * smaller > 0:
        return times(larger, smaller)
    return f"{100 * (1 - smaller / larger):.0f} %"


def usd(number: float) -> str:
    """`$1,234.56`."""
    return f"${number:,.2f}"


def moment(us: int | None) -> str:
    """`2026-01-31 09:30:00`; the page says once that all of it is UTC."""
    return NOTHING if us is None else as_datetime(us).strftime("%Y-%m-%d %H:%M:%S")


def hour(us: int) -> str:
    """`2026-01-31 09:00`."""
    return as_datetime(us).strftime("%Y-%m-%d %H:%M")


def bytes_of(reading: Reading) -> str:
    """What was read; where it was not run, what would be."""
    return size(reading.planned_bytes if reading.read_bytes is None else reading.read_bytes)


def _three_digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"  # noqa: PLR2004
