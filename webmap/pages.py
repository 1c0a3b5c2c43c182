"""The pages a person reads. Each is whole without the map and without scripts."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import ceil
from typing import Any
from urllib.parse import urlencode

from flask import (
    Blueprint,
    Response,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from layers import filters, places, practices, search
from layers.catalog import Layer
from layers.coverage import Staleness
from layers.filters import Facets, Filter
from layers.places import Body, Settlement
from layers.practices import Case
from webmap import (
    account,
    addresses,
    big,
    booklets,
    browse,
    cards,
    caseform,
    charts,
    choices,
    comparisons,
    confirming,
    context,
    cooperation,
    db,
    doors,
    downloads,
    editing,
    fits,
    histories,
    hits,
    i18n,
    imported,
    importing,
    journal,
    networks,
    params,
    place_kinds,
    planning,
    replies,
    shading,
    sharing,
    slides,
    stories,
    suggesting,
    trainings,
    worklist,
)
from webmap.db import House, Revisions
from webmap.exchange import programs
from webmap.shading import Shading

bp = Blueprint("pages", __name__)
bp.register_blueprint(account.bp)
bp.register_blueprint(booklets.bp)
bp.register_blueprint(cards.bp)
bp.register_blueprint(caseform.bp)
bp.register_blueprint(comparisons.bp)
bp.register_blueprint(confirming.bp)
bp.register_blueprint(cooperation.bp)
bp.register_blueprint(doors.bp)
bp.register_blueprint(downloads.bp)
bp.register_blueprint(imported.bp)
bp.register_blueprint(importing.bp)
bp.register_blueprint(editing.bp)
bp.register_blueprint(journal.bp)
bp.register_blueprint(slides.bp)
bp.register_blueprint(suggesting.bp)
bp.register_blueprint(trainings.bp)
bp.register_blueprint(worklist.bp)
bp.register_blueprint(planning.bp)
bp.register_blueprint(programs.bp)
_YEAR_S = 31_536_000
_HITS = 50
_LISTED = 1000
_ON_A_SHEET = 250
_SHEETS = ("landscape", "portrait")


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
    if request.endpoint == "pages.embed":
        return response  # A map on another site's page leaves nothing with its readers.
    if g.get("language") and request.cookies.get(i18n.cookie()) != g.language and response.status_code == 200:
        response.set_cookie(
            i18n.cookie(),
            g.language,
            max_age=_YEAR_S,
            samesite="Lax",
            httponly=True,
            secure=request.is_secure,
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
    return render_template("pages/map.html", chart=charts.chart(), **_legend())


@bp.get("/<language>/legend")
def legend() -> ResponseReturnValue:
    """What the map's panel says of a choice: counts, fields of the filter, classes of the shading."""
    return render_template("parts/legend.html", **_legend())


@bp.get("/<language>/print")
def paper() -> ResponseReturnValue:
    """The map for a sheet of A4. Its reader may add `at`, `show` and `paper` to what the map asks."""
    sheet = params.one_of(params.arguments(), "paper", _SHEETS) or "landscape"
    still = _still()
    link = sharing.whole(current_app.config["ADDRESS"] or request.host_url, still["back"])
    response = make_response(
        render_template("pages/print.html", paper=sheet, link=link, qr=sharing.qr, **still)
    )
    # It names the host that was asked for, which no shared cache may hand to somebody else.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@bp.get("/<language>/embed")
def embed() -> ResponseReturnValue:
    """The map alone, for a frame on another page."""
    return render_template("pages/embed.html", **_still())


@bp.get("/<language>/map-<digest>.js")
def script(digest: str) -> ResponseReturnValue:
    return charts.script(charts.chart(), digest)


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
    if by.is_of_age:
        stale = _stale(by, question, rows)
        return render_template(
            "pages/staleness.html",
            shading=by,
            shadings=offered,
            found=stale,
            shades=shading.stale_legend(stale),
            fields=_fields(),
        )
    found = shading.areas(by, as_of=question[1], bodies=rows.bodies, only=question[2])
    return render_template(
        "pages/coverage.html",
        shading=by,
        shadings=offered,
        found=found,
        shades=shading.legend(found),
        fields=_fields(*filters.OF_CASES),
    )


