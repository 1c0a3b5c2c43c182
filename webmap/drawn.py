"""GeoJSON for the map (RFC 7946): layers and shading, each address naming the state of its data."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import shapely
from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue

from layers import filters, freshness, places, practices, tiles
from layers.catalog import Layer
from layers.errors import N_, Invalid
from layers.filters import Filter
from layers.freshness import EXPIRED, Age
from layers.geo import Bbox
from layers.outlines import STEPS
from layers.places import Area
from webmap import ages, big, choices, db, i18n, names, packed, params, place_kinds, shading
from webmap.big import Drawing
from webmap.db import House, Revisions
from webmap.shading import Shading

bp = Blueprint("drawn", __name__, url_prefix="/api")
bp.before_request(i18n.take_language)
bp.after_request(packed.for_anybody)

_GROUND = {"land": "land", "neighbours": "neighbour"}
_LABELLED = 500
_IN_A_VIEW = 2000
_TYPE = "application/geo+json"


class TooBig(Invalid):
    text = N_(
        "The layer “{layer}” is too big to be given whole. Ask for a part of it: bbox=west,south,east,north."
    )


def address(
    name: str,
    *,
    revision: int,
    language: str,
    when: Mapping[str, str],
    step: str = "",
    since: int | None = None,
) -> str:
    """The address of a layer's data in one state; with a named day it may be kept for ever."""
    more: dict[str, Any] = {**when, **({"step": step} if step else {})}
    more |= {} if since is None else {"since": since}
    return url_for("drawn.layer", name=name, v=revision, lang=language, **more)


def coverage_address(*, language: str, when: Mapping[str, str], step: str) -> str:
    """The address of the shading in one state of the data; static/map.js adds the choice behind it."""
    asked: dict[str, Any] = dict(when)
    return url_for("drawn.coverage", v=_state(db.revisions()), lang=language, step=step, **asked)


@lru_cache(maxsize=8)
def _state(revisions: Revisions) -> str:
    return hashlib.sha256(repr(revisions).encode()).hexdigest()[:12]


@bp.get("/layers/<name>.geojson")
def layer(name: str) -> ResponseReturnValue:
    args = params.arguments()
    as_of, step = params.as_of(args), params.one_of(args, "step", STEPS)
    frame, since = params.frame(args), params.whole(args, "since")
    drawing = big.drawings().get(name)
    if drawing and not step and frame is None and since is None:
        raise TooBig(layer=name)
    revision = dict(db.revisions()).get(name, 0)
    only, today = choices.chosen(args), params.knowledge_day(args)
    found = _collection(
        db.house(),
        name,
        i18n.language(),
        as_of,
        step or "near",
        frame,
        since,
        drawing,
        db.revisions(),
        only,
        today,
    )
    tells_ages = any(one.key == name and one.of != "areas" for one in db.instance().layers)
    return packed.answer(found, mimetype=_TYPE, kept=_kept_for(args, revision, tells_ages=tells_ages))


@bp.get("/coverage.geojson")
def coverage() -> ResponseReturnValue:
    args = params.arguments()
    by, as_of, step = shading.chosen(args), params.as_of(args), params.one_of(args, "step", STEPS)
    if by is None:
        raise params.Missing(name="shade")
    only, today = choices.chosen(args), params.knowledge_day(args)
    found = _shaded(db.house(), i18n.language(), by, as_of, step or "near", only, today, db.revisions())
    kept = _kept_for(args, _state(db.revisions()), tells_ages=by.is_of_age or bool(only.freshness))
    return packed.answer(found, mimetype=_TYPE, kept=kept)


def _kept_for(args: Mapping[str, str], revision: int | str, *, tells_ages: bool) -> str:
    """How long an answer stays true: for ever on a named day, else until the day is over.

    How old a fact is (`tells_ages`) changes with today, unless the moment from which one looks back is named
    too.
    """
    if args.get("v") != str(revision):
        return "no-cache"
    if args.get("as_of") and (args.get("known") or not tells_ages):
        return "public, max-age=31536000, immutable"
    return f"public, max-age={params.seconds_left_today()}"


@lru_cache(maxsize=128)
def _collection(
    house: House,
    name: str,
    _language: str,
    as_of: date,
    step: str,
    frame: Bbox | None,
    since: int | None,
    drawing: Drawing | None,
    _revisions: Revisions,
    only: Filter,
    today: date,
) -> bytes:
    """A layer as GeoJSON, packed. The arguments are all that it depends on."""
    if drawing and since is not None:
        return _packed(*_changed(drawing, since, as_of))
    if frame is not None and house.instance.layer(name).of == "areas":
        return _packed(*_in_frame(name, frame, as_of))
    if drawing:
        return _packed(_tallies(house, drawing, step, as_of))
    return _packed(_features(name, as_of, step, only, today))


