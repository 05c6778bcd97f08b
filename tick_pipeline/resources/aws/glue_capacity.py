"""How many workers a run of a Glue job gets, and of which execution class: a rule without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tick_pipeline.resources.aws.glue_facts import DPUS

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The driver has a worker of its own. Glue takes no fewer.
LEAST_WORKERS = 2
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
    """Capacity of a run.

    One worker drives; of the others there is one for each `bytes_a_dpu` of input and DPU, at least one and at
    most as many as the job has. FLEX only where the job has it, and only for a run of more than the fewest
    workers: such a one costs cents, of which FLEX saves a third, and may wait 20 minutes for spare capacity,
    which is more than the hour's candles are to be late.

    Args:
        job: Glue's Job, whose NumberOfWorkers is the most.
        input_bytes: of raw in the hours.
        bytes_a_dpu: what a DPU (4 cores, 16 GB) is to read.
    """
    worker_type = str(job["WorkerType"])
    bytes_a_worker = bytes_a_dpu * DPUS.get(worker_type, 1)
    wanted = 1 + max(1, -int(-input_bytes // bytes_a_worker))
    workers = max(LEAST_WORKERS, min(wanted, int(job["NumberOfWorkers"])))
    flex = job.get("ExecutionClass") == FLEX and wanted > LEAST_WORKERS
    return Capacity(worker_type, workers, FLEX if flex else STANDARD)
