"""Tapes, and their candles by a plain recompute from the files: no code of the package takes part."""

# pandas has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import csv
import random
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: The day of the real trades, some hours before they begin.
DAY = "2014-09-17"
START, END = f"{DAY}T08:00:00Z", f"{DAY}T12:00:00Z"
NEAR_2_62 = 2**62 - 100
SUMS = ("volume", "notional", "vwap")


def read_trades(path: Path) -> Any:
    """A tape as us, symbol, price, volume and the number that orders ties."""
    # As text: pandas' own parser may miss a double by one bit.
    rows = pd.read_csv(path, dtype=str)
    times = pd.to_datetime(rows["event_time"], utc=True, format="ISO8601")
    order = rows["number"].astype("int64") if "number" in rows else pd.Series(range(len(rows)))
    return pd.DataFrame(
        {
            "us": times.astype("datetime64[us, UTC]").astype("int64"),
            "symbol": rows["symbol"],
            "price": rows["price"].astype("float64"),
            "volume": rows["volume"].astype("float64"),
            "order": order,
        }
    )


def candles_of(trades: Any, seconds: int) -> Any:
    """The candles of whole buckets, in the key's order."""
    rows = trades.sort_values(["us", "order"], kind="stable")
    width_us = seconds * 1_000_000
    rows = rows.assign(
        bucket_start=rows["us"] // width_us * width_us, notional=rows["price"] * rows["volume"]
    )
    found = rows.groupby(["symbol", "bucket_start"], as_index=False, sort=True).agg(
        open=("price", "first"),
        high=("price", "max"),
        low=("price", "min"),
        close=("price", "last"),
        volume=("volume", "sum"),
        notional=("notional", "sum"),
        trade_count=("price", "size"),
        first_us=("us", "min"),
        last_us=("us", "max"),
    )
    found["vwap"] = (found["notional"] / found["volume"]).where(found["volume"] > 0)
    return found


def assert_same_candles(found: Any, expected: Any) -> None:
    """Equal as the design says: sums and ratios within 1e-9 relative, all else exactly."""
    assert len(found) == len(expected)
    if expected.empty:
        return
    assert set(found.columns) == set(expected.columns)
    expected = expected[found.columns].reset_index(drop=True)
    found = found.reset_index(drop=True)
    exact = [name for name in found.columns if name not in SUMS]
    pd.testing.assert_frame_equal(found[exact], expected[exact], check_exact=True)
    pd.testing.assert_frame_equal(
        found[list(SUMS)].astype("float64"), expected[list(SUMS)], rtol=1e-9, atol=0
    )


def are_same_candles(found: Any, expected: Any) -> bool:
    """Whether `assert_same_candles` holds."""
    try:
        assert_same_candles(found, expected)
    except AssertionError:
        return False
    return True


def write_plain_tape(path: Path) -> Path:
    """A tape whose ties are in the order of its rows."""
    chance = random.Random(11)
    return _write(path, ("event_time", "symbol", "price", "volume"), _rows("P", chance))


def write_numbered_tape(path: Path) -> Path:
    """A tape with numbers of its own, near 2^62 and wide apart, against the order of its rows."""
    chance = random.Random(12)
    rows = _rows("N", chance)
    numbers = random.Random(13).sample(range(NEAR_2_62, NEAR_2_62 + len(rows)), len(rows))
    numbered = [(*row, number) for row, number in zip(rows, numbers, strict=True)]
    # In one minute, more apart than any packed order holds; the smaller number counts first.
    moment = f"{DAY}T10:20:00.000001Z"
    numbered += [(moment, "N.WIDE", "20.5", "1", 2**62), (moment, "N.WIDE", "10.25", "2", 1)]
    return _write(path, ("event_time", "symbol", "price", "volume", "number"), numbered)


def write_trades(path: Path, rows: Iterable[tuple[str, str, str, str]]) -> Path:
    """A tape of these rows: event_time, symbol, price, volume."""
    return _write(path, ("event_time", "symbol", "price", "volume"), rows)


def _rows(prefix: str, chance: random.Random) -> list[tuple[str, str, str, str]]:
    """Hours 08, 10 and 11, nothing in 09; shuffled."""
    rows: list[tuple[str, str, str, str]] = []
    for hour in ("08", "10"):
        for number in range(400):
            minute, second = divmod(number * 9 + chance.randrange(9), 60)
            time = f"{DAY}T{hour}:{minute:02d}:{second:02d}.{chance.randrange(10**6):06d}Z"
            price, volume = f"{chance.gauss(50, 1):.4f}", f"{chance.randrange(500)}"
            rows.append((time, f"{prefix}.{number % 3}", price, volume))
    moment = f"{DAY}T08:30:00.123456Z"
    rows += [(moment, f"{prefix}.TIE", f"{40 + number / 8}", "3") for number in range(60)]
    rows += [(f"{DAY}T08:31:07.5Z", f"{prefix}.SAME", "12.5", "100")] * 5
    rows += [(f"{DAY}T10:02:00Z", f"{prefix}.ZERO", price, "0") for price in ("9.5", "9.25")]
    edges = ("08:04:59.999999", "08:05:00", "10:59:59.999999", "11:00:00.000000")
    rows += [
        (f"{DAY}T{edge}Z", f"{prefix}.EDGE", f"{30 + number}", "7")
        for number, edge in enumerate(edges)
    ]
    chance.shuffle(rows)
    return rows


def _write(path: Path, header: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path
