"""Where sites hold only so much: each place goes wholly to one open site that has room for it.

That is hard even when the sites are known, so the quick answer is a good one and no more; the proof packs and
chooses in one model. What a place costs at a site is its weight times the way (p-median), or minus its weight
(MCLP), and a place that goes nowhere costs nothing; p-median lets none go nowhere.
"""

from dataclasses import dataclass

import numpy as np

from layers.gaps.siting import solver
from layers.gaps.siting.costs import Floats, Ints, Pairs
from layers.gaps.siting.plans import (
    PROVEN,
    TIME_LIMIT,
    TOO_LARGE,
    NoPacking,
    NoPackingFound,
    TooHeavy,
    TooLittleCapacity,
    TooLittleCapacityAtAll,
)

_MOST_STEPS = 3_000_000


@dataclass(frozen=True, eq=False)
class Task:
    """Rows are those that weigh something and are reached; `count` sites beside `fixed` are opened.

    `places` are the positions that the rows had in the question.
    """

    places: Ints
    pairs: Pairs
    weights: Floats
    room: Floats
    fixed: Ints
    count: int
    must: bool


@dataclass(frozen=True, eq=False)
class Load:
    """All open columns, the column of each row (-1: none), and the sum of costs."""

    opened: Ints
    assigned: Ints
    value: float


@dataclass(frozen=True, eq=False)
class Proof:
    load: Load
    bound: float | None
    ended: str


def check(todo: Task) -> None:
    """Where every row must go somewhere: whether that can be, as far as sums tell."""
    best = np.zeros(len(todo.weights))
    np.maximum.at(best, todo.pairs.rows, todo.room[todo.pairs.columns])
    heavy = np.flatnonzero(todo.weights > best)
    if len(heavy):
        row = int(heavy[0])
        raise TooHeavy(place=int(todo.places[row]), weight=float(todo.weights[row]), room=float(best[row]))
    total = float(todo.weights.sum())
    useful = np.unique(todo.pairs.columns)
    open_room = float(todo.room[np.intersect1d(useful, todo.fixed)].sum())
    free = -np.sort(-todo.room[np.setdiff1d(useful, todo.fixed)])
    reached = open_room + np.concatenate([[0.0], np.cumsum(free)])
    slack = 1e-9 * max(1.0, total)
    if reached[-1] < total - slack:
        raise TooLittleCapacityAtAll(weight=total, room=float(reached[-1]))
    if reached[min(todo.count, len(free))] < total - slack:
        needed = int(np.argmax(reached >= total - slack))
        room = float(reached[min(todo.count, len(free))])
        raise TooLittleCapacity(weight=total, p=todo.count, room=room, needed=needed)


def quick(todo: Task, start: Ints) -> Load | None:
    """A choice near `start` (new columns) into which the rows go; None where none was found."""
    packer = _Packer(todo)
    chosen = np.sort(start)
    best = packer.packed(chosen)
    for one in _roomier(todo, chosen):
        best = _better(best, packer.packed(one))
    return None if best is None else _exchanged(todo, packer, best)


def proven(todo: Task, known: Load | None, floor: float, *, deadline: float) -> Proof:
    """The best load and bound at the deadline. `floor` is a bound that is known already.

    Raises:
        NoPacking: it is proven that the rows do not go in.
        NoPackingFound: none was found in time.
    """
    scale = _scale(todo)
    opened = np.zeros(todo.pairs.shape[1], dtype=bool)
    opened[todo.fixed] = True
    value = np.inf if known is None else known.value
    costs = Pairs(todo.pairs.rows, todo.pairs.columns, todo.pairs.costs * scale, todo.pairs.shape)
    model = solver.packing(
        costs, todo.weights, todo.room, todo.must, opened, todo.count, cutoff=value * scale
    )
    if solver.is_too_large(model):
        return Proof(_known(todo, known), floor if np.isfinite(floor) else None, TOO_LARGE)
    answer = solver.solved(model, deadline=deadline)
    if answer.x is None and answer.is_done and known is None:
        raise NoPacking(p=todo.count)
    mine = _from(todo, answer.x)
    best = _known(todo, _better(known, mine))
    if answer.is_done and (answer.x is None or mine is not None):
        return Proof(best, best.value, PROVEN)
    bound = min(best.value, max(floor, answer.bound / scale))
    return Proof(best, bound if np.isfinite(bound) else None, TIME_LIMIT)


def _known(todo: Task, load: Load | None) -> Load:
    if load is None:
        raise NoPackingFound(p=todo.count)
    return load


