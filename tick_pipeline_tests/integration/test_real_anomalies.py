"""The anomalies of real trades: by stream, by batch, and by pandas from the file, all equal."""

# pandas has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tick_pipeline.event_time import US_PER_SECOND, parse_instant
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.spark.scoring_rules import METRICS, ScoringRules
from tick_pipeline.spark.zscore import Scorer, Ticks
from tick_pipeline.storage import ANOMALIES, StorageMode, iceberg_identifier
from tick_pipeline_tests.integration.pipeline import MODES, both_modes
from tick_pipeline_tests.integration.trades import DAY, read_trades
from tick_pipeline_tests.spark.anomaly_oracle import assert_equal, recompute

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tick_pipeline_tests.integration.pipeline import Pipeline

pytestmark = pytest.mark.spark

START, END = f"{DAY}T13:00:00Z", f"{DAY}T20:00:00Z"
#: Above the default: trade by trade, prices and volumes have heavy tails.
RULES = ScoringRules(metrics=METRICS, threshold=6.0)
#: The recompute looks at every trade once for each trade, so it is made for two hours of seven.
CHECKED_START_US, CHECKED_END_US = (
    parse_instant(f"{DAY}T14:00:00Z"),
    parse_instant(f"{DAY}T16:00:00Z"),
)
CONTEXT_US = 2 * RULES.window_seconds * 1_000_000


@dataclass(frozen=True)
class Scored:
    """The real trades, a drain of their stream, and one run of the batch job over their whole day."""

    pipeline: Pipeline
    streamed: dict[str, Any]
    reports: dict[StorageMode, dict[str, Any]]
    trades: Any

    def stored(self, mode: StorageMode) -> pa.Table:
        """Every anomaly of a mode, read without the product's SQL."""
        if mode is StorageMode.ICEBERG:
            table = open_catalog(self.pipeline.home).load_table(iceberg_identifier(ANOMALIES))
            return table.scan().to_arrow()
        files = self.pipeline.files(mode, ANOMALIES)
        return pa.concat_tables([pq.ParquetFile(path).read() for path in files])


@pytest.fixture(scope="module")
def scored(real_trades: Path, new_pipeline: Callable[..., Pipeline]) -> Scored:
    pipeline = new_pipeline(ANOMALY_METRICS="return,price,volume", ANOMALY_THRESHOLD="6")
    pipeline.json("replay", str(real_trades))
    pipeline.json("deliver")
    streamed = pipeline.json("anomalies", "start", "--drain", "--flush")
    reports = pipeline.json("anomalies", "run", "--start", START, "--end", END)
    by_mode = {StorageMode(report["storage_mode"]): report for report in reports}
    return Scored(pipeline, streamed, by_mode, read_trades(real_trades))


@pytest.fixture(scope="module")
def expected(scored: Scored) -> Any:
    """Every score of the checked hours, from the file; the ids are those of the tick at its place."""
    ids = scored.pipeline.json(
        "query", "select symbol, sequence, event_us, event_id from iceberg.ticks"
    )
    trades = scored.trades.sort_values(["us", "order"], kind="stable")
    frame: Any = pd.DataFrame(
        {
            "symbol": trades["symbol"],
            "event_us": trades["us"],
            "sequence": trades.groupby("symbol").cumcount() + 1,
            "price": trades["price"],
            "volume": trades["volume"],
        }
    ).merge(pd.DataFrame(ids), on=["symbol", "sequence", "event_us"], validate="one_to_one")
    assert len(frame) == len(trades)
    needed = frame["event_us"].between(CHECKED_START_US - CONTEXT_US, CHECKED_END_US - 1)
    scores: Any = recompute(frame[needed], RULES)
    return scores[scores["event_us"] >= CHECKED_START_US]


@pytest.fixture(scope="module")
def ticks(scored: Scored) -> Ticks:
    """Every trade as the tables hold it."""
    names = "symbol, event_us, sequence, price, volume, event_id"
    rows = scored.pipeline.json("query", f"select {names} from iceberg.ticks")
    return Ticks.of(pa.Table.from_pylist(rows))


@both_modes
def test_anomalies_of_real_trades_are_those_of_the_file(
    scored: Scored, expected: Any, mode: StorageMode
) -> None:
    """In two of their hours, with ticks of the hour before as context."""
    rows = scored.stored(mode)
    us = rows["event_us"].to_numpy()
    checked = rows.filter(pa.array((us >= CHECKED_START_US) & (us < CHECKED_END_US)))
    assert checked.num_rows > 20
    assert_equal(checked, expected, RULES)


def test_both_modes_agree_on_anomalies_of_real_trades(scored: Scored) -> None:
    for mode in MODES:
        report = scored.reports[mode]
        assert report["rows"] == report["ticks"] == len(scored.trades)
        assert report["anomalies"] == scored.stored(mode).num_rows
    window = {"start": START, "end": END}
    assert scored.pipeline.query("storage_parity_anomalies", **window) == []


@both_modes
def test_streaming_equals_batch_on_real_trades(scored: Scored, mode: StorageMode) -> None:
    """The batch run replaced every row of the stream by an equal one, and added none."""
    report = scored.reports[mode]
    assert (scored.streamed["late"], scored.streamed["pending"]) == (0, 0)
    assert report["replaced"] == scored.streamed["written"][mode.value] == report["anomalies"]
    assert (report["differing"], report["added"]) == (0, 0)


@given(st.integers(0, 2**32 - 1), st.lists(st.sampled_from([1, 7_000, 50_000]), max_size=3))
@settings(
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_order_does_not_matter_for_real_trades(
    scored: Scored, ticks: Ticks, seed: int, sizes: list[int]
) -> None:
    """Any order inside the lateness, in batches of any size: the rows of the batch job, to the last bit."""
    limit_us = (RULES.lateness_seconds - 1) * US_PER_SECOND
    delays = np.random.default_rng(seed).integers(0, limit_us, len(ticks))
    arrived = ticks.taken(np.argsort(ticks.event_us + delays, kind="stable"))
    scorer, found, start = Scorer(RULES), [], 0
    for size in cycle([*sizes, 900]):
        if start >= len(arrived):
            break
        end = start + size
        found.append(scorer.advance(arrived.taken(np.arange(start, min(end, len(arrived))))))
        start = end
    rows = pa.concat_tables([*found, scorer.flush()])
    assert scorer.late == 0
    expected = scored.stored(StorageMode.PARQUET_PROJECTION).select(rows.column_names)
    assert _in_key_order(rows).equals(_in_key_order(expected.cast(rows.schema)))


def _in_key_order(rows: pa.Table) -> pa.Table:
    return rows.sort_by([("event_id", "ascending"), ("metric", "ascending")])
