"""The queries over anomalies: what is listed, what is wrong by itself, and what differs between the modes."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (pandas has no types)
from __future__ import annotations

import re
from datetime import timedelta
from math import inf, nan
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.event_time import (
    MAX_EVENT_US,
    US_PER_HOUR,
    US_PER_MINUTE,
    US_PER_SECOND,
    as_datetime,
    hour_floor,
    now_us,
)
from tick_pipeline.queries.catalogue import load_query
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.queries.warehouse import (
    START_US,
    WINDOW,
    anomaly,
    candles_of,
    distinct_ticks,
    store_anomalies,
    store_candles,
    tick,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tick_pipeline.home import Home
    from tick_pipeline.resources.query_engine import LocalQueryEngine

MODES = tuple(StorageMode)
ICEBERG, PARQUET = MODES
both_modes = pytest.mark.parametrize("mode", MODES, ids=str)
COLUMNS = load_contract("anomaly").field_names


def rows_of(
    engine: LocalQueryEngine, name: str, mode: StorageMode | None = None, **given: Any
) -> list[dict[str, Any]]:
    chosen = {"storage_mode": mode.value} if mode else {}
    return engine.run_file(name, {**WINDOW, **chosen, **given}).records


def cut(rows: Iterable[dict[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in columns) for row in rows]


def at(place: float, **changes: Any) -> dict[str, Any]:
    """The right anomaly of the tick at that second, then changed; a timedelta is added to event_at."""
    row = anomaly(tick("AAA", place, 1, event_id=f"AAA-{place}"))
    return row | {
        name: row[name] + value if isinstance(value, timedelta) else value
        for name, value in changes.items()
    }


@both_modes
def test_anomalies_are_listed_newest_first(
    home: Home, engine: LocalQueryEngine, mode: StorageMode
) -> None:
    """Of the window alone; of one tick the largest |zscore| first, and the names decide a tie."""
    rows = [
        at(-1),
        at(0),
        at(5, metric="price", zscore=7.0),
        at(5, metric="return", zscore=7.0),
        at(5, metric="volume", zscore=-7.5),
        at(5_000),
        at(10_800),
    ]
    store_anomalies(home, rows[::-1], [mode])
    wanted = [rows[5], rows[4], rows[2], rows[3], rows[1]]
    found = rows_of(engine, "anomalies_today", mode)
    assert cut(found, *COLUMNS) == cut(wanted, *COLUMNS)


@both_modes
def test_today_is_the_current_utc_day_until_now(
    home: Home, engine: LocalQueryEngine, mode: StorageMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment_us = now_us()
    # Else it fails over midnight.
    monkeypatch.setattr("tick_pipeline.resources.query_plan.now_us", lambda: moment_us)
    midnight_us = hour_floor(moment_us) - as_datetime(moment_us).hour * US_PER_HOUR
    places = {
        "yesterday": midnight_us - 1,
        "midnight": midnight_us,
        "ahead": moment_us + US_PER_HOUR,
    }
    rows = [at((us - START_US) / US_PER_SECOND, event_id=name) for name, us in places.items()]
    store_anomalies(home, rows, [mode])
    found = engine.run_file("anomalies_today", {"storage_mode": mode.value}).records
    assert cut(found, "event_id") == [("midnight",)]


@both_modes
def test_each_anomaly_has_the_candle_of_its_minute(
    filled: LocalQueryEngine, ticks: list[dict[str, Any]], mode: StorageMode
) -> None:
    """Of its symbol, against pandas' candles; both as they are stored."""
    kept = distinct_ticks(ticks).to_dict("records")[::40]
    candles = {
        (row["symbol"], row["bucket_start"]): row for row in candles_of(ticks).to_dict("records")
    }
    found = rows_of(filled, "anomalies_with_candle", mode)
    assert len(found) == len(kept) > 20
    assert len({row["symbol"] for row in found}) > 2
    wanted = {row["event_id"]: row for row in map(anomaly, kept)}
    columns = ("open", "high", "low", "close", "trade_count")
    for row in found:
        assert row["bucket_start"] == row["event_at"].replace(second=0, microsecond=0)
        candle = candles[row["symbol"], row["bucket_start"]]
        assert cut([row], *columns) == cut([candle], *columns)
        assert row["volume"] == pytest.approx(candle["volume"], rel=1e-9)
        if candle["volume"]:
            assert row["vwap"] == pytest.approx(candle["vwap"], rel=1e-9)
        stored = wanted[row["event_id"]]
        same = ("symbol", "event_at", "metric", "value", "mean", "stddev", "zscore")
        assert cut([row], *same) == cut([stored], *same)
    assert cut(found, "event_at") == sorted(cut(found, "event_at"))


