"""Which columns of a trade file say what: the formats, their detection, and the user's own mapping."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.errors import TradeFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What a trade needs, and what --map may add.
REQUIRED = ("event_time", "symbol", "price", "volume")
FIELDS = (*REQUIRED, "event_id", "sequence")

#: Format -> field -> columns that may hold it; the first that are there count, and two are one text
#: with a blank between. Names match in any case.
#: Sources: https://databento.com/docs/schemas/trades;
#: https://github.com/binance/binance-public-data#trades-1;
#: WRDS, TAQ millisecond consolidated trades (ctm), and the R package highfrequency for DT.
_FORMATS: dict[str, dict[str, tuple[tuple[str, ...], ...]]] = {
    "databento": {
        "event_time": (("ts_event",),),
        "symbol": (("symbol",), ("instrument_id",)),
        "price": (("price",),),
        "volume": (("size",),),
    },
    "taq": {
        "event_time": (("DT",), ("DATE", "TIME_M")),
        "symbol": (("SYMBOL",), ("SYM_ROOT", "SYM_SUFFIX"), ("SYM_ROOT",)),
        "price": (("PRICE",),),
        "volume": (("SIZE",),),
    },
    "binance": {
        "event_time": (("time",),),
        "price": (("price",),),
        "volume": (("qty",),),
        "event_id": (("id",),),
    },
    "generic": {name: ((name,),) for name in REQUIRED},
}
FORMATS = tuple(_FORMATS)
#: One of these must be there, too, before `auto` takes a file for this format.
_SIGNATURES = {"binance": ((("quote_qty",), ("base_qty",)),)}
_MAY_BE_EMPTY = ("SYM_SUFFIX",)

_BINANCE_COLUMNS = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker", "is_best_match")
_BINANCE_NUMBERS = 5
_BINANCE_FILE = re.compile(r"([A-Za-z0-9_]+)-trades-\d{4}-\d{2}(?:-\d{2})?\..+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_SHOWN_COLUMNS = 20


@dataclass(frozen=True)
class Value:
    """One value of a trade.

    Attributes:
        label: the column as the file names it: `PX`, `DATE+TIME_M`.
        sql: its text, an expression over the columns c0, c1, … of a chunk; null where it is empty.
    """

    label: str
    sql: str


@dataclass(frozen=True)
class Layout:
    """How to read one file.

    Attributes:
        format: one of FORMATS.
        names: the columns of every row, in the file's order.
        has_header: the first line names the columns.
        positions: which of the columns are read, as c0, c1, ….
        values: what each field of a trade, and databento's `action`, is made of.
    """

    format: str
    names: tuple[str, ...]
    has_header: bool
    positions: tuple[int, ...]
    values: dict[str, Value]


def parse_map(text: str) -> dict[str, str]:
    """The text of --map, `event_time=TIME,price=PX`, as field -> column; empty for an empty text.

    Raises:
        TradeFileError: a part is no `field=column`, its field is not known or stands twice.
    """
    columns: dict[str, str] = {}
    for part in text.split(",") if text.strip() else ():
        target, _, column = (piece.strip() for piece in part.partition("="))
        if not target or not column:
            raise TradeFileError(
                f"--map: {part.strip()!r} is no field=column, as event_time=TIME,price=PX"
            )
        if target in columns:
            raise TradeFileError(f"--map names a column for {target} twice; keep one")
        columns[target] = column
    _refuse_unknown_fields(columns)
    return columns


def resolve_layout(
    file_name: str,
    first_row: tuple[str, ...],
    *,
    file_format: str,
    columns: Mapping[str, str],
    symbol: str | None,
) -> Layout:
    """Find the format of a file and the columns of each value.

    Args:
        file_name: without folders; it tells the symbol of a Binance file.
        first_row: the names of the columns, or the first trade of a Binance file without names.
        file_format: one of FORMATS, or `auto`.
        columns: field -> column, in place of the format's own.
        symbol: the symbol of every trade, where no column tells it.

    Raises:
        TradeFileError: an option is wrong, no format fits, or a column is missing or ambiguous.
    """
    if file_format not in ("auto", *FORMATS):
        raise TradeFileError(f"--format {file_format!r} is none of auto, {', '.join(FORMATS)}")
    _refuse_unknown_fields(columns)
    has_header = not _is_binance_row(first_row)
    header = _Header(file_name, first_row if has_header else _BINANCE_COLUMNS[: len(first_row)])
    for field, column in columns.items():
        if header.position(column) is None:
            raise TradeFileError(
                f"{file_name} has no column {column!r}, which --map names for {field}; "
                f"it has {header.listed()}"
            )
    name = _detect(header) if file_format == "auto" else file_format
    values = _values(header, name, columns)
    if constant := _constant_symbol(values.get("symbol"), file_name, name, symbol):
        values["symbol"] = constant
    _refuse_missing(header, name, values)
    return Layout(name, header.names, has_header, tuple(header.taken), values)


def symbol_pattern() -> str:
    """The regular expression that the contract sets for a symbol."""
    rules = load_contract("tick").field("symbol").rules
    return next(str(rule.value) for rule in rules if rule.name == "pattern")


class _Header:
    """The columns of a file, found by name; what is taken is numbered c0, c1, …."""

    def __init__(self, where: str, names: tuple[str, ...]) -> None:
        self.where = where
        self.names = names
        self.taken: list[int] = []

    def position(self, name: str) -> int | None:
        """Where a column stands: of exactly that name, else of that name in another case."""
        exact = [at for at, column in enumerate(self.names) if column == name]
        found = exact or [
            at for at, column in enumerate(self.names) if column.lower() == name.lower()
        ]
        if len(found) > 1:
            raise TradeFileError(
                f"{self.where} has {len(found)} columns {name!r}; rename all but one of them"
            )
        return found[0] if found else None

    def has(self, columns: tuple[str, ...]) -> bool:
        """Whether all of these columns are there."""
        return all(self.position(name) is not None for name in columns)

    def take(self, columns: tuple[str, ...]) -> Value:
        """The value that these columns are; they must be there."""
        labels: list[str] = []
        sql = ""
        for name in columns:
            at = self.position(name) or 0
            if at not in self.taken:
                self.taken.append(at)
            text = _text_sql(f"(c{self.taken.index(at)}::varchar)")
            if name in _MAY_BE_EMPTY:
                sql += f" || coalesce(' ' || {text}, '')"
            else:
                sql += f" || ' ' || {text}" if sql else text
            labels.append(self.names[at])
        return Value("+".join(labels), sql)

    def listed(self) -> str:
        """The columns, for an error."""
        shown = ", ".join(repr(name)[1:-1] for name in self.names[:_SHOWN_COLUMNS])
        return shown + (", …" if len(self.names) > _SHOWN_COLUMNS else "")


def _text_sql(column: str) -> str:
    # Looking at both ends costs a third of trimming what needs no trimming.
    return (
        f"(case when {column}[1] <= ' ' or {column}[-1] <= ' ' "
        f"then nullif(trim({column}, E' \\t\\r\\n'), '') else {column} end)"
    )


def _is_binance_row(row: tuple[str, ...]) -> bool:
    numbers, flags = row[:_BINANCE_NUMBERS], row[_BINANCE_NUMBERS:]
    return (
        _BINANCE_NUMBERS < len(row) <= len(_BINANCE_COLUMNS)
        and all(_NUMBER.fullmatch(text) for text in numbers)
        and all(text.lower() in ("true", "false") for text in flags)
    )


def _detect(header: _Header) -> str:
    for name, fields in _FORMATS.items():
        needed = [*fields.values(), *_SIGNATURES.get(name, ())]
        if all(any(map(header.has, alternatives)) for alternatives in needed):
            return name
    return "generic"


def _values(header: _Header, name: str, columns: Mapping[str, str]) -> dict[str, Value]:
    values = {field: header.take((column,)) for field, column in columns.items()}
    for field, alternatives in _FORMATS[name].items():
        found = next(filter(header.has, alternatives), None)
        if found and field not in values:
            values[field] = header.take(found)
    if name == "databento" and header.has(("action",)):
        values["action"] = header.take(("action",))
    return values


def _constant_symbol(
    column: Value | None, file_name: str, name: str, symbol: str | None
) -> Value | None:
    if symbol is not None and column is not None:
        raise TradeFileError(
            f"{file_name} tells the symbol in its column {column.label}; leave --symbol away"
        )
    if symbol is None and column is None and name == "binance":
        match = _BINANCE_FILE.fullmatch(file_name)
        symbol = match[1] if match else None
    if symbol is None:
        return None
    cleaned = symbol.strip().replace(" ", ".")
    if not re.search(symbol_pattern().replace("$", r"\Z"), cleaned):
        raise TradeFileError(f"--symbol {symbol!r} is not 1-32 of A-Z a-z 0-9 . - / _")
    return Value("--symbol", f"'{cleaned}'")


def _refuse_unknown_fields(columns: Mapping[str, str]) -> None:
    unknown = [field for field in columns if field not in FIELDS]
    if unknown:
        raise TradeFileError(f"--map: {unknown[0]!r} is none of {', '.join(FIELDS)}")


def _refuse_missing(header: _Header, name: str, values: Mapping[str, Value]) -> None:
    missing = [field for field in REQUIRED if field not in values]
    if missing == ["symbol"]:
        raise TradeFileError(
            f"{header.where} ({name}) tells no symbol; name it with --symbol, "
            f"or its column with --map symbol=COLUMN; it has {header.listed()}"
        )
    if missing:
        raise TradeFileError(
            f"{header.where} ({name}) has no column for {', '.join(missing)}; "
            f"it has {header.listed()}; name it with --map {missing[0]}=COLUMN"
        )
