"""The numbers of a measurement that counts."""

from __future__ import annotations

from tick_pipeline.event_time import parse_instant

#: Kept for this measurement alone: no rule, floor or scenario was ever chosen by looking at them.
EVALUATION_SEEDS = (101, 202, 303, 404, 505)
#: Always the same hour, so that a number changes with the code alone; the one in which New York opens,
#: when prices move most between two trades.
EVALUATION_START_US = parse_instant("2026-01-05T13:30:00Z")
#: With five seeds more than a million ticks of each market, and of each symbol in spikes 17 events.
EVALUATION_SECONDS = 3900.0
EVALUATION_RATE = 60.0
EVALUATION_SYMBOLS = 10
#: |zscore| from which on a tick is an alert.
EVALUATION_THRESHOLDS = (4.0, 5.0, 6.0, 8.0)
