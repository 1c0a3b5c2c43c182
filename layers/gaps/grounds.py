"""Which land a point lies on: what water parts, a straight line must not join.

Land is what the instance draws as area of the kind "land"; two pieces of it are one ground where a causeway
joins them. A ferry joins nothing. Water inside a piece (a lake that the layer does not cut out) is not seen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sqlalchemy.orm import Session

from layers import geo, places, store
from layers.errors import N_, Invalid
from layers.gaps.assumptions import Causeway
from layers.snapshot import Flags, Numbers, Ordinals

KIND = "land"
UNKNOWN = -1
TOLERANCE_M = 1000.0
"""How far beside the land a point may lie and still belong to it.

The middle of a square of 1 km with people on its shore lies at most 707 m from it, and the point of a
settlement off a simplified coast up to 400 m in Estonia."""
_VERTICES = 128


class CausewayNowhere(Invalid):
    text = N_("The causeway “{name}” does not end on land: write a point on each of the two lands.")


@dataclass(frozen=True, eq=False)
class Grounds:
    """The pieces of all land, cut small, each with the number of its ground; the largest ground is 0."""

    pieces: geo.Shapes
    ground: Ordinals
    tree: shapely.STRtree
    tolerance_m: float

    def of(self, points: Numbers) -> Ordinals:
        """The ground of metric points (n × 2): the nearest within the tolerance, else `UNKNOWN`."""
        found = np.full(len(points), UNKNOWN, dtype=np.int32)
        there = np.flatnonzero(np.isfinite(points).all(axis=1))
        spots = shapely.points(points[there])
        at, piece = self.tree.query(spots, predicate="intersects")
        found[there[at]] = self.ground[piece]
        left = there[found[there] == UNKNOWN]
        at, piece = self.tree.query_nearest(
            shapely.points(points[left]), max_distance=self.tolerance_m, all_matches=False
        )
        found[left[at]] = self.ground[piece]
        return found

    def over_water(self, starts: Numbers, ends: Numbers) -> Numbers:
        """The share of each straight line (n) that lies over water, 0 to 1; NaN where no land is known.

        share = 1 − length(line ∩ land) ÷ length(line), metres ÷ metres; 0 for a line without length.
        """
        if not len(self.pieces):
            return np.full(len(starts), np.nan)
        lines: Any = shapely.linestrings(np.stack([starts, ends], axis=1))
        at, piece = self.tree.query(lines, predicate="intersects")
        within_m = shapely.length(shapely.intersection(lines[at], self.pieces[piece]))
        on_land_m = np.bincount(at, within_m, minlength=len(lines))
        length_m = shapely.length(lines)
        share = 1 - np.divide(on_land_m, length_m, out=np.ones(len(lines)), where=length_m > 0)
        # A line along the cut between two pieces is counted in both; and what is left of rounding is nothing.
        return np.where(share < 1e-9, 0.0, share)


def parted(one: Ordinals, other: Ordinals) -> Flags:
    """Where water parts two points: both grounds are known, and differ."""
    found: Flags = (one != other) & (one != UNKNOWN) & (other != UNKNOWN)
    return found


def of_store(
    session: Session, causeways: Sequence[Causeway], *, as_of: date, tolerance_m: float = TOLERANCE_M
) -> Grounds:
    """The grounds of the instance; without an area of the kind "land" every ground is unknown.

    Raises:
        CausewayNowhere: an end of a causeway lies farther from every land than the tolerance.
    """
    srid = store.srid_of(session)
    found = [shape for _, shape in places.shapes(session, KIND, as_of=as_of)]
    land = geo.to_metric(found, srid=srid) if found else np.empty(0, dtype=object)
    return of_land(land, causeways, srid=srid, tolerance_m=tolerance_m)


def of_land(
    land: Sequence[shapely.Geometry] | geo.Shapes,
    causeways: Sequence[Causeway] = (),
    *,
    srid: int,
    tolerance_m: float = TOLERANCE_M,
) -> Grounds:
    """The grounds of metric polygons; parts that touch are one land.

    Raises:
        CausewayNowhere: an end of a causeway lies farther from every land than the tolerance.
    """
    parts = shapely.get_parts(shapely.union_all(land)) if len(land) else np.empty(0, dtype=object)
    cut = [(piece, at) for at, part in enumerate(parts) for piece in _pieces(part)]
    pieces = np.array([piece for piece, _ in cut], dtype=object)
    part_of = np.array([at for _, at in cut], dtype=np.int32)
    apart = Grounds(pieces, part_of, shapely.STRtree(pieces), tolerance_m)
    if not len(parts) or not causeways:
        joined = np.empty((0, 2), dtype=np.int32)
    else:
        ends = geo.to_metric([shapely.Point(end) for road in causeways for end in road.ends], srid=srid)
        joined = apart.of(shapely.get_coordinates(ends)).reshape(-1, 2)
        for road, pair in zip(causeways, joined, strict=True):
            if UNKNOWN in pair:
                raise CausewayNowhere(name=road.name)
    number = _numbered(joined, shapely.area(parts))
    return Grounds(pieces, number[part_of], apart.tree, tolerance_m)


def _numbered(joined: Ordinals, sizes_m2: Numbers) -> Ordinals:
    """The number of the ground of every part: those that are joined share one, the largest has 0."""
    n = len(sizes_m2)
    if not n:
        return np.empty(0, dtype=np.int32)
    links = coo_array((np.ones(len(joined)), (joined[:, 0], joined[:, 1])), shape=(n, n))
    count, group = connected_components(links, directed=False)
    rank = np.argsort(-np.bincount(group, sizes_m2, minlength=count), kind="stable")
    place: Ordinals = np.empty(count, dtype=np.int32)
    place[rank] = np.arange(count, dtype=np.int32)
    return np.asarray(place[group], dtype=np.int32)


def _pieces(shape: Any) -> Iterator[shapely.Polygon]:
    """A polygon cut into pieces of few corners: what asks a piece need not look at the whole coast."""
    if shapely.get_num_coordinates(shape) <= _VERTICES:
        yield shape
        return
    west, south, east, north = shape.bounds
    if east - west > north - south:
        middle = (west + east) / 2
        halves = [shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)]
    else:
        middle = (south + north) / 2
        halves = [shapely.box(west, south, east, middle), shapely.box(west, middle, east, north)]
    for half in halves:
        for part in shapely.get_parts(shapely.intersection(shape, half)):
            if shapely.get_type_id(part) == shapely.GeometryType.POLYGON:
                yield from _pieces(part)
