"""Scoring in Spark's tasks, one for each shard: the way on when one driver cannot keep up.

The kernel and the order of records are the driver's (run.py); a shard's state is the same bytes, kept in
Spark's state store in place of the files beside the checkpoint.
"""

# pyspark's, pandas' and pyarrow's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql.streaming.state import GroupStateTimeout

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.types import spark_schema
from tick_pipeline.spark.streaming.records import READ, collect, decoded
from tick_pipeline.spark.streaming.scoring import StreamScoring
from tick_pipeline.spark.zscore import NO_TICK, anomaly_schema
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pandas as pd
    from pyspark.sql import DataFrame
    from pyspark.sql.streaming.state import GroupState

    from tick_pipeline.spark.scoring_rules import ScoringRules
    from tick_pipeline.spark.streaming.sinks import AnomalySink
    from tick_pipeline.spark.streaming.source import StreamSource

_STATE = "state binary"
#: pandas has no missing integers: as doubles, long ones would lose digits.
_WITHOUT_NULLS = {"event_us": NO_TICK, "sequence": 0}


def scored_by_shard(records: DataFrame, rules: ScoringRules, source: StreamSource) -> DataFrame:
    """The anomalies of a stream, a task for each shard of a micro-batch.

    Args:
        records: `records.parsed` of a stream.
        rules: what counts as an anomaly.
        source: the stream; tasks ask it, so its folder must be in their reach.

    Returns:
        A streaming frame of the contract `anomaly`; hand it to `into` in foreachBatch.
    """
    columns = [
        f"coalesce({name}, {_WITHOUT_NULLS[name]}L) as {name}" if name in _WITHOUT_NULLS else name
        for name in READ.names
    ]
    shards: Any = records.selectExpr(*columns).groupBy("shard")
    return shards.applyInPandasWithState(
        partial(_score_shard, rules=rules, source=source),
        outputStructType=spark_schema(load_contract("anomaly"), StorageMode.PARQUET_PROJECTION),
        stateStructType=_STATE,
        outputMode="append",
        timeoutConf=GroupStateTimeout.NoTimeout,
    )


def into(sinks: Mapping[StorageMode, AnomalySink]) -> Callable[[DataFrame, int], None]:
    """What foreachBatch calls: a micro-batch's anomalies into every table, each key once.

    Args:
        sinks: storage mode -> its table.
    """

    def write(rows: DataFrame, batch: int) -> None:
        # Once: each further action would score the micro-batch again.
        found = collect(rows, anomaly_schema())
        for sink in sinks.values() if found.num_rows else ():
            sink.write(found, str(batch))

    return write


def _score_shard(
    key: tuple[str],
    parts: Iterable[pd.DataFrame],
    state: GroupState,
    *,
    rules: ScoringRules,
    source: StreamSource,
) -> Iterator[pd.DataFrame]:
    """A task: a shard's records of a micro-batch, in any order, to the anomalies that they close."""
    scoring = StreamScoring(rules, source.dense, source.first)
    if state.exists:
        (kept,) = state.get
        scoring.load(bytes(kept), where=f"the state of {key[0]}")
    tables = [pa.Table.from_pandas(part, READ, preserve_index=False) for part in parts]
    found = [scoring.advance(decoded(pa.concat_tables(tables)))]
    found.append(scoring.skip_holes(source.is_gone))
    state.update((scoring.dump(),))
    yield pa.concat_tables(found).to_pandas()
