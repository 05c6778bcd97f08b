"""How severe a difference is, and what a check tells of its query."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import dagster as dg
import pyarrow as pa
import pytest

from tick_pipeline.orchestration.checks import no_rows, parity_severity
from tick_pipeline.orchestration.partitions import Window
from tick_pipeline.resources.query_engine import QueryResult

_WARN, _ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
_WINDOW = Window(0, 3_600_000_000)


@pytest.mark.parametrize(
    ("closed", "iceberg", "parquet", "severity"),
    [
        (True, True, True, _ERROR),
        (False, True, True, _WARN),
        (True, False, True, _WARN),
        (True, True, False, _WARN),
        (False, False, False, _WARN),
    ],
)
def test_a_difference_is_an_error_once_nothing_can_still_be_landing(
    closed: bool, iceberg: bool, parquet: bool, severity: dg.AssetCheckSeverity
) -> None:
    delivered = {"iceberg": iceberg, "parquet_projection": parquet}
    assert parity_severity(closed=closed, delivered=delivered) is severity


def test_no_row_passes() -> None:
    result = QueryResult(pa.table({"symbol": pa.array([], pa.string())}), 0.01, 3, 900)
    found = no_rows(_WINDOW, result, otherwise="candles are wrong")
    assert (found.passed, found.description) == (True, None)
    assert found.metadata["files"] == dg.MetadataValue.int(3)


def test_what_the_engine_tells_of_its_run_is_told() -> None:
    result = QueryResult(pa.table({"a": []}), 0.01, None, 900, {"query_id": "q-1"})
    found = no_rows(_WINDOW, result, otherwise="candles are wrong").metadata
    assert found["query_id"] == dg.MetadataValue.text("q-1")
    assert found["files"] == dg.MetadataValue.null()


def test_rows_fail_and_are_shown_twenty_at_most() -> None:
    result = QueryResult(pa.table({"symbol": [f"S{number}" for number in range(50)]}), 0.01, 3, 900)
    found = no_rows(_WINDOW, result, otherwise="candles are wrong")
    assert (found.passed, found.description) == (False, "candles are wrong: 50")
    assert found.metadata["found"] == dg.MetadataValue.int(50)
    shown = found.metadata["rows"]
    assert isinstance(shown, dg.TableMetadataValue)
    assert len(shown.records) == 20