@both_modes
def test_an_anomaly_without_its_candle_stays_and_has_nulls(
    home: Home, engine: LocalQueryEngine, mode: StorageMode
) -> None:
    """Another symbol's candle of that minute, and its own of the next, are not its candle."""
    store_anomalies(home, [at(59.999999), at(3_601)], [mode])
    candles = candles_of([tick("BBB", 30, 1), tick("AAA", 60, 2), tick("AAA", 3_605, 3)])
    store_candles(home, "1m", candles, [mode])
    without, having = rows_of(engine, "anomalies_with_candle", mode)
    columns = ("bucket_start", "open", "high", "low", "close", "volume", "vwap", "trade_count")
    assert cut([without], *columns) == [(None,) * len(columns)]
    assert without["zscore"] == 6.5
    assert cut([having], *columns) == cut(
        candles[candles["first_us"] > START_US + US_PER_HOUR].to_dict("records"), *columns
    )


@both_modes
def test_a_window_that_begins_in_a_minute_still_finds_that_minutes_candle(
    home: Home, engine: LocalQueryEngine, mode: StorageMode
) -> None:
    store_anomalies(home, [at(20), at(40), at(50)], [mode])
    store_candles(home, "1m", candles_of([tick("AAA", 1, 1)]), [mode])
    window = {"start": START_US + 30 * US_PER_SECOND, "end": START_US + 50 * US_PER_SECOND}
    [row] = rows_of(engine, "anomalies_with_candle", mode, **window)
    assert row["event_at"] == as_datetime(START_US + 40 * US_PER_SECOND)
    assert row["trade_count"] == 1


@both_modes
def test_the_hours_outside_the_window_are_not_read(
    filled: LocalQueryEngine, mode: StorageMode
) -> None:
    """In both modes, of both tables; the microseconds of an anomaly prune as its timestamp does."""
    given = {"storage_mode": mode.value, "start": START_US, "end": START_US + US_PER_HOUR}
    for name in ("anomalies_today", "anomalies_with_candle", "anomaly_sanity"):
        found = filled.estimate_file(name, given)
        assert {(scan.partitions, scan.partitions_total) for scan in found.tables} == {(1, 3)}
    found = filled.estimate(
        f"select 1 from {mode}.anomalies where event_us >= {START_US + 2 * US_PER_HOUR}"
    )
    assert [(scan.partitions, scan.partitions_total) for scan in found.tables] == [(1, 3)]


