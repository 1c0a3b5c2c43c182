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

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date
from math import atan2, degrees, hypot, inf, isfinite, isnan
from typing import NamedTuple

import numpy as np
import shapely

from layers import geo
from layers.catalog import Instance, Role
from layers.geo import Place
from layers.places import Area, Body
from layers.practices import Case
from layers.snapshot import Roster, Sized, Snapshot, Spot

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


class Way(NamedTuple):
    """From the place to a point: `bearing` is degrees from grid north, clockwise; None in the same place."""

    distance_m: float
    bearing: float | None


class Match(NamedTuple):
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
        return bool(self.areas) or bool(self.matches and self.matches[0].why not in (SHORE, NEAREST))

    @property
    def has_ashore(self) -> bool:
        """Whether somebody of the nearest land plays it, for a place that lies in no area."""
        return bool(self.ashore) or any(match.why == SHORE for match in self.matches)


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

    east_m: float
    north_m: float
    areas: Sequence[Area]
    ashore: Sequence[Area]
    keys: Set[str]
    kinds: Set[str]


_Responsible = Mapping[int, tuple[str, str, Way | None]]
"""By the position of an organisation: why it is responsible, for which area, and the way to it."""


def answer(
    known: Snapshot, instance: Instance, *, place: Place, as_of: date, more: Sequence[Sized] = ()
) -> Answer:
    """Who is responsible, who serves and who is near, for every role of the instance.

    `more` are areas at the place that the snapshot does not hold, because their layer is too big for it.
    """
    east_m, north_m = geo.metric(place, srid=known.srid)
    point = shapely.points([east_m, north_m])
    found = known.areas_at(point, as_of=as_of, more=more)
    areas = [area for area in found if area.kind != _ABROAD]
    landing = None if areas else _landing(known, point, as_of)
    ashore = _ashore(known, *landing, as_of) if landing else []
    here = _Here(east_m, north_m, areas, ashore, {a.key for a in areas}, {a.kind for a in areas})
    responsible = _responsible(known, here)
    return Answer(
        place=place,
        as_of=as_of,
        areas=tuple(areas),
        abroad=next((area for area in found if area.kind == _ABROAD), None) if not areas else None,
        shore=(known.areas[landing[0]], _way_between(here, landing[1])) if landing else None,
        ashore=tuple(ashore),
        roles=tuple([_role(known, role, here, responsible, as_of) for role in instance.roles]),
        cases=tuple(_cases(known, here, as_of)),
    )


def _role(known: Snapshot, role: Role, here: _Here, responsible: _Responsible, as_of: date) -> RoleAnswer:
    players, bodies = known.roster(role.layer, role.capabilities, as_of), known.bodies
    able = players.able
    own = [i for i in responsible if able[i]]
    matches = [Match(bodies[i], *responsible[i], _across(known, i, here)) for i in own]
    matches.sort(key=_rank)
    near = _nearest(known, players, known.body_spots, here, most=_MOST_NEAR, but=own)
    matches += [Match(bodies[i], NEAREST, "", way, _across(known, i, here)) for i, way in near]
    return RoleAnswer(role, _playing(role, here.areas), _playing(role, here.ashore), tuple(matches))


def _playing(role: Role, areas: Sequence[Area]) -> tuple[Area, ...]:
    """The areas that play a role themselves."""
    return tuple([area for area in areas if area.kind == role.area]) if role.area else ()


def plays(role: Role, body: Body) -> bool:
    """Whether an organisation can play a role; one that is closed plays none."""
    able = not role.capabilities or not set(role.capabilities).isdisjoint(body.capabilities)
    return role.layer == body.layer and able and body.readiness != "closed"


def _rank(match: Match) -> tuple[int, float, str]:
    distance = match.way.distance_m if match.way else inf
    return REASONS.index(match.why), distance, match.body.key


def _responsible(known: Snapshot, here: _Here) -> _Responsible:
    """Who is responsible for the areas here, whatever for, each with its first reason.

    Of several areas for the same reason it is the smallest; so it is of those of the nearest land.
    """
    smallest = next((kind for kind in _ADMINISTRATIVE if kind in here.kinds), "")

    def why(area: Area) -> str:
        return INSIDE if area.kind not in _ADMINISTRATIVE else SERVES if area.kind == smallest else INHERITED

    reasons = [(why(area), area.key) for area in here.areas[::-1]]
    reasons.sort(key=lambda one: REASONS.index(one[0]))
    found: dict[int, tuple[str, str]] = {}
    for reason in reasons or [(SHORE, area.key) for area in here.ashore[::-1]]:
        for position in known.serving.get(reason[1], ()):
            found.setdefault(position, reason)
    ways = _ways(known.body_spots, found, here)
    return {i: (*reason, way) for (i, reason), way in zip(found.items(), ways, strict=True)}


def _across(known: Snapshot, position: int, here: _Here) -> tuple[str, ...]:
    return tuple([key for kind, key in known.homes[position] if kind in here.kinds and key not in here.keys])


