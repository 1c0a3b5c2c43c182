"""JSON for the map: layers as GeoJSON (RFC 7946), each address naming the state of its data."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any

import shapely
from flask import Blueprint, Response, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from layers import filters, places, practices
from layers.catalog import Layer
from layers.filters import Filter
from webmap import choices, db, fits, hits, i18n, names, openapi, params, replies, shading
from webmap.db import House, Revisions
from webmap.shading import Shading

bp = Blueprint("api", __name__, url_prefix="/api")

# Metres of simplification by zoom step: a third of a pixel of the step's largest zoom.
_STEPS = {"far": 250.0, "near": 0.0}
_GROUND = {"land": "land", "neighbours": "neighbour"}
_LABELLED = 500
_FEW_HITS, _MOST_HITS = 8, 50
_TYPING_S = 60
_MOST_FITTING = 10


def address(name: str, *, revision: int, language: str, when: Mapping[str, str], step: str = "") -> str:
    """The address of a layer's data in one state; with a named day it may be kept for ever."""
    more: dict[str, Any] = {**when, **({"step": step} if step else {})}
    return url_for("api.layer", name=name, v=revision, lang=language, **more)


def coverage_address(*, language: str, when: Mapping[str, str], step: str) -> str:
    """The address of the shading in one state of the data; static/map.js adds the choice behind it."""
    asked: dict[str, Any] = dict(when)
    return url_for("api.coverage", v=_state(db.revisions()), lang=language, step=step, **asked)


@lru_cache(maxsize=8)
def _state(revisions: Revisions) -> str:
    return hashlib.sha256(repr(revisions).encode()).hexdigest()[:12]


@bp.before_request
def _speak() -> None:
    offered = {code: code for code in db.instance().languages}
    g.language = params.one_of(params.arguments(), "lang", offered) or db.instance().default_language


@bp.get("/answer")
def answer() -> ResponseReturnValue:
    """Who is responsible, who serves and who is near, for every role, in one place."""
    args = params.arguments()
    reply = replies.asked(args)
    if params.one_of(args, "format", {"json": "", "text": ""}) == "text":
        response = Response(render_template("answer.txt", reply=reply), mimetype="text/plain")
    else:
        response = Response(json.dumps(reply, ensure_ascii=False), mimetype="application/json")
    response.headers["Cache-Control"] = "public, max-age=60"
    response.add_etag()
    response.make_conditional(request)
    return response


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
    response.headers["Cache-Control"] = "public, max-age=60"
    response.add_etag()
    response.make_conditional(request)
    return response


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


