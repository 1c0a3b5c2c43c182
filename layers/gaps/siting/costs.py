"""Reads a table of costs and what else was asked into one checked form; unusable input gets a sentence."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from layers.gaps.siting.plans import (
    Advice,
    BadCapacity,
    BadNumber,
    BadRadius,
    BadTable,
    BadTimeLimit,
    BadWeight,
    NegativeCost,
    NoDemand,
    NoSites,
    NotNumbers,
    TooManySites,
    UnknownSite,
    WrongLength,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Table = Any
"""A dense array (inf and NaN are unreachable) or a SciPy sparse one (what is absent is unreachable)."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """The pairs of a row and a column that can serve each other, sorted by column and row; a cost each."""

    rows: Ints
    columns: Ints
    costs: Floats
    shape: tuple[int, int]

    @cached_property
    def starts(self) -> Ints:
        """Where each column begins; one more entry than columns."""
        return np.searchsorted(self.columns, np.arange(self.shape[1] + 1)).astype(np.int64)

    def only(self, keep: Flags) -> "Pairs":
        if bool(keep.all()):
            return self
        at = np.flatnonzero(keep)
        return Pairs(self.rows[at], self.columns[at], self.costs[at], self.shape)

    def of(self, columns: Ints) -> "Pairs":
        """The pairs of these columns alone; without looking at the others."""
        parts = [np.arange(self.starts[j], self.starts[j + 1]) for j in np.sort(columns).tolist()]
        at = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
        return Pairs(self.rows[at], self.columns[at], self.costs[at], self.shape)

    def at(self, column: int) -> slice:
        """Where the pairs of a column lie."""
        return slice(int(self.starts[column]), int(self.starts[column + 1]))

    def least(self) -> Floats:
        """The least cost of each row; inf where no column serves it."""
        found = np.full(self.shape[0], np.inf)
        np.minimum.at(found, self.rows, self.costs)
        return found

    @cached_property
    def depth(self) -> Ints:
        """How many columns serve each row."""
        return np.bincount(self.rows, minlength=self.shape[0])


@dataclass(frozen=True, eq=False)
class Question:
    """What was asked, checked. `pairs` are those within the radius; `nearest` knows no radius.

    Demand of no weight asks for nothing: `asks` tells which does, and `unreachable` of it no site reaches.
    """

    pairs: Pairs
    nearest: Floats
    weights: Floats
    fixed: Ints
    within: float

    @cached_property
    def asks(self) -> Flags:
        return self.weights > 0

    @cached_property
    def unreachable(self) -> Ints:
        return np.flatnonzero(self.asks & (self.pairs.depth == 0))

    @cached_property
    def dearest(self) -> Floats:
        """The greatest cost of each row within the radius; 0 where there is none."""
        found = np.zeros(self.pairs.shape[0])
        np.maximum.at(found, self.pairs.rows, self.pairs.costs)
        return found

    @property
    def free(self) -> int:
        """How many sites are not open yet."""
        return self.pairs.shape[1] - len(self.fixed)

    def advice(self) -> Advice | None:
        lost = self.unreachable
        if not len(lost):
            return None
        far = self.nearest[lost]
        some = far[np.isfinite(far)]
        return Advice(float(some.max()) if len(some) else None, _plain(lost[~np.isfinite(far)]))


def question(cost: Table, weights: Floats | None, *, within: float | None, fixed: Iterable[int]) -> Question:
    """Checks everything once. `weights` None counts each demand as 1."""
    radius = math.inf if within is None else _radius(within)
    pairs, nearest = (_sparse_pairs if sparse.issparse(cost) else _dense_pairs)(cost, radius)
    count, sites = pairs.shape
    if not count:
        raise NoDemand
    if not sites:
        raise NoSites
    return Question(
        pairs=pairs,
        nearest=nearest,
        weights=_weights(weights, count),
        fixed=_fixed(fixed, sites),
        within=radius,
    )


def totals(at: Ints, amounts: Floats, size: int) -> Floats:
    """The sum of the amounts at each position; NumPy's own answer for no amounts is whole numbers."""
    found: Floats = np.bincount(at, weights=amounts, minlength=size).astype(np.float64, copy=False)
    return found


