"""HSDS 3 (Open Referral): organisations, what they can do as services, where, and for which areas.

What this map does not know is left out rather than made up: it holds no addresses, no opening hours, and
no contacts of persons. A service is a capability of an organisation, or the roles that it plays where no
capability is named. What may not be told as current is not `active`. Identifiers are UUIDs of version 5
(`links.identifier`): the same thing has the same one in every edition and on every host.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from math import ceil
from typing import Any, TypeVar

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from layers import answers, dates, freshness, letters, places, provenance
from layers.errors import N_, Invalid, NotFound
from layers.places import Body, Edition
from webmap import ages, db, i18n, names, packed, params
from webmap.db import House, Revisions
from webmap.exchange import links

bp = Blueprint("hsds", __name__, url_prefix="/hsds")
bp.before_request(i18n.take_language)
bp.after_request(packed.for_anybody)

VERSION = "3.2"
_PROFILE = "https://docs.openreferral.org/en/3.2/"
_PAGE, _MOST = 50, 500
_MOST_FULL = 50
_MOST_PAGES = 1_000_000
_YES = ("true", "false")
_FORMATS = ("json", "ndjson")
_TAXONOMIES = ("capabilities", "forms", "roles")
Shape = dict[str, Any]
_One = TypeVar("_One")


class NoSuch(NotFound):
    text = N_("Nothing here has the identifier “{id}”.")


class TooManyWhole(Invalid):
    text = N_("Ask for at most {most} of these at once when they are to be whole.")


@dataclass(frozen=True)
class Service:
    """What an organisation does: a `code` of a taxonomy (capabilities, or roles)."""

    id: str
    body: Body
    taxonomy: str
    code: str


@dataclass(frozen=True)
class Known:
    """What holds on a day, by identifier, in the order of the keys: pages are the same in every language."""

    bodies: Mapping[str, Body]
    services: Mapping[str, Service]
    of_body: Mapping[str, tuple[Service, ...]]
    editions: Mapping[str, Edition]


def _known() -> Known:
    return _read(db.house(), db.revisions(), params.as_of(_asked()))


@lru_cache(maxsize=4)
def _read(house: House, _revisions: Revisions, as_of: date) -> Known:
    found = sorted(places.bodies(db.session(), as_of=as_of), key=lambda body: body.key)
    of_body = {body.key: tuple(_services(house, body)) for body in found}
    return Known(
        {_id_of(body): body for body in found},
        {one.id: one for every in of_body.values() for one in every},
        of_body,
        provenance.of_bodies(db.session(), as_of=as_of),
    )


def _services(house: House, body: Body) -> Iterator[Service]:
    roles = [role.key for role in house.instance.roles if role.layer == body.layer and not role.capabilities]
    taxonomy, codes = ("capabilities", body.capabilities) if body.capabilities else ("roles", tuple(roles))
    for code in codes:
        yield Service(links.identifier("service", body.key, taxonomy, code), body, taxonomy, code)


def _id_of(body: Body) -> str:
    return links.identifier("organization", body.key)


# --- Addresses


@bp.get("/")
def about() -> ResponseReturnValue:
    """What this is: the version and profile of the standard, and who publishes it."""
    _asked()
    instance = db.instance()
    said = {
        "version": VERSION,
        "profile": _PROFILE,
        "openapi_url": links.whole("/api/openapi.json"),
        "description": i18n.plain(instance.welcome),
        "publisher": {"name": i18n.plain(instance.names), "website": links.page("home")},
    }
    return _answer(said)


@bp.get("/organizations")
def organizations() -> ResponseReturnValue:
    args, known = _asked(), _known()
    found: Iterable[Body] = known.bodies.values()
    if text := _searched(args):
        found = [body for body in found if text in _words_of(body)]
    if wanted := _terms(args):
        found = [body for body in found if wanted & {*_terms_of_body(known, body)}]
    whole, services = _is(args, "full"), _is(args, "full_service")
    return _listed([*found], lambda body: _organization(known, body, whole=whole, full=services), whole)


@bp.get("/organizations/<id>")
def organization(id: str) -> ResponseReturnValue:
    known, full = _known(), _is(_asked(), "full_service")
    return _answer(_organization(known, _one(known.bodies, id), whole=True, full=full))


@bp.get("/services")
def services() -> ResponseReturnValue:
    known, whole = _known(), _is(_asked(), "full")
    found = _chosen(known)
    if _is(_asked(), "minimal"):
        # The standard asks for all of them on one page; they are two short texts each.
        said = [{"id": one.id, "last_modified": _modified(known, one.body)} for one in found]
        return _answer(_paged(said, said, 1, max(1, len(said))))
    return _listed(found, lambda one: _service(known, one, whole=whole), whole)


@bp.get("/services/<id>")
def service(id: str) -> ResponseReturnValue:
    known = _known()
    return _answer(_service(known, _one(known.services, id), whole=True))


@bp.get("/service_at_locations")
def service_at_locations() -> ResponseReturnValue:
    known, whole = _known(), _is(_asked(), "full")
    found = [one for one in _chosen(known) if _location(one.body)]
    return _listed(found, lambda one: _at_location(known, one, whole=whole), whole)


@bp.get("/service_at_locations/<id>")
def service_at_location(id: str) -> ResponseReturnValue:
    known = _known()
    there = {_at_id(one): one for one in known.services.values() if _location(one.body)}
    return _answer(_at_location(known, _one(there, id), whole=True))


@bp.get("/taxonomies")
def taxonomies() -> ResponseReturnValue:
    return _listed([*_TAXONOMIES], _taxonomy)


@bp.get("/taxonomies/<id>")
def taxonomy(id: str) -> ResponseReturnValue:
    return _answer(_taxonomy(_one({_taxonomy_id(one): one for one in _TAXONOMIES}, id)))


@bp.get("/taxonomy_terms")
def taxonomy_terms() -> ResponseReturnValue:
    args, found = _asked(), [*_every_term()]
    if wanted := args.get("taxonomy_id", "").strip():
        found = [one for one in found if _taxonomy_id(one[0]) == wanted]
    if text := _searched(args):
        found = [one for one in found if text in letters.fold(_term_name(*one))]
    return _listed(found, lambda one: _term(*one))


@bp.get("/taxonomy_terms/<id>")
def taxonomy_term(id: str) -> ResponseReturnValue:
    return _answer(_term(*_one({_term_id(*one): one for one in _every_term()}, id)))


# --- Which of them


def _chosen(known: Known) -> list[Service]:
    """The services that the request asks for."""
    args = _asked()
    found: Iterable[Service] = known.services.values()
    if organization := args.get("organization_id", "").strip():
        found = [one for one in found if _id_of(one.body) == organization]
    if text := _searched(args):
        found = [one for one in found if text in f"{_words_of(one.body)} {letters.fold(_name_of(one))}"]
    if wanted := _terms(args):
        found = [one for one in found if _term_id(one.taxonomy, one.code) in wanted]
    if after := _after(args):
        found = [one for one in found if _modified(known, one.body) >= after]
    return [*found]


def _searched(args: Mapping[str, str]) -> str:
    return letters.fold(params.words(args, "search"))


def _words_of(body: Body) -> str:
    return letters.fold(" ".join((body.name, *body.names.values(), body.locality)))


def _terms(args: Mapping[str, str]) -> set[str]:
    """The terms asked for, or all those of the taxonomy asked for; empty where none is asked for."""
    if term := args.get("taxonomy_term_id", "").strip():
        return {term}
    if taxonomy := args.get("taxonomy_id", "").strip():
        return {_term_id(*one) for one in _every_term() if _taxonomy_id(one[0]) == taxonomy} or {taxonomy}
    return set()


def _terms_of_body(known: Known, body: Body) -> Iterator[str]:
    yield _term_id("forms", body.form)
    for one in known.of_body[body.key]:
        yield _term_id(one.taxonomy, one.code)


def _after(args: Mapping[str, str]) -> str:
    """`modified_after`: a day, or a moment in UTC; "" where it is not given."""
    text = args.get("modified_after", "").strip()
    if not text:
        return ""
    try:
        found = datetime.fromisoformat(text)
        return dates.moment(found if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise params.NoMoment(name="modified_after", value=text) from error


def _asked() -> Mapping[str, str]:
    """What is asked; unlike in forms a blank is no answer.

    Raises:
        Missing: the value of a parameter.
    """
    args = params.arguments()
    for name, value in args.items():
        if not value.strip():
            raise params.Missing(name=name)
    return args


def _is(args: Mapping[str, str], name: str) -> bool:
    return params.one_of(args, name, _YES) == "true"


def _one(found: Mapping[str, _One], id: str) -> _One:
    if id.lower() not in found:
        raise NoSuch(id=id)
    return found[id.lower()]


# --- Pages of them


def _listed(found: Sequence[_One], shape: Callable[[_One], Shape], whole: bool = False) -> Response:
    args = _asked()
    form = params.one_of(args, "format", _FORMATS)
    page = params.whole(args, "page")
    size = params.count(args, "per_page", otherwise=_PAGE, most=_MOST)
    if whole and size > _MOST_FULL:
        raise TooManyWhole(most=_MOST_FULL)
    page = 1 if page is None else page
    if not 1 <= page <= _MOST_PAGES:
        raise params.NoCount(name="page", value=str(page), most=_MOST_PAGES)
    shown = [shape(one) for one in found[(page - 1) * size : page * size]]
    if form == "ndjson":
        lines = "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in shown)
        return packed.conditional(Response(lines, mimetype="application/x-ndjson"), links.kept())
    return _answer(_paged(found, shown, page, size))


def _paged(found: Sequence[Any], shown: Sequence[Shape], page: int, size: int) -> Shape:
    pages = max(1, ceil(len(found) / size))
    return {
        "total_items": len(found),
        "total_pages": pages,
        "page_number": page,
        "size": len(shown),
        "first_page": page == 1,
        "last_page": page >= pages,
        "empty": not shown,
        "contents": shown,
    }


def _answer(said: Shape) -> Response:
    body = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    return packed.conditional(Response(body, mimetype="application/json"), links.kept())


# --- What they are


def _organization(known: Known, body: Body, *, whole: bool, full: bool = False) -> Shape:
    """With `whole` all that is known of it; its services then by name, or with `full` whole themselves."""
    id, own = _id_of(body), names.body(body)
    said = _without_gaps(
        {
            "id": id,
            "name": own,
            "alternate_name": body.name if own != body.name else "",
            "description": _about(body),
            "uri": links.page("body", key=body.key),
        }
    )
    if not (whole or full):
        return said
    offered = known.of_body[body.key]
    said["services"] = [_service(known, one, whole=True) if full else _brief(one) for one in offered]
    if whole:
        place = _location(body)
        said["locations"] = [place] if place else []
        said["attributes"] = [_attribute("organization", id, "forms", body.form)]
        said["metadata"] = _metadata(known, body, "organization", id)
    return said


def _about(body: Body) -> str:
    """What a source tells, else what it is and where: the standard asks for a description of everything."""
    where = [body.locality, names.municipality(body.municipality), names.county(body.county)]
    kind = ", ".join([i18n.label("forms", body.form), *dict.fromkeys(filter(None, where))])
    return i18n.plain(body.notes) or kind


def _brief(one: Service) -> Shape:
    return {"id": one.id, "name": _name_of(one), "status": _status(one.body)}


def _name_of(one: Service) -> str:
    return _term_name(one.taxonomy, one.code)


def _service(known: Known, one: Service, *, whole: bool) -> Shape:
    body, age = one.body, ages.of(one.body)
    said = _without_gaps(
        {
            "id": one.id,
            "organization_id": _id_of(body),
            "name": _name_of(one),
            "description": f"{names.body(body)}: {_name_of(one)}",
            "url": links.page("body", key=body.key),
            "status": _status(body),
            "application_process": _advice(one),
            "assured_date": dates.first_day(age.last).isoformat() if age.last else "",
            "alert": ages.not_current(age) if age.state == freshness.EXPIRED else "",
            "last_modified": _modified(known, body),
        }
    )
    said["organization"] = _organization(known, body, whole=False)
    if whole:
        said["service_areas"] = [*_service_areas(one)]
        said["service_at_locations"] = [_at(one)] if _location(body) else []
        said["attributes"] = [_attribute("service", one.id, one.taxonomy, one.code)]
        said["metadata"] = _metadata(known, body, "service", one.id)
    return said


def _advice(one: Service) -> str:
    """What to turn to the role for, in the instance's words."""
    told = (role.advice for role in db.instance().roles if answers.plays(role, one.body))
    roles = [i18n.plain(advice) for advice in told if advice]
    return " ".join(roles) if one.taxonomy == "roles" else ""


