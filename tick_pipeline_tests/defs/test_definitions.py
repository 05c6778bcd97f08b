"""What the code location holds: each subject is one list, so that a change reads like a note."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from tick_pipeline.definitions import defs
from tick_pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

_BOTH = ("iceberg", "parquet_projection")
_OHLC = ("raw", "aggregated_1m", "aggregated_5m")
_TABLES = (*_OHLC, "anomalies")
_CHECKS = {
    "raw": ["error_records", "freshness_check", "raw_gaps", "raw_quality", "schema_drift"],
    "aggregated_1m": [
        "candle_invariants",
        "candles_match_sql",
        "freshness_check",
        "schema_drift",
        "session_coverage",
    ],
    "aggregated_5m": ["candle_invariants", "five_is_five_ones", "freshness_check", "schema_drift"],
    "anomalies": ["anomaly_sanity", "schema_drift"],
}


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TICK_PIPELINE_PARTITIONS_START", "2026-01-01T00:00:00Z")


def _checks() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key in sorted(defs().resolve_asset_graph().asset_check_keys):
        found.setdefault(key.asset_key.to_user_string(), []).append(key.name)
    return found


def test_the_assets() -> None:
    keys = defs().resolve_asset_graph().get_all_asset_keys()
    assert sorted(key.to_user_string() for key in keys) == [
        *sorted(f"{mode}/{table}" for mode in _BOTH for table in _TABLES),
        "storage_comparison",
        "stream/ticks",
    ]


def test_the_checks() -> None:
    expected = {f"{mode}/{table}": list(_CHECKS[table]) for mode in _BOTH for table in _TABLES}
    for table in _TABLES:
        expected[f"parquet_projection/{table}"].append("storage_parity")
    assert _checks() == {key: sorted(names) for key, names in sorted(expected.items())}


def test_candle_invariants_alone_are_blocking() -> None:
    """What is derived from a broken candle would be broken, too; the others only tell."""
    graph = defs().resolve_asset_graph()
    blocking = {key.name for key in graph.asset_check_keys if graph.get(key).blocking}
    assert blocking == {"candle_invariants"}


@pytest.mark.parametrize(
    ("name", "tables", "steps"),
    [("ohlc_batch", _OHLC, ("raw", "candles")), ("anomaly_batch", ("anomalies",), ("anomalies",))],
)
def test_the_jobs(name: str, tables: tuple[str, ...], steps: tuple[str, ...]) -> None:
    """Each makes its tables in every enabled mode, and runs their checks."""
    job = defs().resolve_job_def(name)
    selected = {key.to_user_string() for key in job.asset_layer.selected_asset_keys}
    assert selected == {f"{mode}/{table}" for mode in _BOTH for table in tables}
    checks = {
        f"{key.replace('/', '__')}_{check}"
        for key, names in _checks().items()
        for check in names
        if key.split("/")[1] in tables and check != "freshness_check"
    }
    made = {f"{mode}_{step}" for mode in _BOTH for step in steps}
    assert {node.name for node in job.nodes} == made | checks
    assert job.executor_def is dg.in_process_executor


def test_the_schedule() -> None:
    loaded = defs()
    schedule = loaded.resolve_schedule_def("ohlc_hourly")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("15 * * * *", "UTC")


def test_tables_are_looked_after_every_night_and_not_beside_a_run_of_their_candles() -> None:
    loaded = defs()
    schedule = loaded.resolve_schedule_def("maintenance_daily")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("40 3 * * *", "UTC")
    assert schedule.job_name == "table_maintenance"
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    steps = loaded.resolve_job_def("table_maintenance").nodes
    assert {step.name: step.definition.pool for step in steps} == {  # pyright: ignore[reportAttributeAccessIssue]
        f"look_after_{mode}": f"{mode}_candles" for mode in _BOTH
    }


def test_partitions_are_the_hours_since_their_start() -> None:
    """The current hour is one of them."""
    graph = defs().resolve_asset_graph()
    for mode in _BOTH:
        for table in _TABLES:
            asset = graph.get(dg.AssetKey([mode, table]))
            hours = asset.partitions_def
            assert isinstance(hours, dg.HourlyPartitionsDefinition)
            assert hours.get_first_partition_key() == "2026-01-01-00:00"
            assert hours.end_offset == 1
            assert asset.backfill_policy == dg.BackfillPolicy.single_run()


def test_every_table_says_what_one_row_is_who_owns_it_and_how_it_is_stored() -> None:
    graph = defs().resolve_asset_graph()
    for mode, kind in zip(_BOTH, ("iceberg", "parquet"), strict=True):
        for table in _TABLES:
            asset = graph.get(dg.AssetKey([mode, table]))
            assert (asset.description or "").startswith("One row is ")
            assert asset.owners == ["team:market-data"]
            assert kind in asset.kinds
            columns = asset.metadata["dagster/column_schema"].columns
            assert all(column.description for column in columns)


def test_one_writer_at_a_time_by_pools() -> None:
    """Each storage mode's raw, its candles and its anomalies have a pool of their own."""
    graph = defs().resolve_asset_graph()
    for mode in _BOTH:
        pools = [graph.get(dg.AssetKey([mode, table])).pools for table in _TABLES]
        names = ("raw", "candles", "candles", "anomalies")
        assert pools == [{f"{mode}_{name}"} for name in names]


def test_a_mode_that_is_switched_off_has_no_assets_and_is_not_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_STORAGE_MODES", "parquet_projection")
    found = _checks()
    assert list(found) == [f"parquet_projection/{table}" for table in sorted(_TABLES)]
    assert not any("storage_parity" in names for names in found.values())


def test_loading_makes_no_home(tmp_path: Path) -> None:
    defs().resolve_asset_graph()
    assert not (tmp_path / "home").exists()


def test_aws_without_the_names_that_terraform_gives_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_DEPLOYMENT", "aws")
    with pytest.raises(Exception) as raised:  # noqa: PT011  (Dagster wraps it)
        defs().resolve_asset_graph()
    causes: list[BaseException] = [raised.value]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    [ours] = [cause for cause in causes if isinstance(cause, SettingsError)]
    assert "TICK_PIPELINE_DEPLOYMENT=aws needs TICK_PIPELINE_AWS_REGION" in str(ours)
