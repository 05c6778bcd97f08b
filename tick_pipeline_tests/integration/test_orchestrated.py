"""The pipeline as Dagster runs it: one job over real hours, and each check on data broken in its way."""

# pyarrow has no types, parts of Dagster's are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tick_pipeline.definitions import defs
from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE, hours_of, now_us, widen_to_hours
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.orchestration.local_runs import run_job
from tick_pipeline.orchestration.partitions import Window, partition_key
from tick_pipeline.orchestration.tables import OHLC_TABLES
from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import StorageMode, hour_partition
from tick_pipeline.stream.segments import LocalStream
from tick_pipeline_tests.integration.pipeline import MODES, Pipeline, without_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

pytestmark = pytest.mark.spark
PARQUET, ICEBERG = StorageMode.PARQUET_PROJECTION, StorageMode.ICEBERG
_WARN, _ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


@dataclass(frozen=True)
class Steady:
    """A HOME after three hours of steady trading and one run of `ohlc_batch` over them.

    `minutes` were over when the run had ended, ten of them too young to count.
    """

    pipeline: Pipeline
    sent: int
    minutes: int
    window: Window
    run: dg.ExecuteInProcessResult

    def check(self, mode: StorageMode, table: str, name: str) -> dg.AssetCheckEvaluation:
        """Run one check over the window."""
        with self.pipeline.here(), open_instance(self.home, load_settings()) as instance:
            key = dg.AssetCheckKey(dg.AssetKey([mode.value, table]), name)
            job = dg.define_asset_job("one_check", selection=dg.AssetSelection.checks(key))
            loaded = dg.Definitions.merge(defs(), dg.Definitions(jobs=[job]))
            done = loaded.resolve_job_def("one_check").execute_in_process(
                instance=instance, raise_on_error=False
            )
            [found] = done.get_asset_check_evaluations()
            return found

    @property
    def home(self) -> Any:
        """The HOME, opened."""
        return open_home(load_settings(home=self.pipeline.home, _env_file=None))


@pytest.fixture(scope="module")
def steady(new_pipeline: Callable[..., Pipeline]) -> Steady:
    pipeline = new_pipeline()
    produced = pipeline.json(
        "produce", "--scenario=steady", "--duration=7200", "--rate=10", "--symbols=4", "--past"
    )
    window = Window(*widen_to_hours(produced["start_us"], produced["end_us"]))
    with pipeline.here():
        home = open_home(load_settings())
        with open_instance(home, load_settings()) as instance:
            run = run_job(instance, "ohlc_batch", window)
    assert run.success
    minutes = now_us() // US_PER_MINUTE - produced["start_us"] // US_PER_MINUTE
    return Steady(pipeline, produced["sent"], minutes, window, run)


def _keys() -> list[dg.AssetKey]:
    return [dg.AssetKey([mode.value, table]) for mode in MODES for table in OHLC_TABLES]


def test_one_run_materializes_every_hour_of_its_range(steady: Steady) -> None:
    """In both modes, each table, as partitions of the instance."""
    hours = {partition_key(us) for us in hours_of(steady.window.start_us, steady.window.end_us)}
    assert len(hours) >= 3
    with steady.pipeline.here(), open_instance(steady.home, load_settings()) as instance:
        for key in _keys():
            assert instance.get_materialized_partitions(key) == hours


def test_every_check_of_steady_trading_is_green(steady: Steady) -> None:
    """The promises both_modes_agree, five_is_five_ones, candles_match_sql and gaps_are_seen, as checks."""
    found = steady.run.get_asset_check_evaluations()
    assert len(found) == 25
    assert [check for check in found if not check.passed] == []


def test_a_materialization_tells_rows_window_bytes_and_how_it_was_read(steady: Steady) -> None:
    events = [
        event.step_materialization_data.materialization
        for event in steady.run.get_asset_materialization_events()
    ]
    by_key: dict[str, Any] = {event.asset_key.to_user_string(): event.metadata for event in events}
    for mode, read_mode in ((ICEBERG, "iceberg"), (PARQUET, "parquet")):
        raw = by_key[f"{mode}/raw"]
        assert raw["dagster/row_count"].value == raw["landed"].value == steady.sent
        assert raw["bytes"].value > 100_000
        candles = by_key[f"{mode}/aggregated_1m"]
        assert candles["read mode"].value == read_mode
        assert candles["ticks read"].value == steady.sent
        assert candles["window"].value == str(steady.window)
        assert candles["run id"].value == raw["run id"].value == steady.run.run_id
        assert isinstance(candles["prices"], dg.TableMetadataValue)
        assert len(candles["prices"].records) == 4
        # Of four symbols, from the first tick until ten minutes ago.
        assert 4 * 105 <= candles["with a candle"].value <= 4 * (steady.minutes - 10)
        assert (candles["symbols"].value, candles["lost data"].value) == (4, 0)
        assert "no trade" not in by_key[f"{mode}/aggregated_5m"]


