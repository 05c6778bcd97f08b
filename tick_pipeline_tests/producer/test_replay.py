"""A replay gives the same ticks every time: ids, sequences, order, pace and figures."""
# pyarrow has no types:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import gzip
import hashlib
import json
import os
import secrets
import signal
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.rules import broken_rule
from tick_pipeline.errors import TradeFileError
from tick_pipeline.event_time import US_PER_SECOND, format_instant, parse_instant
from tick_pipeline.producer import replay as replay_module
from tick_pipeline.producer.replay import ReplayProgress, ReplayRequest, replay_file
from tick_pipeline.stream.port import Earliest
from tick_pipeline.stream.segments import LocalStream
from tick_pipeline_tests.producer.memory_stream import MemoryStream
from tick_pipeline_tests.producer.replay_helper import replay, tape

if TYPE_CHECKING:
    from pathlib import Path

T0 = parse_instant("2024-01-02T14:30:00Z")


def key(tick: dict[str, Any]) -> tuple[Any, ...]:
    return tick["event_id"], tick["symbol"], tick["event_ts"]


def test_the_real_trades_all_count_and_replay_to_the_same_ids(real_trades: Path) -> None:
    summary, ticks = replay(real_trades)
    assert (summary.rows, summary.sent, summary.skipped) == (43_581, 43_581, {})
    assert Counter(tick["symbol"] for tick in ticks) == {"AAA": 7848, "BBB": 19540, "ETF": 16193}
    assert summary.symbols == ("AAA", "BBB", "ETF")
    assert (summary.first_us, summary.last_us) == (ticks[0]["event_ts"], ticks[-1]["event_ts"])
    assert summary.hours == 7
    assert len({key(tick) for tick in ticks}) == 43_581
    assert replay(real_trades)[1] == ticks
    contract = load_contract("tick")
    assert [broken_rule(contract, tick) for tick in ticks if broken_rule(contract, tick)] == []


def test_the_real_trades_are_numbered_by_time_and_place_in_the_file(real_trades: Path) -> None:
    _, ticks = replay(real_trades)
    lines = gzip.decompress(real_trades.read_bytes()).decode().splitlines()[1:]
    trades = [line.split(",") for line in lines]
    trades.sort(key=lambda trade: parse_instant(trade[0]))
    numbers: Counter[str] = Counter()
    expected: list[tuple[Any, ...]] = []
    for event_time, symbol, price, volume in trades:
        numbers[symbol] += 1
        expected.append(
            (parse_instant(event_time), symbol, float(price), float(volume), numbers[symbol])
        )
    fields = ("event_ts", "symbol", "price", "volume", "sequence")
    assert [tuple(tick[name] for name in fields) for tick in ticks] == expected


def test_an_id_hashes_the_trade_and_the_equal_ones_before_it(tmp_path: Path) -> None:
    """It must not change with a release: a file replayed by two of them would count twice."""
    path = tape(tmp_path / "t.csv", ["2024-01-02T14:30:00.5Z,BRK B,0.1,3"] * 2)
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    for source, given_source in ((f"file-{content[:16]}", None), ("tape\n1", "tape\n1")):
        summary, ticks = replay(path, source=given_source)
        assert summary.source == source
        bits = [str(struct.unpack("<q", struct.pack("<d", value))[0]) for value in (0.1, 3.0)]
        expected = [
            "\n".join([source, "BRK.B", str(T0 + 500_000), *bits, str(count)]) for count in (1, 2)
        ]
        assert [tick["event_id"] for tick in ticks] == [
            hashlib.sha256(text.encode()).hexdigest()[:24] for text in expected
        ]


def test_identical_trades_all_count(tmp_path: Path) -> None:
    one, other = "2024-01-02T14:30:00Z,A,10,5", "2024-01-02T14:30:00Z,A,10.0,5.0"
    path = tape(tmp_path / "t.csv", [one, "2024-01-02T14:30:00Z,A,11,5", other, one])
    _, ticks = replay(path)
    assert len({tick["event_id"] for tick in ticks}) == 4
    assert [tick["sequence"] for tick in ticks] == [1, 2, 3, 4]


def test_the_count_of_equal_trades_follows_the_file_and_nothing_else_changes_an_id(
    tmp_path: Path,
) -> None:
    """Rows of other trades, moved or added, leave a trade's id as it is."""
    rows = ["2024-01-02T14:30:00Z,A,10,5", "2024-01-02T14:30:01Z,A,10,5"]
    _, few = replay(tape(tmp_path / "few.csv", rows), source="s")
    _, many = replay(
        tape(tmp_path / "many.csv", ["2024-01-02T14:29:59Z,A,1,1", *rows[::-1]]), source="s"
    )
    assert [tick["event_id"] for tick in few] == [tick["event_id"] for tick in many[1:]]


