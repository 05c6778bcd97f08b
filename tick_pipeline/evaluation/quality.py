"""Precision, recall, alert rate and delay of each market, metric and threshold, and the targets."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from tick_pipeline.evaluation.matching import match

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tick_pipeline.evaluation.matching import EventOutcome, Matching
    from tick_pipeline.evaluation.run import MarketRun

#: Recall is measured on events of at least this size; smaller ones may well be missed.
LEAST_SIGMAS = 8.0
#: What the targets are promised for.
TARGET_METRIC, TARGET_THRESHOLD = "return", 5.0
_MILLION = 1_000_000
_RECALL_AT_LEAST, _PRECISION_AT_LEAST, _RATE_AT_MOST = 0.95, 0.9, 20.0
_PRECISE = ("spikes", "mixed")
_QUIET = ("steady", "trend", "low_volatility")


@dataclass(frozen=True)
class Quality:
    """One market under one metric and one threshold, all seeds together.

    Attributes:
        case: the market.
        metric: return, price or volume.
        threshold: |zscore| from which on a tick is an alert.
        ticks: that were scored.
        alerts: ticks that are alerts.
        true_alerts: of them, inside an event.
        events: that were injected, of whatever kind.
        sized_events: of them, of at least LEAST_SIGMAS: those that recall and delay are about.
        found_events: of the sized ones, with an alert.
        precision: true alerts / alerts; None without alerts, and where nothing was injected.
        recall: found / sized events; None where there is none.
        alerts_per_million: ticks.
        delay_median_seconds: event time from an event's start to its first alert; None without any.
        delay_max_seconds: the same, the longest.
    """

    case: str
    metric: str
    threshold: float
    ticks: int
    alerts: int
    true_alerts: int
    events: int
    sized_events: int
    found_events: int
    precision: float | None
    recall: float | None
    alerts_per_million: float
    delay_median_seconds: float | None
    delay_max_seconds: float | None


@dataclass(frozen=True)
class Target:
    """One promise of the default rules.

    Attributes:
        case: the market.
        measure: recall, precision or alerts_per_million.
        wanted: `>= 0.95`, for people.
        value: what was measured; None where the run was too short to tell.
        holds: whether it is met; False where nothing could be measured.
    """

    case: str
    measure: str
    wanted: str
    value: float | None
    holds: bool


def qualities(
    case: str, runs: Sequence[MarketRun], metrics: Sequence[str], thresholds: Sequence[float]
) -> list[Quality]:
    """Each metric and threshold of one market.

    Args:
        case: the market's name.
        runs: one for each seed, scored at the lowest threshold or below.
        metrics: the rows, in this order.
        thresholds: the same; the alerts of one are those of the lowest with a larger |zscore|.
    """
    return [
        _quality(case, runs, metric, threshold) for metric in metrics for threshold in thresholds
    ]


def targets_of(found: Iterable[Quality]) -> list[Target]:
    """What the default rules must reach on the markets that were run, and whether they do."""
    targets: list[Target] = []
    for quality in found:
        if (quality.metric, quality.threshold) != (TARGET_METRIC, TARGET_THRESHOLD):
            continue
        if quality.sized_events:
            targets.append(_at_least(quality, "recall", quality.recall, _RECALL_AT_LEAST))
        if quality.case in _PRECISE:
            targets.append(_at_least(quality, "precision", quality.precision, _PRECISION_AT_LEAST))
        if quality.case in _QUIET:
            rate = quality.alerts_per_million
            targets.append(
                Target(
                    case=quality.case,
                    measure="alerts_per_million",
                    wanted=f"<= {_RATE_AT_MOST:g}",
                    value=rate,
                    holds=quality.ticks > 0 and rate <= _RATE_AT_MOST,
                )
            )
    return targets


def _at_least(quality: Quality, measure: str, value: float | None, least: float) -> Target:
    holds = value is not None and value >= least
    return Target(quality.case, measure, f">= {least:g}", value, holds)


def _quality(case: str, runs: Sequence[MarketRun], metric: str, threshold: float) -> Quality:
    matched = [_matched(run, metric, threshold) for run in runs]
    outcomes = [outcome for matching in matched for outcome in matching.outcomes]
    sized = [outcome for outcome in outcomes if outcome.event.is_at_least(LEAST_SIGMAS)]
    true_alerts = sum(matching.true_alerts for matching in matched)
    alerts = true_alerts + sum(matching.false_alerts for matching in matched)
    ticks = sum(run.ticks for run in runs)
    found = sum(outcome.found for outcome in sized)
    delays = _delays(sized)
    return Quality(
        case=case,
        metric=metric,
        threshold=threshold,
        ticks=ticks,
        alerts=alerts,
        true_alerts=true_alerts,
        events=len(outcomes),
        sized_events=len(sized),
        found_events=found,
        precision=true_alerts / alerts if alerts and outcomes else None,
        recall=found / len(sized) if sized else None,
        alerts_per_million=alerts / ticks * _MILLION if ticks else 0.0,
        delay_median_seconds=median(delays) if delays else None,
        delay_max_seconds=max(delays, default=None),
    )


def _matched(run: MarketRun, metric: str, threshold: float) -> Matching:
    return match(
        run.events,
        (
            alert
            for alert in run.alerts
            if alert["metric"] == metric and abs(alert["zscore"]) >= threshold
        ),
    )


def _delays(outcomes: Sequence[EventOutcome]) -> list[float]:
    return [outcome.delay_seconds for outcome in outcomes if outcome.delay_seconds is not None]