def _scale(todo: Task) -> float:
    costs = todo.pairs.costs
    if bool(np.all(costs == np.rint(costs))):
        return 1.0
    return 1e6 / max(float(np.abs(costs).sum()) / max(1, todo.pairs.shape[1]), 1e-300)


def _better(one: Load | None, other: Load | None) -> Load | None:
    if one is None or (other is not None and other.value < one.value):
        return other
    return one


def _roomier(todo: Task, chosen: Ints) -> list[Ints]:
    """The same choice with its smallest sites given up for the largest closed ones, one by one."""
    closed = np.setdiff1d(np.unique(todo.pairs.columns), np.concatenate([chosen, todo.fixed]))
    large = closed[np.argsort(-todo.room[closed], kind="stable")]
    small = chosen[np.argsort(todo.room[chosen], kind="stable")]
    count = min(len(large), len(small), 12)
    return [np.sort(np.concatenate([small[n:], large[:n]])) for n in range(1, count + 1)]


def _exchanged(todo: Task, packer: "_Packer", load: Load) -> Load:
    """Tries single exchanges while they help, as many as a moment allows."""
    best, tries = load, _MOST_STEPS // max(1, len(todo.pairs.rows))
    free = np.setdiff1d(np.unique(todo.pairs.columns), todo.fixed)
    again = True
    while again and tries > 0:
        again = False
        mine = np.setdiff1d(best.opened, todo.fixed)
        for leaves in mine.tolist():
            for enters in np.setdiff1d(free, mine).tolist():
                tries -= 1
                other = packer.packed(np.sort(np.append(mine[mine != leaves], enters)))
                if other is not None and other.value < best.value - 1e-9 * abs(best.value):
                    best, again = other, True
                    break
                if tries <= 0:
                    return best
            if again:
                break
    return best


def _from(todo: Task, x: Floats | None) -> Load | None:
    """The load that the solver found; it keeps the capacities only to a tolerance, so they are kept here."""
    if x is None:
        return None
    width = todo.pairs.shape[1]
    chosen = np.flatnonzero(x[:width] > 0.5)
    taken = np.flatnonzero(x[width:] > 0.5)
    assigned = np.full(len(todo.weights), -1)
    assigned[todo.pairs.rows[taken]] = todo.pairs.columns[taken]
    load = np.bincount(
        todo.pairs.columns[taken], weights=todo.weights[todo.pairs.rows[taken]], minlength=width
    )
    if np.any(load > todo.room * (1 + 1e-9)):
        return None
    return Load(np.union1d(chosen, todo.fixed), assigned, float(todo.pairs.costs[taken].sum()))


class _Packer:
    """Puts rows into given open columns, one after the other, cheapest first."""

    def __init__(self, todo: Task) -> None:
        self._todo = todo
        self._order = np.lexsort((todo.pairs.columns, todo.pairs.costs, todo.pairs.rows))

    def packed(self, chosen: Ints) -> Load | None:
        opened = np.union1d(chosen, self._todo.fixed)
        best = None
        for by_weight in (False, True):
            best = _better(best, self._packed(opened, by_weight))
        return best

    def _packed(self, opened: Ints, by_weight: bool) -> Load | None:
        """Rows that lose most when they miss their first choice come first, or the heavy ones."""
        todo, pairs = self._todo, self._todo.pairs
        is_open = np.zeros(pairs.shape[1], dtype=bool)
        is_open[opened] = True
        own = self._order[is_open[pairs.columns[self._order]]]
        rows, costs = pairs.rows[own], pairs.costs[own]
        starts = np.searchsorted(rows, np.arange(pairs.shape[0] + 1))
        if todo.must and np.any(np.diff(starts) == 0):
            return None
        order = np.argsort(-todo.weights, kind="stable")
        if not by_weight:
            order = np.lexsort((-todo.weights, -_regret(costs, starts)))
        columns, costs_of, begins = pairs.columns[own].tolist(), costs.tolist(), starts.tolist()
        left, weights = todo.room.tolist(), todo.weights.tolist()
        assigned = np.full(pairs.shape[0], -1)
        value = 0.0
        for row in order.tolist():
            for at in range(begins[row], begins[row + 1]):
                if weights[row] <= left[columns[at]]:
                    left[columns[at]] -= weights[row]
                    assigned[row] = columns[at]
                    value += costs_of[at]
                    break
            else:
                if todo.must:
                    return None
        return Load(opened, assigned, value)


def _regret(costs: Floats, starts: Ints) -> Floats:
    """What a row loses if it gets its second choice; most where there is none."""
    found = np.full(len(starts) - 1, np.inf)
    several = np.flatnonzero(np.diff(starts) > 1)
    found[several] = costs[starts[several] + 1] - costs[starts[several]]
    return found
