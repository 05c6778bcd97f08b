"""`query`: read-only SQL in Athena's dialect, over the tables of both modes."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import csv
import json
import math
import sys
from datetime import date, datetime, timezone
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tick_pipeline.cli.options import deployment_of, instant
from tick_pipeline.cli.output import human_bytes, say, show_json, show_table
from tick_pipeline.errors import InputError, QueryError
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from tick_pipeline.resources.query_engine import Estimate

TABLE_ROWS = 100


class Format(str, Enum):
    """How rows are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def query(
    sql: Annotated[
        str | None, typer.Argument(help="One SELECT, WITH, SHOW, DESCRIBE or EXPLAIN.")
    ] = None,
    file: Annotated[str | None, typer.Option(help="A query of this project, by name.")] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", help="A parameter of --file, as symbol=AAPL.")
    ] = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="How rows are written.")
    ] = Format.TABLE,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Tell partitions, files and bytes; run nothing.")
    ] = False,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Read Iceberg's tables as they were then; ISO 8601, UTC."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Query iceberg.ticks, parquet_projection.aggregated_1m and their sisters."""
    if (sql is None) == (file is None):
        raise InputError(f"query takes one SQL text, or --file with one of {', '.join(_names())}")
    if param and file is None:
        raise InputError("--param belongs to --file; write the values into the SQL text")
    engine = deployment_of(load_settings()).query_engine()
    parameters = dict(_parameter(text) for text in param or [])
    form = Format.JSON if as_json else output_format
    as_of_us = None if as_of is None else instant(as_of, "--as-of")
    if estimate:
        found = (
            engine.estimate_file(file, parameters, as_of_us=as_of_us)
            if file
            else engine.estimate(sql or "", as_of_us=as_of_us)
        )
        _show_estimate(found, form)
        return
    result = (
        engine.run_file(file, parameters, as_of_us=as_of_us)
        if file
        else engine.run(sql or "", as_of_us=as_of_us)
    )
    _write(result.table, form)


def _names() -> list[str]:
    from tick_pipeline.queries.catalogue import query_names

    return query_names()


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError(f"--param {text!r}: write it as name=value")
    return name.strip(), value


def _show_estimate(estimate: Estimate, form: Format) -> None:
    for warning in estimate.warnings:
        say(f"warning: {warning}")
    if form is Format.JSON:
        show_json(estimate)
        return
    show_table(
        ("table", "partitions", "of", "files", "bytes"),
        [
            (
                scan.table,
                scan.partitions,
                "more" if scan.partitions_total is None else scan.partitions_total,
                scan.files,
                human_bytes(scan.bytes),
            )
            for scan in estimate.tables
        ],
        title="the query would read",
    )


def _write(table: pa.Table, form: Format) -> None:
    columns = list(table.column_names)
    if form is Format.TABLE:
        rows = _rows(table.slice(0, TABLE_ROWS))
        show_table(columns, [[_for_people(value) for value in row] for row in rows])
        if table.num_rows > TABLE_ROWS:
            say(f"{TABLE_ROWS} of {table.num_rows:,} rows; --format csv or json writes all")
    elif form is Format.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_as_csv(value) for value in row] for row in _rows(table))
    else:
        twice = sorted({name for name in columns if columns.count(name) > 1})
        if twice:
            raise QueryError(f"two columns are named {twice[0]!r}; name them apart with AS")
        separator = "["
        for row in _rows(table):
            document = {name: _exact(value) for name, value in zip(columns, row, strict=True)}
            sys.stdout.write(f"{separator}\n{json.dumps(document, default=str, allow_nan=False)}")
            separator = ","
        sys.stdout.write("[]\n" if separator == "[" else "\n]\n")


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Rows by position: two columns may have one name."""
    for batch in table.to_batches(max_chunksize=10_000):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _as_csv(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    exact = _exact(value)
    return json.dumps(exact, default=str) if isinstance(exact, (list, dict)) else exact


def _exact(value: Any) -> Any:
    """A value that reads back exactly: repr of a double, ISO 8601 in UTC; JSON has no NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, datetime):
        moment = value.astimezone(timezone.utc) if value.tzinfo else value
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + ("Z" if value.tzinfo else "")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [_exact(item) for item in value]
    if isinstance(value, dict):
        return {name: _exact(item) for name, item in value.items()}
    return value


def _for_people(value: Any) -> Any:
    if not isinstance(value, (datetime, date)):
        return value
    return _exact(value).replace(".000000", "")
