"""The trades of a file: every row read and judged, in DuckDB, before anything else is done with them."""
# duckdb and pyarrow have no types:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tick_pipeline.errors import TradeFileError
from tick_pipeline.event_time import MAX_EVENT_US, MIN_EVENT_US, US_PER_MINUTE
from tick_pipeline.producer.formats.instants import (
    WallTime,
    exchange_text_sql,
    instant_sql,
    local_minutes,
    local_zone,
)
from tick_pipeline.producer.formats.layout import symbol_pattern

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from tick_pipeline.producer.formats.layout import Layout
    from tick_pipeline.producer.formats.reader import Chunk, TradeFile

#: The table that `load_trades` fills; event_id and sequence where the file's own are taken.
TRADES = "trades"
_NUMBER = r"[+-]?(\d+[.]?\d*|[.]\d+)([eE][+-]?\d+)?"
_MAX_INT64 = 2**63 - 1
#: Databento: https://databento.com/docs/standards-and-conventions/common-fields-enums-types
_UNDEFINED_PRICE = str(_MAX_INT64)
_REPLACEMENT = "chr(65533)"  # what a byte that is not UTF-8 was read as
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class BadRow:
    """A row that is no trade: its number in the file, and what is wrong with which value."""

    row: int
    reason: str
    detail: str


@dataclass
class Loaded:
    """What was found in a file.

    Attributes:
        rows: rows of the file, bad ones included.
        skipped: bad rows by reason, in the order in which the reasons were met.
        samples: the first bad row of each reason.
    """

    rows: int = 0
    skipped: dict[str, int] = field(default_factory=dict[str, int])
    samples: dict[str, BadRow] = field(default_factory=dict[str, BadRow])

    def skip(self, bad: BadRow, count: int) -> None:
        """Count bad rows of one reason, of which the first one is given."""
        self.skipped[bad.reason] = self.skipped.get(bad.reason, 0) + count
        self.samples.setdefault(bad.reason, bad)


@dataclass(frozen=True)
class _Problem:
    """A claim that a row may break: which field, when (SQL), and how a person says it."""

    field: str
    when: str
    reason: str


def load_trades(
    database: Any,
    file: TradeFile,
    layout: Layout,
    *,
    timezone: str,
    skip_invalid: bool,
    on_rows: Callable[[int], None],
    stop: threading.Event,
) -> Loaded:
    """Read a file into the new table TRADES: row, event_ts, symbol, price, volume, own ids.

    Args:
        database: a DuckDB connection of the caller's own.
        file: the file.
        layout: its columns.
        timezone: IANA name, of a taq file's local times.
        skip_invalid: leave bad rows out and count them.
        on_rows: told the rows read so far.
        stop: when set, the reading ends early.

    Raises:
        TradeFileError: a row is bad (without skip_invalid), or the file cannot be read.
    """
    loading = _Loading(database, layout, local_zone(timezone) if layout.format == "taq" else None)
    loaded = Loaded()
    for chunk in file.chunks(layout):
        if stop.is_set():
            break
        bad = [*_wrong_widths(chunk, layout), *loading.insert(chunk.table)]
        if bad and not skip_invalid:
            first = min((item for item, _ in bad), key=lambda item: item.row)
            where = "row" if file.kind == "parquet" else "line"
            raise TradeFileError(
                f"{file.path}, {where} {first.row}: {first.detail}; correct it, "
                "or leave bad rows out with --skip-invalid; nothing was sent"
            )
        for item, count in bad:
            loaded.skip(item, count)
        loaded.rows += chunk.table.num_rows + len(chunk.wrong_widths)
        on_rows(loaded.rows)
    return loaded


