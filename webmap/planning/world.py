"""What every planner's page asks of: people, land, units, ways and standards of a day, made once a state."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

from flask import current_app

from layers import memory, places
from layers.catalog import Role
from layers.gaps import assumptions as given
from layers.gaps import by_rows, demand, engines, grounds, standards, supply
from layers.gaps.assumptions import Assumptions
from layers.gaps.demand import Demand
from layers.gaps.grounds import Grounds
from layers.gaps.parts import EMBEDDED, Runner
from layers.gaps.reach import Reach, Travel
from layers.gaps.standards import Standard
from layers.gaps.supply import Units
from layers.gaps.travel import StraightLine
from webmap import db, params, replies
from webmap.db import House, Revisions
from webmap.planning import zoned
from webmap.planning.frame import NobodyHelps

LONGEST_MIN = 120.0


@dataclass(frozen=True, eq=False)
class World:
    """One state of the instance on a day.

    The units are those of the day; the people and areas are those known today, so that two days differ by
    their units alone. `sizes_km2` are the sizes of areas by kind and code, as far as they are known.
    """

    day: date
    people: Demand
    ground: "Ground"
    units: Mapping[str, Units]
    assumptions: Assumptions
    travels: Mapping[str, Travel]
    standards: tuple[Standard, ...] = ()
    sizes_km2: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    runner: Runner = EMBEDDED

    @property
    def land(self) -> Demand:
        """The land in squares of km² (`demand.of_land`), asked of the store when it is first wanted."""
        return self.ground.land

    def reach(self, role: str, *, within_min: float) -> Reach:
        """Who is reached by whom of a role."""
        return self.reached(role, self.units[role], self.people, within_min=within_min)

    def reached(self, role: str, units: Units, demand: Demand, *, within_min: float) -> Reach:
        """Who is reached by units that come as those of a role do."""
        return by_rows.reach(self.travels[role], units, demand, within_min=within_min, runner=self.runner)


def roles() -> list[Role]:
    """The roles that units play; an area itself (a municipality) is no unit."""
    return [role for role in db.instance().roles if role.layer]


def world(as_of: date) -> World:
    if not roles():
        raise NobodyHelps
    own: Path | None = current_app.config["PLANNING"]
    return _world(db.house(), own, as_of, params.knowledge_day(params.arguments()), db.revisions())


class Reaches(Mapping[str, Reach]):
    """Who is reached by whom, by role: worked out when it is first asked for, as a rule names few."""

    def __init__(self, known: World, within_min: float) -> None:
        self._known, self._within_min = known, within_min

    def __getitem__(self, role: str) -> Reach:
        return _reach(self._known, role, self._within_min)

    def __contains__(self, role: object) -> bool:
        return role in self._known.units

    def __iter__(self) -> Iterator[str]:
        return iter(self._known.units)

    def __len__(self) -> int:
        return len(self._known.units)


@memory.kept(40)
def _reach(known: World, role: str, within_min: float) -> Reach:
    return known.reach(role, within_min=within_min)


def reaches(known: World, within_min: float) -> Reaches:
    """Who is reached by whom, of every role."""
    return Reaches(known, within_min)


@memory.kept(4)
def _world(house: House, own: Path | None, as_of: date, today: date, revisions: Revisions) -> World:
    assumptions = given.read(house.instance.folder)
    there = replies.known().body_days.there(as_of)
    bodies = supply.standing([body for i, body in enumerate(replies.known().bodies) if there[i]])
    srid = house.instance.metric_crs
    ground = _ground(house, today, revisions)
    folders = [house.instance.folder / "planning", *([own] if own else [])]
    units = {role.key: supply.of_role(bodies, role, srid=srid, assumptions=assumptions) for role in roles()}
    by_road = engines.by_road(
        folders,
        srid=srid,
        assumptions=assumptions,
        grounds=ground.grounds,
        units={key for some in units.values() for key in some.keys},
        demand=ground.people.keys,
    )
    return World(
        day=as_of,
        people=ground.people,
        ground=ground,
        units=units,
        assumptions=assumptions,
        # Boats cross the water; who comes by road reaches only what a road reaches.
        travels={role.key: StraightLine(assumptions) if role.over_water else by_road for role in roles()},
        standards=tuple(
            one for folder in folders for one in standards.read(folder / "standards", instance=house.instance)
        ),
        sizes_km2=ground.sizes_km2,
        runner=house.runner,
    )


@dataclass(frozen=True, eq=False)
class Ground:
    """What is the same for the units of every day: who lives where, and on what land, as is known today."""

    today: date
    grounds: Grounds
    people: Demand
    sizes_km2: Mapping[str, Mapping[str, float]]

    @cached_property
    def land(self) -> Demand:
        return demand.of_land(db.session(), as_of=self.today)


@memory.kept(2)
def _ground(_house: House, today: date, _revisions: Revisions) -> Ground:
    return Ground(
        today=today,
        grounds=grounds.of_store(db.session(), given.read(db.instance().folder).causeways, as_of=today),
        people=zoned.people(today),
        sizes_km2={kind: _sizes_km2(kind, today) for kind in demand.ZONES},
    )


def _sizes_km2(kind: str, today: date) -> dict[str, float]:
    found = {}
    for area in places.areas(db.session(), kind, as_of=today):
        try:
            found[area.code] = float(area.facts["area_km2"])
        except (KeyError, ValueError):
            continue
    return found
