"""The page about who is missing: roles, abilities, combinations of them; and methods tried nowhere near."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import shapely
from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from layers import geo, memory, practices
from layers.catalog import Worry
from layers.errors import N_
from layers.gaps import missing, untried
from layers.gaps import zones as grounds
from layers.gaps.missing import COUNTED, GAPS, NOBODY, PRESENT, STATES, UNABLE, Combination, Lack, Term, Total
from layers.gaps.untried import Circumstance, Evidence, Nearby, Untried
from layers.places import Body
from webmap import advice, context, db, fits, i18n, names, packed, params, replies
from webmap.db import House, Revisions
from webmap.planning import chart, tables, zoned
from webmap.planning.frame import bp

Shape = dict[str, Any]
VIEWS = ("roles", "methods")
NEAR = "near"
_ZONES = ("municipality", "county", "place", NEAR)
_WITHIN_KM, _MOST_KM = 10, 300
_LISTED = 100
_COLOURS = {NOBODY: "#a6611a", UNABLE: "#dfb35a", COUNTED: "#9aa5ad", PRESENT: "#2a9187"}
_POINTS = {NOBODY: "uncovered", UNABLE: "uncovered", COUNTED: "counted", PRESENT: "covered"}
_STATES = {
    NOBODY: N_("nobody known"),
    UNABLE: N_("somebody, but not for this"),
    COUNTED: N_("counted, not named"),
    PRESENT: N_("there"),
}
_RULES = {
    untried.KM: N_("within a distance"),
    untried.COUNTY: N_("in the same county"),
    untried.SIMILAR: N_("in a similar place"),
}


@dataclass(frozen=True)
class Question:
    """What the page is asked. `need` is a combination's key or a term; `all_of`, `one_of` are free terms."""

    view: str
    need: str
    all_of: str
    one_of: str
    zone: str
    within: int
    county: str
    worry: str
    rule: str
    score: int

    def words(self, **more: str) -> dict[str, str]:
        """As parameters of an address."""
        if self.view == "methods":
            mine = {"worry": self.worry, "rule": self.rule, "within": str(self.within)}
            mine |= {"score": str(self.score)} if self.rule == untried.SIMILAR else {}
        else:
            mine = {"need": self.need, "all": self.all_of, "any": self.one_of, "zone": self.zone}
            mine |= {"within": str(self.within)} if self.zone == NEAR else {}
        found = {"view": self.view, **mine, "county": self.county.partition(":")[2], **more}
        return {name: value for name, value in found.items() if value}


def _asked(args: Mapping[str, str], as_of: date) -> Question:
    view = params.one_of(args, "view", VIEWS) or VIEWS[0]
    all_of, one_of = params.words(args, "all"), params.words(args, "any")
    need = params.one_of(args, "need", needs())
    return Question(
        view=view,
        need="" if all_of or one_of else need or next(iter(needs())),
        all_of=all_of,
        one_of=one_of,
        zone=params.one_of(args, "zone", _zones(as_of)) or _usual_zone(as_of),
        within=params.count(args, "within", otherwise=30 if view == "methods" else _WITHIN_KM, most=_MOST_KM),
        county=zoned.county(args),
        worry=params.one_of(args, "worry", {one.key: one for one in db.instance().worries}),
        rule=params.one_of(args, "rule", untried.RULES) or untried.KM,
        score=params.count(args, "score", otherwise=40, most=100),
    )


def _usual_zone(as_of: date) -> str:
    """The smallest kind of area with seats; a distance where the instance has no such areas."""
    kind = zoned.base(as_of)
    return kind if kind in _zones(as_of) else NEAR


def _zones(as_of: date) -> tuple[str, ...]:
    """Kinds of area that there are; places only where people are told by places, for a cell seats nobody."""
    there = {one.kind for one in db.instance().layers_of("areas")}
    counted = zoned.people(as_of).basis == "cells"
    return tuple(
        kind for kind in _ZONES if kind in there or kind == NEAR or (kind == "place" and not counted)
    )


def needs() -> dict[str, Combination]:
    """Every question that the page offers by a word: combinations, roles, abilities, abilities of a role."""
    return _needs(db.house(), db.revisions())


@lru_cache(maxsize=4)
def _needs(house: House, _revisions: Revisions) -> dict[str, Combination]:
    known = replies.known()
    single = (*missing.asked_of(house.instance), *_abilities_of_roles(house, known.bodies))
    return {one.key: one for one in (*_combinations(house), *single)}


@lru_cache(maxsize=4)
def _combinations(house: House) -> tuple[Combination, ...]:
    return missing.combinations(house.instance)


@lru_cache(maxsize=4)
def _circumstances(house: House) -> tuple[Circumstance, ...]:
    return untried.circumstances(house.instance)


def _abilities_of_roles(house: House, bodies: Iterable[Body]) -> Iterable[Combination]:
    """What somebody of a role is known to be able to, where that differs from the role itself."""
    told = {(body.layer, ability) for body in bodies for ability in body.capabilities}
    for role in house.instance.roles:
        for ability in house.instance.codes.get("capabilities", {}):
            if (role.layer, ability) in told and {ability} != set(role.capabilities):
                term = Term(role.key, ability)
                yield Combination((term,), key=str(term))


def _combination(question: Question) -> Combination:
    if question.need:
        return needs()[question.need]
    terms = [
        [term for term in text.replace(",", " ").split() if term]
        for text in (question.all_of, question.one_of)
    ]
    return missing.combination(*terms, instance=db.instance())


@bp.get("/missing", endpoint="missing")
def who_is_missing() -> ResponseReturnValue:
    args = params.arguments()
    as_of = params.as_of(args)
    question = _asked(args, as_of)
    file = params.one_of(args, "format", ("csv", "geojson"))
    return _methods(question, as_of, file) if question.view == "methods" else _roles(question, as_of, file)


# --- Roles, abilities and combinations


def _roles(question: Question, as_of: date, file: str) -> ResponseReturnValue:
    asked = _combination(question)
    every = _lacks(db.house(), db.revisions(), asked, question.zone, question.within, as_of)
    found = [one for one in every if not question.county or one.zone.lies_in(question.county)]
    if file == "csv":
        return tables.csv([_row(one) for one in found], name="missing")
    if file == "geojson":
        days = tuple(context.when().items())
        asked_in = (i18n.language(), days, request.script_root)
        text = _drawn(db.house(), db.revisions(), question, as_of, asked_in)
        return packed.geojson(text)
    by_area = question.zone in ("municipality", "county")
    told = missing.totals(found, zoned.base(as_of))
    return render_template(
        "gaps/missing.html",
        asked=question,
        view=question.view,
        needs=_groups(),
        label_of=_label(asked),
        found=[_shape(one) for one in [each for each in found if each.state != PRESENT][:_LISTED]],
        lacking=sum(one.state != PRESENT for one in found),
        listed=_LISTED,
        by_area=by_area,
        whole=told[0] if told else None,
        totals=told[1:],
        verdict=_verdict(question, asked, told[0] if told else None),
        outside=_outside(question, as_of) if by_area else 0,
        overview=_overview(question, as_of) if by_area else [],
        estimated=any(one.zone.estimated for one in found),
        **_shared(question, as_of),
    )


@memory.kept(64)
def _lacks(
    _house: House, _revisions: Revisions, asked: Combination, zone: str, within: int, as_of: date
) -> tuple[Lack, ...]:
    kind = grounds.PLACE if zone == NEAR else zone
    return missing.lacks(zoned.who(kind, as_of, float(within) if zone == NEAR else None), asked)


def _shared(question: Question, as_of: date) -> Shape:
    return {
        "states": {state: (gettext(_STATES[state]), _COLOURS[state]) for state in STATES},
        "zones": {kind: _zone(kind) for kind in _zones(as_of)},
        "zone": _zone,
        "rules": {rule: gettext(text) for rule, text in _RULES.items()},
        "counties": zoned.counties(),
        "chart": chart.chart(),
        "bounds": zoned.bounds(question.county, as_of),
        "link": lambda **more: context.page("gaps.missing", **question.words(**more)),
        "views": {
            "roles": (gettext("Roles and abilities"), context.page("gaps.missing")),
            "methods": (gettext("Methods tried nowhere near"), context.page("gaps.missing", view="methods")),
        },
        "whole_number": zoned.whole,
        "share": zoned.share,
        "basis": zoned.people(as_of).basis,
    }


def _zone(kind: str) -> str:
    if kind == NEAR:
        return str(gettext("within a distance of each place"))
    return str(gettext("village or town") if kind == "place" else i18n.label("area_kinds", kind))


def _groups() -> list[tuple[str, list[tuple[str, str]]]]:
    """The choices of the form, in groups: combinations, roles, abilities, abilities of a role."""
    titles = (
        gettext("Together"),
        gettext("One role"),
        gettext("Anybody who can"),
        gettext("A role that can"),
    )
    groups: list[list[tuple[str, str]]] = [[], [], [], []]
    named = {one.key for one in _combinations(db.house())}
    for key, one in needs().items():
        place = 0 if key in named else 2 if key.startswith(".") else 3 if "." in key else 1
        groups[place].append((key, _label(one)))
    return [(title, group) for title, group in zip(titles, groups, strict=True) if group]


def _label(asked: Combination) -> str:
    """What is asked for, inside a sentence."""
    if asked.label:
        return i18n.plain(asked.label)
    needed, any_of = ([_term(term) for term in terms] for terms in (asked.all_of, asked.one_of))
    if not any_of:
        return i18n.listed(needed)
    if not needed:
        return str(gettext("at least one of: %(terms)s", terms=", ".join(any_of)))
    return str(
        gettext(
            "%(needed)s, and at least one of: %(terms)s",
            needed=i18n.listed(needed),
            terms=", ".join(any_of),
        )
    )


def _term(term: Term) -> str:
    ability = i18n.label("capabilities", term.capability) if term.capability else ""
    if not term.role:
        return ability
    return f"{zoned.role(term.role)} ({ability})" if ability else zoned.role(term.role)


def _verdict(question: Question, asked: Combination, whole: Total | None) -> list[str]:
    """The sentences for the council."""
    if whole is None:
        return []
    people, number = sum(whole.people.values()), sum(whole.zones.values())
    gaps = sum(whole.zones[state] for state in GAPS)
    values = {
        "people": zoned.whole(whole.missing),
        "share": zoned.share(whole.missing, people),
        "zones": i18n.number(gaps),
        "of": i18n.number(number),
        "what": _label(asked),
        "km": question.within,
    }
    if not gaps:
        said = [gettext("As far as public sources name them, all of this is there: %(what)s.", **values)]
    elif question.zone == NEAR:
        said = [
            gettext(
                "%(people)s people (%(share)s %%) live in %(zones)s of %(of)s places within %(km)s km of "
                "which no public source names all of this: %(what)s.",
                **values,
            )
        ]
    else:
        said = [
            gettext(
                "%(people)s people (%(share)s %%) live in %(zones)s of %(of)s areas where no public source "
                "names all of this: %(what)s.",
                **values,
            )
        ]
    if whole.people[UNABLE]:
        said.append(
            gettext(
                "For %(people)s of them somebody of the kind is there, but nobody known to be able to do it.",
                people=zoned.whole(whole.people[UNABLE]),
            )
        )
    if whole.people[COUNTED]:
        said.append(
            gettext(
                "Where %(people)s more live, a source counts some and does not name them: neither there nor "
                "missing.",
                people=zoned.whole(whole.people[COUNTED]),
            )
        )
    return [str(one) for one in said]


def _outside(question: Question, as_of: date) -> float:
    """People who live in no area of the kind, as the data know them; 0 when a county is chosen."""
    if question.county:
        return 0.0
    inside = sum(zone.people for zone in zoned.areas(question.zone, as_of))
    return float(max(0.0, zoned.people(as_of).people.sum() - inside))


def _overview(question: Question, as_of: date) -> list[Shape]:
    """Every role and every ability by the people for whom it is missing, by the smallest areas."""
    found = _most_missing(db.house(), db.revisions(), zoned.base(as_of), as_of)
    return [
        {
            "label": _label(asked),
            "people": total.people,
            "missing": total.missing,
            "url": context.page(
                "gaps.missing", **{**question.words(), "need": asked.key, "all": "", "any": ""}
            ),
        }
        for asked, total in found
    ]


@memory.kept(4)
def _most_missing(
    _house: House, _revisions: Revisions, kind: str, as_of: date
) -> tuple[tuple[Combination, Total], ...]:
    return missing.overview(zoned.who(kind, as_of, None))


def _shape(one: Lack) -> Shape:
    """One area or place in words."""
    short = [s for s in one.standings if s.state != PRESENT]
    return {
        "key": one.zone.key,
        "name": zoned.named(one.zone),
        "url": zoned.address(one.zone.key),
        "within": [names.area(key) for key in one.zone.within],
        "people": one.zone.people,
        "estimated": one.zone.estimated,
        "state": one.state,
        "colour": _COLOURS[one.state],
        "said": gettext(_STATES[one.state]),
        "lacks": [
            {"term": _term(s.term), "said": gettext(_STATES[s.state]), "detail": _detail(s)} for s in short
        ],
        "there": [
            {"name": names.body(body), "url": context.page("body", key=body.key)}
            for body in {b.key: b for s in one.standings for b in s.able}.values()
        ],
        "nearest": [
            {
                "term": _term(near.term),
                "name": names.body(near.body),
                "url": context.page("body", key=near.body.key),
                "way": zoned.going(near.way),
            }
            for near in one.nearest
        ],
    }


def _detail(standing: missing.Standing) -> str:
    """What must be added to a state so that nobody reads too much into it."""
    if standing.state == COUNTED:
        return str(gettext("counted in %(area)s", area=names.area(standing.counted_in)))
    if standing.state == UNABLE and standing.others:
        return str(
            ngettext(
                "%(num)s is there; of %(unsaid)s no source says what they can do",
                "%(num)s are there; of %(unsaid)s no source says what they can do",
                len(standing.others),
                unsaid=i18n.number(standing.unsaid),
            )
        )
    return ""


def _row(one: Lack) -> Shape:
    """One line of the file: people in persons, distance in metres, bearing in degrees from grid north."""
    near = min(one.nearest, key=lambda n: (n.way.distance_m, n.body.key), default=None)
    return {
        "area": one.zone.key,
        "name": zoned.named(one.zone),
        "within": " ".join(one.zone.within),
        "people": round(one.zone.people, 1),
        "people_estimated": "yes" if one.zone.estimated else "",
        "state": one.state,
        "lacking": one.lacking,
        "terms": "; ".join(f"{s.term}={s.state}" for s in one.standings),
        "able": " ".join(dict.fromkeys(body.key for s in one.standings for body in s.able)),
        "nearest": near.body.key if near else "",
        "nearest_name": near.body.name if near else "",
        "nearest_for": str(near.term) if near else "",
        "nearest_m": near.way.distance_m if near else "",
        "nearest_bearing": near.way.bearing if near and near.way.bearing is not None else "",
    }


def _features(question: Question, found: Iterable[Lack], as_of: date) -> Iterable[Shape]:
    every = list(found)
    if question.zone not in ("municipality", "county"):
        yield from _points(every)
        return
    shapes = zoned.outlines(question.zone, as_of, [one.zone.key for one in every])
    for one in every:
        if one.zone.key in shapes:
            yield _feature(json.loads(shapes[one.zone.key]), one, "zone")


