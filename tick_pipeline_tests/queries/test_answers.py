"""Each query against a plain pandas recompute, in both storage modes."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportMissingTypeStubs=false
# (pandas has no types)
from __future__ import annotations

from datetime import timedelta
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.rules import broken_rule
from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE, as_datetime
from tick_pipeline.queries.catalogue import query_names
from tick_pipeline.resources.local import open_home
from tick_pipeline.resources.query_engine import LocalQueryEngine
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.queries.warehouse import (
    START_US,
    WINDOW,
    candles_of,
    distinct_ticks,
    land,
    store_candles,
    tick,
)

if TYPE_CHECKING:
    from tick_pipeline.home import Home

MODES = tuple(StorageMode)
both_modes = pytest.mark.parametrize("mode", MODES, ids=str)


def answer(
    engine: LocalQueryEngine, name: str, mode: StorageMode | None = None, **given: Any
) -> Any:
    chosen = {"storage_mode": mode.value} if mode else {}
    return engine.run_file(name, {**WINDOW, **chosen, **given}).table.to_pandas()


def assert_same(found: Any, expected: Any) -> None:
    """Equal as candles are equal: sums and ratios within 1e-9, all else exactly."""
    expected = expected[list(found.columns)].reset_index(drop=True)
    assert len(found) == len(expected)
    for name in found.columns:
        if name in {"volume", "notional", "vwap", "volume_share", "change_percent"}:
            pd.testing.assert_series_equal(found[name], expected[name], rtol=1e-9)
        else:
            assert found[name].tolist() == expected[name].tolist(), name


@both_modes
def test_the_view_ticks_holds_each_valid_tick_once(
    filled: LocalQueryEngine, ticks: list[dict[str, Any]], mode: StorageMode
) -> None:
    """The first copy in the total order counts, and every column reads as it was sent."""
    rows = filled.run(f"select * from {mode}.ticks").table.to_pylist()
    expected = distinct_ticks(ticks).to_dict("records")
    key = lambda row: (row["event_id"], row["symbol"], row["event_us"])  # noqa: E731
    wanted = [
        {
            **{name: value for name, value in row.items() if name != "event_ts"},
            "event_us": row["event_ts"],
            "event_at": as_datetime(row["event_ts"]),
            **dict(
                zip(
                    ("year", "month", "day", "hour"),
                    as_datetime(row["event_ts"]).strftime("%Y %m %d %H").split(),
                    strict=True,
                )
            ),
        }
        for row in expected
    ]
    assert sorted(rows, key=key) == sorted(wanted, key=key)


@both_modes
def test_latest_candles_are_the_last_of_each_symbol(
    filled: LocalQueryEngine, ticks: list[dict[str, Any]], mode: StorageMode
) -> None:
    result = filled.run_file("latest_candles", {"storage_mode": mode.value}).table.to_pandas()
    assert_same(result, candles_of(ticks).groupby("symbol").tail(1).sort_values("symbol"))


def test_latest_candles_gives_as_many_as_were_asked_for(filled: LocalQueryEngine) -> None:
    found = filled.run_file("latest_candles", {"count": "3", "timeframe": "5m"}).table.to_pandas()
    counts = found.groupby("symbol").size()
    assert counts["AAA"] == 3
    assert counts["ZERO"] == 1
    assert found[found["symbol"] == "AAA"]["bucket_start"].is_monotonic_decreasing


@both_modes
@pytest.mark.parametrize(("timeframe", "minutes"), [("1m", 1), ("5m", 5), ("15m", 15), ("1h", 60)])
def test_candles_roll_up_to_any_timeframe(
    filled: LocalQueryEngine,
    ticks: list[dict[str, Any]],
    mode: StorageMode,
    timeframe: str,
    minutes: int,
) -> None:
    found = answer(filled, "candles", mode, symbol="AAA", timeframe=timeframe)
    expected = candles_of(ticks, minutes)
    assert_same(found, expected[expected["symbol"] == "AAA"].sort_values("bucket_start"))


@both_modes
def test_the_volume_profile_tells_each_minutes_share(
    filled: LocalQueryEngine, ticks: list[dict[str, Any]], mode: StorageMode
) -> None:
    expected = candles_of(ticks).rename(columns={"bucket_start": "minute"})
    total = expected.groupby("symbol")["volume"].transform("sum")
    expected["volume_share"] = expected["volume"] / total.where(total > 0)
    found = answer(filled, "volume_profile", mode)
    assert_same(found, expected.sort_values(["symbol", "minute"]))


@both_modes
def test_top_movers_are_ranked_by_absolute_change(
    filled: LocalQueryEngine, ticks: list[dict[str, Any]], mode: StorageMode
) -> None:
    grouped = candles_of(ticks).groupby("symbol")
    expected: Any = pd.DataFrame(
        {
            "first_open": grouped["open"].first(),
            "last_close": grouped["close"].last(),
            "high": grouped["high"].max(),
            "low": grouped["low"].min(),
            "volume": grouped["volume"].sum(),
            "trade_count": grouped["trade_count"].sum(),
        }
    ).reset_index()
    change = expected["last_close"] - expected["first_open"]
    expected["change_percent"] = 100 * change / expected["first_open"]
    expected["size"] = expected["change_percent"].abs()
    expected = expected.sort_values(["size", "symbol"], ascending=[False, True])
    assert_same(answer(filled, "top_movers", mode, count=3), expected.head(3))


@both_modes
def test_lateness_is_told_per_hour(
    filled: LocalQueryEngine, ticks: list[dict[str, Any]], mode: StorageMode
) -> None:
    kept = distinct_ticks(ticks)
    kept["late_us"] = kept["sent_ts"] - kept["event_ts"]
    grouped = kept.groupby(kept["event_ts"] // US_PER_HOUR * US_PER_HOUR)
    found = answer(filled, "lateness", mode)
    assert found["ticks"].tolist() == grouped.size().tolist()
    assert (
        found["late_ticks"].tolist() == grouped["late_us"].agg(lambda x: (x > 60e6).sum()).tolist()
    )
    assert found["max_seconds"].tolist() == [90.0] * 3
    assert found["late_p50_seconds"].tolist() == [90.0] * 3
    assert found["sent_after_close"].tolist() == [0] * 3
    assert found["mean_seconds"].tolist() == pytest.approx(
        (grouped["late_us"].mean() / 1e6).tolist()
    )
    # Closed at its end, an hour has lost what was sent later.
    closed = answer(filled, "lateness", mode, close_after_seconds=0)["sent_after_close"]
    ends_us = kept["event_ts"] // US_PER_HOUR * US_PER_HOUR + US_PER_HOUR
    missed = kept[(kept["late_us"] > 60e6) & (kept["sent_ts"] >= ends_us)]
    assert sum(closed) == len(missed)


@both_modes
def test_the_median_is_of_the_late_ticks_alone(home: Home, mode: StorageMode) -> None:
    """Of two in the middle it is the smaller."""
    late_seconds = (0, 1, 2, 61, 70, 80, 5000)
    records = [tick("AAA", number, number + 1) for number in range(len(late_seconds))]
    for record, seconds in zip(records, late_seconds, strict=True):
        record["sent_ts"] = record["event_ts"] + seconds * 1_000_000
    land(home, records, [mode])
    engine = LocalQueryEngine(home, load_settings(home=home.path, _env_file=None))
    [found] = engine.run_file("lateness", {**WINDOW, "storage_mode": mode.value}).records
    assert (found["ticks"], found["late_ticks"], found["sent_after_close"]) == (7, 4, 1)
    assert (found["late_p50_seconds"], found["max_seconds"]) == (70.0, 5000.0)


@both_modes
def test_minutes_with_a_candle_are_told_as_ranges(
    filled: LocalQueryEngine, ticks: list[dict[str, Any]], mode: StorageMode
) -> None:
    """Between two ranges of a symbol there is a minute without one."""
    found = answer(filled, "traded_minutes", mode)
    minutes = [
        (row.symbol, row.first_minute + timedelta(minutes=number))
        for row in found.itertuples()
        for number in range(row.candles)
    ]
    candles = candles_of(ticks)
    assert sorted(minutes) == sorted(zip(candles["symbol"], candles["bucket_start"], strict=True))
    for row, follower in pairwise(found.itertuples()):
        assert row.last_minute == row.first_minute + timedelta(minutes=row.candles - 1)
        if row.symbol == follower.symbol:
            assert follower.first_minute - row.last_minute > timedelta(minutes=1)


@both_modes
def test_raw_is_told_per_minute(
    filled: LocalQueryEngine, ticks: list[dict[str, Any]], mode: StorageMode
) -> None:
    """Copies and invalid rows included."""
    contract = load_contract("tick")
    expected: dict[int, list[int]] = {}
    for row in ticks:
        counts = expected.setdefault(row["event_ts"] // US_PER_MINUTE, [0, 0, 0])
        counts[0] += 1
        counts[1] += broken_rule(contract, row) is not None
        counts[2] += row["sent_ts"] is not None and row["sent_ts"] - row["event_ts"] > 60e6
    found = answer(filled, "raw_minutes", mode)
    columns = ["raw_rows", "invalid_rows", "late_rows"]
    assert found[columns].to_numpy().tolist() == [expected[key] for key in sorted(expected)]


def test_both_storage_modes_are_told_side_by_side(filled: LocalQueryEngine) -> None:
    found = answer(filled, "compare_storage_modes")
    assert len(found) == 3
    assert found["same_counts"].all()
    assert (found["iceberg_ticks"] == found["parquet_ticks"]).all()
    assert (found["iceberg_candles"] > 0).all()


@both_modes
def test_duplicates_conflicts_and_reused_ids_are_counted(
    filled: LocalQueryEngine, ticks: list[dict[str, Any]], mode: StorageMode
) -> None:
    rows = len(ticks) - 5
    kept = distinct_ticks(ticks)
    assert answer(filled, "duplicates", mode).to_dict("records") == [
        {
            "valid_rows": rows,
            "ticks": len(kept),
            "duplicates": rows - len(kept),
            "conflicting": 2,
            "reused_ids": 1,
        }
    ]


@both_modes
def test_duplicates_of_nothing_are_zero(engine: LocalQueryEngine, mode: StorageMode) -> None:
    found = answer(engine, "duplicates", mode).to_dict("records")
    assert found == [dict.fromkeys(found[0], 0)]


@both_modes
def test_invalid_rows_are_counted_by_rule(filled: LocalQueryEngine, mode: StorageMode) -> None:
    found = answer(filled, "invalid_ticks", mode)
    assert dict(zip(found["rule"], found["invalid_rows"], strict=True)) == {
        "event_time_iso_of": 1,
        "price_exclusive_minimum": 1,
        "price_finite": 1,
        "symbol_pattern": 1,
        "volume_null": 1,
    }


@both_modes
def test_gaps_are_seen(home: Home, engine: LocalQueryEngine, mode: StorageMode) -> None:
    """A missing range is told with its edges; an invalid tick's number, and a copy's, is not missing."""
    numbers = [1, 2, 2, 3, 7, 8, 10]
    records = [tick("AAA", number, number) for number in numbers]
    records += [tick("BBB", 5, 1), tick("BBB", 6, 2, price=-1.0), tick("BBB", 7, 3)]
    records += [tick("AAA", 1, 100, source="other"), tick("AAA", 2, 101, source="other")]
    # A wrong symbol numbers nothing: between two of them, nothing is missing.
    records += [tick("no good", 11, 5), tick("no good", 12, 5_000)]
    land(home, records, [mode])
    found = answer(engine, "gaps", mode)
    columns = ["source", "symbol", "first_missing", "last_missing", "missing"]
    assert found[columns].to_numpy().tolist() == [
        ["sim-1", "AAA", 4, 6, 3],
        ["sim-1", "AAA", 9, 9, 1],
    ]
    assert found["after_us"].tolist() == [START_US + 3_000_000, START_US + 8_000_000]
    assert found["before_us"].tolist() == [START_US + 7_000_000, START_US + 10_000_000]


@both_modes
def test_candles_match_sql(filled: LocalQueryEngine, mode: StorageMode) -> None:
    """The pandas candles are what SQL recomputes from the ticks: ties, copies and all."""
    assert answer(filled, "candles_match_sql", mode).empty


@both_modes
def test_five_is_five_ones(filled: LocalQueryEngine, mode: StorageMode) -> None:
    assert answer(filled, "five_is_five_ones", mode).empty


def test_both_modes_agree(filled: LocalQueryEngine) -> None:
    assert answer(filled, "storage_parity_ticks").empty
    assert answer(filled, "storage_parity_candles", timeframe="1m").empty
    assert answer(filled, "storage_parity_candles", timeframe="5m").empty


CHANGES: list[tuple[str, Any, str]] = [
    ("open", 1.0, "open"),
    ("high", 1e9, "high"),
    ("low", 0.5, "low"),
    ("close", 1.0, "close"),
    ("volume", 1e9, "volume"),
    ("notional", 1e9, "notional"),
    ("vwap", 1e9, "vwap"),
    ("vwap", None, "vwap"),
    ("trade_count", 77, "trade_count"),
    ("first_us", 1, "first_us"),
    ("last_us", -1, "last_us"),
]


def test_every_changed_column_of_a_candle_is_found(home: Home, engine: LocalQueryEngine) -> None:
    """By the recompute, by the roll-up's check, and by the comparison of the modes."""
    records = [tick("AAA", 1 + number * 13, number + 1) for number in range(600)]
    ones, fives = candles_of(records), candles_of(records, 5)
    land(home, records, MODES)
    changed = {"1m": ones.copy(), "5m": fives.copy()}
    for table in changed.values():
        for position, (column, value, _) in enumerate(CHANGES):
            at = table.loc[position, "first_us"] + value if column.endswith("_us") else value
            table.loc[position, column] = at
    store_candles(home, "1m", ones, [StorageMode.ICEBERG])
    store_candles(home, "5m", changed["5m"], [StorageMode.ICEBERG])
    store_candles(home, "1m", changed["1m"], [StorageMode.PARQUET_PROJECTION])
    store_candles(home, "5m", fives, [StorageMode.PARQUET_PROJECTION])
    expected = [difference for _, _, difference in CHANGES]
    found = answer(engine, "candles_match_sql", StorageMode.PARQUET_PROJECTION)
    assert found["difference"].tolist() == expected
    assert found["bucket_start"].tolist() == ones["bucket_start"][: len(CHANGES)].tolist()
    assert (
        answer(engine, "five_is_five_ones", StorageMode.ICEBERG)["difference"].tolist() == expected
    )
    for timeframe in ("1m", "5m"):
        parity = answer(engine, "storage_parity_candles", timeframe=timeframe)
        assert parity["difference"].tolist() == expected
    assert answer(engine, "candles_match_sql", StorageMode.ICEBERG).empty


