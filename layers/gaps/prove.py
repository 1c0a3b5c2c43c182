"""The one door to HiGHS: an integer programme in, a proven bound and perhaps a solution out.

It also is a program of its own, `python -m layers.gaps.prove <folder>`: HiGHS does not keep its time limit on
large models, so `siting.solver` runs it apart and ends it from outside. It first writes the bound of the
linear relaxation, so that a run that was ended has told something.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from layers.jobs import processes

MODEL, ANSWER = "model.npz", "answer.npz"
_TIME_LIMIT, _INFEASIBLE = 1, 2
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Model:
    """Minimise costs · x with low ≤ rows · x ≤ high and 0 ≤ x ≤ 1; `integral` marks the yes-or-no ones.

    Only a solution below `cutoff` is of interest; `whole` says that every objective is a whole number.
    """

    costs: Any
    rows: Any
    low: Any
    high: Any
    integral: Any
    cutoff: float
    whole: bool


@dataclass(frozen=True, eq=False)
class Answer:
    """`bound` holds for every solution (-inf: none known); `x` is the best one found, if any.

    `is_done`: `x` is optimal, or there is none below the cutoff and `bound` is at least that.
    """

    bound: float
    x: Any
    is_done: bool


def prove(model: Model, *, seconds: float, tell: Callable[[Answer], None] | None = None) -> Answer:
    """With `tell` the relaxation is solved first: it is told, and it rules out a part of the rest."""
    until = time.monotonic() + seconds
    lower, upper = np.zeros(len(model.costs)), np.ones(len(model.costs))
    bound = -np.inf
    if tell:
        relaxed = _relaxed(model, seconds)
        if relaxed.status == _INFEASIBLE:
            return Answer(np.inf, None, True)
        if relaxed.status == 0:
            bound = _up(model, relaxed.fun)
            if bound >= model.cutoff:
                return Answer(bound, None, True)
            tell(Answer(bound, None, False))
            _rule_out(model, relaxed, lower, upper)
    found = milp(
        model.costs,
        constraints=LinearConstraint(model.rows, model.low, model.high),
        bounds=Bounds(lower, upper),
        integrality=model.integral,
        options={"time_limit": max(0.1, until - time.monotonic()), "mip_rel_gap": 0.0},
    )
    if found.status == _INFEASIBLE:
        # What was ruled out could not be below the cutoff.
        return Answer(max(bound, model.cutoff), None, True)
    if found.status not in (0, _TIME_LIMIT):
        return Answer(bound, None, False)
    told = -np.inf if found.mip_dual_bound is None else _up(model, found.mip_dual_bound)
    bound = max(bound, min(told, model.cutoff))
    return Answer(bound, found.x, found.status == 0)


def _relaxed(model: Model, seconds: float) -> Any:
    is_above, is_below = np.isfinite(model.low), np.isfinite(model.high)
    return linprog(
        model.costs,
        A_ub=sparse.vstack([-model.rows[is_above], model.rows[is_below]]),
        b_ub=np.concatenate([-model.low[is_above], model.high[is_below]]),
        bounds=(0, 1),
        method="highs",
        options={"time_limit": seconds},
    )


def _rule_out(model: Model, relaxed: Any, lower: Any, upper: Any) -> None:
    """A choice whose reduced cost lifts the relaxation to the cutoff is in no better solution."""
    limit = model.cutoff - 1 + _ROUNDING if model.whole else model.cutoff
    room = limit - relaxed.fun + _ROUNDING
    free = model.integral > 0
    upper[free & (relaxed.x < _ROUNDING) & (relaxed.lower.marginals > room)] = 0
    lower[free & (relaxed.x > 1 - _ROUNDING) & (-relaxed.upper.marginals > room)] = 1


def _up(model: Model, value: float) -> float:
    return float(np.ceil(value - _ROUNDING)) if model.whole else float(value)


# --- As a program


def write_model(folder: Path, model: Model, *, seconds: float) -> None:
    rows = sparse.csr_array(model.rows)
    head = {"cutoff": model.cutoff, "whole": model.whole, "seconds": seconds, "shape": rows.shape}
    with (folder / MODEL).open("wb") as file:
        np.savez(
            file,
            head=np.array(json.dumps(head)),
            costs=model.costs,
            data=rows.data,
            indices=rows.indices,
            indptr=rows.indptr,
            low=model.low,
            high=model.high,
            integral=model.integral,
        )


def _read_model(folder: Path) -> tuple[Model, float]:
    with np.load(folder / MODEL, allow_pickle=False) as file:
        head = json.loads(str(file["head"]))
        rows = sparse.csr_array((file["data"], file["indices"], file["indptr"]), shape=head["shape"])
        model = Model(
            file["costs"], rows, file["low"], file["high"], file["integral"], head["cutoff"], head["whole"]
        )
    return model, head["seconds"]


def _write_answer(folder: Path, answer: Answer) -> None:
    fresh = folder / f"{ANSWER}.new"
    x = np.empty(0) if answer.x is None else answer.x
    with fresh.open("wb") as file:
        np.savez(file, bound=answer.bound, x=x, is_done=answer.is_done)
    fresh.replace(folder / ANSWER)


def read_answer(folder: Path) -> Answer:
    """What a run has written last; nothing is known where it has written nothing."""
    try:
        with np.load(folder / ANSWER, allow_pickle=False) as file:
            x = file["x"]
            return Answer(float(file["bound"]), x if len(x) else None, bool(file["is_done"]))
    except FileNotFoundError:
        return Answer(-np.inf, None, False)


def main(folder: Path, parent: int) -> None:
    processes.end_with_parent(parent)
    model, seconds = _read_model(folder)
    _write_answer(folder, prove(model, seconds=seconds, tell=lambda answer: _write_answer(folder, answer)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
