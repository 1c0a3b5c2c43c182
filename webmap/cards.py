"""The safety card: one A4 page about a place, for the wall of the village hall, as a page and as PDF.

What stands on it is chosen by a rule. Of every role the responsible come first, then the nearest: one each,
and a second one for as many roles, in their order, as there is room for; then up to two cases. The first
choice that is readable from a metre is taken, else one in the next smaller type. A fact is shown whole or
not at all, and the card says how many more there are. Ages are told on the card's own day, so that the same
data and day make the same card for ever.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import lru_cache

import shapely
from flask import Blueprint, Flask, Response, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from layers import answers, geo, places
from layers.errors import N_, Invalid, NotFound
from layers.geo import Place
from layers.places import Area
from webmap import db, exactness, i18n, locator, names, paper, params, replies, sharing
from webmap.db import House, Revisions
from webmap.replies import Shape

bp = Blueprint("cards", __name__)
_ADDRESS = "/<language>/card/<any(municipality, settlement):kind>/<code>"
# The smallest size of the sheet that elderly eyes read from a metre: names of 4.5 mm.
_READABLE = 3


class NotThere(NotFound):
    text = N_("“{name}” was not there on {day}. Name a day on which it was, with as_of.")


class TooMuch(Invalid):
    text = N_("What is to be said about “{name}” does not fit on one page.")


@dataclass(frozen=True)
class Budget:
    """How many partners a card may name: `each` of a role, one more of the first `more` roles; and cases."""

    each: int
    more: int
    cases: int


def _budgets(roles: int) -> Iterator[Budget]:
    """From the richest to the poorest."""
    yield from (Budget(1, more, 2) for more in range(roles, -1, -1))
    yield from (Budget(1, 0, 1), Budget(1, 0, 0), Budget(0, 0, 0))


@dataclass(frozen=True)
class Subject:
    """The place that a card is about. `region` are the areas around it, the smallest first."""

    kind: str
    code: str
    name: str
    region: str
    municipality: str
    county: str
    place: Place


@dataclass(frozen=True)
class Line:
    """A partner or a case; `mark` is the number of its source below."""

    name: str
    detail: str
    mark: int


@dataclass(frozen=True)
class Row:
    """A role: who plays it, or that nobody is known to and how to begin."""

    title: str
    advice: str
    people: tuple[Line, ...]
    nobody: str
    begin: str


@dataclass(frozen=True)
class Card:
    """Every word of a card. `made` is its day, as numbers."""

    heading: str
    publisher: str
    language: str
    made: Mapping[str, int]
    title: str
    name: str
    region: str
    map: Mapping[str, str]
    emergency: Mapping[str, str]
    question: str
    roles: tuple[Row, ...]
    cases_title: str
    cases: tuple[Line, ...]
    live: Mapping[str, str]
    day: str
    notes: tuple[str, ...]
    sources_title: str
    sources: tuple[str, ...]


@dataclass
class _Sources:
    """Numbers the sources in the order in which they are first named."""

    listed: list[str] = field(default_factory=list)

    def number(self, title: str, as_of: str) -> int:
        said = title if not as_of or as_of in title else f"{title} ({i18n.day(as_of)})"
        if said not in self.listed:
            self.listed.append(said)
        return self.listed.index(said) + 1

    def __iter__(self) -> Iterator[str]:
        return (f"{number} {said}" for number, said in enumerate(self.listed, start=1))


@bp.get(_ADDRESS)
def card(kind: str, code: str) -> ResponseReturnValue:
    found, size = made(kind, code, as_of=params.as_of(params.arguments()))
    return render_template("pages/card.html", card=found, size=size, kind=kind, code=code)


@bp.get(f"{_ADDRESS}.pdf")
def sheet(kind: str, code: str) -> ResponseReturnValue:
    found, _ = made(kind, code, as_of=params.as_of(params.arguments()))
    response = Response(paper.pdf(asdict(found)), mimetype="application/pdf")
    name = f"turvakaart-{kind}-{code}-{i18n.language()}.pdf"
    response.headers.set("Content-Disposition", "inline", filename=name)
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


def printed(app: Flask, kind: str, code: str, *, language: str, as_of: str, address: str) -> bytes:
    """The PDF outside of any visit. `language` and `as_of` may be ""; `address` is that of the live map.

    Raises:
        NotOneOf, NoDate, NotFound, TooMuch: as the page would answer.
    """
    asked = {"lang": language, "as_of": as_of}
    with app.test_request_context("/", base_url=address, query_string=asked):
        offered = {code: code for code in db.instance().languages}
        g.language = params.one_of(params.arguments(), "lang", offered) or db.instance().default_language
        found, _ = made(kind, code, as_of=params.as_of(params.arguments()))
        return paper.pdf(asdict(found))


def made(kind: str, code: str, *, as_of: date) -> tuple[Card, int]:
    """The card of a municipality or settlement in this request's language, and the size of its sheet.

    Raises:
        NotFound: there is no such place, or it was not there on the day.
        TooMuch: not even the shortest card fits.
    """
    return _made(db.house(), db.revisions(), i18n.language(), request.url_root, kind, code, as_of)


@lru_cache(maxsize=256)
def _made(
    _house: House, _revisions: Revisions, _language: str, _root: str, kind: str, code: str, as_of: date
) -> tuple[Card, int]:
    """The arguments are all that it depends on: the QR code holds the root of the address."""
    subject = _settlement(code, as_of) if kind == "settlement" else _municipality(code, as_of)
    reply = replies.reply(subject.place, as_of=as_of, today=as_of, name=subject.name)
    drawn = locator.draw(
        replies.known(), subject.place, municipality=subject.municipality, county=subject.county, as_of=as_of
    )
    for smallest in range(_READABLE, paper.SMALLEST + 1):
        for budget in _budgets(len(reply["roles"])):
            found = _card(subject, reply, drawn, budget, as_of)
            size = paper.size(asdict(found), smallest=smallest)
            if size is not None:
                return found, size
    raise TooMuch(name=subject.name)


# --- The place


def _settlement(code: str, as_of: date) -> Subject:
    found = places.settlement(db.session(), code)
    around = [names.municipality(found.municipality), names.county(found.county)]
    return Subject(
        kind="settlement",
        code=code,
        name=found.name,
        region=", ".join(dict.fromkeys(name for name in around if name and name != found.name)),
        municipality=found.municipality,
        county=found.county,
        place=found.place,
    )


def _municipality(code: str, as_of: date) -> Subject:
    area = places.area(db.session(), "municipality", code, as_of=as_of)
    day = as_of.isoformat()
    if area.valid_from > day or (area.valid_to and area.valid_to <= day):
        raise NotThere(name=i18n.plain(area.names), day=i18n.day(day))
    kind, _, county = area.parent.partition(":")
    return Subject(
        kind="municipality",
        code=code,
        name=i18n.plain(area.names),
        region=names.county(county) if kind == "county" else "",
        municipality=code,
        county=county if kind == "county" else "",
        place=_point(area, as_of),
    )


def _point(area: Area, as_of: date) -> Place:
    """The area's own point where it lies inside the drawn border, else a point that does."""
    known = replies.known()
    shape = known.shapes_of([area.key], as_of=as_of)[0]
    if area.facts.get("lat") and area.facts.get("lon"):
        own = Place(lon=float(area.facts["lon"]), lat=float(area.facts["lat"]))
        if shapely.intersects(shape, geo.metric_point(own, srid=known.srid)):
            return own
    inside = shapely.point_on_surface(shape)
    return geo.place_of(inside.x, inside.y, srid=known.srid)


