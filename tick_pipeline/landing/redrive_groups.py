"""What a redrive makes of each record that failed, and the sum of it by reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from tick_pipeline.contracts.decode import decode
from tick_pipeline.landing.numbers import read_number
from tick_pipeline.landing.redrive_mending import Mending
from tick_pipeline.landing.redrive_records import Kind, fault_of, fault_of_candidate
from tick_pipeline.stream.port import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from tick_pipeline.landing.redrive_memory import Memory
    from tick_pipeline.landing.redrive_records import Candidate, Fault
    from tick_pipeline.storage import StorageMode

#: Why a record stays that a mending would make too large for the stream.
TOO_LARGE = "too_large"
_SAMPLES = 3
_SAMPLE_BYTES = 300


@dataclass(frozen=True)
class RedriveRequest:
    """What is looked at, and what may be put.

    Attributes:
        modes: whose records.
        since_us: arrival of the first record, and event time of the first invalid row, microseconds.
        until_us: of the first later one that is left out; None for no end.
        mending: what to do to what would fail again.
        only: reasons of the records that may be put; empty for all.
        symbols: their symbols; empty for all.
    """

    modes: tuple[StorageMode, ...]
    since_us: int
    until_us: int | None = None
    mending: Mending = field(default_factory=Mending)
    only: frozenset[str] = frozenset()
    symbols: frozenset[str] = frozenset()


class State(str, Enum):
    """What a redrive makes of a record."""

    READY = "ready"
    #: It would fail again.
    LEFT = "left"
    #: `only` or `symbols` leave it out.
    NOT_ASKED = "not asked for"
    REDRIVEN = "redriven"
    #: A redrive of it goes on, or was killed.
    UNDER_WAY = "under way"


@dataclass(frozen=True)
class Finding:
    """One record that failed.

    Attributes:
        candidate: its first occurrence.
        identity: of its bytes.
        fault: what is wrong with it.
        state: what is to be done.
        again: it was put by a redrive before.
        record: what is put for it, where READY.
        symbol: of that.
        why: the reason for which it is LEFT.
    """

    candidate: Candidate
    identity: str
    fault: Fault
    state: State
    again: bool = False
    record: bytes = b""
    symbol: str = ""
    why: str = ""


@dataclass(frozen=True)
class Sample:
    """One record of a group, for people.

    Attributes:
        place: object or table where it lies.
        at_us: when it arrived, or was sent, microseconds.
        message: what exactly is wrong.
        told: the delivery's own code and message.
        data: how it begins; what is not UTF-8 is escaped.
    """

    place: str
    at_us: int | None
    message: str
    told: str
    data: str


@dataclass
class Group:
    """The records of one reason.

    Attributes:
        kind: what is wrong with them.
        reason: why, as `only` takes it.
        records: how many different ones.
        by_mode: storage mode -> occurrences, each in its error prefix or raw.
        by_state: what is made of them -> records.
        again: records that a redrive had put, and that failed again.
        left: why they would fail again -> records.
        oldest_us: arrival of the oldest, microseconds; None where nobody knows.
        newest_us: of the newest.
        samples: the first ones that were asked for and not redriven.
    """

    kind: Kind
    reason: str
    records: int = 0
    by_mode: dict[str, int] = field(default_factory=dict[str, int])
    by_state: dict[str, int] = field(default_factory=dict[str, int])
    again: int = 0
    left: dict[str, int] = field(default_factory=dict[str, int])
    oldest_us: int | None = None
    newest_us: int | None = None
    samples: list[Sample] = field(default_factory=list[Sample])

    def state(self, state: State) -> int:
        """How many records are in a state."""
        return self.by_state.get(state.value, 0)

    def add(self, finding: Finding) -> None:
        """Count one record."""
        self.records += 1
        self.by_state[finding.state.value] = self.state(finding.state) + 1
        self.again += finding.again
        if finding.why:
            self.left[finding.why] = self.left.get(finding.why, 0) + 1
        settled = finding.state in (State.REDRIVEN, State.NOT_ASKED)
        if not settled and len(self.samples) < _SAMPLES:
            self.samples.append(_sample(finding))

    def occur(self, candidate: Candidate) -> None:
        """Count one occurrence."""
        mode, at_us = candidate.mode.value, candidate.at_us
        self.by_mode[mode] = self.by_mode.get(mode, 0) + 1
        if at_us is not None:
            self.oldest_us = min(at_us, self.oldest_us if self.oldest_us is not None else at_us)
            self.newest_us = max(at_us, self.newest_us if self.newest_us is not None else at_us)


class Tally:
    """Sums up record by record, each once: of a bad day's records, only their identities are kept."""

    def __init__(self) -> None:
        self._groups: dict[tuple[Kind, str], Group] = {}
        self._of: dict[str, Group] = {}

    def know(self, candidate: Candidate, identity: str) -> bool:
        """Whether the record was counted already, perhaps in the other mode; then this counts as its occurrence."""
        group = self._of.get(identity)
        if group is not None:
            group.occur(candidate)
        return group is not None

    def add(self, finding: Finding) -> None:
        """Count a record that is not known yet."""
        fault = finding.fault
        group = self._groups.setdefault((fault.kind, fault.reason), Group(fault.kind, fault.reason))
        self._of[finding.identity] = group
        group.add(finding)
        group.occur(finding.candidate)

    def groups(self) -> list[Group]:
        """Every group, the largest first."""
        return sorted(self._groups.values(), key=lambda group: (-group.records, group.reason))


