"""The pages a person reads. Each is whole without the map and without scripts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from layers import filters, places, practices, search
from layers.catalog import Layer
from layers.filters import Facets, Filter
from layers.places import Body
from layers.practices import Case
from webmap import api, cards, choices, context, db, i18n, maps, params, replies, shading
from webmap.db import House, Revisions

bp = Blueprint("pages", __name__)
bp.register_blueprint(cards.bp)
_YEAR_S = 31_536_000


@bp.url_value_preprocessor
def _take_language(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    if values and "language" in values:
        g.language = values.pop("language")
        if g.language not in db.instance().languages:
            g.language = i18n.negotiated()
            raise NotFound


@bp.before_request
def _check_days() -> None:
    """A day that is none is told on every page, also on those that do not change with it."""
    params.as_of(params.arguments())
    params.known(params.arguments())


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
    return render_template("pages/map.html", chart=_chart(), **_legend())


@bp.get("/<language>/legend")
def legend() -> ResponseReturnValue:
    """What the map's panel says of a choice: counts, fields of the filter, classes of the shading."""
    return render_template("parts/legend.html", **_legend())


@bp.get("/<language>/map-<digest>.js")
def script(digest: str) -> ResponseReturnValue:
    chart = _chart()
    response = make_response(chart.script)
    response.mimetype = "text/javascript"
    kept = f"public, max-age={_YEAR_S}, immutable" if chart.digest == digest else "no-cache"
    response.headers["Cache-Control"] = kept
    return response


@bp.get("/<language>/layers/")
def layers() -> ResponseReturnValue:
    return render_template("pages/layers.html", **_legend())


@bp.get("/<language>/coverage")
def coverage() -> ResponseReturnValue:
    offered = shading.offered()
    by = shading.chosen(params.arguments(), default=next(iter(offered), ""))
    if by is None:
        raise NotFound
    question = _question()
    rows = _rows(*question)
    found = shading.areas(by, as_of=question[1], bodies=rows.bodies, only=question[2])
    return render_template(
        "pages/coverage.html",
        shading=by,
        shadings=offered,
        found=found,
        shades=shading.legend(found),
        fields=_fields("theme", "outcome"),
    )


@bp.get("/<language>/layers/<key>")
def layer(key: str) -> ResponseReturnValue:
    kind, as_of = db.instance().layer(key), params.as_of(params.arguments())
    if kind.of == "cases":
        return redirect(url_for("pages.cases", language=i18n.language()))
    if kind.of == "areas":
        found = places.areas(db.session(), kind.kind, as_of=as_of)
        later = places.later_areas(db.session(), kind.kind, as_of=as_of)
        return render_template("pages/areas.html", layer=kind, areas=found, later=later)
    only, today = _question()[2:]
    every = places.bodies(db.session(), layer=key, as_of=as_of)
    facets = filters.facets(every, (), only, today=today)
    return render_template(
        "pages/layer.html",
        layer=kind,
        bodies=filters.bodies(every, only, today=today),
        total=len(every),
        counts=places.counts(db.session(), layer=key, as_of=as_of),
        fields=choices.form(only, facets),
    )


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
    worries = {worry.key: worry for worry in db.instance().worries}
    worry = worries.get(params.one_of(args, "worry", worries))
    reply = replies.reply(
        params.place(args), as_of=params.as_of(args), today=params.knowledge_day(args), worry=worry
    )
    return _page("pages/here.html", reply=reply, worries=worries.values())


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
    kinds = [layer.kind for layer in house.instance.layers_of("areas")]
    return search.index(db.session(), kinds, as_of=as_of)


