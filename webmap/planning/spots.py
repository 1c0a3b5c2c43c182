"""Where new units could be put: settlements, organisations that are there, or places of the planner's own."""

from dataclasses import dataclass

from layers import places
from layers.errors import N_, Invalid
from layers.gaps import scenario
from layers.geo import Place
from webmap import db, names
from webmap.planning import zoned
from webmap.planning.world import World

SETTLEMENTS, BODIES, POINTS = "settlements", "bodies", "points"


class NoPoints(Invalid):
    text = N_(
        "Write the places as latitude and longitude, with semicolons between: 58.12,27.05; 58.20,27.10."
    )


@dataclass(frozen=True)
class Spot:
    """A place where a unit could be put; `size` are the people who live there, as far as it is known."""

    key: str
    name: str
    municipality: str
    place: Place
    size: float = 0.0


@dataclass(frozen=True)
class Choice:
    """Where units could be put: in settlements, with organisations that are there, or at named `points`."""

    among: str = SETTLEMENTS
    points: str = ""

    def spots(self, known: World, county: str) -> list[Spot]:
        """The places, by key; those of points in their order.

        Raises:
            NoPoints: the points are not written as points are.
        """
        if self.among == POINTS:
            return _points(self.points)
        if self.among == BODIES:
            bodies = places.bodies(db.session(), as_of=known.day)
            spots = [
                Spot(one.key, names.body(one), one.municipality, one.place) for one in bodies if one.place
            ]
            counties = {one.key: one.county for one in bodies}
        else:
            people = known.people
            size = dict(zip(people.keys, people.people, strict=True)) if people.basis == "places" else {}
            towns = zoned.towns(known.day)
            spots = [
                Spot(one.key, one.name, one.municipality, one.place, size.get(one.key, one.population or 0))
                for one in towns
            ]
            counties = {one.key: one.county for one in towns}
        return sorted((one for one in spots if county in ("", counties[one.key])), key=lambda one: one.key)


def _points(text: str) -> list[Spot]:
    steps = scenario.parse(";".join(f"add:{one.strip()}" for one in text.split(";") if one.strip()))
    if not steps.steps:
        raise NoPoints
    return [
        Spot(step.key, str(step.at and f"{step.at.lat:.5g}, {step.at.lon:.5g}"), "", step.at)
        for step in steps.steps
        if step.at
    ]
