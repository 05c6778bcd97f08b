"""What the streaming job keeps from batch to batch: a scorer for each shard, as bytes when it rests."""

# numpy's element types are partial, pyarrow has none
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false, reportAttributeAccessIssue=false
from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tick_pipeline.errors import SparkJobError
from tick_pipeline.spark.streaming.sequence import ShardSequence
from tick_pipeline.spark.zscore import Scorer, Ticks, anomaly_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tick_pipeline.spark.scoring_rules import ScoringRules

STATE_VERSION = 1
_DIGEST_BYTES = hashlib.sha256().digest_size
NEW_CHECKPOINT = "`tick-pipeline anomalies start --new-checkpoint` scores what the stream holds anew, without doubles"


@dataclass
class StreamScoring:
    """The scorers of a stream's shards.

    Attributes:
        rules: what counts as an anomaly.
        dense: whether the stream numbers a shard's records without a hole.
        first: the position before the first record of a shard that is met for the first time.
        batch: the last micro-batch that went in; -1 before the first.
        records: records that went in so far.
    """

    rules: ScoringRules
    dense: bool
    first: Callable[[str], int]
    batch: int = -1
    records: int = 0
    sequences: dict[str, ShardSequence] = field(default_factory=dict[str, ShardSequence])
    scorers: dict[str, Scorer] = field(default_factory=dict[str, Scorer])

    def advance(self, records: pa.Table) -> pa.Table:
        """Take a micro-batch; returns the anomalies of the seconds that it closed.

        Args:
            records: `records.RECORDS`, of any shards, in any order, again after a restart.

        Returns:
            Rows of the contract `anomaly`.
        """
        found = [anomaly_schema().empty_table()]
        for shard in sorted(pc.unique(records["shard"]).to_pylist()):
            of_shard = records.filter(pc.equal(records["shard"], shard))
            if shard not in self.sequences:
                self._meet(shard, of_shard)
            found.append(self._score(shard, self.sequences[shard].accept(of_shard)))
        return pa.concat_tables(found)

    def skip_holes(self, is_gone: Callable[[str, int], bool]) -> pa.Table:
        """Go on behind holes that the stream can no longer fill; returns the anomalies of that.

        Args:
            is_gone: whether a shard no longer holds a position.
        """
        found = [anomaly_schema().empty_table()]
        for shard, sequence in self.sequences.items():
            while sequence.hole is not None and is_gone(shard, sequence.hole[0]):
                found.append(self._score(shard, sequence.skip_hole()))
        return pa.concat_tables(found)

    def flush(self) -> pa.Table:
        """Score the open seconds and move the watermarks past them."""
        found = [scorer.flush() for scorer in self.scorers.values()]
        return pa.concat_tables([anomaly_schema().empty_table(), *found])

    def total(self, name: str) -> int:
        """The sum of a count over all shards, as `late`."""
        return sum(getattr(scorer, name) for scorer in self.scorers.values())

    def dump(self) -> bytes:
        """The state whole, behind its SHA-256."""
        arrays: dict[str, NDArray[Any]] = {}
        shards: dict[str, Any] = {}
        for number, (shard, sequence) in enumerate(self.sequences.items()):
            shards[shard] = {"last": str(sequence.last), "lost": sequence.lost}
            for name, array in self.scorers[shard].dump().items():
                arrays[f"{number}.{name}"] = array
            if sequence.held is not None:
                arrays[f"{number}.held"] = _table_bytes(sequence.held)
        head = {
            "version": STATE_VERSION,
            "rules": self.rules.state_key,
            "batch": self.batch,
            "records": self.records,
            "shards": shards,
        }
        arrays["head"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
        written = io.BytesIO()
        np.savez(written, **arrays)  # pyright: ignore[reportArgumentType]
        state = written.getvalue()
        return hashlib.sha256(state).digest() + state

    def load(self, state: bytes, *, where: str) -> None:
        """Go on where another's `dump` was made.

        Args:
            state: the bytes.
            where: names them in an error.

        Raises:
            SparkJobError: they are of another version, were made under other rules, or are damaged.
        """
        digest, body = state[:_DIGEST_BYTES], state[_DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != digest:
            raise SparkJobError(f"{where} is damaged; {NEW_CHECKPOINT}")
        with np.load(io.BytesIO(body), allow_pickle=False) as file:
            arrays: dict[str, NDArray[Any]] = {name: file[name] for name in file.files}
        head = json.loads(arrays["head"].tobytes())
        if head["version"] != STATE_VERSION:
            raise SparkJobError(
                f"{where} is of version {head['version']}, this job needs {STATE_VERSION}; {NEW_CHECKPOINT}"
            )
        if head["rules"] != self.rules.state_key:
            raise SparkJobError(
                f"{where} was made with {head['rules']}, the settings now say {self.rules.state_key}; "
                f"set them back, or {NEW_CHECKPOINT}"
            )
        self.batch, self.records = head["batch"], head["records"]
        self.sequences, self.scorers = {}, {}
        for number, (shard, kept) in enumerate(head["shards"].items()):
            prefix = f"{number}."
            of_shard = {
                name.removeprefix(prefix): array
                for name, array in arrays.items()
                if name.startswith(prefix)
            }
            held = _table(of_shard.pop("held")) if "held" in of_shard else None
            self.sequences[shard] = ShardSequence(int(kept["last"]), self.dense, held, kept["lost"])
            self.scorers[shard] = Scorer.load(self.rules, of_shard)

    def _meet(self, shard: str, records: pa.Table) -> None:
        before = self.first(shard)
        if self.dense:
            # The stream may have dropped, since they were read, the records that are here.
            before = min(before, pc.min(records["position"].cast(pa.int64())).as_py() - 1)
        self.sequences[shard] = ShardSequence(before, self.dense)
        self.scorers[shard] = Scorer(self.rules)

    def _score(self, shard: str, records: pa.Table) -> pa.Table:
        self.records += records.num_rows
        return self.scorers[shard].advance(Ticks.of(records))


def _table_bytes(table: pa.Table) -> NDArray[np.uint8]:
    written = pa.BufferOutputStream()
    with pa.ipc.new_stream(written, table.schema) as stream:
        stream.write_table(table)
    return np.frombuffer(written.getvalue(), np.uint8)


def _table(data: NDArray[np.uint8]) -> pa.Table:
    return pa.ipc.open_stream(pa.py_buffer(np.ascontiguousarray(data))).read_all()
