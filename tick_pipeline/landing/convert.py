"""Records' bytes to rows, vectorised; on any bytes equal to the strict decoder, only faster.

Three tiers, each taking what it can prove and leaving the rest to the next:

1. DuckDB reads the JSON into a struct and writes it back. DuckDB alone coerces, accepts NaN and a
   trailing comma and ignores extra fields, but where its own text equals the record byte for byte,
   none of that happened. This takes what a producer in the canonical form sends: all but oddities.
2. msgspec takes other valid objects (own key order, white space, integers for doubles, absent
   fields). It is strict but for duplicate keys, which a count of the quotation marks rules out.
3. The strict decoder, row by row: what it refuses is malformed.
"""

# pyarrow and duckdb have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET, UnsetType

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.decode import INT64_MAX, INT64_MIN, MalformedError, decode
from tick_pipeline.contracts.rules import Dialect, broken_rule_sql
from tick_pipeline.contracts.types import arrow_schema, duckdb_columns
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.contracts.contract import Contract

    _Places = np.ndarray[Any, np.dtype[np.int64]]

#: Rows whose UTF-8 is checked at once: one bad byte sends so many rows to the check one by one.
_UTF8_BLOCK_ROWS = 1024
_PYTHON_TYPES: dict[str, Any] = {
    "string": str,
    "int64": Annotated[int, msgspec.Meta(ge=INT64_MIN, le=INT64_MAX)],
    "double": float,
}


@dataclass(frozen=True)
class Malformed:
    """One record that no table can hold.

    Attributes:
        index: its place among the records converted.
        reason: one of `decode.REASONS`.
        message: what exactly is wrong, one line.
    """

    index: int
    reason: str
    message: str


@dataclass(frozen=True)
class Converted:
    """What became of some records.

    Attributes:
        rows: those that can be stored, with the contract's columns and integer times. Their order is
            the records' within a tier, the tiers after one another.
        malformed: the others, by index.
        invalid: name of a broken rule -> rows that are stored and break it first.
    """

    rows: pa.Table
    malformed: list[Malformed]
    invalid: dict[str, int]


class Converter:
    """Converts records of one contract; holds a DuckDB of its own, so one per thread."""

    def __init__(self, contract: Contract | None = None) -> None:
        self._contract = contract or load_contract("tick")
        # Parquet's raw has the record's own types; Iceberg's differs by a cast.
        self._schema = arrow_schema(self._contract, StorageMode.PARQUET_PROJECTION)
        self._canonical_sql = _canonical_sql(self._contract)
        rule = broken_rule_sql(self._contract, Dialect.DUCKDB)
        ruled = f"select {rule} as broken from ticks"  # noqa: S608  (of the contract alone)
        self._invalid_sql = (
            f"select broken, count(*) from ({ruled}) where broken is not null group by 1"  # noqa: S608
        )
        self._tolerant = _TolerantDecoder(self._contract)
        # One thread: the other core writes the rows of the flush before.
        self._duckdb = duckdb.connect(config={"threads": 1})

    def convert(self, records: pa.Array) -> Converted:
        """Convert records (a binary array without nulls), whatever their bytes are."""
        canonical, rest = self._canonical(records)
        rows: list[Sequence[Any]] = []
        malformed: list[Malformed] = []
        for index, data in zip(
            rest.tolist(), records.take(pa.array(rest)).to_pylist(), strict=True
        ):
            row = self._tolerant.row(data)
            if row is None:
                try:
                    row = tuple(decode(data, self._contract).values())
                except MalformedError as error:
                    malformed.append(Malformed(index, error.reason, str(error)))
                    continue
            rows.append(row)
        table = pa.concat_tables([canonical, self._table_of(rows)])
        return Converted(table, malformed, self._invalid(table))

    def close(self) -> None:
        """Free the DuckDB."""
        self._duckdb.close()

    def _canonical(self, records: pa.Array) -> tuple[pa.Table, _Places]:
        """Rows of the records in canonical form, and the places of the other records."""
        texts, places = _utf8_only(records)
        accepted = np.zeros(len(records), dtype=bool)
        table = self._schema.empty_table()
        if len(texts):
            self._duckdb.register("records", pa.table({"j": texts}))
            try:
                found = self._duckdb.sql(self._canonical_sql).to_arrow_table()
            except duckdb.Error:
                # Not one of these is lost: the slower tiers take them all.
                return table, np.arange(len(records))
            finally:
                self._duckdb.unregister("records")
            taken = found.column("accepted")
            accepted[places] = taken.to_numpy()
            table = found.drop_columns(["accepted"])
            if not accepted.all():
                table = table.filter(taken)
        return table.cast(self._schema), np.flatnonzero(~accepted)

    def _table_of(self, rows: list[Sequence[Any]]) -> pa.Table:
        if not rows:
            return self._schema.empty_table()
        return pa.Table.from_arrays(
            [
                pa.array(values, type=column.type)
                for values, column in zip(zip(*rows, strict=True), self._schema, strict=True)
            ],
            schema=self._schema,
        )

    def _invalid(self, rows: pa.Table) -> dict[str, int]:
        self._duckdb.register("ticks", rows)
        try:
            return dict(self._duckdb.sql(self._invalid_sql).fetchall())
        finally:
            self._duckdb.unregister("ticks")


