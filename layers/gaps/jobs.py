"""Long searches in the background: they survive the page, the request and the process that asked.

A job is a folder of plain files (`states`). Its minder, a process of its own, waits for one of the few slots,
starts the worker and ends it at its kill time even if it hangs. Whoever knows the folder can ask and cancel,
also after a restart. A job whose minder was killed is found out by its lock and told as failed; the best plan
that was written stays.
"""

import re
import secrets
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from layers.errors import N_, Invalid, LayersError, NotFound, Unavailable
from layers.gaps import processes, states
from layers.gaps.siting import costs, plans
from layers.gaps.siting.plans import Plan

AT_ONCE = 2
MOST_WAITING = 20
KEPT_S = 7 * 24 * 3600.0
_BEGIN_S = 30.0
_NAME = re.compile(r"^\d{13}-[0-9a-f]{16}$")
# Beyond the time of the search: reading the table, the check, and writing.
_GRACE_S = 30.0


class JobNotFound(NotFound):
    text = N_("There is no calculation “{id}”; it may have been cleared away. Start it again.")


class TooManyJobs(Unavailable):
    text = N_("{count} calculations are waiting already. Try again when one of them is done.")


class UnknownModel(Invalid):
    text = N_("There is no model “{model}”.")


class JobFailed(Unavailable):
    text = N_(
        "The calculation ended early. The best plan found until then is kept; start it again for a proof."
    )


@dataclass(frozen=True)
class Request:
    """What `siting` is asked: model, table, weights, and its options by name (`p`, `within`, `backup` …).

    `kill_after_s` counts from the start of the work; without it, a little more than the time limit.
    """

    model: str
    cost: costs.Table
    weights: Iterable[float] | None = None
    capacity: Iterable[float | None] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    time_limit_s: float = 300.0
    kill_after_s: float | None = None


@dataclass(frozen=True)
class Job:
    """Where a job stands. `plan` is the best one so far, also when it failed, was cancelled or timed out.

    `phase` is `quick`, `bound`, `proof` or `ready`, empty before; times are Unix seconds. `reason` is a
    sentence and what fills its gaps, where it failed.
    """

    id: str
    state: str
    phase: str
    objective: float | None
    bound: float | None
    created: float
    started: float | None
    ended: float | None
    plan: Plan | None
    reason: LayersError | None

    @property
    def is_over(self) -> bool:
        return self.state in states.OVER


def submit(
    folder: Path,
    request: Request,
    *,
    at_once: int = AT_ONCE,
    now: float | None = None,
    keep_s: float = KEPT_S,
) -> str:
    """Writes the job and starts its minder; jobs that ended longer ago than `keep_s` are cleared away.

    Raises:
        Invalid: the request cannot be used, as far as is seen without looking for an answer.
        TooManyJobs: so many wait already.
    """
    if request.model not in plans.MODELS:
        raise UnknownModel(model=request.model)
    limit_s = costs.time_limit(request.time_limit_s)
    kill_after_s = limit_s + _GRACE_S if request.kill_after_s is None else request.kill_after_s
    created = time.time() if now is None else now
    folder.mkdir(parents=True, exist_ok=True)
    prune(folder, before=created - keep_s)
    waiting = [one for one in _ids(folder) if status(folder, one).state == states.QUEUED]
    if len(waiting) >= MOST_WAITING:
        raise TooManyJobs(count=len(waiting))
    name = f"{int(created * 1000):013d}-{secrets.token_hex(8)}"
    fresh = folder / f"new-{name}"
    fresh.mkdir()
    _write_table(fresh / states.TABLE, request)
    options = {key: _plain(value) for key, value in {**request.options, "time_limit_s": limit_s}.items()}
    states.write(fresh / states.REQUEST, {"model": request.model, "options": options})
    job = {"state": states.QUEUED, "created": created, "at_once": at_once, "kill_after_s": kill_after_s}
    states.write(fresh / states.JOB, job)
    fresh.rename(folder / name)
    processes.leave("layers.gaps.minder", str(folder / name))
    return name


def status(folder: Path, id: str) -> Job:
    """Raises JobNotFound."""
    home = _home(folder, id)
    job = _known(home)
    state = states.FAILED if job["state"] not in states.OVER and _is_dead(home) else _known(home)["state"]
    progress = states.read(home / states.PROGRESS) or {}
    return Job(
        id=id,
        state=state,
        phase=progress.get("phase", ""),
        objective=progress.get("objective"),
        bound=progress.get("bound"),
        created=job["created"],
        started=job.get("started"),
        ended=job.get("ended"),
        plan=_plan(home),
        reason=_reason(home) if state == states.FAILED else None,
    )


def all_states(folder: Path) -> list[str]:
    """The states of all jobs that are kept."""
    found = []
    for id in _ids(folder) if folder.is_dir() else ():
        with suppress(JobNotFound):  # It has been cleared away meanwhile.
            found.append(status(folder, id).state)
    return found


def cancel(folder: Path, id: str) -> Job:
    """Asks for an end; it comes within a moment. A job that is over stays as it is.

    Raises:
        JobNotFound: there is none.
    """
    (_home(folder, id) / states.CANCEL).touch()
    return status(folder, id)


def prune(folder: Path, *, before: float) -> None:
    """Clears away jobs that are over and came before this time."""
    for id in _ids(folder):
        job = status(folder, id)
        if job.is_over and job.created < before:
            shutil.rmtree(folder / id, ignore_errors=True)


def _ids(folder: Path) -> list[str]:
    names = sorted(one.name for one in folder.iterdir())
    return [name for name in names if _NAME.match(name) and (folder / name / states.JOB).exists()]


def _home(folder: Path, id: str) -> Path:
    """An id comes from an address and must not lead elsewhere."""
    home = folder / id
    if not _NAME.match(id) or not (home / states.JOB).exists():
        raise JobNotFound(id=id)
    return home


def _known(home: Path) -> dict[str, Any]:
    job = states.read(home / states.JOB)
    if job is None:
        raise JobNotFound(id=home.name)
    return job


def _is_dead(home: Path) -> bool:
    """Nobody minds it, seen thrice; a minder that begins or ends needs a moment."""
    for _ in range(3):
        age_s = time.time() - (home / states.JOB).stat().st_mtime
        is_new = not (home / states.ALIVE).exists() and age_s < _BEGIN_S
        if is_new or states.is_locked(home / states.ALIVE) or _known(home)["state"] in states.OVER:
            return False
        time.sleep(0.05)
    return True


def _write_table(path: Path, request: Request) -> None:
    parts: dict[str, Any] = {}
    if sparse.issparse(request.cost):
        table = sparse.csr_array(request.cost)
        parts.update(data=table.data, indices=table.indices, indptr=table.indptr, shape=np.array(table.shape))
    else:
        parts["dense"] = costs.dense(request.cost)
    if request.weights is not None:
        parts["weights"] = costs.values("weights", request.weights)
    if request.capacity is not None:
        parts["capacity"] = costs.values("capacity", request.capacity)
    np.savez_compressed(path, **parts)


def _plan(home: Path) -> Plan | None:
    facts = states.read(home / states.PLAN)
    return plans.from_dict(facts) if facts else None


def _reason(home: Path) -> LayersError:
    told = states.read(home / states.REASON)
    if told is None:
        return JobFailed()
    reason = Invalid(**told["values"])
    reason.text = told["text"]
    reason.args = (reason.text.format(**reason.values),)
    return reason


def _plain(value: object) -> object:
    """NumPy's numbers and positions as plain ones."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple | set | frozenset | range):
        return [_plain(one) for one in value]
    return value
