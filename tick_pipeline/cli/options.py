"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tick_pipeline.errors import InputError, SettingsError
from tick_pipeline.event_time import parse_instant
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.resources.deployments import Deployment
    from tick_pipeline.stream.segments import LocalStream

AsJson = Annotated[bool, typer.Option("--json", help="The result as one JSON document.")]
StorageModeOption = Annotated[
    StorageMode | None, typer.Option("--storage-mode", help="One mode; both if not given.")
]


def local_settings(command: str, *, instead: str) -> Settings:
    """The settings, for a command that only the local deployment has.

    Args:
        command: its name.
        instead: what does that on another deployment, or why nothing has to.

    Raises:
        SettingsError: a setting is not legal, or names another deployment.
    """
    settings = load_settings()
    if settings.deployment != "local":
        raise SettingsError(
            f"{command} belongs to the local deployment, and TICK_PIPELINE_DEPLOYMENT="
            f"{settings.deployment}: {instead}"
        )
    return settings


def deployment_of(settings: Settings) -> Deployment:
    """The deployment that the settings name, with an adapter for each port."""
    from tick_pipeline.resources.deployments import open_deployment

    return open_deployment(settings)


def local_home(settings: Settings) -> Home:
    """The HOME that the settings name, initialised if need be."""
    from tick_pipeline.resources.local import open_home

    return open_home(settings)


def chosen_modes(settings: Settings, mode: StorageMode | None) -> tuple[StorageMode, ...]:
    """The one mode that was asked for, or every enabled one.

    Raises:
        InputError: the mode is switched off by TICK_PIPELINE_STORAGE_MODES.
    """
    if mode is None:
        return settings.storage_modes
    if mode not in settings.storage_modes:
        enabled = ", ".join(settings.storage_modes)
        raise InputError(
            f"--storage-mode {mode} is switched off: TICK_PIPELINE_STORAGE_MODES={enabled}"
        )
    return (mode,)


def instant(text: str, option: str) -> int:
    """An ISO 8601 text of an option, as microseconds since the epoch.

    Raises:
        InputError: it is none.
    """
    try:
        return parse_instant(text)
    except ValueError as error:
        raise InputError(f"{option}: {error}") from error


def local_stream(home: Home, settings: Settings) -> LocalStream:
    """The stream of a HOME, with every enabled mode's delivery registered as its consumer."""
    from tick_pipeline.resources.landing import open_stream

    return open_stream(home, settings)
