"""Read: the kinds of place in which cases happened, told from what the map knows of their ground.

A reader who looks for “something for an island” means the place and not its theme. So the kinds are measured
and not written by hand: every case is judged alike, and one that is added needs no label. A place has several
kinds: an island is town or countryside too. `RULES` are all there is to know of them.
"""

from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from layers import fit, geo, places
from layers.errors import N_
from layers.fit import Example, Profile, Territory
from layers.snapshot import Numbers

TOWN, COUNTRYSIDE, SPARSE, REMOTE = "town", "countryside", "sparse", "remote"
_TOWN_PEOPLE, _TOWN_WITHIN_M, _TOWN_DENSITY = 3_000, 2_000.0, 500.0
_SPARSE_DENSITY = 10.0
_REMOTE_M = 30_000.0

RULES = {
    TOWN: N_("Within 2 km of a place of 3,000 people, or in a municipality of 500 people per km² or more."),
    COUNTRYSIDE: N_("Everywhere else: villages and small towns."),
    SPARSE: N_("Countryside of a municipality with fewer than 10 people per km²."),
    REMOTE: N_("More than 30 km from a place of 10,000 people and from the largest place of any county."),
    fit.ISLAND: N_("Off the mainland."),
    fit.COAST: N_("On the mainland, within 5 km of the shore of the sea or a large lake."),
    "border": N_("In a municipality at a land border of the state."),
}
"""Every kind and how it is told, in the order in which they are offered."""


@dataclass(frozen=True, eq=False)
class _Towns:
    points: Numbers

    def are_near(self, point: tuple[float, float]) -> bool:
        return bool(len(self.points)) and bool((np.hypot(*(self.points - point).T) <= _TOWN_WITHIN_M).any())


def of_cases(session: Session, territory: Territory) -> dict[str, frozenset[str]]:
    """The kinds of place of every case of the territory's day, by its key.

    A case that names neither municipality nor county has none; one without a point is told by its area, of
    which nobody can say whether it is town or countryside.
    """
    found = places.settlements(session, as_of=territory.as_of, least_population=_TOWN_PEOPLE)
    moved = geo.to_metric([town.place.point() for town in found], srid=territory.known.srid)
    towns = _Towns(np.array([[point.x, point.y] for point in moved]).reshape(-1, 2))
    return {one.case.key: frozenset(_kinds(one, towns)) for one in territory.examples}


def _kinds(example: Example, towns: _Towns) -> set[str]:
    profile = example.profiles.get("municipality") or next(iter(example.profiles.values()), None)
    if profile is None:
        return set()
    found = {"border"} if profile.at_border else set()
    if profile.setting in (fit.ISLAND, fit.COAST):
        found.add(profile.setting)
    if profile.density and profile.density >= _TOWN_DENSITY:
        found.add(TOWN)
    elif example.case.place:
        found |= _of_point(profile, towns)
    if TOWN not in found and profile.density and profile.density < _SPARSE_DENSITY:
        found.add(SPARSE)
    return found


def _of_point(profile: Profile, towns: _Towns) -> set[str]:
    is_town = profile.point is not None and towns.are_near(profile.point)
    is_remote = profile.town_m is not None and profile.town_m > _REMOTE_M
    return {TOWN if is_town else COUNTRYSIDE} | ({REMOTE} if is_remote else set())
