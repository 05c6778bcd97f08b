"""A stream full of ticks, good and bad, and a look at all that a delivery left of them."""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tick_pipeline.contracts.decode import MalformedError, decode
from tick_pipeline.event_time import US_PER_HOUR, format_instant, parse_instant
from tick_pipeline.landing.error_records import read_errors
from tick_pipeline.landing.error_store import LocalErrorStore
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.storage import StorageMode, table_location
from tick_pipeline.stream.port import Earliest
from tick_pipeline.stream.segments import LocalStream

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from tick_pipeline.home import Home

START_US = parse_instant("2026-01-01T10:00:00Z")
BAD = (b"", b"{", b"\xff\xfe", b'{"event_ts":1}', b"null", b'{"price":"1"}', b"[1,2]", b"{}{}")


@dataclass(frozen=True)
class Lake:
    """A HOME, its stream, and what lies in the raw tables."""

    home: Home
    stream: LocalStream

    def put(self, records: list[bytes]) -> None:
        """Put records under a few keys, so that every shard gets some."""
        keys = pa.array([f"SYM{index % 7}" for index in range(len(records))])
        self.stream.put(keys, pa.array(records, pa.binary()))

    def accepted(self) -> list[tuple[str, str, bytes]]:
        """(shard, sequence number, data) of every record that the stream accepted."""
        return [
            (row["shardId"], row["sequenceNumber"], row["data"])
            for shard in self.stream.shards()
            if shard.latest is not None
            for table in self.stream.read(shard.shard_id, Earliest(), max_records=10**9)
            for row in table.to_pylist()
        ]

    def raw_table(self) -> Table:
        """Iceberg's raw."""
        return open_catalog(self.home.path).load_table("iceberg.raw")

    def raw(self, mode: StorageMode) -> pa.Table:
        """Every row of a mode's raw, event_ts an integer."""
        if mode is StorageMode.ICEBERG:
            rows = self.raw_table().scan().to_arrow()
        else:
            tables = [pq.ParquetFile(path).read() for path in self.files(mode)]
            rows = (
                pa.concat_tables(tables)
                if tables
                else pa.table({"event_ts": pa.array([], pa.int64())})
            )
        place = rows.schema.get_field_index("event_ts")
        return rows.set_column(place, "event_ts", rows.column("event_ts").cast(pa.int64()))

    def files(self, mode: StorageMode) -> list[Path]:
        """Every file of a mode's raw that a reader would see."""
        root = Path(table_location(str(self.home.warehouse), mode, "raw"))
        return sorted(path for path in root.rglob("*.parquet") if not path.name.startswith("_"))

    def assert_each_record_landed_once(self) -> None:
        """Every accepted record is in each raw table once, or in that mode's error prefix once."""
        good: Counter[str] = Counter()
        bad: Counter[tuple[str | None, str | None, bytes]] = Counter()
        for shard, sequence, data in self.accepted():
            try:
                good[repr(list(decode(data).values()))] += 1
            except MalformedError:  # noqa: PERF203  (a record is malformed or not)
                bad[shard, sequence, data] += 1
        for mode in StorageMode:
            rows = Counter(repr(list(row.values())) for row in self.raw(mode).to_pylist())
            assert rows == good, (
                f"{mode}: {(rows - good).total()} doubled, {(good - rows).total()} lost"
            )
            errors = Counter(
                (record.shard_id, record.sequence_number, record.data)
                for record in read_errors(LocalErrorStore(self.home.warehouse), mode)
            )
            assert errors == bad, (
                f"{mode}: {(errors - bad).total()} doubled errors, {(bad - errors).total()} lost"
            )


@pytest.fixture
def lake(home: Home) -> Lake:
    """An initialised HOME with an empty stream."""
    return Lake(home, LocalStream(home.stream))


@dataclass
class Ticks:
    """Makes records: mostly ticks over a few hours, every now and then one that is not."""

    random: random.Random
    made: int = 0

    def __call__(self, count: int, *, hours: int = 3, bad_share: float = 0.01) -> list[bytes]:
        """`count` records, of which about `bad_share` are malformed and as many are invalid."""
        return [self._record(hours, bad_share) for _ in range(count)]

    def _record(self, hours: int, bad_share: float) -> bytes:
        self.made += 1
        chance = self.random.random()
        if chance < bad_share:
            return self.random.choice(BAD)
        return tick(
            sequence=self.made,
            symbol=f"SYM{self.made % 7}",
            price=round(self.random.uniform(1, 500), 2) if chance > 2 * bad_share else -1.0,
            event_ts=START_US + self.random.randrange(hours * US_PER_HOUR),
        )


def tick(**changes: Any) -> bytes:
    """One record in canonical form."""
    event_ts = changes.get("event_ts", START_US)
    sequence = changes.get("sequence", 1)
    record = {
        "event_id": f"sim:{sequence}",
        "source": "sim",
        "sequence": sequence,
        "symbol": "SYM0",
        "price": 100.5,
        "volume": 2.0,
        "event_ts": event_ts,
        "event_time": format_instant(event_ts) if isinstance(event_ts, int) else "",
        "sent_ts": event_ts,
    } | changes
    return json.dumps(record, separators=(",", ":")).encode()


@pytest.fixture
def ticks() -> Ticks:
    """A maker of records, the same ones in each run."""
    return Ticks(random.Random(7))


@pytest.fixture(name="tick", scope="session")
def _tick() -> Any:
    return tick
