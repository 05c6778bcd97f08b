"""`anomalies run` and the job `anomaly_batch` over a whole pipeline, against each other and the checks."""

# pyarrow has no types, parts of Dagster's are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tick_pipeline.definitions import defs
from tick_pipeline.event_time import hours_of, widen_to_hours
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.orchestration.local_runs import run_job
from tick_pipeline.orchestration.partitions import Window, partition_key
from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import ANOMALIES, StorageMode
from tick_pipeline_tests.integration.pipeline import MODES, Pipeline, both_modes, without_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.spark
PARQUET, ICEBERG = StorageMode.PARQUET_PROJECTION, StorageMode.ICEBERG
_WARN, _ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


@dataclass(frozen=True)
class Scored:
    """A HOME after an hour of mixed trading, candles, and `anomalies run` over its whole hours."""

    pipeline: Pipeline
    window: Window
    reports: dict[StorageMode, dict[str, Any]]

    def again(self) -> list[dict[str, Any]]:
        """Run the command once more."""
        return self.pipeline.json("anomalies", "run", *_options(self.window))

    def dagster(self) -> dg.ExecuteInProcessResult:
        """Run the job over the same hours."""
        with self.pipeline.here(), open_instance(self.home, load_settings()) as instance:
            return run_job(instance, "anomaly_batch", self.window)

    def check(self, name: str, mode: StorageMode = PARQUET) -> dg.AssetCheckEvaluation:
        """Run one check of the anomalies, alone."""
        with self.pipeline.here(), open_instance(self.home, load_settings()) as instance:
            key = dg.AssetCheckKey(dg.AssetKey([mode.value, ANOMALIES]), name)
            job = dg.define_asset_job("one_check", selection=dg.AssetSelection.checks(key))
            loaded = dg.Definitions.merge(defs(), dg.Definitions(jobs=[job]))
            [found] = (
                loaded.resolve_job_def("one_check")
                .execute_in_process(instance=instance, raise_on_error=False)
                .get_asset_check_evaluations()
            )
            return found

    def stored(self) -> dict[StorageMode, list[dict[str, Any]]]:
        """Every anomaly, by SQL."""
        return {
            mode: self.pipeline.json(
                "query", f"select * from {mode}.anomalies order by event_id, metric"
            )
            for mode in MODES
        }

    @property
    def file(self) -> Path:
        """A Parquet file of anomalies."""
        return self.pipeline.files(PARQUET, ANOMALIES)[0]

    @property
    def home(self) -> Any:
        """The HOME, opened."""
        return open_home(load_settings(home=self.pipeline.home, _env_file=None))


def _options(window: Window) -> list[str]:
    return [f"--{name}={text}" for name, text in window.parameters.items()]


@pytest.fixture(scope="module")
def scored(new_pipeline: Callable[..., Pipeline]) -> Scored:
    pipeline = new_pipeline()
    produced = pipeline.json("produce", "--scenario=mixed", "--duration=3600", "--past")
    pipeline.json("deliver")
    window = Window(*widen_to_hours(produced["start_us"], produced["end_us"]))
    pipeline.json("ohlc", *_options(window))
    reports = pipeline.json("anomalies", "run", *_options(window))
    by_mode = {StorageMode(report["storage_mode"]): report for report in reports}
    return Scored(pipeline, window, by_mode)


def test_both_modes_agree_on_anomalies(scored: Scored) -> None:
    """And each holds what its report tells."""
    stored = scored.stored()
    for mode, rows in stored.items():
        report = scored.reports[mode]
        assert len(rows) == report["anomalies"] == report["added"] > 5
        assert sum(report["by_symbol"].values()) == len(rows)
        assert report["by_metric"] == {"return": len(rows)}
        assert report["worst_zscore"] == max(abs(row["zscore"]) for row in rows)
    assert scored.pipeline.query("storage_parity_anomalies", **scored.window.parameters) == []


@both_modes
def test_each_anomaly_stands_beside_the_candle_of_its_minute(
    scored: Scored, mode: StorageMode
) -> None:
    rows = scored.pipeline.query(
        "anomalies_with_candle", storage_mode=mode.value, **scored.window.parameters
    )
    assert len(rows) == scored.reports[mode]["anomalies"]
    assert all(row["trade_count"] > 0 for row in rows)


def test_replay_changes_nothing_when_the_command_runs_again(scored: Scored) -> None:
    before = scored.stored()
    for report in scored.again():
        assert (report["differing"], report["added"]) == (0, 0)
        assert report["replaced"] == report["anomalies"] > 0
    assert scored.stored() == before


