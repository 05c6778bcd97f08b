"""What a candle is: Spark's against a recompute in plain Python, over the real job."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND, format_instant
from tick_pipeline.storage import LoadDataMode, StorageMode, hour_partition
from tick_pipeline_tests.spark.lake import tick
from tick_pipeline_tests.spark.oracle import assert_equal_candles, recompute

if TYPE_CHECKING:
    from tick_pipeline_tests.spark.lake import Lake
    from tick_pipeline_tests.spark.oracle import Tick

pytestmark = pytest.mark.spark
PARQUET, ICEBERG = StorageMode.PARQUET_PROJECTION, StorageMode.ICEBERG
_FEW = settings(
    max_examples=5,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Few instants, ids, sequences and prices: ties, copies and conflicts are the rule, not the exception.
_OFFSETS = st.sampled_from([0, 1, 59_999_999, 60_000_000, 299_999_999, 300_000_000, 3_599_999_999])
_DRAFTS = st.lists(
    st.fixed_dictionaries(
        {
            "event_ts": _OFFSETS,
            "event_id": st.sampled_from(["a", "b", "ä", ""]),
            "sequence": st.sampled_from([0, 1, 2, 2**37 - 1, 2**37, 2**62]),
            "symbol": st.sampled_from(["AAA", "B.B", "no good"]),
            "price": st.sampled_from([1.0, 2.5, 1e9, 0.0, float("nan"), float("inf")]),
            "volume": st.sampled_from([0.0, 1.0, 0.1, 1e6, -1.0]),
            "source": st.sampled_from(["x", "y"]),
            "sent_ts": st.sampled_from([0, 5]),
        }
    ),
    min_size=1,
    max_size=150,
)


def _placed(drafts: list[dict[str, Any]], start_us: int) -> list[Tick]:
    return [
        tick(start_us + draft["event_ts"], **{k: v for k, v in draft.items() if k != "event_ts"})
        for draft in drafts
    ]


def _check(lake: Lake, ticks: list[Tick], start_us: int, mode: StorageMode = PARQUET) -> None:
    report = lake.aggregate(start_us, mode)
    for timeframe, seconds in (("1m", 60), ("5m", 300)):
        expected = recompute(ticks, seconds)
        found = lake.candles(start_us, mode, timeframe=timeframe)
        assert_equal_candles(found, expected.candles)
        assert report.candles[timeframe] == len(found)
    expected = recompute(ticks, 60)
    assert report.rows == len(ticks)
    assert report.invalid == sum(report.invalid_by_rule.values()) == expected.invalid
    assert report.duplicates == expected.duplicates
    assert report.conflicting_duplicates == expected.conflicting


@_FEW
@given(drafts=_DRAFTS)
def test_candles_match_an_independent_recompute(lake: Lake, drafts: list[dict[str, Any]]) -> None:
    """Ties, copies, conflicting copies, large sequences and invalid rows, all mixed."""
    start_us = lake.fresh_hours()
    ticks = _placed(drafts, start_us)
    lake.land(ticks, PARQUET)
    _check(lake, ticks, start_us)


@_FEW
@given(drafts=_DRAFTS, seed=st.integers(0, 99))
def test_order_does_not_matter_to_candles(
    lake: Lake, drafts: list[dict[str, Any]], seed: int
) -> None:
    """The same rows, landed in another order and in two files, give equal candles."""
    start_us = lake.fresh_hours()
    ticks = _placed(drafts, start_us)
    random.Random(seed).shuffle(ticks)
    half = len(ticks) // 2
    lake.land(ticks[half:], PARQUET)
    lake.land(ticks[:half], PARQUET)
    _check(lake, ticks, start_us)


def test_five_is_five_ones_and_equals_raw(lake: Lake) -> None:
    start_us = lake.fresh_hours()
    ticks = [
        tick(start_us + number * 7_777_777, number, price=50.0 + number * 37 % 11)
        for number in range(1, 400)
    ]
    lake.land(ticks, PARQUET)
    _check(lake, ticks, start_us)
    ones, fives = lake.candles(start_us), lake.candles(start_us, timeframe="5m")
    for (symbol, bucket_us), five in fives.items():
        inside = [
            one
            for (of, us), one in sorted(ones.items())
            if of == symbol and bucket_us <= us < bucket_us + 5 * US_PER_MINUTE
        ]
        assert five["trade_count"] == sum(one["trade_count"] for one in inside)
        assert (five["open"], five["close"]) == (inside[0]["open"], inside[-1]["close"])


@pytest.mark.parametrize("mode", [PARQUET, ICEBERG])
def test_replay_changes_nothing_in_candles(lake: Lake, mode: StorageMode) -> None:
    """A second run, and a second landing of the same rows, leave the candles as they were."""
    start_us = lake.fresh_hours()
    ticks = [tick(start_us + number * 9_000_001, number) for number in range(1, 300)]
    lake.land(ticks, mode)
    _check(lake, ticks, start_us, mode)
    first = lake.candles(start_us, mode)
    lake.aggregate(start_us, mode)
    assert_equal_candles(lake.candles(start_us, mode), first)
    lake.land(ticks, mode)
    _check(lake, ticks * 2, start_us, mode)


def test_sixty_trades_in_one_microsecond_keep_their_sequence(lake: Lake) -> None:
    start_us = lake.fresh_hours()
    at = start_us + 30 * US_PER_SECOND
    ticks = [tick(at, number, price=100.0 + number * 17 % 60) for number in range(1, 61)]
    lake.land(ticks[::-1], PARQUET)
    _check(lake, ticks, start_us)


@pytest.mark.parametrize("first", [1, 2**37 - 3, 2**62 - 3])
def test_sequences_of_any_size_decide_open_and_close(lake: Lake, first: int) -> None:
    """In one microsecond, where nothing else does."""
    start_us = lake.fresh_hours()
    ticks = [
        tick(start_us + 5, first + number, price=100.0 + number * 5 % 7) for number in range(7)
    ]
    lake.land([ticks[number] for number in (3, 0, 6, 1, 5, 2, 4)], PARQUET)
    _check(lake, ticks, start_us)


def test_equal_time_and_sequence_of_two_ids_fall_back_to_the_full_order(lake: Lake) -> None:
    start_us = lake.fresh_hours()
    ticks = [tick(start_us, event_id=name, price=price) for name, price in (("z", 1.0), ("a", 2.0))]
    lake.land(ticks, PARQUET)
    _check(lake, ticks, start_us)
    assert lake.candles(start_us)["AAA", start_us]["open"] == 2.0


def test_more_shared_instants_than_fit_in_memory_change_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are then joined by sorting."""
    monkeypatch.setattr("tick_pipeline.spark.candles._BROADCAST_INSTANTS", 0)
    start_us = lake.fresh_hours()
    ticks = [tick(start_us + number // 2 * 1_000_001, number) for number in range(1, 200)]
    lake.land([*ticks, *ticks[50:60]], PARQUET)
    _check(lake, [*ticks, *ticks[50:60]], start_us)


def test_the_same_id_with_another_symbol_or_time_is_another_tick(lake: Lake) -> None:
    start_us = lake.fresh_hours()
    ticks = [
        tick(start_us, event_id="same"),
        tick(start_us, event_id="same", symbol="BBB"),
        tick(start_us + 1, event_id="same"),
    ]
    lake.land(ticks, PARQUET)
    _check(lake, ticks, start_us)


def test_a_tick_on_the_edge_opens_the_next_bucket(lake: Lake) -> None:
    start_us = lake.fresh_hours(2)
    edges = [0, US_PER_MINUTE - 1, US_PER_MINUTE, US_PER_HOUR - 1, US_PER_HOUR]
    ticks = [tick(start_us + offset, number) for number, offset in enumerate(edges, start=1)]
    lake.land(ticks, PARQUET)
    lake.aggregate(start_us, hours=2)
    assert_equal_candles(lake.candles(start_us, hours=2), recompute(ticks, 60).candles)


def test_vwap_is_null_where_nothing_was_traded(lake: Lake) -> None:
    start_us = lake.fresh_hours()
    ticks = [tick(start_us, volume=0.0), tick(start_us + US_PER_MINUTE, 2)]
    lake.land(ticks, PARQUET)
    _check(lake, ticks, start_us)
    assert lake.candles(start_us)["AAA", start_us]["vwap"] is None


@pytest.mark.parametrize("mode", [PARQUET, ICEBERG])
def test_an_hour_without_valid_ticks_ends_without_rows(lake: Lake, mode: StorageMode) -> None:
    """Candles whose hour's ticks turn out to be none are removed, other hours stay."""
    start_us = lake.fresh_hours(3)
    ticks = [tick(start_us + number * US_PER_HOUR, number + 1) for number in range(2)]
    lake.land(ticks, mode)
    lake.aggregate(start_us, mode, hours=3)
    assert len(lake.candles(start_us, mode, hours=3)) == 2
    lake.land([tick(start_us + 2 * US_PER_HOUR, 3, price=-1.0)], mode)
    report = lake.aggregate(start_us + 2 * US_PER_HOUR, mode)
    assert (report.rows, report.invalid, report.candles) == (1, 1, {"1m": 0, "5m": 0})
    assert report.invalid_by_rule == {"price_exclusive_minimum": 1}
    _empty_raw_hour(lake, start_us, mode)
    report = lake.aggregate(start_us, mode)
    assert (report.rows, report.candles) == (0, {"1m": 0, "5m": 0})
    for timeframe in ("1m", "5m"):
        left = lake.candles(start_us, mode, timeframe=timeframe, hours=3)
        assert [us for _, us in left] == [start_us + US_PER_HOUR]


def _empty_raw_hour(lake: Lake, start_us: int, mode: StorageMode) -> None:
    from tick_pipeline.resources.iceberg import open_catalog

    if mode is ICEBERG:
        end = format_instant(start_us + US_PER_HOUR)[:-1]
        begin = format_instant(start_us)[:-1]
        open_catalog(lake.home.path).load_table("iceberg.raw").delete(
            f"event_ts >= '{begin}+00:00' and event_ts < '{end}+00:00'"
        )
        return
    for path in (lake.folder("raw") / hour_partition(start_us)).iterdir():
        path.unlink()


def test_all_read_modes_give_equal_candles_and_tell_what_they_read(lake: Lake) -> None:
    start_us = lake.fresh_hours(3)
    ticks = [tick(start_us + number * 60_000_007, number) for number in range(1, 90)]
    lake.land(ticks, PARQUET, ICEBERG)
    for load in LoadDataMode:
        for mode in (PARQUET, ICEBERG):
            report = lake.aggregate(start_us, mode, hours=2, load=load)
            assert (report.load_data_mode, report.storage_mode) == (load.value, mode.value)
            assert (report.rows, report.files, report.partitions) == (89, 2, 2)
            assert report.bytes > 0
            assert report.requests >= report.files
            assert report.tasks > 0
            found = lake.candles(start_us, mode, hours=2)
            assert_equal_candles(found, recompute(ticks, 60).candles)


def test_candles_lie_in_one_file_an_hour_with_the_keys_in_the_path_only(lake: Lake) -> None:
    """Times are INT64 microseconds adjusted to UTC, as Athena and DuckDB take them."""
    import pyarrow.parquet as pq

    start_us = lake.fresh_hours()
    lake.land([tick(start_us)], PARQUET)
    lake.aggregate(start_us)
    folder = lake.folder("aggregated_1m") / hour_partition(start_us)
    (path,) = folder.iterdir()
    schema = pq.ParquetFile(path).schema
    assert "year" not in schema.names
    column = schema.column(schema.names.index("bucket_start"))
    assert column.physical_type == "INT64"
    assert "isAdjustedToUTC=true, timeUnit=microseconds" in str(column.logical_type)
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"
    assert not list(folder.parents[3].glob("_*"))
