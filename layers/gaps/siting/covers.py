"""The fewest columns with which every row has as many as it needs."""

import heapq
import time
from dataclasses import dataclass

import numpy as np

from layers.gaps.siting import merging, solver
from layers.gaps.siting.costs import Floats, Ints, Pairs
from layers.gaps.siting.plans import PROVEN, TIME_LIMIT, TOO_LARGE

_TRIES = 10
_SEED = 20_261_122


@dataclass(frozen=True, eq=False)
class Cover:
    """Columns, the least number that is proven to be needed, and how the search ended."""

    columns: Ints
    bound: int
    ended: str


@dataclass(frozen=True, eq=False)
class Task:
    """`columns` are the positions that the columns of `pairs` had before the question was made smaller."""

    pairs: Pairs
    needs: Ints
    columns: Ints


def task(pairs: Pairs, needs: Ints, *, smaller: bool = True) -> Task:
    """`needs` counts columns for each row; no row needs more than it has.

    Making it `smaller` pays for a proof, and takes longer than a quick answer.
    """
    asking = pairs.only(needs[pairs.rows] > 0)
    if smaller and needs.max(initial=0) <= 1:
        kept, _, columns = merging.needed(asking)
        return Task(kept, np.ones(kept.shape[0], dtype=np.int64), columns)
    rows = np.flatnonzero(needs > 0)
    place = np.zeros(len(needs), dtype=np.int64)
    place[rows] = np.arange(len(rows))
    shape = (len(rows), pairs.shape[1])
    kept = Pairs(place[asking.rows], asking.columns, np.zeros(len(asking.rows)), shape)
    return Task(kept, needs[rows], np.arange(pairs.shape[1]))


def quick(todo: Task, *, enough: int = 2, tries: int = _TRIES) -> Ints:
    """Few columns, by their first positions: greedy, and again after taking some out.

    It stops at `enough`, and gives up at once where that is out of sight.
    """
    cover = _Greedy(todo)
    best = cover.finished(np.empty(0, dtype=np.int64))
    chance = np.random.default_rng(_SEED)
    for _ in range(tries):
        if len(best) <= enough or (enough > 2 and len(best) > 1.3 * enough + 1):
            break
        best = cover.retried(best, chance, 0.3)
    return np.sort(todo.columns[best])


def improved(todo: Task, columns: Ints, *, deadline: float) -> Ints:
    """A cover made smaller by taking some out and filling up again, as often as time allows."""
    cover = _Greedy(todo)
    best = np.flatnonzero(np.isin(todo.columns, columns))
    chance = np.random.default_rng(_SEED)
    while time.monotonic() < deadline:
        best = cover.retried(best, chance, 0.1 + 0.4 * chance.random())
    return np.sort(todo.columns[best])


def apart(todo: Task) -> int:
    """A number of columns that is needed: that of rows no two of which share a column."""
    pairs = todo.pairs
    order = np.lexsort((pairs.columns, pairs.rows))
    columns = pairs.columns[order]
    starts = np.searchsorted(pairs.rows[order], np.arange(pairs.shape[0] + 1))
    used = np.zeros(pairs.shape[1], dtype=bool)
    found = 0
    for row in np.argsort(np.diff(starts), kind="stable").tolist():
        own = columns[starts[row] : starts[row + 1]]
        if not used[own].any():
            used[own] = True
            found += int(todo.needs[row])
    return found


def fewest(todo: Task, columns: Ints, *, deadline: float, limit: int | None = None) -> Cover:
    """The fewest, beginning with some cover; with `limit`, only whether so few (or fewer) are enough.

    A bound above the limit is the proof that they are not.
    """
    low = apart(todo)
    cutoff = len(columns) if limit is None else limit + 1
    if low >= cutoff:
        return Cover(columns, min(low, len(columns)), PROVEN)
    model = solver.cover(todo.pairs, todo.needs, float(cutoff))
    if solver.is_too_large(model):
        return Cover(columns, low, TOO_LARGE)
    answer = solver.solved(model, deadline=deadline)
    if answer.x is not None:
        better = np.sort(todo.columns[answer.x > 0.5])
        columns = better if len(better) < len(columns) else columns
    if answer.is_done:
        return Cover(columns, cutoff if answer.x is None else len(columns), PROVEN)
    bound = max(low, int(answer.bound)) if np.isfinite(answer.bound) else low
    # HiGHS may have said "no" by its bound alone.
    return Cover(columns, min(bound, max(cutoff, len(columns))), TIME_LIMIT)


def needed(pairs: Pairs, needs: Ints, *, deadline: float) -> Cover:
    """The whole way, from the pairs to the proof."""
    todo = task(pairs, needs)
    columns = quick(todo)
    if time.monotonic() > deadline:
        return Cover(columns, apart(todo), TIME_LIMIT)
    return fewest(todo, columns, deadline=deadline)


class _Greedy:
    """Takes the column that serves most rows in need, lazily, and then leaves out what is needless."""

    def __init__(self, todo: Task) -> None:
        self._pairs, self._needs = todo.pairs, todo.needs
        self._sizes: Floats = np.diff(todo.pairs.starts).astype(float)

    def finished(self, begun: Ints) -> Ints:
        left = self._needs.copy()
        for j in begun.tolist():
            left[self._rows(j)] -= 1
        chosen = set(begun.tolist())
        waiting = [(-size, j) for j, size in enumerate(self._sizes.tolist()) if size and j not in chosen]
        heapq.heapify(waiting)
        missing = int(np.maximum(left, 0).sum())
        while missing:
            _, j = heapq.heappop(waiting)
            rows = self._rows(j)
            gain = int(np.count_nonzero(left[rows] > 0))
            if waiting and (-gain, j) > waiting[0]:
                heapq.heappush(waiting, (-gain, j))
                continue
            left[rows] -= 1
            missing -= gain
            chosen.add(j)
        return self._without_needless(sorted(chosen), left)

    def retried(self, best: Ints, chance: np.random.Generator, share: float) -> Ints:
        """The same cover, or another one that is not larger."""
        other = self.finished(best[chance.random(len(best)) > share])
        return other if len(other) <= len(best) else best

    def _without_needless(self, chosen: list[int], left: Ints) -> Ints:
        """Those that serve least go first; of equal ones the highest position."""
        kept = set(chosen)
        for j in sorted(chosen, key=lambda one: (self._sizes[one], -one)):
            rows = self._rows(j)
            if np.all(left[rows] < 0):
                left[rows] += 1
                kept.discard(j)
        return np.array(sorted(kept), dtype=np.int64)

    def _rows(self, j: int) -> Ints:
        return self._pairs.rows[self._pairs.at(j)]