@bp.get("/<language>/layers/<key>")
def layer(key: str) -> ResponseReturnValue:
    kind, as_of = db.instance().layer(key), params.as_of(params.arguments())
    if kind.of == "cases":
        return redirect(context.page("cases", **context.asked("shade")))
    if kind.of == "areas":
        found = places.areas(db.session(), kind.kind, as_of=as_of, most=_LISTED)
        total = len(found)
        if total == _LISTED:
            total = places.area_count(db.session(), kind.kind, as_of=as_of)
        later = places.later_areas(db.session(), kind.kind, as_of=as_of)[:_LISTED]
        return render_template("pages/areas.html", layer=kind, areas=found, total=total, later=later)
    only, today = _question()[2:]
    every = replies.known().bodies_of(key, as_of=as_of)
    facets = filters.facets(every, (), only, today=today, rules=db.instance().freshness)
    fitting = filters.bodies(every, only, today=today, rules=db.instance().freshness)
    sheets = max(1, ceil(len(fitting) / _ON_A_SHEET))
    # A link may have been made when the list was longer.
    sheet = min(sheets, params.count(params.arguments(), "sheet", otherwise=1, most=9999))
    return render_template(
        "pages/layer.html",
        layer=kind,
        bodies=fitting[(sheet - 1) * _ON_A_SHEET : sheet * _ON_A_SHEET],
        in_county=Counter(body.county for body in fitting),
        shown=len(fitting),
        sheet=sheet,
        sheets=sheets,
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
    history = histories.of_body(key)
    return _page("pages/body.html", body=found, layer=kind, cases=taken_part, history=history)


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
    counts = places.counts(session, area=found.key, as_of=as_of)
    return _page(
        "pages/area.html",
        area=found,
        here=here,
        serving=serving,
        cases=cases,
        counts=counts,
        network=networks.of(found, as_of=as_of, counts=counts, bodies=(*serving, *here)),
        fits=fits.for_area(found.key, as_of=as_of),
        history=histories.of_area(kind, code),
        towns=_towns(db.house(), db.revisions(), as_of).get(found.key, ()),
        inside=[a for a in places.areas(session, "municipality", as_of=as_of) if a.parent == found.key],
    )


@lru_cache(maxsize=4)
def _towns(_house: House, _revisions: Revisions, as_of: date) -> dict[str, tuple[Settlement, ...]]:
    """The three most populous places of each municipality, by its key."""
    found: dict[str, tuple[Settlement, ...]] = {}
    for town in places.settlements(db.session(), as_of=as_of, least_population=1):
        key = f"municipality:{town.municipality}"
        found[key] = (*found.get(key, ()), town)[:3]
    return found


@bp.get("/<language>/places/<code>")
def place(code: str) -> ResponseReturnValue:
    as_of = params.as_of(params.arguments())
    found = places.settlement(db.session(), code)
    seated = [body for body in places.bodies(db.session(), as_of=as_of) if body.settlement == code]
    return _page("pages/place.html", town=found, bodies=seated)


@bp.get("/<language>/here")
def here() -> ResponseReturnValue:
    args = params.arguments()
    try:
        reply = replies.asked(args)
    except replies.ManyHaveThisName as error:
        return _page("pages/which.html", name=params.words(args, "place"), choices=error.choices)
    worries, accuracy_m = db.instance().worries, params.accuracy_m(args)
    return _page("pages/here.html", reply=reply, worries=worries, accuracy_m=accuracy_m)


@bp.get("/<language>/search")
def find() -> ResponseReturnValue:
    args = params.arguments()
    text = params.words(args, "q")
    place = search.coordinates(text, srid=db.instance().metric_crs)
    if place is not None:
        return redirect(
            context.page("here", lat=place.lat, lon=place.lon, part=1 if params.is_part(args) else None)
        )
    found = hits.find(text, as_of=params.as_of(args), most=_HITS + 1)
    gazetteer = addresses.of(current_app)
    return _page(
        "pages/search.html",
        text=text,
        hits=found[:_HITS],
        told=hits.told(found, most=_HITS),
        gazetteer=gazetteer,
        answer=gazetteer.find(text),
    )


@bp.get("/<language>/cases/")
def cases() -> ResponseReturnValue:
    _, as_of, only, today = _question()
    found = browse.cases(practices.cases(db.session(), as_of=as_of), only, as_of=as_of, today=today)
    return render_template("pages/cases.html", found=found)


@bp.get("/<language>/cases/<key>")
def case(key: str) -> ResponseReturnValue:
    session = db.session()
    found = practices.case(session, key)
    known = {p.key: p for p in practices.practices(session, as_of=params.today())}
    taken_part = places.bodies(session, as_of=date.max, keys=found.bodies) if found.bodies else []
    return _page(
        "pages/case.html",
        case=found,
        practices=known,
        bodies=_with_ended(found.bodies, taken_part),
        story=stories.told(found.texts, kind="cases"),
        guides=stories.guides(found, known.values()),
        fits=fits.for_case(key, as_of=params.today()),
    )


@bp.get("/<language>/practices/")
def practice_list() -> ResponseReturnValue:
    args = params.arguments()
    if audience := params.one_of(args, "audience", db.instance().codes.get("parties", {})):
        # What this list was asked by before it could be narrowed by anything else.
        return redirect(context.page("practice_list", **{**context.asked("audience"), "party": audience}))
    _, as_of, only, today = _question()
    session = db.session()
    every, shown_by = practices.practices(session, as_of=as_of), practices.cases(session, as_of=as_of)
    found = browse.practices(every, shown_by, only, as_of=as_of, today=today)
    return render_template("pages/practices.html", found=found)


@bp.get("/<language>/practices/<key>")
def practice(key: str) -> ResponseReturnValue:
    session, as_of = db.session(), params.as_of(params.arguments())
    found = practices.practice(session, key)
    shown_by = practices.cases(session, practice=key, as_of=as_of)
    others = {p.key: p for p in practices.practices(session, as_of=as_of)}
    elsewhere = fits.for_practice(key, as_of=as_of)
    return _page("pages/practice.html", practice=found, cases=shown_by, practices=others, fits=elsewhere)


@bp.get("/<language>/data")
def data() -> ResponseReturnValue:
    found = sorted(places.editions(db.session()), key=lambda one: i18n.plain(one.title).casefold())
    return render_template("pages/data.html", editions=found)


def _still() -> dict[str, Any]:
    """What a page of the map without its panel shows: view, layers, choice and day of the address."""
    args, instance = params.arguments(), db.instance()
    view = params.view(args)
    asked = params.some_of(args, "show", [layer.key for layer in instance.layers])
    shown = [one for one in instance.layers if (one.shown if asked is None else one.key in asked)]
    legend = _legend()
    carried = context.asked("at", "paper", "show")
    choice = context.chosen()
    if legend["shading"]:
        choice = {**choice, "shade": legend["shading"].key}
    return {
        **{name: legend[name] for name in ("shading", "shades", "fields", "big")},
        "chart": charts.chart(),
        "choice": urlencode(choice),
        "view": view,
        "shown": shown,
        "carried": carried,
        "back": sharing.address(context.page("home"), view=view, shown=asked, choice=context.chosen()),
        "sources": sharing.sources(instance, [one.key for one in shown]),
    }


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
def _found(house: House, _revisions: Revisions, as_of: date, only: Filter, today: date) -> Rows:
    """The rows of every layer of organisations and cases. The arguments are all that it depends on."""
    bodies = places.bodies(db.session(), as_of=as_of)
    cases = practices.cases(db.session(), as_of=as_of)
    rules = house.instance.freshness
    kinds = place_kinds.known(as_of)
    return Rows(
        filters.bodies(bodies, only, today=today, rules=rules),
        filters.cases(cases, only, today=today, rules=rules, place_kinds=kinds),
        filters.facets(bodies, cases, only, today=today, rules=rules, place_kinds=kinds),
    )


def _fields(*without: str) -> tuple[choices.Field, ...]:
    question = _question()
    return choices.form(question[2], _rows(*question).facets, without=without)


def _legend() -> dict[str, Any]:
    """The layers with their counts, the fields of the filter and the classes of the shading."""
    question = _question()
    rows, as_of, offered = _rows(*question), question[1], shading.offered()
    by = shading.chosen(params.arguments(), default=next(iter(offered), ""))
    if by and by.is_of_age:
        shades = shading.stale_legend(_stale(by, question, rows))
    else:
        found = shading.areas(by, as_of=as_of, bodies=rows.bodies, only=question[2]) if by else []
        shades = shading.legend(found)
    return {
        "layers": _counted(db.house(), *question),
        "fields": choices.form(question[2], rows.facets),
        "shading": by,
        "shadings": offered,
        "shades": shades,
        "big": big.drawings(),
    }


def _stale(by: Shading, question: Question, rows: Rows) -> list[Staleness]:
    _, as_of, only, today = question
    return shading.stale_areas(by, as_of=as_of, things=[*rows.bodies, *rows.cases], only=only, today=today)


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
        if layer.of == "areas":
            count = places.area_count(db.session(), layer.kind, as_of=as_of)
            found.append((layer, count, count))
            continue
        shown = rows.cases if layer.of == "cases" else [b for b in rows.bodies if b.layer == layer.key]
        found.append((layer, len(shown), sum(row.place is not None for row in shown)))
    return found
