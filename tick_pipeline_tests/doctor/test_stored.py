"""Whether the metadata describes what landed is judged by columns, values and what lies beside the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.doctor.stored import ModeStored, judge
from tick_pipeline.event_time import parse_instant
from tick_pipeline.resources.null_columns import NullColumn
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from tick_pipeline.doctor.findings import Finding

ICEBERG, PARQUET = StorageMode
HOUR_US = parse_instant("2026-03-02T11:00:00Z")


def findings(mode: StorageMode = PARQUET, **changes: Any) -> dict[str, Finding]:
    known: dict[str, Any] = {"drift": (), "nulls": {}, "strays": ()}
    facts = ModeStored(mode=mode, tables=4, warehouse="/w/mode", **(known | changes))
    return {finding.subject: finding for finding in judge((facts,), "the 6 hours from then")}


def test_tables_as_their_contracts_have_them_are_well() -> None:
    assert {item.verdict.value for item in findings().values()} == {"ok"}
    assert findings(drift=None, nulls=None, strays=None) == {}


@pytest.mark.parametrize(
    ("mode", "lines", "step"),
    [
        (
            PARQUET,
            ("raw: x is y (in 1 of 3 files, as /w/a file.parquet)",),
            "mv '/w/a file.parquet' .",
        ),
        (PARQUET, ("raw: x is y (in 1 of 3 files, as s3://b/k)",), "aws s3 mv s3://b/k ."),
        (
            ICEBERG,
            ("iceberg.raw: x is y (in 2 of 3 files, as /w/f)",),
            "tick-pipeline maintain history raw tells which commit brought /w/f",
        ),
        # All files differ: it is not the file that is odd.
        (PARQUET, ("raw: x is y (in 3 of 3 files, as /w/f)",), "tick-pipeline contracts apply"),
        (PARQUET, ("raw: x is missing (in the catalog)",), "tick-pipeline contracts apply"),
    ],
)
def test_drift_fails_and_names_the_file_that_is_not_like_the_others(
    mode: StorageMode, lines: tuple[str, ...], step: str
) -> None:
    schema = findings(mode, drift=lines)["schema"]
    assert (schema.failure, schema.verdict.value) == ("schema-drift", "fail")
    assert lines[0] in schema.statement
    assert schema.next.startswith(step)


def test_a_column_without_values_fails() -> None:
    nulls = findings(nulls={"raw": (NullColumn("source", HOUR_US, 1234),)})["nulls"]
    assert (nulls.failure, nulls.verdict.value) == ("null-columns", "fail")
    assert "raw.source: null in all 1,234 rows of 2026-03-02T11:00:00Z" in nulls.statement


def test_strays_warn_and_only_the_first_are_shown() -> None:
    strays = findings(strays=tuple(f"raw/{number}.csv: outside" for number in range(8)))["strays"]
    assert (strays.failure, strays.verdict.value) == ("stray-objects", "warn")
    assert strays.evidence == {str(n + 1): f"raw/{n}.csv: outside" for n in range(5)} | {"more": 3}
