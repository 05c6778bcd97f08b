"""A process that redrives one HOME's error records, and is killed at one of its steps.

python redriver.py HOME STEP before|after

The steps: 1 writes down what it is about to put, 2 puts it, 3 writes down that it did.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tick_pipeline.landing.redrive_groups import RedriveRequest
from tick_pipeline.landing.redrive_memory import LocalMemoryFolder
from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.settings import load_settings
from tick_pipeline.stream.segments import LocalStream

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Redrive until killed."""
    home, step, moment = sys.argv[1:]
    left = int(step)

    def mortal(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0 and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*arguments, **options)
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    for owner, name in ((LocalStream, "put"), (LocalMemoryFolder, "write")):
        setattr(owner, name, mortal(getattr(owner, name)))
    settings = load_settings(home=Path(home), _env_file=None)
    request = RedriveRequest(settings.storage_modes, since_us=0)
    open_deployment(settings).redrive().put(request)


if __name__ == "__main__":
    main()
