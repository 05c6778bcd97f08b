"""Anomalies from the stream: its records, their order, the scores, and where the rows go."""
