"""Replay a file of real trades into the stream: the same file gives the same ticks, every time."""
# duckdb and pyarrow have no types:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import re
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa

from tick_pipeline.errors import TradeFileError
from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, format_short
from tick_pipeline.producer.encode import send, tick_schema
from tick_pipeline.producer.formats.layout import parse_map, resolve_layout
from tick_pipeline.producer.formats.reader import open_trade_file
from tick_pipeline.producer.formats.trades import TRADES, BadRow, Loaded, load_trades

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

    from tick_pipeline.producer.formats.layout import Layout
    from tick_pipeline.stream.port import Stream

__all__ = [
    "ReplayProgress",
    "ReplayRequest",
    "ReplaySummary",
    "parse_map",
    "replay_file",
]

_BATCH_ROWS = 100_000
#: What the tape's own pace puts at once: enough records that segments stay few.
_PACE_SECONDS = 0.5
_MEMORY_LIMIT = "1GB"
_SPEED = re.compile(r"(\d+(?:\.\d+)?)x", re.ASCII)
_SOURCE_DIGITS = 16
_ID_DIGITS = 24


@dataclass(frozen=True)
class ReplayRequest:
    """What to replay, and how.

    Attributes:
        path: a CSV, CSV.gz or Parquet file, one trade a row.
        format: auto, generic, binance, taq or databento.
        speed: `max`, or a multiple of the tape's own pace, as `1x` or `60x`.
        columns: field -> column of the file, as `parse_map` gives it.
        source: who numbered the trades; None takes the content's hash.
        symbol: the symbol of every trade, where no column tells it.
        skip_invalid: count bad rows and leave them out, not refuse the file.
        timezone: IANA name, of local exchange times (taq).
        first_event_us: event time that no trade may be older than, microseconds; None for any.
    """

    path: Path
    format: str = "auto"
    speed: str = "max"
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    source: str | None = None
    symbol: str | None = None
    skip_invalid: bool = False
    timezone: str = "America/New_York"
    first_event_us: int | None = None


@dataclass(frozen=True)
class ReplayProgress:
    """How far a replay is; while the file is read, nothing is sent and `expected` is None."""

    rows: int
    sent: int
    expected: int | None


@dataclass(frozen=True)
class ReplaySummary:
    """What a replay did.

    Attributes:
        source: the ticks' source.
        format: as it was found or given.
        rows: rows of the file.
        sent: ticks that the stream accepted.
        rejected: ticks that the stream refused, too large for a record.
        skipped: bad rows that were left out, by reason.
        samples: the first bad row of each reason.
        symbols: sorted.
        first_us: first event time of what was sent, microseconds; None when nothing was.
        last_us: last event time, likewise.
        hours: UTC hours that hold a tick that was sent.
        read_seconds: reading and judging the whole file.
        send_seconds: numbering, encoding and putting, and the waiting of a paced replay.
        stopped: it was ended before the file's end.
    """

    source: str
    format: str
    rows: int
    sent: int
    rejected: int
    skipped: dict[str, int]
    samples: tuple[BadRow, ...]
    symbols: tuple[str, ...]
    first_us: int | None
    last_us: int | None
    hours: int
    read_seconds: float
    send_seconds: float
    seconds: float
    rate: float
    stopped: bool