def _status(body: Body) -> str:
    if body.readiness == "closed":
        return "defunct"
    return "active" if ages.of(body).is_current else "inactive"


def _service_areas(one: Service) -> Iterator[Shape]:
    for key in one.body.serves:
        kind, _, code = key.partition(":")
        drawn = places.outlines(db.session(), kind, as_of=params.as_of(_asked()), step="near", keys=[key])
        said = {
            "id": links.identifier("service_area", one.id, key),
            "service_id": one.id,
            "name": names.area(key),
            "description": _exactness(drawn[0][0].accuracy) if drawn else "",
            "extent": drawn[0][1] if drawn else "",
            "extent_type": "geojson" if drawn else "",
            "uri": links.page("area", kind=kind, code=code),
        }
        yield _without_gaps(said)


def _exactness(accuracy: str) -> str:
    return gettext("The drawn border is approximate.") if accuracy == "approximate" else ""


def _location(body: Body) -> Shape | None:
    """Where an organisation is, no finer than we know; None where not even a name is known.

    There is no address in it: this map knows none.
    """
    where = [body.locality, names.municipality(body.municipality), names.county(body.county)]
    if not body.place and not any(where):
        return None
    told = (
        i18n.label("precision", body.precision)
        if body.place
        else gettext("no exact place is known, so it is not on the map")
    )
    return _without_gaps(
        {
            "id": links.identifier("location", body.key),
            "location_type": "physical",
            "organization_id": _id_of(body),
            "name": ", ".join(dict.fromkeys(filter(None, where))),
            "description": told,
            **({"latitude": body.place.lat, "longitude": body.place.lon} if body.place else {}),
        }
    )


