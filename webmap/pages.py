"""The pages a person reads. Each is whole without the map and without scripts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from layers import nearby, places, practices, search
from layers.catalog import Layer
from layers.places import Body
from layers.practices import Case
from webmap import api, big, db, i18n, maps, params
from webmap.big import Drawing, Drawings
from webmap.db import House, Revisions

bp = Blueprint("pages", __name__)
_YEAR_S = 31_536_000
_LISTED = 1000
_SEARCHED = 50_000


@bp.url_value_preprocessor
def _take_language(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    if values and "language" in values:
        g.language = values.pop("language")
        if g.language not in db.instance().languages:
            g.language = i18n.negotiated()
            raise NotFound


@bp.after_request
def _remember_language(response: Response) -> Response:
    if g.get("language") and request.cookies.get(i18n.COOKIE) != g.language and response.status_code == 200:
        response.set_cookie(
            i18n.COOKIE, g.language, max_age=_YEAR_S, samesite="Lax", httponly=True, secure=request.is_secure
        )
    response.vary.add("Cookie")
    return response


@bp.get("/")
def start() -> ResponseReturnValue:
    response = redirect(url_for("pages.home", language=i18n.negotiated()))
    response.vary.update(("Accept-Language", "Cookie"))
    response.headers["Cache-Control"] = "no-cache"
    return response


@bp.get("/<language>/")
def home() -> ResponseReturnValue:
    as_of = params.as_of(params.arguments())
    counted = _counted(db.house(), as_of, db.revisions())
    chart = _chart(_asked(as_of))
    return render_template(
        "pages/map.html", chart=chart, layers=counted, as_of=_asked(as_of), big=big.drawings()
    )


@bp.get("/<language>/map-<digest>.js")
def script(digest: str) -> ResponseReturnValue:
    chart = _chart(_asked(params.as_of(params.arguments())))
    response = make_response(chart.script)
    response.mimetype = "text/javascript"
    kept = f"public, max-age={_YEAR_S}, immutable" if chart.digest == digest else "no-cache"
    response.headers["Cache-Control"] = kept
    return response


@bp.get("/<language>/layers/")
def layers() -> ResponseReturnValue:
    as_of = params.as_of(params.arguments())
    counted = _counted(db.house(), as_of, db.revisions())
    return render_template("pages/layers.html", layers=counted, as_of=_asked(as_of))


@bp.get("/<language>/layers/<key>")
def layer(key: str) -> ResponseReturnValue:
    kind, as_of = db.instance().layer(key), params.as_of(params.arguments())
    if kind.of == "cases":
        return redirect(url_for("pages.cases", language=i18n.language()))
    if kind.of == "areas":
        found = places.areas(db.session(), kind.kind, as_of=as_of, most=_LISTED)
        total = len(found)
        if total == _LISTED:
            total = places.area_count(db.session(), kind.kind, as_of=as_of)
        return render_template("pages/areas.html", layer=kind, areas=found, total=total, as_of=_asked(as_of))
    rows = places.bodies(db.session(), layer=key, as_of=as_of)
    counts = places.counts(db.session(), layer=key, as_of=as_of)
    return render_template("pages/layer.html", layer=kind, bodies=rows, counts=counts, as_of=_asked(as_of))


@bp.get("/<language>/bodies/<key>")
def body(key: str) -> ResponseReturnValue:
    as_of = params.as_of(params.arguments())
    found = places.body(db.session(), key, as_of=as_of)
    taken_part = practices.cases(db.session(), body=key, as_of=as_of)
    kind = db.instance().layer(found.layer)
    return _page("pages/body.html", body=found, layer=kind, cases=taken_part)


@bp.get("/<language>/areas/<kind>/<code>")
def area(kind: str, code: str) -> ResponseReturnValue:
    as_of, session = params.as_of(params.arguments()), db.session()
    found = places.area(session, kind, code, as_of=as_of)
    has_seats = kind in ("county", "municipality")
    here = places.bodies_in(session, as_of=as_of, **{kind: code}) if has_seats else []
    serving = places.bodies_serving(session, found.key, as_of=as_of)
    cases = practices.cases(session, area=found.key, as_of=as_of)
    if kind == "county":
        cases = _merged(cases, practices.cases(session, county=code, as_of=as_of))
    return _page(
        "pages/area.html",
        area=found,
        here=here,
        serving=serving,
        cases=cases,
        counts=places.counts(session, area=found.key, as_of=as_of),
        inside=[a for a in places.areas(session, "municipality", as_of=as_of) if a.parent == found.key],
    )


@bp.get("/<language>/here")
def here() -> ResponseReturnValue:
    args = params.arguments()
    place, as_of, session = params.place(args), params.as_of(args), db.session()
    mapped = {layer.kind for layer in db.instance().layers_of("areas")}
    areas = [area for area in places.areas_at(session, place, as_of=as_of) if area.kind in mapped]
    serving = {
        body.key: body
        for area in reversed(areas)
        for body in places.bodies_serving(session, area.key, as_of=as_of)
    }
    kinds = db.instance().layers_of("bodies")
    near = [(kind, nearby.partners(session, place=place, layer=kind.key, as_of=as_of)) for kind in kinds]
    return _page("pages/here.html", place=place, areas=areas, serving=serving.values(), near=near)


@bp.get("/<language>/search")
def find() -> ResponseReturnValue:
    args = params.arguments()
    text = params.words(args, "q")
    place = search.coordinates(text, srid=db.instance().metric_crs)
    if place is not None:
        return redirect(
            url_for(
                "pages.here",
                language=i18n.language(),
                lat=place.lat,
                lon=place.lon,
                part=1 if params.is_part(args) else None,
            )
        )
    index = _index(db.house(), params.as_of(args), db.revisions())
    return _page("pages/search.html", text=text, hits=search.find(index, text))


@lru_cache(maxsize=4)
def _index(house: House, as_of: date, _revisions: Revisions) -> search.Index:
    # A million names would take minutes and gigabytes; who looks for a single one has its place.
    huge = {key for key, drawing in big.drawings().items() if drawing.state.areas > _SEARCHED}
    kinds = [layer.kind for layer in house.instance.layers_of("areas") if layer.key not in huge]
    return search.index(db.session(), kinds, as_of=as_of)


@bp.get("/<language>/cases/")
def cases() -> ResponseReturnValue:
    args = params.arguments()
    codes = db.instance().codes
    theme = params.one_of(args, "theme", codes.get("themes", {}))
    outcome = params.one_of(args, "outcome", codes.get("outcomes", {}))
    every = practices.cases(db.session(), as_of=params.as_of(args))
    found = [c for c in every if theme in ("", c.theme) and outcome in ("", c.outcome)]
    return render_template(
        "pages/cases.html",
        cases=found,
        total=len(every),
        themes=Counter(c.theme for c in every),
        outcomes=Counter(c.outcome for c in every),
        theme=theme,
        outcome=outcome,
    )


@bp.get("/<language>/cases/<key>")
def case(key: str) -> ResponseReturnValue:
    session = db.session()
    found = practices.case(session, key)
    known = {p.key: p for p in practices.practices(session, as_of=params.today())}
    taken_part = places.bodies(session, as_of=date.max, keys=found.bodies) if found.bodies else []
    return _page("pages/case.html", case=found, practices=known, bodies=_with_ended(found.bodies, taken_part))


@bp.get("/<language>/practices/")
def practice_list() -> ResponseReturnValue:
    args = params.arguments()
    audience = params.one_of(args, "audience", db.instance().codes.get("parties", {}))
    every = practices.practices(db.session(), as_of=params.as_of(args))
    found = [p for p in every if audience in ("", *p.audiences)]
    documented = Counter(
        d.practice for c in practices.cases(db.session(), as_of=params.today()) for d in c.practices
    )
    audiences = Counter(code for p in every for code in p.audiences)
    return render_template(
        "pages/practices.html",
        practices=found,
        documented=documented,
        audiences=audiences,
        audience=audience,
        total=len(every),
    )


@bp.get("/<language>/practices/<key>")
def practice(key: str) -> ResponseReturnValue:
    session, today = db.session(), params.today()
    found = practices.practice(session, key)
    shown_by = practices.cases(session, practice=key, as_of=today)
    others = {p.key: p for p in practices.practices(session, as_of=today)}
    return _page("pages/practice.html", practice=found, cases=shown_by, practices=others)


@bp.get("/<language>/data")
def data() -> ResponseReturnValue:
    return render_template("pages/data.html", editions=places.editions(db.session()))


def _page(template: str, **values: Any) -> str:
    return render_template(template, part=params.is_part(params.arguments()), **values)


def _asked(as_of: date) -> date | None:
    return as_of if params.arguments().get("as_of") else None


def _merged(first: Iterable[Case], second: Iterable[Case]) -> list[Case]:
    return sorted({c.key: c for c in (*first, *second)}.values(), key=lambda c: c.key)


def _with_ended(keys: Iterable[str], there: Iterable[Body]) -> list[Body]:
    """A case keeps the organisations that took part, also those that have ended since."""
    known = {body.key: body for body in there}
    return [known.get(key) or places.body(db.session(), key, as_of=params.today()) for key in keys]


@lru_cache(maxsize=32)
def _counted(_house: House, as_of: date, _revisions: Revisions) -> list[tuple[Layer, int, int]]:
    """The layers with the number of their rows, and how many of them have a place on the map."""
    found = []
    for layer in db.instance().layers:
        if layer.of == "areas":
            count = places.area_count(db.session(), layer.kind, as_of=as_of)
            found.append((layer, count, count))
            continue
        rows = _rows(layer, as_of)
        placed = sum(getattr(row, "place", True) is not None for row in rows)
        found.append((layer, len(rows), placed))
    return found


def _rows(layer: Layer, as_of: date) -> Sequence[Any]:
    session = db.session()
    if layer.of == "cases":
        return practices.cases(session, as_of=as_of)
    return places.bodies(session, layer=layer.key, as_of=as_of)


def _chart(asked: date | None) -> maps.Parts:
    return _drawn(db.house(), i18n.language(), asked, db.revisions(), big.key())


@lru_cache(maxsize=32)
def _drawn(
    house: House, language: str, asked: date | None, revisions: Revisions, drawings: Drawings
) -> maps.Parts:
    """The map's shell. The arguments are all that it depends on."""
    instance = house.instance
    state = dict(revisions)

    def url(name: str, step: str = "", since: int | None = None) -> str:
        revision = state.get(name, 0)
        return api.address(name, revision=revision, language=language, as_of=asked, step=step, since=since)

    ground = [
        maps.Shown(name, "ground", url(name), True, {"pane": name})
        for name in ("neighbours", "land")
        if name in instance.resources
    ]
    drawn = dict(drawings)
    ranks = {key: rank for rank, key in enumerate(drawn)}
    shown = [
        _tiled(drawn[layer.key], url, ranks[layer.key], asked)
        if layer.key in drawn
        else _shown(layer, url, rank)
        for rank, layer in enumerate(instance.layers)
    ]
    names = [maps.Shown("settlements", "names", url("settlements"), True, {"pane": "names"})]
    return maps.draw((*ground, *shown, *names), bounds=instance.bounds, about=_about(asked))


