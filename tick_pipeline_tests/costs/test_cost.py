"""What a load costs: the figures that are known, and what holds of every load."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tick_pipeline.costs.cost import aggregate, estimate, what_ifs
from tick_pipeline.costs.prices import load_prices
from tick_pipeline.costs.units import BYTES_A_GB
from tick_pipeline.settings import PREFIX, Settings
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.costs.loads import EMPTY, load, loads

if TYPE_CHECKING:
    from tick_pipeline.costs.bill import Row
    from tick_pipeline.costs.load import Load

PRICES = load_prices("us-east-1")
#: An estimate takes a millisecond, and longer on a machine at work.
properties = settings(max_examples=60)
VARIABLES_FILE = Path(__file__).parents[2] / "terraform" / "variables.tf"
VARIABLES = VARIABLES_FILE.read_text(encoding="utf-8")
#: 1 GB/s for 30 days in records of 64 KB, on shards that were counted with 1,024 MB to the GB.
GIGABYTE_PER_SECOND = load(
    15_625,
    64_000,
    stream_mode="PROVISIONED",
    stream_shards=1_024,
    stream_retention_hours=168,
    fan_out_consumers=2,
)
PARQUET = (StorageMode.PARQUET_PROJECTION,)


def rows(described: Load, station: str) -> dict[str, Row]:
    """A station's rows by what they are for."""
    return {row.what: row for row in estimate(described, PRICES).rows if row.station == station}


def test_a_gigabyte_a_second_costs_117_thousand_on_provisioned_shards() -> None:
    found = rows(GIGABYTE_PER_SECOND, "Kinesis")
    assert {what: row.usd for what, row in found.items()} == {
        "shards": Decimal("11059.2"),
        "PUT units": Decimal(1_701),
        "retention to 7 days": Decimal("14745.6"),
        "fan-out consumers": Decimal("22118.4"),
        "fan-out reading": Decimal(67_392),
    }
    assert sum(row.usd for row in found.values()) == Decimal("117016.2")


def test_firehose_costs_173_thousand_for_as_much() -> None:
    """2.592 million GB at $0.029, $0.018 and $0.02, in records that are a multiple of 5 KB."""
    found = rows(load(10_000, 100_000, storage_modes=PARQUET), "Firehose")
    by_gigabyte = ("into Parquet", "conversion to Parquet", "partitioning")
    assert {found[what].units for what in by_gigabyte} == {Decimal(2_592_000)}
    assert sum(found[what].usd for what in by_gigabyte) == Decimal(173_664)


def test_firehose_counts_a_record_of_64_kilobytes_as_65() -> None:
    found = rows(replace(GIGABYTE_PER_SECOND, storage_modes=PARQUET), "Firehose")
    assert found["into Parquet"].units == Decimal(2_592_000) * 65 / 64
    assert "counts as 65,000: 1.0 x" in found["into Parquet"].note


