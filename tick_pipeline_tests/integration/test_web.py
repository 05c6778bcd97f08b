"""Dagster's web interface over a real pipeline: its server and runs, Spark, and a browser."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, expect

from tick_pipeline.event_time import format_short, hour_floor, now_us
from tick_pipeline.orchestration.partitions import partition_key
from tick_pipeline.orchestration.tables import OHLC_TABLES
from tick_pipeline.storage import (
    ANOMALIES,
    RAW,
    TABLES,
    TIMEFRAMES,
    StorageMode,
    candle_table,
    hour_partition,
)
from tick_pipeline_tests.integration.browser import open_page
from tick_pipeline_tests.integration.pipeline import MODES, Pipeline
from tick_pipeline_tests.integration.web import (
    Web,
    serve,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

pytestmark = pytest.mark.spark

PARQUET = StorageMode.PARQUET_PROJECTION
CANDLES = tuple(candle_table(timeframe) for timeframe in TIMEFRAMES)
#: It is about now, and evaluated by its sensor, not by a run of an hour.
FRESHNESS = "freshness_check"


@dataclass(frozen=True)
class Batch:
    """One run of `ohlc_batch` over the hour of two minutes of steady ticks, whose Parquet files lie in a folder."""

    web: Web
    pipeline: Pipeline
    partition: str
    folder: str
    run: str

    def candle_run(self, mode: StorageMode) -> str:
        """Start a run that makes one storage mode's candles anew, without checks."""
        assets = [(mode.value, table) for table in CANDLES]
        return self.web.launch("ohlc_batch", partition=self.partition, assets=assets, checks=[])


@pytest.fixture(scope="module")
def batch(new_pipeline: Callable[..., Pipeline]) -> Generator[Batch]:
    # The hour before, too: the ticks may begin in it.
    start_us = hour_floor(now_us() - 120_000_000)
    pipeline = new_pipeline(
        PARTITIONS_START=format_short(start_us),
        # Steady ticks, too, then have anomalies, soon after the first tick of an hour.
        ANOMALY_THRESHOLD="2",
        ANOMALY_MIN_SAMPLES="5",
    )
    produced = pipeline.json("produce", "--past", "--duration=120", "--scenario=steady")
    # Of two hours that the ticks may touch, the one with more of them.
    hour_us = hour_floor((produced["start_us"] + produced["end_us"]) // 2)
    partition = partition_key(hour_us)
    with serve(pipeline) as web:
        run = web.launch("ohlc_batch", partition=partition)
        yield Batch(web, pipeline, partition, hour_partition(hour_us), run)


@pytest.fixture(scope="module")
def failed_run(batch: Batch) -> str:
    """A run of the candles while the raw file of the hour is no Parquet file."""
    batch.web.ended(batch.run)
    # The ticks may begin in the hour before, or end in the next.
    path = next(path for path in batch.pipeline.files(PARQUET, RAW) if batch.folder in str(path))
    with _replaced(path):
        path.write_bytes(b"x" * path.stat().st_size)
        run = batch.candle_run(PARQUET)
        assert batch.web.ended(run) == "FAILURE"
    return run


@pytest.fixture(scope="module")
def page() -> Generator[Page]:
    """A page of a headless browser."""
    options = {"color_scheme": "light", "timezone_id": "UTC", "locale": "en-US"}
    with open_page(width=1800, height=1150, **options) as page:
        yield page


def test_the_asset_graph_has_both_storage_modes(batch: Batch) -> None:
    """Each mode's tables hang one behind the other on the one stream."""
    nodes = batch.web.ask("{ assetNodes { assetKey { path } dependencyKeys { path } } }")
    graph = {
        tuple(node["assetKey"]["path"]): [tuple(key["path"]) for key in node["dependencyKeys"]]
        for node in nodes["assetNodes"]
    }
    expected: dict[tuple[str, ...], list[tuple[str, ...]]] = {("stream", "ticks"): []}
    for mode in MODES:
        before = ("stream", "ticks")
        for table in OHLC_TABLES:
            expected[mode.value, table] = [before]
            before = (mode.value, table)
        expected[mode.value, ANOMALIES] = [(mode.value, RAW)]
    every_table = {(mode.value, table) for mode in MODES for table in TABLES}
    assert set(graph.pop(("storage_comparison",))) == every_table
    assert graph == expected


def test_a_run_of_an_hour_succeeds_with_every_check_green(batch: Batch) -> None:
    """Whatever is red on steady ticks is a false alarm."""
    assert batch.web.ended(batch.run) == "SUCCESS"
    for mode in MODES:
        for table in OHLC_TABLES:
            checks = batch.web.checks(mode.value, table)
            checks.pop(FRESHNESS)
            assert checks
            for name, found in checks.items():
                assert found, (mode, table, name)
                assert found["runId"] == batch.run
                assert found["status"] == "SUCCEEDED", (mode, table, name, found)
    frames = {mode: batch.pipeline.candles(mode, "1m") for mode in MODES}
    assert len(frames[PARQUET]) == len(frames[StorageMode.ICEBERG]) > 0


def test_the_log_of_a_spark_job_appears_in_its_run(batch: Batch) -> None:
    batch.web.ended(batch.run)
    logged = [
        (event["stepKey"], event["message"])
        for event in batch.web.events(batch.run)
        if event["__typename"] == "LogMessageEvent"
    ]
    for mode in MODES:
        count = len(batch.pipeline.candles(mode, "1m"))
        [line] = [text for step, text in logged if f"{mode}: candles written" in text and step]
        assert f"'1m': {count}" in line


def test_the_lineage_page_shows_both_storage_modes(
    batch: Batch, page: Page, screenshots: Path
) -> None:
    """And a page asks no one but its server for anything."""
    batch.web.ended(batch.run)
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    groups = ",".join(f"global@global:{group}" for group in (*MODES, "stream"))
    page.goto(f"{batch.web.url}/asset-groups?expanded={groups}")
    page.get_by_text("Hide navigation").click()
    # Loaded anew, the graph takes the room that this made.
    page.reload()
    for table in TABLES:
        expect(page.get_by_text(table, exact=True)).to_have_count(len(MODES))
    by_spark = len(MODES) * len((*CANDLES, ANOMALIES))
    expect(page.get_by_text("Spark", exact=True)).to_have_count(by_spark)
    expect(page.get_by_text("Passed")).to_have_count(len(MODES) * len(TABLES))
    page.wait_for_load_state("networkidle")
    page.screenshot(path=screenshots / "lineage.png")
    outside = {url for url in asked if not url.startswith((batch.web.url, "data:", "blob:"))}
    assert outside == set()


def test_the_page_of_anomalies_shows_how_many_and_a_picture(
    batch: Batch, page: Page, screenshots: Path
) -> None:
    batch.web.ended(batch.run)
    run = batch.web.launch("anomaly_batch", partition=batch.partition)
    assert batch.web.ended(run) == "SUCCESS"
    rows = batch.pipeline.scalar(f"select count(*) as n from {PARQUET}.{ANOMALIES}")
    assert rows > 0
    page.goto(f"{batch.web.url}/assets/{PARQUET}/{ANOMALIES}")
    told = page.get_by_text("Row count", exact=True).locator("xpath=../..")
    expect(told.get_by_text(f"{rows:,}", exact=True)).to_be_visible()
    page.get_by_text("[Show Markdown]").click()
    picture = page.locator("img[src^='data:image/png']")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    page.screenshot(path=screenshots / "anomalies.png")


def test_the_automation_page_lists_schedule_and_sensors(batch: Batch, page: Page) -> None:
    page.goto(f"{batch.web.url}/automation")
    for name in (
        "ohlc_hourly",
        "anomaly_stream_watch",
        "failed_check_notifier",
        "freshness_checks_sensor",
        "run_failure_notifier",
    ):
        expect(page.get_by_text(name, exact=True)).to_be_visible()


def test_the_checks_page_turns_red_when_a_candle_breaks(
    batch: Batch, page: Page, screenshots: Path
) -> None:
    """High below low in one candle of one file, and the check run again alone."""
    batch.web.ended(batch.run)
    table = candle_table("1m")
    asset = (PARQUET.value, table)
    address = f"{batch.web.url}/assets/{'/'.join(asset)}?view=checks&checkDetail=candle_invariants"
    others = len(batch.web.checks(*asset)) - len((FRESHNESS, "candle_invariants"))
    page.goto(address)
    expect(page.get_by_text("Succeeded", exact=True)).to_have_count(others + 1)
    expect(page.get_by_text("Passed", exact=True)).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=screenshots / "checks-green.png")

    [path] = batch.pipeline.files(PARQUET, table)
    with _replaced(path):
        _break_first_candle(path)
        run = batch.web.launch("__ASSET_JOB", assets=[], checks=[(*asset, "candle_invariants")])
        assert batch.web.ended(run) == "FAILURE", "the check is blocking"
    found = batch.web.checks(*asset)["candle_invariants"]
    assert found
    assert found["status"] == "FAILED"
    assert found["evaluation"]["severity"] == "ERROR"
    page.goto(address)
    expect(page.get_by_text("Succeeded", exact=True)).to_have_count(others)
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=screenshots / "checks-red.png")


