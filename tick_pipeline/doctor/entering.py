"""Is data entering the stream? Judged from what it took of late and how its shards shared it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tick_pipeline.costs.quotas import SHARD_WRITE_RECORDS_PER_SECOND
from tick_pipeline.doctor.findings import Figure, Finding, Verdict, ok
from tick_pipeline.doctor.words import share, span
from tick_pipeline.event_time import US_PER_SECOND, format_short
from tick_pipeline.sessions.calendar import ALWAYS_OPEN

if TYPE_CHECKING:
    from tick_pipeline.stream.load import ShardLoad, StreamLoad

#: A market that is open is not silent for so long.
QUIET_SECONDS = 900
#: Of fewer records a share says little.
_LEAST_RECORDS = 500
#: A shard is hot at so many times its fair share, or half the way from there to all records.
_TIMES_FAIR = 4
_PRODUCE = "tick-pipeline produce --scenario steady --duration 600 --past"


@dataclass(frozen=True)
class Entering:
    """What is known of the stream's intake.

    Attributes:
        now_us: this moment, microseconds.
        load: of the last minutes; None where it could not be seen.
        rejected: records that the producers here were refused and kept aside.
        rejected_folder: where those are.
        calendar: code of the market's sessions.
        open_seconds: how long the market has been open since the newest record, or since nothing is known to
            have come; None where it never closes, or nobody knows.
    """

    now_us: int
    load: StreamLoad | None
    rejected: int
    rejected_folder: str
    calendar: str = ALWAYS_OPEN
    open_seconds: float | None = None


def judge(facts: Entering) -> list[Finding]:
    """The findings."""
    findings: list[Finding] = []
    if facts.load is not None:
        findings.append(_arrivals(facts, facts.load))
        if facts.load.throttled:
            findings.append(_throttled(facts.load))
        if facts.load.shards:
            findings.append(_shards(facts.load, facts.load.shards))
    findings.append(_rejected(facts))
    return findings


def _arrivals(facts: Entering, load: StreamLoad) -> Finding:
    newest_us = load.newest_arrival_us
    evidence: dict[str, Figure] = {}
    if newest_us is not None:
        quiet_seconds = (facts.now_us - newest_us) / US_PER_SECOND
        told = f"the newest record came {span(quiet_seconds)} ago"
        evidence |= _intake(load, newest_us)
    elif load.known_since_us:
        quiet_seconds = (facts.now_us - load.known_since_us) / US_PER_SECOND
        told = f"no record came since {format_short(load.known_since_us)}"
    else:
        return Finding(
            "arrivals", Verdict.WARN, "nothing was sent yet", "no-arrivals", next=_PRODUCE
        )
    missed_seconds = quiet_seconds
    if facts.open_seconds is not None:
        missed_seconds = min(quiet_seconds, facts.open_seconds)
        evidence[f"open since then ({facts.calendar})"] = span(missed_seconds)
        told += (
            f", {span(missed_seconds)} of it while the market was open"
            if missed_seconds
            else ", and the market was closed since then"
        )
    if missed_seconds <= QUIET_SECONDS:
        return Finding("arrivals", Verdict.OK, told, evidence=evidence)
    return Finding(
        "arrivals",
        Verdict.WARN,
        f"{told}: do the producers run?",
        "no-arrivals",
        evidence,
        f"look at the producers; `{_PRODUCE}` puts simulated ticks",
    )


def _intake(load: StreamLoad, newest_us: int) -> dict[str, Figure]:
    window_seconds = (load.end_us - load.start_us) / US_PER_SECOND
    found: dict[str, Figure] = {
        "newest arrival": format_short(newest_us),
        f"records in its last {window_seconds:.0f} s": load.records,
        "records per second": round(load.records / window_seconds, 1),
        "bytes per second": round(load.bytes / window_seconds),
    }
    for shard in load.shards or ():
        if shard.newest_arrival_us is not None:
            found[f"newest of {shard.shard_id}"] = format_short(shard.newest_arrival_us)
    return found


def _throttled(load: StreamLoad) -> Finding:
    return Finding(
        "throughput",
        Verdict.FAIL,
        f"the stream refused {load.throttled:,} records for its throughput",
        "throttled",
        {"refused": load.throttled, "taken": load.records, "until": format_short(load.end_us)},
        "tick-pipeline capacity tells how many shards the load needs; set shard_count, or on-demand mode, "
        "in Terraform",
    )


def _shards(load: StreamLoad, shards: tuple[ShardLoad, ...]) -> Finding:
    total = sum(shard.records for shard in shards)
    hottest = max(shards, key=lambda shard: shard.records)
    fair = 1 / len(shards)
    part = hottest.records / total if total else 0.0
    limit = min(_TIMES_FAIR * fair, (1 + fair) / 2)
    evidence: dict[str, Figure] = {
        shard.shard_id: f"{share(shard.records, total)} of the records" for shard in shards
    }
    evidence["fair share"] = f"{fair:.0%}"
    if len(shards) == 1 or total < _LEAST_RECORDS or part <= limit:
        told = f"{len(shards)} shards, the fullest took {part:.0%} of {total:,} records"
        return Finding("shards", Verdict.OK, told, evidence=evidence)
    seconds = (load.end_us - load.start_us) / US_PER_SECOND
    rate = hottest.records / seconds
    evidence |= {
        "its hottest symbol": f"{hottest.hottest}, {share(hottest.hottest_records, total)} of all records",
        "its records per second": round(rate, 1),
        "a Kinesis shard takes": f"{SHARD_WRITE_RECORDS_PER_SECOND:,} records, 1 MB a second",
    }
    return Finding(
        "shards",
        Verdict.WARN,
        f"{hottest.shard_id} takes {part:.0%} of the records, its fair share is {fair:.0%}: mostly "
        f"{hottest.hottest}",
        "hot-shard",
        evidence,
        f"TICK_PIPELINE_STREAM_PINNED_SYMBOLS={hottest.hottest} gives the symbol a Kinesis shard of its own; "
        "`tick-pipeline capacity` tells how many shards the load needs",
    )


def _rejected(facts: Entering) -> Finding:
    if not facts.rejected:
        return ok("rejected", "no record was refused by the stream")
    return Finding(
        "rejected",
        Verdict.WARN,
        f"{facts.rejected:,} records were refused and kept aside: too large, or without a key",
        "rejected-records",
        {"records": facts.rejected, "kept in": facts.rejected_folder},
        f"look at them in {facts.rejected_folder}, mend their producer, then remove the files",
    )
