"""Which coordinates these are: what a file declares is believed while its points lie in the territory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from layers.catalog import Instance
from layers.errors import N_, Sentence
from layers.geo import Shapes

Points = NDArray[np.float64]
"""n × 2: easting and northing, or longitude and latitude, as the file's columns say."""
DEGREES, WEB = 4326, 3857
_MARGIN = 0.5
_ENOUGH = 0.5
_SURE = 0.9


@dataclass(frozen=True)
class System:
    """A system of coordinates, as pyproj names it; `swapped` where northing comes before easting.

    `told` says why another one is used than the file declares; `share` of the points lie in the territory.
    """

    crs: str
    swapped: bool
    share: float
    told: Sentence | None = None


def found(
    points: Points, *, declared: str, instance: Instance, others: Sequence[int] = (), asked: str = ""
) -> System:
    """The system in which the points lie in the territory.

    That which a person `asked` for is used whatever comes of it; then the declared one; then degrees, the
    instance's own, the web's, and `others` by EPSG number; each with its axes swapped too.
    """
    if asked:
        swapped = asked.endswith(":swapped")
        crs = asked.removesuffix(":swapped")
        return System(crs, swapped, _share(points, crs, swapped, instance))
    tried = [
        System(crs, swapped, _share(points, crs, swapped, instance))
        for crs in dict.fromkeys([*([declared] if declared else []), *_usual(instance, others)])
        for swapped in (False, True)
    ]
    first = tried[0]
    best = first if first.share >= _SURE else max(tried, key=lambda one: one.share)
    if best.share < _ENOUGH or best.share <= first.share:
        return first
    return System(best.crs, best.swapped, best.share, _why(best, declared))


def _usual(instance: Instance, others: Sequence[int]) -> Iterator[str]:
    for number in (DEGREES, instance.metric_crs, WEB, *others):
        yield f"EPSG:{number}"


def _why(system: System, declared: str) -> Sentence | None:
    values = {"declared": shown(declared), "used": shown(system.crs)}
    if not declared:
        told = N_("The file does not say its system of coordinates: they make sense as {used}.")
        if system.swapped:
            told = N_(
                "The file does not say its system of coordinates: they make sense as {used}, northing first."
            )
        return Sentence(told, **values)
    if system.crs == declared:
        return Sentence("The axes are swapped: northing comes before easting.")
    told = N_("The file says {declared}, but its coordinates only make sense as {used}.")
    if system.swapped:
        told = N_("The file says {declared}, but its coordinates only make sense as {used}, northing first.")
    return Sentence(told, **values)


def shown(crs: str) -> str:
    """A system's short name for a sentence."""
    try:
        known = CRS.from_user_input(crs)
    except CRSError:
        return crs[:40]
    authority = known.to_authority()
    return ":".join(authority) if authority else str(known.name)


def _share(points: Points, crs: str, swapped: bool, instance: Instance) -> float:
    """The share of the points that lie in the territory, were they of this system."""
    if not len(points):
        return 0.0
    try:
        transform = Transformer.from_crs(crs, DEGREES, always_xy=True)
    except CRSError:
        return 0.0
    east, north = points.T[::-1] if swapped else points.T
    lon, lat = transform.transform(east, north)
    west, south, east_, north_ = instance.bounds
    inside = (lon >= west - _MARGIN) & (lon <= east_ + _MARGIN)
    inside &= (lat >= south - _MARGIN) & (lat <= north_ + _MARGIN)
    return float(np.mean(inside))


def moved(shapes: Shapes, system: System, *, srid: int) -> Shapes:
    """Shapes of a system in the instance's metric system, carrying its number; None stays None."""
    transform = Transformer.from_crs(system.crs, srid, always_xy=True)

    def move(points: Any) -> Any:
        east, north = points.T[::-1] if system.swapped else points.T
        return np.column_stack(transform.transform(east, north))

    there = shapely.transform(shapes, move)
    return np.asarray(shapely.set_srid(there, srid), dtype=object)
