"""Read: who looks after safety in one place, who is near and able, and why: one answer for every role.

Five reasons make an organisation part of the answer, in this order; where several hold, the first is told:

* inside: the place lies in an area of its own kind (a police district, a watch area) for which it is
  responsible;
* serves: it is responsible for the smallest administrative area there (a settlement or municipality);
* inherited: it is responsible for a larger one, such as the county;
* shore: the place lies in no area, and it is responsible on the nearest land;
* nearest: it is none of these, but among the nearest by straight line to its point.

Farther than `REACH_M` from all of it the answer has nothing to tell, and says so (`Answer.is_unknown`).
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import date
from math import atan2, degrees, inf, isnan
from typing import NamedTuple

import numpy as np
import shapely

from layers import geo
from layers.catalog import Instance, Role
from layers.geo import Place
from layers.places import Area, Body
from layers.practices import Case
from layers.snapshot import Flags, Numbers, Positions, Sized, Snapshot

INSIDE, SERVES, INHERITED, SHORE, NEAREST = "inside", "serves", "inherited", "shore", "nearest"
REASONS = (INSIDE, SERVES, INHERITED, SHORE, NEAREST)
# From the smallest to the largest: what one calls "where I live".
_ADMINISTRATIVE = ("settlement", "municipality", "county", "country")
_ABROAD = "neighbour"
REACH_M = 60_000.0
_MOST_NEAR = 3
_MOST_CASES = 3
# Outlines are approximate: areas that end this close to the landing point reach it.
_ASHORE_M = 100.0


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
    """Who plays a role here: the areas that play it themselves, and organisations, responsible ones first.

    `ashore` are the areas that play it on the nearest land, for a place that lies in none.
    """

    role: Role
    areas: tuple[Area, ...]
    ashore: tuple[Area, ...]
    matches: tuple[Match, ...]

    @property
    def is_played(self) -> bool:
        """Whether somebody is responsible here; the nearest, and those of the nearest land, are not."""
        return bool(self.areas) or any(match.why not in (SHORE, NEAREST) for match in self.matches)


@dataclass(frozen=True)
class CaseMatch:
    """A case of cooperation: `area` is the key of the area that it shares with the place, "" if none."""

    case: Case
    area: str
    way: Way | None


@dataclass(frozen=True)
class Answer:
    """The answer for one place on one day.

    `areas` are those in which it lies, the largest first. Outside all of them (at sea, abroad, in a hole)
    `abroad` names the neighbouring country, `shore` is the nearest municipality, or county where there is
    none, with the way to it, and `ashore` are all areas that reach the nearest point of it.
    """

    place: Place
    as_of: date
    areas: tuple[Area, ...]
    abroad: Area | None
    shore: tuple[Area, Way] | None
    ashore: tuple[Area, ...]
    roles: tuple[RoleAnswer, ...]
    cases: tuple[CaseMatch, ...]

    @property
    def is_unknown(self) -> bool:
        """Whether nothing at all is known within reach of the place."""
        return not (self.areas or self.shore or self.cases or any(role.matches for role in self.roles))


class _Here(NamedTuple):
    """The place as every part of the answer needs it: in metres, and the areas in which it lies.

    Where it lies in none, `ashore` are those of the nearest land.
    """

    point: shapely.Point
    east_m: float
    north_m: float
    areas: Sequence[Area]
    ashore: Sequence[Area]
    keys: Set[str]
    kinds: Set[str]


def answer(
    known: Snapshot, instance: Instance, *, place: Place, as_of: date, more: Sequence[Sized] = ()
) -> Answer:
    """Who is responsible, who serves and who is near, for every role of the instance.

    `more` are areas at the place that the snapshot does not hold, because their layer is too big for it.
    """
    point = geo.metric_point(place, srid=known.srid)
    found = known.areas_at(point, as_of=as_of, more=more)
    areas = [area for area in found if area.kind != _ABROAD]
    landing = None if areas else _landing(known, point, as_of)
    ashore = _ashore(known, *landing, as_of) if landing else []
    here = _Here(point, point.x, point.y, areas, ashore, {a.key for a in areas}, {a.kind for a in areas})
    far_m = _far_m(known.body_points, here)
    return Answer(
        place=place,
        as_of=as_of,
        areas=tuple(areas),
        abroad=next((area for area in found if area.kind == _ABROAD), None) if not areas else None,
        shore=(known.areas[landing[0]], _way_between(here, landing[1])) if landing else None,
        ashore=tuple(ashore),
        roles=tuple(_role(known, role, here, as_of, far_m) for role in instance.roles),
        cases=tuple(_cases(known, here, as_of)),
    )


def _role(known: Snapshot, role: Role, here: _Here, as_of: date, far_m: Numbers) -> RoleAnswer:
    players = known.roster(role.layer, role.capabilities, as_of)
    responsible = dict(
        _responsible(known, here.areas, players.able)
        if here.areas
        else _of_shore(known, here.ashore, players.able)
    )
    others = [i for i in responsible if far_m[i] <= REACH_M]
    near = _nearest(known.bodies, players.positions, far_m, most=_MOST_NEAR, but=others)
    matches = [
        *(_match(known, i, why, key, here, far_m) for i, (why, key) in responsible.items()),
        *(_match(known, i, NEAREST, "", here, far_m) for i in near),
    ]
    own, own_ashore = (
        tuple(area for area in found if area.kind == role.area) if role.area else ()
        for found in (here.areas, here.ashore)
    )
    return RoleAnswer(role, own, own_ashore, tuple(sorted(matches, key=_rank)))


def plays(role: Role, body: Body) -> bool:
    """Whether an organisation can play a role; one that is closed plays none."""
    able = not role.capabilities or not set(role.capabilities).isdisjoint(body.capabilities)
    return role.layer == body.layer and able and body.readiness != "closed"


def _rank(match: Match) -> tuple[int, float, str]:
    distance = match.way.distance_m if match.way else inf
    return REASONS.index(match.why), distance, match.body.key


def _responsible(
    known: Snapshot, areas: Sequence[Area], players: Flags
) -> Iterator[tuple[int, tuple[str, str]]]:
    """Positions of the organisations responsible for the areas, each with its first reason.

    Of several areas for the same reason it is the smallest.
    """
    smallest = next((kind for kind in _ADMINISTRATIVE if any(a.kind == kind for a in areas)), "")

    def why(area: Area) -> str:
        return INSIDE if area.kind not in _ADMINISTRATIVE else SERVES if area.kind == smallest else INHERITED

    seen: set[int] = set()
    smallest_first = areas[::-1]
    for area in sorted(smallest_first, key=lambda area: REASONS.index(why(area))):
        for position in known.serving.get(area.key, ()):
            if players[position] and position not in seen:
                seen.add(position)
                yield position, (why(area), area.key)


def _of_shore(
    known: Snapshot, ashore: Sequence[Area], players: Flags
) -> Iterator[tuple[int, tuple[str, str]]]:
    """The same for the nearest land, each with the smallest of the areas there."""
    seen: set[int] = set()
    for area in reversed(ashore):
        for position in known.serving.get(area.key, ()):
            if players[position] and position not in seen:
                seen.add(position)
                yield position, (SHORE, area.key)


def _match(known: Snapshot, position: int, why: str, key: str, here: _Here, far_m: Numbers) -> Match:
    body = known.bodies[position]
    own = (("county", body.county), ("municipality", body.municipality))
    across = tuple(
        f"{kind}:{code}"
        for kind, code in own
        if code and kind in here.kinds and f"{kind}:{code}" not in here.keys
    )
    return Match(body, why, key, _way_to(known.body_points, far_m, position, here), across)


def _far_m(points: Numbers, here: _Here) -> Numbers:
    """How far points are, metres to the tenth; NaN where one is not known."""
    far_m: Numbers = np.hypot(points[:, 0] - here.east_m, points[:, 1] - here.north_m).round(1)
    return far_m


def _nearest(
    named: Sequence[Body | Case], wanted: Positions, far_m: Numbers, *, most: int, but: Sequence[int] = ()
) -> list[int]:
    """Positions of the nearest within reach, those equally far by key; `but` are not meant."""
    wanted_m, last = far_m[wanted], most + len(but) - 1
    limit_m = min(REACH_M, np.partition(wanted_m, last)[last]) if len(wanted) > last else REACH_M
    found = wanted[wanted_m <= limit_m].tolist()
    return sorted((i for i in found if i not in but), key=lambda i: (far_m[i], named[i].key))[:most]


def _way_to(points: Numbers, far_m: Numbers, position: int, here: _Here) -> Way | None:
    """The way to one of some points, all of whose distances are known; None where it is not known itself."""
    distance_m = far_m.item(position)
    if isnan(distance_m):
        return None
    east_m, north_m = points[position].tolist()
    return _way(distance_m, east_m - here.east_m, north_m - here.north_m)


def _way_between(here: _Here, end: shapely.Point) -> Way:
    east_m, north_m = end.x - here.east_m, end.y - here.north_m
    return _way(float(np.hypot(east_m, north_m).round(1)), east_m, north_m)


def _way(distance_m: float, east_m: float, north_m: float) -> Way:
    return Way(distance_m, round(degrees(atan2(east_m, north_m)) % 360, 1) if distance_m else None)


def _landing(known: Snapshot, point: shapely.Point, as_of: date) -> tuple[int, shapely.Point] | None:
    """The position of the nearest municipality, or county where there is none, and its nearest point.

    None where nothing is within reach of a point at sea or abroad.
    """
    for kind in _ADMINISTRATIVE[1:3]:
        of_kind = np.array(known.of_kind.get(kind, ()), dtype=np.intp)
        best = _nearest_area(known, of_kind[known.area_days.there(as_of, of_kind)], point)
        if best is not None:
            return best, shapely.get_point(shapely.shortest_line(point, known.shapes[best]), 1)
    return None


def _ashore(known: Snapshot, landed: int, landing: shapely.Point, as_of: date) -> list[Area]:
    """The areas that reach the nearest point of the land, the largest first; of its own kind it alone."""
    own = known.areas[landed]
    near = known.tree.query(landing, predicate="dwithin", distance=_ASHORE_M)
    there = near[known.area_days.there(as_of, near)].tolist()
    found = [i for i in there if i == landed or known.areas[i].kind not in (own.kind, _ABROAD)]
    return [known.areas[i] for i in sorted(found, key=lambda i: (-known.sizes_m2[i], known.areas[i].key))]


def _nearest_area(known: Snapshot, found: Positions, point: shapely.Point) -> int | None:
    """Which of some areas is the nearest within reach, the first by key of those equally far."""
    west, south, east, north = known.boxes[found].T
    aside_m = np.maximum(0, np.maximum(west - point.x, point.x - east))
    along_m = np.maximum(0, np.maximum(south - point.y, point.y - north))
    box_m = np.hypot(aside_m, along_m)
    if not len(box_m) or box_m.min() > REACH_M:
        return None
    # No area is nearer than its box, so only those need a look whose box is as near as one whole area. The
    # millimetre is for rounding: the side of a box may be the area's own.
    one_m = shapely.distance(known.shapes[found[int(box_m.argmin())]], point)
    near = found[box_m <= one_m + 0.001]
    far_m = shapely.distance(known.shapes[near], point)
    return int(near[far_m.argmin()]) if far_m.min() <= REACH_M else None


def _cases(known: Snapshot, here: _Here, as_of: date) -> Iterator[CaseMatch]:
    """Cases of the same settlement, municipality, then county, then the nearest: at most three."""
    others = known.case_days.there(as_of)
    shared: dict[int, Area] = {}
    for kind in _ADMINISTRATIVE[:3]:
        for area in (area for area in reversed(here.areas) if area.kind == kind):
            for i in known.sharing.get(area.key, ()):
                if others[i]:
                    shared.setdefault(i, area)
    others[list(shared)] = False
    unshared = np.flatnonzero(others)
    far_m = _far_m(known.case_points, here)

    def rank(i: int) -> tuple[int, float, str]:
        step = _ADMINISTRATIVE.index(shared[i].kind)
        return step, inf if isnan(far_m[i]) else far_m[i], known.cases[i].key

    ranked = [*sorted(shared, key=rank), *_nearest(known.cases, unshared, far_m, most=_MOST_CASES)]
    for i in ranked[:_MOST_CASES]:
        key = shared[i].key if i in shared else ""
        yield CaseMatch(known.cases[i], key, _way_to(known.case_points, far_m, i, here))