# --- The words


def _card(subject: Subject, reply: Shape, drawn: str, budget: Budget, as_of: date) -> Card:
    sources = _Sources()
    roles = tuple(
        _row(role, budget.each + (rank < budget.more), sources) for rank, role in enumerate(reply["roles"])
    )
    cases = tuple(_case(one, sources) for one in reply["cases"][: budget.cases])
    named = sum(len(row.people) for row in roles) + len(cases)
    every = sum(len(role["areas"]) + len(role["matches"]) for role in reply["roles"]) + len(reply["cases"])
    title, publisher = str(gettext(N_("Safety card"))), i18n.plain(db.instance().names)
    return Card(
        heading=f"{title}: {subject.name}",
        publisher=publisher,
        language=i18n.language(),
        made={"year": as_of.year, "month": as_of.month, "day": as_of.day},
        title=f"{publisher} · {title}",
        name=subject.name,
        region=subject.region,
        map=_map(subject, drawn),
        emergency=_emergency(subject),
        question=str(gettext(N_("Who looks after safety here"))),
        roles=roles,
        cases_title=str(gettext(N_("Cases to learn from"))),
        cases=cases,
        live=_live(subject, every - named),
        day=str(gettext(N_("As it was known on {day}"))).format(day=i18n.day(as_of.isoformat())),
        notes=_notes(subject),
        sources_title=str(gettext(N_("Sources:"))),
        sources=(*sources, *db.instance().attributions),
    )


