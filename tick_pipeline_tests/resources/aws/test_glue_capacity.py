"""How many workers a run of Glue gets, and whether it takes spare capacity."""

from __future__ import annotations

from typing import Any

import pytest

from tick_pipeline.resources.aws.glue_capacity import FLEX, STANDARD, Capacity, capacity_for

GIB = 1 << 30


def job(worker_type: str = "G.1X", most: int = 10, execution_class: str | None = None) -> Any:
    own = {"ExecutionClass": execution_class} if execution_class else {}
    return {"WorkerType": worker_type, "NumberOfWorkers": most, **own}


@pytest.mark.parametrize(
    ("input_bytes", "definition", "workers", "execution_class"),
    [
        (0, job(), 2, STANDARD),
        (2 * GIB, job(), 2, STANDARD),
        (2 * GIB + 1, job(), 3, STANDARD),
        (16 * GIB, job(), 9, STANDARD),
        (500 * GIB, job(), 10, STANDARD),
        (16 * GIB, job("G.2X"), 5, STANDARD),
        (16 * GIB, job("G.025X"), 10, STANDARD),
        # A job that cannot have more than two may be slow, not refused.
        (500 * GIB, job(most=2), 2, STANDARD),
        # Spare capacity where the team has allowed it, and where it saves more than cents.
        (2 * GIB, job(execution_class=FLEX), 2, STANDARD),
        (2 * GIB + 1, job(execution_class=FLEX), 3, FLEX),
        (500 * GIB, job(most=2, execution_class=FLEX), 2, FLEX),
        (500 * GIB, job(execution_class=STANDARD), 10, STANDARD),
    ],
)
def test_workers_grow_with_the_input_up_to_the_jobs_own(
    input_bytes: int, definition: Any, workers: int, execution_class: str
) -> None:
    capacity = capacity_for(definition, input_bytes, 2 * GIB)
    assert capacity == Capacity(definition["WorkerType"], workers, execution_class)


def test_workers_are_asked_for_with_their_type() -> None:
    """Glue refuses the one without the other."""
    assert Capacity("G.1X", 3, FLEX).as_request() == {
        "WorkerType": "G.1X",
        "NumberOfWorkers": 3,
        "ExecutionClass": "FLEX",
    }
