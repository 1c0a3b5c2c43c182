"""Opens so many sites that the greatest cost is least.

Only few rows decide (Chen and Handler 1987): the question is answered for some of them, the answer is looked
at from all, and the rows that fare worst join, until nobody fares worse than those looked at. What is proven
for some rows is a bound for all. For some rows it is a search over the costs that occur, a cover at each.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from layers.gaps.siting import covers
from layers.gaps.siting.costs import Floats, Ints, Pairs
from layers.gaps.siting.plans import PROVEN, QUICK, TIME_LIMIT

_QUICK_ROUNDS = 12


@dataclass(frozen=True, eq=False)
class Centre:
    """Columns, the greatest cost with them, the least that is possible, and how the search ended."""

    columns: Ints
    value: float
    bound: float
    ended: str


@dataclass(frozen=True, eq=False)
class _Tried:
    """A cover with few enough columns (None: none was found); `is_no` says that there is none."""

    columns: Ints | None
    is_no: bool
    ended: str = QUICK


_Try = Callable[[Pairs, float], _Tried]


def centre(
    pairs: Pairs,
    base: Floats,
    count: int,
    *,
    start: Ints | None = None,
    deadline: float | None,
    tell: Callable[[Centre], None] | None = None,
) -> Centre | None:
    """`base` is what each row costs already (inf: nothing serves it); every row is to be served.

    `start` is a choice that serves every row, if one is known. Without a deadline the answer is the quick
    one. None: no choice is known that serves every row.
    """
    search = _Search(pairs, base, count)
    if not search.begun(start):
        return None
    search.run(search.quickly, rounds=_QUICK_ROUNDS)
    if deadline is None or search.floor >= search.value:
        return search.found(QUICK)
    if tell:
        tell(search.found(QUICK))
    return search.found(search.run(search.exactly(deadline), deadline=deadline, tell=tell))


class _Search:
    """The best choice so far, the floor under every choice, and the rows that are looked at."""

    def __init__(self, pairs: Pairs, base: Floats, count: int) -> None:
        self.pairs, self.base, self.count = pairs.only(pairs.costs < base[pairs.rows]), base, count
        self.nearest = np.minimum(self.pairs.least(), base)
        self.floor = float(self.nearest.max(initial=0.0))
        self.value = np.inf
        self.columns: Ints = np.empty(0, dtype=np.int64)
        self._looked_at = np.zeros(len(base), dtype=bool)

    def found(self, ended: str) -> Centre:
        return Centre(self.columns, self.value, self.floor, ended)

    def begun(self, start: Ints | None) -> bool:
        """Whether some choice serves every row; what costs more than it is of no interest any more."""
        self._take(self._spread() if start is None else start)
        if not np.isfinite(self.value):
            far = float(self.pairs.costs.max(initial=self.floor))
            self._take(covers.quick(self._cover(self.pairs, far), enough=self.count))
        self.pairs = self.pairs.only(self.pairs.costs <= self.value)
        return bool(np.isfinite(self.value))

    def run(
        self,
        attempt: _Try,
        *,
        rounds: int | None = None,
        deadline: float = np.inf,
        tell: Callable[[Centre], None] | None = None,
    ) -> str:
        """Rounds of answering for some rows and looking from all; how that ended."""
        level, done = self.floor, 0
        while level < self.value:
            if rounds is not None and done >= rounds:
                return QUICK
            if time.monotonic() > deadline:
                return TIME_LIMIT
            done += 1
            some = self.pairs.only(self._looked_at[self.pairs.rows])
            level, tried = self._least(some, level, attempt)
            if tried.columns is None:
                return tried.ended
            self._look(tried.columns, level)
            if tell:
                tell(self.found(QUICK))
        return PROVEN

    def quickly(self, some: Pairs, within: float) -> _Tried:
        todo = self._cover(some, within, smaller=False)
        if covers.apart(todo) > self.count:
            return _Tried(None, is_no=True)
        columns = covers.quick(todo, enough=self.count, tries=2)
        # For one column the quick cover is exact: it begins with the largest.
        return _Tried(columns if len(columns) <= self.count else None, is_no=self.count <= 1)

    def exactly(self, deadline: float) -> _Try:
        def attempt(some: Pairs, within: float) -> _Tried:
            todo = self._cover(some, within)
            begun = covers.quick(todo, enough=self.count)
            if len(begun) <= self.count:
                return _Tried(begun, is_no=False)
            cover = covers.fewest(todo, begun, deadline=deadline, limit=self.count)
            enough = len(cover.columns) <= self.count
            return _Tried(cover.columns if enough else None, cover.bound > self.count, cover.ended)

        return attempt

    def _least(self, some: Pairs, level: float, attempt: _Try) -> tuple[float, _Tried]:
        """The least cost, not below the level, at which the attempt succeeds for these rows."""
        own = self.base[self._looked_at]
        seen = np.concatenate([some.costs, own, [level, self.value]])
        costs = np.unique(seen[(seen >= level) & (seen <= self.value)])
        low, high = 0, len(costs) - 1
        best = _Tried(self.columns, is_no=False)
        middle = 0
        while low < high:
            tried = attempt(some, float(costs[middle]))
            if tried.columns is not None:
                high, best = middle, tried
            elif tried.is_no:
                low = middle + 1
                self.floor = max(self.floor, float(costs[low]))
            elif tried.ended == QUICK:
                low = middle + 1
            else:
                return level, tried
            middle = (low + high) // 2
        return float(costs[low]), best

    def _look(self, columns: Ints, level: float) -> None:
        """From all rows: the worst of each column, if worse than the level, is looked at from now on."""
        now, owner = self._served(columns)
        if float(now.max(initial=0.0)) < self.value:
            self._take(columns)
        worse = np.flatnonzero(now > level)
        order = worse[np.lexsort((worse, -now[worse], owner[worse]))]
        _, first = np.unique(owner[order], return_index=True)
        self._looked_at[order[first]] = True

    def _served(self, columns: Ints) -> tuple[Floats, Ints]:
        """What each row costs, and the column that it goes to; -1 for what it costs already."""
        now, owner = self.base.copy(), np.full(len(self.base), -1)
        for j in columns.tolist():
            part = self.pairs.at(j)
            rows, costs = self.pairs.rows[part], self.pairs.costs[part]
            wins = costs < now[rows]
            now[rows[wins]] = costs[wins]
            owner[rows[wins]] = j
        return now, owner

    def _spread(self) -> Ints:
        """The row that is worst off gets its nearest site, in turn; these rows are the first looked at."""
        is_nearest = self.pairs.costs == self.nearest[self.pairs.rows]
        site = np.full(len(self.base), -1)
        # The lowest position is written last and stays.
        site[self.pairs.rows[is_nearest][::-1]] = self.pairs.columns[is_nearest][::-1]
        now, chosen = self.base.copy(), set[int]()
        for _ in range(self.count):
            worst = int(np.argmax(now))
            self._looked_at[worst] = True
            if site[worst] < 0 or int(site[worst]) in chosen:
                break
            chosen.add(int(site[worst]))
            part = self.pairs.at(int(site[worst]))
            rows = self.pairs.rows[part]
            now[rows] = np.minimum(now[rows], self.pairs.costs[part])
        return np.array(sorted(chosen), dtype=np.int64)

    def _cover(self, some: Pairs, within: float, *, smaller: bool = True) -> covers.Task:
        """The rows of `some` that need a column within this."""
        near = some.only(some.costs <= within)
        asking = np.zeros(len(self.base), dtype=bool)
        asking[some.rows] = True
        return covers.task(near, (asking & (self.base > within)).astype(np.int64), smaller=smaller)

    def _take(self, columns: Ints) -> None:
        if len(columns) > self.count:
            return
        value = float(self._served(columns)[0].max(initial=0.0))
        if value < self.value:
            self.columns, self.value = columns, value
