"""Read: things by their names, with letters folded and slips of the pen forgiven."""

import difflib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from layers import geo, places, practices
from layers.catalog import Words
from layers.errors import OutOfRange
from layers.geo import Place

_SHORTEST_FORGIVEN = 4
_ALIKE = 0.78
_NUMBERS = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*[,; ]\s*([+-]?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Hit:
    """A thing that has a name.

    `kind` is an area's kind, or one of settlement, body, case, practice; a name that is the same in every
    language stands under ""; the heavier comes first.
    """

    kind: str
    key: str
    names: Words
    municipality: str = ""
    county: str = ""
    place: Place | None = None
    weight: int = 0


@dataclass(frozen=True)
class Index:
    """Every thing with its names, folded; made once for each state of the layers."""

    things: tuple[tuple[frozenset[str], Hit], ...]


def fold(text: str) -> str:
    """Small letters without their marks, words parted by one space: Põhja-Sakala is pohja sakala."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(mark if mark.isalnum() else " " for mark in plain if not unicodedata.combining(mark))
    return " ".join(letters.split())


def index(session: Session, kinds: Sequence[str], *, as_of: date) -> Index:
    """The names of areas of the given kinds, settlements, organisations, cases and practices."""
    found = _all(session, kinds, as_of)
    return Index(tuple((frozenset(fold(name) for name in hit.names.values()), hit) for hit in found))


def _all(session: Session, kinds: Sequence[str], as_of: date) -> Iterator[Hit]:
    for rank, kind in enumerate(kinds):
        for area in places.areas(session, kind, as_of=as_of):
            county = area.parent.removeprefix("county:") if area.parent.startswith("county:") else ""
            yield Hit(kind, area.code, area.names, county=county, weight=9_000_000 - rank)
    for town in places.settlements(session, as_of=as_of):
        weight = 1_000 + (town.population or 0)
        yield Hit("settlement", town.key, {"": town.name}, town.municipality, town.county, town.place, weight)
    for body in places.bodies(session, as_of=as_of):
        names = {"": body.name, **body.names}
        yield Hit("body", body.key, names, body.municipality, body.county, body.place, weight=300)
    for case in practices.cases(session, as_of=as_of):
        yield Hit("case", case.key, case.titles, case.municipality, case.county, case.place, weight=200)
    for practice in practices.practices(session, as_of=as_of):
        yield Hit("practice", practice.key, practice.titles, weight=100)


def find(names: Index, text: str, *, most: int = 20) -> list[Hit]:
    """The best `most` hits: the whole name first, then its beginning, a word, a part of a word.

    Where nothing fits, names that are written alike.
    """
    wanted = fold(text)
    if not wanted:
        return []
    ranked = [
        (min(ranks), hit)
        for forms, hit in names.things
        if (ranks := [rank for form in forms if (rank := _rank(form, wanted)) is not None])
    ]
    ranked = ranked or _alike(names, wanted)
    ranked.sort(key=lambda one: (one[0], -one[1].weight, sorted(one[1].names.values()), one[1].key))
    return [hit for _, hit in ranked[:most]]


def _rank(form: str, wanted: str) -> int | None:
    if wanted in (form, form.rpartition(" ")[0]):
        return 0  # "Rõuge" is the whole name of "Rõuge alevik" and of "Rõuge vald".
    if form.startswith(wanted):
        return 1
    if f" {wanted}" in form:
        return 2
    return 3 if wanted in form else None


def _alike(names: Index, wanted: str) -> list[tuple[int, Hit]]:
    if len(wanted) < _SHORTEST_FORGIVEN:
        return []
    known: dict[str, dict[tuple[str, str], Hit]] = {}
    for forms, hit in names.things:
        for form in forms:
            for part in {form, form.rpartition(" ")[0]} - {""}:
                known.setdefault(part, {})[hit.kind, hit.key] = hit
    close = difflib.get_close_matches(wanted, known, n=8, cutoff=_ALIKE)
    best: dict[tuple[str, str], tuple[int, Hit]] = {}
    for rank, form in enumerate(close):
        for identity, hit in known[form].items():
            best.setdefault(identity, (rank, hit))
    return list(best.values())


def coordinates(text: str, *, srid: int) -> Place | None:
    """The place that two numbers name: latitude and longitude, or easting and northing in `srid`."""
    found = _NUMBERS.fullmatch(text.strip())
    if found is None:
        return None
    first, second = float(found[1]), float(found[2])
    try:
        if abs(first) <= 180 and abs(second) <= 180:
            return Place(lat=first, lon=second)
        return geo.place_of(min(first, second), max(first, second), srid=srid)
    except OutOfRange:
        return None
