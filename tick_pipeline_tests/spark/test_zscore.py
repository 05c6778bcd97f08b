"""The z-score kernel equals a plain recompute, whatever the order and the batches."""

# pandas' and pyarrow's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
from __future__ import annotations

import random
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tick_pipeline.spark.scoring_rules import METRICS, ScoringRules
from tick_pipeline.spark.zscore import Scorer, Ticks
from tick_pipeline_tests.spark.anomaly_oracle import assert_equal, recompute

US = 1_000_000
START_US = 1_780_000_000 * US
#: Short and lenient, so that a few hundred ticks meet every branch.
LENIENT = ScoringRules(
    metrics=METRICS,
    window_minutes=1,
    threshold=2.5,
    min_samples=4,
    tick_sizes={"A": 0.01},
    lateness_seconds=10,
)
_COLUMNS = ("symbol", "event_us", "sequence", "price", "volume", "event_id")


def ticks_of(frame: pd.DataFrame) -> Ticks:
    """Records in the frame's order."""
    return Ticks.of(pa.Table.from_pandas(frame, preserve_index=False))


def walk(seed: int, rows: int = 240, seconds: int = 300, symbols: str = "AAB") -> pd.DataFrame:
    """Ticks of a random walk with jumps, ties, copies and a pause, in time order."""
    rng = random.Random(seed)
    price = dict.fromkeys(symbols, 100.0)
    at_us, found = START_US, []
    for sequence in range(1, rows + 1):
        symbol = rng.choice(symbols)
        # One tick in six shares its microsecond with the one before, one in fifty follows a pause.
        at_us += rng.choice([0, 1, 1, 2, 2, 3]) * seconds * US // rows // 2
        at_us += 70 * US if rng.random() < 0.02 else 0
        price[symbol] *= 1 + rng.gauss(0, 1e-4) + (0.01 if rng.random() < 0.03 else 0)
        row: dict[str, Any] = {
            "symbol": symbol,
            "event_us": at_us,
            "sequence": sequence if rng.random() < 0.9 else 1,
            "price": round(price[symbol], 2),
            "volume": float(rng.choice([0, 1, 2, 3, 100])),
            "event_id": f"{symbol}:{sequence}",
        }
        found.append(row)
        if rng.random() < 0.05:
            found.append(
                row
                | {
                    "price": rng.choice([row["price"], 1.0]),
                    "sequence": rng.choice([row["sequence"], 7]),
                }
            )
    return pd.DataFrame(found)


def scored(frame: pd.DataFrame, rules: ScoringRules = LENIENT) -> pa.Table:
    """Anomalies of ticks that are all there is."""
    return in_key_order(Scorer(rules).score(ticks_of(frame)))


def in_key_order(rows: pa.Table) -> pa.Table:
    """Sorted, so that tables can be compared."""
    return rows.sort_by(
        [("symbol", "ascending"), ("event_id", "ascending"), ("metric", "ascending")]
    )


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_scores_equal_a_plain_recompute(seed: int) -> None:
    frame = walk(seed)
    assert_equal(scored(frame), recompute(frame, LENIENT), LENIENT)


def test_the_walks_hold_what_can_go_wrong() -> None:
    """The properties above and below are worth something only if the ticks meet the branches."""
    frames = [walk(seed) for seed in range(10)]
    found = pa.concat_tables([scored(frame) for frame in frames])
    assert set(found["metric"].to_pylist()) == set(METRICS)
    assert found.num_rows > 100
    assert all(frame.duplicated(["symbol", "event_us"]).any() for frame in frames)
    assert any(frame.duplicated(["symbol", "event_us", "event_id"]).any() for frame in frames)


