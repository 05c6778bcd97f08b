"""Is data leaving the stream into the tables? Judged from the deliveries, their errors, and when hours landed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tick_pipeline.doctor.findings import Figure, Finding, Verdict, ok
from tick_pipeline.doctor.words import many, share, span
from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, format_short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tick_pipeline.landing.error_summary import ErrorSummary
    from tick_pipeline.resources.landing import Backlog
    from tick_pipeline.storage import StorageMode

#: Of errors, as the check `raw_quality` has it.
_BAD_SHARE = 0.01
#: Candles are due by half past the hour after theirs, and one run may fail.
_MISSING_SECONDS = 2 * 3600
_SHOWN_REASONS = 3


@dataclass(frozen=True)
class ModeLeaving:
    """What is known of one mode; None where it could not be seen.

    Attributes:
        mode: which.
        backlog: of its delivery.
        errors: its error records of the last day.
        errors_of_window: how many of them came in the stream's last minutes.
        raw: hour of event time with rows in raw -> when its newest landed; None where that is not known.
        candles: hour with rows in aggregated_1m -> when they were written.
    """

    mode: StorageMode
    backlog: Backlog | None
    errors: ErrorSummary | None
    errors_of_window: int | None
    raw: Mapping[int, int | None] | None
    candles: Mapping[int, int | None] | None


@dataclass(frozen=True)
class Leaving:
    """What is known of the deliveries.

    Attributes:
        now_us: this moment, microseconds.
        modes: each enabled mode.
        records_of_window: that the stream took in its last minutes; None where that could not be seen.
        close_after_seconds: after its end an hour is closed.
        deliver: the command that makes records land, or tells how they do.
    """

    now_us: int
    modes: tuple[ModeLeaving, ...]
    records_of_window: int | None
    close_after_seconds: int
    deliver: str


def judge(facts: Leaving) -> list[Finding]:
    """The findings, mode by mode."""
    findings: list[Finding] = []
    for mode in facts.modes:
        if mode.backlog is not None:
            findings.append(_delivery(mode.mode, mode.backlog, facts))
            if mode.backlog.lost_records:
                findings.append(_lost(mode.mode, mode.backlog))
        if mode.errors is not None:
            findings.append(_errors(mode, mode.errors, facts))
        if mode.raw is not None:
            findings += _hours(mode.mode, mode.raw, facts.now_us)
        if mode.raw is not None and mode.candles is not None:
            findings.append(_candles(mode.mode, mode.raw, mode.candles, facts))
    return findings


def closed_without_candles(
    raw: Mapping[int, int | None],
    candles: Mapping[int, int | None],
    now_us: int,
    close_after_seconds: int,
) -> list[int]:
    """Closed hours that have rows in raw and no candle, ascending."""
    before_us = now_us - US_PER_HOUR - close_after_seconds * US_PER_SECOND
    return sorted(hour_us for hour_us in raw if hour_us <= before_us and hour_us not in candles)


def _delivery(mode: StorageMode, backlog: Backlog, facts: Leaving) -> Finding:
    waited = None if backlog.oldest_us is None else (facts.now_us - backlog.oldest_us) / 1e6
    evidence: dict[str, Figure] = {"how far": backlog.position.description, "who": backlog.runner}
    if waited is not None:
        evidence["oldest record that waits"] = f"{span(waited)} old"
    if backlog.waiting_records is not None:
        evidence["records that wait"] = backlog.waiting_records
    if backlog.expires_us is not None:
        evidence["the stream may drop it"] = format_short(backlog.expires_us)
    verdict, told = _standing(backlog, waited, facts.now_us)
    if verdict is Verdict.OK:
        return Finding("delivery", verdict, f"{mode}: {told}", evidence=evidence)
    failure = "stopped-delivery"
    return Finding("delivery", verdict, f"{mode}: {told}", failure, evidence, facts.deliver)


def _standing(backlog: Backlog, waited: float | None, now_us: int) -> tuple[Verdict, str]:
    """How a delivery stands, of which the oldest record has waited for so many seconds."""
    if backlog.always_runs and not backlog.running:
        return Verdict.FAIL, backlog.runner
    if backlog.position.caught_up:
        return Verdict.OK, f"all that came has landed, {backlog.position.description}"
    if waited is None:
        return Verdict.WARN, f"it is not known how far the delivery is, and {backlog.runner}"
    count = backlog.waiting_records
    records = "records" if count is None else many(count, "record")
    expired = backlog.expires_us is not None and backlog.expires_us <= now_us
    if expired or waited > backlog.due_seconds:
        why = "the stream has to keep it no longer" if expired else backlog.runner
        return Verdict.FAIL, f"{records} wait, the oldest for {span(waited)}, and {why}"
    if backlog.running:
        return Verdict.OK, f"{records} on the way, the oldest for {span(waited)}"
    return Verdict.WARN, f"{records} wait for {span(waited)}, and {backlog.runner}"


def _lost(mode: StorageMode, backlog: Backlog) -> Finding:
    return Finding(
        "retention",
        Verdict.FAIL,
        f"{mode}: the stream dropped {backlog.lost_records:,} records before they landed",
        "lost-records",
        {"records": backlog.lost_records, "how far": backlog.position.description},
        "replay them from their source; TICK_PIPELINE_STREAM_RETENTION_HOURS keeps records longer",
    )


def _errors(mode: ModeLeaving, errors: ErrorSummary, facts: Leaving) -> Finding:
    if not errors.count:
        more = f", {errors.redriven:,} were redriven" if errors.redriven else ""
        return ok("errors", f"{mode.mode}: no record of the last day is an error{more}")
    evidence: dict[str, Figure] = {"records of the last day": errors.count}
    reasons = list(errors.by_reason.items())
    evidence |= dict(reasons[:_SHOWN_REASONS])
    if len(reasons) > _SHOWN_REASONS:
        evidence["further reasons"] = len(reasons) - _SHOWN_REASONS
    if errors.newest_us is not None:
        evidence["newest"] = format_short(errors.newest_us)
    told = f"{mode.mode}: {many(errors.count, 'record')} of the last day could not be stored"
    verdict = Verdict.WARN
    came = facts.records_of_window
    if came and mode.errors_of_window:
        evidence["of the stream's last minutes"] = f"{mode.errors_of_window:,} of {came:,}"
        if mode.errors_of_window > _BAD_SHARE * came:
            verdict = Verdict.FAIL
            told += f", {share(mode.errors_of_window, came)} of the newest"
    return Finding("errors", verdict, told, "poison-records", evidence, "tick-pipeline redrive")


def _hours(mode: StorageMode, raw: Mapping[int, int | None], now_us: int) -> list[Finding]:
    if not raw:
        return [ok("hours", f"{mode}: nothing has landed yet")]
    ahead = [hour_us for hour_us in raw if hour_us > now_us]
    past = [hour_us for hour_us in raw if hour_us <= now_us]
    evidence: dict[str, Figure] = {"hours looked at": len(raw)}
    if past:
        evidence["newest hour"] = format_short(max(past))
    if not ahead:
        told = f"{mode}: the newest hour of raw is {format_short(max(past))}"
        return [Finding("hours", Verdict.OK, told, evidence=evidence)]
    evidence["newest of them"] = format_short(max(ahead))
    return [
        Finding(
            "hours",
            Verdict.WARN,
            f"{mode}: ticks of {many(len(ahead), 'hour')} that are still to come: a clock is ahead",
            "clock-ahead",
            evidence,
            f"tick-pipeline query --file latest_candles --param storage_mode={mode} tells which symbols; look at "
            "the clock of their producer",
        )
    ]


def _candles(
    mode: StorageMode,
    raw: Mapping[int, int | None],
    candles: Mapping[int, int | None],
    facts: Leaving,
) -> Finding:
    missing = closed_without_candles(raw, candles, facts.now_us, facts.close_after_seconds)
    late = sorted(
        hour_us
        for hour_us, landed_us in raw.items()
        if landed_us is not None and landed_us > (candles.get(hour_us) or landed_us)
    )
    evidence: dict[str, Figure] = {"hours with candles": len(candles)}
    if candles:
        evidence["newest hour with candles"] = format_short(max(candles))
    if not missing and not late:
        return Finding("candles", Verdict.OK, _current(mode, candles), evidence=evidence)
    touched = sorted({*missing, *late})
    evidence |= _touched(raw, candles, touched[-1])
    start, end = format_short(touched[0]), format_short(touched[-1] + US_PER_HOUR)
    next_step = f"tick-pipeline ohlc --start {start} --end {end} --storage-mode {mode}"
    if not late:
        # An hour that landed long ago was not waited for: its run failed, or there is none.
        landed = [raw[hour_us] or 0 for hour_us in missing]
        old = facts.now_us - min(landed) > _MISSING_SECONDS * US_PER_SECOND
        told = f"{mode}: {many(len(missing), 'closed hour')} without candles, the first {start}"
        verdict = Verdict.FAIL if old else Verdict.WARN
        return Finding("candles", verdict, told, "missing-candles", evidence, next_step)
    told = f"{mode}: ticks of {many(len(late), 'hour')} landed after the candles were made"
    if missing:
        told += f", and {len(missing)} closed hours have none"
    return Finding("candles", Verdict.WARN, told, "late-hour", evidence, next_step)


def _current(mode: StorageMode, candles: Mapping[int, int | None]) -> str:
    return (
        f"{mode}: no closed hour waits for its candles"
        if candles
        else f"{mode}: no hour is closed yet"
    )


def _touched(
    raw: Mapping[int, int | None], candles: Mapping[int, int | None], hour_us: int
) -> dict[str, Figure]:
    landed_us, made_us = raw[hour_us], candles.get(hour_us)
    return {
        "such an hour": format_short(hour_us),
        "its newest ticks landed": "not known" if landed_us is None else format_short(landed_us),
        "its candles were made": "never" if made_us is None else format_short(made_us),
    }