def replay_file(
    stream: Stream,
    request: ReplayRequest,
    *,
    on_progress: Callable[[ReplayProgress], None],
    stop: threading.Event,
) -> ReplaySummary:
    """Read and judge the whole file, then send its trades in the order of their event time.

    A trade's sequence is its place by (event time, row) among its symbol's; its id is the hash of
    (source, symbol, event time, price, volume, how many equal ones stood before it), unless the
    file's own are mapped. Both depend on the file's content, options and nothing else.

    Args:
        stream: where to.
        request: what and how.
        on_progress: told after each chunk read and each batch sent.
        stop: when set, the replay ends after the batch at hand.

    Raises:
        TradeFileError: the file or an option cannot be used; nothing was sent.
        StreamError: a put failed.
    """
    began = time.monotonic()
    pace = _pace_of(request.speed)
    if request.source is not None and not request.source.strip():
        raise TradeFileError("--source is empty; name who numbered the trades, or leave it away")
    file = open_trade_file(request.path)
    layout = resolve_layout(
        request.path.name,
        file.first_row,
        file_format=request.format,
        columns=request.columns,
        symbol=request.symbol,
    )
    with _database() as database:
        loaded = load_trades(
            database,
            file,
            layout,
            timezone=request.timezone,
            skip_invalid=request.skip_invalid,
            on_rows=lambda rows: on_progress(ReplayProgress(rows, 0, None)),
            stop=stop,
        )
        if not loaded.rows and not stop.is_set():
            raise TradeFileError(f"{request.path} holds no trades: no row follows its column names")
        # A reading that was stopped knows no hash; nothing is sent under it.
        source = request.source or f"file-{file.content_hash()[:_SOURCE_DIGITS]}"
        if request.first_event_us is not None:
            _refuse_older(database, request.path, request.first_event_us)
        sending = _Sending(stream, loaded, on_progress, stop)
        read = time.monotonic()
        if not stop.is_set():
            sending.send_all(ticks_in_order(database, layout, source), _count(database), pace)
    return sending.summary(layout, source, began, read)


def ticks_in_order(database: Any, layout: Layout, source: str) -> Iterator[pa.Table]:
    """The ticks of TRADES, columns of the contract, by (event time, row), in batches."""
    batches = database.execute(
        f"select event_ts, symbol, price, volume, {_own_columns(layout)} "  # noqa: S608  (names are this module's)
        f"from {TRADES} order by event_ts, row"
    ).to_arrow_reader(_BATCH_ROWS)
    with database.cursor() as cursor:
        for batch in batches:
            trades = pa.Table.from_batches([batch])
            # The bits of a double are the same on every machine, its text need not be.
            for name in ("price", "volume"):
                bits = batch.column(name).view(pa.int64())
                trades = trades.append_column(f"{name}_bits", bits)
            cursor.register("batch", trades)
            yield (
                cursor.execute(_tick_sql(layout), {"source": source})
                .to_arrow_table()
                .cast(tick_schema())
            )


