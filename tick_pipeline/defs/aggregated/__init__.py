"""Candles: one Spark run per storage mode."""
