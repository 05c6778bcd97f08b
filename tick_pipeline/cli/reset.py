"""`reset`: delete the local state."""

from __future__ import annotations

from typing import Annotated

import typer

from tick_pipeline.cli.options import AsJson, local_settings
from tick_pipeline.cli.output import show, show_json
from tick_pipeline.errors import InputError


def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete HOME: stream, tables, catalog, checkpoints. The next command begins anew."""
    import sys

    from tick_pipeline.home import remove_home

    settings = local_settings("reset", instead="`make tf-destroy` takes away what AWS holds")
    path = settings.home.expanduser().absolute()
    existed = path.exists()
    if existed and not yes:
        if not sys.stdin.isatty():
            raise InputError(f"reset deletes {path}; say so with --yes")
        typer.confirm(f"Delete {path} with every tick and table in it?", abort=True, err=True)
    remove_home(path)
    if as_json:
        show_json({"home": path, "deleted": existed})
    else:
        show(f"{path} {'deleted' if existed else 'was not there'}")
