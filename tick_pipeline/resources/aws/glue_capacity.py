"""How many workers a run of a Glue job gets, and of which execution class, as StartJobRun takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tick_pipeline.costs.glue import takes_flex, workers_for, workers_wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

STANDARD, FLEX = "STANDARD", "FLEX"


@dataclass(frozen=True)
class Capacity:
    """What a run gets.

    Attributes:
        worker_type: as `G.1X`.
        workers: the most that auto-scaling may take, the driver's included.
        execution_class: STANDARD, or FLEX for spare capacity.
    """

    worker_type: str
    workers: int
    execution_class: str

    def as_request(self) -> dict[str, Any]:
        """Its fields in a StartJobRun, which takes a number of workers only with their type."""
        return {
            "WorkerType": self.worker_type,
            "NumberOfWorkers": self.workers,
            "ExecutionClass": self.execution_class,
        }


def capacity_for(job: Mapping[str, Any], input_bytes: int, bytes_a_dpu: int) -> Capacity:
    """Capacity of a run: as many workers as its input employs and the job may have.

    Args:
        job: Glue's Job, whose NumberOfWorkers is the most.
        input_bytes: of raw in the hours.
        bytes_a_dpu: what a DPU (4 cores, 16 GB) is to read.
    """
    worker_type = str(job["WorkerType"])
    wanted = workers_wanted(input_bytes, bytes_a_dpu, worker_type)
    workers = workers_for(input_bytes, bytes_a_dpu, worker_type, int(job["NumberOfWorkers"]))
    flex = takes_flex(wanted, allowed=job.get("ExecutionClass") == FLEX)
    return Capacity(worker_type, workers, FLEX if flex else STANDARD)
