"""What LoST and /api/find-service say alike: whom a service leads to from a place, and for which area."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from layers import places, provenance, services
from layers.answers import Answer
from layers.errors import N_, Invalid
from layers.geo import Place
from layers.places import Area, Body, Source
from layers.services import EMERGENCY, Lead, Leads, Service
from webmap import context, db, i18n, names, params, replies
from webmap.exchange import links

BY_VALUE, BY_REFERENCE = "value", "reference"
_NEVER = "1970-01-01T00:00:00Z"


class NoService(Invalid):
    text = N_("There is no service “{service}” here. There are: {offered}.")


@dataclass(frozen=True)
class Found:
    """One mapping. `names` are by language; `area` is the key of the area for which it holds, "" for none.

    `edition` numbers the state of that area, and `number` is the emergency number where it is what is told.
    """

    id: str
    kind: str
    key: str
    names: Mapping[str, str]
    url: str
    why: str
    area: str
    edition: int
    number: str
    updated: str
    source: Source | None


@dataclass(frozen=True)
class Mappings:
    """The service that was found, which is not always the one asked for, and where it leads.

    `is_default`: nobody is responsible there. `expires` is a moment, "" where nothing may be kept.
    """

    service: Service
    found: tuple[Found, ...]
    is_default: bool
    expires: str


def service(name: str) -> Service:
    """
    Raises:
        NoService: there is none of this name; the ones that there are come with it.
    """
    found = services.named(db.instance(), name)
    if found is None:
        offered = ", ".join(one.urn for one in services.offered(db.instance()))
        raise NoService(service=name, offered=offered)
    return found


def mappings(wanted: Service, place: Place) -> Mappings:
    """Whom a service leads to from a place, on the day of this request."""
    as_of = params.as_of(params.arguments())
    leads = _leads(_answer(place), wanted)
    found = tuple(_found(lead, wanted, as_of) for lead in leads.found)
    return Mappings(wanted, found, leads.is_default, "" if context.when() else _midnight())


def offered_at(place: Place) -> tuple[Service, ...]:
    """The services that lead to somebody from a place."""
    answer = _answer(place)
    return tuple(one for one in services.offered(db.instance()) if _leads(answer, one).found)


def _answer(place: Place) -> Answer:
    args = params.arguments()
    return replies.answered(place, as_of=params.as_of(args), today=params.knowledge_day(args))


def _leads(answer: Answer, wanted: Service) -> Leads:
    today = params.knowledge_day(params.arguments())
    return services.leads(answer, wanted, rules=db.instance().freshness, today=today)


def _midnight() -> str:
    """Until then no fact grows too old to be told."""
    return f"{date.fromordinal(params.today().toordinal() + 1)}T00:00:00Z"


def _found(lead: Lead, wanted: Service, as_of: date) -> Found:
    session, who, rest = db.session(), lead.who, _of_area(lead, as_of)
    if isinstance(who, Body):
        own = provenance.of_bodies(session, keys=[who.key], as_of=as_of).get(who.key)
        kind, key, named, source = "body", who.key, {"": who.name, **who.names}, who.source
        url, updated = links.page("body", key=who.key), own.loaded_at if own else ""
    elif isinstance(who, Area):
        own = provenance.of_areas(session, [who.key], as_of=as_of).get(who.key)
        kind, key, named, source = "area", who.key, dict(who.names), who.source
        url, updated = links.page("area", kind=who.kind, code=who.code), own.loaded_at if own else ""
    else:
        number = db.instance().emergency
        id = links.identifier("mapping", wanted.urn, number, lead.area)
        updated = places.known_at(session) or _NEVER
        return Found(id, EMERGENCY, number, {"": number}, "", lead.why, *rest, number, updated, None)
    id = links.identifier("mapping", wanted.urn, kind, key, lead.area)
    return Found(id, kind, key, named, url, lead.why, *rest, "", updated or _NEVER, source)


def _of_area(lead: Lead, as_of: date) -> tuple[str, int]:
    """The area for which it holds, and the number of the edition that drew it; "" and 0 for none."""
    keys = [lead.area] if lead.area else []
    found = provenance.of_areas(db.session(), keys, as_of=as_of).get(lead.area)
    return (lead.area, found.number) if found else ("", 0)


def outline(area: str) -> str:
    """An area as it is drawn nearest, as a GeoJSON geometry; "" where it is not there on the day."""
    as_of = params.as_of(params.arguments())
    found = places.outlines(db.session(), area.partition(":")[0], as_of=as_of, step="near", keys=[area])
    return found[0][1] if found else ""


def reference(area: str, edition: int) -> str:
    """The key of an area's boundary, another one whenever the area is drawn otherwise."""
    return f"{area}/{edition}"


def referred(key: str) -> str:
    """The outline of a reference; "" where there is none, or the area is drawn otherwise by now."""
    area, _, number = key.strip().rpartition("/")
    try:
        if not params.area({"key": area}, "key"):
            return ""
    except params.NoArea:
        return ""
    as_of = params.as_of(params.arguments())
    found = provenance.of_areas(db.session(), [area], as_of=as_of).get(area)
    return outline(area) if found and str(found.number) == number else ""


def label(wanted: Service) -> str:
    """The service in this request's language; an emergency service has no words of its own here."""
    return i18n.plain(wanted.role.label) if wanted.role else wanted.urn


def told(found: Found) -> str:
    return found.names.get(i18n.language()) or found.names.get("") or i18n.plain(found.names)


def area(key: str) -> dict[str, Any] | None:
    """An area by name and address; None for none."""
    if not key:
        return None
    kind, _, code = key.partition(":")
    return {"key": key, "name": names.area(key), "url": links.page("area", kind=kind, code=code)}
