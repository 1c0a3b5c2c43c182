"""Long searches in the background, as jobs (`layers.jobs`): the best plan that was written stays.

Also when a search failed, was cancelled or ran out of time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from layers import jobs
from layers.errors import N_, Invalid, LayersError, NotFound, Unavailable
from layers.gaps.siting import costs, plans
from layers.gaps.siting.plans import Plan
from layers.jobs import KEPT_S, NoJob, states

AT_ONCE = 2
MOST_WAITING = 20
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
    count = jobs.waiting(folder)
    if count >= MOST_WAITING:
        raise TooManyJobs(count=count)
    options = {key: _plain(value) for key, value in {**request.options, "time_limit_s": limit_s}.items()}
    order = jobs.Order(
        module="layers.gaps.work",
        answer=states.PLAN,
        request={"model": request.model, "options": options},
        kill_after_s=limit_s + _GRACE_S if request.kill_after_s is None else request.kill_after_s,
        at_once=at_once,
    )
    return jobs.submit(folder, order, now=now, keep_s=keep_s, prepare=partial(_write_table, request))


def status(folder: Path, id: str) -> Job:
    """Raises JobNotFound."""
    try:
        return _told(folder, jobs.status(folder, id))
    except NoJob as error:
        raise JobNotFound(id=id) from error


def _told(folder: Path, job: jobs.Job) -> Job:
    failed = JobFailed() if job.state == states.FAILED else None
    return Job(
        id=job.id,
        state=job.state,
        phase=job.progress.get("phase", ""),
        objective=job.progress.get("objective"),
        bound=job.progress.get("bound"),
        created=job.created,
        started=job.started,
        ended=job.ended,
        plan=_plan(folder / job.id),
        reason=job.reason or failed,
    )


def cancel(folder: Path, id: str) -> Job:
    """Asks for an end; it comes within a moment. A job that is over stays as it is.

    Raises:
        JobNotFound: there is none.
    """
    try:
        return _told(folder, jobs.cancel(folder, id))
    except NoJob as error:
        raise JobNotFound(id=id) from error


def _write_table(request: Request, home: Path) -> None:
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
    np.savez_compressed(home / states.TABLE, **parts)


def _plan(home: Path) -> Plan | None:
    facts = states.read(home / states.PLAN)
    return plans.from_dict(facts) if facts else None


def _plain(value: object) -> object:
    """NumPy's numbers and positions as plain ones."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple | set | frozenset | range):
        return [_plain(one) for one in value]
    return value
