"""The promises, each over a whole pipeline that the command line ran: stream, both raw tables, candles."""

# pyarrow and pandas have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tick_pipeline.event_time import (
    US_PER_HOUR,
    US_PER_MINUTE,
    format_instant,
    format_short,
    widen_to_hours,
)
from tick_pipeline.landing.error_records import read_errors
from tick_pipeline.landing.error_store import LocalErrorStore
from tick_pipeline.orchestration.tables import OHLC_TABLES
from tick_pipeline.storage import RAW, TABLES, TIMEFRAMES, StorageMode, candle_table
from tick_pipeline.stream.port import Earliest
from tick_pipeline.stream.segments import LocalStream
from tick_pipeline_tests.docs.pages import README, page
from tick_pipeline_tests.integration.pipeline import MODES, Pipeline, both_modes, without_rows
from tick_pipeline_tests.integration.processes import processes_of
from tick_pipeline_tests.integration.trades import assert_same_candles
from tick_pipeline_tests.integration.web import find_chromium
from tick_pipeline_tests.report.browser import open_browser

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.spark

PARQUET = StorageMode.PARQUET_PROJECTION


@dataclass(frozen=True)
class Mixed:
    """A HOME after produce, deliver and ohlc; what produce injected, and the window's whole hours."""

    pipeline: Pipeline
    sent: int
    labels: list[dict[str, Any]]
    start_us: int
    end_us: int

    @property
    def window(self) -> dict[str, str]:
        """The whole hours, as parameters of a query."""
        return {"start": format_short(self.start_us), "end": format_short(self.end_us)}

    def ohlc(self) -> list[dict[str, Any]]:
        """Make the candles of the whole hours."""
        return self.pipeline.json("ohlc", *(f"--{key}={text}" for key, text in self.window.items()))

    def parity(self) -> dict[str, list[dict[str, Any]]]:
        """What differs between the storage modes."""
        query = self.pipeline.query
        candles = {
            name: query("storage_parity_candles", timeframe=name, **self.window)
            for name in TIMEFRAMES
        }
        return {"ticks": query("storage_parity_ticks", **self.window), **candles}


@pytest.fixture(scope="module")
def mixed(new_pipeline: Callable[..., Pipeline]) -> Mixed:
    pipeline = new_pipeline()
    produced = pipeline.json("produce", "--scenario=mixed", "--duration=1800", "--past")
    labels = Path(produced["labels"]).read_text("utf-8").splitlines()
    start_us, end_us = widen_to_hours(produced["start_us"], produced["end_us"])
    found = Mixed(
        pipeline, produced["sent"], [json.loads(line) for line in labels], start_us, end_us
    )
    pipeline.json("deliver")
    found.ohlc()
    return found


def test_both_modes_agree(mixed: Mixed) -> None:
    assert mixed.parity() == {"ticks": [], "1m": [], "5m": []}
    assert mixed.pipeline.scalar("select count(*) from iceberg.ticks") > mixed.sent * 0.98


def test_both_modes_agree_tells_a_tick_that_one_mode_lost(mixed: Mixed) -> None:
    """One of a hundred thousand rows, taken out of one Parquet file."""
    path = mixed.pipeline.files(PARQUET, RAW)[0]
    ids = pq.ParquetFile(path).read().column("event_id").to_pandas()
    labelled = {label.get("event_id") for label in mixed.labels}
    ordinary = ids.notna() & ~ids.duplicated(keep=False) & ~ids.isin(labelled)
    removed = np.zeros(len(ids), dtype=bool)
    removed[ordinary.to_numpy().nonzero()[0][0]] = True
    with without_rows(path, removed):
        [hour] = mixed.parity()["ticks"]
    assert hour["iceberg_ticks"] - hour["parquet_ticks"] == 1
    assert hour["iceberg_hash"] != hour["parquet_hash"]
    assert mixed.parity()["ticks"] == []


@pytest.mark.parametrize("timeframe", TIMEFRAMES)
def test_both_modes_agree_tells_candles_that_one_mode_lost(mixed: Mixed, timeframe: str) -> None:
    """A deleted file is an hour of candles."""
    path = mixed.pipeline.files(PARQUET, candle_table(timeframe))[0]
    kept = path.read_bytes()
    lost = pq.read_metadata(path).num_rows
    path.unlink()
    found = mixed.parity()[timeframe]
    path.write_bytes(kept)
    assert [row["difference"] for row in found] == ["only_iceberg"] * lost
    assert mixed.parity()[timeframe] == []


@both_modes
def test_five_is_five_ones(mixed: Mixed, mode: StorageMode) -> None:
    query = mixed.pipeline.query
    assert query("five_is_five_ones", storage_mode=mode.value, **mixed.window) == []
    if mode is PARQUET:
        with _without_first_candle(mixed, "5m"):
            [row] = query("five_is_five_ones", storage_mode=mode.value, **mixed.window)
        assert row["difference"] == "missing"


