"""Candles from ticks: pure functions of data frames.

The total order of ticks and their identity are strings in part, and strings cost more than the
candles themselves. So one pass groups by integers alone, and keeps of each group two lists of longs
that tell, without ever missing one, whether a tick stands twice or two ticks tie; only the groups in
which that is so take the exact way.
"""

# pyspark's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F  # noqa: N812  (pyspark's own custom)

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.rules import Dialect, broken_rule_sql, valid_sql
from tick_pipeline.event_time import US_PER_MINUTE, US_PER_SECOND
from tick_pipeline.storage import TIMEFRAMES

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_KEYS = ("symbol", "bucket")
_EXPRESSIONS = {"event_ts": "event_us"}
#: 26 bits hold the microseconds of a minute, 37 bits the sequence: together one positive long.
_SEQUENCE_BITS = 37
_PACKED = f"shiftleft(event_us % {US_PER_MINUTE}, {_SEQUENCE_BITS}) | sequence"
#: Equal for copies of one tick; where two other ticks collide, the exact way sorts them out.
_IDENTITY = "xxhash64(event_id, event_us)"
_FULL_ORDER = "struct(event_us, sequence, event_id, price, volume, sent_ts, source)"
_CONTENT = "struct(sequence, price, volume, sent_ts, source)"


def judged(raw: DataFrame) -> DataFrame:
    """Raw rows with `broken_rule`, null for a valid tick, and `bucket`, its minute since the epoch.

    An invalid row has neither symbol nor bucket, so that all of one rule make one group.
    """
    tick = load_contract("tick")
    valid = valid_sql(tick, Dialect.SPARK, expressions=_EXPRESSIONS)
    rule = broken_rule_sql(tick, Dialect.SPARK, expressions=_EXPRESSIONS)
    named = raw.withColumn("broken_rule", F.expr(f"case when not {valid} then {rule} end"))
    return named.withColumn(
        "bucket", F.expr(f"case when broken_rule is null then event_us div {US_PER_MINUTE} end")
    ).withColumn("symbol", F.expr("case when broken_rule is null then symbol end"))


def grouped(judged_rows: DataFrame) -> DataFrame:
    """One row per (symbol, minute), and one per broken rule: candle, `rows`, and `exact`.

    `exact` says that the group's candle may be wrong: a tick may stand in it twice, two of its ticks
    may tie in (event_us, sequence), or a sequence does not fit the packed order.
    """
    return (
        judged_rows.withColumn("packed", F.expr(_PACKED))
        .withColumn("identity", F.expr(_IDENTITY))
        .groupBy("broken_rule", *_KEYS)
        .agg(
            *_measures(),
            F.expr("min_by(price, packed)").alias("open"),
            F.expr("max_by(price, packed)").alias("close"),
            F.max("sequence").alias("top_sequence"),
            F.expr("collect_list(identity)").alias("identities"),
            F.expr("collect_list(packed)").alias("orders"),
        )
        .withColumn(
            "exact",
            F.expr(
                "broken_rule is null and ("
                f"top_sequence >= shiftleft(1L, {_SEQUENCE_BITS}) "
                "or size(array_distinct(identities)) < rows "
                "or size(array_distinct(orders)) < rows)"
            ),
        )
        .drop("identities", "orders", "top_sequence")
    )


def distinct_ticks(valid_ticks: DataFrame) -> DataFrame:
    """Each tick once, the first of the total order, with `copies` and whether they `conflict`."""
    return (
        valid_ticks.withColumn("content", F.expr(_CONTENT))
        .groupBy("event_id", "event_us", *_KEYS)
        .agg(
            F.min("content").alias("first"),
            F.max("content").alias("last"),
            F.count(F.lit(1)).alias("copies"),
        )
        .selectExpr(
            "event_id", "event_us", *_KEYS, "first.*", "copies", "first <> last as conflict"
        )
    )


def exact_groups(valid_ticks: DataFrame) -> DataFrame:
    """The same groups as `grouped`, each tick once and by the full order, whatever the sequences.

    Also `duplicates`, rows beyond the first of a tick, and `conflicting`, ticks whose copies differ.
    """
    return (
        distinct_ticks(valid_ticks)
        .withColumn("total_order", F.expr(_FULL_ORDER))
        .groupBy(*_KEYS)
        .agg(
            *_measures(),
            F.expr("min_by(price, total_order)").alias("open"),
            F.expr("max_by(price, total_order)").alias("close"),
            F.sum(F.expr("copies - 1")).alias("duplicates"),
            F.expr("count_if(conflict)").alias("conflicting"),
        )
    )


