"""The folder of a background job: files that are written whole or not at all, and locks.

A lock ends with its process, however that ended.

`job.json` says what the minder knows, `progress.json` and others what the worker has reached. A file `open`
becomes `cancel` by somebody's wish or `sealed` by the worker when its work may no longer be broken off:
whoever renames it first is right. This room needs the standard library alone, because the minder starts with
it.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import IO, Any

QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"
CANCELLED, TIMED_OUT = "cancelled", "timed_out"
OVER = (DONE, FAILED, CANCELLED, TIMED_OUT)
JOB, PROGRESS, PLAN, REASON = "job.json", "progress.json", "plan.json", "reason.json"
REQUEST, TABLE, ALIVE = "request.json", "table.npz", "alive"
OPEN, CANCEL, SEALED = "open", "cancel", "sealed"
_LOOK_S = 0.05


def write(path: Path, facts: dict[str, Any]) -> None:
    """A reader sees the old facts or the new ones, never a half."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.write_text(json.dumps(facts), encoding="utf-8")
    fresh.replace(path)


def read(path: Path) -> dict[str, Any] | None:
    """None where there is no file, or one that is none of ours."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def seal(folder: Path) -> bool:
    """From now on nobody can cancel the job any more; False where somebody has."""
    try:
        (folder / OPEN).rename(folder / SEALED)
    except FileNotFoundError:
        return (folder / SEALED).exists()
    return True


def awaited(path: Path, *, patience_s: float) -> IO[bytes] | None:
    """The lock of a file, as `lock`; who has it may give it up meanwhile."""
    until = time.monotonic() + patience_s
    while (mine := lock(path)) is None and time.monotonic() < until:
        time.sleep(_LOOK_S)
    return mine


def lock(path: Path) -> IO[bytes] | None:
    """The lock of a file, kept until it is closed or the process is gone, however it went; None if taken."""
    file = path.open("ab")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    mine = lock(path)
    if mine is None:
        return True
    mine.close()
    return False