class _Loading:
    """The queries of one file."""

    def __init__(self, database: Any, layout: Layout, zone: ZoneInfo | None) -> None:
        self._database = database
        self._layout = layout
        self._zone = zone
        self._problems = _problems(layout)
        self._own = [name for name in ("event_id", "sequence") if name in layout.values]
        types = {"event_id": "varchar", "sequence": "bigint"}
        columns = "".join(f", {name} {types[name]}" for name in self._own)
        database.execute(
            "create table local_minutes (minute bigint, offset_us bigint, wall_time varchar);"
            f"create table {TRADES} (row bigint, event_ts bigint, symbol varchar, price double, "
            f"volume double{columns})"
        )

    def insert(self, table: Any) -> list[tuple[BadRow, int]]:
        """Add the good rows; the first bad row of each reason, and how many there are of it."""
        self._database.register("chunk", table)
        self._database.execute(f"create or replace temp table timed as {self._timed_sql()}")
        if self._zone is not None:
            self._add_local_minutes(self._zone)
        self._database.execute(f"create or replace temp table judged as {self._judged_sql()}")
        self._database.unregister("chunk")
        own = "".join(f", {name}" for name in self._own)
        self._database.execute(
            f"insert into {TRADES} select row, event_ts, symbol, price, abs(volume){own} from judged "  # noqa: S608  (names are this module's)
            "where problem is null"
        )
        return self._bad_rows()

    def _timed_sql(self) -> str:
        texts = [f"{self._text_sql(name)} as {name}_text" for name in self._layout.values]
        return instant_sql(
            f"(select row, {', '.join(texts)} from chunk)",  # noqa: S608  (names are this package's)
            text="event_time_text",
        )

    def _text_sql(self, name: str) -> str:
        sql = self._layout.values[name].sql
        if name == "symbol":
            return f"replace({sql}, ' ', '.')"
        if name == "event_time" and self._layout.format == "taq":
            return exchange_text_sql(sql)
        return sql

    def _add_local_minutes(self, zone: ZoneInfo) -> None:
        # A day of slack: what an offset may move into the range that is legal.
        new = self._database.execute(
            f"select distinct wall_us // {US_PER_MINUTE} as minute from timed "  # noqa: S608  (numbers)
            f"where zone_us is null and wall_us between {MIN_EVENT_US} - 86400000000 "
            f"and {MAX_EVENT_US} + 86400000000 "
            "and minute not in (select minute from local_minutes)"
        ).fetchall()
        facts = local_minutes((minute for (minute,) in new), zone)
        if facts:
            self._database.executemany("insert into local_minutes values (?, ?, ?)", facts)

    def _judged_sql(self) -> str:
        own = {
            "event_id": ", symbol_text || ':' || event_id_text as event_id",
            "sequence": ", try_cast(sequence_text as bigint) as sequence",
        }
        cases = " ".join(
            f"when {problem.when} then {at}" for at, problem in enumerate(self._problems)
        )
        return f"""
        select *, case {cases} end as problem from (
            select timed.*, wall_time,
                wall_us - coalesce(zone_us, offset_us, 0) as event_ts,
                symbol_text as symbol,
                {self._price_sql()} as price,
                {_number_sql("volume_text")} as volume
                {"".join(own[name] for name in self._own)}
            from timed left join local_minutes
                on zone_us is null and minute = wall_us // {US_PER_MINUTE})
        """  # noqa: S608  (names are this module's)

    def _price_sql(self) -> str:
        if self._layout.format != "databento":
            return _number_sql("price_text")
        # Whole numbers count 1e-9 units; the point is set in the text, so that no digit is lost.
        digits = "('000000000' || price_text)"
        fixed = f"{digits}[:-10] || '.' || {digits}[-9:]"
        return (
            f"case when regexp_full_match(price_text, '\\d+') then try_cast({fixed} as double) "
            f"else {_number_sql('price_text')} end"
        )

    def _bad_rows(self) -> list[tuple[BadRow, int]]:
        found = self._database.execute(
            "select problem, count(*), min(row) from judged where problem is not null "
            "group by problem order by problem"
        ).fetchall()
        return [(self._bad_row(problem, row), count) for problem, count, row in found]

    def _bad_row(self, number: int, row: int) -> BadRow:
        problem = self._problems[number]
        (value,) = self._database.execute(
            f"select {problem.field}_text from judged where row = ?",  # noqa: S608  (a name of ours)
            [row],
        ).fetchone()
        label = self._layout.values[problem.field].label
        shown = "" if value is None else f" {_shortened(value)}"
        field_name = "" if label == problem.field else f" ({problem.field})"
        return BadRow(
            row,
            f"{problem.field} {problem.reason}",
            f"{label}{field_name}{shown} {problem.reason}",
        )


def _wrong_widths(chunk: Chunk, layout: Layout) -> list[tuple[BadRow, int]]:
    if not chunk.wrong_widths:
        return []
    first = chunk.wrong_widths[0]
    detail = f"has {first.values} values where there are {len(layout.names)} columns"
    return [(BadRow(first.row, "wrong number of values", detail), len(chunk.wrong_widths))]


def _problems(layout: Layout) -> list[_Problem]:
    """What can be wrong with a row, in the order in which it is told."""
    found = [
        _Problem("event_time", "event_time_text is null", "is missing"),
        _Problem("event_time", "wall_us is null", "is no time"),
        _Problem(
            "event_time",
            f"wall_time = '{WallTime.MISSING.value}'",
            "does not exist in the time zone: its clocks skip it",
        ),
        _Problem(
            "event_time",
            f"wall_time = '{WallTime.AMBIGUOUS.value}'",
            "is two instants in the time zone: its clocks show it twice",
        ),
        _Problem(
            "event_time",
            f"event_ts < {MIN_EVENT_US} or event_ts >= {MAX_EVENT_US}",
            "is outside 2000-2100",
        ),
        _Problem("symbol", "symbol_text is null", "is missing"),
        _Problem(
            "symbol",
            f"not regexp_matches(symbol_text, '{symbol_pattern()}')",
            "is not 1-32 of A-Z a-z 0-9 . - / _",
        ),
        _Problem("price", "price_text is null", "is missing"),
        _Problem("price", "price is null", "is no number"),
        _Problem("price", "not isfinite(price)", "is too large for a double"),
        _Problem("price", "price <= 0", "is not above 0"),
        _Problem("volume", "volume_text is null", "is missing"),
        _Problem("volume", "volume is null", "is no number"),
        _Problem("volume", "not isfinite(volume)", "is too large for a double"),
        _Problem("volume", "volume < 0", "is below 0"),
        _Problem("event_id", "event_id_text is null", "is missing"),
        _Problem("event_id", f"contains(event_id_text, {_REPLACEMENT})", "is not UTF-8"),
        _Problem("sequence", "sequence_text is null", "is missing"),
        _Problem(
            "sequence",
            "not regexp_full_match(sequence_text, '\\d+') or coalesce(sequence, 0) < 1",
            f"is no whole number from 1 to {_MAX_INT64}",
        ),
        _Problem("action", "action_text <> 'T'", "is no trade: replay a file of the trades schema"),
    ]
    if layout.format == "databento":
        found.insert(0, _Problem("price", f"price_text = '{_UNDEFINED_PRICE}'", "is undefined"))
    return [problem for problem in found if problem.field in layout.values]


def _number_sql(text: str) -> str:
    # The pattern first: a cast alone takes 1_000, nan and inf.
    return f"case when regexp_full_match({text}, '{_NUMBER}') then try_cast({text} as double) end"


def _shortened(value: str) -> str:
    if len(value) > _SHOWN_CHARACTERS:
        value = value[:_SHOWN_CHARACTERS] + "…"
    return repr(value)
