"""What if: units added, moved or closed in a copy, by form or on the map, and what that changes for whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
from flask import Response, jsonify, redirect, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from layers import geo, search
from layers.catalog import Role
from layers.errors import N_, Invalid
from layers.gaps import engines, scenario
from layers.gaps.demand import Demand
from layers.gaps.scenario import Change, Scenario, Step
from layers.gaps.supply import Units
from layers.geo import Place
from layers.snapshot import Flags
from webmap import context, db, hits, i18n, packed, params, replies
from webmap.planning import chart as charts
from webmap.planning import covered, tables, world
from webmap.planning.frame import bp
from webmap.planning.world import World

_WITHIN_MIN, _LISTED = 15, 50
_ZONES = ("municipality", "county")
_STATES = {"add": "added", "move": "moved", "close": "closed"}


class NoPlace(Invalid):
    text = N_("There is no place “{name}”. Write the name as on the map, or coordinates: 58.12, 27.05.")


@dataclass(frozen=True)
class Question:
    """What the page is asked: the same in its form, its links and its files."""

    role: Role
    within_min: int
    zone: str
    county: str
    plan: Scenario
    against: Scenario

    def words(self) -> dict[str, str]:
        """As parameters, without those that say the usual."""
        found = {
            "role": self.role.key,
            "within": str(self.within_min),
            "zone": self.zone,
            "county": self.county,
            "plan": str(self.plan),
            "against": str(self.against),
        }
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a scenario comes to: who is covered before and after, by zone in persons and km² of land."""

    units: Units
    before: Flags
    after: Flags
    people: Sequence[Change]
    land: Mapping[str, Change]

    @property
    def whole(self) -> Change:
        return self.people[0]


def _asked(args: Mapping[str, str]) -> Question:
    roles = {role.key: role for role in world.roles()}
    county = params.one_of(args, "county", sorted(_codes("county")))
    return Question(
        role=roles[params.one_of(args, "role", roles) or _usual(roles)],
        within_min=params.count(args, "within", otherwise=_WITHIN_MIN, most=int(world.LONGEST_MIN)),
        zone=params.one_of(args, "zone", _ZONES) or _ZONES[0],
        county=county,
        plan=scenario.parse(args.get("plan", "")),
        against=scenario.parse(args.get("against", "")),
    )


def _usual(roles: Mapping[str, Role]) -> str:
    """The first role whose units come to where something happened, else the first."""
    return next((key for key, role in roles.items() if role.capabilities), next(iter(roles)))


def _codes(kind: str) -> set[str]:
    return set(world.world(params.as_of(params.arguments())).people.zones.get(kind, ())) - {""}


def _outcome(known: World, question: Question, plan: Scenario) -> Outcome:
    role = question.role
    srid = db.instance().metric_crs
    then = scenario.applied(known.units[role.key], plan, srid=srid, abilities=role.capabilities)
    before, before_land = _covered(known, role.key, Scenario(), srid, question.within_min)
    after, after_land = _covered(known, role.key, plan, srid, question.within_min)
    asked: dict[str, Any] = {"kind": question.zone, "only": _only(known.people, question)}
    land = scenario.changes(known.land, before_land, after_land, **asked)
    return Outcome(
        then,
        before,
        after,
        scenario.changes(known.people, before, after, **asked),
        {one.zone: one for one in land},
    )


@lru_cache(maxsize=64)
def _covered(known: World, role: str, plan: Scenario, srid: int, within_min: int) -> tuple[Flags, Flags]:
    """Which people and which land are covered then: kept, because page, map and files ask in turn."""
    units = scenario.applied(known.units[role], plan, srid=srid)
    reaches = (
        known.reached(role, units, demand, within_min=float(within_min))
        for demand in (known.people, known.land)
    )
    people, land = (scenario.covered(reach, within_min=float(within_min)) for reach in reaches)
    return people, land


def _only(people: Demand, question: Question) -> list[str]:
    """The zones of the chosen county; none for all."""
    if not question.county:
        return []
    pairs = zip(people.zones[question.zone], people.zones["county"], strict=True)
    return sorted({zone for zone, county in pairs if county == question.county})