def _at_id(one: Service) -> str:
    return links.identifier("service_at_location", one.id)


def _at(one: Service) -> Shape:
    place = _location(one.body)
    location_id = links.identifier("location", one.body.key)
    return {"id": _at_id(one), "service_id": one.id, "location_id": location_id, "location": place}


def _at_location(known: Known, one: Service, *, whole: bool) -> Shape:
    return {**_at(one), "service": _service(known, one, whole=whole)}


def _modified(known: Known, body: Body) -> str:
    """When we came to know what we know of it: its edition, or a later confirmation."""
    edition = known.editions.get(body.key)
    loaded = edition.loaded_at if edition else ""
    confirmed = f"{dates.first_day(body.source.confirmed)}T00:00:00Z" if body.source.confirmed else ""
    return max(loaded, confirmed)


def _metadata(known: Known, body: Body, kind: str, id: str) -> list[Shape]:
    """Source and licence: of which edition it is, never who brought it."""
    edition = known.editions.get(body.key)
    if edition is None:
        return []
    source = " ".join(filter(None, (body.source.title, body.source.url)))
    return [
        {
            "id": links.identifier("metadata", id, field),
            "resource_id": id,
            "resource_type": kind,
            "last_action_date": edition.loaded_at[:10],
            "last_action_type": "import",
            "field_name": field,
            "previous_value": "",
            "replacement_value": value,
            "updated_by": i18n.plain(edition.source),
        }
        for field, value in (("source", source), ("license", edition.licence), ("as_of", body.source.as_of))
    ]


