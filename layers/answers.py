"""Read: who looks after safety in one place, who is near and able, and why: one answer for every role.

Four reasons make an organisation part of the answer, in this order:

* inside: the place lies in an area of its own kind (a police district, a watch area) for which it is
  responsible;
* serves: it is responsible for the smallest administrative area there (a settlement or municipality);
* inherited: it is responsible for a larger one, such as the county;
* nearest: it is none of these, but among the nearest by straight line to its point.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from math import atan2, degrees

import numpy as np
import shapely

from layers import geo
from layers.catalog import Instance, Role
from layers.geo import Place
from layers.places import Area, Body
from layers.practices import Case
from layers.snapshot import Snapshot

INSIDE, SERVES, INHERITED, NEAREST = "inside", "serves", "inherited", "nearest"
REASONS = (INSIDE, SERVES, INHERITED, NEAREST)
# From the smallest to the largest: what one calls "where I live".
_ADMINISTRATIVE = ("settlement", "municipality", "county", "country")
_ABROAD = "neighbour"
REACH_M = 60_000.0
_MOST_NEAR = 3
_MOST_CASES = 3


@dataclass(frozen=True)
class Way:
    """From the place to a point: `bearing` is degrees from grid north, clockwise; None in the same place."""

    distance_m: float
    bearing: float | None


@dataclass(frozen=True)
class Match:
    """An organisation, and why it is part of the answer.

    `area` is the key of the area through which it matched, "" for the nearest; `way` is None where its
    point is not known; `across` are the keys of its own county and municipality where these are not the
    place's.
    """

    body: Body
    why: str
    area: str
    way: Way | None
    across: tuple[str, ...]


@dataclass(frozen=True)
class RoleAnswer:
    """Who plays a role here: the areas that play it themselves, and organisations, responsible ones first."""

    role: Role
    areas: tuple[Area, ...]
    matches: tuple[Match, ...]

    @property
    def is_played(self) -> bool:
        """Whether somebody is responsible here; the nearest are not."""
        return bool(self.areas) or any(match.why != NEAREST for match in self.matches)


@dataclass(frozen=True)
class CaseMatch:
    """A case of cooperation: `area` is the key of the area that it shares with the place, "" if none."""

    case: Case
    area: str
    way: Way | None


@dataclass(frozen=True)
class Answer:
    """The answer for one place on one day.

    `areas` are those in which it lies, the largest first. Outside all of them (at sea, abroad) `abroad`
    names the neighbouring country, and `shore` is the nearest municipality or county with the way to it.
    """

    place: Place
    as_of: date
    areas: tuple[Area, ...]
    abroad: Area | None
    shore: tuple[Area, Way] | None
    roles: tuple[RoleAnswer, ...]
    cases: tuple[CaseMatch, ...]


def answer(known: Snapshot, instance: Instance, *, place: Place, as_of: date) -> Answer:
    """Who is responsible, who serves and who is near, for every role of the instance."""
    point = geo.metric_point(place, srid=known.srid)
    found = known.areas_at(point, as_of=as_of)
    areas = [area for area in found if area.kind != _ABROAD]
    there = known.body_days.there(as_of)
    return Answer(
        place=place,
        as_of=as_of,
        areas=tuple(areas),
        abroad=next((area for area in found if area.kind == _ABROAD), None) if not areas else None,
        shore=None if areas else _shore(known, point, as_of),
        roles=tuple(_role(known, role, point, areas, there) for role in instance.roles),
        cases=tuple(_cases(known, point, areas, as_of)),
    )


def plays(role: Role, body: Body) -> bool:
    """Whether an organisation can play a role; one that is closed plays none."""
    able = not role.capabilities or not set(role.capabilities).isdisjoint(body.capabilities)
    return role.layer == body.layer and able and body.readiness != "closed"


def _role(
    known: Snapshot, role: Role, point: shapely.Point, areas: Sequence[Area], there: np.ndarray
) -> RoleAnswer:
    players = [i for i, body in enumerate(known.bodies) if there[i] and plays(role, body)]
    responsible = dict(_responsible(known, areas, set(players)))
    others = [i for i in players if i not in responsible]
    ways = _ways(known.body_points[others], point)
    near = sorted(
        ((way.distance_m, known.bodies[i].key, i) for i, way in zip(others, ways, strict=True) if way),
    )[:_MOST_NEAR]
    matches = [
        *(_match(known, i, why, key, point, areas) for i, (why, key) in responsible.items()),
        *(_match(known, i, NEAREST, "", point, areas) for reach, _, i in near if reach <= REACH_M),
    ]
    own = tuple(area for area in areas if area.kind == role.area)
    return RoleAnswer(role, own, tuple(sorted(matches, key=_rank)))


def _rank(match: Match) -> tuple[int, float, str]:
    distance = match.way.distance_m if match.way else float("inf")
    return REASONS.index(match.why), distance, match.body.key


def _responsible(
    known: Snapshot, areas: Sequence[Area], players: set[int]
) -> Iterator[tuple[int, tuple[str, str]]]:
    """Positions of the organisations responsible for the areas, the smallest area first, with the reason."""
    smallest = next((kind for kind in _ADMINISTRATIVE if any(a.kind == kind for a in areas)), "")
    seen: set[int] = set()
    for area in reversed(areas):
        own = area.kind not in _ADMINISTRATIVE
        why = INSIDE if own else SERVES if area.kind == smallest else INHERITED
        for position in known.serving.get(area.key, ()):
            if position in players and position not in seen:
                seen.add(position)
                yield position, (why, area.key)


def _match(
    known: Snapshot, position: int, why: str, key: str, point: shapely.Point, areas: Sequence[Area]
) -> Match:
    body = known.bodies[position]
    here = {area.key for area in areas}
    own = (("county", body.county), ("municipality", body.municipality))
    across = tuple(
        f"{kind}:{code}"
        for kind, code in own
        if code and f"{kind}:{code}" not in here and any(area.kind == kind for area in areas)
    )
    (way,) = _ways(known.body_points[[position]], point)
    return Match(body, why, key, way, across)


def _ways(points: np.ndarray, point: shapely.Point) -> list[Way | None]:
    """The ways from a point to others, metres to the tenth; None where a point is not known."""
    return [
        None if np.isnan(x) else _way(float(x) - point.x, float(y) - point.y)
        for x, y in points.reshape(-1, 2)
    ]


def _way(east_m: float, north_m: float) -> Way:
    distance_m = round(float(np.hypot(east_m, north_m)), 1)
    return Way(distance_m, round(degrees(atan2(east_m, north_m)) % 360, 1) if distance_m else None)


def _shore(known: Snapshot, point: shapely.Point, as_of: date) -> tuple[Area, Way] | None:
    """The nearest municipality, or county where there is none, within reach of a point at sea or abroad."""
    there = known.area_days.there(as_of)
    near = known.tree.query(point, predicate="dwithin", distance=REACH_M)
    for kind in _ADMINISTRATIVE[1:3]:
        shapes = [i for i in near if there[i] and known.areas[i].kind == kind]
        if shapes:
            best = min(shapes, key=lambda i: (shapely.distance(known.shapes[i], point), known.areas[i].key))
            end = shapely.get_point(shapely.shortest_line(point, known.shapes[best]), 1)
            return known.areas[best], _way(end.x - point.x, end.y - point.y)
    return None


def _cases(known: Snapshot, point: shapely.Point, areas: Sequence[Area], as_of: date) -> Iterator[CaseMatch]:
    """Cases of the same municipality, then of the same county, then the nearest: at most three."""
    there = known.case_days.there(as_of)
    here = [area.key for area in reversed(areas) if area.kind in _ADMINISTRATIVE[:3]]
    ranked = []
    for i, way in enumerate(_ways(known.case_points, point)):
        if there[i]:
            case = known.cases[i]
            own = {*case.areas, f"municipality:{case.municipality}", f"county:{case.county}"}
            shared = next((key for key in here if key in own), "")
            step = here.index(shared) if shared else len(here)
            distance = way.distance_m if way else float("inf")
            if shared or distance <= REACH_M:
                ranked.append((step, distance, case.key, CaseMatch(case, shared, way)))
    for *_, found in sorted(ranked, key=lambda one: one[:3])[:_MOST_CASES]:
        yield found
