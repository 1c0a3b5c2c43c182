"""Read: partners around a place."""

from dataclasses import dataclass
from datetime import date
from math import atan2, degrees

import shapely
from sqlalchemy.orm import Session

from layers import geo, places, store
from layers.geo import Place
from layers.places import Body

_FIRST_REACH_M = 20_000.0


@dataclass(frozen=True)
class Partner:
    """An organisation near a place. `bearing` is degrees from grid north, clockwise; None at the place."""

    body: Body
    distance_m: float
    bearing: float | None


def partners(
    session: Session, *, place: Place, layer: str, as_of: date, most: int = 3, within_m: float = 60_000
) -> list[Partner]:
    """The nearest organisations of a layer, nearest first, ties by key; `most` of them within `within_m`.

    Distances are plane distances in the instance's metric system between the place and the
    organisation's own point, which is a settlement's and not a house's.
    """
    point = geo.metric_point(place, srid=store.srid_of(session))
    reach = min(_FIRST_REACH_M, within_m)
    found = _within(session, point, reach, layer=layer, as_of=as_of)
    while len(found) < most and reach < within_m:
        reach = min(reach * 2, within_m)
        found = _within(session, point, reach, layer=layer, as_of=as_of)
    nearest = found[:most]
    bodies = places.bodies(session, as_of=as_of, keys=[key for _, key, _ in nearest])
    known = {body.key: body for body in bodies}
    return [Partner(known[key], distance, _bearing(point, there)) for distance, key, there in nearest]


def _within(
    session: Session, point: shapely.Point, reach_m: float, *, layer: str, as_of: date
) -> list[tuple[float, str, shapely.Point]]:
    box = (point.x - reach_m, point.y - reach_m, point.x + reach_m, point.y + reach_m)
    near = places.points_near(session, box, layer=layer, as_of=as_of)
    distances = shapely.distance(point, [*near.values()])
    found = [
        (round(float(distance), 1), key, there)
        for (key, there), distance in zip(near.items(), distances, strict=True)
        if distance <= reach_m
    ]
    return sorted(found, key=lambda one: one[:2])


def _bearing(here: shapely.Point, there: shapely.Point) -> float | None:
    east, north = there.x - here.x, there.y - here.y
    return round(degrees(atan2(east, north)) % 360, 1) if east or north else None