def test_a_failed_job_shows_its_error_and_is_not_retried(batch: Batch, failed_run: str) -> None:
    events = batch.web.events(failed_run)
    [failure] = [event for event in events if event["__typename"] == "ExecutionStepFailureEvent"]
    assert "is not a Parquet file" in failure["error"]["message"]
    entries = failure["failureMetadata"]["metadataEntries"]
    [log] = [entry for entry in entries if entry["label"] == "log"]
    assert "Traceback (most recent call last)" in log["mdStr"]
    assert "Py4JJavaError" in log["mdStr"]
    assert "ExecutionStepUpForRetryEvent" not in {event["__typename"] for event in events}
    assert batch.web.tags(failed_run)["dagster/will_retry"] == "false"


def test_the_page_of_a_failed_run_shows_the_error(
    batch: Batch, failed_run: str, page: Page, screenshots: Path
) -> None:
    page.goto(f"{batch.web.url}/runs/{failed_run}")
    expect(page.get_by_text("is not a Parquet file").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=screenshots / "run-failed.png")


def test_a_terminated_run_leaves_no_jvm_behind(batch: Batch) -> None:
    """And its step does not start again."""
    batch.web.ended(batch.run)
    run = batch.candle_run(StorageMode.ICEBERG)
    wait_for(lambda: batch.web.descendants("java"), seconds=240)
    jvms = batch.web.descendants("java")
    assert batch.web.terminate(run) == "TerminateRunSuccess"
    assert batch.web.ended(run, seconds=240) == "CANCELED"
    _, alive = psutil.wait_procs(jvms, timeout=60)
    assert not alive
    wait_for(lambda: not batch.web.descendants("java"), seconds=60)


def _break_first_candle(path: Path) -> None:
    rows = pq.ParquetFile(path).read()
    high = rows["high"].to_numpy().copy()
    high[0] = rows["low"][0].as_py() - 1
    column = rows.schema.get_field_index("high")
    pq.write_table(rows.set_column(column, rows.schema.field(column), pa.array(high)), path)


@contextmanager
def _replaced(path: Path) -> Generator[None]:
    """The file may be changed while the block runs, and is itself again after it."""
    kept = path.read_bytes()
    try:
        yield
    finally:
        path.write_bytes(kept)