# The language, the days and the root stand in the words and addresses that are kept.
@lru_cache(maxsize=16)
def _drawn(
    _house: House, _revisions: Revisions, question: Question, as_of: date, _asked_in: tuple[object, ...]
) -> str:
    """The map of a question, as text. The arguments are all that it depends on."""
    every = _lacks(db.house(), db.revisions(), _combination(question), question.zone, question.within, as_of)
    found = [one for one in every if not question.county or one.zone.lies_in(question.county)]
    return packed.collection(_features(question, found, as_of))


def _points(every: list[Lack]) -> Iterable[Shape]:
    middles = [shapely.Point(one.zone.middle) for one in every]
    spots = geo.to_degrees(middles, srid=db.instance().metric_crs)
    for one, spot in zip(every, spots, strict=True):
        place = {"type": "Point", "coordinates": [round(spot.x, 5), round(spot.y, 5)]}
        yield _feature(place, one, _POINTS[one.state])


def _feature(geometry: Shape, one: Lack, state: str) -> Shape:
    lines = [
        str(ngettext("%(num)s person (estimate)", "%(num)s people (estimate)", round(one.zone.people))),
        *(f"{_term(s.term)}: {gettext(_STATES[s.state])}" for s in one.standings),
    ]
    properties = {
        "state": state,
        "standing": one.state,
        "key": one.zone.key,
        "title": zoned.named(one.zone),
        "people": round(one.zone.people, 1),
        "size": round(one.zone.people),
        "lines": lines,
        "href": zoned.address(one.zone.key),
    }
    properties |= {"colour": _COLOURS[one.state]} if state == "zone" else {}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


# --- Methods


def _methods(question: Question, as_of: date, file: str) -> ResponseReturnValue:
    near = Nearby(question.rule, float(question.within), question.score)
    every = _untried(db.house(), db.revisions(), question.worry, near, as_of)
    found = [one for one in every if not question.county or one.zone.lies_in(question.county)]
    if file == "csv":
        return tables.csv([_method_row(one) for one in found], name="methods")
    if file == "geojson":
        return packed.features(_method_features(found, as_of))
    worries = db.instance().worries
    return render_template(
        "gaps/missing.html",
        asked=question,
        view=question.view,
        worries=worries,
        found=[_method(one) for one in found[:_LISTED]],
        lacking=len(found),
        listed=_LISTED,
        verdict=_method_verdict(found, question, worries),
        weights=context.page("gaps.missing"),
        **_shared(question, as_of),
    )


@lru_cache(maxsize=64)
def _untried(
    house: House, _revisions: Revisions, worry: str, near: Nearby, as_of: date
) -> tuple[Untried, ...]:
    instance = house.instance
    chosen = next((one for one in instance.worries if one.key == worry), None)
    return untried.gaps(
        fits.territory(as_of=as_of),
        instance,
        zoned.areas(zoned.base(as_of), as_of),
        circumstances=_circumstances(house),
        worry=chosen,
        near=near,
    )


def _method_verdict(found: list[Untried], question: Question, worries: Iterable[Worry]) -> list[str]:
    zones = {one.zone.key: one.zone.people for one in found}
    values = {"zones": i18n.number(len(zones)), "people": zoned.whole(sum(zones.values()))}
    label = next((i18n.plain(one.label) for one in worries if one.key == question.worry), "")
    if not zones and label:
        return [str(gettext("Against this worry a tried method is near everywhere: %(worry)s.", worry=label))]
    if not zones:
        return [str(gettext("For all that is known of these places a tried method is near."))]
    if label:
        return [
            str(
                gettext(
                    "In %(zones)s areas with %(people)s people no case near tells of a tried method against: "
                    "%(worry)s.",
                    worry=label,
                    **values,
                )
            )
        ]
    return [
        str(
            gettext(
                "In %(zones)s areas with %(people)s people something is known for which others have tried a "
                "method, and no case near tells of one.",
                **values,
            )
        )
    ]


