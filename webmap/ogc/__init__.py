"""The map's facts for other systems: OGC API – Features under /ogc, as JSON and as pages.

An engine was weighed. tipg serves PostGIS alone and brings FastAPI; pygeoapi is a Flask blueprint, but its
providers read tables: our days, knowledge of a moment, languages, blur and ages would have to be told to it
by a provider of our own that does all the work, beside a second configuration, a second set of pages that
break our policy of scripts, and twenty packages. What is left for an engine is the frame of links: this.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote

import shapely
from flask import Blueprint, Response, current_app, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from layers import features
from layers.errors import N_
from layers.features import Asker, Collection, Feature, Property, Question
from webmap import ages, context, db, i18n, maps, packed, params
from webmap.db import House, Revisions
from webmap.ogc import asked, described
from webmap.ogc.asked import CRS84, Crs
from webmap.planning import chart

bp = Blueprint("ogc", __name__, url_prefix="/ogc")

_JSON, _HTML = "application/json", "text/html"
_TITLE = N_("{name}: features for other systems")
_ABOUT = N_("All public layers of this map as features, by the standard OGC API – Features.")
_PROPERTIES_OF = N_("What the features of “{name}” have")
_QUERYABLES_OF = N_("By what “{name}” can be filtered")
_REL = "http://www.opengis.net/def/rel/ogc/1.0"
_PAGES = {"bodies": "body", "cases": "case", "settlements": "place"}
_KEPT_S = 60
_AROUND_M = 20_000.0
"""A map shows at least so much: a place is found by what lies around it."""
Link = dict[str, str]


class Drawing(NamedTuple):
    """A map of features: its parts, the address of what is drawn, its frame (west,south,east,north), and how
    many features have no place on it."""

    chart: maps.Parts
    address: str
    bounds: str
    without: int


@bp.before_request
def _take_language() -> None:
    """A page without `lang` is in its visitor's language; data are in the instance's own."""
    i18n.take_language()
    if "lang" not in params.arguments() and _form() == "html":
        g.language = i18n.negotiated()


@bp.after_request
def _for_anybody(response: Response) -> Response:
    response.headers["Access-Control-Expose-Headers"] = "Content-Crs, ETag, Link"
    return packed.for_anybody(response)


# --- The addresses


@bp.get("", strict_slashes=False)
def landing() -> ResponseReturnValue:
    """The way in."""
    _check()
    links = [
        *_both_forms("ogc.landing"),
        _link("service-desc", described.OPENAPI, gettext("The description (OpenAPI)"), "ogc.api", f="json"),
        _link("service-doc", _HTML, gettext("The description (OpenAPI)"), "ogc.api", f="html"),
        _link("conformance", _JSON, gettext("What this service keeps to"), "ogc.conformance"),
        _link("data", _JSON, gettext("Collections"), "ogc.collections"),
    ]
    found = {"title": _title(), "description": str(gettext(_ABOUT)), "links": links}
    return _answer(found, "landing", about=found)


@bp.get("/conformance")
def conformance() -> ResponseReturnValue:
    """What this service keeps to."""
    _check()
    return _answer({"conformsTo": [*described.CONFORMANCE]}, "conformance", classes=described.CONFORMANCE)


@bp.get("/api")
def api() -> ResponseReturnValue:
    """The OpenAPI description."""
    _check()
    found = described.openapi(db.instance(), server=_address("ogc.landing", lang=None))
    return _answer(found, "api", kind=described.OPENAPI, described=found)


@bp.get("/collections")
def collections() -> ResponseReturnValue:
    """Every collection."""
    _check()
    every = [_collection(one) for one in features.collections(db.instance())]
    found = {
        "links": _both_forms("ogc.collections"),
        "crs": [crs.uri for crs in asked.systems(db.instance())],
        "collections": every,
    }
    return _answer(found, "collections", every=every)


@bp.get("/collections/<name>")
def collection(name: str) -> ResponseReturnValue:
    """One collection."""
    _check()
    of = features.collection(db.instance(), name)
    return _answer(_collection(of), "collection", of=_collection(of), properties=_named(of))


@bp.get("/collections/<name>/queryables")
def queryables(name: str) -> ResponseReturnValue:
    """By what a collection can be filtered, as a JSON Schema."""
    return _schema(name, "queryables", _QUERYABLES_OF)


@bp.get("/collections/<name>/schema")
def schema(name: str) -> ResponseReturnValue:
    """What the features of a collection have, as a JSON Schema."""
    return _schema(name, "schema", _PROPERTIES_OF)


def _schema(name: str, what: str, sentence: str) -> ResponseReturnValue:
    _check()
    of = features.collection(db.instance(), name)
    title = str(gettext(sentence)).format(name=i18n.plain(of.title))
    address = _address(f"ogc.{what}", name=name, lang=None)
    found = described.schema(of, title=title, address=address, told=_named(of))
    return _answer(
        found, "schema", kind=described.JSON_SCHEMA, of=_short(of), title=title, properties=_named(of)
    )


@bp.get("/collections/<name>/items")
def items(name: str) -> ResponseReturnValue:
    """Features of a collection, a page at a time."""
    args = params.arguments()
    of = features.collection(db.instance(), name)
    question = asked.many(args, db.instance(), of)
    page = features.page(_asker(), of, question.question, after=question.after, most=question.most)
    matched = _matched(
        db.house(), of, question.question, i18n.language(), params.knowledge_day(args), db.revisions()
    )
    links = [*_both_forms("ogc.items", name=name, **_carried(args))]
    if page.after is not None:
        more = {**_carried(args), "after": page.after, "f": _form()}
        links.append(_link("next", _this_form(), gettext("Next page"), "ogc.items", name=name, **more))
    links.append(_link("collection", _JSON, i18n.plain(of.title), "ogc.collection", name=name))
    if _form() == "html":
        response = _page(
            "items",
            of=_short(of),
            found=page.features,
            columns=_COLUMNS[of.of],
            titles={one.name: title for one, title in _named(of)},
            matched=matched,
            links=links,
            is_first=not question.after,
            drawing=_drawing(page.features, name=name),
        )
    else:
        told = {
            **({} if matched is None else {"numberMatched": matched}),
            "numberReturned": len(page.features),
            "links": links,
        }
        body = _collected(told, _written(of, page.features, question.crs))
        response = Response(body, mimetype=described.GEOJSON)
    return _finished(response, links, question.crs)


@bp.get("/collections/<name>/items/<key>")
def item(name: str, key: str) -> ResponseReturnValue:
    """One feature."""
    args = params.arguments()
    of = features.collection(db.instance(), name)
    question = asked.one(args, db.instance())
    found = features.feature(_asker(), of, key, day=question.day)
    links = [
        *_both_forms("ogc.item", name=name, key=key, **_carried(args)),
        _link("collection", _JSON, i18n.plain(of.title), "ogc.collection", name=name),
    ]
    if _form() == "html":
        titles = {one.name: title for one, title in _named(of)}
        response = _page(
            "item",
            of=_short(of),
            found=found,
            titles=titles,
            kinds=features.kinds(of.of),
            ages=ages.TITLES,
            links=links,
            page_of=_page_of(of, found),
            drawing=_drawing([found], name=name, key=key),
        )
    else:
        [written] = _written(of, [found], question.crs, more=f',"links":{_dumped(links)}')
        response = Response(written, mimetype=described.GEOJSON)
    return _finished(response, links, question.crs)


# --- What is said of a collection


def _collection(of: Collection) -> dict[str, Any]:
    box, (first, last) = _extent(db.house(), of, db.revisions())
    extent: dict[str, Any] = {"temporal": {"interval": [[first, last]]}}
    if box:
        extent["spatial"] = {"bbox": [list(box)], "crs": CRS84}
    offered = asked.systems(db.instance())
    return {
        **_short(of),
        "extent": extent,
        "itemType": "feature",
        "crs": [crs.uri for crs in offered],
        "storageCrs": offered[-1].uri,
        "links": [
            *_both_forms("ogc.collection", name=of.key),
            _link("items", described.GEOJSON, i18n.plain(of.title), "ogc.items", name=of.key, f="json"),
            _link("items", _HTML, i18n.plain(of.title), "ogc.items", name=of.key, f="html"),
            _link(
                f"{_REL}/queryables",
                described.JSON_SCHEMA,
                gettext("What it can be filtered by"),
                "ogc.queryables",
                name=of.key,
            ),
            _link(
                f"{_REL}/schema",
                described.JSON_SCHEMA,
                gettext("What its features have"),
                "ogc.schema",
                name=of.key,
            ),
        ],
    }


def _short(of: Collection) -> dict[str, str]:
    title = i18n.plain(of.title)
    return {"id": of.key, "title": title, "description": i18n.plain(of.about) or title}


@lru_cache(maxsize=128)
def _extent(
    _house: House, of: Collection, _revisions: Revisions
) -> tuple[tuple[float, ...] | None, tuple[str | None, str | None]]:
    asker = _asker()
    first, last = features.days(asker, of)
    return features.bounds(asker, of), (_moment(first), _moment(last))


def _moment(partial: str) -> str | None:
    """The first moment of a partial date, None for an open end."""
    return f"{(partial + '-01-01')[:10]}T00:00:00Z" if partial else None


@lru_cache(maxsize=512)
def _matched(
    _house: House,
    of: Collection,
    question: Question,
    _language: str,
    _today: object,
    _revisions: Revisions,
) -> int | None:
    return features.matched(_asker(), of, question)


def _named(of: Collection) -> list[tuple[Property, str]]:
    return [(one, str(gettext(one.title))) for one in features.properties(of.of)]


def _asker() -> Asker:
    today = params.knowledge_day(params.arguments())
    return Asker(db.session(), db.instance(), i18n.language(), today)


# --- Features → text

_COLUMNS = {
    "bodies": ("form_label", "locality", "municipality_name", "county_name", "as_of", "source"),
    "cases": ("theme_label", "outcome_label", "county_name", "period_from", "as_of", "source"),
    "areas": ("code", "parent", "population", "area_km2", "accuracy", "as_of"),
    "settlements": ("municipality_name", "county_name", "population", "population_as_of", "source"),
    "counts": ("layer_label", "area_name", "number", "households", "members", "as_of", "source"),
}


def _page_of(of: Collection, found: Feature) -> str | None:
    """The address of our own page on a feature; None where there is none."""
    if of.of in _PAGES:
        name = "code" if of.of == "settlements" else "key"
        return context.page(_PAGES[of.of], **{name: found.key})
    area = str(found.properties["area"]) if of.of == "counts" else found.key
    kind, _, code = area.partition(":")
    return None if kind == "country" else context.page("area", kind=kind, code=code)


def _written(of: Collection, found: Iterable[Feature], crs: Crs, *, more: str = "") -> list[str]:
    """Features as GeoJSON texts."""
    listed, srid = [*found], db.instance().metric_crs
    shapes = features.written(listed, srid=srid, is_metric=crs.is_metric, is_swapped=crs.is_swapped)
    told = []
    for one, shape in zip(listed, shapes, strict=True):
        page = _page_of(of, one)
        about = {**one.properties, "url": f"{_origin()}{page}" if page else None}
        told.append(
            f'{{"type":"Feature","id":{_dumped(one.key)},"properties":{_dumped(about)},'
            f'"geometry":{shape or "null"}{more}}}'
        )
    return told


def _collected(about: Mapping[str, Any], found: Iterable[str]) -> str:
    return f'{{"type":"FeatureCollection",{_dumped(about)[1:-1]},"features":[{",".join(found)}]}}'


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


# --- Links, forms and headers


def _check() -> None:
    asked.check(params.arguments(), asked.EVERYWHERE)


def _carried(args: Mapping[str, str]) -> dict[str, str]:
    """What this request asks, to be asked again, but in whatever form."""
    return {name: value for name, value in args.items() if name != "f"}


def _drawing(found: Sequence[Feature], **values: str) -> Drawing | None:
    """The map of a page's features; None where none of them has a place."""
    shapes = [one.shape for one in found if one.shape is not None]
    if not shapes:
        return None
    west, south, east, north = shapely.total_bounds(shapes)
    around = max(0.0, _AROUND_M - max(east - west, north - south)) / 2
    again: dict[str, Any] = {name: value for name, value in _again().items() if name != "crs"} | values
    return Drawing(
        chart.chart(),
        url_for(request.endpoint or "ogc.items", **{**again, "f": "json"}),
        chart.frame(west - around, south - around, east + around, north + around),
        len(found) - len(shapes),
    )


