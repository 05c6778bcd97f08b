"""Queries and views as Athena keeps them: defaults in place of parameters, a token in place of a database.

`@iceberg@` and `@parquet_projection@` stand for the storage modes' databases, whose names Terraform knows.
"""

from __future__ import annotations

import re
from typing import Any

from tick_pipeline.contracts.rules import Dialect
from tick_pipeline.errors import QueryError
from tick_pipeline.event_time import as_datetime, parse_instant
from tick_pipeline.queries.athena_text import restored_select
from tick_pipeline.queries.catalogue import Query, load_query, query_names
from tick_pipeline.queries.parameters import ENABLED, Parameter, parameter_value
from tick_pipeline.queries.relations import VIEWS, Relation
from tick_pipeline.queries.views import view_sql
from tick_pipeline.storage import ANOMALIES, StorageMode

#: What a check asks of an hour, a saved query asks of the last whole one.
_LAST_HOUR = {
    "start": "date_trunc('hour', current_timestamp) - interval '1' hour",
    "end": "date_trunc('hour', current_timestamp)",
}
_AGO = re.compile(r"now-(\d+)([smhd])")
_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day"}
_DATABASE = re.compile(rf"\b({'|'.join(StorageMode)})\.(?=[a-z])")


def saved_queries() -> dict[str, dict[str, Any]]:
    """Name -> `description`, `storage_modes` that it reads, and `sql`, which runs as it stands.

    A query over one storage mode stands there once for each, as `top_movers-iceberg`.
    """
    saved: dict[str, dict[str, Any]] = {}
    for name in query_names():
        query = load_query(name)
        by_mode = any(parameter.name == "storage_mode" for parameter in query.parameters)
        for mode in StorageMode if by_mode else (None,):
            sql = _saved_sql(query, mode)
            saved[f"{name}-{mode}" if mode else name] = {
                "description": query.purpose,
                "storage_modes": [mode.value for mode in StorageMode if f"@{mode}@" in sql],
                "sql": sql,
            }
    return saved


def saved_views() -> dict[str, dict[str, dict[str, Any]]]:
    """Storage mode -> view -> `sql` and `columns`: name, Athena's type and the one that Glue can write.

    Glue has no timestamp with a time zone: the catalog's column says string, Athena goes by the type in the view's
    own definition.
    """
    glue = {"varchar": "string", "bigint": "bigint", "double": "double"}
    return {
        mode.value: {
            view: {
                "sql": _with_tokens(view_sql(view, mode, Dialect.ATHENA)).strip(),
                "columns": [
                    {"name": name, "athena_type": kind, "glue_type": glue.get(kind, "string")}
                    for name, kind in Relation(mode, view).columns.items()
                ],
            }
            for view in VIEWS
        }
        for mode in StorageMode
    }


def _saved_sql(query: Query, mode: StorageMode | None) -> str:
    sql = query.sql
    for parameter in query.parameters:
        if parameter.choices:
            value = mode.value if parameter.name == "storage_mode" and mode else parameter.default
            if value is None or value == ENABLED:
                raise QueryError(
                    f"query {query.name}: {parameter.name} has no value to be saved with"
                )
            # Part of a table's name, as in aggregated_timeframe.
            sql = re.sub(rf"(?<![:a-z]){parameter.name}\b", value, sql)
        else:
            sql = re.sub(rf":{parameter.name}\b", _default_sql(query.name, parameter), sql)
    return f"-- {query.name}.sql of tick_pipeline, with its defaults\n{_with_tokens(_restored(sql)).strip()}\n"


def _default_sql(query: str, parameter: Parameter) -> str:
    """The parameter's default as an expression; `?`, for which Athena's console asks, where it has none."""
    default = parameter.default
    if default is None:
        return f"({_LAST_HOUR[parameter.name]})" if parameter.name in _LAST_HOUR else "?"
    if parameter.type != "timestamp":
        value = parameter_value(query, parameter, default, now_us=0)
        return f"{value:e}" if isinstance(value, float) else str(value)
    if default == "now":
        return "current_timestamp"
    if default == "today":
        return "date_trunc('day', current_timestamp)"
    if match := _AGO.fullmatch(default):
        return f"(current_timestamp - interval '{match[1]}' {_UNITS[match[2]]})"
    return f"timestamp '{as_datetime(parse_instant(default)):%Y-%m-%d %H:%M:%S} UTC'"


def _restored(sql: str) -> str:
    """The text with microseconds where Athena reads milliseconds; candles have whole minutes anyway."""
    relation = Relation(StorageMode.PARQUET_PROJECTION, ANOMALIES)
    select = restored_select(relation, str(relation.mode))
    return sql.replace(f"from {relation}\n", f"from (\n    {select}\n  ) as {relation.name}\n")


def _with_tokens(sql: str) -> str:
    return _DATABASE.sub(lambda match: f"@{match[1]}@.", sql)
