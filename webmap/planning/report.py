"""The council's report: criteria, baseline, map, what hangs on one unit, options in their order, caveats.

One question, the same words as a page and as PDF; the record beside it repeats the numbers from the same
data, and tells when the data are others. The report's day is the day it asks about, so that equal data and an
equal question make equal bytes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from typing import Any

import numpy as np
import shapely
from flask import Response, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from layers import exports, memory, places, provenance
from layers.errors import N_, Invalid
from layers.gaps import by_rows, sure
from layers.gaps.standards import Rule
from webmap import context, db, i18n, names, paper, params, sharing
from webmap.planning import covered as words
from webmap.planning import inquiry, picture, sites, world
from webmap.planning.frame import bp
from webmap.planning.inquiry import Found, Question
from webmap.planning.sites import Options
from webmap.planning.world import World

Block = dict[str, Any]
_FILES = ("pdf", "json", "xlsx", "gpkg")
_HOLES, _FAILURES, _USUAL_SITES, _MOST_SITES = 15, 8, 3, 10


class NothingToMap(Invalid):
    text = N_("There is no place to put into the file: nobody is uncovered, and no new unit is proposed.")


@dataclass(frozen=True, eq=False)
class Study:
    """Everything that a report says, before it is said.

    `certainty` is the share of plausible worlds in which a row of people that is not covered is not.
    """

    known: World
    question: Question
    found: Found
    options: Options
    interval: sure.Interval | None
    certainty: Mapping[int, float]
    day: date


@bp.get("/report")
def report() -> ResponseReturnValue:
    study = _study(params.arguments())
    file = params.one_of(params.arguments(), "format", _FILES)
    if file == "pdf":
        return _file(paper.pdf(_document(study), sheet="document"), "application/pdf", "pdf")
    if file == "json":
        return _file(jsonify(record(study)).data, "application/json", "json")
    if file == "xlsx":
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        return _file(exports.xlsx(_sheets(study), day=study.day), kind, "xlsx")
    if file == "gpkg":
        srid = db.instance().metric_crs
        made = exports.geopackage(_shapes(study), srid=srid, day=study.day)
        return _file(made, "application/geopackage+sqlite3", "gpkg")
    return render_template(
        "gaps/report.html",
        document=_document(study),
        asked=study.question,
        known=study.known,
        count=study.options.asked,
    )


def _study(args: Mapping[str, str]) -> Study:
    day = params.as_of(args)
    known = world.world(day)
    question = inquiry.asked(args, known)
    found = inquiry.found(known, question.rule, question.zone, question.county)
    count = params.count(args, "sites", otherwise=_USUAL_SITES, most=_MOST_SITES)
    options = sites.options(known, question.rule, county=question.county, count=count)
    tried = _tried(known, question.rule, question.county)
    interval, certainty = (tried[0].covered(), tried[1]) if tried else (None, {})
    return Study(known, question, found, options, interval, certainty, day)


@memory.kept(32)
def _tried(known: World, rule: Rule, county: str) -> tuple[sure.Sure, dict[int, float]] | None:
    """The question asked again in plausible worlds, and how often each row of people was not covered.

    None for a rule that no time decides, or that several roles keep together.
    """
    if rule.within_min is None or rule.role not in known.units:
        return None
    units = known.units[rule.role]
    if rule.forms:
        units = units.only(np.array([form in rule.forms for form in units.forms], dtype=np.bool_))
    inside = known.people.within("county" if county else "country", county)
    people = known.people.only(inside)
    travel, most = known.travels[rule.role], rule.within_min
    asked = by_rows.robustness(
        travel, units, people, known.assumptions, within_min=most, depth=rule.depth, runner=known.runner
    )
    return asked, dict(zip(np.flatnonzero(inside).tolist(), (1 - asked.share).tolist(), strict=True))


# --- Files


def _file(made: bytes, kind: str, ending: str) -> Response:
    response = Response(made, mimetype=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="turvakaart-gaps.{ending}"'
    # The QR code names the host that was asked for, which no shared cache may hand to somebody else.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def record(study: Study) -> dict[str, Any]:
    """What was asked of which data by which code, and the numbers: `turvakaart gaps --again` repeats them."""
    return {
        "turvakaart": "gaps",
        "version": _version(),
        "instance": db.instance().key,
        "language": i18n.language(),
        "asked": {
            **study.question.words(),
            "sites": str(study.options.asked),
            "as_of": study.day.isoformat(),
        },
        "editions": {
            f"{name}/{dataset}".rstrip("/"): digest
            for (name, dataset), digest in sorted(provenance.contents(db.session()).items())
        },
        "zones": _zone_rows(study),
        "options": _option_rows(study),
    }


def _version() -> str:
    try:
        return version("turvakaart")
    except PackageNotFoundError:  # It runs from its source alone.
        return "source"


def _sheets(study: Study) -> dict[str, list[dict[str, Any]]]:
    return {
        gettext("Areas"): _zone_rows(study),
        gettext("Places not covered"): _hole_rows(study),
        gettext("Single points of failure"): [
            {"unit": one.name, "people": round(one.people), "places": len(one.rows)}
            for one in study.found.failures
        ],
        gettext("Where next"): _option_rows(study),
    }


def _shapes(study: Study) -> dict[str, list[dict[str, Any]]]:
    points = study.known.people.points
    rows = _hole_rows(study)
    holes = [
        {"geometry": _point(points[hole.row]), **row}
        for hole, row in zip(study.found.holes, rows, strict=True)
    ]
    options = [
        {"geometry": _point(one.point), **row}
        for one, row in zip(study.options.sites, _option_rows(study), strict=True)
    ]
    every = {"not_covered": holes, "where_next": options}
    if not holes and not options:
        raise NothingToMap
    return {name: found for name, found in every.items() if found}


def _point(at: Any) -> Any:
    return shapely.Point(float(at[0]), float(at[1]))


def _zone_rows(study: Study) -> list[dict[str, Any]]:
    whole = [study.found.whole] if study.found.whole else []
    return [
        {
            "zone": row.code,
            "name": words.area(study.question.zone, row.code) if row.kind == study.question.zone else "",
            "people": round(row.people),
            "covered": round(row.covered),
            "not_covered": round(row.uncovered),
            "share_covered": round(row.share, 4),
            "covered_twice": round(row.depth[1]),
            "median_min": round(row.median_min, 1) if isfinite(row.median_min) else "",
            "p90_min": round(row.p90_min, 1) if isfinite(row.p90_min) else "",
            "estimated_people": round(row.estimated),
        }
        for row in (*whole, *study.found.rows)
    ]


def _hole_rows(study: Study) -> list[dict[str, Any]]:
    people = study.known.people
    return [
        {
            "place": people.names[hole.row],
            "code": people.keys[hole.row],
            "municipality": words.area("municipality", people.zones["municipality"][hole.row]),
            "people": round(hole.people),
            "estimated": bool(people.estimated[hole.row]),
            "nearest": _name(study, hole.nearest),
            "minutes": round(hole.nearest.minutes, 1)
            if hole.nearest and isfinite(hole.nearest.minutes)
            else "",
            "km": round(hole.nearest.km, 1) if hole.nearest else "",
            "certainty": round(study.certainty[hole.row], 3) if hole.row in study.certainty else "",
        }
        for hole in study.found.holes
    ]


def _name(study: Study, near: Any) -> str:
    return study.known.units[near.role].names[near.unit] if near else ""


def _option_rows(study: Study) -> list[dict[str, Any]]:
    so_far, rows = study.options.before, []
    for number, one in enumerate(study.options.sites, start=1):
        so_far += one.gain
        rows.append(
            {
                "order": number,
                "place": one.name,
                "municipality": words.area("municipality", one.municipality),
                "people_gained": round(one.gain),
                "covered_then": round(so_far),
            }
        )
    return rows


# --- The words


def _document(study: Study) -> dict[str, Any]:
    publisher = i18n.plain(db.instance().names)
    where = words.place(study.question.county)
    address = sharing.whole(
        current_app.config["ADDRESS"] or request.host_url,
        context.page("gaps.report", **study.question.words(), sites=study.options.asked),
    )
    day = i18n.day(study.day.isoformat())
    return {
        "title": gettext("%(place)s: who is not covered", place=where),
        "kicker": f"{publisher} · {gettext('Report for the council')}",
        "subtitle": gettext("As it was on %(date)s", date=day),
        "publisher": publisher,
        "language": i18n.language(),
        "made": {"year": study.day.year, "month": study.day.month, "day": study.day.day},
        "foot": f"{publisher} · {where} · {day}",
        "live": {"svg": sharing.qr_file(address), "alt": address},
        "blocks": [
            *_answer(study),
            *_criteria(study),
            *_baseline(study),
            *_places(study),
            *_hanging(study),
            *_next(study),
            *_caveats(study),
        ],
    }


def _heading(text: str) -> Block:
    return {"kind": "heading", "level": 1, "text": text}


def _table(head: list[str], rows: list[list[str]], caption: str = "", texts: int = 1) -> Block:
    """A table whose first `texts` columns are words and the others numbers."""
    numeric = [at >= texts for at in range(len(head))]
    return {"kind": "table", "head": head, "numeric": numeric, "rows": rows, "caption": caption}


def _answer(study: Study) -> Iterator[Block]:
    whole = study.found.whole
    if whole is None:
        yield {"kind": "verdict", "text": gettext("The rule asks for nobody here.")}
        return
    yield {"kind": "verdict", "text": words.answer(whole, study.question.rule, study.question.county)}
    for said in words.caveats(*study.found.service.roles):
        yield {"kind": "quiet", "text": said}
    if study.interval:
        low, high = (words.people(whole.people - one) for one in (study.interval.high, study.interval.low))
        told = gettext(
            "In nine of ten plausible cases between %(low)s and %(high)s people are not covered: speed,"
            " detours, turnout and whether a unit can come are not known exactly.",
            low=low,
            high=high,
        )
        yield {"kind": "text", "text": told}
    if study.options.sites:
        told = ngettext(
            "One more unit in the best place would cover %(people)s people more.",
            "%(num)s more units in the best places would cover %(people)s people more.",
            len(study.options.sites),
            people=words.people(sum(one.gain for one in study.options.sites)),
        )
        yield {"kind": "text", "text": told}


def _criteria(study: Study) -> Iterator[Block]:
    yield _heading(gettext("What was asked"))
    rule, standard = study.question.rule, study.question.standard
    yield {"kind": "text", "text": f"{words.who(rule.role)}: {words.asks(rule)}."}
    if standard:
        yield {"kind": "text", "text": f"{i18n.plain(standard.title)}. {i18n.plain(standard.about)}"}
        yield _table(
            [gettext("Rule"), gettext("Who"), gettext("Time or distance"), gettext("For what share")],
            [
                [i18n.plain(one.label), words.who(one.role), words.asks(one), _share(one)]
                for one in standard.rules
            ],
            texts=3,
        )
        yield {
            "kind": "quiet",
            "text": f"{gettext('Where our reading is simpler:')} {i18n.plain(standard.differs)}",
        }


def _share(rule: Rule) -> str:
    return f"{i18n.number(100 * rule.share)} %"


def _baseline(study: Study) -> Iterator[Block]:
    yield _heading(gettext("Where people are not covered"))
    drawn = picture.draw(study.known, study.found, study.options, county=study.question.county)
    if drawn:
        caption = gettext(
            "Dots are people in time, rings people not in time, triangles units, stars the best places"
            " for new ones."
        )
        yield {"kind": "picture", "svg": drawn, "width": 92, "alt": caption, "caption": caption}
    head = [
        gettext("Region"),
        gettext("People"),
        gettext("Covered"),
        gettext("Not covered"),
        gettext("Share covered"),
        gettext("Covered twice"),
        gettext("Nine of ten within"),
    ]
    rows = [
        [
            words.area(study.question.zone, row.code),
            words.people(row.people),
            words.people(row.covered),
            words.people(row.uncovered),
            f"{words.percent(row.share)} %",
            words.people(row.depth[1]),
            words.minutes(row.p90_min),
        ]
        for row in study.found.rows
    ]
    yield _table(head, rows, gettext("Most people not covered first; minutes are estimates."))


def _places(study: Study) -> Iterator[Block]:
    rows = _hole_rows(study)
    if not rows:
        return
    yield _heading(gettext("The largest places that are not covered"))
    head = [
        gettext("Place"),
        gettext("Municipality"),
        gettext("Nearest unit"),
        gettext("People"),
        gettext("Minutes (estimate)"),
        gettext("km, straight"),
        gettext("How sure"),
    ]
    shown = [
        [
            row["place"],
            row["municipality"],
            row["nearest"],
            words.people(row["people"]),
            "" if row["minutes"] == "" else i18n.number(round(row["minutes"])),
            "" if row["km"] == "" else i18n.number(row["km"]),
            "" if row["certainty"] == "" else f"{words.percent(row['certainty'])} %",
        ]
        for row in rows[:_HOLES]
    ]
    more = len(rows) - len(shown)
    yield _table(head, shown, texts=3)
    told = [gettext("How sure: in how many of 100 plausible cases the place is not covered.")]
    if more:
        told.insert(
            0, ngettext("%(num)s more place is not listed.", "%(num)s more places are not listed.", more)
        )
    yield {"kind": "quiet", "text": " ".join(told)}


def _hanging(study: Study) -> Iterator[Block]:
    if not study.found.failures:
        return
    yield _heading(gettext("What hangs on a single unit"))
    yield {
        "kind": "text",
        "text": gettext("If one of these units closes, so many people are no longer covered."),
    }
    rows = [
        [one.name, words.people(one.people), str(len(one.rows))] for one in study.found.failures[:_FAILURES]
    ]
    yield _table([gettext("Unit"), gettext("People"), gettext("Places")], rows)


def _next(study: Study) -> Iterator[Block]:
    yield _heading(gettext("Where new units help most"))
    if study.options.why_none:
        yield {"kind": "text", "text": sites.in_words(study.options.why_none)}
    if not study.options.sites or study.options.plan is None:
        return
    head = [
        gettext("Order"),
        gettext("Place"),
        gettext("Municipality"),
        gettext("People gained"),
        gettext("Covered then"),
    ]
    rows = [
        [
            str(row["order"]),
            row["place"],
            row["municipality"],
            words.people(row["people_gained"]),
            words.people(row["covered_then"]),
        ]
        for row in _option_rows(study)
    ]
    yield _table(head, rows, gettext("Each row adds to those above it."), texts=3)
    yield {"kind": "text", "text": sites.how_good(study.options.plan)}


def _caveats(study: Study) -> Iterator[Block]:
    people, unplaced = study.known.people, _unplaced(study)
    yield _heading(gettext("How this was counted, and how far to trust it"))
    items = [
        gettext("Not covered only means that nobody in our data is near enough."),
        words.how(study.known, *study.found.service.roles),
        _about_people(study),
    ]
    if unplaced:
        told = gettext(
            "These units are known without a place and are counted nowhere: %(units)s.", units=unplaced
        )
        items.append(told)
    items.append(
        gettext(
            "The same question, repeated with the record (a JSON file) of this report, gives the same"
            " numbers: turvakaart gaps --again record.json"
        )
    )
    yield {"kind": "list", "items": items}
    yield _heading(gettext("Sources"))
    keys = ["settlements", "municipalities", *(layer.key for layer in db.instance().layers_of("bodies"))]
    sources: list[Any] = [
        f"{', '.join(dict.fromkeys(one.titles))}: {one.name} ({one.licence})"
        for one in sharing.sources(db.instance(), keys)
    ]
    if study.question.standard:
        standard = study.question.standard
        sources.append(
            {"text": f"{i18n.plain(standard.title)}: {standard.source}", "url": standard.source_url}
        )
    yield {"kind": "list", "items": sources}
    if people.as_of:
        yield {"kind": "quiet", "text": gettext("People as of %(date)s.", date=i18n.day(people.as_of))}


def _about_people(study: Study) -> str:
    if study.known.people.basis == "cells":
        return str(
            gettext("People are counted by squares of a population grid, each in or out by its middle.")
        )
    return str(
        gettext(
            "People stand at the point of their settlement. Where a settlement has no figure of its own, the"
            " people of its municipality are shared out evenly: against real squares around Tartu the shares"
            " were wrong by 5 points on average, and by up to 15 in nine of ten cases, mostly where a limit"
            " cuts a town."
        )
    )


def _unplaced(study: Study) -> str:
    bodies = {key for role in study.found.service.roles for key in study.known.units[role].unplaced}
    told = {one.key: names.body(one) for one in places.bodies(db.session(), as_of=study.day, keys=bodies)}
    return i18n.listed(sorted(told.values())) if told else ""
