"""Long work in the background: it survives the page, the request and the process that asked.

A job is a folder of plain files (`states`). Its minder, a process of its own, waits for one of the few slots,
starts the worker (any of our modules) and ends it at its kill time even if it hangs. Whoever knows the folder
can ask and cancel, also after a restart. A job whose minder was killed is found out by its lock and told as
failed.
"""

import re
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any

from layers.errors import N_, Invalid, LayersError, NotFound, Sentence
from layers.jobs import processes, states

KEPT_S = 7 * 24 * 3600.0
_BEGIN_S = 30.0
_NAME = re.compile(r"^\d{13}-[0-9a-f]{16}$")


class NoJob(NotFound):
    text = N_("There is no work “{id}” in the background; it may have been cleared away. Start it again.")


@dataclass(frozen=True)
class Order:
    """What is to be done: a module with a `main(folder, id of its minder)` as a program, and how.

    The worker finds `request` in its folder and ends with 0 when its answer lies there in the file `answer`.
    Jobs of one `lane` share `at_once` slots. `kill_after_s` counts from the start of the work. `environment`
    is added to that of the worker: what must stand in no file.
    """

    module: str
    answer: str
    request: Mapping[str, Any]
    kill_after_s: float
    at_once: int = 2
    lane: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """Where a job stands; times are Unix seconds. `reason` is why it failed, where the worker said so."""

    id: str
    state: str
    progress: Mapping[str, Any]
    created: float
    started: float | None
    ended: float | None
    reason: LayersError | None

    @property
    def is_over(self) -> bool:
        return self.state in states.OVER


def submit(
    folder: Path,
    order: Order,
    *,
    now: float | None = None,
    keep_s: float = KEPT_S,
    prepare: Callable[[Path], object] = lambda home: None,
) -> str:
    """Writes the job and starts its minder; jobs that ended longer ago than `keep_s` are cleared away.

    `prepare` puts more files into the job's folder before it begins.
    """
    created = time.time() if now is None else now
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    prune(folder, before=created - keep_s)
    name = f"{int(created * 1000):013d}-{secrets.token_hex(8)}"
    fresh = folder / f"new-{name}"
    fresh.mkdir(mode=0o700)
    try:
        prepare(fresh)
        states.write(fresh / states.REQUEST, dict(order.request))
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    facts = {"module": order.module, "answer": order.answer, "lane": order.lane, "at_once": order.at_once}
    facts |= {"state": states.QUEUED, "created": created, "kill_after_s": order.kill_after_s}
    states.write(fresh / states.JOB, facts)
    (fresh / states.OPEN).touch()
    fresh.rename(folder / name)
    processes.leave("layers.jobs.minder", str(folder / name), environment=order.environment)
    return name


def status(folder: Path, id: str) -> Job:
    """Raises NoJob."""
    home = place(folder, id)
    job = _known(home)
    state = states.FAILED if job["state"] not in states.OVER and _is_dead(home) else _known(home)["state"]
    return Job(
        id=id,
        state=state,
        progress=states.read(home / states.PROGRESS) or {},
        created=job["created"],
        started=job.get("started"),
        ended=job.get("ended"),
        reason=_reason(home) if state == states.FAILED else None,
    )


def waiting(folder: Path) -> int:
    """How many jobs wait for their turn."""
    return all_states(folder).count(states.QUEUED)


def all_states(folder: Path) -> list[str]:
    """The states of all jobs that are kept."""
    found = []
    for id in ids(folder):
        with suppress(NoJob):  # It has been cleared away meanwhile.
            found.append(status(folder, id).state)
    return found


def cancel(folder: Path, id: str) -> Job:
    """Asks for an end; it comes within a moment. A job that is over, or may not be ended, stays as it is.

    Raises:
        NoJob: there is none.
    """
    with suppress(FileNotFoundError):
        (place(folder, id) / states.OPEN).rename(folder / id / states.CANCEL)
    return status(folder, id)


def prune(folder: Path, *, before: float) -> None:
    """Clears away jobs that are over and came before this time."""
    for id in ids(folder):
        with suppress(NoJob):
            job = status(folder, id)
            if job.is_over and job.created < before:
                shutil.rmtree(folder / id, ignore_errors=True)


def ids(folder: Path) -> list[str]:
    """All jobs that are kept, in the order in which they came."""
    names = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else ()
    return [name for name in names if _NAME.match(name) and (folder / name / states.JOB).exists()]


def place(folder: Path, id: str) -> Path:
    """The folder of a job. An id comes from an address and must not lead elsewhere.

    Raises:
        NoJob: there is none.
    """
    home = folder / id
    if not _NAME.match(id) or not (home / states.JOB).exists():
        raise NoJob(id=id)
    return home


def _known(home: Path) -> dict[str, Any]:
    job = states.read(home / states.JOB)
    if job is None:
        raise NoJob(id=home.name)
    return job


def _is_dead(home: Path) -> bool:
    """Nobody minds it, seen thrice; a minder that begins or ends needs a moment."""
    for _ in range(3):
        # Whoever looks holds the lock for a moment, in which one that begins does not get it.
        age_s = time.time() - (home / states.JOB).stat().st_mtime
        is_new = _known(home)["state"] == states.QUEUED and age_s < _BEGIN_S
        if is_new or states.is_locked(home / states.ALIVE) or _known(home)["state"] in states.OVER:
            return False
        time.sleep(0.05)
    return True


# --- Why a work failed, from the worker to whoever asks


def tell_reason(home: Path, reason: LayersError) -> None:
    """Leaves in the job's folder why it failed."""
    states.write(home / states.REASON, {"text": reason.text, "values": told(reason.values)})


def _reason(home: Path) -> LayersError | None:
    said = states.read(home / states.REASON)
    if said is None:
        return None
    reason = Invalid(**values(said["values"]))
    reason.text = said["text"]
    reason.args = (reason.text.format(**reason.values),)
    return reason


def told(facts: Mapping[str, object]) -> dict[str, Any]:
    """What fills the gaps of a sentence, as JSON knows it; a sentence in a sentence stays one."""
    return {name: _told(one) for name, one in facts.items()}


def _told(value: object) -> Any:
    if isinstance(value, Sentence):
        return {"text": value.text, "values": told(value.values)}
    if isinstance(value, Integral):  # One of NumPy's, which JSON knows not.
        return bool(value) if isinstance(value, bool) else int(value)
    return value if isinstance(value, str | float | None) else str(value)


def values(said: Mapping[str, Any]) -> dict[str, object]:
    """What `told` has told."""
    return {
        name: Sentence(one["text"], **values(one["values"])) if isinstance(one, dict) else one
        for name, one in said.items()
    }
