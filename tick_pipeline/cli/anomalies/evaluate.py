"""`anomalies evaluate`: precision, recall, alert rate and delay on simulated markets, in memory."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tick_pipeline.cli.options import AsJson
from tick_pipeline.cli.output import progress_bar, say, show, show_json, show_table
from tick_pipeline.errors import InputError, WorkError
from tick_pipeline.evaluation.defaults import (
    EVALUATION_RATE,
    EVALUATION_SECONDS,
    EVALUATION_SEEDS,
    EVALUATION_SYMBOLS,
    EVALUATION_THRESHOLDS,
    seed_starts_us,
)
from tick_pipeline.settings import load_settings, scoring_rules
from tick_pipeline.spark.scoring_rules import METRICS, ScoringRules

if TYPE_CHECKING:
    from tick_pipeline.evaluation.quality import Quality, Target

_SEEDS = ",".join(map(str, EVALUATION_SEEDS))
_THRESHOLDS = ",".join(f"{level:g}" for level in EVALUATION_THRESHOLDS)


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation found.

    Attributes:
        rules: as they were applied, but for the tick sizes, which are the simulator's.
        seeds: of every market.
        duration_seconds: event time of each market and seed.
        rate: ticks per second over all symbols.
        symbols: of each market.
        qualities: market x metric x threshold.
        targets: what the default rules promise on these markets.
        judged: whether everything stood at its default, so that the targets count.
        seconds: wall time.
    """

    rules: dict[str, Any]
    seeds: list[int]
    duration_seconds: float
    rate: float
    symbols: int
    qualities: list[Quality]
    targets: list[Target]
    judged: bool
    seconds: float


def evaluate(
    scenarios: Annotated[
        str | None, typer.Option(help="Comma-separated; all if not given, a wrong name lists them.")
    ] = None,
    seeds: Annotated[
        str, typer.Option(help="Comma-separated; their windows are spread evenly over a day.")
    ] = _SEEDS,
    duration: Annotated[
        float, typer.Option(help="Seconds of trading for each scenario and seed.")
    ] = EVALUATION_SECONDS,
    rate: Annotated[
        float, typer.Option(help="Ticks per second over all symbols.")
    ] = EVALUATION_RATE,
    symbols: Annotated[int, typer.Option(help="How many symbols trade.")] = EVALUATION_SYMBOLS,
    metrics: Annotated[
        str | None,
        typer.Option(help="Comma-separated, or all; those of the settings if not given."),
    ] = None,
    thresholds: Annotated[
        str, typer.Option(help="Comma-separated; that of the settings is always among them.")
    ] = _THRESHOLDS,
    as_json: AsJson = False,
) -> None:
    """Score simulated markets whose injected events are known; needs no HOME and no Spark.

    Exit code 1 where a target fails at the default settings.
    """
    from tick_pipeline.evaluation.cases import case_names
    from tick_pipeline.evaluation.quality import targets_of

    configured = scoring_rules(load_settings())
    levels = _levels(thresholds, configured.threshold)
    rules = _rules(configured, metrics, levels[0])
    numbers = _numbers(seeds, "--seeds", int)
    at_default = (
        configured == ScoringRules()
        and tuple(numbers) == EVALUATION_SEEDS
        and (duration, rate) == (EVALUATION_SECONDS, EVALUATION_RATE)
        and symbols == EVALUATION_SYMBOLS
    )
    began = time.monotonic()
    found = _qualities(
        scenarios.split(",") if scenarios is not None else list(case_names()),
        rules,
        levels,
        seeds=numbers,
        duration=duration,
        rate=rate,
        symbols=symbols,
    )
    evaluation = Evaluation(
        rules={**asdict(rules), "threshold": configured.threshold},
        seeds=numbers,
        duration_seconds=duration,
        rate=rate,
        symbols=symbols,
        qualities=found,
        targets=targets_of(found),
        judged=at_default,
        seconds=round(time.monotonic() - began, 2),
    )
    show_json(evaluation) if as_json else _show(evaluation)
    failed = [target for target in evaluation.targets if not target.holds]
    if evaluation.judged and failed:
        raise WorkError(f"{len(failed)} of {len(evaluation.targets)} targets fail: {_told(failed)}")


