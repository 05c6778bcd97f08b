"""Colours that both drawings share; told apart by people who see red and green alike."""

from __future__ import annotations

RISING, FALLING = "#4c9a8a", "#b5566b"
BAND, MEAN = "#9aa7b8", "#5b6b80"
#: The alerts' colour by metric; their direction is the marker's.
METRIC_COLOURS = {"return": "#d55e00", "price": "#0072b2", "volume": "#7b3fa0"}
#: Share of its minute that a candle's body takes.
BODY_SHARE = 0.7
