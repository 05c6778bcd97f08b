"""`ui`: Dagster's web interface and daemon over the state of HOME; and what has to hold before Dagster starts."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from tick_pipeline.cli.options import deployment_of
from tick_pipeline.errors import BusyError, RuntimeMissingError
from tick_pipeline.settings import PREFIX, load_settings, process_environment

if TYPE_CHECKING:
    from collections.abc import Generator

    from tick_pipeline.resources.deployments import Deployment
    from tick_pipeline.settings import Settings

#: One that just ended may take as long.
_WAIT_SECONDS = 1.0


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="On 127.0.0.1.")] = 3000,
) -> None:
    """Serve Dagster's web interface over the state of HOME, and run its daemon, until Ctrl-C."""
    from tick_pipeline.live.plan import Plan
    from tick_pipeline.orchestration.instance import prepare_instance

    settings = load_settings()
    check_dagster(settings)
    deployment = deployment_of(settings)
    home = deployment.home
    with only_dagster(deployment) as lease:
        require_port(port)
        plan = Plan({"HOME": str(home.path)}, prepare_instance(home, settings))
        spec = plan.dagster(port, automated=False)
        given = {f"{PREFIX}DAGSTER_URL": settings.dagster_url} if settings.dagster_url else {}
        # Dagster ends its processes by it, and a shell has what it starts in the background ignore it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # It holds the lock as long as it runs.
        os.set_inheritable(lease, True)
        os.execve(  # noqa: S606  (a command of ours)
            spec.command[0], spec.command, process_environment({**spec.environment, **given})
        )


def check_dagster(settings: Settings, *, web: bool = True) -> None:
    """Refuse what would only fail in Dagster's log.

    Raises:
        RuntimeMissingError: the web interface is not installed.
        SettingsError: CALENDAR names none, so Dagster could not load the definitions.
    """
    from tick_pipeline.sessions.calendar import check_calendar

    if web and importlib.util.find_spec("dagster_webserver") is None:
        raise RuntimeMissingError(
            "Dagster's web interface is not installed: install tick-pipeline[ui]; `live` needs none with --no-ui"
        )
    check_calendar(settings.calendar)


@contextmanager
def only_dagster(deployment: Deployment) -> Generator[int]:
    """Be the one who runs Dagster's daemon over a HOME; yields what a child inherits to be it, too.

    Raises:
        BusyError: another one runs.
    """
    from tick_pipeline.spark.locks import exclusive

    home = deployment.home
    what = f"Dagster of {home.path}, by `ui` or `live`"
    with exclusive(home.locks / "dagster.lock", what=what, wait_seconds=_WAIT_SECONDS) as lease:
        yield lease


def require_port(port: int) -> None:
    """Refuse a port that somebody listens on.

    Raises:
        BusyError: with what to do.
    """
    from tick_pipeline.live.plan import HOST

    with socket.socket() as probe:
        # As servers do: an address that somebody left a moment ago is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise BusyError(
                f"port {port} of {HOST} cannot be had ({error.strerror}), another Dagster perhaps; "
                "end that, or name another by --port (make: PORT=); `live` needs none with --no-ui"
            ) from error
