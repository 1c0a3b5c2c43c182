"""JSON for other programs: the answer for a place, the search, what fits where, and the API's description."""

import json
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

import msgspec
from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from layers import places
from webmap import context, db, fits, histories, hits, i18n, names, openapi, packed, params, replies
from webmap.db import House, Revisions

bp = Blueprint("api", __name__, url_prefix="/api")
bp.before_request(i18n.take_language)
bp.after_request(packed.for_anybody)

_FEW_HITS, _MOST_HITS = 8, 50
_TYPING_S = 60
_MOST_FITTING = 10
_MOST_EVENTS = 100


@bp.get("/answer")
def answer() -> ResponseReturnValue:
    """Who is responsible, who serves and who is near, for every role, in one place."""
    args = params.arguments()
    reply = replies.asked(args)
    if params.one_of(args, "format", {"json": "", "text": ""}) == "text":
        response = Response(render_template("answer.txt", reply=reply), mimetype="text/plain")
    else:
        # A third of the time that Python's own writer takes, which was a seventh of an answer.
        response = Response(msgspec.json.encode(reply), mimetype="application/json")
    # No fact may be told as current after the midnight on which it expires.
    return packed.conditional(response, f"public, max-age={min(60, params.seconds_left_today())}")


@bp.get("/openapi.json")
def description() -> ResponseReturnValue:
    """What this API offers."""
    found = openapi.description(db.instance())
    response = Response(json.dumps(found, ensure_ascii=False), mimetype="application/json")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


@bp.get("/fit")
def fit() -> ResponseReturnValue:
    """Cases that fit an `area` or a point, or places to which a `practice` or `case` could go, and why."""
    args = params.arguments()
    as_of = params.as_of(args)
    about = {"language": i18n.language(), "as_of": as_of.isoformat(), "weights": fits.weights()}
    found = {**about, **_fitting(args, as_of)}
    response = Response(json.dumps(found, ensure_ascii=False), mimetype="application/json")
    return packed.conditional(response, "public, max-age=60")


def _fitting(args: Mapping[str, str], as_of: date) -> dict[str, Any]:
    """The one question of these that is asked first."""
    if area := params.area(args, "area"):
        kind, _, code = area.partition(":")
        places.area(db.session(), kind, code, as_of=as_of)
        return {"area": area, **fits.for_area(area, as_of=as_of, most=_MOST_FITTING)}
    if practice := params.words(args, "practice"):
        return {"practice": practice, **fits.for_practice(practice, as_of=as_of, most=_MOST_FITTING)}
    if case := params.words(args, "case"):
        return {"case": case, **fits.for_case(case, as_of=as_of, most=_MOST_FITTING)}
    if not args.get("lat") and not args.get("lon"):
        raise params.Missing(name="area")
    place = params.place(args)
    about = {"place": {"lat": place.lat, "lon": place.lon}}
    return {**about, **fits.for_place(place, as_of=as_of, most=_MOST_FITTING)}


@bp.get("/history")
def history() -> ResponseReturnValue:
    """What changed when with an organisation (`body`) or an area (`area`), the newest first."""
    args = params.arguments()
    if area := params.area(args, "area"):
        kind, _, code = area.partition(":")
        found = histories.of_area(kind, code, most=_MOST_EVENTS)
        about = {"key": area, "name": names.area(area), "url": context.page("area", kind=kind, code=code)}
    elif key := params.words(args, "body"):
        found = histories.of_body(key, most=_MOST_EVENTS)
        name = names.body(places.body(db.session(), key, as_of=params.as_of(args)))
        about = {"key": key, "name": name, "url": context.page("body", key=key)}
    else:
        raise params.Missing(name="body")
    if params.one_of(args, "format", {"json": "", "text": ""}) == "text":
        text = render_template("history.txt", name=about["name"], found=found)
        response = Response(text, mimetype="text/plain")
    else:
        told = {"language": i18n.language(), "of": about, **found}
        response = Response(json.dumps(told, ensure_ascii=False), mimetype="application/json")
    return packed.conditional(response, "public, max-age=60")


@bp.get("/search")
def find() -> ResponseReturnValue:
    """The hits of the search page, fewer of them, for suggestions while somebody types."""
    args = params.arguments()
    text = params.words(args, "q")
    if not text:
        raise params.Missing(name="q")
    most = params.count(args, "limit", otherwise=_FEW_HITS, most=_MOST_HITS)
    asked = (text, params.as_of(args), args.get("as_of", ""), most)
    response = Response(
        _hits(db.house(), asked, i18n.language(), db.revisions()), mimetype="application/json"
    )
    return packed.conditional(response, f"public, max-age={min(_TYPING_S, params.seconds_left_today())}")


@lru_cache(maxsize=1024)
def _hits(_house: House, asked: tuple[str, date, str, int], _language: str, _revisions: Revisions) -> bytes:
    text, as_of, _, most = asked
    found = hits.find(text, as_of=as_of, most=most + 1)
    listed = [_hit(one) for one in found[:most]]
    answer = {"hits": listed, "more": len(found) > most, "told": hits.told(found, most=most)}
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def _hit(found: hits.Found) -> dict[str, Any]:
    about = {
        "kind": found.kind,
        "label": found.label,
        "name": found.name,
        "municipality": found.municipality,
        "county": found.county,
        "about": found.about,
        "url": found.url,
    }
    return about | ({"lat": found.place.lat, "lon": found.place.lon} if found.place else {})