#: Of an anomaly of value 27, mean 1, stddev 4, zscore 6.5, threshold 5: what is changed, and what that breaks.
BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"event_id": ""}, "empty"),
    ({"symbol": ""}, "empty"),
    *(
        ({name: value}, "not_finite")
        for name in ("value", "mean", "stddev", "zscore", "threshold")
        for value in (nan, inf, -inf)
    ),
    ({"event_at": timedelta(microseconds=1)}, "time_differs"),
    ({"event_at": timedelta(microseconds=-1)}, "time_differs"),
    ({"event_at": timedelta(seconds=1)}, "time_differs"),
    ({"event_us": 0}, "time_differs"),
    ({"event_us": 2**63 - 1}, "time_differs"),
    ({"metric": "Price"}, "unknown_metric"),
    ({"metric": ""}, "unknown_metric"),
    ({"window_minutes": 0}, "no_window"),
    ({"window_minutes": -10}, "no_window"),
    ({"sample_count": 1}, "too_few_samples"),
    ({"stddev": -4.0}, "negative_stddev"),
    ({"zscore": 4.9999999}, "below_threshold"),
    ({"zscore": -4.9999999}, "below_threshold"),
    ({"zscore": 0.0}, "below_threshold"),
    ({"zscore": -6.5}, "wrong_sign"),
    ({"value": 0.5}, "wrong_sign"),
    ({"value": 1.0}, "wrong_sign"),
    ({"value": 1.0, "zscore": -6.5}, "wrong_sign"),
    ({"value": -27.0, "mean": -28.0, "zscore": -6.5}, "wrong_sign"),
    ({"zscore": 0.0, "threshold": 0.0}, "wrong_sign"),
]
#: What must not be mistaken for a broken anomaly.
WHOLE: list[dict[str, Any]] = [
    {},
    {"metric": "price"},
    {"metric": "return"},
    {"zscore": 5.0},
    {"zscore": -5.0, "value": -27.0},
    {"stddev": 0.0},
    {"sample_count": 2, "window_minutes": 1},
    {"value": -27.0, "mean": -53.0},
]


def sanity(engine: LocalQueryEngine, mode: StorageMode, **window: Any) -> list[dict[str, Any]]:
    return rows_of(engine, "anomaly_sanity", mode, **window)


@both_modes
def test_right_anomalies_break_nothing(
    home: Home, engine: LocalQueryEngine, filled: LocalQueryEngine, mode: StorageMode
) -> None:
    """Nor do those at the edge of a rule, nor a tick that is anomalous by each metric."""
    store_anomalies(home, [at(place, **changes) for place, changes in enumerate(WHOLE)], [mode])
    metrics = [at(900, metric=metric) for metric in ("price", "return", "volume")]
    store_anomalies(home, metrics, [mode])
    assert len(rows_of(engine, "anomalies_today", mode)) == len(WHOLE) + 3
    assert sanity(engine, mode) == []
    assert sanity(filled, mode) == []


@both_modes
def test_each_broken_rule_is_found(home: Home, engine: LocalQueryEngine, mode: StorageMode) -> None:
    """And the stored values are shown beside its name, so that a person sees why."""
    rows = [at(10 * place, **changes) for place, (changes, _) in enumerate(BROKEN)]
    store_anomalies(home, rows, [mode])
    found = sanity(engine, mode)
    assert [row["broken"] for row in found] == [name for _, name in BROKEN]
    times = ("event_at",)
    numbers = [name for name in COLUMNS if name not in times]
    assert [[repr(row[name]) for name in numbers] for row in found] == [
        [repr(row[name]) for name in numbers] for row in rows
    ]
    assert cut(found, *times) == cut(rows, *times)


@both_modes
def test_a_null_is_found_in_every_column(
    home: Home, engine: LocalQueryEngine, mode: StorageMode
) -> None:
    """As the contract has them; an anomaly without its event_at is in no window."""
    names = [name for name in COLUMNS if name != "event_at"]
    rows = [at(place, **{name: None}) for place, name in enumerate(names)]
    store_anomalies(home, rows, [mode])
    found = sanity(engine, mode)
    assert [row["broken"] for row in found] == ["null"] * len(names)
    assert [row[name] for row, name in zip(found, names, strict=True)] == [None] * len(names)


@both_modes
def test_a_key_that_stands_twice_is_found(
    home: Home, engine: LocalQueryEngine, mode: StorageMode
) -> None:
    """Each of its rows is told, also where the second lies in another hour; another metric's is not."""
    rows = [at(0), at(0, metric="price"), at(3_600, event_id=at(0)["event_id"]), at(7)]
    store_anomalies(home, rows, [mode])
    found = sanity(engine, mode)
    assert cut(found, "event_id", "metric", "broken") == [("AAA-0", "volume", "not_unique")] * 2