@bp.get("/whatif")
def whatif() -> ResponseReturnValue:
    args = params.arguments()
    question = _asked(args)
    if args.get("do"):
        return _one_more(question, args)
    known = world.world(params.as_of(args))
    found = _outcome(known, question, question.plan)
    file = params.one_of(args, "format", ("csv", "json"))
    if file == "csv":
        return tables.csv(_rows(question, found), name="what-if")
    if file == "json":
        return _record(question, found, known.day)
    template = "gaps/whatif_part.html" if params.is_part(args) else "gaps/whatif.html"
    other = _outcome(known, question, question.against) if question.against.steps else None
    return render_template(
        template,
        asked=question,
        found=found,
        other={one.zone: one for one in other.people} if other else {},
        steps=[_told(position, question, known) for position in range(len(question.plan.steps))],
        units=_offered(known.units[question.role.key], question.plan),
        moved=_people_that_change(known.people, found),
        listed=_LISTED,
        caveats=[covered.how(known, question.role.key), *covered.caveats(question.role.key)],
        unknown=[name_of(key) for key in engines.unknown(known.travels[question.role.key], found.units.keys)],
        known=known,
        roles=world.roles(),
        zones=_ZONES,
        part=params.is_part(args),
        chart=None if params.is_part(args) else charts.chart(),
        bounds=covered.bounds(known, question.county),
        rival={**question.words(), "plan": "", "against": str(question.plan)},
        features=_address(question),
    )


def _address(question: Question, **more: str) -> str:
    return context.page("gaps.whatif_features", **question.words(), **more)


def _one_more(question: Question, args: Mapping[str, str]) -> ResponseReturnValue:
    """Leads to the scenario with one more step; where several places bear the name, to one for each."""
    try:
        return redirect(context.page("gaps.whatif", **_done(question, args).words()), 303)
    except replies.ManyHaveThisName as error:
        form = {name: args[name] for name in ("do", "unit", "turnout") if args.get(name)}
        asked = {**question.words(), **form}
        links = [
            (one, context.page("gaps.whatif", **asked, place=f"{one['lat']}, {one['lon']}"))
            for one in error.choices
        ]
        return render_template("gaps/which.html", name=error.values["name"], links=links), 300


def _done(question: Question, args: Mapping[str, str]) -> Question:
    """The question after one more step, as the form asks for it."""
    what, key = params.one_of(args, "do", ("add", "move", "close")), args.get("unit", "").strip()
    at = _place_named(args) if what != "close" else None
    turnout = params.count(args, "turnout", otherwise=5, most=60)
    text = str(Step(what, key, at, float(turnout)))
    return replace(question, plan=scenario.parse(f"{question.plan};{text}"))


def _place_named(args: Mapping[str, str]) -> Place:
    name = params.words(args, "place")
    if at := search.coordinates(name, srid=db.instance().metric_crs):
        return at
    same = [hit for hit in hits.settlements(name, as_of=params.as_of(args)) if hit.place]
    if len(same) > 1:
        raise replies.ManyHaveThisName(name, same)
    if not same or same[0].place is None:
        raise NoPlace(name=name)
    return same[0].place


def _told(position: int, question: Question, known: World) -> dict[str, str]:
    """A step in words, and the page without it."""
    step = question.plan.steps[position]
    units = known.units[question.role.key]
    name = dict(zip(units.keys, units.names, strict=True)).get(step.key) or name_of(step.key)
    where = _near(step.at, known) if step.at else ""
    if step.what == "add":
        text = gettext(
            "New unit near %(place)s, leaves within %(minutes)s min",
            place=where,
            minutes=i18n.number(step.turnout_min),
        )
    elif step.what == "move":
        text = gettext("%(unit)s moves to near %(place)s", unit=name, place=where)
    else:
        text = gettext("%(unit)s closes", unit=name)
    left = replace(question, plan=scenario.without(question.plan, position))
    return {"text": text, "without": context.page("gaps.whatif", **left.words())}


def name_of(key: str) -> str:
    """What a new unit is called on the page."""
    return (
        str(gettext("New unit %(number)s", number=key.removeprefix("new-")))
        if key.startswith("new-")
        else key
    )


def _near(place: Place, known: World) -> str:
    point = geo.metric_point(place, srid=db.instance().metric_crs)
    away = np.hypot(*(known.people.points - (point.x, point.y)).T)
    return (
        known.people.names[int(away.argmin())]
        if known.people.basis == "places"
        else f"{place.lat}, {place.lon}"
    )


