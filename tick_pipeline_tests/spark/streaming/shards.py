"""Several shards' records, as the kernel gets them, and what must come of them."""

# pandas' and pyarrow's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa

from tick_pipeline.spark.scoring_rules import METRICS, ScoringRules
from tick_pipeline.spark.streaming.records import RECORDS
from tick_pipeline.spark.zscore import Scorer, Ticks, anomaly_schema

US = 1_000_000
#: Short and lenient, so that a few hundred ticks meet every branch.
RULES = ScoringRules(
    metrics=METRICS,
    window_minutes=1,
    threshold=2.5,
    min_samples=4,
    tick_sizes={"AA": 0.01},
    lateness_seconds=10,
)


def walk(
    start_us: int, seed: int, symbols: tuple[str, ...], *, rows: int = 200, seconds: int = 240
) -> pd.DataFrame:
    """Valid ticks of random walks with jumps, ties, copies and a pause, in time order."""
    rng = random.Random(seed)
    price = dict.fromkeys(symbols, 100.0)
    times = sorted(rng.randrange(seconds * US) for _ in range(rows))
    found: list[dict[str, object]] = []
    for sequence, us in enumerate(times, start=1):
        symbol = rng.choice(symbols)
        price[symbol] *= 1 + rng.gauss(0, 1e-4) + (0.01 if rng.random() < 0.05 else 0)
        # One tick in six shares its microsecond with the one before.
        shared = found and rng.random() < 1 / 6
        row: dict[str, object] = {
            "event_us": found[-1]["event_us"] if shared else start_us + us,
            "symbol": symbol,
            "sequence": sequence,
            "price": round(price[symbol], 2),
            "volume": float(rng.choice([0, 1, 2, 3, 100])),
            "event_id": f"{symbol}:{sequence}",
        }
        found.append(row)
        if rng.random() < 0.05:
            found.append(row)
    return pd.DataFrame(found)


def out_of_order(ticks: pd.DataFrame, rng: random.Random, *, within_seconds: float) -> pd.DataFrame:
    """The ticks in another order, in which none is overtaken by one that is so much newer."""
    moved = ticks["event_us"] + [rng.random() * within_seconds * US for _ in range(len(ticks))]
    return ticks.loc[moved.sort_values(kind="stable").index].reset_index(drop=True)


def records_of(shard: str, ticks: pd.DataFrame) -> pa.Table:
    """The ticks, in this order, as records of a shard from position 1 on; every tenth is no tick."""
    number = np.arange(1, len(ticks) + 1)
    places = number + (number - 1) // 9
    rows = pd.DataFrame(index=pd.RangeIndex(1, int(places[-1]) + 1 if len(ticks) else 1))
    rows = rows.join(ticks.set_index(places))
    whole = {
        "shard": [shard] * len(rows),
        "position": [str(position) for position in rows.index],
        "arrival_us": [2**60] * len(rows),
    }
    columns = [
        pa.array(whole[field.name], field.type)
        if field.name in whole
        else pa.array(rows[field.name], field.type, from_pandas=True)
        for field in RECORDS
    ]
    return pa.table(columns, schema=RECORDS)


def scored(*shards: pd.DataFrame, rules: ScoringRules = RULES) -> pa.Table:
    """The anomalies of each shard's ticks that are all there is."""
    found = [
        Scorer(rules).score(Ticks.of(pa.Table.from_pandas(ticks, preserve_index=False)))
        for ticks in shards
    ]
    return in_key_order(pa.concat_tables([anomaly_schema().empty_table(), *found]))


def in_key_order(rows: pa.Table) -> pa.Table:
    """Sorted, so that tables can be compared."""
    names = ("symbol", "event_us", "event_id", "metric")
    return rows.sort_by([(name, "ascending") for name in names])


def cut(records: pa.Table, rng: random.Random, pieces: int) -> list[pa.Table]:
    """The records in that many segments."""
    inner = sorted(rng.choices(range(records.num_rows + 1), k=pieces - 1))
    return [records.slice(a, b - a) for a, b in pairwise([0, *inner, records.num_rows])]
