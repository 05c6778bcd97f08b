"""A process that looks after one HOME and is killed at a named moment.

python maintainer.py HOME MOMENT; without the moment's coming it ends well.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tick_pipeline.resources import iceberg_rewrite, object_store
from tick_pipeline.resources.local import open_home
from tick_pipeline.resources.local_lake import LocalLake
from tick_pipeline.resources.maintenance import LakeMaintenance
from tick_pipeline.resources.maintenance_port import UpkeepRequest
from tick_pipeline.resources.query_engine import LocalQueryEngine
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

#: Moment -> where a function is, and whether it ends first.
_MOMENTS: dict[str, tuple[Any, str, bool]] = {
    "written, not committed": (iceberg_rewrite, "replace_files", False),
    "committed": (iceberg_rewrite, "replace_files", True),
    "named, nothing removed": (object_store.LocalStore, "put", True),
    "one removed": (Path, "unlink", True),
}


def main() -> None:
    """Look after raw."""
    settings = load_settings(home=Path(sys.argv[1]), _env_file=None)
    owner, name, ends = _MOMENTS[sys.argv[2]]
    setattr(owner, name, _dying(getattr(owner, name), ends=ends))
    home = open_home(settings)
    lake = LakeMaintenance(LocalLake(home), LocalQueryEngine(home, settings), settings)
    lake.run(UpkeepRequest(settings.storage_modes, ("raw",)))


def _dying(work: Callable[..., Any], *, ends: bool) -> Callable[..., Any]:
    def called(*given: Any, **named: Any) -> None:
        if ends:
            work(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    return called


if __name__ == "__main__":
    main()
