"""The least sum: at once by greedy and swap, then proven by prices, and by the solver on what they leave."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from layers.gaps.siting import bounds, solver, sums
from layers.gaps.siting.bounds import Bounded
from layers.gaps.siting.costs import Ints
from layers.gaps.siting.plans import PROVEN, TIME_LIMIT, TOO_LARGE
from layers.gaps.siting.sums import Task


@dataclass(frozen=True, eq=False)
class Found:
    """Columns, a bound for their sum (None: none known), and how the search ended."""

    columns: Ints
    bound: float | None
    ended: str


def quick(todo: Task) -> Ints:
    columns, _ = sums.greedy(todo)
    return sums.swapped(todo, columns)


def is_settled(todo: Task, columns: Ints) -> bool:
    """Whether nothing can be better, seen without any search: greedy is exact for one column."""
    best = float(np.minimum(todo.base, todo.pairs.least()).sum())
    return todo.count <= 1 or todo.value(columns) <= best + todo.tolerance(best)


def proven(
    todo: Task, columns: Ints, *, deadline: float, tell: Callable[[Ints, float], None] | None = None
) -> Found:
    """The best columns and bound that are known at the deadline; begins with the columns given."""
    known = bounds.bounded(todo, columns, deadline=deadline, tell=tell)
    if tell:
        tell(known.columns, known.bound)
    limit = known.value - todo.tolerance(known.value)
    count = int(known.into.sum())
    if known.bound >= limit or (todo.whole and known.bound > known.value - 1 + 1e-6) or count > todo.count:
        return Found(known.columns, known.value, PROVEN)
    if count == todo.count:
        # Whatever is better holds exactly these.
        forced = np.flatnonzero(known.into)
        best = forced if todo.value(forced) < limit else known.columns
        return Found(best, todo.value(best), PROVEN)
    return _by_solver(todo, known, deadline)


def _by_solver(todo: Task, known: Bounded, deadline: float) -> Found:
    rest = _rest(todo, known)
    floor = np.ceil(known.bound - 1e-6) if todo.whole else known.bound
    model, constant = solver.chain(rest, known.value)
    if solver.is_too_large(model):
        return Found(known.columns, float(floor), TOO_LARGE)
    answer = solver.solved(model, deadline=deadline)
    columns = known.columns
    if answer.x is not None:
        chosen = np.flatnonzero((answer.x[: todo.pairs.shape[1]] > 0.5) | known.into)
        mine = sums.swapped(todo, chosen)
        columns = min(columns, mine, key=todo.value)
    value = todo.value(columns)
    if answer.is_done:
        return Found(columns, value, PROVEN)
    told = answer.bound / solver.scale_of(todo, known.value) + constant
    return Found(columns, float(min(value, max(floor, told))), TIME_LIMIT)


def _rest(todo: Task, known: Bounded) -> Task:
    """What is left to choose when some columns are out and some are in."""
    base = todo.best(np.flatnonzero(known.into))
    pairs = todo.pairs
    free = ~(known.out | known.into)[pairs.columns]
    kept = pairs.only(free & (pairs.costs < base[pairs.rows]))
    return replace(
        todo,
        pairs=kept,
        base=base,
        must=todo.must & (base >= todo.base),
        count=todo.count - int(known.into.sum()),
    )
