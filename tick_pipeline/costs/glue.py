"""What a run of a Glue job gets and is billed: rules that the adapter, `capacity` and `cost` share."""

from __future__ import annotations

from math import ceil

#: Data processing units of a worker.
#: Source: https://docs.aws.amazon.com/glue/latest/dg/worker-types.html
DPUS = {"G.025X": 0.25, "G.1X": 1, "G.2X": 2, "G.4X": 4, "G.8X": 8}
#: The driver has a worker of its own. Glue takes no fewer.
LEAST_WORKERS = 2
#: A shorter run costs as much as one of a minute; from there on each second counts.
#: Source: https://aws.amazon.com/glue/pricing/
LEAST_BILLED_SECONDS = 60
#: What a DPU, 4 cores, reads in about the half minute that a worker takes to come: more workers would be paid for
#: their start. Candles take 0.3 CPU-seconds a million ticks, of some 30 bytes each; scores are made in Python.
CANDLES_BYTES_A_DPU = 2 << 30
ANOMALIES_BYTES_A_DPU = 512 << 20
#: That half minute.
SECONDS_A_SHARE = 30


def workers_wanted(input_bytes: int, bytes_a_dpu: int, worker_type: str) -> int:
    """Workers that an input would employ, the driver's included.

    One worker drives; of the others there is one for each `bytes_a_dpu` of input and DPU, at least one.

    Args:
        input_bytes: of raw in the hours of a run.
        bytes_a_dpu: what a DPU (4 cores, 16 GB) is to read.
        worker_type: as `G.1X`.
    """
    return 1 + max(1, ceil(input_bytes / (bytes_a_dpu * DPUS.get(worker_type, 1))))


def workers_for(input_bytes: int, bytes_a_dpu: int, worker_type: str, most: int) -> int:
    """Workers that a run gets: those that its input would employ, at most what the job may have."""
    wanted = workers_wanted(input_bytes, bytes_a_dpu, worker_type)
    return max(LEAST_WORKERS, min(wanted, most))


def takes_flex(wanted: int, *, allowed: bool) -> bool:
    """Whether a run takes spare capacity (FLEX).

    Only one of more than the fewest workers: such a one costs cents, of which FLEX saves a third, and may wait
    20 minutes for spare capacity, which is more than the hour's candles are to be late.

    Args:
        wanted: workers that its input would employ.
        allowed: the job has FLEX.
    """
    return allowed and wanted > LEAST_WORKERS
