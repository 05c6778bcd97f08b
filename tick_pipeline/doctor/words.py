"""Figures in words, for people who are tired."""

from __future__ import annotations


def span(seconds: float) -> str:
    """A length of time by its largest unit: `42 s`, `12 min`, `3.5 h`, `2.1 days`."""
    seconds = max(seconds, 0)
    if seconds < 120:  # noqa: PLR2004  (two minutes)
        return f"{seconds:.0f} s"
    if seconds < 7200:  # noqa: PLR2004  (two hours)
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:  # noqa: PLR2004  (two days)
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.1f} days"


def share(part: float, whole: float) -> str:
    """A part as a percentage of the whole."""
    return f"{part / whole:.0%}" if whole else "0%"


def many(count: int, noun: str) -> str:
    """`1 file`, `1,234 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
