"""Shapes as files hold them: longitude first, the right-hand rule, and none that runs around the earth.

An area that lies on both sides of the 180th meridian is cut there (RFC 7946, 3.1.9): drawn as it stands, it
would cover everything but itself. Coordinates are rounded to a tenth of a millimetre.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.affinity import translate

from layers.exports.plain import DIGITS, Shapes

_AROUND = 360.0


def points(places: list[Any]) -> Shapes:
    """Points of places with `lon` and `lat`; None where a place is None."""
    found = [None if place is None else shapely.Point(place.lon, place.lat) for place in places]
    return np.array([None, *found], dtype=object)[1:]  # Or numpy would look into the points.


def areas(shapes: Shapes) -> Shapes:
    """Polygons in degrees as multipolygons that any reader understands alike."""
    found = np.array([None, *(_cut(shape) for shape in shapes)], dtype=object)[1:]
    found = shapely.orient_polygons(found, exterior_cw=False)
    return np.asarray(shapely.transform(found, lambda ends: ends.round(DIGITS)), dtype=object)


def _cut(shape: Any) -> Any:
    """A multipolygon, cut at the 180th meridian where it crosses it."""
    parts = shapely.get_parts(shape)
    west, _, east, _ = shapely.bounds(parts).T
    if not (east - west > _AROUND / 2).any():
        return shapely.multipolygons(parts)
    pieces = [piece for part in parts for piece in shapely.get_parts(_halves(part))]
    return shapely.multipolygons([piece for piece in pieces if piece.geom_type == "Polygon"])


def _halves(polygon: Any) -> Any:
    """What lies on each side of the meridian, each where it belongs."""
    shell = shapely.Polygon(_unrolled(shapely.get_coordinates(polygon.exterior)))
    holes = [_unrolled(shapely.get_coordinates(ring)) for ring in polygon.interiors]
    whole = shapely.Polygon(shell.exterior, [_into(shell, hole) for hole in holes])
    west, _, east, _ = whole.bounds
    turns = range(int((west + 180) // _AROUND), int((east + 180) // _AROUND) + 1)
    found = []
    for turn in turns:
        world = shapely.box(turn * _AROUND - 180, -90, turn * _AROUND + 180, 90)
        found.append(translate(shapely.intersection(shapely.make_valid(whole), world), -turn * _AROUND))
    return shapely.geometrycollections([part for one in found for part in shapely.get_parts(one)])


def _unrolled(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """A ring whose longitudes go on beyond 180; one around a pole goes over it."""
    lon = np.unwrap(ring[:, 0], period=_AROUND)
    unrolled = np.column_stack([lon, ring[:, 1]])
    if abs(lon[-1] - lon[0]) > _AROUND / 2:
        pole = 90.0 if ring[:, 1].mean() > 0 else -90.0
        unrolled = np.vstack([unrolled, [lon[-1], pole], [lon[0], pole], unrolled[0]])
    return unrolled


def _into(shell: Any, hole: NDArray[np.float64]) -> NDArray[np.float64]:
    """A hole turned to where its shell was unrolled to."""
    for turn in (0.0, _AROUND, -_AROUND):
        moved: NDArray[np.float64] = np.add(hole, [turn, 0.0])
        if shell.intersects(shapely.Point(moved[0])):
            return moved
    return hole
