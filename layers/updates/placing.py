"""Where shapes really lie. What a file declares is compared with its numbers, and the numbers win.

Services declare one system and deliver another, or put the northing before the easting. The range that the
truth must have tells which it is; where it fits twice, or not at all, nothing is loaded.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from layers import geo
from layers.errors import N_, Sentence
from layers.geo import Shapes
from layers.updates.content import BadContent
from layers.updates.wanted import Range, Wanted

_SHARE = 0.95
"""So much of the rows must lie in the range for the system to be believed."""
_MARGIN = 0.01


class WrongPlace(BadContent):
    text = N_("The numbers fit no system in which this source may be: they go from {low} to {high}.")


class DoubtfulPlace(BadContent):
    text = N_("The numbers fit more than one system ({systems}), and the file does not say which.")


@dataclass(frozen=True)
class Placed:
    """Shapes in the instance's metric system (n), which of them lie in the range (n), and notes."""

    shapes: Shapes
    inside: np.ndarray[tuple[int], np.dtype[np.bool_]]
    notes: tuple[Sentence, ...]


@dataclass(frozen=True)
class _Reading:
    crs: int
    swapped: bool

    def __str__(self) -> str:
        return f"EPSG:{self.crs}" + (" (northing first)" if self.swapped else "")


def placed(shapes: Shapes, declared: str, wanted: Wanted, *, metric_crs: int) -> Placed:
    """Finds the system and the order of the axes, and moves the shapes into the metric system.

    Raises:
        WrongPlace, DoubtfulPlace: no system fits, or several do.
    """
    said = _number(declared)
    reading = _reading(shapes, said, wanted)
    notes = []
    if said is not None and said != reading.crs:
        notes.append(
            Sentence(
                N_("The file declares EPSG:{declared}, its numbers are of EPSG:{crs}; they were believed."),
                declared=said,
                crs=reading.crs,
            )
        )
    if reading.swapped:
        notes.append(Sentence(N_("The axes were swapped: the northing stands before the easting.")))
    turned = shapely.transform(shapes, lambda points: points[:, ::-1]) if reading.swapped else shapes
    inside = _inside(shapely.bounds(turned), _range_in(reading.crs, wanted))
    moved = geo.moved(turned, source=f"EPSG:{reading.crs}", target=metric_crs)
    return Placed(shapely.set_srid(moved, metric_crs), inside, tuple(notes))


def _reading(shapes: Shapes, said: int | None, wanted: Wanted) -> _Reading:
    bounds = shapely.bounds(shapes)
    bounds = bounds[~np.isnan(bounds).any(axis=1)]
    systems = dict.fromkeys(crs for crs in (said, wanted.crs, *wanted.may_be) if crs is not None)
    fitting = [
        _Reading(crs, swapped)
        for crs in systems
        for swapped in (False, True)
        if _fits(bounds[:, [1, 0, 3, 2]] if swapped else bounds, _range_in(crs, wanted))
    ]
    if not fitting:
        low, high = (bounds.min(axis=0)[:2], bounds.max(axis=0)[2:]) if len(bounds) else ((), ())
        raise WrongPlace(low=_pair(low), high=_pair(high))
    if len(fitting) > 1 and fitting[0] != _Reading(said or 0, False):
        raise DoubtfulPlace(systems=", ".join(map(str, fitting)))
    return fitting[0]


def _fits(bounds: np.ndarray[tuple[int, int], np.dtype[np.float64]], box: Range) -> bool:
    return len(bounds) > 0 and bool(_inside(bounds, box).mean() >= _SHARE)


def _inside(
    bounds: np.ndarray[tuple[int, int], np.dtype[np.float64]], box: Range
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    west, south, east, north = box
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = (
        (bounds[:, 0] >= west) & (bounds[:, 1] >= south) & (bounds[:, 2] <= east) & (bounds[:, 3] <= north)
    )
    return found


def _range_in(crs: int, wanted: Wanted) -> Range:
    """The range that the truth must have, in another system; there a little wider, as its sides are bent."""
    if crs == wanted.crs:
        return wanted.range
    mover = Transformer.from_crs(wanted.crs, crs, always_xy=True)
    west, south, east, north = mover.transform_bounds(*wanted.range)
    more = _MARGIN * max(east - west, north - south)
    return west - more, south - more, east + more, north + more


def _number(declared: str) -> int | None:
    """The EPSG number of what a file declares; GDAL's degrees with the longitude first are 4326."""
    if not declared:
        return None
    try:
        crs = CRS.from_user_input(declared)
    except CRSError:
        return None
    return crs.to_epsg(min_confidence=25) or (geo.WGS84 if crs.is_geographic else None)


def _pair(values: object) -> str:
    return ", ".join(f"{value:.6g}" for value in values) if isinstance(values, np.ndarray) else "–"