def test_sixty_trades_in_one_microsecond_keep_the_order_of_the_file(tmp_path: Path) -> None:
    prices = [at * 37 % 101 for at in range(1, 61)]
    rows = [f"2024-01-02T14:30:00.000001Z,A,{price},1" for price in prices]
    _, ticks = replay(tape(tmp_path / "t.csv", ["2024-01-02T14:30:00.000002Z,A,5,1", *rows]))
    assert [tick["price"] for tick in ticks] == [*map(float, prices), 5.0]
    assert [tick["sequence"] for tick in ticks] == list(range(1, 62))


def test_mapped_ids_and_sequences_are_the_files_own(tmp_path: Path) -> None:
    first = 2**62 + 1
    rows = [f"2024-01-02T14:30:0{at}Z,A,1,1,t{at},{first + at}" for at in range(3)]
    path = tape(tmp_path / "t.csv", rows, names="event_time,symbol,price,volume,trade,number")
    _, ticks = replay(path, columns={"event_id": "trade", "sequence": "number"}, source="venue")
    assert [tick["event_id"] for tick in ticks] == ["A:t0", "A:t1", "A:t2"]
    assert [tick["sequence"] for tick in ticks] == [first, first + 1, first + 2]
    assert {tick["source"] for tick in ticks} == {"venue"}
    _, unmapped = replay(path)
    assert [tick["sequence"] for tick in unmapped] == [1, 2, 3]


def test_skipped_rows_take_no_number(tmp_path: Path) -> None:
    rows = [
        "2024-01-02T14:30:00Z,A,1,1",
        "2024-01-02T14:30:01Z,A,0,1",
        "2024-01-02T14:30:02Z,A,2,1",
    ]
    summary, ticks = replay(tape(tmp_path / "t.csv", rows), skip_invalid=True)
    assert [tick["sequence"] for tick in ticks] == [1, 2]
    assert (summary.rows, summary.sent, summary.skipped) == (3, 2, {"price is not above 0": 1})


def test_a_file_of_bad_rows_only_sends_nothing(tmp_path: Path) -> None:
    summary, ticks = replay(tape(tmp_path / "t.csv", ["x,A,1,1"] * 3), skip_invalid=True)
    assert ticks == []
    assert (summary.sent, summary.hours, summary.first_us, summary.symbols) == (0, 0, None, ())
    assert summary.skipped == {"event_time is no time": 3}


def test_a_file_with_trades_from_before_the_tables_begin_is_refused_whole(tmp_path: Path) -> None:
    """Where folders are projected, nobody would see them."""
    rows = [f"2024-01-02T14:30:0{second}Z,A,1,1" for second in (5, 3, 4)]
    path = tape(tmp_path / "t.csv", rows)
    with pytest.raises(TradeFileError, match=r"2 trades are older than .*row 3, is of 2024-01-02"):
        replay(path, first_event_us=T0 + 5 * US_PER_SECOND)
    assert replay(path, first_event_us=T0 + 3 * US_PER_SECOND)[0].sent == 3


def test_an_hour_without_trades_is_no_hour(tmp_path: Path) -> None:
    rows = ["2024-01-02T16:00:00Z,A,1,1", "2024-01-02T14:59:59.999999Z,A,1,1"]
    summary, ticks = replay(tape(tmp_path / "t.csv", rows))
    assert summary.hours == 2
    assert [tick["event_time"] for tick in ticks] == [
        "2024-01-02T14:59:59.999999Z",
        "2024-01-02T16:00:00.000000Z",
    ]


def test_a_source_is_the_content_whatever_it_is_packed_in(tmp_path: Path) -> None:
    plain = tape(tmp_path / "a.csv", ["2024-01-02T14:30:00Z,A,1,1"])
    packed = tmp_path / "b.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    other = tape(tmp_path / "c.csv", ["2024-01-02T14:30:00Z,A,1,2"])
    sources = [replay(path)[0].source for path in (plain, packed, other)]
    assert sources[0] == sources[1] != sources[2]


TRADES = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from("AB"),
        st.sampled_from(["1", "2.5"]),
        st.sampled_from("12"),
    ),
    min_size=1,
    max_size=40,
)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(trades=TRADES)
def test_every_tape_keeps_its_trades_in_order_with_dense_numbers(
    tmp_path: Path, trades: list[tuple[int, str, str, str]]
) -> None:
    rows = [
        f"{format_instant(T0 + us)},{symbol},{price},{volume}"
        for us, symbol, price, volume in trades
    ]
    _, ticks = replay(tape(tmp_path / "t.csv", rows))
    assert [(t["event_ts"] - T0, t["symbol"], t["price"], t["volume"]) for t in ticks] == [
        (us, symbol, float(price), float(volume))
        for us, symbol, price, volume in sorted(trades, key=lambda trade: trade[0])
    ]
    for name in "AB":
        numbers = [tick["sequence"] for tick in ticks if tick["symbol"] == name]
        assert numbers == list(range(1, len(numbers) + 1))
    assert len({tick["event_id"] for tick in ticks}) == len(ticks)


