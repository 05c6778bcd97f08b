"""What counts as an anomaly: the numbers that batch, streaming and evaluation share."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from tick_pipeline.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What is scored: the log return to the symbol's previous tick, the price, the volume.
METRICS = ("return", "price", "volume")
_SECONDS_PER_MINUTE = 60


@dataclass(frozen=True)
class ScoringRules:
    """The rules of `zscore.Scorer`.

    Attributes:
        metrics: which of METRICS are scored.
        window_minutes: length of a tick's baseline.
        threshold: |zscore| from which on a tick is an anomaly.
        min_samples: ticks that a baseline must have, at least 2.
        tick_sizes: symbol -> its price increment in quote currency, where known.
        return_floor: least scale of a return without a tick size.
        price_floor: least scale of a price, as a share of the baseline's mean.
        volume_floor: least scale of a volume, as a share of the baseline's mean.
        lateness_seconds: how far the watermark stays behind the newest tick of its shard.
    """

    metrics: tuple[str, ...] = ("return",)
    window_minutes: int = 10
    threshold: float = 5.0
    min_samples: int = 30
    tick_sizes: Mapping[str, float] = field(default_factory=dict[str, float])
    return_floor: float = 1e-5
    price_floor: float = 1e-5
    volume_floor: float = 1e-3
    lateness_seconds: int = 60

    def __post_init__(self) -> None:
        unknown = [name for name in self.metrics if name not in METRICS]
        if unknown or not self.metrics:
            raise SettingsError(
                f"anomaly metrics {','.join(self.metrics)!r}: name one or more of {', '.join(METRICS)}"
            )
        for name in ("return_floor", "price_floor", "volume_floor", "threshold"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise SettingsError(f"anomaly {name} must be a number above 0, not {value}")
        for symbol, size in self.tick_sizes.items():
            if not (math.isfinite(size) and size > 0):
                raise SettingsError(f"the tick size of {symbol} must be above 0, not {size}")
        for name, least in (("window_minutes", 1), ("min_samples", 2), ("lateness_seconds", 0)):
            if getattr(self, name) < least:
                raise SettingsError(
                    f"anomaly {name} must be at least {least}, not {getattr(self, name)}"
                )

    @property
    def window_seconds(self) -> int:
        """Length of a tick's baseline."""
        return self.window_minutes * _SECONDS_PER_MINUTE

    @property
    def state_key(self) -> str:
        """What a state must have been made with to be gone on with: equal for equal buckets."""
        return (
            f"{','.join(self.metrics)} window={self.window_minutes}m late={self.lateness_seconds}s"
        )

    def to_json(self) -> str:
        """As a job takes them."""
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> ScoringRules:
        """The reverse of `to_json`.

        Raises:
            SettingsError: the text is none of its, or a number is not legal.
        """
        try:
            document = json.loads(text)
            document["metrics"] = tuple(document["metrics"])
            return ScoringRules(**document)
        except (ValueError, TypeError, KeyError) as error:
            raise SettingsError(f"scoring rules {text[:200]!r} cannot be read: {error}") from error
