"""Anomalies from ticks: frames in, frames out, with the kernel of `zscore` in Python workers.

A worker gets whole groups of (symbol, slice of hours), each with the context before the slice that its
first baselines need, so a group's rows depend on no other group, and a day of one symbol need not fit
into one task's memory. Groups come sorted and are scored as they come, several small ones together.
"""

# pyspark's and pyarrow's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false, reportUnknownLambdaType=false
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F  # noqa: N812  (pyspark's own custom)
from pyspark.sql.types import LongType, StructField, StructType

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.rules import Dialect, valid_sql
from tick_pipeline.contracts.types import spark_schema
from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND
from tick_pipeline.spark.zscore import Scorer, Ticks, anomaly_schema
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame

    from tick_pipeline.spark.scoring_rules import ScoringRules

#: A slice is as many hours as fit into so many bytes of raw files, some 1.5 million ticks.
_BYTES_A_SLICE = 32 << 20
#: A group's key: its slice above, a hash of its symbol below. One integer sorts fast; two symbols that
#: collide are scored together, which changes nothing.
_HASH_BITS = 40
#: So many rows make a call of the kernel worth its fixed cost.
_ROWS_A_CALL = 1 << 18
#: Rows of an Arrow batch: larger ones save little, and each task holds some.
ROWS_A_BATCH = 1 << 16
_TICK_COLUMNS = ("symbol", "event_us", "sequence", "price", "volume", "event_id")
_COUNTS = ("rows", "context_rows", "ticks", "invalid", "duplicates")


