"""What data there are, for the catalogues of states and of the Union: DCAT-AP 3, as JSON-LD and as Turtle.

The catalogue is written as JSON-LD; rdflib writes the same graph as Turtle, which would be long to get right
by hand. Nothing in it is a blank node, so that equal catalogues have equal bytes.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import rdflib
from flask import Blueprint, Response, current_app
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from layers import dates, downloads, exports, places, provenance
from layers.errors import N_
from layers.geo import Bbox
from layers.places import Edition
from webmap import big, db, i18n, packed
from webmap.db import House, Revisions
from webmap.exchange import links

bp = Blueprint("catalogue", __name__)
bp.before_request(i18n.take_language)
bp.after_request(packed.for_anybody)

Shape = dict[str, Any]
_AUTHORITY = "http://publications.europa.eu/resource/authority/"
_IANA = "https://www.iana.org/assignments/media-types/"
_CONTEXT = {
    "adms": "http://www.w3.org/ns/adms#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcatap": "http://data.europa.eu/r5r/",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "locn": "http://www.w3.org/ns/locn#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "gsp": "http://www.opengis.net/ont/geosparql#",
}
# The Union's codes of the languages that an instance is likely to have; others are left out.
_LANGUAGES = {
    "de": "DEU",
    "en": "ENG",
    "et": "EST",
    "fi": "FIN",
    "lt": "LIT",
    "lv": "LAV",
    "ru": "RUS",
    "sv": "SWE",
}
_GEOJSON = ("GEOJSON", "application/geo+json")
# The Union's codes; it has none for FlatGeobuf.
_FILE_TYPES = {"csv": "CSV", "geojson": "GEOJSON", "gpkg": "GPKG", "kml": "KML", "parquet": "PARQUET"}
_LICENCE = re.compile(r"[A-Za-z0-9.+-]+")
_GROUND = {"land": "land", "neighbours": "neighbours", "places": "settlements"}


@dataclass(frozen=True)
class Distribution:
    """One form in which a dataset is to be had. `path` is its address on this site.

    `format` is a code of the Union's file types, `service` the service that gives it ("" for none).
    """

    name: str
    path: str
    format: str
    media_type: str
    title: str
    service: str = ""
    is_download: bool = True


def distributions(resource: str) -> Iterator[Distribution]:
    """The forms in which this site gives a resource. A further one is one more line here."""
    instance, layers = db.instance(), {layer.key: layer for layer in db.instance().layers}
    drawn = resource if resource in layers else _GROUND.get(resource, "")
    if drawn and drawn not in big.drawings():
        yield Distribution(
            "drawn", f"/api/layers/{drawn}.geojson", *_GEOJSON, "GeoJSON, as it is drawn", "api"
        )
    for offer in downloads.offers(instance):
        if offer.key == resource:
            for one in exports.offered(offer.shape):
                if one.key in _FILE_TYPES:
                    address = f"/api/export/{resource}.{one.key}"
                    yield Distribution(one.key, address, _FILE_TYPES[one.key], one.mimetype, one.title)
    if resource in layers and layers[resource].of == "bodies":
        organizations = ("JSON", "application/json", "HSDS (Open Referral)", "hsds")
        yield Distribution("hsds", "/hsds/organizations?full=true", *organizations, is_download=False)
    if resource == "events":
        calendar = f"/{instance.default_language}/trainings.ics"
        yield Distribution("ics", calendar, "ICS", "text/calendar", "iCalendar")
    if resource == "journal":
        feed = f"/{instance.default_language}/journal.atom"
        yield Distribution("atom", feed, "ATOM", "application/atom+xml", "Atom")
    if drawn:
        service = ("OGC API – Features", "ogc")
        yield Distribution("ogc", f"/ogc/collections/{drawn}", *_GEOJSON, *service, is_download=False)
    is_cases = resource in layers and layers[resource].of == "cases"
    page = f"/{instance.default_language}/{'cases/' if is_cases else f'layers/{resource}'}"
    if resource in layers:
        yield Distribution("page", page, "HTML", "text/html", "HTML", is_download=False)
    elif resource in ("practices", "events"):
        list_ = f"/{instance.default_language}/{'practices' if resource == 'practices' else 'trainings'}/"
        yield Distribution("page", list_, "HTML", "text/html", "HTML", is_download=False)


@bp.get("/catalog.jsonld")
def as_json() -> ResponseReturnValue:
    return _answer(
        _written(db.house(), db.revisions(), i18n.language(), links.origin()), "application/ld+json"
    )


@bp.get("/catalog.ttl")
def as_turtle() -> ResponseReturnValue:
    written = _written(db.house(), db.revisions(), i18n.language(), links.origin())
    return _answer(_turtle(written), "text/turtle")


def _answer(written: str, kind: str) -> Response:
    response = Response(written, content_type=f"{kind}; charset=utf-8")
    return packed.conditional(response, links.kept())


@lru_cache(maxsize=8)
def _written(_house: House, _revisions: Revisions, _language: str, _origin: str) -> str:
    return json.dumps({"@context": _CONTEXT, "@graph": [*_catalogue()]}, ensure_ascii=False, indent=1)


@lru_cache(maxsize=8)
def _turtle(written: str) -> str:
    """The same graph. rdflib's own reader of JSON-LD takes any, ours what is written here: it is faster and
    warns of nothing; tests hold the one against the other."""
    graph = rdflib.Graph(bind_namespaces="none")
    for prefix, space in _CONTEXT.items():
        graph.bind(prefix, space)
    for thing in json.loads(written)["@graph"]:
        about = rdflib.URIRef(thing.pop("@id"))
        for name, values in thing.items():
            kind = rdflib.RDF.type if name == "@type" else _named(name)
            for value in values if isinstance(values, list) else [values]:
                graph.add((about, kind, _named(value) if name == "@type" else _node(value)))
    return str(graph.serialize(format="turtle"))


def _named(short: str) -> rdflib.URIRef:
    prefix, _, name = short.partition(":")
    return rdflib.URIRef(f"{_CONTEXT[prefix]}{name}")


def _node(value: Any) -> rdflib.URIRef | rdflib.Literal:
    if isinstance(value, str):
        return rdflib.Literal(value)
    if "@id" in value:
        return rdflib.URIRef(value["@id"])
    kind = _named(value["@type"]) if "@type" in value else None
    return rdflib.Literal(value["@value"], lang=value.get("@language"), datatype=kind)


# --- What it says


def _catalogue() -> Iterator[Shape]:
    instance, editions = db.instance(), places.editions(db.session())
    spans = provenance.spans(db.session())
    datasets = {name: [*those] for name, those in groupby(editions, key=lambda edition: edition.name)}
    services = [*_services(datasets)]
    yield {
        "@id": _id(),
        "@type": "dcat:Catalog",
        "dct:title": _said(instance.names),
        "dct:description": _said(instance.welcome),
        "dct:publisher": {"@id": _id("publisher")},
        "foaf:homepage": {"@id": links.page("home")},
        "dct:language": _languages(instance.languages),
        "dct:spatial": {"@id": _id("territory")},
        "dct:modified": _moment(max((one.loaded_at for one in editions), default="")),
        "dcat:themeTaxonomy": {"@id": f"{_AUTHORITY}data-theme"},
        "dcat:dataset": [{"@id": _id("dataset", name)} for name in datasets],
        "dcat:service": [{"@id": one["@id"]} for one in services],
    } | _contact()
    yield {"@id": _id("publisher"), "@type": "foaf:Agent", "foaf:name": _said(instance.names)}
    yield {
        "@id": _id("territory"),
        "@type": "dct:Location",
        "dcat:bbox": {"@type": "gsp:wktLiteral", "@value": Bbox(*instance.bounds).polygon().wkt},
    }
    yield from _contact_itself()
    for name, those in datasets.items():
        yield from _dataset(name, those, spans.get(name))
    yield from services
    yield from _licences({one.licence for one in editions})


def _dataset(name: str, editions: list[Edition], span: tuple[str, str] | None) -> Iterator[Shape]:
    instance, own = db.instance(), editions[0]
    layer = next((one for one in instance.layers if one.key == name), None)
    resource = instance.resources.get(name)
    given, licences = [*distributions(name)], sorted({one.licence for one in editions})
    rough = resource.accuracy if resource else {}
    yield {
        "@id": _id("dataset", name),
        "@type": "dcat:Dataset",
        "dct:identifier": f"{instance.key}/{name}",
        "dct:title": _said(layer.label if layer else own.title),
        "dct:description": _said(_joined(layer.about if layer else own.title, rough)),
        "dct:publisher": {"@id": _id("publisher")},
        "dct:accessRights": {"@id": f"{_AUTHORITY}access-right/PUBLIC"},
        "dct:accrualPeriodicity": {"@id": f"{_AUTHORITY}frequency/IRREG"},
        "dct:language": _languages(instance.languages),
        "dct:spatial": {"@id": _id("territory")},
        "dct:modified": _moment(max(one.loaded_at for one in editions)),
        "dct:provenance": [{"@id": _id("provenance", name, str(one.number))} for one in editions],
        "dcat:landingPage": {"@id": links.page("data")},
        "dcat:theme": {"@id": f"{_AUTHORITY}data-theme/JUST"},
        "dcat:version": str(max(one.number for one in editions)),
        "dcat:distribution": [{"@id": _id("distribution", name, one.name)} for one in given],
        **({"dct:temporal": {"@id": _id("period", name)}} if span else {}),
    } | _contact()
    for one in given:
        yield _distribution(name, one, licences, rough)
    for edition in editions:
        yield _provenance(name, edition)
    if span:
        yield {
            "@id": _id("period", name),
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": _partial(span[0]),
            "dcat:endDate": _partial(span[1]),
        }


def _distribution(name: str, one: Distribution, licences: list[str], rough: Mapping[str, str]) -> Shape:
    address = {"@id": links.whole(one.path)}
    return {
        "@id": _id("distribution", name, one.name),
        "@type": "dcat:Distribution",
        "dct:title": one.title,
        "dct:format": {"@id": f"{_AUTHORITY}file-type/{one.format}"},
        "dcat:mediaType": {"@id": f"{_IANA}{one.media_type}"},
        "dcat:accessURL": address,
        "dcatap:availability": {"@id": f"{_AUTHORITY}planned-availability/AVAILABLE"},
        **({"dcat:downloadURL": address} if one.is_download else {}),
        **({"dcat:accessService": {"@id": _id("service", one.service)}} if one.service else {}),
        # A distribution has one licence; where datasets of several meet in it, all of them are named.
        **({"dct:license": {"@id": _licence(licences[0])}} if len(licences) == 1 else {}),
        **({"dct:rights": [{"@id": _licence(found)} for found in licences]} if len(licences) > 1 else {}),
        **({"dct:description": _said(rough)} if rough else {}),
    }


def _provenance(name: str, edition: Edition) -> Shape:
    source = [*_said(edition.source)]
    return {
        "@id": _id("provenance", name, str(edition.number)),
        "@type": "dct:ProvenanceStatement",
        "rdfs:label": source,
        "dct:issued": _moment(edition.loaded_at),
        **({"dct:source": {"@id": edition.source_url}} if _is_web(edition.source_url) else {}),
    }


def _services(datasets: Iterable[str]) -> Iterator[Shape]:
    """The programs' doors of this site, and which datasets each gives."""
    offered = [
        (
            "api",
            "/api/",
            "/api/openapi.json",
            N_("Answers for places, layers and searches as JSON and GeoJSON"),
        ),
        ("hsds", "/hsds/", "/hsds/", N_("Organisations and their services as HSDS (Open Referral)")),
        ("lost", "/lost", "", N_("Whom a service leads to from a place, by LoST (RFC 5222)")),
        ("ogc", "/ogc/", "/ogc/api", N_("Layers as OGC API – Features")),
    ]
    given = {name: {one.service for one in distributions(name)} for name in datasets}
    for key, path, described, title in offered:
        serves = [{"@id": _id("dataset", name)} for name, by in given.items() if key in by]
        yield {
            "@id": _id("service", key),
            "@type": "dcat:DataService",
            "dct:title": {"@language": i18n.language(), "@value": gettext(title)},
            "dct:publisher": {"@id": _id("publisher")},
            "dcat:endpointURL": {"@id": links.whole(path)},
            **({"dcat:endpointDescription": {"@id": links.whole(described)}} if described else {}),
            **({"dcat:servesDataset": serves} if serves else {}),
        }


