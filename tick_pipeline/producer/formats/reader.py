"""A trade file in chunks of columns with row numbers: CSV, CSV.gz and Parquet, nothing coerced."""
# pyarrow has no types:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import csv
import gzip
import hashlib
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tick_pipeline.errors import TradeFileError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from tick_pipeline.producer.formats.layout import Layout

_BLOCK_BYTES = 8 * 1024 * 1024
_HEADER_BYTES = 1024 * 1024
_PARQUET_ROWS = 250_000
_BOM = b"\xef\xbb\xbf"
_MAGIC = {b"\x1f\x8b": "gzip", b"PAR1": "parquet", b"PK\x03\x04": "zip"}
_SUFFIXES = {".gz": "gzip", ".parquet": "parquet", ".pq": "parquet"}


@dataclass(frozen=True)
class WrongWidth:
    """A line of a CSV file with more or fewer values than there are columns."""

    row: int
    values: int


@dataclass(frozen=True)
class Chunk:
    """Some rows of a file.

    Attributes:
        table: `row` (int64, from 1; in a CSV file the line, that of the names included) and the
            layout's columns as c0, c1, …: strings of a CSV file, typed values of a Parquet file.
        wrong_widths: lines that have no place in the table.
    """

    table: pa.Table
    wrong_widths: list[WrongWidth]


@dataclass
class TradeFile:
    """A file that was opened and looked at.

    Attributes:
        path: as the user gave it.
        kind: csv, gzip (a CSV file in it) or parquet.
        first_row: the names of the columns; for a CSV file without names its first values.
    """

    path: Path
    kind: str
    first_row: tuple[str, ...]
    _digest: Any = field(default_factory=hashlib.sha256)

    def content_hash(self) -> str:
        """SHA-256 of the content, in hexadecimal, once every chunk was read.

        A CSV file has the hash of its text, compressed or not.
        """
        return str(self._digest.hexdigest())

    def chunks(self, layout: Layout) -> Iterator[Chunk]:
        """Every row of the file, in order.

        Raises:
            TradeFileError: the file cannot be read to its end.
        """
        self._digest = hashlib.sha256()
        with _told(self.path):
            if self.kind == "parquet":
                yield from self._parquet_chunks(layout)
            else:
                yield from self._csv_chunks(layout)

    def _csv_chunks(self, layout: Layout) -> Iterator[Chunk]:
        wrong: list[WrongWidth] = []

        def note(row: Any) -> str:
            # Arrow numbers the lines it is given, from 1; the names were taken off before.
            wrong.append(WrongWidth(row.number + layout.has_header, row.actual_columns))
            return "skip"

        with _open_text(self.path, self.kind) as stream:
            pieces = _without_blank_end(self._hashed(stream))
            content = _Content(pieces, skip_first_line=layout.has_header)
            if content.is_empty():
                return
            names = [f"column{at}" for at in range(len(layout.names))]
            taken = [names[at] for at in layout.positions]
            reader = pa_csv.open_csv(
                pa.PythonFile(content, mode="r"),
                # One thread: only then are lines of a wrong width numbered.
                read_options=pa_csv.ReadOptions(
                    use_threads=False, block_size=_BLOCK_BYTES, column_names=names
                ),
                parse_options=pa_csv.ParseOptions(
                    invalid_row_handler=note, ignore_empty_lines=False
                ),
                # Binary: bytes that are not UTF-8 must cost their own row, not the file.
                convert_options=pa_csv.ConvertOptions(
                    column_types=dict.fromkeys(taken, pa.binary()), include_columns=taken
                ),
            )
            yield from _numbered(reader, wrong, first=1 + layout.has_header)

    def _parquet_chunks(self, layout: Layout) -> Iterator[Chunk]:
        with self.path.open("rb") as stream:
            for _ in self._hashed(stream):
                pass
        names = [layout.names[at] for at in layout.positions]
        first = 1
        with pq.ParquetFile(self.path) as parquet:
            for batch in parquet.iter_batches(batch_size=_PARQUET_ROWS, columns=names):
                rows = pa.array(np.arange(first, first + batch.num_rows, dtype=np.int64))
                columns = [batch.column(name) for name in names]
                yield Chunk(_table(rows, columns), [])
                first += batch.num_rows

    def _hashed(self, stream: BinaryIO) -> Iterator[bytes]:
        while piece := stream.read(_BLOCK_BYTES):
            self._digest.update(piece)
            yield piece


