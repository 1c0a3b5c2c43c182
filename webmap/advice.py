"""What fits a place best for every role, and how the parts of its score are said."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from flask_babel import gettext

from layers import fit, practices
from layers.errors import N_
from layers.fit import Best, Part, Suggestion, Territory
from layers.snapshot import Snapshot
from webmap import context, db, i18n
from webmap.db import House

_MOST_SAID = 3
WEIGHTS = {one.key: one for one in fit.PARTS}
_OTHER_WORLD = N_("The case is of an island, and this place is none.")
_BOTH_SHORES = N_("Both lie at the shore of the sea or a large lake.")
_NO_SHORE = N_("The case is of a shore, and this place has none.")
_SETTINGS = {
    (fit.ISLAND, fit.ISLAND): N_("Also an island."),
    (fit.ISLANDS, fit.ISLAND): N_("There are inhabited islands in this place too."),
    (fit.COAST, fit.ISLAND): _OTHER_WORLD,
    (fit.INLAND, fit.ISLAND): _OTHER_WORLD,
    (fit.INLAND, fit.ISLANDS): _NO_SHORE,
    (fit.INLAND, fit.COAST): _NO_SHORE,
    (fit.ISLAND, fit.INLAND): N_("The case is from inland, and this place is an island."),
}
_OUTCOMES = {"lasted": N_("It lasted."), "mixed": N_("It partly worked.")}
# Where a part gives less than half of its points, its sentence does not call the two alike.
_FAINT = {
    "density": N_("Density: {here} against {there} people per km²."),
    "near": N_("At a distance of {distance}."),
    "remote": N_("Way to a town: {here} against {there}."),
    "size": N_("Inhabitants: {here} against {there}."),
}
_REASONS = {
    "roles": N_("The same roles are present: {roles}."),
    "missing": N_("Takes part in the case and is not known in this place: {roles}."),
    "density": N_("Similar density: {here} against {there} people per km²."),
    "theme": N_("A case of the same theme is known in this place: {theme}."),
    "near": N_("Near: {distance}."),
    "remote": N_("As far from a town: {here} against {there}."),
    "size": N_("Similar size: {here} against {there} inhabitants."),
    "border": N_("Both lie at a land border of the state."),
}


def territory(known: Snapshot, *, as_of: date) -> Territory:
    """Profiles of every place as they were on the day: made once for all days on which they are the same."""
    return _territory(db.house(), known, epoch(known, as_of))


def epoch(known: Snapshot, as_of: date) -> date:
    """The first of the days on which every profile is as it was on the day."""
    return fit.epoch(_turns(db.house(), known), as_of)


# The snapshot stands for the state of every layer: another state is another snapshot.
@lru_cache(maxsize=3)
def _turns(_house: House, known: Snapshot) -> tuple[date, ...]:
    return tuple(fit.turns(db.session(), known))


@lru_cache(maxsize=8)
def _territory(house: House, known: Snapshot, epoch: date) -> Territory:
    return fit.territory(db.session(), house.instance, known, as_of=epoch)


def best(known: Snapshot, area: str, *, as_of: date) -> Mapping[str, Best]:
    """By role, what fits a municipality or county (`kind:code`) best; nothing for any other area."""
    return _best(db.house(), known, epoch(known, as_of), area)


@lru_cache(maxsize=4096)
def _best(house: House, known: Snapshot, epoch: date, area: str) -> Mapping[str, Best]:
    found = _territory(house, known, epoch)
    if area not in found.profiles:
        return {}
    return fit.best(found, area, house.instance.roles, _audiences(house, known, epoch))


@lru_cache(maxsize=8)
def _audiences(_house: House, _known: Snapshot, epoch: date) -> Mapping[str, tuple[str, ...]]:
    return {one.key: one.audiences for one in practices.practices(db.session(), as_of=epoch)}


def forget() -> None:
    """Lets go of every snapshot; what is asked of one again is found again."""
    for kept in (_turns, _territory, _best, _audiences):
        kept.cache_clear()


def why(found: Suggestion) -> str:
    """What speaks most for a case, and all that speaks against it, in sentences."""
    told = sorted(found.parts, key=lambda part: -part.points)
    for_it = [part for part in told if part.points > 0][:_MOST_SAID]
    return " ".join(reason(part) for part in (*for_it, *(part for part in told if part.points < 0)))


def reason(part: Part) -> str:
    """One part of a score as a sentence in this request's language."""
    told = part.values
    if part.key == "setting":
        sentence = _SETTINGS.get((str(told["here"]), str(told["there"])), _BOTH_SHORES)
        return str(gettext(sentence))
    if part.key == "outcome":
        return str(gettext(_OUTCOMES[str(told["outcome"])]))
    said = {name.removesuffix("_m"): _SAY[part.key](value) for name, value in told.items()}
    is_faint = part.key in _FAINT and part.points * 2 < WEIGHTS[part.key].points
    return str(gettext((_FAINT if is_faint else _REASONS)[part.key])).format(**said)


def _roles(keys: Iterable[str]) -> str:
    known = {role.key: role for role in db.instance().roles}
    return i18n.listed(i18n.lowered(i18n.plain(known[key].label)) for key in keys)


def _density(value: float) -> str:
    return i18n.number(round(value, None if value >= 10 else 1))


_SAY: dict[str, Callable[[Any], str]] = {
    "roles": _roles,
    "missing": _roles,
    "density": _density,
    "theme": lambda code: i18n.label("themes", code),
    "near": context.distance,
    "remote": context.distance,
    "size": i18n.number,
}