@both_modes
def test_a_microsecond_is_told_apart_until_the_end_of_time(
    home: Home, engine: LocalQueryEngine, mode: StorageMode
) -> None:
    """A double of seconds rounds it after 2038: neither a right row is wrong, nor a wrong one right."""
    end_us = MAX_EVENT_US
    moments = [end_us - US_PER_MINUTE + us for us in (0, 1, 333_333, 499_999, 500_001, 999_999)]
    moments += [end_us - 1, end_us - 2, end_us - 17 * US_PER_SECOND - 123_457]
    rows = [at((us - START_US) / US_PER_SECOND, event_id=f"right-{us}") for us in moments]
    rows += [
        row | {"event_id": f"{row['event_id']}{by:+}", "event_us": row["event_us"] + by}
        for row in rows
        for by in (-1, 1)
    ]
    assert {row["event_us"] for row in rows[: len(moments)]} == set(moments)
    store_anomalies(home, rows, [mode])
    found = sanity(engine, mode, start=end_us - US_PER_HOUR, end=end_us)
    assert {row["broken"] for row in found} == {"time_differs"}
    assert {row["event_id"] for row in found} == {row["event_id"] for row in rows[len(moments) :]}


def test_every_rule_of_the_query_is_broken_here() -> None:
    told = re.findall(r"then '(\w+)'", load_query("anomaly_sanity").sql)
    assert set(told) == {name for _, name in BROKEN} | {"not_unique", "null"}


def test_both_modes_agree_on_anomalies(filled: LocalQueryEngine) -> None:
    assert rows_of(filled, "anomalies_today", PARQUET)
    assert rows_of(filled, "storage_parity_anomalies") == []


#: Of an anomaly of value 27, mean 1, stddev 4, zscore 6.5: what one mode holds instead, and what then differs.
DIFFERENT: list[tuple[dict[str, Any], str]] = [
    ({"symbol": "BBB"}, "symbol"),
    ({"symbol": None}, "symbol"),
    ({"event_us": START_US - 1}, "event_us"),
    ({"event_at": timedelta(microseconds=1)}, "event_at"),
    ({"sample_count": 101}, "sample_count"),
    ({"window_minutes": 11}, "window_minutes"),
    ({"threshold": 5.000000000000001}, "threshold"),
    ({"value": 27.0 * (1 + 2e-9)}, "value"),
    ({"mean": 1.0 + 9e-9}, "mean"),
    ({"stddev": 4.0 * (1 - 2e-9)}, "stddev"),
    ({"zscore": 6.5 * (1 + 2e-6)}, "zscore"),
    ({"zscore": -6.5}, "zscore"),
    *(
        ({name: value}, name)
        for name in ("value", "mean", "stddev", "zscore")
        for value in (nan, inf, -inf, None)
    ),
]
#: What rounding may change.
ALIKE: list[dict[str, Any]] = [
    {"value": 27.0 * (1 + 9e-10)},
    {"mean": 1.0 - 3.5e-9},
    {"stddev": 4.0 * (1 + 9e-10)},
    {"zscore": 6.5 * (1 - 9e-7)},
]


@pytest.mark.parametrize("changed", MODES, ids=str)
def test_every_column_that_differs_between_the_modes_is_found(
    home: Home, engine: LocalQueryEngine, changed: StorageMode
) -> None:
    """Whichever mode holds the other value."""
    [other] = set(MODES) - {changed}
    count = len(DIFFERENT) + len(ALIKE)
    changes = [*(change for change, _ in DIFFERENT), *ALIKE]
    store_anomalies(home, [at(10 * place) for place in range(count)], [other])
    rows = [at(10 * place, **change) for place, change in enumerate(changes)]
    store_anomalies(home, rows, [changed])
    found = rows_of(engine, "storage_parity_anomalies")
    told = {row["event_id"]: row["difference"] for row in found}
    assert told == {f"AAA-{10 * place}": name for place, (_, name) in enumerate(DIFFERENT)}
    assert len(found) == len(DIFFERENT)