@dataclass(frozen=True)
class Slices:
    """Whole hours as slices of equal length (the last may be shorter).

    Attributes:
        start_us: start of the first, microseconds.
        end_us: end of the last, exclusive.
        width_us: length of one.
        context_us: length of the time before a slice that its rows depend on.
    """

    start_us: int
    end_us: int
    width_us: int
    context_us: int

    @staticmethod
    def of(start_us: int, end_us: int, window_seconds: int, read_bytes: int) -> Slices:
        """As long as memory allows, and as the context, which each slice reads again.

        Args:
            start_us: first hour, microseconds.
            end_us: end of the last hour, exclusive.
            window_seconds: length of a baseline.
            read_bytes: size of the raw files of these hours.
        """
        hours = (end_us - start_us) // US_PER_HOUR
        context_us = 2 * window_seconds * US_PER_SECOND
        affordable = _BYTES_A_SLICE * hours // max(read_bytes, 1)
        width = max(affordable, -(-context_us // US_PER_HOUR), 1)
        return Slices(start_us, end_us, min(width, hours) * US_PER_HOUR, context_us)

    @property
    def hours(self) -> int:
        """Length of one."""
        return self.width_us // US_PER_HOUR

    @property
    def number(self) -> int:
        """How many there are."""
        return -(-(self.end_us - self.start_us) // self.width_us)

    def begin_us(self, number: int) -> int:
        """Start of one."""
        return self.start_us + number * self.width_us


@dataclass
class Counts:
    """What became of the rows; the attributes of `report.AnomalyReport` of these names."""

    rows: int = 0
    context_rows: int = 0
    ticks: int = 0
    invalid: int = 0
    duplicates: int = 0


@dataclass(frozen=True)
class Tally:
    """What the anomalies are; the attributes of `report.AnomalyReport` of these names."""

    anomalies: int
    by_symbol: dict[str, int]
    by_metric: dict[str, int]
    worst_zscore: float


@dataclass(frozen=True)
class Comparison:
    """New rows beside those that they replace; the attributes of `report.AnomalyReport` of these names."""

    replaced: int
    differing: int
    gone: int
    added: int


def scored(raw: DataFrame, rules: ScoringRules, slices: Slices, partitions: int) -> DataFrame:
    """Anomalies of the slices, and a row of counts for each task: the contract's columns and COUNTS.

    Args:
        raw: rows of raw, with `event_us`, from the context of the first slice to the end of the last.
        rules: what counts as an anomaly.
        slices: the hours.
        partitions: how many tasks share the work.
    """
    valid = valid_sql(load_contract("tick"), Dialect.SPARK, expressions={"event_ts": "event_us"})
    since, width = f"(event_us - {slices.start_us})", slices.width_us
    slice_of = F.lit(0).cast("long")
    if slices.number > 1:
        own = f"greatest({since}, 0) div {width}"
        last = f"least(({since} + {slices.context_us}) div {width}, {slices.number - 1})"
        slice_of = F.expr(f"explode(sequence({own}, {last}))")
    key = f"shiftleft(slice, {_HASH_BITS}) | (xxhash64(symbol) & {(1 << _HASH_BITS) - 1})"
    groups = (
        raw.select(*_TICK_COLUMNS, F.expr(valid).alias("valid"), slice_of.alias("slice"))
        .withColumn("key", F.expr(key))
        .drop("slice")
        .repartition(partitions, "key")
        .sortWithinPartitions("key")
    )
    contract = spark_schema(load_contract("anomaly"), StorageMode.PARQUET_PROJECTION)
    counts = [StructField(name, LongType()) for name in _COUNTS]
    work: Any = partial(score_groups, rules=rules, slices=slices)
    return groups.mapInArrow(work, StructType([*contract.fields, *counts]))


def anomalies_of(found: DataFrame) -> DataFrame:
    """The contract's rows among what `scored` gives."""
    return found.where("event_id is not null").select(*anomaly_schema().names)


def summed(found: DataFrame, rules: ScoringRules) -> tuple[Counts, Tally]:
    """The counts of all tasks, and the anomalies by symbol and metric; runs Spark.

    Args:
        found: as `scored` gives it.
        rules: those that it was scored by.
    """
    rows = (
        found.groupBy("symbol", "metric")
        .agg(
            F.count("event_id").alias("anomalies"),
            F.max(F.abs("zscore")).alias("worst"),
            *(F.sum(name).alias(name) for name in _COUNTS),
        )
        .collect()
    )
    counts = Counts(*(sum(row[name] or 0 for row in rows) for name in _COUNTS))
    by_symbol: Counter[str] = Counter()
    by_metric: Counter[str] = Counter(dict.fromkeys(rules.metrics, 0))
    for row in rows:
        if row.anomalies:
            by_symbol[row.symbol] += row.anomalies
            by_metric[row.metric] += row.anomalies
    worst = max((row.worst for row in rows if row.anomalies), default=0.0)
    most_first = dict(sorted(by_symbol.items(), key=lambda item: (-item[1], item[0])))
    tally = Tally(by_symbol.total(), most_first, dict(by_metric), worst)
    return counts, tally


def score_groups(
    batches: Iterator[pa.RecordBatch], *, rules: ScoringRules, slices: Slices
) -> Iterator[pa.RecordBatch]:
    """A task: rows of whole groups, sorted by key, to anomalies and one row of counts.

    Args:
        batches: the tick's columns, `valid` and `key`.
        rules: what counts as an anomaly.
        slices: the hours.
    """
    counts = Counts()
    for groups in _whole_groups(batches):
        of_slice = groups.column("key").to_numpy() >> _HASH_BITS
        cuts = [0, *(np.flatnonzero(np.diff(of_slice)) + 1).tolist(), len(of_slice)]
        for start, end in pairwise(cuts):
            own_us = slices.begin_us(int(of_slice[start]))
            found = _score(groups.slice(start, end - start), rules, own_us, slices.start_us, counts)
            yield from _with_counts(found, None).to_batches()
    yield from _with_counts(anomaly_schema().empty_table(), counts).to_batches()


def _score(
    rows: pa.Table, rules: ScoringRules, own_us: int, start_us: int, counts: Counts
) -> pa.Table:
    """Anomalies from `own_us` on; what was before is their context, counted where no slice owns it."""
    us = rows.column("event_us").to_numpy()
    valid = rows.column("valid").fill_null(False).to_numpy()
    own = us >= own_us
    ticks = rows.select(_TICK_COLUMNS)
    scorer = Scorer(rules)
    # The rows of the context are those of the slice before.
    scorer.score(Ticks.of(ticks.filter(pa.array(valid & ~own))))
    scored_before, duplicates_before = scorer.scored, scorer.duplicates
    found = scorer.score(Ticks.of(ticks.filter(pa.array(valid & own))))
    counts.rows += int(own.sum())
    counts.context_rows += int((us < start_us).sum())
    counts.ticks += scorer.scored - scored_before
    counts.invalid += int((own & ~valid).sum())
    counts.duplicates += scorer.duplicates - duplicates_before
    return found


def _whole_groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The rows as they come, cut between groups, in tables worth a call of the kernel."""
    held: list[pa.RecordBatch] = []
    rows, last_key = 0, -1
    for batch in batches:
        if not len(batch):
            continue
        keys = batch.column(batch.schema.get_field_index("key")).to_numpy()
        if rows >= _ROWS_A_CALL:
            begins = np.flatnonzero(np.diff(keys, prepend=last_key))
            if len(begins):
                cut = int(begins[-1])
                yield pa.Table.from_batches([*held, batch.slice(0, cut)])
                held, rows, batch = [], 0, batch.slice(cut)  # noqa: PLW2901
        held.append(batch)
        rows += len(batch)
        last_key = keys[-1]
    if held:
        yield pa.Table.from_batches(held)


def _with_counts(found: pa.Table, counts: Counts | None) -> pa.Table:
    """Anomalies without counts, or one row of counts alone."""
    number = len(found) if counts is None else 1
    columns: dict[str, Any] = {
        name: found.column(name) if counts is None else pa.nulls(1, found.schema.field(name).type)
        for name in found.column_names
    }
    values: dict[str, int] = {} if counts is None else asdict(counts)
    for name in _COUNTS:
        columns[name] = pa.array([values.get(name)] * number, pa.int64())
    return pa.table(columns)


def compared(old: DataFrame, new: DataFrame) -> Comparison:
    """How the rows of hours differ from those that take their place; runs Spark.

    Names, times, counts and rules must be the same, value and stddev within 1e-9 relative, mean within
    1e-9 of the larger of itself and stddev (a mean of returns is near 0), zscore within 1e-6.
    """

    def close(name: str, relative: float, *least: str) -> str:
        scale = ", ".join((f"abs(old.{name})", f"abs(new.{name})", *least))
        return f"abs(old.{name} - new.{name}) <= {relative} * greatest({scale})"

    same = " and ".join(
        (
            *(
                f"old.{name} = new.{name}"
                for name in ("sample_count", "window_minutes", "threshold")
            ),
            "old.event_at = new.event_at",
            close("value", 1e-9),
            close("mean", 1e-9, "old.stddev"),
            close("stddev", 1e-9),
            close("zscore", 1e-6, "1e0"),
        )
    )
    # One row for each tick and metric; a second copy among the old ones is none of the new ones.
    key = ("event_id", "metric", "symbol", "event_us")
    values = [name for name in anomaly_schema().names if name not in key]
    beside = (
        old.groupBy(*key)
        .agg(F.count(F.lit(1)).alias("rows"), F.first(F.struct(*values)).alias("old"))
        .join(
            new.groupBy(*key).agg(F.first(F.struct(*values)).alias("new")), list(key), "full_outer"
        )
    )
    replaced, differing, gone, added = beside.selectExpr(
        "coalesce(sum(rows), 0)",
        f"coalesce(sum(case when coalesce({same}, false) then rows - 1 else rows end), 0)",
        "count_if(new is null)",
        "count_if(rows is null)",
    ).collect()[0]
    return Comparison(replaced, differing, gone, added)
