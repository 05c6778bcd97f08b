"""Ticks to records of the stream: validated, one plain JSON object each, put under their symbol."""
# pyarrow has no types:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.rules import Dialect, broken_rule_sql
from tick_pipeline.contracts.types import arrow_schema
from tick_pipeline.errors import StreamError
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from tick_pipeline.stream.port import PutResult, Stream


def tick_schema() -> pa.Schema:
    """Arrow schema of the ticks that this package makes: the contract's columns, in its order."""
    return arrow_schema(load_contract("tick"), StorageMode.PARQUET_PROJECTION)


def encode_ticks(ticks: pa.Table) -> pa.BinaryArray:
    """One compact JSON object per row, members in the contract's order, doubles that read back.

    The text is DuckDB's own for the row, so that `to_json(from_json(record))` gives it again: what
    landing converts at once. Batches of about 100,000 rows are fastest.

    Args:
        ticks: columns of `tick_schema()`, in any order; a null becomes `null`.

    Returns:
        As many records as rows, in the rows' order.

    Raises:
        StreamError: a double is NaN or infinite, for which JSON has no text.
    """
    return _encode(ticks, _non_finite_sql())


def encode_valid_ticks(ticks: pa.Table) -> pa.BinaryArray:
    """`encode_ticks`, after every row was found to meet the contract.

    Raises:
        StreamError: a row breaks a rule; tells the first one's number, rule and values.
    """
    return _encode(ticks, _reason_sql())


def invalid_rows(ticks: pa.Table) -> pa.Table:
    """The rows that break the contract: `row` (int64, from 0, ascending) and `reason` (string).

    A reason is the first broken rule's name, as `price_exclusive_minimum`, or
    `<field>_convertible` where the value lies outside the range that can be stored.
    """
    relation = "(select row_number() over () - 1 as row, * from ticks)"
    query = (
        f"select row, reason from (select row, {_reason_sql()} as reason from {relation}) "  # noqa: S608  (rules are the contract's)
        "where reason is not null order by row"
    )
    schema = pa.schema([("row", pa.int64()), ("reason", pa.string())])
    return _query(query, ticks).cast(schema)


def send(stream: Stream, ticks: pa.Table) -> PutResult:
    """Validate, encode and put ticks in the rows' order, with the symbol as the partition key.

    Raises:
        StreamError: a row breaks the contract (then nothing was put), or the put failed.
    """
    return stream.put(single_array(ticks["symbol"]), encode_valid_ticks(ticks))


def _encode(ticks: pa.Table, problem: str) -> pa.BinaryArray:
    names = load_contract("tick").field_names
    members = ", ".join(f"{name} := {name}" for name in names)
    # One query: looking for problems beside the encoding costs a quarter of a query of its own.
    answer = _query(
        f"select to_json(struct_pack({members})) as record, {problem} as problem from ticks",  # noqa: S608  (names are the contract's)
        ticks,
    )
    problems = answer["problem"]
    if problems.null_count < len(problems):
        row = pc.index(problems.is_valid(), value=True).as_py()
        values = ticks.slice(row, 1).to_pylist()[0]
        raise StreamError(
            f"tick {row} of {len(problems)} breaks the rule {problems[row]}, so none was put: {values}"
        )
    return single_array(answer["record"]).cast(pa.binary())


@lru_cache
def _non_finite_sql() -> str:
    columns = load_contract("tick").fields
    branches = " ".join(
        f"when not isfinite({column.name}) then '{column.name}_finite'"
        for column in columns
        if column.type == "double"
    )
    return f"case {branches} end"


@lru_cache
def _reason_sql() -> str:
    contract = load_contract("tick")
    # Before the rules: formatting an instant outside the calendar would end the whole query.
    ranges = " ".join(
        f"when {column.name} < {column.convertible[0]} or {column.name} >= {column.convertible[1]} "
        f"then '{column.name}_convertible'"
        for column in contract.fields
        if column.convertible
    )
    return f"case {ranges} else {broken_rule_sql(contract, Dialect.DUCKDB)} end"


@lru_cache
def _database() -> duckdb.DuckDBPyConnection:
    # Opening one costs 9 ms, as much as encoding 15,000 ticks; a cursor per call is thread-safe.
    return duckdb.connect()


def _query(sql: str, ticks: pa.Table) -> pa.Table:
    with _database().cursor() as cursor:
        cursor.register("ticks", ticks)
        return cursor.execute(sql).to_arrow_table()


def single_array(column: pa.ChunkedArray) -> Any:
    """The column as one array: a put takes no chunks."""
    combined: Any = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined
