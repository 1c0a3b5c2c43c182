"""How long the way takes from every unit to everybody whom it can reach: one value for every engine."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from layers.gaps.demand import Demand
from layers.gaps.supply import Units
from layers.snapshot import Numbers, Ordinals


@dataclass(frozen=True, eq=False)
class Reach:
    """Units × demand, kept by rows of demand: row i has the entries `starts[i]:starts[i + 1]`.

    `unit` are positions of units, `minutes` from alarm to arrival (turnout and way), `metres` straight; the
    soonest unit of a row stands first, ties by position. Only what takes at most `within_min` is kept.
    `engine` names how the way was found, in a word that is a key of translation. `way_m` are the metres of
    the way, an estimate; None where the engine tells only times.
    """

    starts: Ordinals
    unit: Ordinals
    minutes: Numbers
    metres: Numbers
    units: int
    within_min: float
    engine: str
    way_m: Numbers | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    def kth_min(self, k: int = 1) -> Numbers:
        """Minutes until the k-th unit arrives (n); infinite where fewer than k can."""
        there = np.diff(self.starts) >= k
        found = np.full(len(self), np.inf)
        found[there] = self.minutes[self.starts[:-1][there] + k - 1]
        return found

    def kth_unit(self, k: int = 1) -> Ordinals:
        """The position of the k-th unit that arrives (n); -1 where fewer than k can."""
        there = np.diff(self.starts) >= k
        found = np.full(len(self), -1, dtype=np.int32)
        found[there] = self.unit[self.starts[:-1][there] + k - 1]
        return found

    def count(self, within_min: float) -> Ordinals:
        """How many units arrive in time (n).

        Raises:
            ValueError: `within_min` is more than what was kept.
        """
        if within_min > self.within_min:
            raise ValueError(f"Only ways up to {self.within_min} minutes were kept.")
        rows = np.repeat(np.arange(len(self)), np.diff(self.starts))
        return np.bincount(rows[self.minutes <= within_min], minlength=len(self)).astype(np.int32)


class Travel(Protocol):
    """An engine: a straight line with a detour, a road network, or an imported matrix."""

    @property
    def engine(self) -> str:
        """A word for how ways are found."""

    def reach(self, units: Units, demand: Demand, *, within_min: float) -> Reach:
        """Who is reached by whom within so many minutes of the alarm."""


def gathered(
    rows: Any,
    unit: Any,
    minutes: Any,
    metres: Any,
    *,
    demand: int,
    units: int,
    within_min: float,
    engine: str,
    way_m: Any = None,
) -> Reach:
    """Loose entries, one row each, in the order of Reach; what takes longer than `within_min` falls out."""
    rows, unit = np.asarray(rows, dtype=np.int32), np.asarray(unit, dtype=np.int32)
    minutes, metres = np.asarray(minutes, dtype=float), np.asarray(metres, dtype=float)
    kept = np.flatnonzero(minutes <= within_min)
    order = kept[np.lexsort((unit[kept], minutes[kept], rows[kept]))]
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows[order], minlength=demand))]).astype(np.int32)
    way_m = None if way_m is None else np.asarray(way_m, dtype=float)[order]
    return Reach(starts, unit[order], minutes[order], metres[order], units, within_min, engine, way_m)
