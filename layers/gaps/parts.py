"""How a question is asked part by part: in a row here, or by worker processes elsewhere (`cluster`).

A question is one function `work(common, part)` that depends on these two alone: its answer may not depend on
how the rest was divided. Then the answers are the same numbers to the last bit whoever gives them, in
whatever number of parts; what is added up over parts is added exactly (`math.fsum`), so that the order in
which it comes makes no difference either.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from layers.gaps.demand import Demand
from layers.snapshot import Numbers

Common = TypeVar("Common")
Part = TypeVar("Part")
Answer = TypeVar("Answer")

WHOLE = 2**62
_BITS = 16


class Runner(Protocol):
    """Who does the work. `size` is how much one part may hold: rows of people and corners of shapes."""

    @property
    def size(self) -> int:
        """The most that a part holds, as far as what it holds can be divided."""

    def each(
        self, work: Callable[[Common, Part], Answer], common: Common, parts: Iterable[Part]
    ) -> Iterator[Answer]:
        """The answer to every part, in the order of the parts."""


@dataclass(frozen=True)
class InARow:
    """In this process, one part after the other; without a size everything is one part."""

    size: int = WHOLE

    def each(
        self, work: Callable[[Common, Part], Answer], common: Common, parts: Iterable[Part]
    ) -> Iterator[Answer]:
        return (work(common, part) for part in parts)


EMBEDDED = InARow()


def near_each_other(points: Numbers) -> Any:
    """The positions of metric points (n × 2) along a curve that stays among neighbours (Z-order).

    Points without a place come last.
    """
    there = np.isfinite(points).all(axis=1)
    found = np.full(len(points), np.iinfo(np.uint64).max, dtype=np.uint64)
    if there.any():
        low = points[there].min(axis=0)
        step = max(float((points[there].max(axis=0) - low).max()), 1.0) / (2**_BITS - 1)
        cells = ((points[there] - low) / step).astype(np.uint64)
        found[there] = _spread(cells[:, 0]) | (_spread(cells[:, 1]) << np.uint64(1))
    return np.argsort(found, kind="stable")


def _spread(number: Any) -> Any:
    """The bits of whole numbers, with an empty one after each."""
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        number = (number | (number << np.uint64(shift))) & np.uint64(mask)
    return number


def runs(count: int, size: int) -> list[tuple[int, int]]:
    """From where to where each part goes, when `count` rows are cut into runs of at most `size`."""
    size = max(size, 1)
    return [(at, min(at + size, count)) for at in range(0, count, size)]


def rows_of(demand: Demand, at: Any) -> Demand:
    """The rows of people at some positions, in that order, without the names that only pages need."""
    return Demand(
        basis=demand.basis,
        keys=tuple(demand.keys[i] for i in at),
        names=("",) * len(at),
        points=demand.points[at],
        people=demand.people[at],
        density_km2=demand.density_km2[at],
        zones={},
        estimated=demand.estimated[at],
    )
