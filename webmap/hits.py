"""What a search finds, with its words in this request's language and the address of its page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from flask import url_for
from flask_babel import gettext, ngettext

from layers import search
from layers.errors import N_
from layers.geo import Place
from layers.search import Hit
from webmap import big, db, i18n, names, params
from webmap.db import House, Revisions

_KINDS = {
    "settlement": N_("settlement"),
    "body": N_("organisation"),
    "case": N_("case"),
    "practice": N_("practice"),
}
_KEPT_IN_ADDRESS = ("as_of", "known")


@dataclass(frozen=True)
class Found:
    """One hit as it is shown. `opens_panel` says whether its page fits beside the map."""

    kind: str
    key: str
    label: str
    name: str
    note: str
    municipality: str
    county: str
    url: str
    place: Place | None
    opens_panel: bool

    @property
    def about(self) -> str:
        """Kind, place and note in one line."""
        where = ", ".join(part for part in (self.municipality, self.county) if part)
        return " · ".join(part for part in (self.label, where, self.note) if part)


def find(text: str, *, as_of: date, most: int) -> list[Found]:
    """The best hits for what a person typed."""
    index = _index(db.house(), as_of, db.revisions())
    return [_found(hit) for hit in search.find(index, text, most=most)]


def settlements(text: str, *, as_of: date) -> list[Found]:
    """The settlements that bear exactly this name, to be asked back where there are several."""
    named = search.settlements_named(_index(db.house(), as_of, db.revisions()), text)
    return [_found(hit) for hit in named]


def told(found: Sequence[Found], *, most: int) -> str:
    """How many there are; that there are more, where one more than `most` was asked for and came."""
    if len(found) > most:
        return str(
            ngettext("The first hit; there are more.", "The first %(num)d hits; there are more.", most)
        )
    return str(ngettext("%(num)d hit", "%(num)d hits", len(found)))


@lru_cache(maxsize=4)
def _index(house: House, as_of: date, _revisions: Revisions) -> search.Index:
    # A million names would take minutes and gigabytes; who looks for a single one has its place.
    kinds = [layer.kind for layer in house.instance.layers_of("areas") if layer.key not in big.huge()]
    return search.index(db.session(), kinds, as_of=as_of)


def _found(hit: Hit) -> Found:
    return Found(
        kind=hit.kind,
        key=hit.key,
        label=gettext(_KINDS[hit.kind]) if hit.kind in _KINDS else i18n.label("area_kinds", hit.kind),
        name=_name(hit),
        note=_note(hit),
        municipality=names.municipality(hit.municipality),
        county=names.county(hit.county),
        url=_url(hit),
        place=hit.place,
        opens_panel=hit.kind != "practice",
    )


def _name(hit: Hit) -> str:
    """Under "" stands a thing's own name, unless this language has another one for it."""
    return hit.names.get(i18n.language()) or hit.names.get("") or i18n.plain(hit.names)


def _note(hit: Hit) -> str:
    if not hit.now:
        return ""
    now = i18n.plain(hit.now)
    if hit.since:
        sentence = N_("now part of %(area)s since %(year)s")
        return str(gettext(sentence, area=now, year=hit.since[:4]))
    return str(gettext(N_("now part of %(area)s"), area=now))


def _url(hit: Hit) -> str:
    args = params.arguments()
    asked: dict[str, Any] = {name: args[name] for name in _KEPT_IN_ADDRESS if args.get(name)}
    language = i18n.language()
    if hit.kind == "settlement" and hit.place:
        return url_for("pages.here", language=language, lat=hit.place.lat, lon=hit.place.lon, **asked)
    if hit.kind in _KINDS and hit.kind != "settlement":  # One without a point is an area of a layer.
        return url_for(f"pages.{hit.kind}", language=language, key=hit.key, **asked)
    return url_for("pages.area", language=language, kind=hit.kind, code=hit.key, **asked)
