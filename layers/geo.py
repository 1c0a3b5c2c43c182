"""Place, Bbox and the coordinate systems: degrees at the edge, metres inside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from layers.errors import BadFrame, OutOfRange

WGS84 = 4326
Shapes = np.ndarray[Any, np.dtype[np.object_]]


@dataclass(frozen=True)
class Place:
    """A point on the earth, in degrees of WGS 84."""

    lon: float
    lat: float

    def __post_init__(self) -> None:
        _within("lon", self.lon, -180, 180)
        _within("lat", self.lat, -90, 90)

    def point(self) -> shapely.Point:
        return shapely.Point(self.lon, self.lat)


@dataclass(frozen=True)
class Bbox:
    """A frame on the earth, in degrees of WGS 84."""

    west: float
    south: float
    east: float
    north: float

    def __post_init__(self) -> None:
        for name, value, most in (("west", self.west, 180), ("east", self.east, 180)):
            _within(name, value, -most, most)
        for name, value in (("south", self.south), ("north", self.north)):
            _within(name, value, -90, 90)
        if self.west >= self.east or self.south >= self.north:
            raise BadFrame(value=f"{self.west},{self.south},{self.east},{self.north}")

    def polygon(self) -> shapely.Polygon:
        return shapely.box(self.west, self.south, self.east, self.north)


def _within(name: str, value: float, low: float, high: float) -> None:
    # NaN fails this comparison too, which is the wish.
    if not low <= value <= high:
        raise OutOfRange(name=name, low=low, high=high, value=value)


def is_metric(srid: Any) -> bool:
    """Whether an EPSG number names a projected system in metres."""
    try:
        crs = CRS.from_epsg(srid)
    except (CRSError, TypeError, ValueError):
        return False
    return bool(crs.is_projected and crs.axis_info[0].unit_name == "metre")


@lru_cache(maxsize=16)
def is_north_first(srid: int) -> bool:
    """Whether the authority's own order of the coordinates is north before east, as EPSG:3301 has it."""
    return bool(CRS.from_epsg(srid).axis_info[0].direction.lower() == "north")


@lru_cache(maxsize=16)
def _transform(source: int, target: int) -> Callable[..., Any]:
    return Transformer.from_crs(source, target, always_xy=True).transform


def to_metric(shapes: Sequence[shapely.Geometry | None] | Shapes, *, srid: int) -> Shapes:
    """Shapes in degrees -> the same shapes in the metric system `srid`, carrying that number."""
    moved = shapely.transform(np.asarray(shapes, dtype=object), _transform(WGS84, srid), interleaved=False)
    return shapely.set_srid(moved, srid)


def moved(shapes: Shapes, *, source: str, target: int) -> Shapes:
    """Shapes in any system that PROJ knows by name or text -> the same shapes in the system `target`."""
    transform: Any = Transformer.from_crs(source, target, always_xy=True).transform
    return shapely.transform(shapes, transform, interleaved=False)


def shares_that_differ(some: Shapes, others: Shapes) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Of pairs of shapes, the part of all their land that only one of the two has: 0 to 1, 0 without land."""
    union = shapely.area(shapely.union(some, others))
    return shapely.area(shapely.symmetric_difference(some, others)) / np.where(union > 0, union, 1)


def metric(place: Place, *, srid: int) -> tuple[float, float]:
    """The easting and northing of one place in the metric system `srid`; infinite where it knows none."""
    # One pair of numbers needs none of what arrays need: a fifth of the time, the same digits.
    east_m, north_m = _transform(WGS84, srid)(place.lon, place.lat)
    return east_m, north_m


def metric_point(place: Place, *, srid: int) -> shapely.Point:
    """One place as a point in the metric system `srid`."""
    return shapely.set_srid(shapely.points([*metric(place, srid=srid)]), srid)


def place_of(easting: float, northing: float, *, srid: int) -> Place:
    """The place at metric coordinates.

    Raises:
        OutOfRange: they lie outside what the system can tell.
    """
    return _place(to_degrees([shapely.Point(easting, northing)], srid=srid)[0])


def places_of(wkbs: Sequence[bytes | None], *, srid: int) -> list[Place | None]:
    """Stored metric points as places; None where there is no point."""
    points = to_degrees(shapely.from_wkb(wkbs), srid=srid)
    there = ~shapely.is_missing(points)
    lons, lats = shapely.get_x(points).tolist(), shapely.get_y(points).tolist()
    return [_rounded(*spot) if is_there else None for is_there, *spot in zip(there, lons, lats, strict=True)]


def points_of(found: Sequence[Place | None]) -> Shapes:
    """Places as points in degrees; None where there is no place."""
    points: Shapes = np.full(len(found), None, dtype=object)
    there = [i for i, place in enumerate(found) if place is not None]
    spots = np.array([(place.lon, place.lat) for place in found if place is not None], dtype=float)
    points[there] = shapely.points(spots.reshape(-1, 2))
    return points


def _place(point: shapely.Point) -> Place:
    return _rounded(point.x, point.y)


def _rounded(lon: float, lat: float) -> Place:
    # Five digits are 0.6 m in Estonia, finer than any point of ours is true.
    return Place(lon=round(lon, 5), lat=round(lat, 5))


def to_degrees(shapes: Sequence[shapely.Geometry] | Shapes, *, srid: int) -> Shapes:
    """Shapes in the metric system `srid` -> the same shapes in degrees."""
    return shapely.transform(np.asarray(shapes, dtype=object), _transform(srid, WGS84), interleaved=False)


def degrees_of(
    points: np.ndarray[Any, np.dtype[np.float64]], *, srid: int
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Metric coordinates (n × 2) as longitude and latitude (n × 2)."""
    lon, lat = _transform(srid, WGS84)(points[:, 0], points[:, 1])
    return np.column_stack([lon, lat])