def _origin() -> str:
    return str(current_app.config["ADDRESS"] or request.host_url.rstrip("/"))


def _address(endpoint: str, **values: Any) -> str:
    language = params.arguments().get("lang")
    return f"{_origin()}{url_for(endpoint, **{'lang': language, **values})}"


def _link(rel: str, kind: str, title: str, endpoint: str, **values: Any) -> Link:
    return {"href": _address(endpoint, **values), "rel": rel, "type": kind, "title": str(title)}


def _both_forms(endpoint: str, **values: Any) -> list[Link]:
    """This answer, and the same in the other form."""
    made = []
    for form in ("json", "html"):
        rel = "self" if form == _form() else "alternate"
        kind = _HTML if form == "html" else _kind_of(endpoint)
        title = gettext("This page") if form == "html" else gettext("This as data")
        made.append(_link(rel, kind, title, endpoint, **values, f=form))
    return made


def _kind_of(endpoint: str) -> str:
    return described.GEOJSON if endpoint in ("ogc.items", "ogc.item") else _JSON


def _form() -> str:
    """`f`, else what the visitor takes rather; without a wish JSON."""
    wanted = params.one_of(params.arguments(), "f", ("json", "html"))
    if wanted:
        return wanted
    offered = [_JSON, described.GEOJSON, described.OPENAPI, described.JSON_SCHEMA, _HTML]
    return "html" if request.accept_mimetypes.best_match(offered, _JSON) == _HTML else "json"


