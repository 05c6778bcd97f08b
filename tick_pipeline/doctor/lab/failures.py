"""Eight ways in which the pipeline breaks: what is done to a sandbox, and what mends it."""

# pyarrow and parts of pyiceberg have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import json
import shlex
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tick_pipeline.contracts.contract import table_contract
from tick_pipeline.contracts.types import arrow_schema
from tick_pipeline.errors import InputError
from tick_pipeline.event_time import (
    US_PER_HOUR,
    US_PER_MINUTE,
    US_PER_SECOND,
    as_datetime,
    format_instant,
    hour_floor,
    now_us,
)
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources.data_files import parquet_files
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.spark.request import OhlcRequest
from tick_pipeline.storage import RAW, StorageMode, candle_table, iceberg_identifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline.doctor.findings import Finding
    from tick_pipeline.doctor.lab.sandbox import Sandbox

_CANDLES = candle_table("1m")
_PARQUET = {"storage_modes": "parquet_projection"}
_CLOSED_SOON = {"close_after_seconds": 2, "buffer_seconds": 1}
_BLIND = "select symbol, max(price) as high from parquet_projection.ticks group by symbol"


@dataclass(frozen=True)
class Failure:
    """One way to break it.

    Attributes:
        name: of the failure, as the doctor's finding has it.
        description: what is done, one line.
        damage: breaks a sandbox that is empty so far.
        cure: the commands that mend it, of what the doctor found; without `tick-pipeline` before it, what a
            shell would do.
        settings: of the sandbox.
        sql: the query that the doctor is asked about.
        cured_sql: the same as it should be.
        no_cure: why no command mends it; empty where one does.
    """

    name: str
    description: str
    damage: Callable[[Sandbox], None]
    cure: Callable[[Sandbox, list[Finding]], list[str]]
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    sql: str | None = None
    cured_sql: str | None = None
    no_cure: str = ""


def find_failure(name: str) -> Failure:
    """The failure of that name.

    Raises:
        InputError: there is none; the message names them all.
    """
    if name not in FAILURES:
        raise InputError(f"there is no failure {name!r}; there are {', '.join(FAILURES)} and all")
    return FAILURES[name]


def _as_told(_: Sandbox, found: list[Finding]) -> list[str]:
    """What the doctor says to do, each once."""
    return list(dict.fromkeys(finding.next for finding in found))


def _stop_delivery(box: Sandbox) -> None:
    box.produce()
    box.deliver()
    box.produce()
    time.sleep(2.2 * box.settings.buffer_seconds)


def _poison(box: Sandbox) -> None:
    box.produce()
    start_us = now_us() - US_PER_MINUTE
    texts = [
        json.dumps({**_tick("AAPL", start_us + number * US_PER_SECOND, number), "price": "187.25"})
        for number in range(1, 41)
    ]
    _put(box, ["AAPL"] * len(texts), texts)
    box.deliver()


def _mix_schemas(box: Sandbox) -> None:
    box.produce()
    box.deliver()
    file = Path(parquet_files(box.home, RAW, TimeRange())[0].path)
    rows = pq.ParquetFile(file).read()
    place = rows.column_names.index("price")
    as_text = rows.set_column(place, "price", rows.column("price").cast(pa.string()))
    pq.write_table(as_text.drop_columns(["sent_ts"]), file.with_name("export.parquet"))


def _come_late(box: Sandbox) -> None:
    hour_us = hour_floor(now_us()) - 2 * US_PER_HOUR
    box.produce(start_us=hour_us, seconds=300)
    box.deliver()
    modes = box.settings.storage_modes
    hours = OhlcRequest(hour_us, hour_us + US_PER_HOUR, modes, None, ("1m", "5m"))
    box.deployment.spark_jobs().run_ohlc(hours)
    _put(box, ["AAPL"], [json.dumps(_tick("AAPL", hour_us + US_PER_MINUTE, 1))])
    box.deliver()


def _crumble(box: Sandbox) -> None:
    hour_us = hour_floor(now_us()) - 2 * US_PER_HOUR
    # Of some 800 ticks there are always more than the 600 that make files enough.
    box.produce(start_us=hour_us, seconds=200)
    box.deliver()


