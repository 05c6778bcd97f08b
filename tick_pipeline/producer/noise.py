"""Counter-based randomness: a number for every (key, counter), without walking to it.

A stream is SplitMix64 started at the key; its n-th output is a pure function of key and n.
Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_QUANTILE_BITS = 12


def key_of(*parts: object) -> int:
    """A key for a stream, from what names it: equal parts give equal keys, on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def bits(keys: NDArray[np.uint64], counters: NDArray[np.int64]) -> NDArray[np.uint64]:
    """64 random bits for each pair of key and counter; the arguments broadcast."""
    with np.errstate(over="ignore"):  # wrapping is what the generator is made of
        state = keys + counters.astype(np.uint64) * _GOLDEN
        state = (state ^ (state >> np.uint64(30))) * _MIX_1
        state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return state ^ (state >> np.uint64(31))


def substream(keys: NDArray[np.uint64], number: int) -> NDArray[np.uint64]:
    """Keys of another stream for each key."""
    return bits(keys ^ _MIX_1, np.asarray(number, dtype=np.int64))


def uniform(random: NDArray[np.uint64]) -> NDArray[np.float64]:
    """In [0, 1), from the upper 53 bits."""
    return (random >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(random: NDArray[np.uint64], *, shift: int = 0) -> NDArray[np.float64]:
    """Standard normal, from the 12 bits that end `shift` bits below the top; within +-3.7.

    A table of quantiles: exact arithmetic, so equal bits give equal numbers whatever the array's
    shape, and its short tails leave the large moves to whoever injects them.
    """
    index = (random >> np.uint64(64 - _QUANTILE_BITS - shift)) & np.uint64(
        (1 << _QUANTILE_BITS) - 1
    )
    return _quantiles()[index.astype(np.intp)]


@lru_cache
def _quantiles() -> NDArray[np.float64]:
    count = 1 << _QUANTILE_BITS
    distribution = NormalDist()
    return np.array([distribution.inv_cdf((index + 0.5) / count) for index in range(count)])
