"""When a market is open, and why a minute of it has no candle."""
