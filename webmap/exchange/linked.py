"""What pages tell search engines and other readers of linked data about their things: schema.org as JSON-LD.

It stands in the page as a data block, which no browser runs and no policy of scripts concerns, and has an
address of its own. Addresses in it begin with a slash unless the settings name this site: the host that a
request names does not come into a page. What is said of a thing is what its page says, as exact and as old.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Blueprint, Response, current_app, g, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from layers import journal, places, practices
from layers.journal import Event
from layers.places import Area, Body
from layers.practices import Case, Practice
from webmap import ages, context, db, i18n, names, packed, params, prose, stories
from webmap.exchange import links

bp = Blueprint("linked", __name__)
bp.after_request(packed.for_anybody)

Shape = dict[str, Any]
TYPE = "application/ld+json"
_CONTEXT = "https://schema.org"
# They would end the block, or begin a comment or an entity in it.
_HARMLESS = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


@bp.url_value_preprocessor
def _take_language(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    if values and "language" in values:
        offered = {code: code for code in db.instance().languages}
        g.language = params.one_of({"lang": values.pop("language")}, "lang", offered)


def block(said: Shape) -> Markup:
    """JSON-LD to stand in a page: nothing in it can end its element."""
    return Markup(_written(said).translate(_HARMLESS))  # noqa: S704  (no < is left in it)


def _written(said: Shape) -> str:
    return json.dumps({"@context": _CONTEXT, **said}, ensure_ascii=False, separators=(",", ":"))


def _answer(said: Shape) -> Response:
    response = Response(_written(said), content_type=f"{TYPE}; charset=utf-8")
    return packed.conditional(response, links.kept())


@bp.get("/<language>/bodies/<key>.jsonld")
def body(key: str) -> ResponseReturnValue:
    return _answer(of_body(places.body(db.session(), key, as_of=params.as_of(params.arguments()))))


@bp.get("/<language>/areas/<kind>/<code>.jsonld")
def area(kind: str, code: str) -> ResponseReturnValue:
    return _answer(of_area(places.area(db.session(), kind, code, as_of=params.as_of(params.arguments()))))


@bp.get("/<language>/cases/<key>.jsonld")
def case(key: str) -> ResponseReturnValue:
    return _answer(of_case(practices.case(db.session(), key)))


@bp.get("/<language>/practices/<key>.jsonld")
def practice(key: str) -> ResponseReturnValue:
    return _answer(of_practice(practices.practice(db.session(), key)))


@bp.get("/<language>/trainings.jsonld")
def trainings() -> ResponseReturnValue:
    return _answer(of_events(journal.events(db.session())))


# --- What is said


def of_body(found: Body) -> Shape:
    """An organisation. Its point is told with its precision, and no address is: none is known."""
    here, own = _page("body", key=found.key), names.body(found)
    said: Shape = {
        "@type": "Organization",
        "@id": f"{here}#thing",
        "name": own,
        "alternateName": found.name if own != found.name else "",
        "description": i18n.plain(found.notes),
        "url": here,
        "foundingDate": found.valid_from,
        "dissolutionDate": found.valid_to,
        "location": _where(found),
        "areaServed": [_area(key) for key in found.serves],
        "makesOffer": [
            {"@type": "Offer", "itemOffered": {"@type": "Service", "name": i18n.label("capabilities", code)}}
            for code in found.capabilities
        ],
        "mainEntityOfPage": _document(here, found.source.as_of, found.source.confirmed, [vars(found.source)]),
    }
    if not ages.of(found).is_current:
        said["disambiguatingDescription"] = ages.not_current(ages.of(found))
    return _without_gaps(said)


def of_area(found: Area) -> Shape:
    here, facts = _page("area", kind=found.kind, code=found.code), found.facts
    own = i18n.plain(found.names)
    people = str(facts.get("population", ""))
    said = {
        "@type": "AdministrativeArea",
        "@id": f"{here}#thing",
        "name": own,
        "alternateName": sorted({*found.names.values()} - {own, ""}),
        "description": i18n.label("area_kinds", found.kind),
        "identifier": {"@type": "PropertyValue", "propertyID": found.kind, "value": found.code},
        "url": here,
        "containedInPlace": _area(found.parent) if _is_page(found.parent) else "",
        "geo": _point(facts.get("lat"), facts.get("lon")),
        "additionalProperty": _without_gaps(
            {
                "@type": "PropertyValue",
                "name": "population",
                "value": int(people),
                "measurementTechnique": str(facts.get("population_as_of", "")),
            }
        )
        if people.isdecimal()
        else "",
        "mainEntityOfPage": _document(here, found.source.as_of, found.source.confirmed, [vars(found.source)]),
    }
    return _without_gaps(said)


def of_case(found: Case) -> Shape:
    here = _page("case", key=found.key)
    period = "/".join((found.period_from, found.period_to or "..")) if found.period_from else ""
    said = {
        **_text("Article", here, found.titles, found.summaries),
        "temporalCoverage": period,
        "contentLocation": _where(found),
        "spatialCoverage": [_area(key) for key in found.areas],
        "keywords": [i18n.label("themes", found.theme), i18n.label("outcomes", found.outcome)],
        "about": [
            {"@type": "CreativeWork", "@id": f"{_page('practice', key=one.practice)}#thing"}
            for one in found.practices
        ],
        "mentions": [
            {"@type": "Organization", "@id": f"{_page('body', key=key)}#thing"} for key in found.bodies
        ],
        **_dated(found.as_of, found.confirmed, found.sources),
    }
    return _without_gaps(said)


def of_practice(found: Practice) -> Shape:
    """A guide: who does what are its steps, in the language in which it is written in full."""
    here, story = _page("practice", key=found.key), stories.told(found.texts, kind="practices")
    steps = [*_steps(story.parts["who"].body)] if "who" in story.parts else []
    said = {
        **_text("HowTo" if steps else "Article", here, found.titles, found.summaries),
        "step": steps,
        "audience": [
            {"@type": "Audience", "audienceType": i18n.label("parties", code)} for code in found.audiences
        ],
        "keywords": [i18n.label("themes", code) for code in found.themes],
        "isBasedOn": [],
        **_dated(found.as_of, found.confirmed, found.sources),
    }
    return _without_gaps(said)


def _steps(text: str) -> Iterable[Shape]:
    """Sections of steps, as headings and lists of the text tell them; what stands in no list is no step."""
    title, sections = "", list[tuple[str, list[str]]]()
    for one in prose.blocks(text):
        if one["kind"] == "heading":
            title = one["text"]
        elif one["kind"] in ("steps", "list"):
            sections.append((title, one["items"]))
    for name, items in sections:
        steps = [{"@type": "HowToStep", "position": at, "text": item} for at, item in enumerate(items, 1)]
        yield _without_gaps({"@type": "HowToSection", "name": name, "itemListElement": steps})


def of_events(found: Iterable[Event]) -> Shape:
    here = _page("trainings.calendar")
    every = [
        _without_gaps(
            {
                "@type": "Event",
                "@id": f"{here}#{one.key}",
                "name": i18n.plain(one.titles),
                "description": i18n.plain(one.notes),
                "startDate": one.begins,
                "endDate": one.ends,
                "location": {"@type": "Place", "name": one.place} if one.place else "",
                "eventStatus": "https://schema.org/EventScheduled",
                "audience": [
                    {"@type": "Audience", "audienceType": i18n.label("parties", code)} for code in one.parties
                ],
                "url": f"{here}#{one.key}",
                "subjectOf": _work({"title": one.source, "url": one.source_url}),
            }
        )
        for one in sorted(found, key=lambda one: (one.begins, one.key))
    ]
    items = [{"@type": "ListItem", "position": at, "item": one} for at, one in enumerate(every, 1)]
    return {"@type": "ItemList", "@id": here, "itemListElement": items}


def _text(kind: str, here: str, titles: Mapping[str, str], summaries: Mapping[str, str]) -> Shape:
    title, summary = i18n.words(titles), i18n.words(summaries)
    return {
        "@type": kind,
        "@id": f"{here}#thing",
        ("name" if kind == "HowTo" else "headline"): title.text,
        ("description" if kind == "HowTo" else "abstract"): summary.text,
        "inLanguage": title.language,
        "url": here,
        "mainEntityOfPage": here,
    }


def _dated(as_of: str, confirmed: str, sources: Iterable[Mapping[str, Any]]) -> Shape:
    return {"dateModified": max(as_of, confirmed), "citation": [_work(one) for one in sources]}


def _document(here: str, as_of: str, confirmed: str, sources: Iterable[Mapping[str, Any]]) -> Shape:
    """The page as a work: what it rests on, of which day it is."""
    return _without_gaps(
        {
            "@type": "WebPage",
            "@id": here,
            "inLanguage": i18n.language(),
            **_dated(as_of, confirmed, sources),
        }
    )


def _work(source: Mapping[str, Any]) -> Shape:
    said = {"@type": "CreativeWork", "name": source.get("title", ""), "url": source.get("url", "")}
    return _without_gaps({**said, "datePublished": source.get("date") or ""})


def _where(thing: Body | Case) -> Shape | str:
    """A place by its names, and its point with what that point is."""
    parts = [thing.locality, names.municipality(thing.municipality), names.county(thing.county)]
    if not thing.place and not any(parts):
        return ""
    return _without_gaps(
        {
            "@type": "Place",
            "name": ", ".join(dict.fromkeys(filter(None, parts))),
            "description": i18n.label("precision", thing.precision) if thing.place else "",
            "geo": _point(thing.place.lat, thing.place.lon) if thing.place else "",
        }
    )


def _point(lat: Any, lon: Any) -> Shape | str:
    if lat in (None, "") or lon in (None, ""):
        return ""
    return {"@type": "GeoCoordinates", "latitude": float(lat), "longitude": float(lon)}


def _area(key: str) -> Shape:
    kind, _, code = key.partition(":")
    here = _page("area", kind=kind, code=code)
    return {"@type": "AdministrativeArea", "@id": f"{here}#thing", "name": names.area(key)}


def _is_page(key: str) -> bool:
    return ":" in key and not key.startswith("country:")


def _page(endpoint: str, **values: Any) -> str:
    found = context.page(endpoint, **values)
    return links.whole(found) if current_app.config["ADDRESS"] else found


def _without_gaps(said: Shape) -> Shape:
    return {name: value for name, value in said.items() if value not in ("", [], None)}


def beside(endpoint: str, **values: Any) -> str:
    """The address of what a page says of its thing, as JSON-LD alone."""
    return url_for(f"linked.{endpoint}", **{"language": i18n.language(), **context.when(), **values})
