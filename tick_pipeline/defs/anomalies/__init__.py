"""Anomalies: one Spark run per storage mode and range of hours."""
