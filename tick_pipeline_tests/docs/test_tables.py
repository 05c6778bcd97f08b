"""`docs/tables.md` is what the contracts give."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tick_pipeline.contracts.contract import Contract, Field, Rule, load_contract
from tick_pipeline.contracts.types import arrow_schema, iceberg_schema
from tick_pipeline.event_time import format_short
from tick_pipeline.landing.iceberg_sink import IcebergSink
from tick_pipeline.landing.parquet_sink import ParquetSink
from tick_pipeline.queries.relations import RECEIVED, Relation
from tick_pipeline.resources.iceberg import partition_column
from tick_pipeline.storage import (
    ANOMALIES,
    CANDLE_TABLES,
    DEFAULT_LOAD_DATA_MODE,
    PARTITION_KEYS,
    RAW,
    TICKS,
    StorageMode,
    error_location,
    table_location,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"
ICEBERG, PARQUET = StorageMode.ICEBERG, StorageMode.PARQUET_PROJECTION
#: One table of each column that partitions.
_BY_COLUMN = (RAW, CANDLE_TABLES[0], ANOMALIES)

_HEAD = """\
# The tables of both modes

Written by `python -m tick_pipeline_tests.docs.test_tables` from `tick_pipeline/contracts/`; a test compares them.
Both modes, `iceberg` and `parquet_projection`, have the same tables. Read `ticks`, not `raw`: it is the same in both.
"""
_RAW = """\
Every column but `event_ts` may hold a null: raw keeps what landed. A row that breaks a rule is *invalid*: it stays in
raw, `ticks` leaves it out, and the query `invalid_ticks` counts it under the rule's name. What never becomes a row is
*malformed*: [landing.md](landing.md#malformed).
"""
_VIEWS = """\
Two views of each mode's raw, alike in both modes. `ticks` holds the valid rows, each once: of rows with an equal key the
first of the order. `received` holds every row of raw, with the name of the first rule that it breaks in `broken_rule`
(null for a valid row). The types are Athena's.
"""
_CANDLES = """\
`aggregated_1m` and `aggregated_5m` have the same columns. A bucket is half-open; one without trades has no row.
"""
_ANOMALIES = """\
No column holds a null. A tick that is anomalous by two metrics has two rows.
"""
_DIFFERENCES = """\
Bad records are told apart in the same way locally; on AWS Firehose differs per mode:
[what Firehose does differently](landing.md#what-firehose-does-differently). Which mode to keep: [choices.md](choices.md).
"""


def tables_page() -> str:
    """The page, from the contracts and from the functions that name places and types."""
    tick, candle, anomaly = (load_contract(name) for name in ("tick", "candle", "anomaly"))
    parts = [
        _HEAD,
        "## `raw`\n",
        _facts("one record of the stream as it landed, copies included", tick, RAW),
        _RAW,
        _stored_columns(tick),
        _table(("rule", "what it asks"), _rules(tick)),
        "## `ticks` and `received`\n",
        _VIEWS,
        _view_columns(),
        "## `aggregated_1m` and `aggregated_5m`\n",
        _facts(candle.grain, candle, CANDLE_TABLES[0]),
        _CANDLES,
        _stored_columns(candle),
        "## `anomalies`\n",
        _facts(anomaly.grain, anomaly, ANOMALIES),
        _ANOMALIES,
        _stored_columns(anomaly),
        "## What differs between the modes\n",
        _DIFFERENCES,
        _table(("", f"`{ICEBERG}`", f"`{PARQUET}`"), _differences()),
    ]
    return "\n".join(parts)


def _facts(row: str, contract: Contract, table: str) -> str:
    facts = [f"One row is {row}.", f"Key: {_names(contract.key)}."]
    if contract.order != contract.key:
        facts.append(f"Order: {_names(contract.order)}.")
    facts.append(f"Partitioned by the UTC hour of `{partition_column(table)}`.")
    return "\n".join(facts) + "\n"


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in columns)


def _stored_columns(contract: Contract) -> str:
    iceberg = {column["name"]: column["type"] for column in iceberg_schema(contract)["fields"]}
    arrow = arrow_schema(contract, PARQUET)
    rows = [
        (
            f"`{column.name}`",
            iceberg[column.name],
            str(arrow.field(column.name).type),
            _meaning(column),
        )
        for column in contract.fields
    ]
    keys = (_names(PARTITION_KEYS), "no such columns", "string", "partition keys, zero-padded")
    header = ("column", "Iceberg type", "Parquet type (Arrow's name)", "meaning")
    return _table(header, [*rows, keys])


def _meaning(column: Field) -> str:
    text = f"{column.description} ({column.unit})" if column.unit else column.description
    return text.replace("<", "&lt;")


def _rules(contract: Contract) -> list[tuple[str, str]]:
    """Every rule's name, as queries and checks tell it, and what it asks."""
    found: list[tuple[str, str]] = []
    for column in contract.fields:
        if column.convertible:
            start, end = (format_short(us) for us in column.convertible)
            found.append(("malformed otherwise", f"`{column.name}` in [{start}, {end})"))
        elif column.required:
            found.append((f"`{column.name}_null`", f"`{column.name}` is not null"))
        found.extend(
            (f"`{column.name}_{rule.name}`", f"`{column.name}` {_claim(rule)}")
            for rule in column.rules
        )
    return found


def _claim(rule: Rule) -> str:
    return {
        "min_length": f"has {rule.value} or more characters",
        "minimum": f">= {rule.value}",
        "exclusive_minimum": f"> {rule.value}",
        "finite": "is finite",
        "pattern": f"matches `{rule.value}`",
        "iso_of": f"is `{rule.value}` as text",
    }[rule.name]


def _view_columns() -> str:
    ticks = Relation(ICEBERG, TICKS).columns
    received = Relation(ICEBERG, RECEIVED).columns
    return _table(
        ("column", "type", "in"),
        (
            (f"`{name}`", kind, "both" if name in ticks else f"`{RECEIVED}`")
            for name, kind in received.items()
        ),
    )


def _differences() -> list[tuple[str, ...]]:
    keys = "/".join(f"{key}=…" for key in PARTITION_KEYS)
    tick = load_contract("tick")
    return [
        (
            "table",
            *(f"`{table_location('<warehouse>', mode, '<table>')}`" for mode in (ICEBERG, PARQUET)),
        ),
        (
            "partitioned by",
            f"{_names(f'hour({partition_column(table)})' for table in _BY_COLUMN)}: hidden",
            f"folders `{keys}`, also columns",
        ),
        (
            "`event_ts` of raw",
            next(c["type"] for c in iceberg_schema(tick)["fields"] if c["name"] == "event_ts"),
            str(arrow_schema(tick, PARQUET).field("event_ts").type),
        ),
        ("what lists the files", "the catalog: one SQLite file", "the folders of the hours"),
        (
            "an hour of candles or anomalies is replaced by",
            "one snapshot",
            "one rename; an hour without rows loses its file",
        ),
        (
            "the stream of anomalies adds",
            "one snapshot with the keys that are absent",
            "the keys that are absent, by one rename for each hour",
        ),
        (
            "delivery's checkpoint",
            "in the snapshot, with the rows",
            "beside it: a retry writes the same file names",
        ),
        ("earlier states", "snapshots, until they are expired", "none"),
        (
            "malformed records under",
            f"`{error_location('<warehouse>', ICEBERG, IcebergSink.error_type)}`",
            f"`{error_location('<warehouse>', PARQUET, ParquetSink.error_type)}`",
        ),
        (
            "how Spark reads raw unless told otherwise",
            *(f"`{DEFAULT_LOAD_DATA_MODE[mode]}`" for mode in (ICEBERG, PARQUET)),
        ),
    ]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    escaped = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped) + "\n"


def test_the_page_of_tables_is_what_the_contracts_give() -> None:
    """After a wanted change: `python -m tick_pipeline_tests.docs.test_tables`, then read the diff."""
    assert PAGE.read_text(encoding="utf-8") == tables_page()


def write_page() -> None:
    """Write the page anew."""
    PAGE.write_text(tables_page(), encoding="utf-8")


if __name__ == "__main__":
    write_page()