def test_the_command_reads_one_mode_for_the_other_and_says_so(scored: Scored) -> None:
    code, output, errors = scored.pipeline.run(
        "anomalies",
        "run",
        *_options(scored.window),
        "--storage-mode=iceberg",
        "--load-data-mode=spark",
    )
    assert code == 0
    assert "anomalies of iceberg are made from parquet_projection.raw" in errors
    assert "that differed" in output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--start=x", "--end=2026-01-01"), "--start: 'x' is no ISO 8601 instant"),
        (("--start=2026-01-02", "--end=2026-01-01"), "is not after the start"),
        (("--start=1970-01-01", "--end=1970-01-02"), "ticks have event times from"),
    ],
)
def test_what_the_command_cannot_use_is_one_line(
    scored: Scored, options: tuple[str, ...], message: str
) -> None:
    code, output, errors = scored.pipeline.run("anomalies", "run", *options)
    assert (code, output) == (2, "")
    assert message in errors


def test_the_job_makes_the_same_rows_and_tells_how_it_went(scored: Scored) -> None:
    """Every hour is materialized, every check is green, and a picture shows the worst symbol."""
    before = scored.stored()
    run = scored.dagster()
    assert run.success
    assert scored.stored() == before
    checks = run.get_asset_check_evaluations()
    assert sorted(check.check_name for check in checks) == sorted(
        ["anomaly_sanity", "schema_drift"] * 2 + ["storage_parity"]
    )
    assert [check for check in checks if not check.passed] == []
    hours = {partition_key(us) for us in hours_of(scored.window.start_us, scored.window.end_us)}
    events = {
        event.step_materialization_data.materialization.asset_key.path[0]: dict[str, Any](
            event.step_materialization_data.materialization.metadata
        )
        for event in run.get_asset_materialization_events()
    }
    with scored.pipeline.here(), open_instance(scored.home, load_settings()) as instance:
        for mode, read_mode in ((ICEBERG, "iceberg"), (PARQUET, "parquet")):
            report, told = scored.reports[mode], events[mode.value]
            key = dg.AssetKey([mode.value, ANOMALIES])
            assert instance.get_materialized_partitions(key) == hours
            assert told["dagster/row_count"].value == told["replaced"].value == report["anomalies"]
            assert told["of return"].value == report["anomalies"]
            assert told["differing"].value == told["added"].value == 0
            assert told["worst |zscore|"].value == report["worst_zscore"]
            assert (told["ticks read"].value, told["read mode"].value) == (
                report["rows"],
                read_mode,
            )
            assert told["window"].value == str(scored.window)
            assert isinstance(told["anomalies"], dg.TableMetadataValue)
            worst = next(iter(report["by_symbol"]))
            assert told["by symbol"].records[0].data["symbol"] == worst
            assert told["picture"].value.startswith(f"![{worst}](data:image/png;base64,")


def test_anomaly_sanity_sees_a_row_below_its_threshold(scored: Scored) -> None:
    rows = pq.ParquetFile(scored.file).read()
    kept = scored.file.read_bytes()
    zscore = rows["zscore"].to_numpy().copy()
    zscore[0] = 0.5
    index = rows.column_names.index("zscore")
    pq.write_table(rows.set_column(index, "zscore", pa.array(zscore)), scored.file)
    found = scored.check("anomaly_sanity")
    scored.file.write_bytes(kept)
    assert (found.passed, found.severity) == (False, _ERROR)
    assert scored.check("anomaly_sanity").passed


def test_storage_parity_sees_an_anomaly_that_one_mode_lost(scored: Scored) -> None:
    """A warning only: the current hour is still open."""
    with without_rows(scored.file, np.arange(pq.read_metadata(scored.file).num_rows) == 0):
        found = scored.check("storage_parity")
    assert (found.passed, found.severity) == (False, _WARN)
    assert found.metadata["found"].value == 1


def test_anomaly_sanity_warns_of_rows_that_the_batch_run_replaced_by_others(
    scored: Scored,
) -> None:
    """Until a run finds its own: what another writer had put there is told once."""
    before = scored.stored()
    rows = pq.ParquetFile(scored.file).read()
    index = rows.column_names.index("sample_count")
    more = pa.array(rows["sample_count"].to_numpy() + 1)
    pq.write_table(rows.set_column(index, "sample_count", more), scored.file)
    iceberg, parquet = scored.again()
    assert (iceberg["differing"], parquet["differing"]) == (0, rows.num_rows)
    assert scored.stored() == before
    found = scored.check("anomaly_sanity")
    assert (found.passed, found.severity) == (False, _WARN)
    assert found.metadata["differing"].value == rows.num_rows
    assert found.metadata["no anomalies any more"].value == 0
    assert scored.check("anomaly_sanity", ICEBERG).passed
    scored.again()
    assert scored.check("anomaly_sanity").passed