def _nearest(
    known: Snapshot, roster: Roster, spots: Sequence[Spot], here: _Here, *, most: int, but: Collection[int]
) -> list[tuple[int, Way]]:
    """Positions of the nearest within reach, those equally far by key, and the ways; `but` of the roster are
    not meant.
    """
    if not isfinite(here.east_m + here.north_m):
        return []  # So far away that the metric system does not know it.
    x, y = here.east_m, here.north_m
    found = [
        (_far_m(east_m - x, north_m - y), key, i, east_m - x, north_m - y)
        for east_m, north_m, key, i in known.around(roster, spots, x, y, most=most + len(but))
        if i not in but
    ]
    found.sort()
    return [(i, _way(far_m, *away)) for far_m, _, i, *away in found[:most] if far_m <= REACH_M]


def _ways(spots: Sequence[Spot], positions: Iterable[int], here: _Here) -> list[Way | None]:
    """The ways to some spots; None where one is not known."""
    away = [(spots[i].east_m - here.east_m, spots[i].north_m - here.north_m) for i in positions]
    return [
        None if isnan(east_m) else _way(_far_m(east_m, north_m), east_m, north_m) for east_m, north_m in away
    ]


def _far_m(east_m: float, north_m: float) -> float:
    """How far that is, metres to the tenth."""
    return round(hypot(east_m, north_m) * 10) / 10


def _way_between(here: _Here, end: shapely.Point) -> Way:
    return way(end.x - here.east_m, end.y - here.north_m)


def way(east_m: float, north_m: float) -> Way:
    """The straight way so far to the east and north: metres to the tenth, degrees from grid north."""
    return _way(_far_m(east_m, north_m), east_m, north_m)


def _way(distance_m: float, east_m: float, north_m: float) -> Way:
    return Way(distance_m, round(degrees(atan2(east_m, north_m)) % 360, 1) if distance_m else None)


def _landing(known: Snapshot, point: shapely.Point, as_of: date) -> tuple[int, shapely.Point] | None:
    """The position of the nearest municipality, or county where there is none, and its nearest point.

    None where nothing is within reach of a point at sea or abroad.
    """
    for kind in _ADMINISTRATIVE[1:3]:
        best = _nearest_area(known, known.drawn(kind, as_of), point)
        if best is not None:
            return best, shapely.get_point(shapely.shortest_line(point, known.shapes[best]), 1)
    return None


def _ashore(known: Snapshot, landed: int, landing: shapely.Point, as_of: date) -> list[Area]:
    """The areas that reach the nearest point of the land, the largest first; of its own kind it alone."""
    own = known.areas[landed]
    near = known.tree.query([landing], predicate="dwithin", distance=_ASHORE_M)[1]
    there = known.area_days.among(near, as_of)
    found = [i for i in there if i == landed or known.areas[i].kind not in (own.kind, _ABROAD)]
    return [known.areas[i] for i in sorted(found, key=lambda i: (-known.sizes_m2[i], known.areas[i].key))]


def _nearest_area(known: Snapshot, among: Roster, point: shapely.Point) -> int | None:
    """Which of some areas is the nearest within reach, the first by key of those equally far."""
    west, south, east, north = among.rows.T
    x, y = point.x, point.y
    aside_m = np.maximum(0, np.maximum(west - x, x - east))
    along_m = np.maximum(0, np.maximum(south - y, y - north))
    box_m = np.hypot(aside_m, along_m)
    if not len(box_m) or box_m.min() > REACH_M:
        return None
    # No area is nearer than its box, so only those need a look whose box is as near as one whole area. The
    # millimetre is for rounding: the side of a box may be the area's own.
    one_m = shapely.distance(known.shapes[among.positions[int(box_m.argmin())]], point)
    near = among.positions[box_m <= one_m + 0.001]
    far_m = shapely.distance(known.shapes[near], point)
    return int(near[far_m.argmin()]) if far_m.min() <= REACH_M else None


def _cases(known: Snapshot, here: _Here, as_of: date) -> Iterator[CaseMatch]:
    """Cases of the same settlement, municipality, then county, then the nearest: at most three."""
    told = known.told(as_of)
    shared: dict[int, Area] = {}
    for kind in _ADMINISTRATIVE[:3]:
        for area in (area for area in reversed(here.areas) if area.kind == kind):
            for i in known.sharing.get(area.key, ()):
                if told.able[i]:
                    shared.setdefault(i, area)
    ways = dict(zip(shared, _ways(known.case_spots, shared, here), strict=True))

    def rank(i: int) -> tuple[int, float, str]:
        way = ways[i]
        return _ADMINISTRATIVE.index(shared[i].kind), way.distance_m if way else inf, known.cases[i].key

    ranked = sorted(shared, key=rank)[:_MOST_CASES]
    for i in ranked:
        yield CaseMatch(known.cases[i], shared[i].key, ways[i])
    left = _MOST_CASES - len(ranked)
    for i, way in _nearest(known, told, known.case_spots, here, most=left, but=shared) if left else ():
        yield CaseMatch(known.cases[i], "", way)
