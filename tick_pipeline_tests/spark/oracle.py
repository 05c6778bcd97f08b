"""Candles once more, in plain Python: what Spark's must equal."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from tick_pipeline.event_time import US_PER_SECOND, format_instant

Tick = dict[str, Any]
_ORDER = ("event_ts", "sequence", "event_id", "price", "volume", "sent_ts", "source")


@dataclass(frozen=True)
class Expected:
    """Candles by (symbol, bucket start in microseconds), and what a run must count."""

    candles: dict[tuple[str, int], dict[str, Any]]
    invalid: int
    duplicates: int
    conflicting: int


def recompute(ticks: list[Tick], seconds: int) -> Expected:
    """Candles of a timeframe from raw rows in any order."""
    valid = [tick for tick in ticks if is_valid(tick)]
    copies: dict[tuple[Any, ...], list[Tick]] = defaultdict(list)
    for tick in sorted(valid, key=lambda tick: tuple(tick[name] for name in _ORDER)):
        copies[tick["event_id"], tick["symbol"], tick["event_ts"]].append(tick)
    groups: dict[tuple[str, int], list[Tick]] = defaultdict(list)
    for same in copies.values():
        width_us = seconds * US_PER_SECOND
        bucket = same[0]["event_ts"] // width_us * width_us
        groups[same[0]["symbol"], bucket].append(same[0])
    return Expected(
        candles={key: _candle(group) for key, group in groups.items()},
        invalid=len(ticks) - len(valid),
        duplicates=len(valid) - len(copies),
        conflicting=sum(any(tick != same[0] for tick in same) for same in copies.values()),
    )


def is_valid(tick: Tick) -> bool:
    """The tick contract's rules, written out again."""
    if any(value is None for value in tick.values()):
        return False
    return (
        tick["event_id"] != ""
        and tick["source"] != ""
        and tick["sequence"] >= 1
        and re.fullmatch(r"[A-Za-z0-9./_-]{1,32}", tick["symbol"]) is not None
        and 0 < tick["price"] < math.inf
        and 0 <= tick["volume"] < math.inf
        and tick["event_time"] == format_instant(tick["event_ts"])
    )


def _candle(ticks: list[Tick]) -> dict[str, Any]:
    ordered = sorted(ticks, key=lambda tick: tuple(tick[name] for name in _ORDER))
    prices = [tick["price"] for tick in ordered]
    volume = math.fsum(tick["volume"] for tick in ordered)
    notional = math.fsum(tick["price"] * tick["volume"] for tick in ordered)
    return {
        "open": prices[0],
        "high": max(prices),
        "low": min(prices),
        "close": prices[-1],
        "volume": volume,
        "notional": notional,
        "vwap": notional / volume if volume > 0 else None,
        "trade_count": len(ordered),
        "first_us": ordered[0]["event_ts"],
        "last_us": ordered[-1]["event_ts"],
    }


def assert_equal_candles(
    found: dict[tuple[str, int], dict[str, Any]], expected: dict[tuple[str, int], dict[str, Any]]
) -> None:
    """Equal keys; everything exact but sums and ratios, which are within 1e-9 relative."""
    assert found.keys() == expected.keys()
    for key, candle in expected.items():
        for name, value in candle.items():
            other = found[key][name]
            if name in ("volume", "notional", "vwap") and value is not None:
                assert other is not None, (key, name)
                assert math.isclose(other, value, rel_tol=1e-9), (key, name, other, value)
            else:
                assert other == value, (key, name, other, value)
