"""The network of cooperation: who meets whom in documented cases, as a map and as tables."""

from datetime import date
from functools import lru_cache
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from layers import cooperation, places, practices
from layers.cooperation import Network, Tie
from layers.geo import Place
from layers.places import Body
from layers.practices import Case
from webmap import context, db, i18n, names, packed, params
from webmap.db import House, Revisions
from webmap.planning import chart, tables

bp = Blueprint("cooperation", __name__)


@bp.get("/<language>/network")
def network() -> ResponseReturnValue:
    found = _network(db.house(), db.revisions(), params.as_of(params.arguments()))
    linked = {body.key for tie in found.ties for body in (tie.first, tie.second)}
    return render_template(
        "pages/network.html",
        network=found,
        chart=chart.chart(),
        features=context.page("cooperation.features"),
        linked=len(linked),
        unplaced=[one for one in found.ties if not (one.first.place and one.second.place)],
        met=sorted((one for one in found.meetings if one.cases), key=lambda one: -len(one.cases)),
        never=[one for one in found.meetings if not one.cases and one.first != one.second],
        counties=_counties,
        outcomes=_outcomes,
    )


@lru_cache(maxsize=8)
def _network(house: House, _revisions: Revisions, as_of: date) -> Network:
    """The graph as it was on a day, read once for each state of the data."""
    session, instance = db.session(), house.instance
    cases = practices.cases(session, as_of=as_of)
    there = places.bodies(session, as_of=as_of)
    missing = {key for case in cases for key in case.bodies} - {one.key for one in there}
    # A case keeps the organisations that took part, also those that have ended since.
    ended = [places.body(session, key, as_of=as_of) for key in sorted(missing)]
    return cooperation.network(
        [*there, *ended], cases, practices.practices(session, as_of=as_of), instance.levels
    )


def _counties(cases: tuple[Case, ...]) -> str:
    """Where some cases are: counties with the number of cases, the most first."""
    codes = [case.county for case in cases if case.county]
    counted = sorted({code: codes.count(code) for code in codes}.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{names.county(code)} {i18n.number(number)}" for code, number in counted)


def _outcomes(cases: tuple[Case, ...]) -> str:
    found = [case.outcome for case in cases]
    every = db.instance().codes.get("outcomes", {})
    return ", ".join(
        f"{i18n.label('outcomes', code)} {i18n.number(found.count(code))}" for code in every if code in found
    )


@bp.get("/<language>/network.csv")
def lines() -> ResponseReturnValue:
    """Every pair of organisations with the cases in which both took part."""
    found = _network(db.house(), db.revisions(), params.as_of(params.arguments()))
    return tables.csv([_row(one) for one in found.ties], name="network")


def _row(tie: Tie) -> dict[str, Any]:
    return {
        "first": tie.first.key,
        "first_name": names.body(tie.first),
        "second": tie.second.key,
        "second_name": names.body(tie.second),
        "cases": ";".join(case.key for case in tie.cases),
        "outcomes": ";".join(case.outcome for case in tie.cases),
    }


@bp.get("/<language>/network.geojson")
def features() -> ResponseReturnValue:
    """Lines between organisations that met in a case, and those organisations, where a place is known."""
    found = _network(db.house(), db.revisions(), params.as_of(params.arguments()))
    drawn = [
        _line(one, one.first.place, one.second.place)
        for one in found.ties
        if one.first.place and one.second.place and one.first.place != one.second.place
    ]
    partners: dict[str, list[Tie]] = {}
    bodies = {body.key: body for tie in found.ties for body in (tie.first, tie.second)}
    for tie in found.ties:
        for body in (tie.first, tie.second):
            partners.setdefault(body.key, []).append(tie)
    dots = [_dot(body, body.place, partners[key]) for key, body in sorted(bodies.items()) if body.place]
    return packed.features([*drawn, *dots])


def _line(tie: Tie, first: Place, second: Place) -> dict[str, Any]:
    ends = [[round(place.lon, 5), round(place.lat, 5)] for place in (first, second)]
    case = tie.cases[0]
    told = [
        f"{i18n.plain(one.titles)} ({i18n.label('outcomes', one.outcome)}{_dated(one)})" for one in tie.cases
    ]
    return {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": ends},
        "properties": {
            "state": "pair",
            "title": f"{names.body(tie.first)} – {names.body(tie.second)}",
            "lines": told,
            "href": context.page("case", key=case.key),
            "link": gettext("Read the case"),
        },
    }


def _dated(case: Case) -> str:
    return f", {i18n.day(case.as_of)}" if case.as_of else ""


def _dot(body: Body, place: Place, ties: list[Tie]) -> dict[str, Any]:
    others = len({one.key for tie in ties for one in (tie.first, tie.second)} - {body.key})
    told = ngettext(
        "met %(num)d other organisation in cases", "met %(num)d other organisations in cases", others
    )
    return tables.point(
        place.lon,
        place.lat,
        state="unit",
        title=names.body(body),
        lines=[told],
        href=context.page("body", key=body.key),
        link=gettext("Its page"),
    )
