"""Starts one of our own modules as a process of its own, with the same code, wherever that lies."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_CORES = frozenset(os.sched_getaffinity(0) if sys.platform == "linux" else ())
"""What this process might use when it began."""
# -P leaves out the folder of the call, in which somebody's file could be named as one of ours.
_START = (
    "import runpy, sys; _, root, module, *rest = sys.argv; sys.path.insert(0, root); "
    "sys.argv = [module, *rest]; runpy.run_module(module, run_name='__main__', alter_sys=True)"
)


def own_id() -> int:
    """What a process that we start takes to end with us."""
    return os.getpid()


def end_with_parent(parent: int) -> None:
    """Whoever asked may be killed; nobody would wait for the answer then, and nobody would end the work."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.3)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def leave(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
    """Starts it and lets it outlive us: a session of its own, so that what ends us does not end it."""
    running = start(module, *arguments, apart=True, environment=environment)
    # Somebody must hear of its end, or the system keeps its name on the list.
    threading.Thread(target=running.wait, daemon=True).start()


def start(
    module: str, *arguments: str, apart: bool = False, environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """`environment` is added to our own, which those that it starts inherit."""
    line = [sys.executable, "-P", "-c", _START, str(_ROOT), module, *arguments]
    with unsettled():
        return subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            line,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment} if environment else None,
            start_new_session=apart,
            close_fds=True,
        )


def settle(core: int) -> None:
    """From now on this process stays on one core: its thread that calls, and all that are begun later."""
    with suppress(OSError):  # Who runs us forbids it.
        os.sched_setaffinity(0, {core})


@contextmanager
def unsettled() -> Iterator[None]:
    """What is started meanwhile may go to any core, though this process stays on one."""
    if sys.platform != "linux" or os.sched_getaffinity(0) == _CORES:
        yield
        return
    own = os.sched_getaffinity(0)
    with suppress(OSError):
        os.sched_setaffinity(0, _CORES)
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, own)