def _contact() -> Shape:
    return {"dcat:contactPoint": {"@id": _id("contact")}} if current_app.config["CORRECTIONS"] else {}


def _contact_itself() -> Iterator[Shape]:
    """Where this installation wants to be written to; no person, and nothing where it names nobody."""
    if where := current_app.config["CORRECTIONS"]:
        by = "vcard:hasEmail" if where.startswith("mailto:") else "vcard:hasURL"
        yield {
            "@id": _id("contact"),
            "@type": "vcard:Kind",
            "vcard:fn": i18n.plain(db.instance().names),
            by: {"@id": where},
        }


def _licences(names: set[str]) -> Iterator[Shape]:
    for name in sorted(filter(None, names)):
        yield {
            "@id": _licence(name),
            "@type": ["dct:LicenseDocument", "dct:RightsStatement"],
            "dct:identifier": name,
            "rdfs:label": name,
        }


def _licence(name: str) -> str:
    """SPDX has an address for every licence that has a name in it; others get one of ours."""
    known = _LICENCE.fullmatch(name) and any(letter.isdigit() for letter in name)
    return f"https://spdx.org/licenses/{name}" if known else _id("licence", name)


def _id(*parts: str) -> str:
    """The address of a thing of the catalogue: within the catalogue's own."""
    fragment = "-".join(re.sub(r"[^A-Za-z0-9]+", "-", part) for part in parts)
    return links.whole(f"/catalog.ttl#{fragment}" if parts else "/catalog.ttl")


def _said(words: Mapping[str, str]) -> list[Shape]:
    """Words in every language that they are known in; a lone text without a language stays without one."""
    return [
        {"@language": language, "@value": text} if language else {"@value": text}
        for language, text in words.items()
        if text
    ]


def _joined(words: Mapping[str, str], more: Mapping[str, str]) -> Mapping[str, str]:
    """Two texts as one, in every language that either is known in."""
    return {code: " ".join(filter(None, (words.get(code), more.get(code)))) for code in {**words, **more}}


def _languages(codes: Iterable[str]) -> list[Shape]:
    return [{"@id": f"{_AUTHORITY}language/{_LANGUAGES[code]}"} for code in codes if code in _LANGUAGES]


def _moment(text: str) -> Shape | list[Shape]:
    return {"@type": "xsd:dateTime", "@value": text} if text else []


def _partial(text: str) -> Shape:
    """A date no more exact than it is."""
    dates.partial(text)
    return {"@type": ("xsd:gYear", "xsd:gYearMonth", "xsd:date")[text.count("-")], "@value": text}


def _is_web(address: str) -> bool:
    return re.fullmatch(r"https?://[^\s<>\"{}|\\^`]+", address) is not None
