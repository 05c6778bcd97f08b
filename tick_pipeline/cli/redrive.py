"""`redrive`: what could not be stored, why, and back on the stream with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tick_pipeline.cli.options import (
    AsJson,
    StorageModeOption,
    chosen_modes,
    deployment_of,
    instant,
)
from tick_pipeline.cli.output import progress_bar, say, show, show_json, show_table
from tick_pipeline.errors import InputError
from tick_pipeline.event_time import US_PER_DAY, format_instant, format_short, now_us
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from tick_pipeline.landing.gaps import GapReport
    from tick_pipeline.landing.redrive import RedriveSummary
    from tick_pipeline.landing.redrive_groups import Group, RedriveRequest, Sample
    from tick_pipeline.resources.deployments import Deployment
    from tick_pipeline.settings import Settings
    from tick_pipeline.storage import StorageMode

_Texts = list[str] | None


def redrive(
    *,
    put: Annotated[
        bool, typer.Option("--put", help="Put what can be stored; without it, only show.")
    ] = False,
    gaps: Annotated[
        bool, typer.Option("--gaps", help="Show the missing sequence numbers instead.")
    ] = False,
    only: Annotated[
        _Texts, typer.Option(help="Only records of this reason; may be repeated.")
    ] = None,
    symbol: Annotated[
        _Texts, typer.Option(help="Only records of this symbol; may be repeated.")
    ] = None,
    set_: Annotated[
        _Texts,
        typer.Option(
            "--set",
            help="field=value, used where the record's own value is null or wrong; {other} in it is the "
            "record's other field, as event_time={event_ts}. May be repeated.",
        ),
    ] = None,
    drop: Annotated[
        _Texts, typer.Option(help="Leave out a field that a tick does not have; may be repeated.")
    ] = None,
    coerce: Annotated[
        bool,
        typer.Option(
            "--coerce",
            help="Give values their field's type where nothing is lost, as 1.5 for '1.5'.",
        ),
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            help="ISO 8601, UTC: first arrival, of invalid rows event time; a day ago if not given."
        ),
    ] = None,
    until: Annotated[str | None, typer.Option(help="ISO 8601, UTC, exclusive.")] = None,
    storage_mode: StorageModeOption = None,
    as_json: AsJson = False,
) -> None:
    """Show what could not be stored and why; with --put, put it on the stream again, each record once."""
    settings = load_settings()
    modes = chosen_modes(settings, storage_mode)
    since_us = instant(since, "--since") if since else now_us() - US_PER_DAY
    until_us = instant(until, "--until") if until else None
    if until_us is not None and until_us <= since_us:
        raise InputError(f"--until {until} is not after {format_short(since_us)}, where --since is")
    if gaps:
        if put or only or symbol or set_ or drop or coerce:
            raise InputError(
                "--gaps only shows: of the other options it takes --since, --until and --storage-mode"
            )
        _show_gaps(deployment_of(settings), settings, modes, since_us, until_us, as_json=as_json)
        return
    from tick_pipeline.landing.redrive_groups import RedriveRequest
    from tick_pipeline.landing.redrive_mending import parse_mending

    request = RedriveRequest(
        modes=modes,
        since_us=since_us,
        until_us=until_us,
        mending=parse_mending(set_ or (), drop or (), coerces=coerce),
        only=frozenset(only or ()),
        symbols=frozenset(symbol or ()),
    )
    deployment = deployment_of(settings)
    summary = _run(deployment, request, put=put)
    if as_json:
        show_json(summary)
        return
    _show(summary, put=put, samples=None if only else 1)
    _say_next(summary, deployment, put=put)


def _run(deployment: Deployment, request: RedriveRequest, *, put: bool) -> RedriveSummary:
    redriving = deployment.redrive()
    if not put:
        return redriving.survey(request)
    with progress_bar("redrive") as bar:
        return redriving.put(request, bar.update)


def _show(summary: RedriveSummary, *, put: bool, samples: int | None) -> None:
    """So many samples of each reason, all that there are if None."""
    from tick_pipeline.landing.redrive_groups import State

    window = f"since {format_short(summary.since_us)}"
    if summary.until_us is not None:
        window += f", before {format_short(summary.until_us)}"
    if not summary.groups:
        show(f"nothing failed {window}; --since looks further back")
        return
    show_table(
        (
            "reason",
            "kind",
            "records",
            "put now" if put else "can be put",
            "would fail again",
            "not asked for",
            "redriven before",
            "under way",
            "oldest",
            "newest",
        ),
        [
            (
                group.reason,
                group.kind.value,
                group.records,
                *(group.state(state) for state in State),
                _instant(group.oldest_us),
                _instant(group.newest_us),
            )
            for group in summary.groups
        ],
        title=f"failed {window}",
    )
    for group in summary.groups:
        if group.samples:
            _show_samples(group, group.samples[:samples])
    if samples is not None and any(len(group.samples) > samples for group in summary.groups):
        say("more samples of a reason: --only REASON")


def _show_samples(group: Group, samples: list[Sample]) -> None:
    again = f"; {group.again} were redriven before and failed again" if group.again else ""
    kept = ", ".join(f"{mode} {count}" for mode, count in group.by_mode.items())
    show(f"\n{group.reason} (kept: {kept}{again})")
    for why, count in group.left.items():
        if why != group.reason:
            show(f"  {count} would still fail: {why}")
    for sample in samples:
        why = sample.told if sample.message in sample.told else f"{sample.message}; {sample.told}"
        show(f"  {_instant(sample.at_us)}  {sample.place}  {why}")
        show(f"    {sample.data}")


def _say_next(summary: RedriveSummary, deployment: Deployment, *, put: bool) -> None:
    from tick_pipeline.landing.redrive_groups import State

    ready, left = summary.count(State.READY), summary.count(State.LEFT)
    if put:
        if summary.recovered:
            say(
                f"{summary.recovered} were put by an earlier redrive that was killed: not put again"
            )
        say(f"put: {summary.put}; the error objects and invalid rows stay where they are")
        if summary.put:
            say(f"next: {deployment.after_put}")
    elif ready:
        say(f"next: --put puts {ready} of them on the stream")
    if left:
        say(f"{left} would fail again: mend them with --set, --drop or --coerce (--help)")


def _show_gaps(
    deployment: Deployment,
    settings: Settings,
    modes: tuple[StorageMode, ...],
    since_us: int,
    until_us: int | None,
    *,
    as_json: bool,
) -> None:
    from tick_pipeline.landing.gaps import find_gaps

    engine, landing = deployment.query_engine(), deployment.landing()
    reports = {
        mode.value: find_gaps(
            engine,
            landing,
            mode,
            since_us,
            until_us if until_us is not None else now_us(),
            close_after_seconds=settings.close_after_seconds,
        )
        for mode in modes
    }
    if as_json:
        show_json({mode: report.gaps for mode, report in reports.items()})
        return
    for mode, report in reports.items():
        _show_gaps_of(mode, report)


def _show_gaps_of(mode: str, report: GapReport) -> None:
    if not report.gaps:
        show(f"{mode}: no number is missing")
        return
    show_table(
        (
            "source",
            "symbol",
            "missing",
            "numbers",
            "never arrived",
            "in errors",
            "invalid",
            "between",
            "may still come",
        ),
        [
            (
                gap.source,
                gap.symbol,
                f"{gap.first_missing}..{gap.last_missing}",
                gap.missing,
                gap.never_arrived,
                gap.in_errors,
                gap.invalid,
                f"{format_instant(gap.after_us)} .. {format_instant(gap.before_us)}",
                gap.may_still_come,
            )
            for gap in report.gaps
        ],
        title=f"missing in {mode}: {report.total('missing')} numbers",
    )


def _instant(us: int | None) -> str:
    return "at an unknown time" if us is None else format_short(us)
