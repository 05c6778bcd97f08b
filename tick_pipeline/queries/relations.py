"""What SQL can name: the tables and views of both storage modes, with their columns."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from tick_pipeline.contracts.contract import load_contract, table_contract
from tick_pipeline.contracts.types import logical_type
from tick_pipeline.errors import QueryError
from tick_pipeline.storage import ANOMALIES, PARTITION_KEYS, RAW, TABLES, TICKS, StorageMode

#: Every row of raw as it landed, in one shape for both storage modes.
RECEIVED = "received"
VIEWS = (TICKS, RECEIVED)
_SQL_TYPES = {
    "string": "varchar",
    "int64": "bigint",
    "double": "double",
    "timestamp": "timestamp(6) with time zone",
}


@dataclass(frozen=True, order=True)
class Relation:
    """A table or view of one storage mode."""

    mode: StorageMode
    name: str

    def __str__(self) -> str:
        return f"{self.mode}.{self.name}"

    @property
    def table(self) -> str:
        """The stored table that it reads."""
        return RAW if self.name in VIEWS else self.name

    @property
    def has_keys(self) -> bool:
        """Whether year, month, day and hour are columns of it."""
        return self.name in VIEWS or self.mode is StorageMode.PARQUET_PROJECTION

    @property
    def instant_column(self) -> str | None:
        """The timestamp that says in which hour a row lies; None where it is stored as an integer."""
        if self.name in (*VIEWS, ANOMALIES):
            return "event_at"
        if self.name == RAW:
            return "event_ts" if self.mode is StorageMode.ICEBERG else None
        return "bucket_start"

    @property
    def us_column(self) -> str | None:
        """The integer of microseconds that says in which hour a row lies, if there is one."""
        if self.name in (*VIEWS, ANOMALIES):
            return "event_us"
        return "event_ts" if self.name == RAW and self.instant_column is None else None

    @property
    def columns(self) -> dict[str, str]:
        """Column -> type in Athena's names, in order."""
        if self.name in VIEWS:
            return _view_columns(self.name)
        found = {
            column.name: _SQL_TYPES[logical_type(column, self.mode)]
            for column in table_contract(self.name).fields
        }
        return found | (dict.fromkeys(PARTITION_KEYS, "varchar") if self.has_keys else {})


def relations(modes: tuple[StorageMode, ...]) -> list[Relation]:
    """Every relation of the storage modes in use."""
    names = (RAW, *VIEWS, *(table for table in TABLES if table != RAW))
    return [Relation(mode, name) for mode in modes for name in names]


def find_relation(schema: str, name: str, modes: tuple[StorageMode, ...]) -> Relation:
    """The relation that `schema.name` means, letter case aside.

    Raises:
        QueryError: there is none, or its storage mode is switched off.
    """
    known = {str(relation): relation for relation in relations(modes)}
    wanted = f"{schema}.{name}".lower().strip(".")
    if wanted in known:
        return known[wanted]
    if schema.lower() in {mode.value for mode in StorageMode} - {mode.value for mode in modes}:
        raise QueryError(
            f"{wanted}: the storage mode {schema.lower()} is switched off by TICK_PIPELINE_STORAGE_MODES"
        )
    near = get_close_matches(wanted, known, n=1, cutoff=0.8)
    hint = f"did you mean {near[0]}?" if near and schema else f"there are {', '.join(known)}"
    raise QueryError(f"there is no table {wanted!r}; {hint}")


def _view_columns(view: str) -> dict[str, str]:
    stored = {column.name: _SQL_TYPES[column.type] for column in load_contract("tick").fields}
    found: dict[str, str] = {}
    for name, kind in stored.items():
        if name == "event_ts":
            found |= {"event_us": "bigint", "event_at": _SQL_TYPES["timestamp"]}
        else:
            found[name] = kind
    if view == RECEIVED:
        found["broken_rule"] = "varchar"
    return found | dict.fromkeys(PARTITION_KEYS, "varchar")
