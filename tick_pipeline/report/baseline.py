"""The same ticks as raw JSON: how large the records are, plain and compressed, and how long a scan takes."""

# pyarrow and duckdb have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.rules import Dialect
from tick_pipeline.contracts.types import duckdb_columns
from tick_pipeline.producer.encode import encode_ticks, tick_schema
from tick_pipeline.queries.dialect import to_duckdb
from tick_pipeline.queries.views import view_sql
from tick_pipeline.report.comparison import Baseline
from tick_pipeline.report.standard_queries import VOLUME_BY_SYMBOL
from tick_pipeline.resources.duckdb_session import DUCKDB
from tick_pipeline.resources.query_plan import read_sql
from tick_pipeline.storage import PARTITION_KEYS, TICKS, StorageMode

if TYPE_CHECKING:
    from collections.abc import Callable

#: Ticks of the hour that are taken at most: about 50 MB of JSON.
MOST_TICKS = 250_000
_GZIP_LEVEL, _ZSTD_LEVEL = 6, 3


def measure_json(
    ticks: pa.Table, *, sampled: bool, timed: Callable[[Callable[[], float]], tuple[float, ...]]
) -> Baseline:
    """Write ticks as the producer does, and read them again.

    Args:
        ticks: columns of the contract, valid; at least one row.
        sampled: there are more of them.
        timed: runs what tells its wall seconds a few times.
    """
    records = encode_ticks(ticks.select(tick_schema().names).cast(tick_schema()))
    lines = b"\n".join(records.to_pylist()) + b"\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ticks.json"
        path.write_bytes(lines)
        runs = timed(lambda: _scan(path))
    return Baseline(
        ticks=len(ticks),
        sampled=sampled,
        json_bytes=len(lines),
        gzip_bytes=len(zlib.compress(lines, _GZIP_LEVEL)),
        zstd_bytes=pa.Codec("zstd", _ZSTD_LEVEL).compress(lines).size,
        query=VOLUME_BY_SYMBOL.name,
        engine=DUCKDB,
        runs=runs,
    )


def _scan(path: Path) -> float:
    """The standard query over the lines, de-duplicated and validated as in both modes; nothing prunes."""
    mode = StorageMode.PARQUET_PROJECTION
    types = duckdb_columns(load_contract("tick"), mode)
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items())
    keys = ", ".join(f"'' as {key}" for key in PARTITION_KEYS)
    raw = f"select *, {keys} from read_json('{path}', format = 'newline_delimited', columns = {{{columns}}})"  # noqa: S608  (the contract's names, our own path)
    began = time.monotonic()
    tree = read_sql(VOLUME_BY_SYMBOL.sql(mode, filtered=False), (mode,)).tree
    assert tree is not None  # noqa: S101  (it is a SELECT)
    with duckdb.connect() as connection:
        connection.execute(f"create schema {mode}")
        connection.execute(f"create view {mode}.raw as {raw}")
        connection.execute(f"create view {mode}.ticks as {view_sql(TICKS, mode, Dialect.DUCKDB)}")
        connection.execute(to_duckdb(tree)).fetchall()
    return time.monotonic() - began