def test_missing_and_unexpected_candles_are_found(home: Home, engine: LocalQueryEngine) -> None:
    records = [tick("AAA", number * 45, number + 1) for number in range(12)]
    candles = candles_of(records)
    land(home, records, MODES)
    store_candles(home, "1m", candles.drop(index=2), [StorageMode.ICEBERG])
    extra = candles.iloc[[0]].assign(symbol="GHOST")
    store_candles(home, "1m", pd.concat([candles, extra]), [StorageMode.PARQUET_PROJECTION])
    store_candles(home, "5m", candles_of(records, 5).drop(index=0), [StorageMode.ICEBERG])
    assert answer(engine, "candles_match_sql", StorageMode.ICEBERG)["difference"].tolist() == [
        "missing"
    ]
    unexpected = answer(engine, "candles_match_sql", StorageMode.PARQUET_PROJECTION)
    assert unexpected[["symbol", "difference"]].to_numpy().tolist() == [["GHOST", "unexpected"]]
    parity = answer(engine, "storage_parity_candles")
    assert sorted(parity["difference"]) == ["only_parquet", "only_parquet"]
    fives = answer(engine, "five_is_five_ones", StorageMode.ICEBERG)
    # The five's own first minutes lack the dropped one, too: a count that differs, or no five at all.
    assert fives["difference"].tolist() == ["missing"]


