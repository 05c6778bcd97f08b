"""What a stream holds, by a reading that shares nothing with landing but the strict decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.decode import MalformedError, decode
from tick_pipeline.contracts.rules import broken_rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tick_pipeline.storage import StorageMode
    from tick_pipeline_tests.integration.pipeline import Pipeline

Key = tuple[str, str, int]


@dataclass(frozen=True)
class Sent:
    """What was put into a stream.

    Attributes:
        records: all of them.
        malformed: those that are no tick.
        ticks: keys of the valid ones.
    """

    records: int
    malformed: int
    ticks: set[Key]


def judge_records(records: Iterable[bytes]) -> Sent:
    """Count the records of a stream, and tell its ticks."""
    contract = load_contract("tick")
    count = malformed = 0
    ticks: set[Key] = set()
    for data in records:
        count += 1
        try:
            tick = decode(data)
        except MalformedError:
            malformed += 1
            continue
        if broken_rule(contract, tick) is None:
            ticks.add((tick["event_id"], tick["symbol"], tick["event_ts"]))
    return Sent(count, malformed, ticks)


def assert_landed(pipeline: Pipeline, mode: StorageMode, sent: Sent) -> None:
    """A mode has each tick that was sent once, and every record of it in raw that is no malformed one."""
    rows = pipeline.json("query", f"select event_id, symbol, event_us from {mode}.ticks")
    landed = [(row["event_id"], row["symbol"], row["event_us"]) for row in rows]
    assert len(landed) == len(set(landed)), f"{mode}.ticks holds a tick twice"
    assert set(landed) == sent.ticks
    assert pipeline.scalar(f"select count(*) from {mode}.raw") == sent.records - sent.malformed
