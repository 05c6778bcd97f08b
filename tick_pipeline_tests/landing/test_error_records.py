"""Error prefixes: written as Firehose writes them, read whatever it wrote."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.event_time import parse_instant
from tick_pipeline.landing.error_records import UNREADABLE, ErrorRecord, read_errors, write_errors
from tick_pipeline.landing.error_store import LocalErrorStore
from tick_pipeline.storage import ErrorType, StorageMode

if TYPE_CHECKING:
    from pathlib import Path

ARRIVAL_US = parse_instant("2026-01-02T03:59:59.123456Z")
PARQUET = StorageMode.PARQUET_PROJECTION


def _record(data: bytes, arrival_us: int = ARRIVAL_US) -> ErrorRecord:
    return ErrorRecord("", "", "not_json", "Expecting value", arrival_us, data, "shard-0001", "42")


@pytest.mark.parametrize(
    ("error_type", "code_member"),
    [
        (ErrorType.FORMAT_CONVERSION_FAILED, "lastErrorCode"),
        (ErrorType.ICEBERG_FAILED, "errorCode"),
        (ErrorType.PROCESSING_FAILED, "errorCode"),
    ],
)
def test_an_object_lies_by_arrival_hour_and_has_firehoses_members(
    tmp_path: Path, error_type: ErrorType, code_member: str
) -> None:
    written = write_errors(
        str(tmp_path), PARQUET, error_type, "flush", [_record(b"\xffx")], ended_us=ARRIVAL_US + 1000
    )
    path = tmp_path / f"parquet_projection/_firehose_errors/{error_type}/2026/01/02/03/flush"
    assert written == (1, path.stat().st_size)
    assert json.loads(path.read_text()) == {
        "attemptsMade": 1,
        "arrivalTimestamp": ARRIVAL_US // 1000,
        code_member: "not_json",
        code_member.replace("Code", "Message"): "Expecting value",
        "attemptEndingTimestamp": ARRIVAL_US // 1000 + 1,
        "rawData": base64.b64encode(b"\xffx").decode(),
        "sequenceNumber": "42",
        "shardId": "shard-0001",
    }


def test_bad_records_are_kept_byte_for_byte_in_an_object_per_arrival_hour(tmp_path: Path) -> None:
    data = [b"", b"\n\n", b"\x00\xff", b'{"a":1}', "é".encode()]
    later_us = ARRIVAL_US + 1_000_000
    records = [_record(item) for item in data] + [_record(b"later", later_us)]
    objects, _ = write_errors(
        str(tmp_path), PARQUET, ErrorType.PROCESSING_FAILED, "a", records, ended_us=0
    )
    assert objects == 2
    found = list(read_errors(LocalErrorStore(tmp_path), PARQUET))
    assert [record.data for record in found] == [*data, b"later"]
    assert {record.path for record in found} == {
        "processing-failed/2026/01/02/03/a",
        "processing-failed/2026/01/02/04/a",
    }
    assert {(record.shard_id, record.sequence_number) for record in found} == {("shard-0001", "42")}


def test_writing_the_same_objects_again_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        write_errors(
            str(tmp_path), PARQUET, ErrorType.PROCESSING_FAILED, "a", [_record(b"x")], ended_us=0
        )
    assert len(list(read_errors(LocalErrorStore(tmp_path), PARQUET))) == 1


@pytest.mark.parametrize("prefix", ["error", "lastError", "Error"])
def test_the_reader_takes_every_spelling_of_the_code(tmp_path: Path, prefix: str) -> None:
    document = {
        f"{prefix}Code": "Iceberg.X",
        f"{prefix}Message": "why",
        "rawData": "eA==",
        "arrivalTimestamp": 1_767_225_600_000,
    }
    _place(tmp_path, "iceberg-failed/2026/01/01/00/object-1", json.dumps(document))
    [record] = read_errors(LocalErrorStore(tmp_path), PARQUET)
    assert (record.code, record.message, record.data) == ("Iceberg.X", "why", b"x")
    assert record.arrival_us == 1_767_225_600_000_000


def test_the_reader_lists_unknown_types_and_skips_no_line(tmp_path: Path) -> None:
    """What cannot be read is a record too: it tells its place, its hour and its bytes."""
    lines = ["garbage", "[]", '{"rawData":"***"}', '{"errorCode":"x"}', '{"rawData":"eA=="}']
    _place(tmp_path, "brand-new-failed/2026/01/01/05/object", "\n".join(lines))
    found = list(read_errors(LocalErrorStore(tmp_path), PARQUET))
    assert {record.error_type for record in found} == {"brand-new-failed"}
    assert [record.code for record in found] == [UNREADABLE] * 4 + ["unknown"]
    assert found[0].data == b"garbage"
    assert {record.arrival_us for record in found} == {parse_instant("2026-01-01T05:00:00Z")}


def test_compressed_objects_are_read_and_a_torn_one_is_told(tmp_path: Path) -> None:
    """As a Firehose writes them that compresses what it writes."""
    line = json.dumps({"errorCode": "E", "rawData": "eA==", "arrivalTimestamp": 0}).encode()
    folder = tmp_path / "parquet_projection/_firehose_errors/iceberg-failed/2026/01/01/00"
    folder.mkdir(parents=True)
    whole = gzip.compress(line + b"\n" + line)
    (folder / "a-whole").write_bytes(whole)
    (folder / "b-torn").write_bytes(whole[:-12])
    found = list(read_errors(LocalErrorStore(tmp_path), PARQUET))
    assert [record.code for record in found] == ["E", "E", UNREADABLE]
    assert found[2].data == whole[:-12]
    assert "not GZIP" in found[2].message


def test_no_error_prefix_means_no_errors(tmp_path: Path) -> None:
    assert list(read_errors(LocalErrorStore(tmp_path), StorageMode.ICEBERG)) == []


def _place(warehouse: Path, name: str, text: str) -> None:
    path = warehouse / "parquet_projection/_firehose_errors" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
