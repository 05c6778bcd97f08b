"""The shards of a Kinesis stream: waited for, listed, in order of descent, and those of hot symbols."""

# boto3 makes its clients at run time
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from contextlib import contextmanager
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from tick_pipeline.errors import AwsError, StreamError
from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.resources.aws.clients import aws_errors
from tick_pipeline.stream.port import Shard

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

MISSING = "ResourceNotFoundException"
_POLL_SECONDS = 1.0
_CREATION_POLLS = 300


def await_stream(client: Any, name: str, sleep: Callable[[float], None]) -> None:
    """Wait until the stream takes records: at most five minutes while it is being created.

    One that is being updated takes them, too.
    Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_StreamDescriptionSummary.html

    Raises:
        StreamError: there is no such stream, it is being deleted, or its creation does not end.
        AwsError: AWS refused to tell.
    """
    for _ in range(_CREATION_POLLS):
        with stream_errors(client, name, "looking for"):
            answer = client.describe_stream_summary(StreamName=name)
        status = answer["StreamDescriptionSummary"]["StreamStatus"]
        if status in ("ACTIVE", "UPDATING"):
            return
        if status != "CREATING":
            raise StreamError(
                f"the stream {name} is {status}; when it is gone, `terraform apply` makes it anew"
            )
        sleep(_POLL_SECONDS)
    raise StreamError(
        f"the stream {name} is still being created after {_CREATION_POLLS * _POLL_SECONDS:.0f} s; "
        "look at it in AWS's console, then try again"
    )


def list_shards(client: Any, name: str) -> list[Shard]:
    """Every shard that still holds records, open or closed, by id.

    Raises:
        StreamError: there is no such stream.
        AwsError: AWS refused to tell.
    """
    shards: list[Shard] = []
    # A token takes the place of the stream's name.
    asked: dict[str, str] = {"StreamName": name}
    while asked:
        with stream_errors(client, name, "listing the shards of"):
            answer = client.list_shards(**asked)
        shards += map(_shard, answer["Shards"])
        asked = {"NextToken": answer["NextToken"]} if answer.get("NextToken") else {}
    return sorted(shards, key=lambda shard: shard.shard_id)


def stream_retention_us(client: Any, name: str) -> int:
    """How long the stream keeps a record, microseconds.

    Raises:
        StreamError: there is no such stream.
        AwsError: AWS refused to tell.
    """
    with stream_errors(client, name, "looking at"):
        answer = client.describe_stream_summary(StreamName=name)
    return int(answer["StreamDescriptionSummary"]["RetentionPeriodHours"]) * US_PER_HOUR


def open_shards(shards: Iterable[Shard]) -> list[Shard]:
    """Those that take records, by their range of hashes."""
    return sorted((shard for shard in shards if shard.is_open), key=lambda shard: shard.first_hash)


def parents_first(shards: Iterable[Shard]) -> list[Shard]:
    """Such that what was put for a key before a split or merge stands before what was put after it."""
    by_id = {shard.shard_id: shard for shard in sorted(shards, key=lambda shard: shard.shard_id)}
    descent = {
        name: [parent for parent in shard.parents if parent in by_id]
        for name, shard in by_id.items()
    }
    return [by_id[name] for name in TopologicalSorter(descent).static_order()]


def pinned_hash_keys(symbols: Sequence[str], shards: Iterable[Shard]) -> dict[str, int]:
    """The explicit hash key of each pinned symbol: all other partition keys go by their MD5.

    The first symbol gets the open shard with the highest hashes, the next symbol the one below it, and so
    on; with more symbols than shards from the top again. The hash key is the middle of the shard's range.

    Args:
        symbols: the hot ones; one that is given again is left out.
        shards: of the stream, in any order; closed ones are left out.

    Raises:
        StreamError: there are symbols, and no shard is open.
    """
    return {
        symbol: (shard.first_hash + shard.end_hash) // 2
        for symbol, shard in _pinned(symbols, shards)
    }


def pinned_shards(symbols: Sequence[str], shards: Iterable[Shard]) -> dict[str, str]:
    """Id of the shard of each pinned symbol, as `pinned_hash_keys` chooses it.

    Raises:
        StreamError: there are symbols, and no shard is open.
    """
    return {symbol: shard.shard_id for symbol, shard in _pinned(symbols, shards)}


@contextmanager
def stream_errors(client: Any, name: str, what: str) -> Generator[None]:
    """Errors of a call about the stream, each one line; `what` was done, as `listing the shards of`.

    Raises:
        StreamError: there is no such stream.
        AwsError: the call was refused, or did not come through.
    """
    try:
        with aws_errors(f"{what} the stream {name}"):
            yield
    except AwsError as error:
        if error.code == MISSING:
            raise StreamError(
                f"there is no stream {name} in {client.meta.region_name}; `terraform apply` makes it, "
                "TICK_PIPELINE_STREAM and TICK_PIPELINE_AWS_REGION name it"
            ) from error
        raise


def _pinned(symbols: Sequence[str], shards: Iterable[Shard]) -> list[tuple[str, Shard]]:
    taking = open_shards(shards)[::-1]
    if symbols and not taking:
        raise StreamError("the stream has no open shard; look at it in AWS's console")
    return [
        (symbol, taking[index % len(taking)]) for index, symbol in enumerate(dict.fromkeys(symbols))
    ]


def _shard(listed: dict[str, Any]) -> Shard:
    parents = (listed.get("ParentShardId"), listed.get("AdjacentParentShardId"))
    return Shard(
        shard_id=listed["ShardId"],
        first_hash=int(listed["HashKeyRange"]["StartingHashKey"]),
        end_hash=int(listed["HashKeyRange"]["EndingHashKey"]) + 1,
        earliest=None,
        latest=None,
        records=None,
        bytes=None,
        oldest_arrival_us=None,
        newest_arrival_us=None,
        is_open=not listed["SequenceNumberRange"].get("EndingSequenceNumber"),
        parents=tuple(parent for parent in parents if parent),
    )
