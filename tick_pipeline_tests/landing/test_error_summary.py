"""The error records of late: counted by arrival, reason and folder; nothing unreadable is passed over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE, parse_instant
from tick_pipeline.landing.error_records import UNREADABLE, ErrorRecord, read_errors, write_errors
from tick_pipeline.landing.error_store import Arrivals, LocalErrorStore
from tick_pipeline.landing.error_summary import ErrorSummary, recent_errors
from tick_pipeline.storage import ErrorType, StorageMode, error_root

SINCE_US = parse_instant("2026-01-02T03:30:00Z")
ICEBERG = StorageMode.ICEBERG
NOTHING = ErrorSummary(0, {}, {}, None, None, 0, {})


def write(warehouse: Path, error_type: ErrorType, *found: tuple[str, str, int]) -> None:
    """Write records of (code, message, arrival in microseconds) as landing does."""
    records = [ErrorRecord("", "", code, message, us, b"x") for code, message, us in found]
    write_errors(str(warehouse), ICEBERG, error_type, "flush", records, ended_us=SINCE_US)


def place(warehouse: Path, name: str, *lines: dict[str, Any] | str) -> Path:
    """Put an object of those lines below the error root."""
    path = Path(error_root(str(warehouse), ICEBERG), name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines))
    return path


def record(**members: Any) -> dict[str, Any]:
    return {"rawData": "eA==", "arrivalTimestamp": SINCE_US // 1000, **members}


def recent(warehouse: Path, since_us: int = SINCE_US) -> ErrorSummary:
    return recent_errors(LocalErrorStore(warehouse), ICEBERG, since_us)


def test_records_that_arrived_since_then_are_counted_by_reason_and_folder(tmp_path: Path) -> None:
    later_us = SINCE_US + 5 * US_PER_HOUR
    write(
        tmp_path,
        ErrorType.ICEBERG_FAILED,
        ("not_json", "Expecting value at character 3", SINCE_US),
        ("not_json", "Expecting value at character 9", SINCE_US + 1000),
        ("no_event_time", "event_ts is absent or null", later_us),
        ("no_event_time", "event_ts is absent or null", later_us + 1000),
        ("no_event_time", "event_ts is absent or null", later_us),
        ("not_utf8", "too old", SINCE_US - 1000),
    )
    write(tmp_path, ErrorType.PROCESSING_FAILED, ("not_json", "", SINCE_US + 2000))
    assert recent(tmp_path) == ErrorSummary(
        count=6,
        by_reason={"not_json": 3, "no_event_time: event_ts is absent or null": 3},
        by_type={"iceberg-failed": 5, "processing-failed": 1},
        newest_us=later_us + 1000,
        oldest_us=SINCE_US,
        objects=3,
        unreadable={},
    )


def test_no_error_and_only_old_errors_are_alike(tmp_path: Path) -> None:
    assert recent(tmp_path) == NOTHING
    write(tmp_path, ErrorType.ICEBERG_FAILED, ("not_json", "", SINCE_US - US_PER_MINUTE))
    assert recent(tmp_path) == NOTHING
    assert recent(tmp_path, 0).count == 1


def written_at(place: str | None, data: bytes) -> ErrorRecord:
    return ErrorRecord(
        "", "", "not_json", "", SINCE_US, data, place and "shard-0", sequence_number=place
    )


def test_a_record_that_was_delivered_again_counts_once(tmp_path: Path) -> None:
    """It is known by its place in the stream and its bytes: one that does not tell its place counts each time."""
    found = (("1", b"x"), ("2", b"x"), ("2", b"y"), (None, b"z"))
    records = [written_at(place, data) for place, data in found]
    for flush in ("first", "again"):
        write_errors(
            str(tmp_path), ICEBERG, ErrorType.ICEBERG_FAILED, flush, records, ended_us=SINCE_US
        )
    told = recent(tmp_path)
    assert (told.count, told.copies, told.by_reason) == (5, 3, {"not_json": 5})


def test_beyond_what_memory_keeps_each_copy_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tick_pipeline.landing.error_summary.MOST_KNOWN", 1)
    records = [written_at(place, b"x") for place in ("1", "2", "1", "2")]
    write_errors(str(tmp_path), ICEBERG, ErrorType.ICEBERG_FAILED, "a", records, ended_us=SINCE_US)
    assert (recent(tmp_path).count, recent(tmp_path).copies) == (3, 1)


def test_an_end_leaves_out_what_arrived_then_or_later(tmp_path: Path) -> None:
    until_us = SINCE_US + US_PER_HOUR
    arrivals = (SINCE_US - 1000, SINCE_US, until_us - 1000, until_us, until_us + US_PER_HOUR)
    write(tmp_path, ErrorType.ICEBERG_FAILED, *(("not_json", "", us) for us in arrivals))
    store = LocalErrorStore(tmp_path)
    found = recent_errors(store, ICEBERG, SINCE_US, until_us)
    assert (found.count, found.oldest_us, found.newest_us) == (2, SINCE_US, until_us - 1000)
    assert list(store.names(ICEBERG, Arrivals(SINCE_US, until_us))) == [
        "iceberg-failed/2026/01/02/03/flush",
        "iceberg-failed/2026/01/02/04/flush",
    ]


def test_a_mode_has_errors_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, ErrorType.ICEBERG_FAILED, ("not_json", "", SINCE_US))
    assert (
        recent_errors(LocalErrorStore(tmp_path), StorageMode.PARQUET_PROJECTION, SINCE_US)
        == NOTHING
    )


@pytest.mark.parametrize("member", ["errorCode", "lastErrorCode", "ErrorCode"])
def test_every_spelling_of_the_code_is_a_reason(tmp_path: Path, member: str) -> None:
    place(tmp_path, "iceberg-failed/2026/01/02/03/object", record(**{member: "Iceberg.NoTable"}))
    assert recent(tmp_path).by_reason == {"Iceberg.NoTable": 1}


def test_an_unknown_type_is_listed(tmp_path: Path) -> None:
    place(tmp_path, "brand-new-failed/2026/01/02/03/object", record(errorCode="E"))
    assert recent(tmp_path).by_type == {"brand-new-failed": 1}


def test_what_cannot_be_read_is_counted_and_told(tmp_path: Path) -> None:
    """Also where the hour is all that is known, or not even that; only an older hour's is left out."""
    place(tmp_path, "iceberg-failed/2026/01/02/03/half", record(errorCode="E"), "garbage", "[]")
    place(tmp_path, "iceberg-failed/somewhere/else", '{"rawData":"***"}')
    place(tmp_path, "iceberg-failed/undated", {"rawData": "eA==", "errorCode": "E"})
    place(tmp_path, "iceberg-failed/2026/01/02/02/old", "garbage")
    found = recent(tmp_path)
    assert (found.count, found.objects) == (5, 3)
    assert found.by_reason == {UNREADABLE: 3, "E": 2}
    assert {path: why.partition(":")[0] for path, why in found.unreadable.items()} == {
        "iceberg-failed/2026/01/02/03/half": "the line is no error record",
        "iceberg-failed/somewhere/else": "the line is no error record",
        "iceberg-failed/undated": "it does not say when its records arrived",
    }
    assert found.oldest_us == parse_instant("2026-01-02T03:00:00Z")


