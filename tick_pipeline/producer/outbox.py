"""From rows to the stream: encoded, spoilt where they shall be bad, labelled, then put."""
# pyarrow has no types:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from tick_pipeline.event_time import US_PER_SECOND
from tick_pipeline.producer.bad_records import BAD_KINDS
from tick_pipeline.producer.encode import encode_valid_ticks, single_array
from tick_pipeline.producer.rows import BAD, CONFLICTING, ORDINARY, RESENT, tick_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.producer.bad_records import BadKind
    from tick_pipeline.producer.instruments import Instrument
    from tick_pipeline.producer.labels import LabelsFile
    from tick_pipeline.producer.rows import Rows
    from tick_pipeline.stream.port import Stream

#: Its functions are made when it is imported, which a type checker does not see.
_compute: Any = pyarrow.compute


class Outbox:
    """Puts a run's rows and counts what it put: `sent`, `rejected`, and each kind of label."""

    def __init__(
        self,
        stream: Stream,
        labels: LabelsFile,
        *,
        source: str,
        instruments: Sequence[Instrument],
        lateness_seconds: int,
    ) -> None:
        """Args: where to, the run's labels, its name, its instruments, and what late means."""
        self._stream = stream
        self._labels = labels
        self._source = source
        self._symbols = [item.symbol for item in instruments]
        self._ticks_per_unit = np.array([item.ticks_per_unit for item in instruments], np.int64)
        self._lateness_us = lateness_seconds * US_PER_SECOND
        self._bad_count = 0
        self.counts: Counter[str] = Counter()

    def put(self, rows: Rows) -> None:
        """Put rows in their order.

        Raises:
            StreamError: the stream took them not, or not all of them.
            HomeError: the labels cannot be written; then nothing of that batch was put.
        """
        at_once = self._stream.records_per_put
        for begin in range(0, len(rows), at_once):
            self._put_batch(rows[begin : begin + at_once])

    def _put_batch(self, rows: Rows) -> None:
        ticks = tick_table(rows, self._source, self._symbols, self._ticks_per_unit)
        records = encode_valid_ticks(ticks)
        special = np.flatnonzero(rows["mark"] != ORDINARY)
        labels: list[dict[str, Any]] = []
        spoilt: list[bytes] = []
        for mark, tick in zip(
            rows["mark"][special].tolist(), ticks.take(pa.array(special)).to_pylist(), strict=True
        ):
            if mark == BAD:
                kind = BAD_KINDS[self._bad_count % len(BAD_KINDS)]
                self._bad_count += 1
                spoilt.append(kind.spoil(tick))
                labels.append(_bad_label(kind, tick))
            elif mark in (RESENT, CONFLICTING):
                labels.append(_label("duplicate", tick, conflicting=mark == CONFLICTING))
            elif (lateness_us := tick["sent_ts"] - tick["event_ts"]) > self._lateness_us:
                labels.append(_label("late", tick, lateness_us=lateness_us))
        if spoilt:
            bad = pa.array(rows["mark"] == BAD)
            records = _compute.replace_with_mask(records, bad, pa.array(spoilt, pa.binary()))
        # First the labels: a killed run may have labelled what it did not put, never the reverse.
        self._labels.write(labels)
        result = self._stream.put(single_array(ticks["symbol"]), records)
        self.counts["sent"] += result.accepted
        self.counts["rejected"] += result.rejected
        self.counts.update(label.get("class", label["kind"]) for label in labels)


def _label(kind: str, tick: dict[str, Any], **more: Any) -> dict[str, Any]:
    names = ("event_id", "symbol", "event_ts", "sequence")
    return {"kind": kind, **{name: tick[name] for name in names}, **more}


def _bad_label(kind: BadKind, tick: dict[str, Any]) -> dict[str, Any]:
    described = {"class": kind.classed, "what": kind.name, "reason": kind.reason}
    return _label("bad_record", tick, **described)
