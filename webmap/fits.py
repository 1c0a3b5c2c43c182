"""Which cases fit a place and where a practice could go, in words: one shape for pages and JSON."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from layers import fit, practices
from layers.fit import Suggestion, Target, Territory
from layers.geo import Place
from layers.practices import Case
from webmap import advice, context, db, i18n, names, replies

Shape = dict[str, Any]


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
    return advice.territory(replies.known(), as_of=as_of)


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
                "weight": advice.WEIGHTS[part.key].points,
                "formula": advice.WEIGHTS[part.key].formula,
                "reason": advice.reason(part),
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
