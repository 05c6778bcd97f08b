"""What the run of a HOME was, measured: the load that it would be on AWS."""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tick_pipeline.errors import InputError
from tick_pipeline.resources.home_load import load_of_home, measure_home
from tick_pipeline.resources.landing import open_stream
from tick_pipeline.resources.table_stats import table_stats
from tick_pipeline.storage import RAW, StorageMode
from tick_pipeline_tests.queries.warehouse import land, tick

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings


@pytest.fixture
def run_home(home: Home, settings: Settings) -> Home:
    """A HOME with 180 ticks in two runs of 90 s, two hours apart, one of them invalid, and two reports."""
    stream = open_stream(home, settings)
    symbols = ["AAA", "AAA", "BBB"] * 60
    stream.put(pa.array(symbols), pa.array([b"x" * 200] * 180, pa.binary()))
    seconds = [*range(90), *range(7_200, 7_290)]
    ticks = [
        tick(symbol, second, number)
        for number, (symbol, second) in enumerate(zip(symbols, seconds, strict=True), 1)
    ]
    land(home, [*ticks, tick("AAA", 90_000, 999, price=-1.0)], tuple(StorageMode))
    for name, runs in (("ohlc-1", [6.0, 7.0]), ("anomalies-1", [8.0])):
        reports = [{"seconds": run, "storage_mode": "iceberg"} for run in runs]
        (home.reports / f"{name}.json").write_text(json.dumps(reports))
    return home


def test_a_run_is_measured_from_stream_tables_and_reports(
    run_home: Home, settings: Settings
) -> None:
    found = measure_home(run_home, settings)
    assert (found.records, found.landed) == (180, 181)
    # 200 bytes of data and 3 of the partition key.
    assert found.record_bytes == 203
    # Four minutes of event time saw a valid tick: the hours between do not count.
    assert (found.active_seconds, found.busiest_minute) == (240, 60)
    assert found.raw_bytes == {mode: table_stats(run_home, mode, RAW).bytes for mode in StorageMode}
    assert sorted(found.run_seconds) == [6.0, 7.0, 8.0]
    assert found.symbol_shares == {"AAA": Decimal("0.666666"), "BBB": Decimal("0.333333")}


def test_what_waits_in_the_stream_and_what_landed_twice_make_no_load_larger(
    run_home: Home, settings: Settings
) -> None:
    before = measure_home(run_home, settings)
    open_stream(run_home, settings).put(
        pa.array(["AAA"] * 500), pa.array([b"x" * 200] * 500, pa.binary())
    )
    land(run_home, [tick("AAA", 0, 1)] * 100, tuple(StorageMode))
    after = measure_home(run_home, settings)
    assert (after.records, after.busiest_minute) == (before.records, before.busiest_minute)


def test_a_short_run_is_as_long_as_its_ticks(home: Home, settings: Settings) -> None:
    """Not as the minutes that it touched."""
    open_stream(home, settings).put(pa.array(["AAA"]), pa.array([b"x"], pa.binary()))
    land(home, [tick("AAA", 50, 1), tick("AAA", 70, 2)], tuple(StorageMode))
    assert measure_home(home, settings).active_seconds == 20


def test_the_load_of_a_run_keeps_what_is_given(run_home: Home, settings: Settings) -> None:
    described = load_of_home(run_home, settings, {"hours": Decimal(24), "kms_key_enabled": True})
    assert described.load.records_per_second == Decimal("0.75")
    assert described.load.peak == 1
    assert described.load.kms_key_enabled
    assert described.origins["record_bytes"] == "measured"


def test_an_empty_home_has_nothing_to_measure(home: Home, settings: Settings) -> None:
    with pytest.raises(InputError, match="run `tick-pipeline demo`, or give --records-per-second"):
        load_of_home(home, settings, {"hours": Decimal(1)})