class _TolerantDecoder:
    """Tier 2: a row, or None where msgspec cannot prove that the strict decoder would agree."""

    def __init__(self, contract: Contract) -> None:
        self._names = contract.field_names
        fields: list[tuple[str, Any, Any]] = [
            (column.name, _PYTHON_TYPES[column.type] | None | UnsetType, UNSET)
            for column in contract.fields
        ]
        struct = msgspec.defstruct("Record", fields, forbid_unknown_fields=True, gc=False)
        self._decode = msgspec.json.Decoder(struct).decode
        self._bounded = [
            (position, *column.convertible)
            for position, column in enumerate(contract.fields)
            if column.convertible is not None
        ]

    def row(self, data: bytes) -> tuple[Any, ...] | None:
        """The record's values in the contract's order."""
        if b"\\" in data:
            return None  # an escaped quotation mark would spoil the count below
        try:
            values = msgspec.structs.astuple(self._decode(data))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        # Without escapes a text has two quotation marks and nothing else has any, so a key that
        # stands twice shows as a surplus.
        texts = sum((value is not UNSET) + (type(value) is str) for value in values)
        if data.count(b'"') != 2 * texts:
            return None
        for position, low, high in self._bounded:
            value = values[position]
            if type(value) is not int or not low <= value < high:
                return None
        return tuple(None if value is UNSET else value for value in values)


def _canonical_sql(contract: Contract) -> str:
    types = json.dumps(duckdb_columns(contract, StorageMode.PARQUET_PROJECTION))
    finite = "".join(
        f" and coalesce(isfinite(r.{column.name}), true)"
        for column in contract.fields
        if column.type == "double"
    )
    bounded = "".join(
        f" and r.{column.name} >= {column.convertible[0]} and r.{column.name} < {column.convertible[1]}"
        for column in contract.fields
        if column.convertible is not None
    )
    # Without json_valid one record that is no JSON would fail the query for all of them.
    parsed = f"select j, from_json(case when json_valid(j) then j end, '{types}') as r from records"  # noqa: S608  (of the contract alone)
    accepted = f"coalesce(to_json(r)::varchar = j{finite}{bounded}, false)"
    return f"select r.*, {accepted} as accepted from ({parsed})"  # noqa: S608


def _utf8_only(records: pa.Array) -> tuple[pa.Array, _Places]:
    """The records that are UTF-8, as texts, and their places among the records."""
    try:
        return records.cast(pa.string()), np.arange(len(records))
    except pa.ArrowInvalid:
        mask = np.ones(len(records), dtype=bool)
    for start in range(0, len(records), _UTF8_BLOCK_ROWS):
        block = records.slice(start, _UTF8_BLOCK_ROWS)
        try:
            block.cast(pa.string())
        except pa.ArrowInvalid:
            mask[start : start + len(block)] = [_is_utf8(data) for data in block.to_pylist()]
    return records.filter(pa.array(mask)).cast(pa.string()), np.flatnonzero(mask)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
