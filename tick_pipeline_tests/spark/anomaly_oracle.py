"""Anomalies once more, with pandas and two nested loops: what the kernel's must equal."""

# pandas' types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false, reportArgumentType=false
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import pyarrow as pa

    from tick_pipeline.spark.scoring_rules import ScoringRules

_US = 1_000_000
_ORDER = ["symbol", "event_us", "sequence", "event_id", "price", "volume"]
#: Of a |z| this close to the threshold nobody can say on which side it lies.
_NEAR = 1e-6
_EXACT = ("symbol", "event_us", "event_at", "sample_count", "window_minutes", "threshold")


def recompute(ticks: pd.DataFrame, rules: ScoringRules) -> pd.DataFrame:
    """Every tick's score, anomalous or not, by (event_id, metric).

    Args:
        ticks: valid ticks in any order, with copies: symbol, event_us, sequence, event_id, price, volume.
        rules: the rules.
    """
    unique = ticks.sort_values(_ORDER, kind="stable").drop_duplicates(
        ["symbol", "event_us", "event_id"]
    )
    found = [
        row
        for _, of_symbol in unique.groupby("symbol")
        for metric in rules.metrics
        for row in _scores(of_symbol.reset_index(drop=True), metric, rules)
    ]
    return pd.DataFrame(found)


def assert_equal(actual: pa.Table, scores: pd.DataFrame, rules: ScoringRules) -> None:
    """Anomalies equal the recomputed ones; where |z| is within 1e-6 of the threshold, either may be."""
    rows = {(row["event_id"], row["symbol"], row["metric"]): row for row in actual.to_pylist()}
    assert len(rows) == actual.num_rows, "a key stands twice"
    expected = {
        (row["event_id"], row["symbol"], row["metric"]): row for row in scores.to_dict("records")
    }
    for key, row in rows.items():
        of = expected[key]
        assert abs(of["zscore"]) >= rules.threshold - _NEAR, (row, of)
        for name in _EXACT:
            assert row[name] == of[name], (name, row, of)
        # pandas' own rounding gives a constant a deviation in the last bits.
        grain = 1e-12 * abs(of["mean"])
        for name in ("value", "mean", "stddev"):
            assert math.isclose(row[name], of[name], rel_tol=1e-9, abs_tol=grain + 1e-15), (
                name,
                of,
            )
        assert math.isclose(row["zscore"], of["zscore"], rel_tol=1e-6), (row, of)
    missed = [
        row
        for key, row in expected.items()
        if key not in rows and abs(row["zscore"]) >= rules.threshold + _NEAR
    ]
    assert missed == []


def _scores(ticks: pd.DataFrame, metric: str, rules: ScoringRules) -> list[dict[str, Any]]:
    window_us = rules.window_seconds * _US
    previous_us, previous_price = ticks["event_us"].shift(), ticks["price"].shift()
    values = {
        "price": ticks["price"],
        "volume": ticks["volume"],
        "return": (ticks["price"] / previous_price)
        .map(math.log, na_action="ignore")
        .where(ticks["event_us"] - previous_us <= window_us),
    }[metric]
    found: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = ticks.to_dict("records")
    for index, tick in enumerate(records):
        second_us = tick["event_us"] // _US * _US
        inside = (ticks["event_us"] >= second_us - window_us) & (ticks["event_us"] < second_us)
        baseline: pd.Series = pd.Series(values[inside]).dropna()
        value = float(values.iloc[index])
        if math.isnan(value) or len(baseline) < rules.min_samples:
            continue
        mean, stddev = float(baseline.mean()), float(baseline.std(ddof=1))
        size = rules.tick_sizes.get(tick["symbol"])
        floor = {
            "price": rules.price_floor * abs(mean),
            "volume": rules.volume_floor * mean,
            "return": 0.5 * size / previous_price.iloc[index] if size else rules.return_floor,
        }[metric]
        scale = max(stddev, floor)
        if scale == 0:
            continue
        found.append(
            {
                "event_id": tick["event_id"],
                "symbol": tick["symbol"],
                "event_us": tick["event_us"],
                "event_at": pd.Timestamp(tick["event_us"], unit="us", tz="UTC"),
                "metric": metric,
                "value": value,
                "mean": mean,
                "stddev": stddev,
                "zscore": (value - mean) / scale,
                "sample_count": len(baseline),
                "window_minutes": rules.window_minutes,
                "threshold": rules.threshold,
            }
        )
    return found
