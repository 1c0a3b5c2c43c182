"""Minds one background job: waits for its turn, starts the worker, ends it in time or when it is unwanted.

`python -m layers.jobs.minder <folder of the job>`, started by `jobs.submit` and alone from then on. It does
nothing that could hang; the worker may. Its lock on `alive` tells others that it lives.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

from layers.jobs import processes, states

_LOOK_S = 0.1
_PATIENCE_S = 5.0


def main(folder: Path) -> None:
    # Who looks whether we live holds the lock for a moment.
    alive = states.awaited(folder / states.ALIVE, patience_s=_PATIENCE_S)
    job = states.read(folder / states.JOB)
    if alive is None or job is None or job["state"] != states.QUEUED:
        return
    with alive:
        slot = _turn(folder, str(job["lane"]), int(job["at_once"]))
        if slot is None:
            _end(folder, states.CANCELLED)
            return
        with slot:
            _end(folder, _minded(folder, job, time.monotonic() + float(job["kill_after_s"])))


def _turn(folder: Path, lane: str, at_once: int) -> IO[bytes] | None:
    """A slot, when nobody who came earlier waits for one; None where the job is cancelled before."""
    while not (folder / states.CANCEL).exists():
        if not _is_earlier_waiting(folder, lane):
            for number in range(at_once):
                slot = states.lock(folder.parent / f"slot-{lane}{number}")
                if slot is not None:
                    return slot
        time.sleep(_LOOK_S)
    return None


def _is_earlier_waiting(folder: Path, lane: str) -> bool:
    """Names of jobs begin with the time at which they came."""
    for other in folder.parent.iterdir():
        if other.is_dir() and other.name < folder.name:
            job = states.read(other / states.JOB)
            is_before = job and job["lane"] == lane and job["state"] == states.QUEUED
            if is_before and states.is_locked(other / states.ALIVE):
                return True
    return False


def _minded(folder: Path, job: dict[str, Any], until: float) -> str:
    running = processes.start(str(job["module"]), str(folder), str(processes.own_id()))
    try:
        facts = {"state": states.RUNNING, "started": time.time()}
        ids = {"minder": processes.own_id(), "worker": running.pid}
        states.write(folder / states.JOB, {**job, **facts, **ids})
        while True:
            if (folder / states.CANCEL).exists():
                return states.CANCELLED
            if time.monotonic() > until:
                return states.TIMED_OUT
            try:
                code = running.wait(_LOOK_S)
            except subprocess.TimeoutExpired:
                continue
            return states.DONE if code == 0 and (folder / job["answer"]).exists() else states.FAILED
    finally:
        running.kill()
        running.wait()


def _end(folder: Path, state: str) -> None:
    job = states.read(folder / states.JOB) or {}
    states.write(folder / states.JOB, {**job, "state": state, "ended": time.time()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
