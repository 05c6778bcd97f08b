"""`live`: producer, delivery, the stream of anomalies and Dagster as one command."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tick_pipeline.cli.dashboard.look import LiveState
from tick_pipeline.cli.dashboard.looker import Looker
from tick_pipeline.cli.dashboard.screen import Screen, can_draw
from tick_pipeline.cli.live_output import Told, WebInterface
from tick_pipeline.cli.options import AsJson, deployment_of
from tick_pipeline.cli.output import say, show_json, show_table
from tick_pipeline.cli.signals import stop_on_signals
from tick_pipeline.cli.ui import check_dagster, only_dagster, require_port
from tick_pipeline.errors import WorkError
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from threading import Event

    from tick_pipeline.live.child import ChildSpec
    from tick_pipeline.live.plan import Plan
    from tick_pipeline.live.supervisor import ChildState, Supervisor
    from tick_pipeline.producer.request import SimulationRequest
    from tick_pipeline.resources.deployments import Deployment
    from tick_pipeline.settings import Settings

_LOOK_SECONDS = 0.2
_WHAT = "the live mode of this HOME"
#: What a live mode that was killed has left behind ends in seconds.
_WAIT = 10.0


@dataclass(frozen=True)
class LiveResult:
    """What a live pipeline did.

    Attributes:
        seconds: how long it ran, with its end.
        url: of the web interface; None without one.
        ui_seconds: until that answered; None where it never did.
        processes: how each ended.
    """

    seconds: float
    url: str | None
    ui_seconds: float | None
    processes: tuple[ChildState, ...]


def live(
    scenario: Annotated[str, typer.Option(help="What happens; a wrong name lists them.")] = "mixed",
    rate: Annotated[float, typer.Option(help="Ticks per second over all symbols.")] = 60.0,
    symbols: Annotated[int, typer.Option(help="How many symbols trade.")] = 10,
    seed: Annotated[int, typer.Option(help="Names the price paths.")] = 1,
    duration: Annotated[
        float | None, typer.Option(help="Seconds of trading; until Ctrl-C if not given.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Of Dagster's web interface, on 127.0.0.1.")
    ] = 3000,
    no_ui: Annotated[
        bool, typer.Option("--no-ui", help="Dagster's sensors and schedules alone.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the whole pipeline until Ctrl-C: ticks, delivery, the stream of anomalies, and Dagster.

    On AWS two Firehoses deliver, now as before. The stream of anomalies, and the candles that Dagster's
    sensors ask for, are runs of Glue, which cost money while they run: Ctrl-C stops them, which may take
    minutes.
    """
    from tick_pipeline.producer.request import SimulationRequest
    from tick_pipeline.spark.locks import exclusive

    settings = load_settings()
    request = SimulationRequest(
        scenario=scenario,
        duration_seconds=3600.0 if duration is None else duration,
        rate=rate,
        symbols=symbols,
        seed=seed,
        lateness_seconds=settings.lateness_seconds,
    )
    request.check()
    check_dagster(settings, web=not no_ui)
    deployment = deployment_of(settings)
    lock = deployment.home.locks / "live.lock"
    with exclusive(lock, what=_WHAT, wait_seconds=_WAIT) as lease, only_dagster(deployment):
        if not no_ui:
            # After the locks: who runs already has the port, too, and is what must be told.
            require_port(port)
        specs = what_to_run(deployment, settings, request, duration, None if no_ui else port)
        result = _run(deployment, settings, specs, lease, None if no_ui else port, as_json=as_json)
    if as_json:
        show_json(result)
    else:
        _show(deployment, result)
    _require_good_ends(specs, result.processes)


def _show(deployment: Deployment, result: LiveResult) -> None:
    rows = [(child.name, child.starts, child.code, child.last_line) for child in result.processes]
    show_table(("process", "starts", "ended with code", "said last"), rows, title="live")
    if not deployment.follow_command:
        say("what was sent last is still to land, by itself: within minutes")
    say(f"the logs: {deployment.home.logs}; next: tick-pipeline status")


