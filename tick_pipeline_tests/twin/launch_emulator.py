"""Becomes the emulator, in the emulator's own environment, and ends when its parent does.

Usage: python -I launch_emulator.py PARENT
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.2


def end_with(parent: int) -> None:
    """Have this process killed once its parent has ended, in whatever way.

    A parent that is killed by SIGKILL stops nothing itself, so the child must see to it. Linux does
    it at once (man 2 prctl, PR_SET_PDEATHSIG), for the parent's thread that started us: that is to be
    one that lasts. Other systems have no such call; there a thread looks who our parent is. SIGKILL,
    not SIGTERM: the emulator would wait for its open connections, and keeps nothing worth saving.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    # The parent may have ended before the call.
    if os.getppid() != parent:
        sys.exit(f"the process {parent} that wanted an emulator is gone")


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    end_with(int(sys.argv.pop()))
    runpy.run_module("ministack", run_name="__main__")