def test_the_job_tells_its_run_what_it_does(steady: Steady) -> None:
    """Its log comes through Pipes, line by line."""
    with steady.pipeline.here(), open_instance(steady.home, load_settings()) as instance:
        told = [entry.user_message for entry in instance.all_logs(steady.run.run_id)]
    for mode in MODES:
        assert any(line.startswith(f"{mode}: candles written") for line in told)


@pytest.mark.parametrize(
    "hours", [2, pytest.param(23, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])]
)
def test_a_backfill_in_one_run_equals_a_run_for_each_hour(
    new_pipeline: Callable[..., Pipeline], hours: int
) -> None:
    """One run of Spark per mode gives the candles that each hour alone gives.

    Ticks of so many hours before now touch one more, so that the longer one is a day.
    """
    pipeline = new_pipeline()
    options = (f"--duration={hours * 3600}", "--rate=2", "--symbols=2", "--past")
    produced = pipeline.json("produce", "--scenario=steady", *options)
    window = Window(*widen_to_hours(produced["start_us"], produced["end_us"]))
    with pipeline.here(), open_instance(open_home(load_settings()), load_settings()) as instance:
        assert run_job(instance, "ohlc_batch", window).success
        together = {mode: pipeline.candles(mode, "1m") for mode in MODES}
        for us in hours_of(window.start_us, window.end_us):
            assert run_job(instance, "ohlc_batch", Window(us, us + US_PER_HOUR)).success
    for mode in MODES:
        assert pipeline.candles(mode, "1m").equals(together[mode])


def test_a_moment_that_begins_no_hour_is_refused(steady: Steady) -> None:
    """Dagster itself would take the hour that follows, and be green."""
    key = partition_key(steady.window.start_us + 37 * US_PER_MINUTE)
    with steady.pipeline.here(), open_instance(steady.home, load_settings()) as instance:
        run = (
            defs()
            .resolve_job_def("ohlc_batch")
            .execute_in_process(
                instance=instance, tags={"dagster/partition": key}, raise_on_error=False
            )
        )
    assert not run.success
    assert f"{key} is no partition" in str(run.get_step_failure_events()[0].step_failure_data)


def test_candle_invariants_see_a_high_below_the_low(steady: Steady) -> None:
    with _changed(steady, "aggregated_1m", high=0.01):
        found = steady.check(PARQUET, "aggregated_1m", "candle_invariants")
    assert (found.passed, found.severity, found.blocking) == (False, _ERROR, True)
    assert steady.check(PARQUET, "aggregated_1m", "candle_invariants").passed


def test_candles_match_sql_sees_a_close_that_no_tick_had(steady: Steady) -> None:
    with _changed(steady, "aggregated_1m", notional=1.0):
        found = steady.check(PARQUET, "aggregated_1m", "candles_match_sql")
    assert (found.passed, found.severity) == (False, _ERROR)
    assert found.metadata["found"].value == 1
    assert steady.check(PARQUET, "aggregated_1m", "candles_match_sql").passed


def test_five_is_five_ones_sees_a_count_that_its_minutes_do_not_give(steady: Steady) -> None:
    with _changed(steady, "aggregated_5m", trade_count=1):
        found = steady.check(PARQUET, "aggregated_5m", "five_is_five_ones")
    assert (found.passed, found.severity) == (False, _ERROR)


@pytest.mark.parametrize("table", OHLC_TABLES)
def test_storage_parity_sees_a_row_that_one_mode_lost(steady: Steady, table: str) -> None:
    """A warning only: the current hour is still open."""
    path = _file(steady, table)
    first = np.arange(pq.read_metadata(path).num_rows) == 0
    with without_rows(path, first):
        found = steady.check(PARQUET, table, "storage_parity")
    assert (found.passed, found.severity) == (False, _WARN)
    delivered = f"{steady.sent:,} of {steady.sent:,} records"
    assert found.metadata["iceberg delivered"].value == delivered
    assert steady.check(PARQUET, table, "storage_parity").passed


