"""Which cases fit a place and where a practice could go, in words: one shape for pages and JSON."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from flask_babel import gettext

from layers import fit, practices
from layers.errors import N_
from layers.fit import Part, Suggestion, Target, Territory
from layers.geo import Place
from layers.practices import Case
from webmap import context, db, i18n, names, replies
from webmap.db import House, Revisions

Shape = dict[str, Any]
_WEIGHTS = {one.key: one for one in fit.PARTS}
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


def for_area(area: str, *, as_of: date, most: int = 3) -> Shape:
    """Cases that fit a municipality or county (`kind:code`); none for one that was not there on the day."""
    found = _known(as_of)
    if area not in found.profiles:
        return _cases([], [], most)
    return _cases(*fit.cases_for(found, area), most)


def for_place(place: Place, *, as_of: date, most: int = 3) -> Shape:
    """Cases that fit a point."""
    return _cases(*fit.cases_at(_known(as_of), place), most)


def for_practice(key: str, *, as_of: date, most: int = 5) -> Shape:
    """Municipalities to which a practice could go.

    Raises:
        PracticeNotFound: there is none with this key.
    """
    practices.practice(db.session(), key)
    found = _known(as_of)
    return {
        "places": [_target(one) for one in fit.targets(found, [key])[:most]],
        "warnings": [_case(case) for case in fit.warnings(found, key)],
    }


def for_case(key: str, *, as_of: date, most: int = 5) -> Shape:
    """Municipalities to which the practices of a case could go; none where it ended.

    Raises:
        CaseNotFound: there is none with this key.
    """
    case = practices.case(db.session(), key)
    shown = [link.practice for link in case.practices]
    found = fit.targets(_known(as_of), shown, cases=[key])
    return {
        "places": [_target(one) for one in found[:most]],
        "warnings": [_case(case)] if case.outcome == fit.ENDED else [],
    }


def weights() -> list[Shape]:
    """The table of weights as it stands in the code."""
    return [
        {"key": one.key, "weight": one.points, "formula": one.formula, "why": one.reason} for one in fit.PARTS
    ]


def territory(*, as_of: date) -> Territory:
    """What all of these questions compare, kept for each state of the data."""
    return _known(as_of)


def _known(as_of: date) -> Territory:
    return _territory(db.house(), db.revisions(), as_of)


@lru_cache(maxsize=4)
def _territory(house: House, _revisions: Revisions, as_of: date) -> Territory:
    return fit.territory(db.session(), house.instance, replies.known(), as_of=as_of)


def _cases(going: Sequence[Suggestion], ended: Sequence[Suggestion], most: int) -> Shape:
    return {
        "cases": [_suggestion(one) for one in going[:most]],
        "warnings": [_suggestion(one) for one in ended[:most]],
    }


def _suggestion(one: Suggestion) -> Shape:
    return {
        "case": _case(one.case),
        "score": one.score,
        "parts": [
            {
                "key": part.key,
                "points": part.points,
                "weight": _WEIGHTS[part.key].points,
                "formula": _WEIGHTS[part.key].formula,
                "reason": reason(part),
            }
            for part in sorted(one.parts, key=lambda part: -part.points)
        ],
    }


def _target(one: Target) -> Shape:
    kind, code = one.area.kind, one.area.code
    area = {
        "key": one.area.key,
        "name": names.area(one.area.key),
        "url": context.page("area", kind=kind, code=code),
    }
    return {"area": area, **_suggestion(one.like)}


def _case(case: Case) -> Shape:
    return {
        "key": case.key,
        "title": i18n.plain(case.titles),
        "url": context.page("case", key=case.key),
        "outcome": case.outcome,
    }


def reason(part: Part) -> str:
    """One part of a score as a sentence in this request's language."""
    told = part.values
    if part.key == "setting":
        sentence = _SETTINGS.get((str(told["here"]), str(told["there"])), _BOTH_SHORES)
        return str(gettext(sentence))
    if part.key == "outcome":
        return str(gettext(_OUTCOMES[str(told["outcome"])]))
    said = {name.removesuffix("_m"): _SAY[part.key](value) for name, value in told.items()}
    is_faint = part.key in _FAINT and part.points * 2 < _WEIGHTS[part.key].points
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
