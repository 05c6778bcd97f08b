"""What can be redriven: a record of an error prefix or an invalid row of raw, and what is wrong with it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.decode import MalformedError, decode
from tick_pipeline.contracts.rules import broken_rule
from tick_pipeline.event_time import format_short
from tick_pipeline.landing.error_records import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tick_pipeline.landing.error_records import ErrorRecord
    from tick_pipeline.storage import StorageMode

#: Reason of a tick that is older than any partition: no table would show it.
BEFORE_PARTITIONS = "before_partitions_start"
_IDENTITY_DIGITS = 32


class Kind(str, Enum):
    """What is wrong with a record."""

    MALFORMED = "malformed"
    INVALID = "invalid"
    #: Nothing, by the contract: only its delivery failed.
    DELIVERY = "delivery"
    #: The line or object that should tell it cannot be read.
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Candidate:
    """One occurrence of a record that failed; both storage modes may have one of the same record.

    Attributes:
        mode: whose.
        data: the record's bytes; of a row of raw, a record that would give it.
        code: why, as the delivery told it; the broken rule of a row.
        message: what exactly, as the delivery told it.
        at_us: when it arrived, microseconds; of a row, when it was sent. None where nobody knows.
        place: where it lies, for people.
        readable: whether `data` is a record at all.
    """

    mode: StorageMode
    data: bytes
    code: str
    message: str
    at_us: int | None
    place: str
    readable: bool = True


@dataclass(frozen=True)
class Fault:
    """Why a record would fail, or failed.

    Attributes:
        kind: of it.
        reason: one of `decode.REASONS`, a broken rule, BEFORE_PARTITIONS, or the delivery's own code.
        message: what exactly.
    """

    kind: Kind
    reason: str
    message: str


def identity_of(data: bytes) -> str:
    """Identifies a record by its bytes, in hexadecimal digits.

    Firehose does not tell for every record where it was in the stream. Two that are equal byte for byte are
    one tick, whatever they become: it is redriven once.
    """
    return hashlib.sha256(data).hexdigest()[:_IDENTITY_DIGITS]


def candidate_of_error(mode: StorageMode, record: ErrorRecord) -> Candidate:
    """A record of a mode's error prefix."""
    return Candidate(
        mode=mode,
        data=record.data,
        code=record.code,
        message=record.message,
        at_us=record.arrival_us,
        place=record.path,
        readable=record.code != UNREADABLE,
    )


def candidate_of_row(mode: StorageMode, row: Mapping[str, Any]) -> Candidate:
    """An invalid row of a mode's raw: the contract's fields and `broken_rule`."""
    record = {name: row[name] for name in load_contract("tick").field_names}
    sent_us, event_us = record["sent_ts"], record["event_ts"]
    return Candidate(
        mode=mode,
        data=encode_record(record),
        code=row["broken_rule"],
        message="",
        at_us=event_us if sent_us is None else sent_us,
        place=f"{mode}.raw",
    )


def encode_record(record: Mapping[str, Any]) -> bytes:
    """A record's members as one compact JSON object."""
    return json.dumps(record, separators=(",", ":")).encode()


def fault_of(data: bytes, first_event_us: int | None) -> Fault | None:
    """Why a record would fail if it were put now; None for a valid tick.

    Args:
        data: its bytes.
        first_event_us: event time that no tick may be older than, microseconds; None for any.
    """
    try:
        record = decode(data)
    except MalformedError as error:
        return Fault(Kind.MALFORMED, error.reason, str(error))
    rule = broken_rule(load_contract("tick"), record)
    if rule is not None:
        return Fault(Kind.INVALID, rule, "")
    if first_event_us is not None and record["event_ts"] < first_event_us:
        return Fault(
            Kind.INVALID,
            BEFORE_PARTITIONS,
            f"{record['event_time']} is older than TICK_PIPELINE_PARTITIONS_START, {format_short(first_event_us)}",
        )
    return None


def fault_of_candidate(candidate: Candidate, first_event_us: int | None) -> Fault:
    """What is wrong with a record that failed; where nothing is, the delivery's own reason."""
    if not candidate.readable:
        return Fault(Kind.UNREADABLE, candidate.code, candidate.message)
    found = fault_of(candidate.data, first_event_us)
    return found or Fault(Kind.DELIVERY, candidate.code, candidate.message)
