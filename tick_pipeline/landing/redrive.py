"""Puts records that failed on the stream again, each once, and remembers it."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.errors import InputError
from tick_pipeline.event_time import (
    US_PER_HOUR,
    US_PER_MINUTE,
    as_datetime,
    hour_ceil,
    now_us,
)
from tick_pipeline.landing.redrive_groups import (
    Finding,
    Group,
    RedriveRequest,
    State,
    Tally,
    examine,
)
from tick_pipeline.landing.redrive_memory import Plan, recall
from tick_pipeline.landing.redrive_records import (
    candidate_of_error,
    candidate_of_row,
    identity_of,
)
from tick_pipeline.stream.port import AtTimestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tick_pipeline.landing.redrive_memory import Memory, MemoryFolder
    from tick_pipeline.landing.redrive_records import Candidate
    from tick_pipeline.resources.landing import Landing
    from tick_pipeline.resources.query_port import QueryEngine
    from tick_pipeline.storage import StorageMode
    from tick_pipeline.stream.port import Stream

_RECORDS_PER_PLAN = 10_000
_BYTES_PER_PLAN = 64 * 1024 * 1024
#: The clocks of this machine and of AWS differ by less: beyond five minutes AWS refuses requests.
#: Source: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
_CLOCKS_DIFFER_US = 5 * US_PER_MINUTE
#: No put of a batch takes longer.
_PUT_US = US_PER_HOUR
_EVERYTHING = 2**62


@dataclass(frozen=True)
class RedriveSummary:
    """What failed, and what was done about it.

    Attributes:
        since_us: start of the window, microseconds.
        until_us: its end, exclusive; None for none.
        groups: by reason, the largest first.
        put: records put on the stream.
        recovered: records that an earlier redrive, which was killed, is now known to have put.
        seconds: wall time.
    """

    since_us: int
    until_us: int | None
    groups: list[Group] = field(default_factory=list[Group])
    put: int = 0
    recovered: int = 0
    seconds: float = 0.0

    def count(self, state: State) -> int:
        """Records of all groups in a state."""
        return sum(group.state(state) for group in self.groups)


class Redrive:
    """Reads what failed, and puts it again.

    Args:
        landing: has the error records.
        engine: has the invalid rows.
        stream: takes what is put.
        folder: of the memory.
        first_event_us: event time that no tick may be older than, microseconds; None for any.
    """

    def __init__(
        self,
        landing: Landing,
        engine: QueryEngine,
        stream: Stream,
        folder: MemoryFolder,
        *,
        first_event_us: int | None,
    ) -> None:
        self._landing = landing
        self._engine = engine
        self._stream = stream
        self._folder = folder
        self._first_event_us = first_event_us

    def survey(self, request: RedriveRequest) -> RedriveSummary:
        """What failed, by reason, and what `put` would do about it; nothing is changed.

        Raises:
            InputError: a reason that is asked for is none of those found.
            LandingError: the memory cannot be read.
        """
        began = time.monotonic()
        tally = Tally()
        for _ in self._ready(request, recall(self._folder), tally):
            pass
        groups = tally.groups()
        _require_known(request.only, groups)
        return RedriveSummary(
            request.since_us, request.until_us, groups, seconds=time.monotonic() - began
        )

    def put(
        self, request: RedriveRequest, on_progress: Callable[[int, int], None] | None = None
    ) -> RedriveSummary:
        """Put what `survey` has as READY, and remember it.

        Args:
            request: which records.
            on_progress: told records put, and records to put, after each batch.

        Raises:
            InputError: as of `survey`; nothing was put.
            BusyError: another redrive goes on.
            StreamError: the stream did not take all; a later call goes on from there.
            LandingError: the memory cannot be read.
        """
        began = time.monotonic()
        with self._folder.held() as still_held:
            recovered = sum(map(self._settle, recall(self._folder).unsettled))
            expected = self.survey(request).count(State.READY)
            memory, tally, put = recall(self._folder), Tally(), 0
            known = set(memory.put)
            for batch in _batches(self._ready(request, memory, tally)):
                still_held()
                put += self._put(batch, known)
                if on_progress is not None:
                    on_progress(put, expected)
        return RedriveSummary(
            request.since_us,
            request.until_us,
            tally.groups(),
            put=put,
            recovered=recovered,
            seconds=time.monotonic() - began,
        )

    def _ready(self, request: RedriveRequest, memory: Memory, tally: Tally) -> Iterator[Finding]:
        """The records to put; every record is counted."""
        for candidate in self._candidates(request):
            identity = identity_of(candidate.data)
            if tally.know(candidate, identity):
                continue
            finding = examine(candidate, identity, request, memory, self._first_event_us)
            tally.add(finding)
            if finding.state is State.READY:
                yield finding

    def _candidates(self, request: RedriveRequest) -> Iterator[Candidate]:
        since_us, now = request.since_us, now_us()
        # What is put now and fails at once is for the next redrive.
        until_us = request.until_us if request.until_us is not None else now
        for mode in request.modes:
            for record in self._landing.error_records(mode, since_us, until_us):
                yield candidate_of_error(mode, record)
        # A producer's clock may be ahead.
        end_us = request.until_us if request.until_us is not None else hour_ceil(now + US_PER_HOUR)
        for mode in request.modes:
            asked = {"start": as_datetime(since_us), "end": as_datetime(end_us)}
            for row in self._engine.run(_invalid_sql(mode), asked).records:
                yield candidate_of_row(mode, row)

    def _put(self, batch: list[Finding], known: set[str]) -> int:
        """Put a batch, between two writings of its plan; what was put for another record is not put again."""
        pairs = tuple((item.identity, identity_of(item.record)) for item in batch)
        plan = Plan(now_us(), pairs)
        self._folder.write(plan.name, plan.to_json())
        sent: list[Finding] = []
        for item, (_, put) in zip(batch, pairs, strict=True):
            if put not in known:
                known.add(put)
                sent.append(item)
        if sent:
            self._stream.put(
                pa.array([item.symbol for item in sent], pa.string()),
                pa.array([item.record for item in sent], pa.binary()),
            )
        self._folder.write(plan.name, replace(plan, settled=True).to_json())
        return len(sent)

    def _settle(self, plan: Plan) -> int:
        """Decide by the stream what of a batch was put whose redrive was killed; the rest is open again."""
        found = _found_in(self._stream, plan)
        pairs = tuple(pair for pair in plan.pairs if pair[1] in found)
        self._folder.write(plan.name, replace(plan, pairs=pairs, settled=True).to_json())
        return len(pairs)


def _found_in(stream: Stream, plan: Plan) -> set[str]:
    """Identities of what of a batch is in the stream, of which only the time of the put is read.

    What the stream no longer has counts as not put: it is put again, and `ticks` has it once.
    """
    wanted = {put for _, put in plan.pairs}
    found: set[str] = set()
    last = as_datetime(plan.planned_us + _PUT_US + _CLOCKS_DIFFER_US)
    position = AtTimestamp(plan.planned_us - _CLOCKS_DIFFER_US)
    for shard in stream.shards():
        for table in stream.read(shard.shard_id, position, max_records=_EVERYTHING):
            found |= wanted & {identity_of(data) for data in table["data"].to_pylist()}
            if found == wanted:
                return found
            if table["approximateArrivalTimestamp"][-1].as_py() > last:
                break
    return found


def _batches(findings: Iterable[Finding]) -> Iterator[list[Finding]]:
    batch: list[Finding] = []
    size_bytes = 0
    for finding in findings:
        batch.append(finding)
        size_bytes += len(finding.record)
        if len(batch) == _RECORDS_PER_PLAN or size_bytes >= _BYTES_PER_PLAN:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def _invalid_sql(mode: StorageMode) -> str:
    names = load_contract("tick").field_names
    columns = ", ".join("event_us as event_ts" if name == "event_ts" else name for name in names)
    return (
        f"select {columns}, broken_rule from {mode}.received "  # noqa: S608  (of the contract alone)
        "where event_at >= :start and event_at < :end and broken_rule is not null"
    )


def _require_known(only: frozenset[str], groups: list[Group]) -> None:
    """Refuse a reason that no record has: it is a slip of the pen, and nothing would be put for it.

    Raises:
        InputError: there is one.
    """
    reasons = sorted({group.reason for group in groups})
    for reason in sorted(only - set(reasons)):
        raise InputError(
            f"--only {reason}: no record failed for that reason; "
            + (f"there are {', '.join(reasons)}" if reasons else "none failed at all in that time")
        )
