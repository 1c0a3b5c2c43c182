"""Coordinate systems: what a file says of its own, and whether its numbers can be true."""

from functools import lru_cache

import numpy as np
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from layers.errors import N_
from layers.readers.cells import Notebook

WGS84 = "EPSG:4326"
Bounds = tuple[float, float, float, float]


@lru_cache(maxsize=64)
def named(said: str) -> str:
    """A definition in any form that PROJ knows → "EPSG:3035", WKT where it has no number, "" for nonsense."""
    if not said.strip():
        return ""
    if said.upper().rsplit(":", 1)[-1] == "CRS84":
        return WGS84
    try:
        crs = CRS.from_user_input(said)
        number = crs.to_epsg(min_confidence=60)
        return f"EPSG:{number}" if number else str(crs.to_wkt())
    except (CRSError, ProjError, ValueError):
        return ""


def doubts(crs: str, bounds: Bounds, notes: Notebook) -> None:
    """Notes where not one corner of the coordinates lies where the declared system is used.

    `bounds` are the least and greatest easting and northing: west, south, east, north.
    """
    if not crs or not np.isfinite(bounds).all():
        return
    known = CRS.from_user_input(crs)
    if known.is_geographic:
        west, south, east, north = bounds
        if not (west >= -360 and east <= 360 and south >= -90 and north <= 90):
            _say(notes, known, bounds)
        return
    if known.area_of_use and not _meets(known, bounds):
        _say(notes, known, bounds)


def _meets(known: CRS, bounds: Bounds) -> bool:
    area = known.area_of_use
    assert area is not None  # noqa: S101 (asked by the caller)
    try:
        west, south, east, north = Transformer.from_crs(known, WGS84, always_xy=True).transform_bounds(
            *bounds
        )
    except ProjError:
        return False
    if not np.isfinite([west, south, east, north]).all():
        return False
    if area.west > area.east or west > east:  # Across the date line: only the latitudes can be compared.
        return south <= area.north and north >= area.south
    return west <= area.east and east >= area.west and south <= area.north and north >= area.south


def _say(notes: Notebook, known: CRS, bounds: Bounds) -> None:
    notes.add(
        0,
        N_(
            "The file says its coordinates are in {system}, but they lie outside of it ({west:.0f}, "
            "{south:.0f} "
            "to {east:.0f}, {north:.0f}): perhaps another system, or the axes are swapped."
        ),
        system=known.name,
        west=bounds[0],
        south=bounds[1],
        east=bounds[2],
        north=bounds[3],
    )