def _require_good_ends(specs: list[ChildSpec], processes: tuple[ChildState, ...]) -> None:
    """Fail where one that had to finish something, its last command, could not.

    Raises:
        WorkError: with what it said, and the command that finishes it.
    """
    from tick_pipeline.live.plan import COMMAND

    ended = {child.name: child for child in processes}
    left = [
        f"{spec.name} ended with code {child.code}: {child.last_line}; what is left to do: "
        f"tick-pipeline {' '.join(spec.last[len(COMMAND) :])}"
        for spec in specs
        if spec.last and (child := ended[spec.name]).code
    ]
    if left:
        raise WorkError("; ".join(left))


def what_to_run(
    deployment: Deployment,
    settings: Settings,
    request: SimulationRequest,
    duration: float | None,
    port: int | None,
) -> list[ChildSpec]:
    """What is to run; what runs already is told, and left alone."""
    from tick_pipeline.landing.delivery import delivery_lock
    from tick_pipeline.spark.locks import is_held

    plan = _plan(deployment, settings, request)
    specs: list[ChildSpec] = []
    if deployment.follow_command:
        locks = (delivery_lock(deployment.home, mode) for mode in settings.storage_modes)
        if any(map(is_held, locks)):
            say("a delivery is running already: it is left alone, and goes on when this ends")
        else:
            specs.append(plan.delivery(deployment.follow_command))
    stream = deployment.anomaly_stream().status()
    # One that is not wanted any more is about to end.
    if stream.runner is not None and stream.wanted:
        runner = stream.runner
        say(f"the stream of anomalies runs already, as {runner}: it is left alone, and goes on")
    else:
        specs.append(plan.anomalies())
    return [*specs, plan.dagster(port), plan.producer(request, duration)]


def _plan(deployment: Deployment, settings: Settings, request: SimulationRequest) -> Plan:
    from tick_pipeline.live.plan import Plan
    from tick_pipeline.orchestration.instance import prepare_instance
    from tick_pipeline.producer.instruments import tick_sizes

    home = deployment.home
    # What moves by its price increment has not moved far; the user's own sizes win.
    sizes = {**tick_sizes(request.symbols), **settings.anomaly_tick_sizes}
    texts = ",".join(f"{symbol}={size!r}" for symbol, size in sizes.items())
    return Plan(
        {"HOME": str(home.path), "ANOMALY_TICK_SIZES": texts}, prepare_instance(home, settings)
    )


def _run(
    deployment: Deployment,
    settings: Settings,
    specs: list[ChildSpec],
    lease: int,
    port: int | None,
    *,
    as_json: bool,
) -> LiveResult:
    """Start them all, and look after them until Ctrl-C, the producer's end, or a failure; then end them all."""
    from tick_pipeline.live.plan import STOP_ORDER
    from tick_pipeline.live.supervisor import Supervisor

    console = Console(highlight=False)
    on_screen = can_draw(console) and not as_json
    told, interface = Told(as_lines=not on_screen), WebInterface(port)
    supervisor = Supervisor(specs, deployment.home.logs, told.tell, lease)
    began = time.monotonic()
    with stop_on_signals() as stop:
        try:
            try:
                supervisor.start()
                with ExitStack() as stack:
                    screen = None
                    if on_screen:
                        looker = Looker(deployment, settings)
                        screen = stack.enter_context(
                            Screen(looker, console, deployment.look_seconds)
                        )
                    _look_after(supervisor, told, interface, screen, stop)
            finally:
                told.end_dashboard()
                supervisor.stop(STOP_ORDER)
        except KeyboardInterrupt:
            supervisor.kill()
            raise
    return LiveResult(
        seconds=round(time.monotonic() - began, 1),
        url=interface.url,
        ui_seconds=interface.up_seconds,
        processes=supervisor.states(),
    )


def _look_after(
    supervisor: Supervisor,
    told: Told,
    interface: WebInterface,
    screen: Screen | None,
    stop: Event,
) -> None:
    while not supervisor.finished and not stop.wait(_LOOK_SECONDS):
        supervisor.look()
        if interface.has_come_up():
            told.tell("", f"Dagster answers at {interface.url}")
        if screen is not None:
            screen.refresh(LiveState(supervisor.states(), str(interface), told.newest))