def test_raw_gaps_tell_a_lost_sequence_number_and_its_range(steady: Steady) -> None:
    path = _file(steady, "raw")
    rows = pq.read_metadata(path).num_rows
    with without_rows(path, np.arange(rows) == rows // 2):
        found = steady.check(PARQUET, "raw", "raw_gaps")
    assert (found.passed, found.severity) == (False, _WARN)
    assert found.metadata["missing"].value == 1
    rows = found.metadata["rows"]
    assert isinstance(rows, dg.TableMetadataValue)
    [gap] = rows.records
    assert gap.data["first_missing"] == gap.data["last_missing"]


def test_session_coverage_tells_minutes_that_lost_their_ticks(steady: Steady) -> None:
    """Three of one symbol: gone from raw, and so from the candles."""
    gone: list[Any] = []
    for table, column in (("raw", "event_ts"), ("aggregated_1m", "first_us")):
        rows = pq.ParquetFile(_file(steady, table)).read([column, "symbol"])
        minutes = rows.column(column).to_numpy() // US_PER_MINUTE % 60
        symbols = rows.column("symbol").to_numpy(zero_copy_only=False)
        gone.append((minutes >= 20) & (minutes < 23) & (symbols == min(symbols)))
    with (
        without_rows(_file(steady, "raw"), gone[0]),
        without_rows(_file(steady, "aggregated_1m"), gone[1]),
    ):
        found = steady.check(PARQUET, "aggregated_1m", "session_coverage")
    assert (found.passed, found.severity) == (False, _WARN)
    assert found.metadata["lost data"].value == 3
    rows = found.metadata["rows"]
    assert isinstance(rows, dg.TableMetadataValue)
    [lost] = rows.records
    assert (str(lost.data["start"])[-6:], lost.data["minutes"]) == ("20:00Z", 3)
    assert steady.check(PARQUET, "aggregated_1m", "session_coverage").passed


def test_raw_quality_warns_of_an_invalid_row_and_fails_past_one_percent(steady: Steady) -> None:
    with _changed(steady, "raw", price=-1.0):
        found = steady.check(PARQUET, "raw", "raw_quality")
        assert (found.passed, found.severity) == (False, _WARN)
        assert found.metadata["invalid"].value == 1
    with _changed(steady, "raw", rows=2_000, price=-1.0):
        assert steady.check(PARQUET, "raw", "raw_quality").severity is _ERROR


def test_schema_drift_sees_a_column_that_the_contract_does_not_have(steady: Steady) -> None:
    path = _file(steady, "aggregated_1m")
    kept = path.read_bytes()
    rows = pq.ParquetFile(path).read()
    pq.write_table(rows.append_column("venue", pa.array(["X"] * len(rows))), path)
    found = steady.check(PARQUET, "aggregated_1m", "schema_drift")
    path.write_bytes(kept)
    assert (found.passed, found.severity) == (False, _ERROR)
    assert "venue" in (found.description or "")
    assert steady.check(PARQUET, "aggregated_1m", "schema_drift").passed


def test_error_records_tell_how_many_and_why(steady: Steady) -> None:
    """The last test: what is in the stream stays there."""
    assert steady.check(ICEBERG, "raw", "error_records").passed
    stream = LocalStream(steady.pipeline.home / "stream")
    stream.put(pa.array(["AAA"]), pa.array([json.dumps({"price": "?"}).encode()], pa.binary()))
    steady.pipeline.json("deliver")
    found = steady.check(ICEBERG, "raw", "error_records")
    assert (found.passed, found.severity) == (False, _WARN)
    assert found.metadata["error records"].value == 1
    quality = steady.check(ICEBERG, "raw", "raw_quality")
    assert (quality.passed, quality.metadata["error records"].value) == (False, 1)


def test_what_commands_did_without_a_run_is_reported(
    new_pipeline: Callable[..., Pipeline], tmp_path: Path
) -> None:
    """By hour; hours before the partitions begin are told without one."""
    pipeline = new_pipeline()
    produced = pipeline.json(
        "produce", "--scenario=steady", "--duration=60", "--rate=5", "--symbols=1", "--past"
    )
    pipeline.json("deliver")
    window = Window(*widen_to_hours(produced["start_us"], produced["end_us"]))
    pipeline.json("ohlc", *(f"--{name}={text}" for name, text in window.parameters.items()))
    touched = {partition_key(us) for us in hours_of(window.start_us, window.end_us)}
    tape = tmp_path / "old.csv"
    tape.write_text("event_time,symbol,price,volume\n2014-09-17T09:00:00Z,AAA,1,1\n", "utf-8")
    pipeline.json("replay", str(tape))
    pipeline.json("deliver")
    with pipeline.here(), open_instance(open_home(load_settings()), load_settings()) as instance:
        for key in _keys():
            assert instance.get_materialized_partitions(key) == touched
        [newest] = instance.fetch_materializations(dg.AssetKey(["iceberg", "raw"]), 1).records
    assert newest.partition_key is None
    assert newest.asset_materialization is not None
    assert newest.asset_materialization.metadata["landed"].value == 1


def _file(steady: Steady, table: str) -> Path:
    """The Parquet file of the window's second hour, which is whole."""
    hour = hour_partition(steady.window.start_us + US_PER_HOUR)
    [path] = [path for path in steady.pipeline.files(PARQUET, table) if hour in str(path)]
    return path


@contextmanager
def _changed(steady: Steady, table: str, *, rows: int = 1, **values: float) -> Generator[None]:
    """The first rows of a table's hour with other values, while the block runs."""
    path = _file(steady, table)
    kept = path.read_bytes()
    table_rows = pq.ParquetFile(path).read()
    for name, value in values.items():
        column = table_rows.column(name).to_pylist()
        column[:rows] = [value] * rows
        index = table_rows.column_names.index(name)
        field = table_rows.schema.field(name)
        table_rows = table_rows.set_column(index, field, pa.array(column, field.type))
    pq.write_table(table_rows, path)
    try:
        yield
    finally:
        path.write_bytes(kept)