def test_parity_finds_any_difference_of_ticks(home: Home, engine: LocalQueryEngine) -> None:
    """One fault in each hour but the last: a row removed, a volume, an id or a time changed, none at all."""
    hours = [
        [tick("AAA", 3600 * hour + 60 * k, 60 * hour + k + 1) for k in range(60)]
        for hour in range(6)
    ]
    changed = [[record.copy() for record in records] for records in hours]
    del changed[0][10]
    changed[1][10]["volume"] = 1.0001
    changed[2][10]["event_id"] = "another"
    changed[3][0] = tick("AAA", 3600 * 3 + 0.000001, 181)
    changed[4] = []
    land(home, [*chain(*hours)], [StorageMode.ICEBERG])
    land(home, [*chain(*changed)], [StorageMode.PARQUET_PROJECTION])
    found = answer(engine, "storage_parity_ticks", end="2026-03-01T15:00:00Z")
    assert found["hour"].tolist() == [
        as_datetime(START_US + hour * US_PER_HOUR) for hour in range(5)
    ]


def test_copies_and_invalid_rows_do_not_break_parity(home: Home, engine: LocalQueryEngine) -> None:
    """Delivery is at least once: promise 3 is over the view, not over raw."""
    records = [tick("AAA", number, number + 1) for number in range(50)]
    land(home, records, MODES)
    land(home, records[:7], [StorageMode.ICEBERG])
    land(home, [tick("AAA", 3, 900, price=0.0)], [StorageMode.PARQUET_PROJECTION])
    assert answer(engine, "storage_parity_ticks").empty