@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_order_does_not_matter(seed: int, rng: random.Random) -> None:
    """Any permutation inside the watermark, cut into any batches, gives the same rows to the last bit."""
    frame = walk(seed)
    expected = scored(frame)
    # Nobody is overtaken by a tick that is as much newer as the lateness.
    arrival = frame["event_us"] + [rng.randrange(9 * US) for _ in range(len(frame))]
    shuffled = frame.loc[arrival.sort_values(kind="stable").index]
    cuts = sorted(rng.sample(range(len(shuffled) + 1), rng.randrange(8)))
    scorer, found = Scorer(LENIENT), []
    for start, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True):
        found.append(scorer.advance(ticks_of(shuffled.iloc[start:end])))
        if rng.random() < 0.3:
            scorer = Scorer.load(LENIENT, scorer.dump())
    found.append(scorer.flush())
    assert in_key_order(pa.concat_tables(found)).equals(expected)
    assert (scorer.late, scorer.pending) == (0, 0)


def test_a_later_start_changes_no_row_whose_context_it_has() -> None:
    """Two windows before an instant are all that a score depends on."""
    frame = walk(3, rows=600, seconds=600)
    middle = START_US + 400 * US
    late_start = frame.query(f"event_us >= {middle - 2 * LENIENT.window_seconds * US}")
    found, cut = scored(frame), scored(late_start)
    assert after(cut, middle).equals(after(found, middle))
    assert after(found, middle).num_rows > 5


def after(rows: pa.Table, start_us: int) -> pa.Table:
    """Rows from an instant on."""
    return rows.filter(pa.array(rows["event_us"].to_numpy() >= start_us))


def test_a_tick_of_a_closed_second_is_late_and_counted() -> None:
    """It is in no row, and the rows of others are as if it had never come."""
    frame = walk(5)
    scorer = Scorer(LENIENT)
    found = [scorer.advance(ticks_of(frame.iloc[:200]))]
    late = frame.iloc[:1].assign(price=1e6, event_id="late")
    found.append(scorer.advance(ticks_of(late)))
    found += [scorer.advance(ticks_of(frame.iloc[200:])), scorer.flush()]
    assert scorer.late == 1
    assert in_key_order(pa.concat_tables(found)).equals(scored(frame))


def test_a_tick_far_ahead_of_its_arrival_closes_nothing() -> None:
    """One wrong clock must not make every other tick of the shard late."""
    frame = walk(6)
    ahead = frame.iloc[:1].assign(event_us=START_US + 10**9 * US, event_id="ahead")
    both = pd.concat([frame.iloc[:100], ahead, frame.iloc[100:]])
    table = pa.Table.from_pandas(both, preserve_index=False).append_column(
        "arrival_us", pa.array(np.minimum(both["event_us"].to_numpy(), START_US + 10**4 * US))
    )
    scorer = Scorer(LENIENT)
    found = [scorer.advance(Ticks.of(table)), scorer.flush()]
    assert (scorer.late, scorer.pending) == (0, 1)
    assert in_key_order(pa.concat_tables(found)).equals(scored(frame))


def test_records_that_are_no_ticks_change_nothing() -> None:
    frame = walk(7)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    nothing = pa.table({name: pa.nulls(2, table.schema.field(name).type) for name in _COLUMNS})
    mixed = pa.concat_tables([table.slice(0, 50), nothing, table.slice(50), nothing])
    scorer = Scorer(LENIENT)
    found = [scorer.advance(Ticks.of(mixed)), scorer.flush()]
    assert in_key_order(pa.concat_tables(found)).equals(scored(frame))
    assert scorer.advance(Ticks.of(nothing)).num_rows == 0


