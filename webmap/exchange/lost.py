"""Whom a service leads to from a place: LoST (RFC 5222) at /lost, and the same as JSON at /api/find-service.

LoST carries its own errors in an answer of 200, as its section 14 asks; only what is no LoST at all gets a
problem. Requests are read by the house's own reader of XML: without entities, document types or depth.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.exceptions import MethodNotAllowed, RequestEntityTooLarge

from layers import services
from layers.errors import N_, Invalid, LayersError
from layers.geo import Place
from layers.readers import xml
from layers.readers.plain import Limits, Unreadable
from layers.services import Service
from webmap import db, hits, i18n, packed, params, signin
from webmap.exchange import finding, links, lost_xml
from webmap.exchange.finding import BY_REFERENCE, BY_VALUE, Mappings

bp = Blueprint("lost", __name__)
bp.before_request(i18n.take_language)
bp.after_request(packed.for_anybody)

TYPE = lost_xml.TYPE
_MOST_BYTES = 20_000
_LIMITS = Limits(depth=20)
_BOUNDARIES = (BY_REFERENCE, BY_VALUE)
_NOT_ROUTING = N_(
    "This map routes no calls: for an emergency it tells the number alone, and for the rest who looks after "
    "safety there and their page."
)
_ABOVE = N_("The service that was asked for is not told apart here; this is the one above it.")
_DEFAULT = N_("Nobody is known to be responsible there; these are the nearest.")


class Failed(Invalid):
    """`error` is what RFC 5222 calls it, `more` its attributes."""

    error = "badRequest"

    def __init__(self, text: str, *, more: Mapping[str, str] | None = None, **values: object) -> None:
        self.text, self.more = text, more or {}
        super().__init__(**values)


class NotLost(Failed): ...


class NoProfile(Failed):
    error = "locationProfileUnrecognized"


class BadLocation(Failed):
    error = "locationInvalid"


class BadSystem(Failed):
    error = "SRSInvalid"


class NotOffered(Failed):
    error = "serviceNotImplemented"


class Nothing(Failed):
    error = "notFound"


_NO_SERVICE = N_("There is no service “{service}” here.")
_NOTHING = N_("Nothing is known of this there.")


# --- JSON


@bp.get("/api/find-service")
def find_service() -> ResponseReturnValue:
    """Whom `service` (a role's key, or a URN) leads to from a place."""
    args = params.arguments()
    if not args.get("service", "").strip():
        raise params.Missing(name="service")
    wanted = finding.service(params.words(args, "service"))
    by = params.one_of(args, "boundary", _BOUNDARIES) or BY_REFERENCE
    place = params.place(args)
    found = finding.mappings(wanted, place)
    said = {
        "service": {"urn": wanted.urn, "label": finding.label(wanted)},
        "place": {"lat": place.lat, "lon": place.lon},
        "as_of": params.as_of(args).isoformat(),
        "language": i18n.language(),
        "default": found.is_default and bool(found.found),
        "expires": found.expires,
        "mappings": [_mapping(one, by) for one in found.found],
        "notes": [gettext(_NOT_ROUTING), *([gettext(_DEFAULT)] if found.is_default and found.found else [])],
    }
    response = Response(json.dumps(said, ensure_ascii=False), mimetype="application/json")
    return packed.conditional(response, links.kept())


def _mapping(one: finding.Found, by: str) -> dict[str, Any]:
    source = one.source
    return {
        "id": one.id,
        "kind": one.kind,
        "key": one.key,
        "name": finding.told(one),
        "url": one.url,
        "number": one.number,
        "why": one.why,
        "area": finding.area(one.area),
        "boundary": _boundary(one, by),
        "updated": one.updated,
        "source": {"title": source.title, "url": source.url, "as_of": source.as_of} if source else None,
    }


def _boundary(one: finding.Found, by: str) -> Any:
    if not one.area:
        return None
    if by == BY_REFERENCE:
        return finding.reference(one.area, one.edition)
    return json.loads(finding.outline(one.area))


# --- LoST


@bp.after_request
def _for_pages(response: Response) -> Response:
    """A page of another site may send XML only after it was told that it may."""
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
        response.headers["Access-Control-Allow-Headers"] = "Content-Type"
    return response


@bp.route("/lost", methods=["GET", "POST"])
@signin.public_question
def lost() -> ResponseReturnValue:
    """findService, listServices, listServicesByLocation and getServiceBoundary."""
    if request.method != "POST":
        # Without this rule "lost" would be taken for a language, and lead to its start page.
        raise MethodNotAllowed(valid_methods=["POST"])
    try:
        asked = _read()
        said = _ANSWERS.get(lost_xml.local(asked), _unknown)(asked)
    except Failed as error:
        said = lost_xml.failed(error.error, _sentence(error), error.more)
    response = Response(lost_xml.written(said), content_type=f"{TYPE}; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    return response


def _sentence(error: LayersError) -> str:
    """What went wrong, with no more of what was sent than is needed to recognise it."""
    values = {name: value[:60] if isinstance(value, str) else value for name, value in error.values.items()}
    return str(gettext(error.text)).format(**values)


def _read() -> Element:
    """The root of what was sent."""
    request.max_content_length = _MOST_BYTES
    try:
        sent = request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        text = N_("This is longer than any question needs to be: {most} bytes are the most.")
        raise NotLost(text, most=_MOST_BYTES) from error
    if request.mimetype not in (TYPE, "application/xml", "text/xml"):
        raise NotLost(N_("Questions are sent as application/lost+xml."))
    root: Element | None = None
    try:
        for event, element, _ in xml.elements(io.BytesIO(sent), file="request", limits=_LIMITS):
            root = element if root is None and event == "start" else root
    except Unreadable as error:
        raise NotLost(N_("This is no proper XML, or it declares entities or a document type.")) from error
    if root is None or lost_xml.space(root) != lost_xml.LOST:
        raise NotLost(N_("This is no question of LoST (RFC 5222): its namespace is another one."))
    return root


def _unknown(asked: Element) -> Element:
    text = N_("“{name}” is no question of LoST (RFC 5222) that is answered here.")
    raise NotLost(text, name=lost_xml.local(asked)[:60])


def _find_service(asked: Element) -> Element:
    located = _located(asked)
    wanted, substituted = _service(asked)
    found = finding.mappings(wanted, located.place)
    if not found.found:
        raise Nothing(_NOTHING)
    warnings = {"serviceSubstitution": gettext(_ABOVE)} if substituted else {}
    warnings |= {"defaultMappingReturned": gettext(_DEFAULT)} if found.is_default else {}
    by = asked.get("serviceBoundary", BY_REFERENCE)
    if by not in _BOUNDARIES:
        raise NotLost(N_("“serviceBoundary” is neither value nor reference."))
    said = lost_xml.root("findServiceResponse")
    for one in found.found:
        _add_mapping(said, one, found, by)
    if asked.get("validateLocation", "") in ("true", "1") and located.parts:
        lost_xml.add_validation(said, located.valid, located.parts)
    if warnings:
        lost_xml.add_warnings(said, warnings)
    return lost_xml.ended(said, located.id)


def _add_mapping(said: Element, one: finding.Found, found: Mappings, by: str) -> None:
    mapping = lost_xml.add(
        said,
        "mapping",
        expires=found.expires or "NO-CACHE",
        lastUpdated=one.updated,
        source=links.host(),
        sourceId=one.id,
    )
    default = db.instance().default_language
    # A name of its own stands first, and where its language has another one, that one is told.
    named = {code or default: name for code, name in one.names.items()}
    for language, name in sorted(named.items()):
        lost_xml.add_name(mapping, name, language)
    lost_xml.add(mapping, "service", found.service.urn)
    if one.area and by == BY_VALUE:
        lost_xml.add_boundary(mapping, finding.outline(one.area))
    elif one.area:
        key = finding.reference(one.area, one.edition)
        lost_xml.add(mapping, "serviceBoundaryReference", source=links.host(), key=key)
    if one.url:
        lost_xml.add(mapping, "uri", one.url)
    if one.number:
        lost_xml.add(mapping, "serviceNumber", one.number)


def _list_services(asked: Element) -> Element:
    return _listed("listServicesResponse", _below(asked), "")


def _list_by_location(asked: Element) -> Element:
    located = _located(asked)
    below, there = _below(asked), finding.offered_at(located.place)
    found = [one for one in below if one in there]
    return _listed("listServicesByLocationResponse", found, located.id)


def _listed(name: str, found: list[Service], location: str) -> Element:
    said = lost_xml.root(name)
    lost_xml.add(said, "serviceList", " ".join(one.urn for one in found))
    return lost_xml.ended(said, location)


def _below(asked: Element) -> list[Service]:
    """The services right below the one that is named; those that have none above where none is named."""
    every = services.offered(db.instance())
    name = (lost_xml.text(asked, "service") or "").lower()
    if not name:
        return [one for one in every if one.role or one.urn.count(".") == 0]
    if all(name != one.urn.lower() for one in every):
        raise NotOffered(_NO_SERVICE, service=name[:200])
    return [one for one in every if one.urn.lower().rpartition(".")[0] == name]


def _get_boundary(asked: Element) -> Element:
    outline = finding.referred(asked.get("key", ""))
    if not outline:
        raise Nothing(_NOTHING)
    said = lost_xml.root("getServiceBoundaryResponse")
    lost_xml.add_boundary(said, outline)
    return lost_xml.ended(said, "")


_ANSWERS = {
    "findService": _find_service,
    "listServices": _list_services,
    "listServicesByLocation": _list_by_location,
    "getServiceBoundary": _get_boundary,
}


def _service(asked: Element) -> tuple[Service, bool]:
    """The service asked for, or the one above it; and whether that is another one."""
    name = lost_xml.text(asked, "service") or ""
    if not name:
        raise NotLost(N_("This question names no service."))
    found = services.named(db.instance(), name)
    if found and found.urn.lower() == name.lower():
        return found, False
    above = services.instead(db.instance(), name)
    if above is None:
        raise NotOffered(_NO_SERVICE, service=name[:200])
    return above, True


@dataclass(frozen=True)
class Located:
    """A place as the location `id` names it; a civic one has `parts`, of which `valid` were found."""

    id: str
    place: Place
    parts: tuple[str, ...] = ()
    valid: tuple[str, ...] = ()


def _located(asked: Element) -> Located:
    """The first location in a profile that is known here."""
    there = [one for one in asked if lost_xml.local(one) == "location"]
    if not there:
        raise NotLost(N_("This question names no location."))
    for one in there:
        profile, id = one.get("profile", ""), one.get("id", "")
        if profile == "geodetic-2d":
            return Located(id, _point(one))
        if profile == "civic":
            return _civic(one, id)
    unsupported = " ".join(one.get("profile", "")[:40] for one in there)
    raise NoProfile(
        N_("A place is named by geodetic-2d or civic here."), more={"unsupportedProfiles": unsupported}
    )


def _point(location: Element) -> Place:
    found = location.find(f"{{{lost_xml.GML}}}Point")
    position = None if found is None else found.find(f"{{{lost_xml.GML}}}pos")
    if found is None or position is None:
        raise BadLocation(N_("A place in geodetic-2d is a Point with a pos here."))
    system = found.get("srsName", lost_xml.SYSTEM)
    if system.lower() not in (lost_xml.SYSTEM.lower(), "epsg:4326"):
        text = N_("Points are in EPSG:4326 here, latitude first; “{system}” is another system.")
        raise BadSystem(text, system=system[:60])
    parts = (position.text or "").split()
    if len(parts) != 2:
        raise BadLocation(N_("A pos is a latitude and a longitude, with a blank between them."))
    try:
        return params.place({"lat": parts[0], "lon": parts[1]})
    except LayersError as error:
        raise BadLocation(_sentence(error).replace("{", "{{").replace("}", "}}")) from error


_CIVIC = ("A3", "A2")


def _civic(location: Element, id: str) -> Located:
    """A settlement by its name (A3) and, where several bear it, its municipality (A2)."""
    civic = next((one for one in location if lost_xml.local(one) == "civicAddress"), None)
    parts = {
        lost_xml.local(one): " ".join((one.text or "").split()) for one in (() if civic is None else civic)
    }
    if not parts.get("A3"):
        raise BadLocation(
            N_("A place in civic is a settlement here: name it in A3, and its municipality in A2.")
        )
    used = tuple(name for name in _CIVIC if parts.get(name))
    as_of = params.as_of(params.arguments())
    name = ", ".join(parts[part] for part in used)[:100]
    found = [one.place for one in hits.settlements(name, as_of=as_of) if one.place]
    if not found:
        raise Nothing(_NOTHING)
    if len(found) > 1:
        raise BadLocation(N_("Several places are so called: name the municipality too, in A2."))
    return Located(id, found[0], tuple(parts), used)
