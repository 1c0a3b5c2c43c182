"""Ground cut into quarters, and these again, until little enough lies in each: a map for dividing work.

Where the cuts fall depends on the data alone. Whoever goes down from the whole, or from any quarter of it,
comes to the same smallest quarters with the same shapes in them to the last bit; so that any of them may be
handed to somebody else, who goes on cutting.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log2
from typing import Any

import numpy as np
import shapely

from layers.geo import Shapes
from layers.snapshot import Numbers, Ordinals

ENOUGH = 100_000
"""So many rows and corners are not divided further. Another number is another rounding.

A country of 20,000 areas has twelve such quarters, and takes a tenth more of the processors than in one
piece; with 12,000 it takes two thirds more.
"""
_LEAST_M = 64.0
_REPEATED = 1.6
"""A cut that would repeat more than this share of what it divides divides nothing."""


@dataclass(frozen=True, eq=False)
class Cover:
    """Polygons (k) with the number of whatever each is a part of (k)."""

    shapes: Shapes
    of: Ordinals

    def __len__(self) -> int:
        return len(self.shapes)


@dataclass(frozen=True, eq=False)
class Rows:
    """People: metric points (n × 2), persons (n), their squares (n × 4; west, south, east, north; None for
    points), and by kind of zone the number of the zone of each (n)."""

    points: Numbers
    people: Numbers
    squares: Numbers | None
    zones: Mapping[str, Ordinals]

    def __len__(self) -> int:
        return len(self.points)

    def at(self, wanted: Any) -> "Rows":
        return Rows(
            self.points[wanted],
            self.people[wanted],
            None if self.squares is None else self.squares[wanted],
            {kind: numbers[wanted] for kind, numbers in self.zones.items()},
        )


@dataclass(frozen=True, eq=False)
class Quarter:
    """A square of the ground: the rows whose point lies in it, and all shapes of `covers` around it.

    West and south belong to it, east and north to the next. Shapes are cut off `margin_m` outside of it: as
    far as the squares of its rows reach. Whatever holds all of it stands there once.
    """

    west: float
    south: float
    side: float
    margin_m: float
    enough: int
    rows: Rows
    covers: Mapping[str, Cover]

    @property
    def weight(self) -> int:
        """How much there is to do: rows, and corners of shapes."""
        corners = sum(int(shapely.get_num_coordinates(one.shapes).sum()) for one in self.covers.values())
        return len(self.rows) + corners

    @property
    def frame(self) -> tuple[float, float, float, float]:
        """West, south, east and north of the square itself."""
        return self.west, self.south, self.west + self.side, self.south + self.side


def whole(rows: Rows, covers: Mapping[str, Cover]) -> Quarter:
    """The quarter that holds everything; rows without a place are in none."""
    placed = rows.at(np.isfinite(rows.points).all(axis=1))
    found = [shapely.bounds(one.shapes) for one in covers.values() if len(one)]
    boxes = np.vstack([*found, np.hstack([placed.points, placed.points]), np.empty((0, 4))])
    low = boxes[:, :2].min(axis=0, initial=np.inf)
    high = boxes[:, 2:].max(axis=0, initial=-np.inf)
    if not len(boxes):
        low, high = np.zeros(2), np.zeros(2)
    west, south = float(floor(low[0])), float(floor(low[1]))
    wide = max(float(high[0]) - west, float(high[1]) - south, 1.0)
    side = 2.0 ** ceil(log2(wide + 1))  # Halves of a power of two are exact.
    sizes = np.empty(0) if placed.squares is None else placed.squares[:, 2] - placed.squares[:, 0]
    margin_m = float(np.nan_to_num(sizes).max(initial=0)) / 2
    return Quarter(west, south, side, margin_m, ENOUGH, placed, covers)


def parts(quarter: Quarter, size: int) -> Iterator[Quarter]:
    """Quarters with a weight of at most `size`, as far as they can be divided; neighbours follow each other.

    None is smaller than what `leaves` comes to.
    """
    return _down(quarter, max(size, quarter.enough))


def leaves(quarter: Quarter) -> Iterator[Quarter]:
    """The smallest quarters: always the same ones, from wherever one starts."""
    return _down(quarter, quarter.enough)


def _down(quarter: Quarter, most: int) -> Iterator[Quarter]:
    weight = quarter.weight
    if weight <= most or quarter.side <= max(_LEAST_M, 4 * quarter.margin_m):
        if weight:
            yield quarter
        return
    four = _quartered(quarter)
    if sum(one.weight for one in four) > _REPEATED * weight:
        yield quarter
        return
    for one in four:
        yield from _down(one, most)


def _quartered(quarter: Quarter) -> list[Quarter]:
    half = quarter.side / 2
    is_east = quarter.rows.points[:, 0] >= quarter.west + half
    is_north = quarter.rows.points[:, 1] >= quarter.south + half
    found = []
    for north in (False, True):
        for east in (False, True):
            west, south = quarter.west + half * east, quarter.south + half * north
            frame = _grown((west, south, west + half, south + half), quarter.margin_m)
            found.append(
                Quarter(
                    west,
                    south,
                    half,
                    quarter.margin_m,
                    quarter.enough,
                    quarter.rows.at((is_east == east) & (is_north == north)),
                    {name: cut(one, frame) for name, one in quarter.covers.items()},
                )
            )
    return found


def _grown(frame: Sequence[float], margin_m: float) -> tuple[float, float, float, float]:
    west, south, east, north = frame
    return west - margin_m, south - margin_m, east + margin_m, north + margin_m


def cut(cover: Cover, frame: Sequence[float]) -> Cover:
    """What of the polygons lies in a frame; of those of one owner that fill it, one."""
    boxes = shapely.bounds(cover.shapes)
    west, south, east, north = frame
    near = (boxes[:, 0] < east) & (boxes[:, 2] > west) & (boxes[:, 1] < north) & (boxes[:, 3] > south)
    inner = (boxes[:, 0] >= west) & (boxes[:, 2] <= east) & (boxes[:, 1] >= south) & (boxes[:, 3] <= north)
    over = np.flatnonzero(near & ~inner)
    box = shapely.box(west, south, east, north)
    pieces, piece_of = shapely.get_parts(shapely.intersection(cover.shapes[over], box), return_index=True)
    pieces, deeper = shapely.get_parts(pieces, return_index=True)
    piece_of = piece_of[deeper]
    ground = np.isin(shapely.get_type_id(pieces), (3, 6)) & (shapely.area(pieces) > 0)
    pieces, owner = pieces[ground], cover.of[over[piece_of[ground]]]
    once = _once(pieces, owner, box)
    kept = np.flatnonzero(inner)
    return Cover(
        np.concatenate([cover.shapes[kept], pieces[once]]), np.concatenate([cover.of[kept], owner[once]])
    )


def _once(pieces: Shapes, owner: Ordinals, box: Any) -> Any:
    """All pieces, but of those that fill the box only the first of every owner."""
    fills = np.flatnonzero(shapely.area(pieces) == box.area)
    kept = np.ones(len(pieces), dtype=np.bool_)
    kept[fills] = False
    kept[fills[np.unique(owner[fills], return_index=True)[1]]] = True
    return kept
