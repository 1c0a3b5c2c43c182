"""A proven lower bound for a sum of costs, by Lagrangian relaxation, and what it says of single columns.

Each row pays a price λ; a column collects Σ min(0, cost − λ); the best `count` columns with Σ λ are a bound
for any prices ≥ 0 that do not exceed the base. Prices start between the cheapest and the second cheapest open
cost and move in steps scaled by row: a textbook start (0, one step for all) stays 25 % below. A column that
would lift the bound over the best known sum is out of every better plan, or in it where its absence would.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from layers.gaps.siting import sums
from layers.gaps.siting.costs import Flags, Floats, Ints, totals
from layers.gaps.siting.sums import Task

_ROUNDS = 600
_PATIENCE = 15
_LEAST_STEP = 0.002
_MOST_TRIES = 25
_SMALL = 700


@dataclass(frozen=True, eq=False)
class Bounded:
    """The bound, the best columns known, and the columns that are out of or in every better choice."""

    bound: float
    columns: Ints
    value: float
    out: Flags
    into: Flags


def bounded(
    todo: Task, columns: Ints, *, deadline: float, tell: Callable[[Ints, float], None] | None = None
) -> Bounded:
    """Raises the bound until it meets the best sum, stops rising, or time (`time.monotonic`) is over."""
    search = _Search(todo, columns)
    step, waited, tries = 1.0, 0, 0
    for _ in range(_ROUNDS):
        chosen, value, slope = search.priced()
        if search.improved(value):
            waited = 0
        else:
            waited += 1
        if waited == 0 and tries < _MOST_TRIES and search.tried(chosen):
            tries += 1
            if tell:
                tell(search.columns, search.bound)
        if waited >= _PATIENCE:
            step, waited = step / 2, 0
        over = step < _LEAST_STEP or (step < 0.2 and search.is_small)
        if over or search.is_done or time.monotonic() > deadline:
            break
        search.move(value, slope, step)
    return Bounded(min(search.bound, search.value), search.columns, search.value, search.out, search.into)


class _Search:
    """Prices and what is known so far."""

    def __init__(self, todo: Task, columns: Ints) -> None:
        near = sums.nearest(todo, columns)
        self.todo, self.columns, self.value = todo, columns, todo.value(columns)
        self.bound = -np.inf
        width = todo.pairs.shape[1]
        self.out, self.into = np.zeros(width, dtype=bool), np.zeros(width, dtype=bool)
        self._prices = np.where(near.owner >= 0, (near.first + near.second) / 2, near.first)
        served = near.second[~todo.must | (near.second < todo.base)]
        usual = float(served.mean()) if len(served) else 1.0
        # Without the cap, a row with one way only would pay for being "not served".
        reach = np.zeros(len(todo.base))
        np.maximum.at(reach, todo.pairs.rows, todo.pairs.costs)
        dearest = np.where(todo.must, np.minimum(todo.base, 2 * reach + usual), todo.base)
        self._most = np.where(
            todo.must, np.minimum(dearest, 4 * np.minimum(near.second, reach) + 4 * usual), todo.base
        )
        self._prices = np.minimum(self._prices, self._most)
        self._scale = np.minimum(near.second, self._most) + 0.1 * usual
        self._pairs = todo.pairs.only(todo.pairs.costs < self._most[todo.pairs.rows])
        self._shrunk_at = width
        self._seen: set[bytes] = set()
        self._last: Floats = np.zeros(len(todo.base))

    @property
    def is_done(self) -> bool:
        return self.bound >= self.value - self.todo.tolerance(self.value) or (
            self.todo.whole and self.bound > self.value - 1 + 1e-6
        )

    def priced(self) -> tuple[Ints, float, Floats]:
        """The best columns at these prices, the bound that follows, and how it changes with each price."""
        self._shrink()
        pairs, prices = self._pairs, self._prices
        below = np.flatnonzero(pairs.costs < prices[pairs.rows])
        rows, columns = pairs.rows[below], pairs.columns[below]
        width = pairs.shape[1]
        reduced = totals(columns, pairs.costs[below] - prices[rows], width)
        order = np.argsort(reduced, kind="stable")
        chosen = order[: self.todo.count]
        value = float(prices.sum() + reduced[chosen].sum())
        self._rule_out(value, reduced, order)
        is_chosen = np.zeros(width, dtype=bool)
        is_chosen[chosen] = True
        taken = is_chosen[columns]
        slope = 1.0 - totals(rows[taken], np.ones(int(taken.sum())), len(prices))
        return chosen, value, slope

    def improved(self, value: float) -> bool:
        better = value > self.bound + 1e-7 * abs(value)
        self.bound = max(self.bound, value)
        return better

    def tried(self, chosen: Ints) -> bool:
        """Whether the columns of the bound lead to a better choice."""
        key = np.sort(chosen).tobytes()
        if key in self._seen:
            return False
        self._seen.add(key)
        if self.todo.value(chosen) > 1.2 * self.value:
            return False
        better = sums.swapped(self.todo, chosen)
        value = self.todo.value(better)
        if value < self.value - self.todo.tolerance(value):
            self.columns, self.value = better, value
            return True
        return False

    def _shrink(self) -> None:
        """What is out needs no look any more; a bound without it still is one for whatever is better."""
        left = int(np.count_nonzero(~self.out))
        if left <= 0.7 * self._shrunk_at:
            self._shrunk_at = left
            self._pairs = self._pairs.only(~self.out[self._pairs.columns])

    @property
    def is_small(self) -> bool:
        """Whether the solver is the shorter way from here."""
        return self._shrunk_at < len(self.out) and len(self._pairs.rows) <= _SMALL

    def move(self, value: float, slope: Floats, step: float) -> None:
        way = slope + 0.3 * self._last
        self._last = way
        size = float((self._scale * slope * way).sum())
        size = size if size > 0 else float((self._scale * slope * slope).sum())
        if size <= 0:
            return
        ahead = step * max(self.value - value, 1e-9 * abs(self.value)) / size
        self._prices = np.clip(self._prices + ahead * self._scale * way, 0, self._most)

    def _rule_out(self, value: float, reduced: Floats, order: Ints) -> None:
        """A sum below `limit` would be better than the best known one."""
        count = self.todo.count
        limit = self.value - 1 + 1e-6 if self.todo.whole else self.value - self.todo.tolerance(self.value)
        if not 0 < count < len(order):
            return
        chosen, rest = order[:count], order[count:]
        self.out[rest[value + reduced[rest] - reduced[chosen[-1]] >= limit]] = True
        self.into[chosen[value - reduced[chosen] + reduced[rest[0]] >= limit]] = True
