"""Candles from ticks: functions of data frames.

The identity and the total order of ticks are strings in part, and strings cost more than the candles
themselves. Copies of a tick, and ticks that tie in time, share symbol and microsecond: so one cheap
pass finds the instants that several rows share, by one integer; only their rows are told apart and
ranked by strings, and the candles need integers alone.
"""

# pyspark's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F  # noqa: N812  (pyspark's own custom)

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.rules import Dialect, broken_rule_sql, valid_sql
from tick_pipeline.event_time import US_PER_MINUTE, US_PER_SECOND
from tick_pipeline.storage import TIMEFRAMES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_KEYS = ("symbol", "bucket")
_EXPRESSIONS = {"event_ts": "event_us"}
#: Equal for rows of one symbol and microsecond; where two others collide, their rows are told apart.
_INSTANT = "xxhash64(symbol, event_us)"
#: 26 bits hold the microseconds of a minute, 37 bits a tick's rank among those of its microsecond.
_RANK_BITS = 37
_PACKED = f"shiftleft(event_us % {US_PER_MINUTE}, {_RANK_BITS}) | rank"
#: What is left of the total order among ticks of one symbol and microsecond.
_ORDER_OF_INSTANT = ("sequence", "event_id", "price", "volume", "sent_ts", "source")
_CONTENT = "struct(sequence, price, volume, sent_ts, source)"
#: The columns that candles need.
_MEASURED = (*_KEYS, "event_us", "price", "volume")
#: As many as every task may hold in memory, some 64 bytes each; more are joined by sorting.
_BROADCAST_INSTANTS = 1_000_000


def broken_rules(raw: DataFrame) -> DataFrame:
    """How many rows break each rule of the contract first: `rule`, `rows`."""
    rule = broken_rule_sql(load_contract("tick"), Dialect.SPARK, expressions=_EXPRESSIONS)
    named = raw.withColumn("rule", F.expr(rule)).where("rule is not null")
    return named.groupBy("rule").agg(F.count(F.lit(1)).alias("rows"))


def shared_instants(raw: DataFrame) -> DataFrame:
    """Hashes of (symbol, microsecond) that more than one row has: `instant`."""
    counted = raw.groupBy(F.expr(_INSTANT).alias("instant")).agg(F.count(F.lit(1)).alias("rows"))
    return counted.where("rows > 1").select("instant")


def lone_rows(raw: DataFrame, shared: DataFrame | None) -> DataFrame:
    """Rows that have their instant for themselves, in the shape of `ranked_rows`.

    Args:
        raw: rows of raw.
        shared: the shared instants, None where there are none.
    """
    rows = raw
    if shared is not None:
        rows = raw.withColumn("instant", F.expr(_INSTANT)).join(shared, "instant", "left_anti")
    return rows.withColumn("bucket", F.expr(_valid_bucket())).selectExpr(
        *_MEASURED, "0L as rank", "1L as copies", "false as conflict"
    )


def ranked_rows(raw: DataFrame, shared: DataFrame) -> DataFrame:
    """Rows of shared instants, each tick once, with its `rank` in the total order of its instant.

    Also `bucket`, the minute since the epoch, null where the row is invalid, `copies`, how often the
    tick stands, and whether those `conflict`.
    """
    rows = (
        raw.withColumn("instant", F.expr(_INSTANT))
        .join(shared, "instant")
        .withColumn("bucket", F.expr(_valid_bucket()))
        .repartition("symbol", "event_us")
    )
    in_order = Window.partitionBy("symbol", "event_us").orderBy(*_ORDER_OF_INSTANT)
    ranked = distinct_ticks(rows).withColumn("rank", F.row_number().over(in_order).cast("long"))
    return ranked.select(*_MEASURED, "rank", "copies", "conflict")


def distinct_ticks(rows: DataFrame) -> DataFrame:
    """Each tick once, the first of the total order, with `copies` and whether they `conflict`."""
    return (
        rows.withColumn("content", F.expr(_CONTENT))
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


def grouped(ticks: DataFrame) -> DataFrame:
    """One row per (symbol, minute): the candle's measures, copies and conflicts.

    Args:
        ticks: in the shape of `ranked_rows`.
    """
    return (
        ticks.withColumn("packed", F.expr(_PACKED))
        .groupBy(*_KEYS)
        .agg(
            F.count(F.lit(1)).alias("rows"),
            F.max("price").alias("high"),
            F.min("price").alias("low"),
            F.sum("volume").alias("volume"),
            F.expr("sum(price * volume)").alias("notional"),
            F.min("event_us").alias("first_us"),
            F.max("event_us").alias("last_us"),
            F.expr("min_by(price, packed)").alias("open"),
            F.expr("max_by(price, packed)").alias("close"),
            F.sum("copies").alias("copies"),
            F.expr("count_if(conflict)").alias("conflicting"),
        )
    )


@dataclass(frozen=True)
class Settled:
    """Ticks by minute, each once, and what was found on the way.

    Attributes:
        groups: one row per (symbol, minute) with at least one tick; kept in memory.
        rows: raw rows.
        invalid_by_rule: broken rule -> rows.
        shared_instants: microseconds of a symbol that several rows share.
        duplicates: valid rows beyond the first of a tick.
        conflicting: ticks whose copies differ.
        kept: frames to unpersist in the end.
    """

    groups: DataFrame
    rows: int
    invalid_by_rule: dict[str, int]
    shared_instants: int
    duplicates: int
    conflicting: int
    kept: tuple[DataFrame, ...]


def settled(raw: DataFrame) -> Settled:
    """Group the ticks, each once, and count; runs Spark.

    What is rare (an invalid row, a shared instant) costs a pass of its own over raw, and only where
    there is any.

    Args:
        raw: rows of raw, with `event_us`.
    """
    shared = shared_instants(raw).persist()
    instants = shared.count()
    if instants:
        known = F.broadcast(shared) if instants <= _BROADCAST_INSTANTS else shared
        ticks = lone_rows(raw, known).unionByName(ranked_rows(raw, known))
    else:
        ticks = lone_rows(raw, None)
    groups = grouped(ticks).persist()
    valid = "filter (where bucket is not null)"
    rows, invalid, duplicates, conflicting = groups.selectExpr(
        "coalesce(sum(copies), 0)",
        "coalesce(sum(copies) filter (where bucket is null), 0)",
        f"coalesce(sum(copies - rows) {valid}, 0)",
        f"coalesce(sum(conflicting) {valid}, 0)",
    ).collect()[0]
    return Settled(
        groups=groups.where("bucket is not null"),
        rows=rows,
        invalid_by_rule=_count_by_rule(raw) if invalid else {},
        shared_instants=instants,
        duplicates=duplicates,
        conflicting=conflicting,
        kept=(shared, groups),
    )


def _count_by_rule(raw: DataFrame) -> dict[str, int]:
    return {row.rule: row.rows for row in broken_rules(raw).select("rule", "rows").collect()}


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


def _valid_bucket() -> str:
    valid = valid_sql(load_contract("tick"), Dialect.SPARK, expressions=_EXPRESSIONS)
    return f"case when {valid} then event_us div {US_PER_MINUTE} end"


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
