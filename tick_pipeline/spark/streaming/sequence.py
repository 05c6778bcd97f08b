"""Putting a shard's records into sequence order, each once, whatever order they are delivered in.

Spark's file source takes files by their modification time, so a segment may come before an older one,
and a restart delivers a batch again. The local stream numbers a shard's records without a hole: what
follows a hole waits until it is filled. Kinesis delivers a shard in order; its numbers have holes.
"""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false, reportAttributeAccessIssue=false
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: Digits of Kinesis's sequence numbers, at most: padded alike, they compare as texts.
_DIGITS = 64


@dataclass
class ShardSequence:
    """The records of one shard.

    Attributes:
        last: position of the last record that was let through, a decimal.
        dense: whether the positions have no holes.
        held: records beyond a hole, in sequence order; None without a hole.
        lost: records that were skipped, because the stream no longer had them.
    """

    last: int
    dense: bool
    held: pa.Table | None = None
    lost: int = 0

    def accept(self, records: pa.Table) -> pa.Table:
        """Let through what is new, each record once, in order; hold what follows a hole.

        Args:
            records: with the column `position`, decimal strings.
        """
        if self.held is not None:
            records, self.held = pa.concat_tables([self.held, records]), None
        if not self.dense:
            return self._in_order(records)
        positions = records["position"].cast(pa.int64()).to_numpy()
        order = np.argsort(positions, kind="stable")
        ordered = positions[order]
        fresh = (ordered > self.last) & (np.diff(ordered, prepend=-1) != 0)
        order, ordered = order[fresh], ordered[fresh]
        # They ascend, so those that follow without a hole are the first ones.
        through = int((ordered == self.last + 1 + np.arange(len(ordered))).sum())
        if through < len(order):
            self.held = records.take(pa.array(order[through:]))
        self.last += through
        return records.take(pa.array(order[:through]))

    @property
    def hole(self) -> tuple[int, int] | None:
        """First and last position that held records wait for; None where nothing is held."""
        if self.held is None:
            return None
        return self.last + 1, int(self.held["position"][0].as_py()) - 1

    def skip_hole(self) -> pa.Table:
        """Let through what follows the hole, which the stream can no longer fill; it is `lost`."""
        assert self.hole is not None  # noqa: S101  (the caller saw it)
        assert self.held is not None  # noqa: S101
        last = self.hole[1]
        self.lost += last - self.last
        self.last = last
        return self.accept(self.held.slice(0, 0))

    def _in_order(self, records: pa.Table) -> pa.Table:
        if not records.num_rows:
            return records
        padded = pc.utf8_lpad(records["position"], _DIGITS, "0")
        ordered = records.take(pc.array_sort_indices(padded.combine_chunks()))
        texts = pc.utf8_lpad(ordered["position"], _DIGITS, "0").to_numpy(zero_copy_only=False)
        fresh = texts > str(self.last).zfill(_DIGITS)
        fresh[1:] &= texts[1:] != texts[:-1]
        self.last = max(self.last, int(texts[-1]))
        return ordered.filter(pa.array(fresh.astype(bool)))