@hypothesis_settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["A", "B"]),
            st.sampled_from([0.0, 0.000001, 59.999999, 60.0, 299.999999, 300.0, 3599.999999]),
            st.integers(1, 3),
            st.sampled_from(["x", "y"]),
            st.sampled_from([1.0, 2.0, 2.5]),
            st.sampled_from([0.0, 1.0]),
        ),
        min_size=1,
        max_size=40,
    ),
    seed=st.randoms(use_true_random=False),
)
def test_order_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]], seed: Any
) -> None:
    """Any ticks, in any order, with copies that conflict: SQL and pandas agree on the candles."""
    settings = load_settings(home=tmp_path_factory.mktemp("any") / "home", _env_file=None)
    home = open_home(settings)
    records = [
        tick(symbol, seconds, sequence, event_id=name, price=price, volume=volume)
        for symbol, seconds, sequence, name, price, volume in rows
    ]
    expected = candles_of(records)
    seed.shuffle(records)
    mode = StorageMode.PARQUET_PROJECTION
    land(home, records, [mode])
    store_candles(home, "1m", expected, [mode])
    store_candles(home, "5m", candles_of(records, 5), [mode])
    engine = LocalQueryEngine(home, settings)
    assert answer(engine, "candles_match_sql", mode).empty
    assert answer(engine, "five_is_five_ones", mode).empty


def test_every_query_is_tested_here_or_by_name() -> None:
    """A new query file needs its own recompute."""
    assert set(query_names()) == {
        "anomalies_today",
        "anomalies_with_candle",
        "anomaly_sanity",
        "candle_invariants",
        "candles",
        "candles_match_sql",
        "compare_storage_modes",
        "duplicates",
        "five_is_five_ones",
        "gaps",
        "invalid_ticks",
        "lateness",
        "latest_candles",
        "raw_minutes",
        "storage_parity_anomalies",
        "storage_parity_candles",
        "storage_parity_ticks",
        "top_movers",
        "traded_minutes",
        "volume_profile",
    }
