"""The answer for a place in words: one shape for the page, the panel, JSON and plain text."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, cast

from flask import url_for
from flask_babel import gettext

from layers import answers, dates, practices, snapshot
from layers.answers import Answer, CaseMatch, Match, RoleAnswer, Way
from layers.catalog import Role, Worry
from layers.errors import N_, Invalid, NotFound
from layers.geo import Place
from layers.places import Area, Body, Source
from layers.snapshot import Snapshot
from webmap import big, context, db, hits, i18n, names, params
from webmap.db import House, Revisions
from webmap.hits import Found

Shape = dict[str, Any]
_REASONS = {
    answers.INSIDE: N_("Responsible for {area}, in which the place lies."),
    answers.SERVES: N_("Responsible for {area}."),
    answers.INHERITED: N_("Responsible for the whole of {area}."),
    answers.NEAREST: N_("Among the nearest by straight line."),
}
_NOBODY = N_("No public source names anybody who is responsible for this here.")
_CASE_SHARES = N_("A case of {area}.")
_CASE_NEAR = N_("The nearest case.")
_NOTES = (
    N_("Distances are straight lines to the point of the settlement, not to a house."),
    N_("Borders are approximate: near one, look at the neighbour too."),
    N_(
        "A place without a partner is not proof that nobody is there:"
        " only what a public source tells is shown."
    ),
    N_("In an emergency call 112."),
)


def known() -> Snapshot:
    """What the store knows, in memory, as this request may see it."""
    return _taken(db.house(), db.revisions())


@lru_cache(maxsize=3)
def _taken(house: House, _revisions: Revisions) -> Snapshot:
    # Hundreds of thousands of areas would fill the memory of every process: they are drawn, not answered.
    kinds = {layer.kind for layer in house.instance.layers_of("areas") if layer.key not in big.huge()}
    return snapshot.take(db.session(), kinds | {"neighbour"})


def reply(place: Place, *, as_of: date, today: date, name: str = "", worry: Worry | None = None) -> Shape:
    """The answer in this request's language. `today` is the day against which ages are told."""
    found = answers.answer(known(), db.instance(), place=place, as_of=as_of)
    roles = [_role(one, today) for one in found.roles]
    if worry:
        roles = [role for key in worry.roles for role in roles if role["key"] == key]
    return {
        "place": {"lat": place.lat, "lon": place.lon, "name": name},
        "as_of": as_of.isoformat(),
        "language": i18n.language(),
        "worry": _worry(worry) if worry else None,
        "setting": "land" if found.areas else "abroad" if found.abroad else "sea",
        "where": _where(found),
        "shore": {**_named(found.shore[0].key), **_going(found.shore[1])} if found.shore else None,
        "areas": [_area(area) for area in found.areas],
        "roles": roles,
        "cases": [_case(case) for case in found.cases],
        "notes": [str(gettext(note)) for note in _NOTES],
    }


def _where(found: Answer) -> str:
    """In which areas the place lies, the smallest first; or how far it is from the nearest."""
    if found.areas:
        return ", ".join(names.area(area.key) for area in reversed(found.areas))
    if found.abroad:
        return str(gettext(N_("This place is abroad, in {country}."))).format(
            country=i18n.plain(found.abroad.names)
        )
    if found.shore:
        area, way = found.shore
        return str(gettext(N_("This place is at sea. The nearest land is {area}, {way}."))).format(
            area=names.area(area.key), way=_way(way)
        )
    return str(gettext(N_("This place is at sea, far from land.")))


def _worry(worry: Worry) -> Shape:
    return {
        "key": worry.key,
        "label": i18n.plain(worry.label),
        "guides": [guide for key in worry.guides if (guide := _guide(key))],
    }


def _role(found: RoleAnswer, today: date) -> Shape:
    role = found.role
    return {
        "key": role.key,
        "label": i18n.plain(role.label),
        "advice": i18n.plain(role.advice),
        "played": found.is_played,
        "areas": [_area(area) for area in found.areas],
        "matches": [_match(match, today) for match in found.matches],
        "if_none": None if found.is_played else _if_none(role),
    }


def _if_none(role: Role) -> Shape:
    above = [body for body in known().bodies if body.key in role.above]
    return {
        "sentence": str(gettext(_NOBODY)),
        "guide": _guide(role.guide),
        "above": [{"name": names.body(body), "url": _url("body", key=body.key)} for body in above],
    }


def _guide(key: str) -> Shape | None:
    title = _guides(db.house(), db.revisions()).get(key)
    return {"key": key, "title": i18n.plain(title), "url": _url("practice", key=key)} if title else None