@bp.get("/<language>/cases/")
def cases() -> ResponseReturnValue:
    _, as_of, only, today = _question()
    every = practices.cases(db.session(), as_of=as_of)
    return render_template(
        "pages/cases.html",
        cases=filters.cases(every, only, today=today),
        total=len(every),
        fields=choices.form(only, filters.facets((), every, only, today=today)),
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


Question = tuple[Revisions, date, Filter, date]
"""The state of the layers, the day asked about, what to show, and the day against which ages are told."""


@dataclass(frozen=True)
class Rows:
    """What a question shows, and what other choices would show."""

    bodies: list[Body]
    cases: list[Case]
    facets: Facets


def _question() -> Question:
    args = params.arguments()
    return db.revisions(), params.as_of(args), choices.chosen(args), params.knowledge_day(args)


def _rows(revisions: Revisions, as_of: date, only: Filter, today: date) -> Rows:
    return _found(db.house(), revisions, as_of, only, today)


@lru_cache(maxsize=32)
def _found(_house: House, _revisions: Revisions, as_of: date, only: Filter, today: date) -> Rows:
    """The rows of every layer of organisations and cases. The arguments are all that it depends on."""
    bodies = places.bodies(db.session(), as_of=as_of)
    cases = practices.cases(db.session(), as_of=as_of)
    return Rows(
        filters.bodies(bodies, only, today=today),
        filters.cases(cases, only, today=today),
        filters.facets(bodies, cases, only, today=today),
    )


def _fields(*without: str) -> tuple[choices.Field, ...]:
    question = _question()
    return choices.form(question[2], _rows(*question).facets, without=without)


def _legend() -> dict[str, Any]:
    """The layers with their counts, the fields of the filter and the classes of the shading."""
    question = _question()
    rows, as_of, offered = _rows(*question), question[1], shading.offered()
    by = shading.chosen(params.arguments(), default=next(iter(offered), ""))
    found = shading.areas(by, as_of=as_of, bodies=rows.bodies, only=question[2]) if by else []
    return {
        "layers": _counted(db.house(), *question),
        "fields": choices.form(question[2], rows.facets),
        "shading": by,
        "shadings": offered,
        "shades": shading.legend(found),
    }


def _merged(first: Iterable[Case], second: Iterable[Case]) -> list[Case]:
    return sorted({c.key: c for c in (*first, *second)}.values(), key=lambda c: c.key)


def _with_ended(keys: Iterable[str], there: Iterable[Body]) -> list[Body]:
    """A case keeps the organisations that took part, also those that have ended since."""
    known = {body.key: body for body in there}
    return [known.get(key) or places.body(db.session(), key, as_of=params.today()) for key in keys]


@lru_cache(maxsize=64)
def _counted(
    house: House, revisions: Revisions, as_of: date, only: Filter, today: date
) -> list[tuple[Layer, int, int]]:
    """The layers with the number of their rows, and how many of them have a place on the map."""
    rows, found = _rows(revisions, as_of, only, today), []
    for layer in house.instance.layers:
        shown = _shown_by(layer, rows, as_of)
        found.append((layer, len(shown), sum(getattr(row, "place", True) is not None for row in shown)))
    return found


def _shown_by(layer: Layer, rows: Rows, as_of: date) -> Sequence[Any]:
    if layer.of == "areas":
        return places.areas(db.session(), layer.kind, as_of=as_of)
    return rows.cases if layer.of == "cases" else [b for b in rows.bodies if b.layer == layer.key]


def _chart() -> maps.Parts:
    return _drawn(db.house(), i18n.language(), tuple(sorted(context.when().items())), db.revisions())


@lru_cache(maxsize=32)
def _drawn(
    house: House, language: str, when: tuple[tuple[str, str], ...], revisions: Revisions
) -> maps.Parts:
    """The map's shell. The arguments are all that it depends on; `when` are the days of the question."""
    instance = house.instance
    state = dict(revisions)

    def url(name: str, step: str = "") -> str:
        revision = state.get(name, 0)
        return api.address(name, revision=revision, language=language, when=dict(when), step=step)

    ground = [
        maps.Shown(name, "ground", url(name), True, {"pane": name})
        for name in ("neighbours", "land")
        if name in instance.resources
    ]
    shown = [_shown(layer, url, rank) for rank, layer in enumerate(instance.layers)]
    names = [maps.Shown("settlements", "names", url("settlements"), True, {"pane": "names"})]
    if shading.offered():
        asked: dict[str, Any] = dict(when)
        near, far = (url_for("api.coverage", lang=language, step=step, **asked) for step in ("near", "far"))
        names.append(maps.Shown("coverage", "coverage", near, True, {"far": far, "pane": "shades"}))
    return maps.draw((*ground, *shown, *names), bounds=instance.bounds, about=_about(dict(when)))


def _shown(layer: Layer, url: Any, rank: int) -> maps.Shown:
    if layer.of == "areas":
        options = {
            "colour": layer.colour,
            "line": layer.symbol,
            "pane": "areas",
            "far": url(layer.key, "far"),
        }
        return maps.Shown(layer.key, "areas", url(layer.key, "near"), layer.shown, options)
    page = "cases" if layer.of == "cases" else "bodies"
    options = {"colour": layer.colour, "symbol": layer.symbol, "page": page, "rank": rank}
    return maps.Shown(layer.key, "markers", url(layer.key), layer.shown, options)


def _about(when: dict[str, str]) -> dict[str, Any]:
    instance, language = db.instance(), i18n.language()
    west, south, east, north = instance.bounds
    return {
        "bounds": [[south, west], [north, east]],
        "pages": url_for("pages.home", language=language),
        "when": when,
    }
