"""How far new areas differ from those shown now: which land changes hands, and where most of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from layers.geo import Shapes
from layers.updates.known import Ground

Numbers = np.ndarray[Any, np.dtype[np.float64]]
_TOLERANCE_M = 20.0
_MANY = 200_000
"""Vertices from which shapes are compared without what is finer than the tolerance."""


@dataclass(frozen=True)
class Moved:
    """How one area changes, in km²: what it gains and loses."""

    code: str
    name: str
    gained_km2: float
    lost_km2: float


@dataclass(frozen=True)
class Difference:
    """`share` (0 to 1) of the ground that is covered before and after belongs to another area afterwards.

    `added_km2` is ground that no area covered before, `left_km2` what none covers any more. `largest` are the
    areas with most change, the largest first. Both sides are counted as if no two areas of a side overlapped.
    """

    share: float
    added_km2: float
    left_km2: float
    largest: tuple[Moved, ...]


def between(old: Ground, new: Ground, *, most: int = 5) -> Difference:
    """Compares two states of a kind of area; a code that stands on both sides is one area."""
    before, after = _simple(old.shapes), _simple(new.shapes)
    places = {code: at for at, code in enumerate(old.codes)}
    shared = np.zeros(len(after))
    kept = np.zeros(len(after))
    both = 0.0
    left, right = shapely.STRtree(before).query(after, predicate="intersects") if len(before) else ([], [])
    sizes = shapely.area(shapely.intersection(after[left], before[right])) if len(left) else np.zeros(0)
    for at, other, size in zip(left, right, sizes, strict=True):
        shared[at] += size
        both += size
        if places.get(new.codes[at]) == other:
            kept[at] += size
    now, was = shapely.area(after), shapely.area(before)
    share = max(0.0, 1 - kept.sum() / both) if both else 0.0
    return Difference(
        share=float(share),
        added_km2=float(max(0.0, now.sum() - both) / 1e6),
        left_km2=float(max(0.0, was.sum() - both) / 1e6),
        largest=_largest(new, places, now, was, kept, most),
    )


def _largest(
    new: Ground, places: Mapping[str, int], now: Numbers, was: Numbers, kept: Numbers, most: int
) -> tuple[Moved, ...]:
    found = [
        Moved(
            code,
            new.names[at],
            gained_km2=float(now[at] - kept[at]) / 1e6,
            lost_km2=float(was[places[code]] - kept[at]) / 1e6,
        )
        for at, code in enumerate(new.codes)
        if code in places
    ]
    found.sort(key=lambda moved: (-moved.gained_km2 - moved.lost_km2, moved.code))
    return tuple(moved for moved in found[:most] if moved.gained_km2 + moved.lost_km2 > 0.01)


def _simple(shapes: Shapes) -> Shapes:
    if shapely.get_num_coordinates(shapes).sum() < _MANY:
        return shapes
    simple: Shapes = shapely.make_valid(shapely.simplify(shapes, _TOLERANCE_M))
    return simple
