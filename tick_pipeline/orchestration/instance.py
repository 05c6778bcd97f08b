"""Dagster's state, in HOME if DAGSTER_HOME says nothing else, which the web interface and the command line share."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from tick_pipeline.home import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    import dagster as dg

    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings


def prepare_instance(home: Home, settings: Settings) -> Path:
    """The folder of Dagster's state, with its configuration; an existing one is kept."""
    folder = (settings.dagster_home or home.path / "dagster").expanduser().absolute()
    folder.mkdir(exist_ok=True)
    config = folder / "dagster.yaml"
    if not config.exists():
        template = files("tick_pipeline.orchestration") / "dagster.yaml"
        write_atomically(config, template.read_text(encoding="utf-8"))
    return folder


def open_instance(home: Home, settings: Settings) -> dg.DagsterInstance:
    """The instance of a HOME; a context manager."""
    import dagster as dg  # noqa: PLC0415  (takes two seconds, which printing a folder need not)

    return dg.DagsterInstance.from_config(str(prepare_instance(home, settings)))
