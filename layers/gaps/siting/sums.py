"""Opens so many sites that a sum of costs is least: the p-median, and MCLP with it.

A row that no new site serves costs its `base`: for the p-median what the nearest open site costs, for MCLP
(all other costs 0) its weight. Greedy is lazy (Minoux 1978), the swap is vertex substitution (Teitz and Bart
1968) worked out for all pairs at once, as in FastPAM: one pass over the pairs, whatever the number of sites.
All ties go to the lowest position.
"""

import heapq
from dataclasses import dataclass

import numpy as np

from layers.gaps.siting.costs import Flags, Floats, Ints, Pairs, totals

# Deterministic, unlike a clock: the same question gets the same plan on a slower machine.
_MOST_LOOKED_AT = 500_000_000
_BLOCK = 4_000_000


@dataclass(frozen=True, eq=False)
class Task:
    """Open `count` columns so that Σ min(base of the row, least cost of an open column) is least.

    `must` are rows whose base is no cost but stands for "not served", larger than anything else together.
    `whole` says that all costs are whole numbers.
    """

    pairs: Pairs
    base: Floats
    must: Flags
    count: int
    whole: bool

    def column(self, j: int) -> tuple[Ints, Floats]:
        """The rows that a column serves, and at what cost."""
        part = self.pairs.at(j)
        return self.pairs.rows[part], self.pairs.costs[part]

    def best(self, columns: Ints) -> Floats:
        """The cost of each row when these are open."""
        found = self.base.copy()
        for j in columns.tolist():
            rows, costs = self.column(j)
            found[rows] = np.minimum(found[rows], costs)
        return found

    def value(self, columns: Ints) -> float:
        return float(self.best(columns).sum())

    def tolerance(self, value: float) -> float:
        """How much a sum may be off without being another sum."""
        return 1e-6 if self.whole else 1e-9 * max(1.0, abs(value))


@dataclass(frozen=True, eq=False)
class Nearest:
    """For each row the cheapest way, who offers it (-1: nobody, it costs its base), and the next cheapest."""

    first: Floats
    owner: Ints
    second: Floats


def task(pairs: Pairs, base: Floats, must: Flags, count: int) -> Task:
    """Leaves out pairs that never help: a column that costs a row no less than its base."""
    useful = pairs.only(pairs.costs < base[pairs.rows])
    whole = bool(np.all(useful.costs == np.rint(useful.costs)) and np.all(base == np.rint(base)))
    return Task(useful, base, must, count, whole)


def greedy(todo: Task, among: Ints | None = None) -> tuple[Ints, Floats]:
    """The columns that save most, one after the other, and what each saves; none where nothing is left."""
    now = todo.base.copy()
    pairs = todo.pairs
    saved = totals(pairs.columns, todo.base[pairs.rows] - pairs.costs, pairs.shape[1])
    start = np.flatnonzero(saved > 0) if among is None else among
    waiting = list(zip((-saved[start]).tolist(), start.tolist(), strict=True))
    heapq.heapify(waiting)
    chosen: list[int] = []
    gains: list[float] = []
    while waiting and len(chosen) < todo.count:
        _, j = heapq.heappop(waiting)
        rows, costs = todo.column(j)
        gain = float(np.maximum(now[rows] - costs, 0).sum())
        if waiting and (-gain, j) > waiting[0]:
            if gain > 0 or among is not None:
                heapq.heappush(waiting, (-gain, j))
            continue
        if gain <= 0 and among is None:
            break
        now[rows] = np.minimum(now[rows], costs)
        chosen.append(j)
        gains.append(gain)
    return np.array(chosen, dtype=np.int64), np.array(gains)


def swapped(todo: Task, columns: Ints) -> Ints:
    """Exchanges one open column for a closed one, the best pair first, until no exchange helps."""
    opened = columns.copy()
    looked_at = 0
    pairs, most = todo.pairs, todo.base
    while len(opened) and looked_at < _MOST_LOOKED_AT:
        near = nearest(todo, opened)
        if looked_at == 0 or np.any(near.second > most):
            # Dear pairs do not matter, round after round; with some room nor do they in the next ones.
            most = np.minimum(todo.base, 2 * near.second + near.second.mean())
            pairs = todo.pairs.only(todo.pairs.costs < most[todo.pairs.rows])
        change, enters, leaves = _best_swap(pairs, opened, near)
        if change >= -todo.tolerance(float(near.first.sum())):
            break
        opened[leaves] = enters
        looked_at += len(pairs.rows) + len(opened) * todo.pairs.shape[1]
    return np.sort(opened)


def nearest(todo: Task, opened: Ints) -> Nearest:
    """Owners are indexes into `opened`."""
    first, second = todo.base.copy(), todo.base.copy()
    owner = np.full(len(first), -1)
    for slot, j in enumerate(opened.tolist()):
        rows, costs = todo.column(j)
        before = first[rows]
        wins = costs < before
        second[rows] = np.where(wins, before, np.minimum(second[rows], costs))
        first[rows] = np.where(wins, costs, before)
        owner[rows[wins]] = slot
    return Nearest(first, owner, second)


def _best_swap(pairs: Pairs, opened: Ints, near: Nearest) -> tuple[float, int, int]:
    """The change of the sum by the best exchange, the column that enters, and the slot that it takes.

    A pair of cost c below `second` matters: if c is below `first` too, the row saves first − c whoever
    leaves; and if its owner leaves, it pays max(c, first) where it would pay `second`.
    """
    slots, width = len(opened), pairs.shape[1]
    owned = near.owner >= 0
    loss = totals(near.owner[owned], (near.second - near.first)[owned], slots)
    best = (0.0, -1, -1)
    step = max(1, _BLOCK // slots)
    for low in range(0, width, step):
        high = min(width, low + step)
        part = slice(int(pairs.starts[low]), int(pairs.starts[high]))
        matters = np.flatnonzero(pairs.costs[part] < near.second[pairs.rows[part]])
        rows, costs = pairs.rows[part][matters], pairs.costs[part][matters]
        columns = pairs.columns[part][matters] - low
        first, owner = near.first[rows], near.owner[rows]
        saves = totals(columns, np.maximum(first - costs, 0), high - low)
        has = owner >= 0
        keeps = totals(
            columns[has] * slots + owner[has],
            (near.second[rows] - np.maximum(costs, first))[has],
            (high - low) * slots,
        ).reshape(high - low, slots)
        change = loss[None, :] - saves[:, None] - keeps
        change[opened[(opened >= low) & (opened < high)] - low] = np.inf
        at = int(np.argmin(change))
        if change.flat[at] < best[0]:
            best = (float(change.flat[at]), low + at // slots, at % slots)
    return best