def _method(one: Untried) -> Shape:
    best, way = one.best, one.way
    return {
        "key": one.zone.key,
        "name": zoned.named(one.zone),
        "within": [names.area(key) for key in one.zone.within],
        "people": one.zone.people,
        "evidence": [_evidence(each) for each in (one.evidence, *one.shown)],
        "there": [{"name": names.body(b), "url": context.page("body", key=b.key)} for b in one.there],
        "practice": practice(one.practice),
        "best": _case(best.case) if best else None,
        "score": best.score if best else 0,
        "reasons": [
            {"text": advice.reason(part), "points": part.points}
            for part in sorted(best.parts, key=lambda part: -part.points)
        ]
        if best
        else [],
        "example": {**_case(one.example), "way": zoned.going(way)} if one.example else None,
    }


def _evidence(one: Evidence) -> Shape:
    if one.kind == untried.CLOSED:
        found = {body.key: body for body in replies.known().bodies}
        return {
            "said": gettext("This has closed:"),
            "name": names.body(found[one.key]),
            "url": context.page("body", key=one.key),
        }
    if one.kind == untried.ENDED:
        case = next(case for case in replies.known().cases if case.key == one.key)
        return {"said": gettext("This case has ended:"), **_case(case)}
    if one.kind == untried.CIRCUMSTANCE:
        label = {each.key: each.label for each in _circumstances(db.house())}[one.key]
        return {"said": gettext("Known of the place:"), "name": i18n.plain(label), "url": ""}
    label = {each.key: each.label for each in db.instance().worries}[one.key]
    return {"said": gettext("You asked for:"), "name": i18n.plain(label), "url": ""}


def _case(case: Any) -> Shape:
    return {"name": i18n.plain(case.titles), "url": context.page("case", key=case.key)}


def practice(key: str) -> Shape | None:
    found = _titles(db.house(), db.revisions()).get(key)
    return {"name": i18n.plain(found), "url": context.page("practice", key=key)} if found else None


@lru_cache(maxsize=4)
def _titles(_house: House, _revisions: Revisions) -> dict[str, Mapping[str, str]]:
    return {one.key: one.titles for one in practices.practices(db.session(), as_of=date.max)}


def _method_row(one: Untried) -> Shape:
    """One line of the file: people in persons, distance in metres, the fit in points."""
    return {
        "area": one.zone.key,
        "name": zoned.named(one.zone),
        "people": round(one.zone.people, 1),
        "evidence": one.evidence.kind,
        "evidence_key": one.evidence.key,
        "shown_by_data": " ".join(f"{each.kind}:{each.key}" for each in one.shown),
        "named_there": " ".join(body.key for body in one.there),
        "practice": one.practice,
        "best_case": one.best.case.key if one.best else "",
        "fit_points": one.best.score if one.best else "",
        "nearest_case": one.example.key if one.example else "",
        "nearest_m": one.way.distance_m if one.way else "",
        "nearest_bearing": one.way.bearing if one.way and one.way.bearing is not None else "",
    }


def _method_features(found: list[Untried], as_of: date) -> Iterable[Shape]:
    """One shape an area, with all that is known of it."""
    by_zone: dict[str, list[Untried]] = {}
    for one in found:
        by_zone.setdefault(one.zone.key, []).append(one)
    for key, text in zoned.outlines(zoned.base(as_of), as_of, by_zone).items():
        rows = [_method(one) for one in by_zone[key]]
        lines = [f"{each['said']} {each['name']}" for row in rows for each in row["evidence"]]
        lines += [row["practice"]["name"] for row in rows if row["practice"]]
        properties = {
            "state": "zone",
            "key": key,
            "title": names.area(key),
            "people": round(by_zone[key][0].zone.people, 1),
            "practices": [one.practice for one in by_zone[key]],
            "lines": list(dict.fromkeys(lines)),
            "href": zoned.address(key),
            "colour": _COLOURS[NOBODY],
        }
        yield {"type": "Feature", "geometry": json.loads(text), "properties": properties}
