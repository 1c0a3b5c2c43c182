"""The answer for a place, worked out by looking at every single row: what `layers.answers` must say.

Written from what the answer means, not from how it is found: no index, no snapshot, no arrays, no code of
`layers.answers` (but for the form of its answer) or of the readers. Rows of the tables come as they are;
shapely judges one shape at a time.

A question has two halves: `Ground` looks at every shape and point (slow, the same on any day), `answer`
looks at the days.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from math import atan2, degrees, hypot, isfinite
from typing import Any

import pyproj
import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from layers import model
from layers.answers import Answer
from layers.catalog import Role

Facts = Mapping[str, Any]
Told = dict[str, Any]
"""A whole answer in plain values: rows by key and beginning, ways as (metres, degrees)."""
Way = tuple[float, float | None]
_Move = Callable[[float, float], tuple[float, float]]

REACH_M = 60_000
FAR_M = 1e99
_LEVELS = ["settlement", "municipality", "county", "country"]
_REASONS = ["inside", "serves", "inherited", "shore", "nearest"]
ASHORE_M = 100


@dataclass(frozen=True)
class World:
    """What a store holds that is known now, row by row; `published` are the places as everybody sees them."""

    srid: int
    areas: Sequence[Facts]
    bodies: Sequence[Facts]
    cases: Sequence[Facts]
    published: Mapping[tuple[str, int], tuple[float, float] | None]


@dataclass(frozen=True)
class Ground:
    """What does not depend on the day, seen from one place: every shape and every point is looked at."""

    world: World
    lon: float
    lat: float

    @cached_property
    def point(self) -> shapely.Point:
        return shapely.Point(_mover(4326, self.world.srid)(self.lon, self.lat))

    @cached_property
    def inside(self) -> set[int]:
        """Ids of the areas in which, or on whose border, it lies."""
        return {row["id"] for row in self.world.areas if row["geom"].intersects(self.point)}

    @cached_property
    def shores(self) -> dict[int, tuple[float, Way, shapely.Point]]:
        """Municipalities and counties within reach, by id: how far exactly, the way, and where one lands."""
        found = {}
        for row in self.world.areas:
            if row["kind"] in ("municipality", "county") and isfinite(self.point.x):
                far_m = row["geom"].distance(self.point)
                if far_m <= REACH_M:
                    (west, south), (east, north) = shapely.shortest_line(self.point, row["geom"]).coords
                    found[row["id"]] = far_m, way(east - west, north - south), shapely.Point(east, north)
        return found

    @cached_property
    def ways(self) -> dict[tuple[str, int], Way | None]:
        """The way to every organisation and case as it is published."""
        x, y = self.point.x, self.point.y
        return {
            one: way(place[0] - x, place[1] - y) if place else None
            for one, place in self.world.published.items()
        }


# --- The rows


def read(session: Session, kinds: Sequence[str], *, srid: int) -> World:
    """Every row of the store that nobody has taken back, and that is an area of one of the kinds."""
    areas = [row for row in _rows(session, model.Area) if row["kind"] in kinds]
    bodies, cases = _rows(session, model.Body), _rows(session, model.Case)
    serves = [*session.execute(select(model.Serves.body_id, model.Serves.area))]
    about = [*session.execute(select(model.CaseArea.case_id, model.CaseArea.area))]
    for body in bodies:
        body["serves"] = {area for number, area in serves if number == body["id"]}
    for case in cases:
        case["areas"] = {area for number, area in about if number == case["id"]}
    published = {
        (table, row["id"]): _published(row["geom"], srid)
        for table, rows in (("body", bodies), ("case", cases))
        for row in rows
    }
    return World(srid, areas, bodies, cases, published)


def _rows(session: Session, table: Any) -> list[dict[str, Any]]:
    found = [dict(row._mapping) for row in session.execute(select(*table.__table__.c))]
    return [row for row in found if row["retired_in"] is None and row["hidden_in"] is None]


@lru_cache(maxsize=8)
def _mover(source: int, target: int) -> _Move:
    transform = pyproj.Transformer.from_crs(source, target, always_xy=True).transform

    def move(x: float, y: float) -> tuple[float, float]:
        moved = transform(x, y)
        return float(moved[0]), float(moved[1])

    return move


def _published(point: shapely.Point | None, srid: int) -> tuple[float, float] | None:
    """Metric coordinates of the place as it is published: five digits of a degree."""
    if point is None:
        return None
    lon, lat = _mover(srid, 4326)(point.x, point.y)
    return _mover(4326, srid)(round(lon, 5), round(lat, 5))


def way(east_m: float, north_m: float) -> Way:
    """Metres to the tenth, and degrees from north clockwise unless it is the same spot."""
    far_m = round(hypot(east_m, north_m), 1)
    return far_m, round(degrees(atan2(east_m, north_m)) % 360, 1) if far_m else None


# --- The days


@lru_cache(maxsize=1000)
def _day(partial: str) -> date:
    """The first day of 2018, 2018-05 or 2018-05-29."""
    return date.fromisoformat(f"{partial}-01-01"[:10])


def _is_so(row: Facts, as_of: date) -> bool:
    """From its first day on, and no longer on the day of its end."""
    begun = not row["valid_from"] or _day(row["valid_from"]) <= as_of
    ended = bool(row["valid_to"]) and _day(row["valid_to"]) <= as_of
    return begun and not ended


# --- The answer


def answer(there: Ground, roles: Sequence[Role], as_of: date) -> Told:
    """The whole answer for the ground on a day."""
    world = there.world
    now = [row for row in world.areas if _is_so(row, as_of)]
    bodies = [row for row in world.bodies if _is_so(row, as_of)]
    inside = _inside(there, now)
    abroad = [row for row in inside if row["kind"] == "neighbour"]
    areas = [row for row in inside if row["kind"] != "neighbour"]
    shore = None if areas else _shore(there, now)
    ashore = _ashore(there, now, shore) if shore else []
    return {
        "areas": [_name(row) for row in areas],
        "abroad": _name(abroad[0]) if abroad and not areas else None,
        "shore": (_name(shore), there.shores[shore["id"]][1]) if shore else None,
        "ashore": [_name(row) for row in ashore],
        "roles": [_role(role, there, bodies, areas, ashore) for role in roles],
        "cases": _cases(world, there, areas, as_of),
    }


def areas_at(there: Ground, as_of: date) -> list[tuple[str, str]]:
    """Every area there on a day, neighbouring countries too."""
    return [_name(row) for row in _inside(there, [row for row in there.world.areas if _is_so(row, as_of)])]


def _inside(there: Ground, now: Sequence[Facts]) -> list[Facts]:
    """The largest first; of equal ones the first by key."""
    found = [row for row in now if row["id"] in there.inside]
    return sorted(found, key=lambda row: (-row["geom"].area, row["key"]))


def _name(row: Facts) -> tuple[str, str]:
    return row["key"], row["valid_from"]


def _shore(there: Ground, now: Sequence[Facts]) -> Facts | None:
    """The municipality that is nearest within reach, else the county."""
    for kind in ("municipality", "county"):
        near = [row for row in now if row["kind"] == kind and row["id"] in there.shores]
        if near:
            return min(near, key=lambda row: (there.shores[row["id"]][0], row["key"]))
    return None


def _ashore(there: Ground, now: Sequence[Facts], shore: Facts) -> list[Facts]:
    """What reaches the place where one lands: no other municipality, and no other country."""
    landing = there.shores[shore["id"]][2]
    found = [shore]
    for row in now:
        if row["kind"] not in (shore["kind"], "neighbour") and row["geom"].distance(landing) <= ASHORE_M:
            found.append(row)
    return sorted(found, key=lambda row: (-row["geom"].area, row["key"]))


def _role(
    role: Role, there: Ground, bodies: Sequence[Facts], areas: Sequence[Facts], ashore: Sequence[Facts]
) -> Told:
    matches, others = [], []
    for body in bodies:
        if _plays(role, body):
            reasons = [(why, area) for area in areas if (why := _reason(area, areas, body))]
            found = there.ways["body", body["id"]]
            if reasons:
                first = min(reasons, key=lambda reason: _REASONS.index(reason[0]))[0]
                # The smallest that gives this reason; of equal ones the last that the answer lists.
                area = [area for why, area in reasons if why == first][-1]
                matches.append((first, area["key"], body, found))
            elif landed := [area for area in ashore if area["key"] in body["serves"]]:
                matches.append(("shore", landed[-1]["key"], body, found))
            elif found and found[0] <= REACH_M:
                others.append(("nearest", "", body, found))
    others.sort(key=lambda match: (match[3][0], match[2]["key"]))
    told = [*matches, *others[:3]]
    told.sort(key=lambda one: (_REASONS.index(one[0]), one[3][0] if one[3] else FAR_M, one[2]["key"]))
    return {
        "role": role.key,
        "areas": [_name(area) for area in areas if role.area and area["kind"] == role.area],
        "ashore": [_name(area) for area in ashore if role.area and area["kind"] == role.area],
        "matches": [(why, key, _name(body), found, _across(body, areas)) for why, key, body, found in told],
        "is_played": any(one[0] != "shore" for one in matches)
        or any(area["kind"] == role.area for area in areas),
    }


def _plays(role: Role, body: Facts) -> bool:
    if body["readiness"] == "closed" or body["layer"] != role.layer:
        return False
    return not role.capabilities or any(one in body["capabilities"] for one in role.capabilities)


def _reason(area: Facts, areas: Sequence[Facts], body: Facts) -> str:
    """Why a body is part of the answer through one area; "" if not."""
    if area["key"] not in body["serves"]:
        return ""
    if area["kind"] not in _LEVELS:
        return "inside"
    smallest = min(_LEVELS.index(row["kind"]) for row in areas if row["kind"] in _LEVELS)
    return "serves" if area["kind"] == _LEVELS[smallest] else "inherited"


def _across(body: Facts, areas: Sequence[Facts]) -> list[str]:
    """Its own county and municipality, where the place has one of that kind and is not in this one."""
    found = []
    for kind in ("county", "municipality"):
        here = [area["code"] for area in areas if area["kind"] == kind]
        if body[kind] and here and body[kind] not in here:
            found.append(f"{kind}:{body[kind]}")
    return found


def _cases(world: World, there: Ground, areas: Sequence[Facts], as_of: date) -> list[tuple[Any, ...]]:
    """Those of the settlement, of the municipality, of the county, then the nearest: three in all."""
    found = []
    for case in world.cases:
        if case["period_from"] and _day(case["period_from"]) > as_of:
            continue
        own = {*case["areas"], f"municipality:{case['municipality']}", f"county:{case['county']}"}
        here = [area for area in areas if area["key"] in own and area["kind"] in _LEVELS[:3]]
        found_way = there.ways["case", case["id"]]
        far_m = found_way[0] if found_way else FAR_M
        if here:
            step = min(_LEVELS.index(area["kind"]) for area in here)
            key = [area["key"] for area in here if area["kind"] == _LEVELS[step]][-1]
            found.append((step, far_m, case["key"], _name(case), key, found_way))
        elif far_m <= REACH_M:
            found.append((len(_LEVELS), far_m, case["key"], _name(case), "", found_way))
    return [one[3:] for one in sorted(found, key=lambda one: one[:3])[:3]]


# --- What was found, in the same words


def told(found: Answer) -> Told:
    """An answer of the program in plain values."""
    return {
        "areas": [_is(area) for area in found.areas],
        "abroad": _is(found.abroad) if found.abroad else None,
        "shore": (_is(found.shore[0]), _of(found.shore[1])) if found.shore else None,
        "ashore": [_is(area) for area in found.ashore],
        "roles": [
            {
                "role": one.role.key,
                "areas": [_is(area) for area in one.areas],
                "ashore": [_is(area) for area in one.ashore],
                "matches": [
                    (match.why, match.area, _is(match.body), _of(match.way), [*match.across])
                    for match in one.matches
                ],
                "is_played": one.is_played,
            }
            for one in found.roles
        ],
        "cases": [((one.case.key, one.case.period_from), one.area, _of(one.way)) for one in found.cases],
    }


def _is(named: Any) -> tuple[str, str]:
    return named.key, named.valid_from


def _of(found: Any) -> Way | None:
    return None if found is None else (found.distance_m, found.bearing)