def test_three_hours_of_the_demo_cost_what_terraforms_readme_tells() -> None:
    """Its table counts 1,024 bytes to the KB and rounds each station to the cent."""
    described = load(
        60,
        220,
        hours=Decimal(3),
        stream_mode="PROVISIONED",
        stream_shards=1,
        glue_max_workers=2,
        anomaly_stream_hours_per_day=Decimal(8),  # one of the three hours
        iceberg_maintainer="table_maintenance",
        alarms_enabled=False,
        log_retention_days=3,
    )
    readme = (VARIABLES_FILE.parent / "README.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"\*\*sum\*\* .*\*\*([0-9.]+)\*\*", readme)
    assert float(estimate(described, PRICES).total_usd) == pytest.approx(float(told), rel=0.02)


@pytest.mark.parametrize(
    ("queries", "gigabytes", "usd"), [(1_500, 144, 1_080), (1, 3_000, 15), (1, 200, 1)]
)
def test_athena_costs_five_dollars_a_terabyte(queries: int, gigabytes: int, usd: int) -> None:
    described = replace(
        EMPTY,
        queries_per_hour=Decimal(queries) / EMPTY.hours,
        query_bytes=gigabytes * BYTES_A_GB,
    )
    assert float(rows(described, "Athena")["queries"].usd) == pytest.approx(usd, abs=1e-4)


@pytest.mark.parametrize(
    ("query_bytes", "megabytes"), [(0, 10), (1, 10), (10_000_000, 10), (10_000_001, 11)]
)
def test_a_query_scans_ten_megabytes_at_least(query_bytes: int, megabytes: int) -> None:
    described = replace(EMPTY, queries_per_hour=Decimal(1), query_bytes=query_bytes)
    assert rows(described, "Athena")["queries"].units == Decimal(720 * megabytes) / 1_000_000


def test_a_stream_on_demand_counts_each_record_in_kilobytes() -> None:
    found = rows(load(1_000, 1_001, fan_out_consumers=1, stream_retention_hours=720), "Kinesis")
    written, read = Decimal(5_184), Decimal("2594.592")
    assert {what: row.units for what, row in found.items()} == {
        "stream": 720,
        "writing": written,
        # The streaming job reads by fan-out, so two share.
        "reading": read * 2,
        "fan-out reading": read,
        "retention to 7 days": written * 144 / 720,
        "retention beyond 7 days": written * 552 / 720,
    }


@pytest.mark.parametrize(
    ("seconds", "flex", "workers_wanted", "dpu_hours", "price"),
    [
        # A minute at least.
        (1, False, 2, Decimal(2) / 60, "0.44"),
        (180, False, 2, Decimal(2) / 20, "0.44"),
        (180, False, 3, Decimal(3) / 20, "0.44"),
        # Spare capacity is not worth its wait for a run of two workers.
        (180, True, 2, Decimal(2) / 20, "0.44"),
        (180, True, 3, Decimal(3) / 20, "0.29"),
    ],
)
def test_a_run_is_billed_by_its_workers_seconds(
    seconds: int, flex: bool, workers_wanted: int, dpu_hours: Decimal, price: str
) -> None:
    gib_a_second = Decimal(1 << 31) * (workers_wanted - 1) / 3_600 * Decimal("0.9")
    described = replace(
        EMPTY,
        records_per_second=gib_a_second / 1_000,
        record_bytes=1_000,
        stored_fraction=Decimal(1),
        storage_modes=PARQUET,
        batch_run_seconds=Decimal(seconds),
        glue_flex_enabled=flex,
    )
    row = rows(described, "Glue")["runs for candles"]
    assert float(row.units) == pytest.approx(float(dpu_hours * 720))
    assert row.price.usd == Decimal(price)


def test_workers_that_are_too_few_take_longer() -> None:
    """An hour of 8 GiB for one reading worker: four shares of half a minute, one after the other."""
    rate = Decimal(8 << 30) / 3_600 / 1_000
    described = load(
        0, 1_000, stored_fraction=Decimal(1), glue_max_workers=2, storage_modes=PARQUET
    )
    row = rows(replace(described, records_per_second=rate), "Glue")["runs for candles"]
    assert "of 270 s on 2 DPUs" in row.note


def test_the_archive_is_a_firehose_more() -> None:
    plain, archived = load(60, 229), load(60, 229, raw_archive_enabled=True)
    assert (
        rows(archived, "Firehose")["into the archive"].units
        == rows(plain, "Firehose")["into Parquet"].units
    )
    assert archived.polling_readers == plain.polling_readers + 1


def test_a_key_of_ones_own_is_a_dollar_a_month() -> None:
    assert set(rows(EMPTY, "KMS")) == {"requests"}
    assert rows(replace(EMPTY, kms_key_enabled=True), "KMS")["key"].usd == 1


def test_a_small_tick_pays_forty_times_its_size() -> None:
    small = load(60, 120, storage_modes=PARQUET)
    paid = rows(small, "Firehose")["into Parquet"]
    joined = rows(aggregate(small, 41), "Firehose")["into Parquet"]
    assert "41.7 x" in paid.note
    assert 40 < paid.usd / joined.usd < 42


def test_what_if_names_the_change_and_its_saving() -> None:
    described = load(60, 120)
    now = estimate(described, PRICES).total_usd
    found = {item.change: item for item in what_ifs(described, PRICES)}
    assert all(item.total_usd + item.saves_usd == now for item in found.values())
    assert found["41 ticks a record"].saves_usd > 0
    assert found["no streaming job"].saves_usd > Decimal("633.6")
    assert (
        found["storage_modes = iceberg"].saves_usd
        > found["storage_modes = parquet_projection"].saves_usd
    )
    assert "stream_mode = PROVISIONED with 1 stream_shards" in found
    assert [item.saves_usd for item in what_ifs(described, PRICES)] == sorted(
        (item.saves_usd for item in found.values()), reverse=True
    )


def test_what_if_is_only_what_changes_something() -> None:
    changes = {item.change for item in what_ifs(replace(EMPTY, storage_modes=PARQUET), PRICES)}
    # Without Iceberg there is nothing to maintain, and runs of two workers take no FLEX.
    assert changes == {"no streaming job"} | {
        change for change in changes if change.startswith("stream_mode = PROVISIONED")
    }
    provisioned = {item.change for item in what_ifs(GIGABYTE_PER_SECOND, PRICES)}
    assert "stream_mode = ON_DEMAND" in provisioned


def test_drivers_are_the_dearest_rows_with_their_settings() -> None:
    found = estimate(load(60, 229), PRICES)
    first = found.drivers[0]
    assert (first.station, first.what) == ("Glue", "anomalies from the stream")
    assert "anomaly_stream_max_hours" in first.settings
    assert [driver.usd for driver in found.drivers] == [row.usd for row in found.rows[:5]]
    assert 0.6 < first.share < 0.7
    assert next(iter(found.stations)) == "Glue"
    assert found.unverified == sum(not row.price.verified for row in found.rows)


@properties
@given(loads())
def test_every_row_names_settings_that_there_are(described: Load) -> None:
    variables = set(re.findall(r'^variable "(\w+)"', VARIABLES, re.MULTILINE))
    known = variables | {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for row in estimate(described, PRICES).rows:
        assert row.settings
        assert set(row.settings) <= known


@properties
@given(loads())
def test_rows_add_up_and_no_rounding_makes_them_less(described: Load) -> None:
    found = estimate(described, PRICES)
    assert found.total_usd == sum(row.usd for row in found.rows) == sum(found.stations.values())
    for row in found.rows:
        exact = row.units * row.price.usd
        assert exact <= row.usd < exact + Decimal("0.000001")
    assert found.rows == tuple(
        sorted(found.rows, key=lambda row: (-row.usd, row.station, row.what))
    )


@properties
@given(
    loads(),
    st.decimals(0, 10**5, places=2),
    st.integers(0, 10**5),
    st.integers(0, 1_000),
)
def test_more_load_never_costs_less(
    described: Load, records: Decimal, size: int, hours: int
) -> None:
    total = estimate(described, PRICES).total_usd
    for more in (
        replace(described, records_per_second=described.records_per_second + records),
        replace(described, record_bytes=described.record_bytes + size),
        replace(described, hours=described.hours + hours),
    ):
        assert estimate(more, PRICES).total_usd >= total


@properties
@given(loads())
def test_without_a_record_only_standing_charges_are_left(described: Load) -> None:
    empty = replace(described, records_per_second=Decimal(0), stored_bytes=0)
    assert all(row.standing for row in estimate(empty, PRICES).rows)
    standing = {(row.station, row.what) for row in estimate(empty, PRICES).rows}
    assert standing <= {(row.station, row.what) for row in estimate(described, PRICES).rows}


@properties
@given(loads())
def test_bytes_are_billed_as_they_are_or_as_more(described: Load) -> None:
    gigabytes = described.stream_bytes / BYTES_A_GB
    found = {(row.station, row.what): row.units for row in estimate(described, PRICES).rows}
    for what in ("into Parquet", "conversion to Parquet", "partitioning", "into the archive"):
        assert found.get(("Firehose", what), gigabytes) >= gigabytes
    assert found.get(("Kinesis", "writing"), gigabytes) >= gigabytes
    units = found.get(("Kinesis", "PUT units"), gigabytes * 40)
    assert units * 25_000 * 1_000_000 >= described.stream_bytes