def _offered(units: Units, plan: Scenario) -> list[tuple[str, str]]:
    """The units that can still be moved or closed, by name."""
    gone = {step.key for step in plan.steps if step.what == "close"}
    added = [step.key for step in plan.steps if step.what == "add"]
    every = [*zip(units.keys, units.names, strict=True), *((key, name_of(key)) for key in added)]
    return sorted(((key, name) for key, name in every if key not in gone), key=lambda one: one[1].casefold())


def _people_that_change(people: Demand, found: Outcome) -> list[dict[str, Any]]:
    """The places that are gained or lost, the most people first."""
    at = np.flatnonzero(found.before != found.after)
    at = at[np.lexsort((at, -people.people[at]))]
    return [
        {
            "key": people.keys[i],
            "name": people.names[i],
            "municipality": people.zones["municipality"][i],
            "people": float(people.people[i]),
            "estimated": bool(people.estimated[i]),
            "gained": bool(found.after[i]),
        }
        for i in at
    ]


def _rows(question: Question, found: Outcome) -> list[dict[str, Any]]:
    rows = []
    for one in found.people:
        land = found.land.get(one.zone)
        rows.append(
            {
                "zone": one.zone,
                "name": covered.area(question.zone, one.zone) if one.zone else covered.place(question.county),
                "people": round(one.total),
                "covered_before": round(one.before),
                "covered_after": round(one.after),
                "gained": round(one.gained),
                "lost": round(one.lost),
                "land_km2": round(land.total) if land else "",
                "land_covered_before_km2": round(land.before) if land else "",
                "land_covered_after_km2": round(land.after) if land else "",
            }
        )
    return rows


def _record(question: Question, found: Outcome, day: date) -> Response:
    """The scenario as a file: what was asked, of which data, and the numbers that came out."""
    asked = {**question.words(), **context.when(), "as_of": day.isoformat()}
    made = {"turvakaart": "what-if", "asked": asked, "zones": _rows(question, found)}
    response = jsonify({**made, "revisions": dict(db.revisions())})
    response.headers["Content-Disposition"] = 'attachment; filename="what-if.json"'
    return response


@bp.get("/whatif.geojson")
def whatif_features() -> ResponseReturnValue:
    """The people and units of a scenario, for the map: what changes, and every unit."""
    args = params.arguments()
    question = _asked(args)
    known = world.world(params.as_of(args))
    found = _outcome(known, question, question.plan)
    features = [*_people_features(known.people, found, question), *_unit_features(known, found, question)]
    return packed.features(features)


def _people_features(people: Demand, found: Outcome, question: Question) -> list[dict[str, Any]]:
    inside = people.within("county", question.county) if question.county else np.ones(len(people), dtype=bool)
    at = np.flatnonzero(inside & (people.people > 0))
    spots = geo.degrees_of(people.points[at], srid=db.instance().metric_crs)
    words = {
        (True, True): ("covered", gettext("reached before and after")),
        (False, False): ("uncovered", gettext("not reached")),
        (False, True): ("gained", gettext("reached after the change")),
        (True, False): ("lost", gettext("no longer reached")),
    }
    made = []
    for i, (lon, lat) in zip(at, spots, strict=True):
        state, text = words[bool(found.before[i]), bool(found.after[i])]
        living = round(people.people[i])
        lines = [text, ngettext("%(num)s person (estimate)", "%(num)s people (estimate)", living)]
        made.append(tables.point(lon, lat, state=state, size=living, title=people.names[i], lines=lines))
    return made


def _unit_features(known: World, found: Outcome, question: Question) -> list[dict[str, Any]]:
    first, srid = known.units[question.role.key], db.instance().metric_crs
    states = {step.key: _STATES[step.what] for step in question.plan.steps}
    added = {step.key for step in question.plan.steps if step.what == "add"}
    made = []
    for units, wanted in (
        (found.units, set(found.units.keys)),
        (first, set(first.keys) - set(found.units.keys)),
    ):
        for i, (lon, lat) in enumerate(geo.degrees_of(units.points, srid=srid)):
            key = units.keys[i]
            if key in wanted:
                state = "added" if key in added else states.get(key, "unit")
                minutes = gettext("leaves within %(minutes)s min", minutes=i18n.number(units.turnout_min[i]))
                title = name_of(key) if key in added else units.names[i]
                made.append(tables.point(lon, lat, state=state, unit=key, title=title, lines=[minutes]))
    return made