def test_batches_do_not_change_what_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"{format_instant(T0 + at // 5)},S{at % 3},{1 + at % 2},1" for at in range(5000)]
    path = tape(tmp_path / "t.csv", rows)
    _, whole = replay(path)
    monkeypatch.setattr(replay_module, "_BATCH_ROWS", 2048)
    stream = MemoryStream()
    replay_file(stream, ReplayRequest(path), on_progress=lambda _: None, stop=threading.Event())
    assert [json.loads(data) for _, data in stream.records] == whole
    assert len(stream.puts) > 1
    assert {key for key, _ in stream.records} == {"S0", "S1", "S2"}


def test_progress_tells_the_reading_then_the_sending(tmp_path: Path) -> None:
    path = tape(tmp_path / "t.csv", ["2024-01-02T14:30:00Z,A,1,1"] * 10)
    told: list[ReplayProgress] = []
    replay_file(
        MemoryStream(), ReplayRequest(path), on_progress=told.append, stop=threading.Event()
    )
    assert told[0] == ReplayProgress(10, 0, None)
    assert told[-1] == ReplayProgress(10, 10, 10)


class Waiting(threading.Event):
    """A stop that never comes, and the clock of whoever waits for it."""

    now_s = 1000.0

    def wait(self, timeout: float | None = None) -> bool:
        """Takes no time."""
        assert timeout is not None
        self.now_s += timeout
        return False


def test_a_paced_replay_takes_the_tapes_own_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"{format_instant(T0 + second * 1_000_000)},A,1,1" for second in range(121)]
    stream, stop = MemoryStream(), Waiting()
    monkeypatch.setattr(replay_module, "time", SimpleNamespace(monotonic=lambda: stop.now_s))
    request = ReplayRequest(tape(tmp_path / "t.csv", rows), speed="60x")
    summary = replay_file(stream, request, on_progress=lambda _: None, stop=stop)
    ticks = [json.loads(data) for _, data in stream.records]
    assert 1.9 < summary.seconds < 2.6
    assert summary.sent == 121
    assert [tick["event_ts"] for tick in ticks] == [
        T0 + second * 1_000_000 for second in range(121)
    ]
    assert all(tick["sent_ts"] == tick["event_ts"] for tick in ticks)


def test_a_stop_ends_a_paced_replay_at_once_with_its_figures(tmp_path: Path) -> None:
    rows = [
        "2024-01-02T14:30:00Z,A,1,1",
        "2024-01-02T14:30:00.1Z,A,1,1",
        "2024-01-03T14:30:00Z,A,1,1",
    ]
    path = tape(tmp_path / "t.csv", rows)
    stop = threading.Event()
    timer = threading.Timer(0.5, stop.set)
    told: list[float] = []

    def stop_soon(progress: ReplayProgress) -> None:
        if progress.sent == 2:
            told.append(time.monotonic())
            timer.start()

    summary = replay_file(
        MemoryStream(), ReplayRequest(path, speed="1x"), on_progress=stop_soon, stop=stop
    )
    timer.join()
    # The third trade is a day away.
    assert time.monotonic() - told[0] < 60
    assert (summary.sent, summary.rows, summary.stopped) == (2, 3, True)
    assert summary.last_us == T0 + 100_000


def test_a_stop_while_the_file_is_read_sends_nothing(tmp_path: Path) -> None:
    path = tape(tmp_path / "t.csv", ["2024-01-02T14:30:00Z,A,1,1"])
    stop = threading.Event()
    stop.set()
    stream = MemoryStream()
    summary = replay_file(stream, ReplayRequest(path), on_progress=lambda _: None, stop=stop)
    assert (summary.sent, summary.stopped, stream.puts) == (0, True, [])


_KILLED = """
import pathlib, sys, threading
from tick_pipeline.producer import replay
from tick_pipeline.stream.segments import LocalStream
replay._BATCH_ROWS = 2048
replay.replay_file(
    LocalStream(pathlib.Path(sys.argv[2])),
    replay.ReplayRequest(pathlib.Path(sys.argv[1])),
    on_progress=lambda progress: print(progress.sent, flush=True),
    stop=threading.Event(),
)
"""


def test_a_replay_killed_and_run_again_gives_every_trade_its_one_id(tmp_path: Path) -> None:
    """A kill -9 after a random batch; what was sent before it comes again with the same ids."""
    batches = secrets.randbelow(8) + 1
    rows = [f"{format_instant(T0 + at * 1000)},S{at % 7},{1 + at % 50},1" for at in range(30_000)]
    path = tape(tmp_path / "t.csv", rows)
    _, expected = replay(path)
    root = tmp_path / "stream"
    child = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(path), str(root)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert child.stdout is not None
    with child.stdout:
        sent = 0
        while sent < batches * 2048:
            sent = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        child.wait()
    stream = LocalStream(root)
    replay_file(stream, ReplayRequest(path), on_progress=lambda _: None, stop=threading.Event())
    ticks = [
        json.loads(record["data"])
        for shard in stream.shards()
        for table in stream.read(shard.shard_id, Earliest(), max_records=10**9)
        for record in table.to_pylist()
    ]
    counts = Counter(map(key, ticks))
    assert counts.keys() == {key(tick) for tick in expected}, f"killed after {batches} batches"
    assert sent <= len(ticks) - len(expected) <= len(expected), f"killed after {batches} batches"