def _roll_back(box: Sandbox) -> None:
    box.produce()
    box.deliver()
    schema = arrow_schema(table_contract(_CANDLES), StorageMode.ICEBERG)
    minute_us = now_us() // US_PER_MINUTE * US_PER_MINUTE
    with closing(open_catalog(box.home.path)) as catalog:
        table = catalog.load_table(iceberg_identifier(_CANDLES))
        for symbol in ("AAPL", "MSFT"):
            table.append(pa.Table.from_pylist([_candle(symbol, minute_us)], schema))
        (first, _) = table.snapshots()
        table.manage_snapshots().set_current_snapshot(first.snapshot_id).commit()


def _heat(box: Sandbox) -> None:
    box.produce()
    box.produce(rate=40, symbols=1)
    box.deliver()


def _fill_hours(box: Sandbox) -> None:
    box.produce(start_us=hour_floor(now_us()) - 3 * US_PER_HOUR, seconds=3 * 3600, rate=0.5)
    box.deliver()


def _filter(*_: object) -> list[str]:
    return [shlex.join(["tick-pipeline", "query", "--estimate", _SEEING])]


def _redrive(*_: object) -> list[str]:
    return ["tick-pipeline redrive --coerce --put", "tick-pipeline deliver"]


def _nothing(*_: object) -> list[str]:
    return []


def _put(box: Sandbox, keys: list[str], records: list[str]) -> None:
    data = pa.array([record.encode() for record in records], pa.binary())
    box.deployment.stream().put(pa.array(keys), data)


def _tick(symbol: str, event_us: int, sequence: int) -> dict[str, Any]:
    return {
        "event_id": f"lab:{symbol}:{sequence}",
        "source": "lab",
        "sequence": sequence,
        "symbol": symbol,
        "price": 187.25,
        "volume": 100.0,
        "event_ts": event_us,
        "event_time": format_instant(event_us),
        "sent_ts": now_us(),
    }


def _candle(symbol: str, minute_us: int) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "bucket_start": as_datetime(minute_us),
        **dict.fromkeys(("open", "high", "low", "close", "vwap"), 187.25),
        "volume": 100.0,
        "notional": 18_725.0,
        "trade_count": 1,
        "first_us": minute_us,
        "last_us": minute_us,
    }


_SEEING = _BLIND.replace(
    " group by", " where event_at >= current_timestamp - interval '1' hour group by"
)

FAILURES = {
    failure.name: failure
    for failure in (
        Failure(
            "stopped-delivery",
            "records wait in the stream, and no process delivers them",
            _stop_delivery,
            _as_told,
            settings={"buffer_seconds": 0.5},
        ),
        Failure(
            "poison-records",
            "40 records have their price as a text, which no table can hold",
            _poison,
            _redrive,
        ),
        Failure(
            "schema-drift",
            "somebody's export lies among raw's files, with a text for the price and a column missing",
            _mix_schemas,
            _as_told,
        ),
        Failure(
            "late-hour",
            "a tick lands in an hour whose candles are made",
            _come_late,
            _as_told,
            settings=_CLOSED_SOON | _PARQUET,
        ),
        Failure(
            "small-files",
            "a buffer of ten records leaves an hour in a file for each of them",
            _crumble,
            _as_told,
            settings=_CLOSED_SOON | _PARQUET | {"buffer_records": 10},
        ),
        Failure(
            "stale-snapshot",
            "somebody rolls an Iceberg table back, and readers miss its newest rows",
            _roll_back,
            _as_told,
        ),
        Failure(
            "hot-shard",
            "one symbol trades ten times as much as all others together, so one shard takes it all",
            _heat,
            _nothing,
            no_cure="shards here are fixed; on Kinesis pin the symbol, or add shards",
        ),
        Failure(
            "missing-partition-filter",
            "a query over three hours that says nothing of time, so it reads all there is",
            _fill_hours,
            _filter,
            sql=_BLIND,
            cured_sql=_SEEING,
        ),
    )
}