def number(name: str, value: object, *, low: int) -> int:
    """A whole number, `low` or more."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
        raise BadNumber(name=name, value=value, low=low)
    return int(value)


def new_sites(p: object, asked: Question) -> int:
    count = number("p", p, low=0)
    if count > asked.free:
        raise TooManySites(p=count, count=asked.free)
    return count


def time_limit(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < math.inf:
        raise BadTimeLimit(value=value)
    return float(value)


def capacities(given: Iterable[float | None], sites: int) -> Floats:
    """One for each site; inf where none is stated (None, NaN)."""
    found = _as_many("capacity", values("capacity", given), sites)
    wrong = np.flatnonzero(found < 0)
    if len(wrong):
        raise BadCapacity(site=int(wrong[0]))
    return np.where(np.isnan(found), np.inf, found)


def _plain(positions: Ints) -> tuple[int, ...]:
    return tuple(positions.tolist())


def _radius(within: object) -> float:
    if isinstance(within, bool) or not isinstance(within, int | float | np.number) or not within >= 0:
        raise BadRadius(value=within)
    return float(within)


def dense(cost: object) -> Floats:
    """A table of numbers, or BadTable."""
    try:
        table = np.asarray(cost, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadTable from None
    if table.ndim != 2:
        raise BadTable
    return table


def _dense_pairs(cost: object, within: float) -> tuple[Pairs, Floats]:
    """The pairs within the radius, and what the nearest site of each place costs at any radius."""
    table = dense(cost)
    # fmin knows nothing of NaN, and a comparison with it is false.
    nearest = np.fmin.reduce(table, axis=1, initial=np.inf)
    if nearest.min(initial=0.0) < 0:
        place = int(np.argmin(nearest))
        raise NegativeCost(place=place, site=int(np.nanargmin(table[place])))
    is_near = table <= within if within < np.inf else table < np.inf
    columns, rows = np.nonzero(np.ascontiguousarray(is_near.T))
    return Pairs(rows, columns, table[rows, columns], (table.shape[0], table.shape[1])), nearest


def _sparse_pairs(cost: Any, within: float) -> tuple[Pairs, Floats]:
    if cost.ndim != 2 or cost.dtype.kind not in "biuf":
        raise BadTable
    table = sparse.csc_array(cost, dtype=np.float64, copy=True)
    table.sum_duplicates()
    columns = np.repeat(np.arange(table.shape[1]), np.diff(table.indptr))
    found = Pairs(table.indices.astype(np.int64), columns, table.data, (table.shape[0], table.shape[1]))
    wrong = np.flatnonzero(found.costs < 0)
    if len(wrong):
        raise NegativeCost(place=int(found.rows[wrong[0]]), site=int(found.columns[wrong[0]]))
    found = found.only(found.costs < np.inf)
    return found if within == np.inf else found.only(found.costs <= within), found.least()


def _weights(given: Floats | None, count: int) -> Floats:
    if given is None:
        return np.ones(count)
    found = _as_many("weights", given, count)
    wrong = np.flatnonzero(~(np.isfinite(found) & (found >= 0)))
    if len(wrong):
        raise BadWeight(place=int(wrong[0]))
    return found


def values(name: str, given: Iterable[float | None]) -> Floats:
    """Numbers in a row; None becomes NaN."""
    try:
        found = np.asarray(given if hasattr(given, "__array__") else list(given), dtype=np.float64)
    except (TypeError, ValueError):
        raise NotNumbers(name=name) from None
    return found


def _as_many(name: str, given: Floats, needed: int) -> Floats:
    if given.shape != (needed,):
        raise WrongLength(name=name, given=given.size, needed=needed)
    return given


def _fixed(positions: Iterable[int], sites: int) -> Ints:
    found = sorted({number("fixed", one, low=0) for one in positions})
    if found and found[-1] >= sites:
        raise UnknownSite(site=found[-1], last=sites - 1)
    return np.array(found, dtype=np.int64)