def _emergency(subject: Subject) -> Mapping[str, str]:
    where = ", ".join(part for part in (subject.name, subject.region) if part)
    here = str(gettext(N_("You are here: {where}"))).format(where=where)
    return {
        "lead": str(gettext(N_("Danger to life, health or home: call {number} at once"))).format(
            number=db.instance().emergency
        ),
        "number": db.instance().emergency,
        "say": str(
            gettext(N_("Say what has happened, where you are and who needs help. Do not hang up first."))
        ),
        # A municipality is too large to be found by its name.
        "here": here if subject.kind == "settlement" else "",
    }


def _map(subject: Subject, drawn: str) -> Mapping[str, str]:
    sentence = N_("Map: {name} in {county}.") if subject.county else N_("Map: {name}.")
    return {
        "svg": drawn,
        "alt": str(gettext(sentence)).format(name=subject.name, county=names.county(subject.county)),
        "caption": str(gettext(N_("Borders are approximate."))) if exactness.borders_are_rough() else "",
    }


def _row(role: Shape, most: int, sources: _Sources) -> Row:
    people = [_area(area, sources) for area in role["areas"][:most]]
    people += [_partner(one, sources) for one in role["matches"][: most - len(people)]]
    begin = role["if_none"] and role["if_none"]["guide"]
    return Row(
        title=role["label"],
        advice=role["advice"],
        people=tuple(people),
        nobody=str(gettext(N_("Nobody is named as responsible here."))) if role["if_none"] else "",
        begin=str(gettext(N_("Begin with: {guide}."))).format(guide=begin["title"]) if begin else "",
    )


def _area(one: Shape, sources: _Sources) -> Line:
    """An area that plays a role itself, as a municipality does."""
    area = next(area for area in reversed(replies.known().areas) if area.key == one["key"])
    title = area.facts.get("source") or area.source.title
    day = i18n.day(area.source.as_of)
    detail = str(gettext(N_("as of {day}"))).format(day=day) if day else ""
    return Line(one["name"], detail, sources.number(title, area.source.as_of))


def _partner(one: Shape, sources: _Sources) -> Line:
    source, way = one["source"], one["way"]
    if one["why"] == answers.NEAREST:
        said = [str(gettext(N_("{way} in a straight line"))).format(way=way)]
    else:
        said = [one["reason"].rstrip("."), way]
    said.append(_age(source))
    return Line(one["name"], _joined(said), sources.number(source["title"], source["as_of"]))


def _age(source: Shape) -> str:
    """From when a fact is, and whether to check it first."""
    sentence = {
        "undated": N_("no date, check first"),
        "old": N_("as of {day}, check first"),
        "expired": N_("not current: as of {day}, check first"),
    }.get(source["freshness"], N_("as of {day}"))
    return str(gettext(sentence)).format(day=i18n.day(max(source["as_of"], source["confirmed"])))


def _case(one: Shape, sources: _Sources) -> Line:
    found = next(case for case in replies.known().cases if case.key == one["key"])
    source: Mapping[str, str] = next(iter(found.sources), {})
    practice = next((practice["title"] for practice in one["practices"]), "")
    how = str(gettext(N_("practice: {title}"))).format(title=practice) if practice else ""
    mark = sources.number(source["title"], source.get("date", "")) if source.get("title") else 0
    return Line(one["title"], _joined((one["way"], how)), mark)


def _joined(parts: Iterable[str]) -> str:
    return " · ".join(filter(None, parts))


def _live(subject: Subject, more: int) -> Mapping[str, str]:
    address = url_for(
        "pages.here",
        language=i18n.language(),
        lat=subject.place.lat,
        lon=subject.place.lon,
        _external=True,
    )
    sentence = str(gettext(N_("The answer of today, and everything behind it:")))
    if more:
        sentence = str(
            ngettext(
                "The answer of today, with %(num)d more partner or case:",
                "The answer of today, with %(num)d more partners and cases:",
                more,
            )
        )
    alt = str(gettext(N_("QR code that leads to {address}"))).format(address=address)
    return {"svg": sharing.qr_file(address), "alt": alt, "sentence": sentence, "address": address}


def _notes(subject: Subject) -> tuple[str, ...]:
    start = (
        N_("Distances are straight lines from the point of this settlement.")
        if subject.kind == "settlement"
        else N_("Distances are straight lines from one point inside this municipality.")
    )
    coarse = [N_("Organisations stand at the point of their settlement, not at a house.")]
    if not exactness.points_are_coarse():
        coarse = []
    every = (
        start,
        *coarse,
        N_("Of every role the responsible come first, then the nearest."),
        N_(
            "A place without a partner is not proof that nobody is there: "
            "only what a public source tells is shown."
        ),
    )
    return tuple(str(gettext(note)) for note in every)