@lru_cache(maxsize=3)
def _guides(_house: House, _revisions: Revisions) -> dict[str, Mapping[str, str]]:
    return {found.key: found.titles for found in practices.practices(db.session(), as_of=date.max)}


def _match(match: Match, today: date) -> Shape:
    body = match.body
    return {
        "key": body.key,
        "name": names.body(body),
        "url": _url("body", key=body.key),
        "form": i18n.label("forms", body.form),
        "capabilities": [i18n.label("capabilities", code) for code in body.capabilities],
        "readiness": i18n.label("readiness", body.readiness) if body.readiness else "",
        "why": match.why,
        "reason": str(gettext(_REASONS[match.why])).format(area=names.area(match.area)),
        "area": match.area,
        **_going(match.way),
        "across": [_named(key) for key in match.across],
        "place": _place(body),
        "source": _source(body.source, today),
    }


def _place(body: Body) -> Shape | None:
    """Where the organisation's point is, and how exact that is."""
    if body.place is None:
        return None
    precision = i18n.label("precision", body.precision)
    return {"lat": body.place.lat, "lon": body.place.lon, "name": body.locality, "precision": precision}


def _source(source: Source, today: date) -> Shape:
    return {
        "title": source.title,
        "url": source.url,
        "as_of": source.as_of,
        "inferred": source.inferred,
        "freshness": dates.freshness(source.as_of, today=today),
    }


def _case(found: CaseMatch) -> Shape:
    case = found.case
    reason = gettext(_CASE_SHARES).format(area=names.area(found.area)) if found.area else gettext(_CASE_NEAR)
    return {
        "key": case.key,
        "title": i18n.plain(case.titles),
        "url": _url("case", key=case.key),
        "outcome": case.outcome,
        "reason": str(reason),
        "area": found.area,
        **_going(found.way),
        "practices": [guide for link in case.practices if (guide := _guide(link.practice))],
    }


def _going(way: Way | None) -> Shape:
    return {
        "distance_m": way.distance_m if way else None,
        "bearing": way.bearing if way else None,
        "way": _way(way) if way else "",
    }


def _way(way: Way) -> str:
    """A way as one would say it: 12 km to the north."""
    said = context.distance(way.distance_m)
    return (
        f"{said} {context.direction(way.bearing)}"
        if way.bearing is not None and way.distance_m >= 100
        else said
    )


def _area(area: Area) -> Shape:
    return {
        **_named(area.key),
        "kind": area.kind,
        "kind_label": i18n.label("area_kinds", area.kind),
        "accuracy": area.accuracy,
    }


def _named(key: str) -> Shape:
    kind, _, code = key.partition(":")
    return {"key": key, "name": names.area(key), "url": _url("area", kind=kind, code=code)}


def _url(endpoint: str, **values: Any) -> str:
    return context.page(endpoint, **values)


class NameNotFound(NotFound):
    text = N_("No settlement is called “{name}”. Try the search, or coordinates.")


class ManyHaveThisName(Invalid):
    """`choices` are the places, to be asked back."""

    text = N_("{count} places are called “{name}”. Choose one, or add its municipality after a comma.")

    def __init__(self, name: str, found: Sequence[Found]) -> None:
        super().__init__(name=name, count=len(found))
        self.choices = [_choice(one) for one in found if one.place]


def _choice(found: Found) -> Shape:
    lat, lon = (found.place.lat, found.place.lon) if found.place else (None, None)
    return {
        "name": found.name,
        "municipality": found.municipality,
        "county": found.county,
        "lat": lat,
        "lon": lon,
        "url": url_for("api.answer", lang=i18n.language(), lat=lat, lon=lon),
    }


def asked(args: Mapping[str, str]) -> Shape:
    """The answer that a query string asks for, by `lat` and `lon` or by `place`.

    Raises:
        NameNotFound: no settlement has this name.
        ManyHaveThisName: several have it.
    """
    worries = {worry.key: worry for worry in db.instance().worries}
    worry = worries.get(params.one_of(args, "worry", worries))
    as_of, name = params.as_of(args), params.words(args, "place")
    place = _named_place(name, as_of) if name else params.place(args)
    return reply(place, as_of=as_of, today=params.knowledge_day(args), name=name, worry=worry)


def _named_place(name: str, as_of: date) -> Place:
    found = [one for one in hits.settlements(name, as_of=as_of) if one.place]
    if not found:
        raise NameNotFound(name=name)
    if len(found) > 1:
        raise ManyHaveThisName(name, found)
    return cast(Place, found[0].place)
