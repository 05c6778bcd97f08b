"""Spark judges every tick as Python does."""

# pyspark's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tick_pipeline.contracts.rules import Dialect, broken_rule_sql, valid_sql
from tick_pipeline.contracts.types import spark_schema
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.contracts.broken_ticks import BROKEN, GOOD, TICK

if TYPE_CHECKING:
    from tick_pipeline_tests.spark.lake import Lake


@pytest.mark.spark
def test_spark_names_the_same_rules_as_python(lake: Lake) -> None:
    schema = spark_schema(TICK, StorageMode.PARQUET_PROJECTION)
    records = [GOOD, *(GOOD | change for change, _ in BROKEN)]
    rows = [tuple(record[name] for name in TICK.field_names) for record in records]
    found = (
        lake.spark.createDataFrame(rows, schema)
        .coalesce(1)
        .selectExpr(broken_rule_sql(TICK, Dialect.SPARK), valid_sql(TICK, Dialect.SPARK))
        .collect()
    )
    assert [tuple(row) for row in found] == [(None, True), *((rule, False) for _, rule in BROKEN)]