def test_the_open_seconds_wait_and_a_flush_scores_them() -> None:
    frame = walk(8)
    scorer = Scorer(LENIENT)
    scorer.advance(ticks_of(frame))
    newest_us = int(frame["event_us"].max())
    assert scorer.watermark_us == newest_us - 10 * US
    assert scorer.pending == int((frame["event_us"] // US >= newest_us // US - 10).sum())
    scorer.flush()
    assert scorer.pending == 0
    assert scorer.watermark_us == (newest_us // US + 1) * US
    scorer.advance(ticks_of(frame.iloc[-1:]))
    assert scorer.late == 1


def steady(prices: list[float], *, every_us: int = US) -> pd.DataFrame:
    """One symbol's ticks at these prices."""
    rows = len(prices)
    return pd.DataFrame(
        {
            "symbol": ["S"] * rows,
            "event_us": START_US + every_us * np.arange(rows),
            "sequence": np.arange(1, rows + 1),
            "price": prices,
            "volume": [1.0] * rows,
            "event_id": [f"S:{index}" for index in range(rows)],
        }
    )


@pytest.mark.parametrize("price", [1e9, 1e9 + 0.1, 1e-9, 1e300, 0.1])
def test_a_constant_price_gives_no_alert(price: float) -> None:
    frame = steady([price] * 2000, every_us=US // 4)
    assert scored(frame, ScoringRules(metrics=METRICS)).num_rows == 0


@pytest.mark.parametrize("base", [1e-3, 100.0, 1e9])
def test_each_jump_in_noise_gives_one_alert(base: float) -> None:
    """A return of eight sigmas is one anomaly: the level that it leaves behind is none."""
    rng = np.random.default_rng(11)
    returns = np.clip(rng.normal(0, 1e-4, 4000), -3e-4, 3e-4)
    jumps = [1000, 2000, 3300]
    returns[jumps] = [8e-4, -8e-4, 9e-4]
    found = scored(steady((base * np.exp(np.cumsum(returns))).tolist()), ScoringRules())
    assert sorted(found["event_id"].to_pylist()) == [f"S:{index}" for index in jumps]
    assert [abs(round(z)) in {8, 9} for z in found["zscore"].to_pylist()] == [True] * 3


def test_a_return_over_a_long_pause_is_no_sample() -> None:
    frame = steady([100.0 + index % 2 for index in range(200)])
    frame.loc[100:, "event_us"] += 3600 * US
    frame.loc[100:, "price"] *= 10
    found = scored(frame, ScoringRules())
    assert found.num_rows == 0


def test_prices_at_the_ends_of_the_doubles_raise_no_warning() -> None:
    """Nothing can be told about them; the ticks after them are judged as ever."""
    prices = [1e308, 5e-324, 1.7e308, 1e-300] * 50
    scored(steady(prices), ScoringRules(metrics=METRICS))


def test_a_volume_that_was_always_zero_is_no_scale() -> None:
    frame = steady([100.0] * 100)
    frame["volume"] = [0.0] * 99 + [5.0]
    assert scored(frame, ScoringRules(metrics=("volume",))).num_rows == 0


def test_a_known_tick_size_keeps_one_tick_moves_quiet() -> None:
    """A price of $1 that moves by its cent after a long rest moved by its grain."""
    frame = steady([1.0] * 100 + [1.01] * 10)
    coarse = ScoringRules(tick_sizes={"S": 0.01}, threshold=5)
    assert scored(frame, coarse).num_rows == 0
    assert scored(frame, ScoringRules()).num_rows == 1


def test_names_without_end_do_not_grow_the_state() -> None:
    """A thousand new symbols a minute for an hour: only those of the last windows stay."""
    rules = ScoringRules(window_minutes=1, lateness_seconds=1)
    scorer = Scorer(rules)
    for minute in range(60):
        names = [f"S{minute}-{index}" for index in range(1000)]
        frame = pd.DataFrame(
            {
                "symbol": names,
                "event_us": START_US + 60 * US * minute + np.arange(1000),
                "sequence": 1,
                "price": 1.0,
                "volume": 1.0,
                "event_id": names,
            }
        )
        scorer.advance(ticks_of(frame))
    assert len(scorer.dump()["symbols.lengths"]) < 6000
    assert scorer.scored > 50_000


def test_a_state_holds_one_window_and_the_open_seconds() -> None:
    """However long the stream, the state does not grow."""
    sizes = []
    scorer = Scorer(LENIENT)
    for part in range(20):
        frame = steady([100.0] * 500, every_us=US // 2)
        frame["event_us"] += part * 250 * US
        scorer.advance(ticks_of(frame))
        sizes.append(sum(array.nbytes for array in scorer.dump().values()))
    assert max(sizes[2:]) <= min(sizes[2:]) * 1.1