@both_modes
def test_candles_match_sql(mixed: Mixed, mode: StorageMode) -> None:
    query = mixed.pipeline.query
    assert query("candles_match_sql", storage_mode=mode.value, **mixed.window) == []
    if mode is PARQUET:
        with _without_first_candle(mixed, "1m"):
            [row] = query("candles_match_sql", storage_mode=mode.value, **mixed.window)
        assert row["difference"] == "missing"


def _without_first_candle(mixed: Mixed, timeframe: str) -> Any:
    path = mixed.pipeline.files(PARQUET, candle_table(timeframe))[0]
    rows = pq.read_metadata(path).num_rows
    return without_rows(path, np.arange(rows) == 0)


@both_modes
def test_bad_records_are_kept(mixed: Mixed, mode: StorageMode) -> None:
    """Malformed ones in the error prefix, byte by byte; invalid ones in raw and in no candle."""
    bad = [label for label in mixed.labels if label["kind"] == "bad_record"]
    malformed = Counter(label["reason"] for label in bad if label["class"] == "malformed")
    invalid = Counter(label["reason"] for label in bad if label["class"] == "invalid")
    assert malformed
    assert invalid
    errors = list(read_errors(LocalErrorStore(mixed.pipeline.home / "warehouse"), mode))
    assert Counter(error.code for error in errors) == malformed
    put = _records_by_place(mixed.pipeline.home)
    for error in errors:
        assert error.data == put[str(error.shard_id), str(error.sequence_number)]
    kept = mixed.pipeline.json(
        "query",
        f"select broken_rule, count(*) as n from {mode}.received "
        "where broken_rule is not null group by broken_rule",
    )
    assert {row["broken_rule"]: row["n"] for row in kept} == invalid
    ticks = mixed.pipeline.scalar(f"select count(*) from {mode}.ticks")
    assert mixed.pipeline.candles(mode, "1m")["trade_count"].sum() == ticks
    assert mixed.pipeline.candles(mode, "5m")["trade_count"].sum() == ticks


def _records_by_place(home: Path) -> dict[tuple[str, str], bytes]:
    stream = LocalStream(home / "stream")
    return {
        (shard.shard_id, row["sequenceNumber"]): row["data"]
        for shard in stream.shards()
        for table in stream.read(shard.shard_id, Earliest(), max_records=10**9)
        for row in table.select(["sequenceNumber", "data"]).to_pylist()
    }


def test_late_is_repaired_when_its_hour_runs_again(mixed: Mixed) -> None:
    """A tick that comes hours late changes its candles and no other, and is counted."""
    before = {mode: mixed.pipeline.candles(mode, "1m") for mode in MODES}
    late_before = _late_ticks(mixed)
    candle = before[PARQUET].iloc[0]
    event_us = int(candle["last_us"]) + 1
    _put_tick(mixed.pipeline, candle["symbol"], event_us, price=float(candle["high"]) + 1)
    mixed.pipeline.json("deliver")
    for mode in MODES:
        assert_same_candles(mixed.pipeline.candles(mode, "1m"), before[mode])
    mixed.ohlc()
    for mode in MODES:
        expected = before[mode].copy()
        expected.loc[0, ["high", "close"]] = candle["high"] + 1
        expected.loc[0, "last_us"] = event_us
        expected.loc[0, "trade_count"] += 1
        expected.loc[0, "volume"] += 2.0
        expected.loc[0, "notional"] += 2.0 * (candle["high"] + 1)
        expected.loc[0, "vwap"] = expected.loc[0, "notional"] / expected.loc[0, "volume"]
        assert_same_candles(mixed.pipeline.candles(mode, "1m"), expected)
    assert _late_ticks(mixed) == late_before + len(MODES)
    assert mixed.parity() == {"ticks": [], "1m": [], "5m": []}


def _late_ticks(mixed: Mixed) -> int:
    rows = [
        row
        for mode in MODES
        for row in mixed.pipeline.query("lateness", storage_mode=mode.value, **mixed.window)
    ]
    return sum(row["late_ticks"] for row in rows)


def _put_tick(pipeline: Pipeline, symbol: str, event_us: int, *, price: float) -> None:
    tick = {
        "event_id": "late:1",
        "source": "late",
        "sequence": 1,
        "symbol": symbol,
        "price": price,
        "volume": 2.0,
        "event_ts": event_us,
        "event_time": format_instant(event_us),
        "sent_ts": event_us + 3 * US_PER_HOUR,
    }
    data = pa.array([json.dumps(tick).encode()], pa.binary())
    assert LocalStream(pipeline.home / "stream").put(pa.array([symbol]), data).accepted == 1


