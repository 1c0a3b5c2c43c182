"""The page about who never met: pairs on common ground, roles, neighbours across borders, who is alone."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import shapely
from flask import render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from layers import geo, memory
from layers.gaps import bridges
from layers.gaps import zones as grounds
from layers.gaps.bridges import Actor, Isolate, Levels, Neighbours, Pair, Pairs
from layers.practices import Case
from webmap import context, db, i18n, names, packed, params
from webmap.db import House, Revisions
from webmap.planning import chart, missing, tables, zoned
from webmap.planning.frame import bp

Shape = dict[str, Any]
VIEWS = ("pairs", "levels", "neighbours", "alone")
_NEAR_KM, _MOST_KM = 10, 300
_LISTED = 100
# From none silent to all: teal to brown of ColorBrewer's BrBG, as on the map of coverage.
_SCALE = ("#2a9187", "#8fcfc4", "#f1e6c8", "#d8b365", "#a6611a")


@dataclass(frozen=True)
class Question:
    """What the page is asked; `like` is "1" for pairs of one role too."""

    view: str
    role: str
    other: str
    like: str
    near: int
    county: str

    def words(self, **more: str) -> dict[str, str]:
        """As parameters of an address."""
        mine = {"role": self.role, "other": self.other, "like": self.like, "near": str(self.near)}
        found = {
            "view": self.view,
            **(mine if self.view == "pairs" else {}),
            "county": self.county.partition(":")[2],
            **more,
        }
        return {name: value for name, value in found.items() if value}


def _asked(args: Mapping[str, str]) -> Question:
    roles = {role.key: role for role in db.instance().roles}
    return Question(
        view=params.one_of(args, "view", VIEWS) or VIEWS[0],
        role=params.one_of(args, "role", roles),
        other=params.one_of(args, "other", roles),
        like=params.one_of(args, "like", ("1",)),
        near=params.count(args, "near", otherwise=_NEAR_KM, most=_MOST_KM),
        county=zoned.county(args),
    )


@bp.get("/bridges", endpoint="bridges")
def who_never_met() -> ResponseReturnValue:
    args = params.arguments()
    as_of, question = params.as_of(args), _asked(args)
    file = params.one_of(args, "format", ("csv", "geojson"))
    rows, features = {
        "pairs": (_pairs, _pair_features),
        "levels": (_levels, _level_features),
        "neighbours": (_neighbours, _neighbour_features),
        "alone": (_alone, _alone_features),
    }[question.view]
    found: Any = rows(question, as_of)
    if file == "csv":
        return tables.csv([_ROWS[question.view](one) for one in found], name=f"bridges-{question.view}")
    if file == "geojson":
        drawn: Any = features
        return packed.features(drawn(found, as_of))
    return render_template(
        "gaps/bridges.html",
        asked=question,
        view=question.view,
        views={
            view: (title, _link(Question(view, "", "", "", _NEAR_KM, question.county)))
            for view, title in _titles()
        },
        roles=db.instance().roles,
        counties=zoned.counties(),
        found=[_SHAPES[question.view](one) for one in found[:_LISTED]],
        total=len(found),
        listed=_LISTED,
        verdict=_VERDICTS[question.view](found, as_of),
        scale=_SCALE,
        chart=chart.chart(),
        bounds=zoned.bounds(question.county, as_of),
        link=lambda **more: _link(question, **more),
        whole_number=zoned.whole,
        share=zoned.share,
    )


def _link(question: Question, **more: str) -> str:
    return context.page("gaps.bridges", **question.words(**more))


def _titles() -> list[tuple[str, str]]:
    return [
        ("pairs", gettext("Pairs")),
        ("levels", gettext("Roles in each area")),
        ("neighbours", gettext("Neighbours across a border")),
        ("alone", gettext("In no case at all")),
    ]


# --- Pairs


def _pairs(question: Question, as_of: date) -> Pairs:
    return _found_pairs(db.house(), db.revisions(), question, as_of)


@memory.kept(64)
def _found_pairs(_house: House, _revisions: Revisions, question: Question, as_of: date) -> Pairs:
    return bridges.pairs(
        zoned.net(as_of),
        near_km=float(question.near),
        like=bool(question.like),
        role=question.role,
        other=question.other,
        within=question.county,
    )


def _pair_verdict(found: Pairs, _as_of: date) -> list[str]:
    ground, hints = found.on_ground, found.hinted
    said = [
        ngettext(
            "%(num)s pair has a reason to know each other, and no public case names both.",
            "%(num)s pairs have a reason to know each other, and no public case names both.",
            len(found),
        )
    ]
    if ground:
        said.append(
            ngettext(
                "%(num)s of them works for the same people.",
                "%(num)s of them work for the same people.",
                ground,
            )
        )
    if hints:
        said.append(
            ngettext(
                "For %(num)s pair a case there names both roles, but not who it was.",
                "For %(num)s pairs a case there names both roles, but not who it was.",
                hints,
            )
        )
    return [str(one) for one in said]


def _pair(one: Pair) -> Shape:
    return {
        "first": _actor(one.first),
        "second": _actor(one.second),
        "reason": _reason(one),
        "people": one.people,
        "distance": "" if one.distance_m is None else context.distance(one.distance_m),
        "hint": _case(one.hint) if one.hint else None,
        "practice": missing.practice(one.practice),
        "example": {**_case(one.example.case), "way": zoned.going(one.example.way)} if one.example else None,
    }


def _reason(one: Pair) -> str:
    """Why they should meet, in words."""
    if one.both_serve:
        areas = i18n.listed(names.area(key) for key in one.both_serve)
        return str(gettext("Both are responsible for %(areas)s.", areas=areas))
    areas = (
        names.area(one.zones[0])
        if len(one.zones) == 1
        else ngettext("%(num)s area", "%(num)s areas", len(one.zones))
    )
    if one.why in bridges.GROUND:
        return str(gettext("Common ground: %(areas)s.", areas=areas))
    if one.why == bridges.BORDER:
        return str(gettext("Their areas lie side by side: %(areas)s at the border.", areas=areas))
    return str(gettext("Near each other, on different ground."))


def _actor(one: Actor) -> Shape:
    roles = i18n.listed(zoned.role(role) for role in one.roles)
    url = context.page("body", key=one.key) if one.body else zoned.address(one.key)
    return {"name": _name(one), "url": url, "roles": roles}


def _name(one: Actor) -> str:
    return names.body(one.body) if one.body else names.area(one.key)


def _case(case: Case) -> Shape:
    return {"name": i18n.plain(case.titles), "url": context.page("case", key=case.key)}


def _pair_row(one: Pair) -> Shape:
    """One line of the file: people in persons, distances in metres."""
    example = one.example
    return {
        "first": one.first.key,
        "first_name": _name(one.first),
        "second": one.second.key,
        "second_name": _name(one.second),
        "roles": "+".join(one.roles),
        "why": one.why,
        "both_serve": " ".join(one.both_serve),
        "ground": " ".join(one.zones),
        "people": round(one.people, 1),
        "weight_people": round(one.weight, 1),
        "distance_m": "" if one.distance_m is None else one.distance_m,
        "perhaps_case": one.hint.key if one.hint else "",
        "practice": one.practice,
        "example_case": example.case.key if example else "",
        "example_m": example.way.distance_m if example and example.way else "",
    }


def _pair_features(found: Sequence[Pair], as_of: date) -> Iterable[Shape]:
    """A line for each of the pairs that the page lists; a mark where both have one point."""
    net = zoned.net(as_of)
    for one in found[:_LISTED]:
        ends = [_end(net, actor, one) for actor in (one.first, one.second)]
        told = _pair(one)
        properties = {
            "title": f"{told['first']['name']} – {told['second']['name']}",
            "lines": [told["reason"], told["distance"]],
            "people": round(one.people, 1),
            "keys": [one.first.key, one.second.key],
            "href": told["practice"]["url"] if told["practice"] else "",
            "link": told["practice"]["name"] if told["practice"] else "",
        }
        yield _drawn(ends, properties)


def _end(net: bridges.Net, actor: Actor, pair: Pair) -> tuple[float, float]:
    """Its point, else the middle of its ground in this pair, else of any."""
    if actor.point:
        return actor.point
    keys = set(pair.zones)
    common = [net.zones[i] for i in actor.ground if net.zones[i].key in keys]
    return (common or [net.zones[i] for i in actor.ground])[0].middle


def _drawn(ends: Sequence[tuple[float, float]], properties: Shape) -> Shape:
    shape = shapely.Point(ends[0]) if ends[0] == ends[1] else shapely.LineString(ends)
    moved = geo.to_degrees(
        [shapely.set_srid(shape, db.instance().metric_crs)], srid=db.instance().metric_crs
    )[0]
    properties["state"] = "missing" if shape.geom_type == "Point" else "pair"
    return {"type": "Feature", "geometry": _rounded(moved), "properties": properties}


def _rounded(shape: Any) -> Shape:
    coordinates = [[round(x, 5), round(y, 5)] for x, y in shapely.get_coordinates(shape)]
    is_point = shape.geom_type == "Point"
    return {"type": shape.geom_type, "coordinates": coordinates[0] if is_point else coordinates}


# --- Levels


def _levels(question: Question, as_of: date) -> Sequence[Levels]:
    found = _found_levels(db.house(), db.revisions(), as_of)
    return [one for one in found if not question.county or one.zone.lies_in(question.county)]


@memory.kept(4)
def _found_levels(_house: House, _revisions: Revisions, as_of: date) -> Sequence[Levels]:
    return bridges.levels(zoned.net(as_of))


def _level_verdict(found: Sequence[Levels], _as_of: date) -> list[str]:
    silent = sum(len(one.silent) for one in found)
    every = silent + sum(len(one.met) for one in found)
    if not every:
        return [str(gettext("Nowhere are two roles known in one area."))]
    often: dict[tuple[str, str], int] = {}
    for one in found:
        for pair in one.silent:
            often[pair] = often.get(pair, 0) + 1
    said = [
        gettext(
            "Of %(every)s pairs of roles that are both known in one area, no case links %(silent)s "
            "(%(share)s %%).",
            every=i18n.number(every),
            silent=i18n.number(silent),
            share=zoned.share(silent, every),
        )
    ]
    if often:
        pair = min(often, key=lambda one: (-often[one], one))
        said.append(
            gettext(
                "Most often these two: %(first)s and %(second)s, in %(number)s areas.",
                first=zoned.role(pair[0]),
                second=zoned.role(pair[1]),
                number=i18n.number(often[pair]),
            )
        )
    return [str(one) for one in said]


def _level(one: Levels) -> Shape:
    return {
        "key": one.zone.key,
        "name": zoned.named(one.zone),
        "within": [names.area(key) for key in one.zone.within],
        "people": one.zone.people,
        "met": [_role_pair(pair) for pair in one.met],
        "silent": [_role_pair(pair) for pair in one.silent],
    }


def _role_pair(pair: tuple[str, str]) -> str:
    return f"{zoned.role(pair[0])} – {zoned.role(pair[1])}"


def _level_row(one: Levels) -> Shape:
    return {
        "area": one.zone.key,
        "name": zoned.named(one.zone),
        "people": round(one.zone.people, 1),
        "roles": " ".join(one.roles),
        "met": " ".join("+".join(pair) for pair in one.met),
        "never_met": " ".join("+".join(pair) for pair in one.silent),
        "never_met_pairs": len(one.silent),
    }


def _level_features(found: Sequence[Levels], as_of: date) -> Iterable[Shape]:
    rows = {one.zone.key: one for one in found}
    for key, text in zoned.outlines(zoned.base(as_of), as_of, rows).items():
        told, one = _level(rows[key]), rows[key]
        every = len(one.met) + len(one.silent)
        step = round(len(one.silent) / every * (len(_SCALE) - 1)) if every else 0
        properties = {
            "state": "zone",
            "key": key,
            "title": told["name"],
            "people": round(one.zone.people, 1),
            "never_met": len(one.silent),
            "met": len(one.met),
            "lines": [
                gettext(
                    "%(silent)s of %(every)s pairs of roles never met", silent=len(one.silent), every=every
                ),
                *told["silent"],
            ],
            "href": zoned.address(key),
            "colour": _SCALE[step],
        }
        yield {"type": "Feature", "geometry": json.loads(text), "properties": properties}


# --- Neighbours


def _neighbours(question: Question, as_of: date) -> Sequence[Neighbours]:
    found = _found_neighbours(db.house(), db.revisions(), as_of)
    county = question.county
    return [one for one in found if not county or one.first.lies_in(county) or one.second.lies_in(county)]


@memory.kept(4)
def _found_neighbours(_house: House, _revisions: Revisions, as_of: date) -> Sequence[Neighbours]:
    return bridges.neighbours(zoned.net(as_of))


def _neighbour_verdict(found: Sequence[Neighbours], as_of: date) -> list[str]:
    across = sum(one.is_across for one in found)
    return [
        str(
            gettext(
                "Of %(borders)s common borders in the country, no known case crosses these %(silent)s; "
                "%(across)s of them are borders of counties too.",
                borders=i18n.number(len(zoned.net(as_of).borders)),
                silent=i18n.number(len(found)),
                across=i18n.number(across),
            )
        )
    ]


def _neighbour(one: Neighbours) -> Shape:
    return {
        "first": _zone(one.first),
        "second": _zone(one.second),
        "people": one.people,
        "is_across": one.is_across,
    }


def _zone(zone: grounds.Zone) -> Shape:
    within = [names.area(key) for key in zone.within]
    return {"name": zoned.named(zone), "url": zoned.address(zone.key), "within": within}


def _neighbour_row(one: Neighbours) -> Shape:
    return {
        "first": one.first.key,
        "first_name": zoned.named(one.first),
        "second": one.second.key,
        "second_name": zoned.named(one.second),
        "across_counties": "yes" if one.is_across else "",
        "people": round(one.people, 1),
    }


def _neighbour_features(found: Sequence[Neighbours], _as_of: date) -> Iterable[Shape]:
    for one in found:
        told = _neighbour(one)
        properties = {
            "title": f"{told['first']['name']} – {told['second']['name']}",
            "lines": [gettext("No known case crosses this border.")],
            "keys": [one.first.key, one.second.key],
            "across_counties": one.is_across,
            "people": round(one.people, 1),
            "href": told["first"]["url"],
            "link": told["first"]["name"],
        }
        yield _drawn([one.first.middle, one.second.middle], properties)


# --- Alone


def _alone(question: Question, as_of: date) -> Sequence[Isolate]:
    net, county = zoned.net(as_of), question.county
    found = _found_alone(db.house(), db.revisions(), as_of)
    return [one for one in found if not county or any(net.zones[i].lies_in(county) for i in one.actor.ground)]


@memory.kept(4)
def _found_alone(_house: House, _revisions: Revisions, as_of: date) -> Sequence[Isolate]:
    return bridges.isolates(zoned.net(as_of))


def _alone_verdict(found: Sequence[Isolate], as_of: date) -> list[str]:
    every = len(zoned.net(as_of).actors)
    return [
        str(
            gettext(
                "%(alone)s organisations and areas take part in no known case; the map knows %(every)s.",
                alone=i18n.number(len(found)),
                every=i18n.number(every),
            )
        )
    ]


def _lonely(one: Isolate) -> Shape:
    return {**_actor(one.actor), "people": one.people, "has_ground": bool(one.actor.ground)}


def _alone_row(one: Isolate) -> Shape:
    return {
        "key": one.actor.key,
        "name": _name(one.actor),
        "roles": " ".join(one.actor.roles),
        "people_on_its_ground": round(one.people, 1),
    }


def _alone_features(found: Sequence[Isolate], as_of: date) -> Iterable[Shape]:
    net = zoned.net(as_of)
    for one in found:
        if one.actor.point or one.actor.ground:
            end = one.actor.point or net.zones[one.actor.ground[0]].middle
            told = _lonely(one)
            properties = {
                "title": told["name"],
                "lines": [told["roles"]],
                "key": one.actor.key,
                "href": told["url"],
            }
            yield _drawn([end, end], properties)


_SHAPES: Mapping[str, Any] = {"pairs": _pair, "levels": _level, "neighbours": _neighbour, "alone": _lonely}
_ROWS: Mapping[str, Any] = {
    "pairs": _pair_row,
    "levels": _level_row,
    "neighbours": _neighbour_row,
    "alone": _alone_row,
}
_VERDICTS: Mapping[str, Any] = {
    "pairs": _pair_verdict,
    "levels": _level_verdict,
    "neighbours": _neighbour_verdict,
    "alone": _alone_verdict,
}
