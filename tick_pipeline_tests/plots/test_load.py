"""The data of a picture: chosen as documented, equal to a direct computation."""

# numpy's element types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tick_pipeline.errors import InputError, WorkError
from tick_pipeline.plots.load import Wanted, load_picture
from tick_pipeline.plots.picture import price_band
from tick_pipeline.resources.query_engine import LocalQueryEngine
from tick_pipeline.spark.scoring_rules import ScoringRules
from tick_pipeline.spark.zscore import Scorer, Ticks
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.queries.warehouse import START_US, anomaly, store_anomalies, tick

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.plots.picture import Picture
    from tick_pipeline.settings import Settings

US = 1_000_000
MINUTE = 60 * US
ICEBERG = StorageMode.ICEBERG


def test_the_symbol_with_most_anomalies_and_its_newest_hours_are_shown(picture: Picture) -> None:
    assert picture.symbol == "AAA"
    assert (picture.start_us, picture.end_us) == (START_US, START_US + 41 * MINUTE)
    assert len(picture.candles) == 41
    assert [candle.start_us for candle in picture.candles] == [
        START_US + minute * MINUTE for minute in range(41)
    ]


def test_both_storage_modes_give_one_picture(
    picture: Picture, drawn_engine: LocalQueryEngine
) -> None:
    other = load_picture(drawn_engine, StorageMode.PARQUET_PROJECTION, Wanted(), ScoringRules())
    assert other.candles == picture.candles
    assert other.alerts == picture.alerts
    np.testing.assert_array_equal(other.band.mean, picture.band.mean)


def test_alerts_stand_at_their_ticks_price(picture: Picture, market: list[dict[str, Any]]) -> None:
    of_aaa = [record for record in market if record["symbol"] == "AAA"]
    assert [(alert.event_id, alert.price, alert.zscore) for alert in picture.alerts] == [
        (of_aaa[699]["event_id"], of_aaa[699]["price"], 41.5),
        (of_aaa[700]["event_id"], of_aaa[700]["price"], -40.25),
        (of_aaa[999]["event_id"], of_aaa[999]["price"], 7.75),
    ]
    assert [alert.upwards for alert in picture.alerts] == [True, False, True]
    assert picture.unplaced == 0


def test_the_band_is_mean_and_deviation_of_the_window_before(
    drawn_engine: LocalQueryEngine, market: list[dict[str, Any]]
) -> None:
    """Recomputed tick by tick; where too few ticks stand in the window there is none."""
    rules = ScoringRules(window_minutes=3, threshold=2.5)
    band = load_picture(drawn_engine, ICEBERG, Wanted(symbol="AAA"), rules).band
    us = np.array([record["event_ts"] for record in market if record["symbol"] == "AAA"])
    price = np.array([record["price"] for record in market if record["symbol"] == "AAA"])
    judged = 0
    for place, at_us in enumerate(band.at_us.tolist()):
        window = price[(us >= at_us - 180 * US) & (us < at_us)]
        if len(window) < 30:
            assert np.isnan(band.mean[place])
            continue
        judged += 1
        reach = 2.5 * window.std(ddof=1)
        assert band.mean[place] == pytest.approx(window.mean(), rel=1e-12)
        assert band.low[place] == pytest.approx(window.mean() - reach, rel=1e-9)
        assert band.high[place] == pytest.approx(window.mean() + reach, rel=1e-9)
    assert judged > 500


def test_a_price_outside_the_band_is_an_alert_of_the_metric_price(
    market: list[dict[str, Any]],
) -> None:
    """The limits are the score's own: what it finds is what lies outside, second by second."""
    rules = ScoringRules(metrics=("price",), threshold=2)
    of_aaa = [record for record in market if record["symbol"] == "AAA"]
    us = np.array([record["event_ts"] for record in of_aaa])
    price = np.array([record["price"] for record in of_aaa])
    band = price_band(us, price, int(us[0]), int(us[0]) + 800 * US, rules)
    inside = us < band.at_us[-1] + US
    of = np.searchsorted(band.at_us, us[inside] // US * US)
    outside = (price[inside] < band.low[of]) | (price[inside] > band.high[of])
    import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]

    table = pa.Table.from_pylist([record | {"event_us": record["event_ts"]} for record in of_aaa])
    found = Scorer(rules).score(Ticks.of(table)).to_pylist()
    expected = {row["event_us"] for row in found if row["event_us"] <= us[inside][-1]}
    assert set(us[inside][outside].tolist()) == expected
    assert expected


def test_without_ticks_there_is_no_band() -> None:
    empty = np.array([], np.int64)
    band = price_band(empty, np.array([], np.float64), 0, 60 * US, ScoringRules())
    assert len(band.at_us) == 60
    assert np.isnan(band.mean).all()


def test_a_range_is_taken_as_it_is(drawn_engine: LocalQueryEngine) -> None:
    wanted = Wanted("B/B", START_US + 20 * MINUTE, START_US + 30 * MINUTE)
    found = load_picture(drawn_engine, ICEBERG, wanted, ScoringRules())
    assert len(found.candles) == 10
    assert not found.alerts
    # The window before the range is read, too.
    assert not np.isnan(found.band.mean).any()


def test_half_a_range_reaches_to_the_candles_there_are(drawn_engine: LocalQueryEngine) -> None:
    def shown(**wanted: int) -> tuple[int, int]:
        found = load_picture(drawn_engine, ICEBERG, Wanted("AAA", **wanted), ScoringRules())
        return (found.start_us - START_US) // MINUTE, (found.end_us - START_US) // MINUTE

    assert shown(start_us=START_US + 30 * MINUTE) == (30, 41)
    assert shown(end_us=START_US + 10 * MINUTE) == (0, 10)


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        (Wanted("NONE"), "it has AAA, B/B"),
        (Wanted("AAA", START_US, START_US), "must be after"),
        (Wanted("AAA", START_US, START_US + 49 * 60 * MINUTE), "48 hours"),
        (Wanted("AAA", START_US - 60 * MINUTE, START_US), "no candle of AAA"),
        (Wanted("AAA", START_US + 60 * MINUTE), "newest candle"),
        (Wanted("AAA", 0), "2000-01-01"),
    ],
)
def test_what_is_not_there_is_told(
    wanted: Wanted, complaint: str, drawn_engine: LocalQueryEngine
) -> None:
    with pytest.raises(InputError, match=complaint):
        load_picture(drawn_engine, ICEBERG, wanted, ScoringRules())


def test_empty_tables_are_told(home: Home, settings: Settings) -> None:
    engine = LocalQueryEngine(home, settings)
    with pytest.raises(WorkError, match="anomalies holds nothing"):
        load_picture(engine, ICEBERG, Wanted(), ScoringRules())
    with pytest.raises(WorkError, match="holds no candles"):
        load_picture(engine, ICEBERG, Wanted("AAA"), ScoringRules())


def test_an_anomaly_whose_tick_is_gone_is_counted(
    home: Home, settings: Settings, market: list[dict[str, Any]]
) -> None:
    from tick_pipeline_tests.queries.warehouse import candles_of, store_candles

    store_candles(home, "1m", candles_of(market), [ICEBERG])
    store_anomalies(home, [anomaly(tick("AAA", 100, 7))], [ICEBERG])
    found = load_picture(LocalQueryEngine(home, settings), ICEBERG, Wanted("AAA"), ScoringRules())
    assert (found.alerts, found.unplaced) == ((), 1)
