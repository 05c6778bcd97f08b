"""Units of AWS's limits and bills, and the roundings of its bills: exact, in decimal.

1 KB is 1,000 bytes here, 1 MB 1,000 KB, and so on. Where AWS means 1,024, a capacity or a bill computed so is
at most a tenth too high (2 % at KB, 5 % at MB, 7 % at GB, 10 % at TB) and never too low.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from math import ceil

BYTES_A_KB = 1_000
BYTES_A_MB = 1_000_000
BYTES_A_GB = 1_000_000_000
BYTES_A_TB = 1_000_000_000_000
#: A record of a provisioned stream is billed in units of this.
PUT_UNIT_BYTES = 25 * BYTES_A_KB
#: What AWS's sizes of buffers and of Parquet files are counted in.
BYTES_A_MIB = 1 << 20
SECONDS_AN_HOUR = 3_600
SECONDS_A_DAY = 86_400
HOURS_A_DAY = 24
#: 30 days. AWS's own months have up to 744 hours, its calculator's 730.
HOURS_A_MONTH = 720

_MILLIONTH = Decimal("0.000001")


def in_steps(size_bytes: int, step_bytes: int) -> int:
    """A size as a service counts it that bills in steps; nothing is nothing.

    Args:
        size_bytes: the size.
        step_bytes: of the bill.
    """
    return -(-size_bytes // step_bytes) * step_bytes


def up(value: Decimal) -> Decimal:
    """A number of units, or US dollars, rounded up to a millionth: no rounding makes a bill smaller."""
    return value.quantize(_MILLIONTH, ROUND_CEILING)


def begun_hours(hours: Decimal) -> int:
    """Hours as AWS counts those that have begun."""
    return ceil(hours)
