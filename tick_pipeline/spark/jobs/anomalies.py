"""The anomaly job: raw ticks of whole hours, and of two windows before, to anomalies.

    --RULES            what counts as an anomaly, the JSON of `ScoringRules`; its defaults if not given
    --WINDOW_MINUTES   length of a baseline, in place of that of the rules
    --LOCKS            folder of the lock files that the streaming job takes, too; none if not given

and the common arguments, see spark/entry.py.
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.errors import SettingsError
from tick_pipeline.event_time import US_PER_SECOND
from tick_pipeline.spark.anomalies import (
    ROWS_A_BATCH,
    Comparison,
    Slices,
    anomalies_of,
    compared,
    scored,
    summed,
)
from tick_pipeline.spark.effort import effort_since, last_stage
from tick_pipeline.spark.entry import (
    JobArguments,
    common_parser,
    common_values,
    run_as_job,
    shuffle_partitions,
)
from tick_pipeline.spark.locks import table_lock
from tick_pipeline.spark.raw_ticks import read_raw
from tick_pipeline.spark.report import AnomalyReport
from tick_pipeline.spark.scoring_rules import ScoringRules
from tick_pipeline.spark.tables import ANOMALIES as LAYOUT
from tick_pipeline.spark.tables import Target, overwrite_hours, stored_hours
from tick_pipeline.storage import ANOMALIES, DEFAULT_LOAD_DATA_MODE, StorageMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True, kw_only=True)
class Arguments(JobArguments):
    """The job's arguments, as values."""

    rules: ScoringRules
    locks: Path | None = None


def parse_arguments(texts: Sequence[str]) -> Arguments:
    """Read the job's arguments; others, as Glue adds them, are ignored.

    Raises:
        SystemExit: one is missing or wrong (argparse says which).
    """
    parser = common_parser("anomalies")
    parser.add_argument("--RULES", default=ScoringRules().to_json())
    parser.add_argument("--WINDOW_MINUTES", type=int)
    parser.add_argument("--LOCKS")
    given, _ = parser.parse_known_args(texts)
    try:
        rules = ScoringRules.from_json(given.RULES)
        if given.WINDOW_MINUTES is not None:
            rules = replace(rules, window_minutes=given.WINDOW_MINUTES)
    except SettingsError as error:
        parser.error(str(error))
    return Arguments(
        rules=rules,
        locks=Path(given.LOCKS) if given.LOCKS else None,
        **common_values(parser, given),
    )


def run(
    spark: SparkSession, arguments: Arguments, log: logging.Logger | None = None
) -> list[AnomalyReport]:
    """Recompute and overwrite the anomalies of the hours, one storage mode after the other.

    Raises:
        BusyError: the streaming job kept a table to itself for too long.
    """
    log = log or logging.getLogger(__name__)
    return [_run_mode(spark, arguments, mode, log) for mode in arguments.storage_modes]


def _run_mode(
    spark: SparkSession, arguments: Arguments, mode: StorageMode, log: logging.Logger
) -> AnomalyReport:
    began, stage_before = time.monotonic(), last_stage(spark)
    rules, start_us, end_us = arguments.rules, arguments.start_us, arguments.end_us
    load = arguments.load_data_mode or DEFAULT_LOAD_DATA_MODE[mode]
    context_us = 2 * rules.window_seconds * US_PER_SECOND
    raw = read_raw(
        spark,
        arguments.warehouse,
        arguments.catalog,
        load,
        start_us - context_us,
        end_us,
        database=arguments.database,
    )
    log.info(
        "%s: %d raw files, %d bytes in %d hours with the context, read as %s",
        mode.value,
        raw.files,
        raw.bytes,
        raw.partitions,
        load.value,
    )
    partitions = shuffle_partitions(raw.bytes)
    spark.conf.set("spark.sql.shuffle.partitions", partitions)
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", ROWS_A_BATCH)
    slices = Slices.of(start_us, end_us, rules.window_seconds, raw.bytes)
    # Computed whole before the table is locked: the streaming job waits only for the writing.
    found = scored(raw.rows, rules, slices, partitions).persist()
    counts, tally = summed(found, rules)
    log.info(
        "%s: %d ticks scored, %d duplicates, %d invalid, %d slices of %d hours",
        mode.value,
        counts.ticks,
        counts.duplicates,
        counts.invalid,
        slices.number,
        slices.hours,
    )
    with table_lock(arguments.locks, f"{mode}-{ANOMALIES}"):
        comparison = _write(anomalies_of(found), spark, arguments, mode, tally.anomalies)
    log.info("%s: anomalies written %s, %s", mode.value, tally.by_metric, comparison)
    effort = effort_since(spark, stage_before)
    found.unpersist()
    return AnomalyReport(
        storage_mode=mode.value,
        load_data_mode=load.value,
        start_us=start_us,
        end_us=end_us,
        files=raw.files,
        bytes=raw.bytes,
        partitions=raw.partitions,
        requests=raw.requests,
        **asdict(counts),
        **asdict(tally),
        **asdict(comparison),
        **asdict(effort),
        seconds=round(time.monotonic() - began, 3),
    )


def _write(
    rows: DataFrame, spark: SparkSession, arguments: Arguments, mode: StorageMode, number: int
) -> Comparison:
    """Put the rows in place of those that are there, and tell how these differed."""
    target = Target(
        mode, ANOMALIES, LAYOUT, arguments.warehouse, arguments.catalog, arguments.database
    )
    start_us, end_us = arguments.start_us, arguments.end_us
    old = stored_hours(spark, target, load_contract("anomaly"), start_us, end_us)
    if old is None and not number:
        return Comparison(replaced=0, differing=0, gone=0, added=0)
    comparison = Comparison(0, 0, 0, number) if old is None else compared(old, rows)
    overwrite_hours(rows, target, start_us, end_us, run=uuid.uuid4().hex)
    return comparison


def main() -> None:
    """The script's entry."""
    import sys  # noqa: PLC0415

    run_as_job("anomalies", parse_arguments(sys.argv[1:]), run)


if __name__ == "__main__":
    main()
