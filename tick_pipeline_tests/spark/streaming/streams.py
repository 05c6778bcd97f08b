"""A local stream with ticks on it, and runs of the streaming job over it."""

# pandas', pyspark's and pyarrow's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tick_pipeline.event_time import format_instant
from tick_pipeline.spark.folders import LocalFolder
from tick_pipeline.spark.streaming.checkpoint import States
from tick_pipeline.spark.streaming.run import Schedule, StreamRun
from tick_pipeline.spark.streaming.sinks import ParquetSink
from tick_pipeline.spark.streaming.source import SegmentSource
from tick_pipeline.spark.zscore import anomaly_schema
from tick_pipeline.storage import StorageMode
from tick_pipeline.stream.segments import LocalStream
from tick_pipeline_tests.spark.streaming.shards import RULES, in_key_order

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping
    from pathlib import Path

    from tick_pipeline.spark.scoring_rules import ScoringRules
    from tick_pipeline.spark.streaming.progress import ControlFolder
    from tick_pipeline.spark.streaming.sinks import AnomalySink
    from tick_pipeline_tests.spark.lake import Lake

DRAIN = Schedule(drain=True)
FLUSH = Schedule(drain=True, flush=True)
PARQUET = StorageMode.PARQUET_PROJECTION
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Streamed:
    """A stream of two shards in a folder, with checkpoints beside it and a table of its own."""

    lake: Lake
    folder: Path

    @property
    def stream(self) -> LocalStream:
        """The stream."""
        return LocalStream(self.folder / "stream", shards=2, retention_hours=1)

    def put(
        self, ticks: pd.DataFrame, *, segments: int = 4, bad: random.Random | None = None
    ) -> None:
        """Put ticks in this order, in that many puts; with `bad`, others that are none among them."""
        for part in np.array_split(np.arange(len(ticks)), segments):
            rows: list[dict[str, Any]] = ticks.iloc[part].to_dict("records")
            records = [(row["symbol"], record_of(row, bad)) for row in rows]
            for symbol, data in list(records) if bad else []:
                if bad and bad.random() < 0.3:
                    records.insert(bad.randrange(len(records)), (symbol, spoiled(data, bad)))
            keys, values = zip(*records, strict=True)
            self.stream.put(pa.array(keys), pa.array(values))

    def run(
        self,
        *,
        files: int = 100,
        checkpoint: str = "checkpoint",
        rules: ScoringRules = RULES,
        sinks: Mapping[StorageMode, AnomalySink] | None = None,
        states: States | None = None,
        source: SegmentSource | None = None,
        control: ControlFolder | None = None,
    ) -> StreamRun:
        """A run that has not begun."""
        return StreamRun(
            rules=rules,
            source=source or SegmentSource(self.stream.root, files),
            states=states or self.states(checkpoint),
            sinks=sinks or {PARQUET: ParquetSink(f"file://{self.folder}/warehouse", None)},
            control=control,
            log=_LOG,
        )

    def states(self, checkpoint: str = "checkpoint") -> States:
        """Those of a checkpoint."""
        return States(LocalFolder(self.folder / checkpoint))

    def follow(
        self, run: StreamRun, schedule: Schedule = FLUSH, checkpoint: str = "checkpoint"
    ) -> StreamRun:
        """Have it check its state, as the job does, and go to its end."""
        run.check_state()
        run.follow(self.lake.spark, f"file://{self.folder / checkpoint}", schedule)
        return run

    def drain(
        self, schedule: Schedule = FLUSH, checkpoint: str = "checkpoint", **of: Any
    ) -> StreamRun:
        """Take what is there."""
        return self.follow(self.run(checkpoint=checkpoint, **of), schedule, checkpoint)

    def rows(self) -> pa.Table:
        """What is in the table of its own, in the order of keys."""
        files = sorted((self.folder / "warehouse").rglob("[!_]*.parquet"))
        tables = [pq.ParquetFile(path).read() for path in files]
        return in_key_order(pa.concat_tables([anomaly_schema().empty_table(), *tables]))

    def segments(self, shard: int) -> list[Path]:
        """A shard's files, by sequence."""
        return sorted((self.folder / "stream" / f"shard-{shard:04d}").glob("*.parquet"))

    def ticks(self) -> pd.DataFrame:
        """The valid ticks that the stream holds, of canonical records alone."""
        paths = [path for shard in (0, 1) for path in self.segments(shard)]
        rows = [
            json.loads(data)
            for path in paths
            for data in pq.ParquetFile(path).read(["data"])["data"].to_pylist()
        ]
        return pd.DataFrame(rows).rename(columns={"event_ts": "event_us"})


def tick_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A whole valid tick."""
    return {
        "event_id": row["event_id"],
        "source": "test",
        "sequence": int(row["sequence"]),
        "symbol": row["symbol"],
        "price": row["price"],
        "volume": row["volume"],
        "event_ts": int(row["event_us"]),
        "event_time": format_instant(int(row["event_us"])),
        "sent_ts": int(row["event_us"]),
    }


def record_of(row: Mapping[str, Any], rng: random.Random | None) -> bytes:
    """A tick's bytes, canonical; with a generator, one in four in another form of the same."""
    tick = tick_of(row)
    if rng is not None and rng.random() < 0.25:
        forms = (
            json.dumps(tick),
            json.dumps(dict(reversed(tick.items()))),
            json.dumps(tick) + "\n",
        )
        return rng.choice(forms).encode()
    return json.dumps(tick, separators=(",", ":")).encode()


def spoiled(data: bytes, rng: random.Random) -> bytes:
    """A record that would ruin its shard's scores if it were taken for a tick."""
    tick: dict[str, Any] = json.loads(data)
    changed = {
        "malformed": json.dumps(tick | {"price": "1e6"}).encode(),
        "cut": data.strip()[:-1],
        "no UTF-8": data.replace(b"test", b"\xff"),
        "invalid": json.dumps(tick | {"price": -1.0}, separators=(",", ":")).encode(),
        "null": json.dumps(tick | {"volume": None}, separators=(",", ":")).encode(),
        "no time": json.dumps(tick | {"event_ts": None}).encode(),
        "far ahead": json.dumps(tick | {"event_ts": 2**62}, separators=(",", ":")).encode(),
    }
    return rng.choice(list(changed.values()))