def _shown(layer: Layer, url: Any, rank: int) -> maps.Shown:
    if layer.of == "areas":
        options = {
            "colour": layer.colour,
            "line": layer.symbol,
            "pane": "areas",
            "far": url(layer.key, "far"),
            "middle": url(layer.key, "middle"),
        }
        return maps.Shown(layer.key, "areas", url(layer.key, "near"), layer.shown, options)
    page = "cases" if layer.of == "cases" else "bodies"
    options = {"colour": layer.colour, "symbol": layer.symbol, "page": page, "rank": rank}
    return maps.Shown(layer.key, "markers", url(layer.key), layer.shown, options)


def _tiled(drawing: Drawing, url: Any, rank: int, asked: date | None) -> maps.Shown:
    """A big layer: numbers far away; from a zoom on its archive with what is newer, or else by frame."""
    layer, archive = drawing.state.layer, drawing.archive
    options = {
        "colour": layer.colour,
        "line": layer.symbol,
        "pane": "areas",
        "rank": rank,
        "far": url(layer.key, "far"),
        "middle": url(layer.key, "middle"),
        "from": drawing.shown_from,
        "day": asked.isoformat() if asked else "",
    }
    if archive:
        template = url_for("tiles.tile", layer=layer.key, revision=archive.revision, z=0, x=0, y=0)
        options |= {"first": archive.first_zoom, "last": archive.last_zoom}
        options["tiles"] = template.replace("0/0/0.mvt", "{z}/{x}/{y}.mvt")
        options["changes"] = url(layer.key, since=archive.edition) if drawing.is_fresh else ""
    return maps.Shown(layer.key, "tiles", url(layer.key), layer.shown, options)


def _about(as_of: date | None) -> dict[str, Any]:
    instance, language = db.instance(), i18n.language()
    west, south, east, north = instance.bounds
    return {
        "bounds": [[south, west], [north, east]],
        "pages": url_for("pages.home", language=language),
        "asOf": as_of.isoformat() if as_of else "",
    }
