"""A process that delivers one HOME's stream and may be killed at any moment.

python deliverer.py HOME BUFFER_RECORDS
"""

from __future__ import annotations

import sys
from pathlib import Path

from tick_pipeline.landing.delivery import deliver
from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import load_settings
from tick_pipeline.stream.segments import LocalStream


def say(what: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def main() -> None:
    """Say so when everything is imported, then deliver until nothing is left, and tell of each flush."""
    settings = load_settings(
        home=Path(sys.argv[1]), buffer_records=int(sys.argv[2]), _env_file=None
    )
    home = open_home(settings)
    say("ready")
    deliver(
        home,
        settings,
        LocalStream(home.stream),
        modes=settings.storage_modes,
        on_progress=lambda _: say("flushed"),
    )


if __name__ == "__main__":
    main()
