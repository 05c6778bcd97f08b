"""The numbers of a measurement that counts."""

from __future__ import annotations

from tick_pipeline.event_time import US_PER_HOUR, parse_instant

#: Kept for this measurement alone: no rule, floor or scenario was ever chosen by looking at them.
EVALUATION_SEEDS = (101, 202, 303, 404, 505)
#: Always the same day, so that a number changes with the code alone.
EVALUATION_DAY_US = parse_instant("2026-01-05T00:00:00Z")
#: With five seeds more than a million ticks of each market, and of each symbol in spikes 17 events.
EVALUATION_SECONDS = 3900.0
EVALUATION_RATE = 60.0
EVALUATION_SYMBOLS = 10
#: |zscore| from which on a tick is an alert.
EVALUATION_THRESHOLDS = (4.0, 5.0, 6.0, 8.0)


def seed_starts_us(seeds: int) -> list[int]:
    """When each seed's window begins: spread evenly over the day, so that the figures are a day's.

    Of five: 00:00, 04:48, 09:36, 14:24 and 19:12, UTC: two quiet nights, a
    morning, the hour after New York's open, and its close. Microseconds since the epoch.
    """
    return [EVALUATION_DAY_US + place * 24 * US_PER_HOUR // seeds for place in range(seeds)]