def examine(
    candidate: Candidate,
    identity: str,
    request: RedriveRequest,
    memory: Memory,
    first_event_us: int | None,
) -> Finding:
    """What a redrive makes of one record: a decision without I/O.

    A record that is valid by the contract is put as it is, with a line break at its end: where that fails
    again, its bytes differ from those that failed before.

    Args:
        candidate: the record.
        identity: of its bytes.
        request: what may be put.
        memory: what was redriven.
        first_event_us: event time that no tick may be older than, microseconds; None for any.
    """
    fault = fault_of_candidate(candidate, first_event_us)
    again = identity in memory.put
    state = _known_state(identity, memory) or _asked_state(candidate, fault, request)
    if state is not None:
        return Finding(candidate, identity, fault, state, again=again)
    record, why = _outgoing(candidate, fault, request.mending, first_event_us)
    symbol = str(decode(record)["symbol"]) if not why else ""
    if len(record) + len(symbol) > MAX_RECORD_BYTES:
        why = TOO_LARGE
    if why:
        return Finding(candidate, identity, fault, State.LEFT, again=again, why=why)
    return Finding(
        candidate, identity, fault, State.READY, again=again, record=record, symbol=symbol
    )


def _known_state(identity: str, memory: Memory) -> State | None:
    if identity in memory.redriven:
        return State.REDRIVEN
    return State.UNDER_WAY if identity in memory.under_way else None


def _asked_state(candidate: Candidate, fault: Fault, request: RedriveRequest) -> State | None:
    asked = (not request.only or fault.reason in request.only) and (
        not request.symbols or read_number(candidate.data).symbol in request.symbols
    )
    return None if asked else State.NOT_ASKED


def _outgoing(
    candidate: Candidate, fault: Fault, mending: Mending, first_event_us: int | None
) -> tuple[bytes, str]:
    """What would be put for a record, and, where that would fail again, why."""
    if fault.kind is Kind.DELIVERY:
        return candidate.data + b"\n", ""
    mends = bool(mending) and fault.kind is not Kind.UNREADABLE
    mended = mending.apply(candidate.data) if mends else None
    if mended is None:
        return b"", fault.reason
    still = fault_of(mended, first_event_us)
    return mended, still.reason if still else ""


def _sample(finding: Finding) -> Sample:
    candidate = finding.candidate
    told = f"{candidate.code}: {candidate.message}" if candidate.message else candidate.code
    return Sample(
        place=candidate.place,
        at_us=candidate.at_us,
        message=finding.fault.message,
        told=told,
        data=candidate.data[:_SAMPLE_BYTES].decode("utf-8", "backslashreplace"),
    )