@lru_cache(maxsize=32)
def _shaded(
    house: House,
    _language: str,
    by: Shading,
    as_of: date,
    step: str,
    only: Filter,
    today: date,
    _revisions: Revisions,
) -> bytes:
    """Areas with the colour of what is known there. The arguments are all that it depends on."""
    rules = house.instance.freshness
    bodies = filters.bodies(places.bodies(db.session(), as_of=as_of), only, today=today, rules=rules)
    if by.is_of_age:
        every = practices.cases(db.session(), as_of=as_of)
        kinds = place_kinds.known(as_of) if only.place_kind else {}
        cases = filters.cases(every, only, today=today, rules=rules, place_kinds=kinds)
        stale = shading.stale_areas(by, as_of=as_of, things=[*bodies, *cases], only=only, today=today)
        colours = {one.area.key: shading.stale_colour(one) for one in stale}
    else:
        colours = {
            one.area.key: shading.colour(one.roles, len(one.named))
            for one in shading.areas(by, as_of=as_of, bodies=bodies, only=only)
        }
    outlines = places.outlines(db.session(), by.kind, as_of=as_of, step=step)
    return _packed(
        _written(text, {"colour": colours[area.key]}) for area, text in outlines if area.key in colours
    )


def _packed(features: Iterable[str], about: Mapping[str, Any] = MappingProxyType({})) -> bytes:
    more = "".join(f",{_json(name)}:{_json(value)}" for name, value in about.items())
    return packed.pack(f'{{"type":"FeatureCollection","features":[{",".join(features)}]{more}}}'.encode())


def _features(name: str, as_of: date, step: str, only: Filter, today: date) -> Iterable[str]:
    if name in _GROUND:
        return _shapes(_GROUND[name], as_of, step)
    if name == "settlements":
        return _labels(as_of)
    kind = db.instance().layer(name)
    if kind.of == "areas":
        return _shapes(kind.kind, as_of, step)
    return _cases(as_of, only, today) if kind.of == "cases" else _bodies(kind, as_of, only, today)


def _changed(drawing: Drawing, since: int, as_of: date) -> tuple[Iterable[str], dict[str, Any]]:
    """What to draw over an older archive, and the keys that it must hide."""
    kind = drawing.state.layer
    found = tiles.changes(db.session(), kind, since=since, as_of=as_of, most=_IN_A_VIEW)
    if found is None:
        return (), {"gone": [], "cut": True}
    return map(_drawn, found.added), {"gone": found.gone}


def _in_frame(name: str, frame: Bbox, as_of: date) -> tuple[Iterable[str], dict[str, Any]]:
    kind = db.instance().layer(name).kind
    found, is_cut = places.outlines_in(db.session(), kind, frame, as_of=as_of, most=_IN_A_VIEW)
    return map(_drawn, found), {"cut": True} if is_cut else {}


def _tallies(house: House, drawing: Drawing, step: str, as_of: date) -> Iterable[str]:
    """Of a big layer far away: how many areas lie in each larger one."""
    key, revision = drawing.state.layer.key, drawing.counted
    for one in tiles.tallies(house.shelf, key, revision, step=step, as_of=as_of):
        about = {"key": one.key, "name": names.area(one.key), "number": one.number}
        yield _feature(shapely.Point(one.lon, one.lat), about)


def _bodies(kind: Layer, as_of: date, only: Filter, today: date) -> Iterable[str]:
    found = places.bodies(db.session(), layer=kind.key, as_of=as_of)
    rules = db.instance().freshness
    for body in filters.bodies(found, only, today=today, rules=rules):
        if body.place:
            about: dict[str, Any] = {"key": body.key, "name": names.body(body)}
            about["form"] = i18n.label("forms", body.form)
            about |= {"faded": True} if body.readiness == "closed" else {}
            about |= _expired(freshness.of(body, rules, today=today))
            yield _feature(shapely.Point(body.place.lon, body.place.lat), about)


def _cases(as_of: date, only: Filter, today: date) -> Iterable[str]:
    rules = db.instance().freshness
    kinds = place_kinds.known(as_of) if only.place_kind else {}
    every = practices.cases(db.session(), as_of=as_of)
    for case in filters.cases(every, only, today=today, rules=rules, place_kinds=kinds):
        if case.place:
            about = {
                "key": case.key,
                "name": i18n.plain(case.titles),
                "form": i18n.label("themes", case.theme),
                **_expired(freshness.of(case, rules, today=today)),
            }
            yield _feature(shapely.Point(case.place.lon, case.place.lat), about)


def _expired(age: Age) -> dict[str, Any]:
    """What the map says of a fact that is not current, with the words for it; nothing of others."""
    return {"expired": ages.not_current(age)} if age.state == EXPIRED else {}


def _shapes(kind: str, as_of: date, step: str) -> Iterable[str]:
    return map(_drawn, places.outlines(db.session(), kind, as_of=as_of, step=step))


def _drawn(found: tuple[Area, str]) -> str:
    area, text = found
    return _written(text, {"key": area.key, "name": i18n.plain(area.names)})


def _labels(as_of: date) -> Iterable[str]:
    for town in places.settlements(db.session(), as_of=as_of, least_population=_LABELLED):
        about = {"name": town.name.rsplit(" ", 1)[0], "size": town.population}
        yield _feature(shapely.Point(town.place.lon, town.place.lat), about)


def _feature(point: shapely.Point, about: Mapping[str, Any]) -> str:
    return _written(_json({"type": "Point", "coordinates": (point.x, point.y)}), about)


def _written(geometry: str, about: Mapping[str, Any]) -> str:
    return f'{{"type":"Feature","properties":{_json(about)},"geometry":{geometry}}}'


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