def _qualities(
    names: list[str],
    rules: ScoringRules,
    thresholds: list[float],
    *,
    seeds: list[int],
    duration: float,
    rate: float,
    symbols: int,
) -> list[Quality]:
    from tick_pipeline.evaluation.cases import find_case
    from tick_pipeline.evaluation.quality import qualities
    from tick_pipeline.evaluation.run import RunSize, run_market

    sizes = [RunSize(start_us, duration, rate) for start_us in seed_starts_us(len(seeds))]
    cases = [find_case(name.strip(), symbols) for name in names]
    found: list[Quality] = []
    with progress_bar("evaluate") as bar:
        for place, case in enumerate(cases):
            runs = [
                run_market(case, seed, size, rules) for seed, size in zip(seeds, sizes, strict=True)
            ]
            found += qualities(case.name, runs, rules.metrics, thresholds)
            bar.update(place + 1, len(cases))
    return found


def _rules(configured: ScoringRules, metrics: str | None, threshold: float) -> ScoringRules:
    """The configured rules at the lowest threshold: what is above it is a filter."""
    names = configured.metrics
    if metrics is not None:
        wanted = METRICS if metrics == "all" else [name.strip() for name in metrics.split(",")]
        unknown = [name for name in wanted if name not in METRICS]
        if unknown:
            raise InputError(f"--metrics {metrics!r}: name all, or some of {', '.join(METRICS)}")
        names = tuple(name for name in METRICS if name in wanted)
    return replace(configured, metrics=names, threshold=threshold)


def _levels(text: str, configured: float) -> list[float]:
    """Thresholds, ascending."""
    levels = {*_numbers(text, "--thresholds", float), configured}
    if not all(math.isfinite(level) and level > 0 for level in levels):
        raise InputError(f"--thresholds {text!r}: each must be a number above 0")
    return sorted(levels)


def _numbers(text: str, option: str, kind: type[Any]) -> list[Any]:
    try:
        found = [kind(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"{option} {text!r}: give numbers with commas between") from error
    return list(dict.fromkeys(found))


def _show(evaluation: Evaluation) -> None:
    targets: dict[str, list[Target]] = {}
    for target in evaluation.targets:
        targets.setdefault(target.case, []).append(target)
    show_table(
        (
            *("scenario", "metric", "threshold", "ticks", "alerts", "alerts/1M", "precision"),
            *("events", "sized", "recall", "delay median s", "delay max s", "target"),
        ),
        [_row(quality, targets.get(quality.case, [])) for quality in evaluation.qualities],
        title=f"seeds {', '.join(map(str, evaluation.seeds))}; {evaluation.seconds:.1f} s",
    )
    show("sized: injected events of at least 8 sigmas, which recall and delay are about")
    held = sum(target.holds for target in evaluation.targets)
    show(f"targets: {held} of {len(evaluation.targets)} hold")
    if not evaluation.judged:
        say("the targets are promised at the default settings and options, which these are not")


def _row(quality: Quality, targets: list[Target]) -> tuple[Any, ...]:
    from tick_pipeline.evaluation.quality import TARGET_METRIC, TARGET_THRESHOLD

    aimed = (quality.metric, quality.threshold) == (TARGET_METRIC, TARGET_THRESHOLD)
    return (
        *(quality.case, quality.metric, quality.threshold, quality.ticks, quality.alerts),
        round(quality.alerts_per_million, 1),
        _rounded(quality.precision),
        *(quality.events, quality.sized_events),
        *map(_rounded, (quality.recall, quality.delay_median_seconds, quality.delay_max_seconds)),
        "; ".join(
            f"{target.measure} {target.wanted}: {'holds' if target.holds else 'FAILS'}"
            for target in targets
            if aimed
        ),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _told(targets: list[Target]) -> str:
    return "; ".join(
        f"{target.case} {target.measure} "
        f"{'not measured' if target.value is None else f'{target.value:.3g}'}, not {target.wanted}"
        for target in targets
    )
