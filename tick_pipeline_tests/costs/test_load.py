"""A load: its bounds, its texts, its defaults, and where each figure is from."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tick_pipeline.costs.load import Load, parse_fields
from tick_pipeline.costs.measured import Measured, describe
from tick_pipeline.errors import InputError
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.costs.loads import EMPTY

VARIABLES = (Path(__file__).parents[2] / "terraform" / "variables.tf").read_text(encoding="utf-8")
MEASURED = Measured(
    records=108_000,
    record_bytes=229,
    landed=107_000,
    active_seconds=1_800,
    busiest_minute=4_200,
    raw_bytes={StorageMode.ICEBERG: 2_000_000, StorageMode.PARQUET_PROJECTION: 2_140_000},
    run_seconds=(10.0, 20.0),
    symbol_shares={"AAPL": Decimal("0.2")},
)


def test_defaults_are_terraforms() -> None:
    defaults = dict(
        re.findall(
            r'^variable "(\w+)" \{.*?^  default +=\s*(.*?)$', VARIABLES, re.MULTILINE | re.DOTALL
        )
    )
    shared = {
        field.name: getattr(EMPTY, field.name) for field in fields(Load) if field.name in defaults
    }
    assert len(shared) >= 12
    for name, value in shared.items():
        told = defaults[name].strip('"')
        assert told == {True: "true", False: "false", None: "null"}.get(value, str(value)) or (
            name == "storage_modes"
            and set(re.findall(r"\w+", told)) == {mode.value for mode in value}
        ), name


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"hours": Decimal(-1)}, "hours must be from 0"),
        ({"records_per_second": Decimal("NaN")}, "records_per_second must be from 0"),
        ({"records_per_second": Decimal("Infinity")}, "given: Infinity"),
        ({"record_bytes": -1}, "record_bytes must be from 0"),
        ({"stream_retention_hours": 23}, "from 24 to 8,760; given: 23"),
        ({"stream_shards": 0}, "stream_shards must be from 1"),
        ({"active_partitions": 0}, "active_partitions must be from 1"),
        ({"stream_mode": "SERVERLESS"}, "one of ON_DEMAND, PROVISIONED; given: SERVERLESS"),
        ({"glue_worker_type": "G.3X"}, "one of G.025X, G.1X"),
        ({"iceberg_maintainer": "nobody"}, "table_optimizers, table_maintenance"),
        ({"storage_modes": ()}, "one or both of"),
        ({"anomaly_stream_hours_per_day": Decimal(25)}, "from 0 to 24"),
    ],
)
def test_what_no_deployment_has_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        replace(EMPTY, **changes)


def test_fields_are_read_from_texts() -> None:
    texts = [
        "stream_retention_hours=168",
        "kms_key_enabled=true",
        " batch_run_seconds = 90.5",
        "stream_mode=PROVISIONED",
        "storage_modes=iceberg, parquet_projection",
        "query_bytes=1000",
    ]
    assert parse_fields(texts) == {
        "stream_retention_hours": 168,
        "kms_key_enabled": True,
        "batch_run_seconds": Decimal("90.5"),
        "stream_mode": "PROVISIONED",
        "storage_modes": tuple(StorageMode),
        "query_bytes": 1000,
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("shards=3", "shards is no part of a load; there are hours, "),
        ("stream_shards=three", "stream_shards=three cannot be used: it takes a whole number"),
        ("hours=", "takes a number"),
        ("kms_key_enabled=yes", "takes true or false"),
        ("storage_modes=hudi", "takes one or both of iceberg, parquet_projection"),
    ],
)
def test_a_wrong_text_is_told_with_what_is_allowed(text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parse_fields([text])


def test_what_was_measured_becomes_a_load() -> None:
    described = describe({"hours": Decimal(24)}, MEASURED)
    found = described.load
    assert (found.records_per_second, found.peak, found.record_bytes) == (60, 70, 229)
    # The larger of the two tables, by row.
    assert float(found.stored_fraction) == pytest.approx(20 / 229, abs=1e-6)
    # The mean of the runs and Glue's start.
    assert found.batch_run_seconds == 75
    assert {name for name, origin in described.origins.items() if origin == "measured"} == {
        "records_per_second",
        "record_bytes",
        "peak_records_per_second",
        "storage_modes",
        "stored_fraction",
        "batch_run_seconds",
    }
    assert described.origins["hours"] == "given"
    assert described.origins["kms_key_enabled"] == "assumed"


def test_what_is_given_wins_over_what_was_measured() -> None:
    described = describe({"hours": Decimal(24), "record_bytes": 500}, MEASURED)
    assert described.load.record_bytes == 500
    assert described.origins["record_bytes"] == "given"


def test_without_runs_and_bytes_the_rest_is_assumed() -> None:
    bare = Measured(
        records=60,
        record_bytes=200,
        landed=60,
        active_seconds=1,
        busiest_minute=60,
        raw_bytes={StorageMode.ICEBERG: 0},
    )
    described = describe({"hours": Decimal(1)}, bare)
    assert (
        described.origins["stored_fraction"] == described.origins["batch_run_seconds"] == "assumed"
    )


def test_nothing_to_measure_is_told() -> None:
    nothing = Measured(
        records=0, record_bytes=0, landed=0, active_seconds=1, busiest_minute=0, raw_bytes={}
    )
    with pytest.raises(InputError, match="0 records have landed, 0 of them ticks"):
        describe({"hours": Decimal(1)}, nothing)
    with pytest.raises(InputError, match="a load needs records_per_second"):
        describe({"hours": Decimal(1)})
