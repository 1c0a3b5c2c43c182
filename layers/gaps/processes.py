"""Starts one of our own modules as a process of its own, with the same code, wherever that lies."""

import os
import subprocess
import sys
import threading
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
# -P leaves out the folder of the call, in which somebody's file could be named as one of ours.
_START = (
    "import runpy, sys; _, root, module, *rest = sys.argv; sys.path.insert(0, root); "
    "sys.argv = [module, *rest]; runpy.run_module(module, run_name='__main__', alter_sys=True)"
)


def own_id() -> int:
    """What a process that we start takes to end with us."""
    return os.getpid()


def leave(module: str, *arguments: str) -> None:
    """Starts it and lets it outlive us: a session of its own, so that what ends us does not end it."""
    running = start(module, *arguments, apart=True)
    # Somebody must hear of its end, or the system keeps its name on the list.
    threading.Thread(target=running.wait, daemon=True).start()


def start(module: str, *arguments: str, apart: bool = False) -> "subprocess.Popen[bytes]":
    line = [sys.executable, "-P", "-c", _START, str(_ROOT), module, *arguments]
    return subprocess.Popen(  # noqa: S603 (our own interpreter and module)
        line,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=apart,
        close_fds=True,
    )
