"""The twin's conversion of single records, and the golden error records that it is held to."""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tick_pipeline.event_time import as_datetime
from tick_pipeline.landing.error_records import read_errors
from tick_pipeline.landing.error_store import LocalErrorStore
from tick_pipeline.storage import StorageMode, error_root
from tick_pipeline_tests.twin.firehose_columns import IcebergColumns, OpenXColumns
from tick_pipeline_tests.twin.firehose_records import Arrived

ICEBERG = StorageMode.ICEBERG
GOLDEN = Path(__file__).with_name("golden") / "errors"


@pytest.mark.parametrize(
    ("given", "row"),
    [
        ('{"s": 5, "n": "7", "d": "1.5"}', ("5", 7, 1.5)),
        ('{"s": true, "n": 7.9, "d": 3}', ("true", 7, 3.0)),
        ('{"s": {"a": [1, null]}, "n": -7.9, "d": "NaN"}', ('{"a":[1,null]}', -7, float("nan"))),
        ('{"n": 1e400, "d": 1e400}', (None, 2**63 - 1, float("inf"))),
        ('{"s": null, "d": "1e2f"}', (None, None, 100.0)),
        ('{"N": 1, "n": 1, "n": 2, "x": [[]]}', (None, 2, None)),
        ('\ufeff{"s": "a\\ud800"}', ("a?", None, None)),
        ('{"n": "+7"}', (None, 7, None)),
    ],
)
def test_openx_turns_values_into_the_columns_type(given: str, row: tuple[Any, ...]) -> None:
    columns = OpenXColumns({"s": "string", "n": "bigint", "d": "double"})
    converted = columns.convert([Arrived(given.encode(), "1", 0)])
    assert not converted.failed
    (found,) = converted.table.to_pylist()
    assert repr(tuple(found.values())) == repr(row)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (b'{"n": "x"}', "MalformedData"),
        (b'{"n": ""}', "MalformedData"),
        (b'{"n": " 7"}', "MalformedData"),
        (b'{"n": "7.0"}', "MalformedData"),
        (b'{"n": true}', "MalformedData"),
        (b'{"n": [7]}', "MalformedData"),
        (b'{"n": 9223372036854775808}', "MalformedData"),
        (b'{"d": "nan"}', "MalformedData"),
        (b'{"d": {}}', "MalformedData"),
        (b"5", "MalformedData"),
        (b" ", "MalformedData"),
        (b'{"d": NaN}', "ParseError"),
        (b'{"d": 1', "ParseError"),
        (b'{"d": 1}{"d": 2}', "ParseError"),
        (b'{"x": "\xff"}', "ParseError"),
        (b'{"x": ' + b"[" * 100_000, "ParseError"),
    ],
)
def test_openx_fails_what_java_cannot_turn(given: bytes, code: str) -> None:
    columns = OpenXColumns({"s": "string", "n": "bigint", "d": "double"})
    converted = columns.convert([Arrived(given, "1", 0), Arrived(b"{}", "2", 0)])
    assert [failed.error.code for failed in converted.failed] == [f"DataFormatConversion.{code}"]
    assert converted.kept == [1]


@pytest.mark.parametrize(
    "given",
    [
        b'{"n": "7"}',
        b'{"n": 7.5}',
        b'{"n": true}',
        b'{"s": 5}',
        b'{"d": "1.5"}',
        b'{"t": "2026-01-01T00:00:00Z"}',
        b'{"t": 253402300800000000}',
        b'{"N": 1}',
        b"[1]",
        b"",
        b'{"n": 1} {"n": 2}',
        b'{"d": NaN}',
        b'{"s": "\xff"}',
        b'{"s": ' + b"[" * 100_000,
    ],
)
def test_iceberg_turns_nothing_into_another_type(given: bytes) -> None:
    kinds = {"s": pa.string(), "n": pa.int64(), "d": pa.float64(), "t": pa.timestamp("us", "UTC")}
    converted = IcebergColumns(pa.schema(kinds)).convert([Arrived(given, "1", 0)])
    assert converted.table.num_rows == 0
    assert [failed.error.error_type for failed in converted.failed] == ["iceberg-failed"]


def test_our_reader_reads_every_golden_error_record(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN, error_root(str(tmp_path), ICEBERG))
    found = list(read_errors(LocalErrorStore(tmp_path), ICEBERG))
    assert {record.error_type for record in found} == {path.name for path in GOLDEN.iterdir()}
    lines = [path.read_bytes().splitlines() for path in GOLDEN.rglob("*-1-*")]
    assert len(found) == sum(len(one) for one in lines)
    for record in found:
        assert re.fullmatch(r"[A-Z]\w+\.[A-Z]\w+", record.code)
        assert record.message
        assert record.arrival_us is not None
        assert as_datetime(record.arrival_us).strftime("%Y/%m/%d/%H") in record.path
        assert record.data.startswith(b"{")
