"""Who is covered, and who is not: one rule or a whole standard, by area, with what hangs on a single unit."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from math import isfinite
from typing import Any

import numpy as np
from flask import render_template
from flask.typing import ResponseReturnValue

from layers import dates, geo, places
from layers.gaps import cover as covers
from layers.gaps import mixes
from layers.gaps.cover import Audit, Row
from layers.gaps.demand import PLACES_ERROR, PLACES_ERROR_OFTEN
from layers.gaps.service import Service
from layers.gaps.standards import COUNTRY, Rule, Standard
from layers.gaps.supply import Units
from webmap import context, db, i18n, packed, params, replies
from webmap.charts import When
from webmap.planning import chart as charts
from webmap.planning import covered as words
from webmap.planning import inquiry, tables, world
from webmap.planning.frame import bp
from webmap.planning.inquiry import Found, Question
from webmap.planning.world import World

_LISTED = 20
_FEW_AREAS = 15
_UNITS_LISTED = 15
_TABLES = ("zones", "places", "units")


@bp.get("/")
def cover() -> ResponseReturnValue:
    args = params.arguments()
    known = world.world(params.as_of(args))
    question = inquiry.asked(args, known)
    found = inquiry.found(known, question.rule, question.zone, question.county)
    if file := params.one_of(args, "format", ("csv", "geojson")):
        return _file(file, params.one_of(args, "table", _TABLES) or _TABLES[0], known, question, found)
    own = Standard(inquiry.OWN, "", {}, {}, (question.rule,), "", "", "", {})
    judged = inquiry.audit(known, question.standard or own)
    return render_template(
        "gaps/cover.html",
        asked=question,
        known=known,
        found=found,
        rows=_sorted(found.rows, question),
        judged=judged,
        findings=_findings(judged, question),
        beside=_beside(known, judged, question) if question.beside else None,
        say=words,
        roles=inquiry.offered(known),
        zones=inquiry.ZONES,
        sorts=inquiry.SORTS,
        thresholds=inquiry.THRESHOLDS_MIN,
        parts=inquiry.PARTS,
        closings=_closings(question.rule, known),
        told=_told(known, found.service),
        listed=_LISTED,
        few=_FEW_AREAS,
        units_listed=_UNITS_LISTED,
        errors=(PLACES_ERROR, PLACES_ERROR_OFTEN),
        chart=charts.chart(),
        bounds=words.bounds(known, question.county),
        features=context.page("gaps.cover_features", **question.words("sort", "beside")),
        towns=_towns(known, found),
    )


def _findings(judged: Audit, question: Question) -> tuple[covers.Finding, ...]:
    return judged.of("county", question.county) if question.county else judged.of(COUNTRY)


def _beside(known: World, judged: Audit, question: Question) -> dict[str, Any]:
    """Two standards side by side: how far each is kept, as a whole and in every area."""
    other = inquiry.audit(known, question.beside) if question.beside else judged
    first, second = (covers.verdicts(one, question.zone) for one in (judged, other))
    codes = [row.code for row in inquiry.found(known, question.rule, question.zone, question.county).rows]
    codes = codes if question.county else sorted({*first, *second} - {""}, key=lambda code: code)
    shown = sorted(codes, key=lambda code: -sum(one[code].short for one in (first, second) if code in one))
    scope = ("county", question.county) if question.county else (COUNTRY, "")
    whole = tuple(covers.verdicts(one, scope[0]).get(scope[1]) for one in (judged, other))
    return {"whole": whole, "rows": [(code, first.get(code), second.get(code)) for code in shown]}


def _sorted(rows: Sequence[Row], question: Question) -> list[Row]:
    """The rows as the reader wants them; the worst stand first, names in the order of their letters."""
    keys: dict[str, Any] = {
        "uncovered": lambda row: (-row.uncovered, row.code),
        "share": lambda row: (row.share, -row.people, row.code),
        "people": lambda row: (-row.people, row.code),
        "name": lambda row: words.area(row.kind, row.code).casefold(),
        "p90": lambda row: (-row.p90_min, -row.people, row.code),
    }
    return sorted(rows, key=keys[question.sort])


def _towns(known: World, found: Found) -> dict[str, Any]:
    """The pages of settlements, where people are known by these."""
    return {"linked": known.people.basis == "places", "areas": known.people.zones["municipality"]}


# --- What is known of who is not in the data


def _told(known: World, asked: Service) -> dict[str, Any]:
    """How many units are placed, unplaced and only counted by somebody."""
    units = {key for role in asked.roles for key in _counted(known.units[role], asked.rule)}
    forms = {body.key: body.form for body in replies.known().bodies} if asked.rule.forms else {}
    unplaced = {
        key
        for role in asked.roles
        for key in known.units[role].unplaced
        if not forms or forms.get(key) in asked.rule.forms
    }
    layers = {role.layer for role in world.roles() if role.key in asked.roles}
    country = f"country:{db.instance().key}"
    counts = places.counts(db.session(), area=country, as_of=params.as_of(params.arguments()))
    newest = {one.layer: one for one in reversed(counts) if one.layer in layers and one.number is not None}
    return {"units": len(units), "unplaced": len(unplaced), "counts": list(newest.values())}


def _counted(units: Units, rule: Rule) -> list[str]:
    forms = set(rule.forms)
    return [key for key, form in zip(units.keys, units.forms, strict=True) if not forms or form in forms]


def _closings(rule: Rule, known: World) -> list[dict[str, Any]]:
    """Days on which organisations of these roles ended, the newest three, each with its eve."""
    wanted = mixes.mix(rule.role, roles=known.units).roles()
    roles = [role for role in world.roles() if role.key in wanted]
    ended: dict[date, set[str]] = {}
    for body in replies.known().bodies:
        plays = any(
            role.layer == body.layer
            and (not role.capabilities or set(role.capabilities) & set(body.capabilities))
            for role in roles
        )
        if body.valid_to and plays and (not rule.forms or body.form in rule.forms):
            ended.setdefault(dates.first_day(body.valid_to), set()).add(body.key)
    return [
        {"day": day.isoformat(), "eve": (day - timedelta(days=1)).isoformat(), "units": len(keys)}
        for day, keys in sorted(ended.items(), reverse=True)[:3]
    ]


# --- The map and the files


@bp.get("/cover.geojson")
def cover_features() -> ResponseReturnValue:
    """The people of a question and the units that count, for the map."""
    args = params.arguments()
    known = world.world(params.as_of(args))
    question = inquiry.asked(args, known)
    drawn = _drawn(known, question.rule, question.county, i18n.language(), tuple(context.when().items()))
    return packed.answer(drawn, mimetype="application/geo+json", kept="no-cache")


@lru_cache(maxsize=16)
def _drawn(known: World, rule: Rule, county: str, _language: str, _when: When) -> bytes:
    asked = inquiry.service_of(known, rule)
    features = [*_people_features(known, county, asked), *_unit_features(known, asked)]
    found = {"type": "FeatureCollection", "features": features}
    return packed.pack(json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode())


def _people_features(known: World, county: str, asked: Service) -> list[dict[str, Any]]:
    people = known.people
    inside = people.within("county" if county else COUNTRY, county)
    at = np.flatnonzero(inside & asked.applies & (people.people > 0))
    spots = geo.degrees_of(people.points[at], srid=db.instance().metric_crs)
    made = []
    for i, (lon, lat) in zip(at.tolist(), spots, strict=True):
        state = "covered" if asked.covered[i] else "uncovered"
        lines = [words.state(asked, i), words.living(people.people[i], bool(people.estimated[i]))]
        near = words.nearest(known, asked, i)
        made.append(
            tables.point(
                lon,
                lat,
                state=state,
                size=round(people.people[i]),
                title=people.names[i],
                lines=[*lines, *([near] if near else [])],
            )
        )
    return made


def _unit_features(known: World, asked: Service) -> list[dict[str, Any]]:
    made: dict[str, dict[str, Any]] = {}
    for role in asked.roles:
        units = known.units[role]
        wanted = set(_counted(units, asked.rule))
        for i, (lon, lat) in enumerate(geo.degrees_of(units.points, srid=db.instance().metric_crs)):
            if units.keys[i] in wanted:
                about = {
                    "title": units.names[i],
                    "lines": [i18n.label("forms", units.forms[i])],
                    "href": context.page("body", key=units.keys[i]),
                }
                made[units.keys[i]] = tables.point(lon, lat, state="unit", **about)
    return list(made.values())


def _file(form: str, table: str, known: World, question: Question, found: Found) -> ResponseReturnValue:
    rows = {"zones": _zone_rows, "places": _place_rows, "units": _loss_rows}[table](known, found)
    if form == "csv":
        return tables.csv(rows, name=table)
    shapes = _shapes(table, known, question, found)
    features = [
        {"type": "Feature", "geometry": shape, "properties": row}
        for row, shape in zip(rows, shapes, strict=True)
    ]
    response = packed.features(features)
    response.headers["Content-Disposition"] = f'attachment; filename="{table}.geojson"'
    return response


def _minutes(value: float) -> float | str:
    return round(value, 2) if isfinite(value) else ""


def _zone_rows(known: World, found: Found) -> list[dict[str, Any]]:
    """People in persons, times in minutes (estimates), ways in straight kilometres, land in km²."""
    made = []
    for row in found.rows:
        first = row.first
        made.append(
            {
                "code": row.code,
                "name": words.area(row.kind, row.code),
                "people": round(row.people),
                "people_estimated": round(row.estimated),
                "covered": round(row.covered),
                "not_covered": round(row.uncovered),
                "share_covered": round(row.share, 4),
                **{
                    f"within_{most:g}_min": round(people)
                    for most, people in zip(inquiry.THRESHOLDS_MIN, row.within, strict=True)
                },
                **{
                    f"covered_{times}_times": round(people)
                    for times, people in zip(covers.DEPTHS, row.depth, strict=True)
                },
                "mean_min": _minutes(row.mean_min),
                "median_min": _minutes(row.median_min),
                "p90_min": _minutes(row.p90_min),
                "area_km2": row.area_km2 if row.area_km2 is not None else "",
                "first_unit": known.units[first.role].names[first.unit] if first else "",
                "first_unit_min": _minutes(first.minutes) if first else "",
                "first_unit_straight_km": round(first.km, 2) if first else "",
            }
        )
    return made


def _place_rows(known: World, found: Found) -> list[dict[str, Any]]:
    people = known.people
    made = []
    for one in found.holes:
        near = one.nearest
        made.append(
            {
                "key": people.keys[one.row],
                "name": people.names[one.row],
                "municipality": people.zones["municipality"][one.row],
                "county": people.zones["county"][one.row],
                "people": round(one.people, 1),
                "people_are_estimated": bool(people.estimated[one.row]),
                "nearest_unit": known.units[near.role].names[near.unit] if near else "",
                "nearest_min": _minutes(near.minutes) if near else "",
                "nearest_straight_km": round(near.km, 2) if near else "",
                "others_in_time": "; ".join(known.units[o.role].names[o.unit] for o in one.others),
            }
        )
    return made


def _loss_rows(known: World, found: Found) -> list[dict[str, Any]]:
    return [
        {
            "key": one.key,
            "name": one.name,
            "roles": "; ".join(one.roles),
            "people_who_lose_cover": round(one.people),
            "places": len(one.rows),
        }
        for one in found.failures
    ]


def _shapes(table: str, known: World, question: Question, found: Found) -> list[Any]:
    """The geometry of each row of a table, in its order; None where it is not known."""
    srid = db.instance().metric_crs
    if table == "zones":
        today = params.knowledge_day(params.arguments())
        drawn = places.outlines(db.session(), question.zone, as_of=today, step="middle")
        texts = {area.code: json.loads(text) for area, text in drawn}
        return [texts.get(row.code) for row in found.rows]
    if table == "places":
        spots = known.people.points[[one.row for one in found.holes]].reshape(-1, 2)
    else:
        at = {
            key: units.points[i]
            for role in found.service.roles
            for units in [known.units[role]]
            for i, key in enumerate(units.keys)
        }
        spots = np.array([at[one.key] for one in found.failures]).reshape(-1, 2)
    return [
        {"type": "Point", "coordinates": [round(float(lon), 5), round(float(lat), 5)]}
        for lon, lat in geo.degrees_of(spots, srid=srid)
    ]