def test_an_object_that_cannot_be_opened_is_told_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not there any more expired: nothing to tell."""
    for name in ("a-broken", "b-gone", "c-whole"):
        place(tmp_path, f"iceberg-failed/2026/01/02/03/{name}", record(errorCode="E"))
    errors = {
        "a-broken": PermissionError(13, "Permission denied"),
        "b-gone": FileNotFoundError(2, "No such file"),
    }
    read = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name in errors:
            raise errors[path.name]
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    found = recent(tmp_path)
    assert found.by_reason == {
        "unreadable_error_record: the object cannot be read: Permission denied": 1,
        "E": 1,
    }
    assert found.unreadable == {
        "iceberg-failed/2026/01/02/03/a-broken": "the object cannot be read: Permission denied"
    }


def test_folders_of_older_hours_are_not_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour in ("2024/12/31/23", "2025/12/31/23", "2026/01/01/23", "2026/01/02/02"):
        place(tmp_path, f"iceberg-failed/{hour}/object", record(errorCode="E"))
    place(tmp_path, "iceberg-failed/2026/01/02/03/object", record(errorCode="E"))
    listed: list[str] = []
    iterdir = Path.iterdir

    def note(path: Path) -> Any:
        listed.append(path.relative_to(tmp_path / "iceberg" / "_firehose_errors").as_posix())
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", note)
    assert recent(tmp_path).count == 1
    assert [name.removeprefix("iceberg-failed") for name in listed] == [
        ".",
        "",
        "/2026",
        "/2026/01",
        "/2026/01/02",
        "/2026/01/02/03",
    ]
    monkeypatch.undo()
    assert len(list(read_errors(LocalErrorStore(tmp_path), ICEBERG))) == 5


def test_an_object_named_by_its_oldest_record_is_read_for_its_younger_ones(tmp_path: Path) -> None:
    """Firehose buffers up to 15 minutes: those of 03:05 may lie under 02."""
    since_us = parse_instant("2026-01-02T03:05:00Z")
    place(
        tmp_path,
        "iceberg-failed/2026/01/02/02/object",
        record(errorCode="E", arrivalTimestamp=since_us // 1000 - 600_000),
        record(errorCode="E", arrivalTimestamp=since_us // 1000),
    )
    assert recent(tmp_path, since_us).count == 1
