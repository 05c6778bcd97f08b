"""The views `ticks` and `received`: one text each, filled for a storage mode and an engine."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.rules import Dialect, broken_rule_sql, valid_sql
from tick_pipeline.queries.catalogue import split_header
from tick_pipeline.queries.relations import VIEWS
from tick_pipeline.storage import PARTITION_KEYS, StorageMode

if TYPE_CHECKING:
    from tick_pipeline.contracts.contract import Contract

#: Parquet stores the event time as microseconds, Iceberg as a timestamp. Athena's to_unixtime is a double,
#: which cannot hold microseconds after 2038, and has no function for the fraction: it is cut from the text.
_EVENT_US = {
    (StorageMode.PARQUET_PROJECTION, Dialect.ATHENA): "event_ts",
    (StorageMode.PARQUET_PROJECTION, Dialect.DUCKDB): "event_ts",
    (
        StorageMode.ICEBERG,
        Dialect.ATHENA,
    ): "cast(to_unixtime(date_trunc('second', event_ts)) as bigint)"
    " * 1000000 + cast(substr(cast(cast(event_ts at time zone 'UTC' as timestamp(6)) as varchar), 21, 6)"
    " as bigint)",
    (StorageMode.ICEBERG, Dialect.DUCKDB): "epoch_us(event_ts)",
}
_EVENT_AT = {
    (StorageMode.PARQUET_PROJECTION, Dialect.ATHENA): "cast(from_unixtime_nanos(event_ts * 1000) as"
    " timestamp(6) with time zone)",
    (StorageMode.PARQUET_PROJECTION, Dialect.DUCKDB): "make_timestamptz(event_ts)",
    (StorageMode.ICEBERG, Dialect.ATHENA): "event_ts",
    (StorageMode.ICEBERG, Dialect.DUCKDB): "event_ts",
}
_KEY_OF_TIMESTAMP = {
    Dialect.ATHENA: "date_format(event_ts at time zone 'UTC', '{code}')",
    Dialect.DUCKDB: "strftime(event_ts at time zone 'UTC', '{code}')",
}
_CODES = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H"}
#: Integers first: the engine then tells most rows apart without comparing a text.
_TICK_KEY = "event_ts, symbol, event_id"


def view_sql(view: str, mode: StorageMode, dialect: Dialect) -> str:
    """The SELECT of a view, in the dialect of Athena or DuckDB.

    Args:
        view: `ticks` or `received`.
        mode: whose raw table it reads.
        dialect: ATHENA or DUCKDB. What is left of the dialects' differences is in the filled texts:
            the text around them reads the same in both.

    Raises:
        KeyError: there is no such view, or none in that dialect.
    """
    if view not in VIEWS:
        raise KeyError(view)
    contract = load_contract("tick")
    microseconds = {"event_ts": f"({_EVENT_US[mode, dialect]})"}
    text = files("tick_pipeline.queries").joinpath(f"views/{view}.sql").read_text(encoding="utf-8")
    return split_header(text)[1].format(
        storage_mode=mode.value,
        columns=_columns(contract, mode, dialect),
        key=_TICK_KEY
        if mode is StorageMode.ICEBERG
        else f"{_TICK_KEY}, {', '.join(PARTITION_KEYS)}",
        valid=valid_sql(contract, dialect, expressions=microseconds),
        broken_rule=broken_rule_sql(contract, dialect, expressions=microseconds),
        **_key_columns(mode, dialect),
    )


def _columns(contract: Contract, mode: StorageMode, dialect: Dialect) -> str:
    """The contract's, so that one that is added to it is in the views; in place of event_ts its two forms."""
    names, at = contract.field_names, contract.field_names.index("event_ts")
    times = f"{_EVENT_US[mode, dialect]} as event_us, {_EVENT_AT[mode, dialect]} as event_at"
    return ",\n  ".join([", ".join(names[:at]), times, ", ".join(names[at + 1 :])])


def _key_columns(mode: StorageMode, dialect: Dialect) -> dict[str, str]:
    if mode is StorageMode.PARQUET_PROJECTION:
        return {key: key for key in PARTITION_KEYS}
    return {key: _KEY_OF_TIMESTAMP[dialect].format(code=code) for key, code in _CODES.items()}
