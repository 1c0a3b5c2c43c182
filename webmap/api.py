"""JSON for the map: layers as GeoJSON (RFC 7946), each address naming the state of its data."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any

import shapely
from flask import Blueprint, Response, g, request, url_for
from flask.typing import ResponseReturnValue

from layers import places, practices
from layers.catalog import Layer
from webmap import db, i18n, names, params
from webmap.db import House

bp = Blueprint("api", __name__, url_prefix="/api")

# Metres of simplification by zoom step: a third of a pixel of the step's largest zoom.
_STEPS = {"far": 250.0, "near": 0.0}
_GROUND = {"land": "land", "neighbours": "neighbour"}
_LABELLED = 500


def address(
    name: str, *, revision: int, language: str, as_of: date | None, step: str = "", known: str = ""
) -> str:
    """The address of a layer's data in one state; with a named day it may be kept for ever."""
    more: dict[str, Any] = {"as_of": as_of.isoformat()} if as_of else {}
    more |= {"step": step} if step else {}
    more |= {"known": known} if known else {}
    return url_for("api.layer", name=name, v=revision, lang=language, **more)


@bp.before_request
def _speak() -> None:
    offered = {code: code for code in db.instance().languages}
    g.language = params.one_of(params.arguments(), "lang", offered) or db.instance().default_language


@bp.get("/layers/<name>.geojson")
def layer(name: str) -> ResponseReturnValue:
    args = params.arguments()
    as_of, step = params.as_of(args), params.one_of(args, "step", _STEPS)
    states = dict(db.revisions())
    revision = states.get(name, 0)
    state = (revision, states.get(db.LOOKS_BACK))
    body = _collection(db.house(), name, i18n.language(), as_of, step or "near", state)
    response = Response(body, mimetype="application/geo+json")
    response.headers["Cache-Control"] = _kept_for(args, revision)
    response.add_etag()
    response.make_conditional(request)
    return response


def _kept_for(args: Mapping[str, str], revision: int) -> str:
    """How long an answer stays true: for ever on a named day, else until the day is over."""
    if args.get("v") != str(revision):
        return "no-cache"
    if args.get("as_of"):
        return "public, max-age=31536000, immutable"
    return f"public, max-age={params.seconds_left_today()}"


@lru_cache(maxsize=128)
def _collection(
    _house: House, name: str, _language: str, as_of: date, step: str, _state: tuple[int, int | None]
) -> bytes:
    """A layer as GeoJSON. The arguments are all that it depends on."""
    found = {"type": "FeatureCollection", "features": list(_features(name, as_of, _STEPS[step]))}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def _features(name: str, as_of: date, tolerance_m: float) -> Iterable[dict[str, Any]]:
    if name in _GROUND:
        return _shapes(_GROUND[name], as_of, 0)
    if name == "settlements":
        return _labels(as_of)
    kind = db.instance().layer(name)
    if kind.of == "areas":
        return _shapes(kind.kind, as_of, tolerance_m)
    return _cases(as_of) if kind.of == "cases" else _bodies(kind, as_of)


def _bodies(kind: Layer, as_of: date) -> Iterable[dict[str, Any]]:
    for body in places.bodies(db.session(), layer=kind.key, as_of=as_of):
        if body.place:
            about: dict[str, Any] = {"key": body.key, "name": names.body(body)}
            about["form"] = i18n.label("forms", body.form)
            about |= {"faded": True} if body.readiness == "closed" else {}
            yield _feature(shapely.Point(body.place.lon, body.place.lat), about)


def _cases(as_of: date) -> Iterable[dict[str, Any]]:
    for case in practices.cases(db.session(), as_of=as_of):
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
