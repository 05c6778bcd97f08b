"""What a delivery tells: how far it is, and what it did to each mode."""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tick_pipeline.landing.batch import Batch
    from tick_pipeline.landing.sink import Written


@dataclass(frozen=True)
class Progress:
    """How far a delivery is: records done, and records known to be there."""

    records: int
    expected: int


@dataclass
class DeliverySummary:
    """What one delivery did to one mode; or, where Firehose delivers, what it has done to some hours.

    Attributes:
        delivery: who delivered and how that stands, for people.
        records: records taken from the stream.
        landed: rows written into raw, valid or not.
        malformed: reason -> records that went to the error prefix.
        invalid: broken rule -> rows in raw that break it first.
        files: files of raw written.
        error_objects: objects of the error prefix written.
        bytes: size of both.
        hours: starts of the UTC event hours that got rows, microseconds, ascending.
        flushes: how many, those repeated after a crash included.
        repeated: flushes that an earlier delivery had planned and not finished.
        seconds: wall time of the whole delivery.
        positions: shard -> last sequence number done, afterwards.
    """

    delivery: str = "by this run"
    records: int = 0
    landed: int = 0
    malformed: dict[str, int] = field(default_factory=dict[str, int])
    invalid: dict[str, int] = field(default_factory=dict[str, int])
    files: int = 0
    error_objects: int = 0
    bytes: int = 0
    hours: list[int] = field(default_factory=list[int])
    flushes: int = 0
    repeated: int = 0
    seconds: float = 0.0
    positions: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, batch: Batch, written: Written) -> None:
        """Count one flush."""
        self.records += batch.records
        self.landed += batch.landed
        self.files += written.files
        self.error_objects += written.error_objects
        self.bytes += written.bytes
        self.flushes += 1
        self.hours = sorted({*self.hours, *(hour_us for hour_us, _ in batch.hours)})
        for counts, more in ((self.malformed, batch.malformed), (self.invalid, batch.invalid)):
            for name, count in more.items():
                counts[name] = counts.get(name, 0) + count