class _Sending:
    """What was sent, and how it goes on."""

    def __init__(
        self,
        stream: Stream,
        loaded: Loaded,
        on_progress: Callable[[ReplayProgress], None],
        stop: threading.Event,
    ) -> None:
        self._stream = stream
        self._loaded = loaded
        self._on_progress = on_progress
        self._stop = stop
        self._sent = self._rejected = 0
        self._finished = False
        self._symbols: set[str] = set()
        self._hours: set[int] = set()
        self._first_us: int | None = None
        self._last_us: int | None = None

    def send_all(self, batches: Iterator[pa.Table], expected: int, pace: float | None) -> None:
        """Send batch after batch, at once or at `pace` times the tape's own speed."""
        for ticks in _cut(
            batches if pace is None else self._paced(batches, pace), self._stream.records_per_put
        ):
            if self._stop.is_set():
                return
            self._send(ticks)
            self._on_progress(ReplayProgress(self._loaded.rows, self._sent, expected))
        self._finished = self._sent + self._rejected == expected

    def summary(self, layout: Layout, source: str, began: float, read: float) -> ReplaySummary:
        """The figures of the replay; `began` and `read` are readings of the monotonic clock."""
        now = time.monotonic()
        return ReplaySummary(
            source=source,
            format=layout.format,
            rows=self._loaded.rows,
            sent=self._sent,
            rejected=self._rejected,
            skipped=self._loaded.skipped,
            samples=tuple(self._loaded.samples.values()),
            symbols=tuple(sorted(self._symbols)),
            first_us=self._first_us,
            last_us=self._last_us,
            hours=len(self._hours),
            read_seconds=read - began,
            send_seconds=now - read,
            seconds=now - began,
            rate=self._sent / (now - began),
            stopped=not self._finished,
        )

    def _send(self, ticks: pa.Table) -> None:
        result = send(self._stream, ticks)
        self._sent += result.accepted
        self._rejected += result.rejected
        event_us = ticks["event_ts"].to_numpy()
        self._symbols.update(ticks["symbol"].unique().to_pylist())
        self._hours.update(np.unique(event_us // US_PER_HOUR).tolist())
        self._first_us = int(event_us[0]) if self._first_us is None else self._first_us
        self._last_us = int(event_us[-1])

    def _paced(self, batches: Iterator[pa.Table], pace: float) -> Iterator[pa.Table]:
        """Cut the batches where the tape's clock stands, and wait for it in between."""
        began, first_us = time.monotonic(), None
        for ticks in batches:
            event_us = ticks["event_ts"].to_numpy()
            first_us = int(event_us[0]) if first_us is None else first_us
            at = 0
            while at < len(event_us):
                now_us = first_us + (time.monotonic() - began) * pace * US_PER_SECOND
                due = int(np.searchsorted(event_us, now_us, side="right"))
                if due > at:
                    yield ticks.slice(at, due - at)
                    at = due
                    continue
                wait = (int(event_us[at]) - now_us) / US_PER_SECOND / pace
                if self._stop.wait(max(wait, _PACE_SECONDS)):
                    return


def _cut(batches: Iterator[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of no more than so many."""
    for ticks in batches:
        for begin in range(0, len(ticks), rows):
            yield ticks.slice(begin, rows)


def _own_columns(layout: Layout) -> str:
    own = layout.values.keys()
    sequence = (
        "sequence"
        if "sequence" in own
        else "row_number() over (partition by symbol order by event_ts, row) as sequence"
    )
    identity = (
        "event_id"
        if "event_id" in own
        else "row_number() over (partition by symbol, event_ts, price, volume order by row) as k"
    )
    return f"{sequence}, {identity}"


def _tick_sql(layout: Layout) -> str:
    # The fields after the source have no line feed: no two tuples make the same text.
    hashed = (
        "sha256(concat_ws(chr(10), $source, symbol, event_ts, price_bits, volume_bits, k))"
        f"[:{_ID_DIGITS}]"
    )
    event_id = "event_id" if "event_id" in layout.values else hashed
    return f"""
    select {event_id} as event_id, $source as source, sequence, symbol, price, volume, event_ts,
        strftime(make_timestamp(event_ts), '%Y-%m-%dT%H:%M:%S.%fZ') as event_time,
        event_ts as sent_ts
    from batch"""  # noqa: S608  (names are this module's)


def _pace_of(speed: str) -> float | None:
    if speed == "max":
        return None
    match = _SPEED.fullmatch(speed)
    if match is None or float(match[1]) <= 0:
        raise TradeFileError(
            f"--speed {speed!r} is neither max nor a multiple of the tape's own speed, as 1x or 60x"
        )
    return float(match[1])


def _count(database: Any) -> int:
    return int(database.execute(f"select count(*) from {TRADES}").fetchone()[0])  # noqa: S608


def _refuse_older(database: Any, path: Path, first_event_us: int) -> None:
    """Refuse trades that would land where no reader looks.

    Raises:
        TradeFileError: there are some.
    """
    older, oldest_us, row = database.execute(
        f"select count(*), min(event_ts), arg_min(row, event_ts) from {TRADES} where event_ts < ?",  # noqa: S608
        [first_event_us],
    ).fetchone()
    if older:
        raise TradeFileError(
            f"{path}: {older:,} trades are older than {format_short(first_event_us)}, where the tables "
            f"begin (the oldest, row {row}, is of {format_short(oldest_us)}); let them begin earlier by "
            "Terraform's partitions_start, or replay to the local deployment"
        )


@contextmanager
def _database() -> Generator[Any, None, None]:
    """A DuckDB of this replay's own, that spills to disk what is too large for its memory.

    Measured, the process at its peak: 0.8 GB for 2 million rows, 1.6 GB for 12 million.
    """
    with (
        tempfile.TemporaryDirectory(prefix="tick_pipeline_replay_") as folder,
        duckdb.connect(
            config={
                "memory_limit": _MEMORY_LIMIT,
                "temp_directory": folder,
                "preserve_insertion_order": False,
            }
        ) as database,
    ):
        database.execute("set TimeZone = 'UTC'")
        yield database