def test_gaps_are_seen(new_pipeline: Callable[..., Pipeline], tmp_path: Path) -> None:
    """Numbers that a tape leaves out are told as ranges, in both modes; the tape's edges are none."""
    lines = [
        f"2014-09-17T09:{number % 60:02d}:00Z,{symbol},10.5,1,{number}"
        for symbol in ("AAA", "BBB")
        for number in range(5, 200)
        if symbol == "BBB" or number not in {40, 100, 101, 102}
    ]
    tape = tmp_path / "holes.csv"
    tape.write_text("\n".join(["event_time,symbol,price,volume,number", *lines]) + "\n", "utf-8")
    pipeline = new_pipeline()
    pipeline.json("replay", str(tape), "--map", "sequence=number", "--source", "holes")
    pipeline.json("deliver")
    window = {"start": "2014-09-17T00:00:00Z", "end": "2014-09-18T00:00:00Z"}
    for mode in MODES:
        rows = pipeline.query("gaps", storage_mode=mode.value, **window)
        found = [(row["symbol"], row["first_missing"], row["last_missing"]) for row in rows]
        assert found == [("AAA", 40, 40), ("AAA", 100, 102)]
        assert [row["missing"] for row in rows] == [1, 3]


def test_a_demo_runs_twice_in_one_home(
    new_pipeline: Callable[..., Pipeline], screenshots: Path
) -> None:
    """Each succeeds, finds the modes equal, and leaves the other's ticks in place; README shows what it says."""
    pipeline = new_pipeline()
    result = pipeline.json("demo", "--scenario", "spikes", "--minutes", "25")
    assert result["parity"] == dict.fromkeys(TABLES, True)
    window_us = result["produced"]["end_us"] - result["produced"]["start_us"]
    assert window_us == 25 * US_PER_MINUTE
    assert not [check for check in result["checks"] if check["outcome"] == "error"]
    for mode in MODES:
        raw = result["tables"][f"{mode}/raw"]
        landed = raw["landed"] + raw["malformed, kept as errors"]
        assert landed == result["produced"]["sent"]
        assert not pipeline.candles(mode, "1m").empty
    _assert_demo_wrote_the_report(pipeline, result, screenshots)
    _assert_demo_found_its_spikes(pipeline, result)
    code, output, errors = pipeline.run("demo")
    assert code == 0, errors
    _assert_readme_shows(output)
    for mode in MODES:
        sources = f"select count(distinct source) from {mode}.ticks where source like 'sim-%'"
        assert pipeline.scalar(sources) == 2


def _assert_readme_shows(output: str) -> None:
    """Every line but for its numbers, and for whether an event was found: that depends on the hour."""
    told = next(block for block in page(README).blocks("text") if "ticks sent" in block)
    given = [_without_numbers(line) for line in output.splitlines()]
    for line in told.splitlines():
        assert line.strip() == "…" or _without_numbers(line) in given


def _without_numbers(line: str) -> str:
    line = re.sub(r"found, [\d.]+ s|missed", "found or missed", line)
    return " ".join(re.sub(r"sim-\w+|\d[\d,.:TZ-]*", "0", line).split())


def _assert_demo_wrote_the_report(
    pipeline: Pipeline, result: dict[str, Any], screenshots: Path
) -> None:
    """Of the newest day, the demo's own runs in it; a browser shows it."""
    page = pipeline.home / "report" / "index.html"
    assert result["report"] == str(page)
    seen = page.read_text(encoding="utf-8")
    for told in ("aggregated_1m", "candles_match_sql", "a month"):
        assert told in seen
    if find_chromium():
        with open_browser(height=1000) as browser:
            browser.goto(page)
            browser.page.screenshot(path=screenshots / "report.png")
        assert (browser.complaints, browser.outside) == ([], [])


def _assert_demo_found_its_spikes(pipeline: Pipeline, result: dict[str, Any]) -> None:
    """By stream and by batch alike, in both modes; and neither process nor consumer is left."""
    found = [outcome for outcome in result["injected"] if outcome["first_alert_us"] is not None]
    assert len(found) == len(result["injected"]) > 0
    for mode in MODES:
        table = result["tables"][f"{mode}/anomalies"]
        assert result["streamed"][mode.value] == table["dagster/row_count"] >= len(found)
        assert (table["differing"], table["added"]) == (0, 0)
    assert result["false_alerts"] <= len(found)
    status = pipeline.json("anomalies", "status")
    assert (status["state"], status["wanted"], status["behind"]) == ("stopped", False, 0)
    assert processes_of(pipeline.home) == []


def test_a_demo_runs_with_one_mode_alone(new_pipeline: Callable[..., Pipeline]) -> None:
    """The other mode's tables stay empty, and nothing is compared."""
    pipeline = new_pipeline(STORAGE_MODES=PARQUET.value)
    result = pipeline.json("demo", "--minutes", "2")
    assert result["parity"] == {}
    assert result["report"] is None
    assert sorted(result["tables"]) == sorted(f"{PARQUET}/{table}" for table in TABLES)
    assert result["streamed"].keys() == {PARQUET.value}
    assert not pipeline.candles(PARQUET, "5m").empty
    for table in OHLC_TABLES:
        assert pipeline.files(PARQUET, table)
        assert not pipeline.files(StorageMode.ICEBERG, table)
