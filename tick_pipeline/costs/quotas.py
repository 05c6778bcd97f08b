"""Limits of AWS that capacity is measured against; each names the page that states it.

Read in November 2026 from stored copies of the pages. What is called adjustable can be raised on request.
"""

from __future__ import annotations

from dataclasses import dataclass

_KINESIS = "https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html"
_FIREHOSE = "https://docs.aws.amazon.com/firehose/latest/dev/limits.html"

#: A shard takes so much a second, and gives so much to all that share it.
SHARD_WRITE_BYTES_PER_SECOND = 1_000_000
SHARD_WRITE_RECORDS_PER_SECOND = 1_000
SHARD_READ_BYTES_PER_SECOND = 2_000_000
#: Freshness of what is partitioned dynamically, in times of the buffer's hint.
#: Source: https://docs.aws.amazon.com/firehose/latest/dev/buffering.html
FRESHNESS_IN_BUFFERS = 1.5
#: Where Kinesis's larger quotas hold without asking.
LARGE_REGIONS = frozenset({"us-east-1", "us-west-2", "eu-west-1"})


@dataclass(frozen=True)
class Quota:
    """A limit.

    Attributes:
        name: what is limited, with its unit.
        limit: the most.
        source: page of AWS.
        adjustable: AWS raises it on request.
        what_to_do: where it is passed.
    """

    name: str
    limit: float
    source: str
    adjustable: bool
    what_to_do: str


RECORD_BYTES = Quota(
    "bytes of a record, its partition key included",
    1 << 20,
    _KINESIS,
    adjustable=False,
    what_to_do="put less into a record",
)
GET_RECORDS_PER_SHARD = Quota(
    "calls of GetRecords a second and shard, one for each reader",
    5,
    _KINESIS,
    adjustable=False,
    what_to_do="give readers enhanced fan-out (enhanced_fan_out_enabled)",
)
FAN_OUT_CONSUMERS = Quota(
    "consumers with enhanced fan-out of a stream",
    20,
    "https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html",
    adjustable=True,
    what_to_do="let consumers share, or ask AWS",
)
ON_DEMAND_AT_FIRST = Quota(
    "bytes a second into a new stream on demand",
    4_000_000,
    _KINESIS,
    adjustable=False,
    what_to_do="raise the load step by step (a stream doubles within 15 minutes), or provision stream_shards",
)
ACTIVE_PARTITIONS = Quota(
    "active partitions of a Firehose",
    500,
    "https://docs.aws.amazon.com/firehose/latest/dev/buffering.html",
    adjustable=True,
    what_to_do="replay in the order of time, or slower; ask AWS for up to 5,000",
)
PARTITION_BYTES_PER_SECOND = Quota(
    "bytes a second into an active partition of a Firehose",
    1_000_000_000,
    _FIREHOSE,
    adjustable=False,
    what_to_do="write into more partitions",
)
FIREHOSE_RECORD_BYTES = Quota(
    "bytes of a record that Firehose takes",
    1_000 * 1024,
    _FIREHOSE,
    adjustable=False,
    what_to_do="put less into a record",
)
STREAM_SHARDS = Quota(
    "shards that stream_shards takes",
    500,
    "terraform/variables.tf",
    adjustable=True,
    what_to_do="raise the variable's bound, or take stream_mode = ON_DEMAND",
)


def shards_per_account(region: str) -> Quota:
    """Shards of an account; outside the large regions 1,000 or 6,000, of which the lower one is told."""
    return Quota(
        f"shards of an account in {region}",
        20_000 if region in LARGE_REGIONS else 1_000,
        _KINESIS,
        adjustable=True,
        what_to_do="ask AWS for more in Service Quotas",
    )


def on_demand_bytes_per_second(region: str) -> Quota:
    """What a stream on demand takes when it has grown."""
    return Quota(
        f"bytes a second into a stream on demand in {region}",
        10_000_000_000 if region in LARGE_REGIONS else 200_000_000,
        _KINESIS,
        adjustable=True,
        what_to_do="ask AWS for more, or provision stream_shards",
    )