def _this_form() -> str:
    return _HTML if _form() == "html" else described.GEOJSON


def _title() -> str:
    return str(gettext(_TITLE)).format(name=i18n.plain(db.instance().names))


def _answer(found: Mapping[str, Any], template: str, *, kind: str = _JSON, **values: Any) -> Response:
    """An answer without features, as a page or as JSON."""
    links = found.get("links", [])
    if _form() == "html":
        return _finished(_page(template, links=links, **values), links)
    return _finished(Response(_dumped(found), mimetype=kind, content_type=kind), links)


def _page(template: str, **values: Any) -> Response:
    """A page in our layout, whose links to other languages lead to itself."""

    def same_page(language: str) -> str:
        asked_: dict[str, Any] = {**(request.view_args or {}), **_again(), "lang": language, "f": "html"}
        return url_for(request.endpoint or "ogc.landing", **asked_)

    return Response(
        render_template(
            f"ogc/{template}.html", title_=_title(), same_page=same_page, address=_address, **values
        ),
        mimetype=_HTML,
    )


def _again() -> dict[str, str]:
    # Names such as _scheme would rewrite the address.
    return {name: value for name, value in params.arguments().items() if not name.startswith("_")}


def _finished(response: Response, links: Iterable[Link], crs: Crs | None = None) -> Response:
    """The same with what the standard says in headers."""
    for link in links:
        if link["rel"] in ("self", "alternate", "next", "collection"):
            address = quote(link["href"], safe=":/?#[]@!$&'()*+,;=%~")
            response.headers.add("Link", f'<{address}>; rel="{link["rel"]}"; type="{link["type"]}"')
    if crs:
        response.headers["Content-Crs"] = f"<{crs.uri}>"
    response.vary.update(("Accept", "Accept-Language", "Cookie") if _form() == "html" else ("Accept",))
    # What names the host that was asked for is for this visitor alone.
    whose = "public" if current_app.config["ADDRESS"] else "private"
    return packed.conditional(response, f"{whose}, max-age={min(_KEPT_S, params.seconds_left_today())}")
