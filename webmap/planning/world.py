"""What every planner's page asks of: people, land, units, ways and standards of a day, made once a state."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from layers import places
from layers.catalog import Role
from layers.gaps import demand, supply
from layers.gaps.assumptions import Assumptions, Class, Span
from layers.gaps.demand import Demand
from layers.gaps.reach import Reach, Travel
from layers.gaps.supply import Units
from layers.gaps.travel import StraightLine
from webmap import db
from webmap.db import House, Revisions

LONGEST_MIN = 120.0


@dataclass(frozen=True, eq=False)
class World:
    """One state of the instance on a day. `land` are squares of km² (`demand.of_land`)."""

    people: Demand
    land: Demand
    units: Mapping[str, Units]
    assumptions: Assumptions
    travel: Travel

    def reach(self, role: str, *, within_min: float) -> Reach:
        """Who is reached by whom of a role."""
        return self.travel.reach(self.units[role], self.people, within_min=within_min)


def roles() -> list[Role]:
    """The roles that units play; an area itself (a municipality) is no unit."""
    return [role for role in db.instance().roles if role.layer]


def world(as_of: date) -> World:
    return _world(db.house(), as_of, db.revisions())


@lru_cache(maxsize=4)
def _world(house: House, as_of: date, _revisions: Revisions) -> World:
    assumptions = Assumptions((Class("all", {}, 0, Span(1.2, 1.3, 1.6), Span(50, 60, 80)),))
    bodies, srid = places.bodies(db.session(), as_of=as_of), house.instance.metric_crs
    return World(
        people=demand.of_store(db.session(), as_of=as_of),
        land=demand.of_land(db.session(), as_of=as_of),
        units={
            role.key: supply.of_role(bodies, role, srid=srid, assumptions=assumptions) for role in roles()
        },
        assumptions=assumptions,
        travel=StraightLine(assumptions),
    )
