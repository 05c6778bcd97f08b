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


def valid_ticks(raw: DataFrame) -> DataFrame:
    """Raw rows that meet the contract, with `bucket`, the minute since the epoch."""
    return with_bucket(raw).where(_valid())


def with_bucket(raw: DataFrame) -> DataFrame:
    """Raw rows with `bucket`, the minute since the epoch."""
    return raw.withColumn("bucket", F.expr(f"event_us div {US_PER_MINUTE}"))


def broken_rules(raw: DataFrame) -> DataFrame:
    """How many rows break each rule of the contract first: `rule`, `rows`."""
    rule = broken_rule_sql(load_contract("tick"), Dialect.SPARK, expressions=_EXPRESSIONS)
    named = raw.withColumn("rule", F.expr(rule)).where("rule is not null")
    return named.groupBy("rule").agg(F.count(F.lit(1)).alias("rows"))


def grouped(ticks: DataFrame) -> DataFrame:
    """One row per (symbol, minute) of valid ticks: the candle's measures, and `exact`.

    `exact` says that the group's candle may be wrong: a tick may stand in it twice, two of its ticks
    may tie in (event_us, sequence), or a sequence does not fit the packed order.
    """
    return (
        ticks.withColumn("packed", F.expr(_PACKED))
        .withColumn("identity", F.expr(_IDENTITY))
        .groupBy(*_KEYS)
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
                f"top_sequence >= shiftleft(1L, {_SEQUENCE_BITS}) "
                "or size(array_distinct(identities)) < rows "
                "or size(array_distinct(orders)) < rows"
            ),
        )
        .drop("identities", "orders", "top_sequence")
    )


def distinct_ticks(ticks: DataFrame) -> DataFrame:
    """Each tick once, the first of the total order, with `copies` and whether they `conflict`."""
    return (
        ticks.withColumn("content", F.expr(_CONTENT))
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


def exact_groups(ticks: DataFrame) -> DataFrame:
    """The same groups as `grouped`, each tick once and by the full order, whatever the sequences.

    Also `duplicates`, rows beyond the first of a tick, and `conflicting`, ticks whose copies differ.
    """
    return (
        distinct_ticks(ticks)
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


def settled(raw: DataFrame) -> Settled:
    """Group the ticks, send the groups that need it the exact way, and count; runs Spark.

    What is rare (an invalid row, a tick that stands twice) costs a pass of its own over raw, and
    only where there is any.

    Args:
        raw: rows of raw, with `event_us`.
    """
    groups = grouped(valid_ticks(raw)).persist()
    valid_rows, exact = groups.agg(
        F.expr("coalesce(sum(rows), 0)"), F.expr("count_if(exact)")
    ).collect()[0]
    rows = raw.count()
    invalid = (
        {row.rule: row.rows for row in broken_rules(raw).select("rule", "rows").collect()}
        if rows > valid_rows
        else dict[str, int]()
    )
    right = groups.where("not exact")
    kept, duplicates, conflicting = (groups,), 0, 0
    if exact:
        wanted = F.broadcast(groups.where("exact").select(*_KEYS, "rows"))
        # Judging a row costs more than looking its group up. Naming a column of the other side keeps
        # Spark from judging first.
        candidates = (
            with_bucket(raw)
            .join(wanted, list(_KEYS))
            .where(f"case when rows > 0 then {_valid()} else false end")
            .drop("rows")
        )
        repaired = exact_groups(candidates).persist()
        kept = (groups, repaired)
        duplicates, conflicting = repaired.agg(F.sum("duplicates"), F.sum("conflicting")).collect()[
            0
        ]
        right = right.unionByName(repaired, allowMissingColumns=True)
    return Settled(
        groups=right,
        rows=rows,
        invalid_by_rule=invalid,
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


def _valid() -> str:
    return valid_sql(load_contract("tick"), Dialect.SPARK, expressions=_EXPRESSIONS)


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