def open_trade_file(path: Path) -> TradeFile:
    """Look at a file: what kind it is, and its first row.

    Raises:
        TradeFileError: there is none, it cannot be read, is empty, or is not what its name says.
    """
    with _told(path):
        if path.is_dir():
            raise TradeFileError(f"{path} is a folder; name one file of trades")
        with path.open("rb") as stream:
            start = stream.read(4)
        if not start:
            raise TradeFileError(f"{path} is empty")
        kind = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), "csv")
        promised = _SUFFIXES.get(path.suffix.lower(), kind)
        if kind == "zip":
            raise TradeFileError(f"{path} is a zip archive; unpack it and replay the file in it")
        if promised != kind:
            raise TradeFileError(f"{path} is no {promised} file, though its name says so")
        if kind == "parquet":
            with pq.ParquetFile(path) as parquet:
                return TradeFile(path, kind, tuple(parquet.schema_arrow.names))
        with _open_text(path, kind) as stream:
            line = stream.readline(_HEADER_BYTES)
        return TradeFile(path, kind, _first_row(path, line))


class _Content:
    """Pieces of bytes as the file that Arrow reads; without its first line where that is names."""

    closed = False

    def __init__(self, pieces: Iterator[bytes], *, skip_first_line: bool) -> None:
        self._pieces = pieces
        self._rest = next(pieces, b"")
        if skip_first_line:
            self._rest = self._rest.partition(b"\n")[2]

    def is_empty(self) -> bool:
        """Whether nothing is left to read."""
        self._fill(1)
        return not self._rest

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes; fewer only at the end, since Arrow takes each answer for a block."""
        self._fill(size)
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def _fill(self, size: int) -> None:
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece

    def close(self) -> None:
        """Nothing to do: who opened the file closes it."""


@contextmanager
def _told(path: Path) -> Generator[None, None, None]:
    """Whatever goes wrong with the file becomes one line that names it."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TradeFileError(f"{path} is a damaged gzip file: {_one_line(error)}") from error
    except pa.ArrowException as error:
        raise TradeFileError(f"{path} cannot be read: {_one_line(error)}") from error
    except OSError as error:
        raise TradeFileError(f"{path}: {error.strerror or _one_line(error)}") from error


def _open_text(path: Path, kind: str) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path, "rb")) if kind == "gzip" else path.open("rb")


def _first_row(path: Path, line: bytes) -> tuple[str, ...]:
    try:
        text = line.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        raise TradeFileError(f"{path} is not UTF-8 text in its first line") from error
    if "\0" in text:
        raise TradeFileError(f"{path} is no text: its first line holds a NUL byte")
    if len(line) >= _HEADER_BYTES:
        raise TradeFileError(
            f"{path} is no CSV file: its first line is over {_HEADER_BYTES:,} bytes"
        )
    if not line:
        raise TradeFileError(f"{path} is empty")
    row = tuple(name.strip() for name in next(csv.reader([text.strip("\r\n")]), []))
    if not any(row):
        raise TradeFileError(f"{path} has no column names in its first line")
    return row


def _without_blank_end(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Blank lines at the end of a file are no rows."""
    held = b""
    for piece in pieces:
        body = piece.rstrip(b"\r\n")
        if body:
            yield held + body
            held = b""
        held += piece[len(body) :]


def _numbered(reader: Any, wrong: list[WrongWidth], *, first: int) -> Iterator[Chunk]:
    """Give every row the number of its line, which lines of a wrong width take, too."""
    skipped = np.array([], dtype=np.int64)
    for batch in reader:
        found = wrong.copy()
        del wrong[: len(found)]  # not clear(): Arrow may be parsing the next block
        skipped = np.append(skipped[skipped >= first], [item.row for item in found])
        numbers = np.arange(first, first + batch.num_rows + len(skipped), dtype=np.int64)
        rows = numbers[~np.isin(numbers, skipped)][: batch.num_rows]
        first = int(rows[-1]) + 1 if len(rows) else first
        yield Chunk(_table(pa.array(rows), [_text(column) for column in batch.columns]), found)
    if wrong:
        nothing = [pa.array([], pa.string()) for _ in reader.schema]
        yield Chunk(_table(pa.array([], pa.int64()), nothing), wrong)


def _text(column: Any) -> Any:
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        values = [value.decode("utf-8", errors="replace") for value in column.to_pylist()]
        return pa.array(values, pa.string())


def _table(rows: Any, columns: list[Any]) -> pa.Table:
    return pa.table([rows, *columns], names=["row", *(f"c{at}" for at in range(len(columns)))])


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