def _without_gaps(said: Shape) -> Shape:
    return {name: value for name, value in said.items() if value != ""}


# --- Taxonomies: the codes of the instance


def _every_term() -> Iterator[tuple[str, str]]:
    instance = db.instance()
    for taxonomy in _TAXONOMIES:
        roles = (role.key for role in instance.roles)
        for code in roles if taxonomy == "roles" else instance.codes.get(taxonomy, {}):
            yield taxonomy, code


def _taxonomy_id(taxonomy: str) -> str:
    return links.identifier("taxonomy", taxonomy)


def _taxonomy(taxonomy: str) -> Shape:
    said = {
        "capabilities": N_("What an organisation can do"),
        "forms": N_("What kind of organisation it is"),
        "roles": N_("The part that it plays for the safety of a place"),
    }[taxonomy]
    name = gettext(said)
    return {"id": _taxonomy_id(taxonomy), "name": name, "description": name, "version": VERSION}


def _term_id(taxonomy: str, code: str) -> str:
    return links.identifier("taxonomy_term", taxonomy, code)


def _term_name(taxonomy: str, code: str) -> str:
    if taxonomy == "roles":
        return next((i18n.plain(role.label) for role in db.instance().roles if role.key == code), code)
    return i18n.label(taxonomy, code)


def _term(taxonomy: str, code: str) -> Shape:
    name = _term_name(taxonomy, code)
    return {
        "id": _term_id(taxonomy, code),
        "code": code,
        "name": name,
        "description": name,
        "taxonomy": taxonomy,
        "taxonomy_id": _taxonomy_id(taxonomy),
        "language": i18n.language(),
    }


def _attribute(entity: str, id: str, taxonomy: str, code: str) -> Shape:
    return {
        "id": links.identifier("attribute", id, taxonomy, code),
        "link_id": id,
        "taxonomy_term_id": _term_id(taxonomy, code),
        "link_entity": entity,
        "taxonomy_term": _term(taxonomy, code),
    }
