"""Stock ticks to candles, in two storage modes."""

__version__ = "0.1.0"