@bp.after_request
def _open_to_read(response: Response) -> Response:
    """Anybody's page may read what is public anyway."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@bp.get("/layers/<name>.geojson")
def layer(name: str) -> ResponseReturnValue:
    args = params.arguments()
    as_of, step = params.as_of(args), params.one_of(args, "step", _STEPS)
    state = dict(db.revisions())
    revision, back = state.get(name, 0), state.get(db.LOOKS_BACK)
    only, today = choices.chosen(args), params.knowledge_day(args)
    body = _collection(db.house(), name, i18n.language(), as_of, step or "near", revision, back, only, today)
    return _answer(body, _kept_for(args, revision))


@bp.get("/coverage.geojson")
def coverage() -> ResponseReturnValue:
    args = params.arguments()
    by, as_of, step = shading.chosen(args), params.as_of(args), params.one_of(args, "step", _STEPS)
    if by is None:
        raise params.Missing(name="shade")
    only, today = choices.chosen(args), params.knowledge_day(args)
    body = _shaded(db.house(), i18n.language(), by, as_of, step or "near", only, today, db.revisions())
    return _answer(body, _kept_for(args, _state(db.revisions())))


def _answer(body: bytes, kept: str) -> Response:
    response = Response(body, mimetype="application/geo+json")
    response.headers["Cache-Control"] = kept
    response.add_etag()
    response.make_conditional(request)
    return response


def _kept_for(args: Mapping[str, str], revision: int | str) -> str:
    """How long an answer stays true: for ever on a named day, else until the day is over.

    How old a fact is changes with today, unless the moment from which one looks back is named too.
    """
    if args.get("v") != str(revision):
        return "no-cache"
    if args.get("as_of") and (args.get("known") or not args.get("freshness")):
        return "public, max-age=31536000, immutable"
    return f"public, max-age={params.seconds_left_today()}"


@lru_cache(maxsize=128)
def _collection(
    _house: House,
    name: str,
    _language: str,
    as_of: date,
    step: str,
    _revision: int,
    _back: int | None,
    only: Filter,
    today: date,
) -> bytes:
    """A layer as GeoJSON. The arguments are all that it depends on."""
    return _written(_features(name, as_of, _STEPS[step], only, today))


@lru_cache(maxsize=32)
def _shaded(
    _house: House,
    _language: str,
    by: Shading,
    as_of: date,
    step: str,
    only: Filter,
    today: date,
    _revisions: Revisions,
) -> bytes:
    """Areas with the colour of what is known there. The arguments are all that it depends on."""
    bodies = filters.bodies(places.bodies(db.session(), as_of=as_of), only, today=today)
    colours = {
        one.area.key: shading.colour(one.roles, len(one.named))
        for one in shading.areas(by, as_of=as_of, bodies=bodies, only=only)
    }
    shapes = _shapes(by.kind, as_of, _STEPS[step])
    return _written(
        {**shape, "properties": {"colour": colours[key]}}
        for shape in shapes
        if (key := shape["properties"]["key"]) in colours
    )


def _written(features: Iterable[dict[str, Any]]) -> bytes:
    found = {"type": "FeatureCollection", "features": list(features)}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def _features(
    name: str, as_of: date, tolerance_m: float, only: Filter, today: date
) -> Iterable[dict[str, Any]]:
    if name in _GROUND:
        return _shapes(_GROUND[name], as_of, 0)
    if name == "settlements":
        return _labels(as_of)
    kind = db.instance().layer(name)
    if kind.of == "areas":
        return _shapes(kind.kind, as_of, tolerance_m)
    return _cases(as_of, only, today) if kind.of == "cases" else _bodies(kind, as_of, only, today)


def _bodies(kind: Layer, as_of: date, only: Filter, today: date) -> Iterable[dict[str, Any]]:
    found = places.bodies(db.session(), layer=kind.key, as_of=as_of)
    for body in filters.bodies(found, only, today=today):
        if body.place:
            about: dict[str, Any] = {"key": body.key, "name": names.body(body)}
            about["form"] = i18n.label("forms", body.form)
            about |= {"faded": True} if body.readiness == "closed" else {}
            yield _feature(shapely.Point(body.place.lon, body.place.lat), about)


def _cases(as_of: date, only: Filter, today: date) -> Iterable[dict[str, Any]]:
    for case in filters.cases(practices.cases(db.session(), as_of=as_of), only, today=today):
        if case.place:
            about = {
                "key": case.key,
                "name": i18n.plain(case.titles),
                "form": i18n.label("themes", case.theme),
            }
            yield _feature(shapely.Point(case.place.lon, case.place.lat), about)


def _shapes(kind: str, as_of: date, tolerance_m: float) -> Iterable[dict[str, Any]]:
    for area, shape in places.shapes(db.session(), kind, as_of=as_of, tolerance_m=tolerance_m):
        yield _feature(shape, {"key": area.key, "name": i18n.plain(area.names)})


def _labels(as_of: date) -> Iterable[dict[str, Any]]:
    for town in places.settlements(db.session(), as_of=as_of, least_population=_LABELLED):
        about = {"name": town.name.rsplit(" ", 1)[0], "size": town.population}
        yield _feature(shapely.Point(town.place.lon, town.place.lat), about)


def _feature(shape: Any, about: Mapping[str, Any]) -> dict[str, Any]:
    # Five digits are 0.6 m in Estonia, finer than any point of ours is true.
    rounded = shapely.orient_polygons(shapely.transform(shape, lambda points: points.round(5)))
    return {"type": "Feature", "properties": about, "geometry": shapely.geometry.mapping(rounded)}


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
    response.headers["Cache-Control"] = f"public, max-age={min(_TYPING_S, params.seconds_left_today())}"
    response.add_etag()
    response.make_conditional(request)
    return response


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