@dataclass(frozen=True)
class Settled:
    """Groups that are right, and what was found on the way.

    Attributes:
        groups: one row per (symbol, minute) with at least one tick; kept in memory where repaired.
        rows: raw rows.
        invalid_by_rule: broken rule -> rows.
        exact_groups: groups that took the exact way.
        duplicates: valid rows beyond the first of a tick.
        conflicting: ticks whose copies differ.
        kept: frames to unpersist in the end.
    """

    groups: DataFrame
    rows: int
    invalid_by_rule: dict[str, int]
    exact_groups: int
    duplicates: int
    conflicting: int
    kept: tuple[DataFrame, ...]


def settled(judged_rows: DataFrame, groups: DataFrame) -> Settled:
    """Send the groups that need it the exact way, and count; runs Spark.

    Args:
        judged_rows: of `judged`; read again for the groups that need it.
        groups: of `grouped`.
    """
    groups = groups.persist()
    counts = groups.groupBy("broken_rule").agg(F.sum("rows"), F.expr("count_if(exact)")).collect()
    rows_by_rule = {row[0]: row[1] for row in counts}
    exact = sum(row[2] for row in counts)
    right = groups.where("broken_rule is null and not exact")
    kept, duplicates, conflicting = (groups,), 0, 0
    if exact:
        wanted = F.broadcast(groups.where("exact").select(*_KEYS))
        ticks = judged_rows.where("broken_rule is null").join(wanted, list(_KEYS), "left_semi")
        repaired = exact_groups(ticks).persist()
        kept = (groups, repaired)
        duplicates, conflicting = repaired.agg(F.sum("duplicates"), F.sum("conflicting")).collect()[
            0
        ]
        right = right.unionByName(repaired, allowMissingColumns=True)
    return Settled(
        groups=right,
        rows=sum(rows_by_rule.values()),
        invalid_by_rule={rule: rows for rule, rows in rows_by_rule.items() if rule},
        exact_groups=exact,
        duplicates=duplicates,
        conflicting=conflicting,
        kept=kept,
    )


def one_minute_candles(groups: DataFrame) -> DataFrame:
    """Candles of the contract from the groups of valid ticks."""
    return groups.selectExpr(
        "symbol",
        f"timestamp_seconds(bucket * {TIMEFRAMES['1m']}) as bucket_start",
        *_candle_columns(),
    )


def rolled_up(one_minute: DataFrame, seconds: int) -> DataFrame:
    """Candles of a longer timeframe from one-minute candles.

    Args:
        one_minute: candles of the contract.
        seconds: the longer timeframe, a multiple of 60 that divides an hour.
    """
    width_us = seconds * US_PER_SECOND
    return (
        one_minute.withColumn("bucket", F.expr(f"unix_micros(bucket_start) div {width_us}"))
        .groupBy(*_KEYS)
        .agg(
            F.sum("trade_count").alias("rows"),
            F.max("high").alias("high"),
            F.min("low").alias("low"),
            F.sum("volume").alias("volume"),
            F.sum("notional").alias("notional"),
            F.min("first_us").alias("first_us"),
            F.max("last_us").alias("last_us"),
            F.expr("min_by(open, first_us)").alias("open"),
            F.expr("max_by(close, last_us)").alias("close"),
        )
        .selectExpr(
            "symbol", f"timestamp_seconds(bucket * {seconds}) as bucket_start", *_candle_columns()
        )
    )


def _measures() -> list[Column]:
    return [
        F.count(F.lit(1)).alias("rows"),
        F.max("price").alias("high"),
        F.min("price").alias("low"),
        F.sum("volume").alias("volume"),
        F.expr("sum(price * volume)").alias("notional"),
        F.min("event_us").alias("first_us"),
        F.max("event_us").alias("last_us"),
    ]


def _candle_columns() -> list[str]:
    return [
        "open",
        "high",
        "low",
        "close",
        "volume",
        "notional",
        "case when volume > 0 then notional / volume end as vwap",
        "rows as trade_count",
        "first_us",
        "last_us",
    ]
