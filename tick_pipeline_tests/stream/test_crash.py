"""Many processes on one stream, killed at random moments: what was acknowledged is there, once."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pytest

from tick_pipeline.stream.port import AfterSequence, Earliest
from tick_pipeline.stream.segments import LocalStream
from tick_pipeline.stream.sharding import shard_indices, shard_name

if TYPE_CHECKING:
    from collections.abc import Generator

HERE = Path(__file__).parent
WRITERS = 3
# As writer.py has them.
BATCH_RECORDS = 120
KEYS = [f"K{index % 37}" for index in range(BATCH_RECORDS)]


class Record(NamedTuple):
    """What a writer put: its name, its batch, the place in the batch."""

    writer: str
    batch: int
    place: int


@contextmanager
def running(script: str, *arguments: str) -> Generator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / script), *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def kill_and_collect(process: subprocess.Popen[str]) -> list[int]:
    """SIGKILL; the numbers that it had printed in whole lines."""
    assert process.poll() is None, "it ended by itself"
    process.kill()
    assert process.stdout is not None
    text = process.stdout.read()
    return [int(line) for line in text[: text.rfind("\n") + 1].split()]


def wait_for_a_line(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline()


def read_records(stream: LocalStream) -> dict[str, list[Record]]:
    """Every record, by shard; checks that sequence numbers are dense."""
    records: dict[str, list[Record]] = {}
    for shard in stream.shards():
        rows = [
            row
            for table in stream.read(shard.shard_id, Earliest(), max_records=10**9)
            for row in table.to_pylist()
        ]
        assert [int(row["sequenceNumber"]) for row in rows] == list(range(1, len(rows) + 1))
        parts = [row["data"].decode().split(":") for row in rows]
        records[shard.shard_id] = [
            Record(who, int(batch), int(index)) for who, batch, index in parts
        ]
    return records


def check(stream: LocalStream, acknowledged: dict[str, int]) -> None:
    """Acknowledged batches are there once; the one that was cut off, whole per shard or not at all."""
    of_index = shard_indices(pa.array(KEYS), len(stream.shards())).tolist()
    for shard_id, records in read_records(stream).items():
        expected = [
            index for index in range(BATCH_RECORDS) if shard_name(of_index[index]) == shard_id
        ]
        assert max(Counter(records).values(), default=1) == 1
        batches: dict[tuple[str, int], list[int]] = {}
        for record in records:
            batches.setdefault((record.writer, record.batch), []).append(record.place)
        assert all(indices == expected for indices in batches.values())
        for writer, count in acknowledged.items():
            present = sorted(batch for who, batch in batches if who == writer)
            assert present in (list(range(count)), list(range(count + 1)))


def crash(root: Path, *, kills: int, seed: int) -> None:
    """Writers and a housekeeper at once; each in turn is killed at a random moment and begun again."""
    print(f"seed {seed}")  # noqa: T201  (pytest shows it when the test fails)
    chance = random.Random(seed)
    stream = LocalStream(root)
    stream.register("reader")
    acknowledged: dict[str, int] = {}
    for kill in range(kills):
        names = [f"{kill}-{number}" for number in range(WRITERS)]
        with (
            running("housekeeper.py", str(root)) as housekeeper,
            running("writer.py", str(root), names[0]) as first,
            running("writer.py", str(root), names[1]) as second,
            running("writer.py", str(root), names[2]) as third,
        ):
            writers = [first, second, third]
            for process in (*writers, *writers, housekeeper):
                wait_for_a_line(process)
            for process in chance.sample([*writers, housekeeper], WRITERS + 1):
                time.sleep(chance.uniform(0, 0.3))
                lines = kill_and_collect(process)
                if process in writers:
                    # Two lines were read already.
                    acknowledged[names[writers.index(process)]] = len(lines) + 2
        check(stream, acknowledged)
    assert sum(acknowledged.values()) > kills * WRITERS


def test_crash_loses_nothing(tmp_path: Path) -> None:
    """Promise 2, for puts, merging and retention: three rounds of four kills."""
    crash(tmp_path, kills=3, seed=random.SystemRandom().randrange(10**6))


@pytest.mark.soak
def test_crash_loses_nothing_in_many_rounds(tmp_path: Path) -> None:
    crash(tmp_path, kills=20, seed=random.SystemRandom().randrange(10**6))


def test_a_reader_follows_writers_and_merging_without_a_gap(tmp_path: Path) -> None:
    """It reads each record once, in order, while three processes write and one merges."""
    stream = LocalStream(tmp_path)
    stream.register("reader")
    positions = dict.fromkeys((shard.shard_id for shard in stream.shards()), 0)
    with (
        running("writer.py", str(tmp_path), "a") as first,
        running("writer.py", str(tmp_path), "b") as second,
        running("housekeeper.py", str(tmp_path)) as housekeeper,
    ):
        for process in (first, second, housekeeper):
            wait_for_a_line(process)
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            for shard_id, position in positions.items():
                reading = stream.read(shard_id, AfterSequence(str(position)), max_records=10**9)
                numbers = [
                    int(text) for table in reading for text in table["sequenceNumber"].to_pylist()
                ]
                assert numbers == list(range(position + 1, position + 1 + len(numbers)))
                positions[shard_id] = position + len(numbers)
        assert [process.poll() for process in (first, second, housekeeper)] == [None] * 3
    assert min(positions.values()) > 0
