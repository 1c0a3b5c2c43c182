"""Who could help: the units of a role, with where they are and how soon they leave."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely

from layers import geo
from layers.catalog import Role
from layers.gaps.assumptions import Assumptions
from layers.places import Body
from layers.snapshot import Flags, Numbers

_CLOSED = "closed"


@dataclass(frozen=True, eq=False)
class Units:
    """Units with a known place, m rows: metric `points` (m × 2), `turnout_min` minutes until they leave (m).

    `abilities` are what each can do, `forms` what each is. `unplaced` are the keys of those of the same role
    whose place nobody knows: they are named beside every figure and counted in none. `readiness` and
    `precision` (of the point) are the organisation's own, empty tuples where they are not told.
    """

    keys: tuple[str, ...]
    names: tuple[str, ...]
    forms: tuple[str, ...]
    abilities: tuple[frozenset[str], ...]
    points: Numbers
    turnout_min: Numbers
    unplaced: tuple[str, ...] = ()
    readiness: tuple[str, ...] = ()
    precision: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)

    def only(self, wanted: Flags) -> "Units":
        """The units that are wanted; `wanted` has m flags."""
        at = np.flatnonzero(wanted)
        return Units(
            tuple(self.keys[i] for i in at),
            tuple(self.names[i] for i in at),
            tuple(self.forms[i] for i in at),
            tuple(self.abilities[i] for i in at),
            self.points[at],
            self.turnout_min[at],
            self.unplaced,
            tuple(self.readiness[i] for i in at) if self.readiness else (),
            tuple(self.precision[i] for i in at) if self.precision else (),
        )


def of_role(bodies: Sequence[Body], role: Role, *, srid: int, assumptions: Assumptions) -> Units:
    """The units that play a role, by key; a closed unit plays none."""
    able = set(role.capabilities)
    return of_bodies(
        [body for body in bodies if body.layer == role.layer and (not able or able & {*body.capabilities})],
        srid=srid,
        assumptions=assumptions,
    )


def of_bodies(bodies: Sequence[Body], *, srid: int, assumptions: Assumptions) -> Units:
    """These organisations as units, by key, without those that are closed."""
    there = sorted((body for body in bodies if body.readiness != _CLOSED), key=lambda body: body.key)
    placed = [body for body in there if body.place is not None]
    metric = geo.to_metric(geo.points_of([body.place for body in placed]), srid=srid)
    return Units(
        keys=tuple(body.key for body in placed),
        names=tuple(body.name for body in placed),
        forms=tuple(body.form for body in placed),
        abilities=tuple(frozenset(body.capabilities) for body in placed),
        points=np.column_stack([shapely.get_x(metric), shapely.get_y(metric)]).reshape(-1, 2),
        turnout_min=np.array([assumptions.turnout(body.form, body.readiness).usual for body in placed]),
        unplaced=tuple(body.key for body in there if body.place is None),
        readiness=tuple(body.readiness for body in placed),
        precision=tuple(body.precision for body in placed),
    )


def standing(bodies: Sequence[Body]) -> list[Body]:
    """These organisations as they stood on the day for which they were read.

    What is marked as closed and has a known end was open until then: read for a day before, it counts.
    """
    return [
        replace(body, readiness="") if body.readiness == _CLOSED and body.valid_to else body
        for body in bodies
    ]