def test_what_is_equally_wrong_in_both_modes_is_no_difference(
    home: Home, engine: LocalQueryEngine
) -> None:
    """`anomaly_sanity` tells it of each."""
    changes = [
        {name: value}
        for name in ("value", "mean", "stddev", "zscore")
        for value in (nan, inf, -inf, None)
    ]
    rows = [at(place, **change) for place, change in enumerate(changes)]
    store_anomalies(home, rows, MODES)
    assert rows_of(engine, "storage_parity_anomalies") == []
    assert [len(sanity(engine, mode)) for mode in MODES] == [len(rows)] * 2


def test_a_mean_near_zero_is_compared_by_what_it_means_to_a_score(
    home: Home, engine: LocalQueryEngine
) -> None:
    """A mean of returns is a sum that cancels: its last digits are noise beside stddev."""
    returns = {"metric": "return", "value": 0.0007, "stddev": 1e-4, "zscore": 7.0}
    store_anomalies(home, [at(0, **returns, mean=1e-20), at(1, **returns, mean=0.0)], [ICEBERG])
    store_anomalies(home, [at(0, **returns, mean=-3e-20), at(1, **returns, mean=2e-13)], [PARQUET])
    found = rows_of(engine, "storage_parity_anomalies")
    assert cut(found, "event_id", "difference") == [("AAA-1", "mean")]


def test_a_small_score_is_compared_absolutely(home: Home, engine: LocalQueryEngine) -> None:
    """A threshold below 1 is legal."""
    near, far = ({"threshold": 1e-4, "zscore": 1e-3 + by} for by in (9e-7, 2e-6))
    first = {"threshold": 1e-4, "zscore": 1e-3}
    store_anomalies(home, [at(0, **first), at(1, **first)], [ICEBERG])
    store_anomalies(home, [at(0, **near), at(1, **far)], [PARQUET])
    found = rows_of(engine, "storage_parity_anomalies")
    assert cut(found, "event_id", "difference") == [("AAA-1", "zscore")]


def test_anomalies_that_one_mode_lacks_are_found(home: Home, engine: LocalQueryEngine) -> None:
    """By the whole key; one of no name, too, and one that the other holds twice."""
    both = [at(0), at(1)]
    mine = [at(2), at(3, metric="price"), at(4, event_id=None), at(0)]
    theirs = [at(3, metric="return"), at(5, event_id=None)]
    store_anomalies(home, [*both, *mine], [ICEBERG])
    store_anomalies(home, [*both, *theirs], [PARQUET])
    found = rows_of(engine, "storage_parity_anomalies")
    assert cut(found, "event_id", "metric", "difference") == [
        ("AAA-0", "volume", "copies"),
        ("AAA-0", "volume", "copies"),
        ("AAA-2", "volume", "only_iceberg"),
        ("AAA-3", "price", "only_iceberg"),
        ("AAA-3", "return", "only_parquet"),
        (None, "volume", "only_iceberg"),
        (None, "volume", "only_parquet"),
    ]
    only = found[2]
    assert (only["iceberg_zscore"], only["parquet_zscore"]) == (6.5, None)
    assert cut(found, "event_at", "symbol") == [
        (as_datetime(START_US + second * US_PER_SECOND), "AAA") for second in (0, 0, 2, 3, 3, 4, 5)
    ]


def test_only_the_window_is_compared(home: Home, engine: LocalQueryEngine) -> None:
    store_anomalies(home, [at(-1), at(10_800)], [ICEBERG])
    assert rows_of(engine, "storage_parity_anomalies") == []


def test_every_difference_of_the_query_is_made_here() -> None:
    told = re.findall(r"then '(\w+)'", load_query("storage_parity_anomalies").sql)
    assert set(told) == {name for _, name in DIFFERENT} | {"only_iceberg", "only_parquet", "copies"}
    assert {name for name in COLUMNS if name not in ("event_id", "metric")} == {
        name for _, name in DIFFERENT
    }
