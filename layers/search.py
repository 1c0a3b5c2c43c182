"""Read: things by their names, with letters folded and slips of the pen forgiven."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from heapq import nsmallest
from itertools import accumulate

from rapidfuzz import process
from rapidfuzz.distance import OSA
from sqlalchemy.orm import Session

from layers import dates, geo, places, practices
from layers.catalog import Words
from layers.errors import OutOfRange
from layers.geo import Place
from layers.letters import fold
from layers.places import Area

# The shortest word in which so many slips are forgiven; the beginning of a word is less sure than a whole.
_FORGIVEN = ((13, 3), (6, 2), (4, 1))
_FORGIVEN_AT_BEGINNING = ((8, 2), (5, 1))


@dataclass(frozen=True)
class Hit:
    """A thing that has a name.

    `kind` is an area's kind, or one of settlement, body, case, practice; a name that is the same in every
    language stands under ""; the heavier comes first. Where the name is a former one, `now` are the names of
    the area that its ground belongs to, `key` is that area's, and `since` a partial date or "".
    """

    kind: str
    key: str
    names: Words
    municipality: str = ""
    county: str = ""
    place: Place | None = None
    weight: int = 0
    now: Words = field(default_factory=dict)
    since: str = ""


@dataclass(frozen=True, slots=True)
class _Form:
    """A name as it is compared.

    `head` is it without its last word: Rõuge is that of Rõuge alevik and of Rõuge vald. `closed` is it
    written as one word. `told` begins with it, a blank before each word, and goes on with the names of its
    municipality and county.
    """

    whole: str
    head: str
    closed: str
    told: str

    @property
    def parts(self) -> set[str]:
        return {*self.whole.split(), self.closed, _closed(self.head)} - {""}


@dataclass(frozen=True)
class Index:
    """Every thing with its names, folded; made once for each state of the layers.

    The hits stand in the order in which those of one rank are told. `forms` are all names, each with the
    number of its hit, and `text` is the same in lines that begin at `starts`: to look through it takes 2 ms
    for 11,000 names, to look at each of them 8. `parts` are all words of all names, each with the numbers of
    the hits that have it; `words` are the same in order.
    """

    hits: Sequence[Hit]
    forms: Sequence[tuple[int, _Form]]
    text: str
    starts: Sequence[int]
    parts: Mapping[str, Sequence[int]]
    words: Sequence[str]


def index(session: Session, kinds: Sequence[str], *, as_of: date) -> Index:
    """The names of areas of the given kinds, settlements, organisations, cases and practices."""
    areas = places.area_names(session)
    hits = sorted(
        _all(session, kinds, as_of), key=lambda hit: (-hit.weight, sorted(hit.names.values()), hit.key)
    )
    forms = [(number, form) for number, hit in enumerate(hits) for form in _forms(hit, areas)]
    lines = [f"{form.told} {form.closed}\n" for _, form in forms]
    parts: dict[str, list[int]] = {}
    for number, form in forms:
        for part in form.parts:
            parts.setdefault(part, []).append(number)
    starts = list(accumulate(map(len, lines), initial=0))
    return Index(hits, forms, "".join(lines), starts, parts, sorted(parts))


def _forms(hit: Hit, areas: Mapping[str, Words]) -> tuple[_Form, ...]:
    around = (areas.get(f"municipality:{hit.municipality}", {}), areas.get(f"county:{hit.county}", {}))
    near = [fold(name) for names in around for name in names.values()]
    after = "".join(f" {name}" for name in (*near, *map(_closed, near)))
    wholes = sorted({fold(name) for name in hit.names.values()})
    return tuple(_Form(one, one.rpartition(" ")[0], _closed(one), f" {one}{after}") for one in wholes)


def _closed(form: str) -> str:
    return form.replace(" ", "")


def _all(session: Session, kinds: Sequence[str], as_of: date) -> Iterator[Hit]:
    for rank, kind in enumerate(kinds):
        for area in places.areas(session, kind, as_of=as_of):
            weight = 9_000_000 - rank
            yield Hit(kind, area.code, area.names, county=_county(area), place=_seat(area), weight=weight)
        yield from _former(session, kind, as_of)
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


def _county(area: Area) -> str:
    return area.parent.removeprefix("county:") if area.parent.startswith("county:") else ""


def _seat(area: Area) -> Place | None:
    """The point that an area's facts name for it."""
    try:
        return Place(lon=float(area.facts["lon"]), lat=float(area.facts["lat"]))
    except (KeyError, ValueError, OutOfRange):
        return None


def _former(session: Session, kind: str, as_of: date) -> Iterator[Hit]:
    """Areas that are no more, by the name that they had; they come after settlements of that name."""
    for area in places.areas(session, kind, as_of=as_of):
        since = area.valid_from
        for name in _joined(session, area):
            yield Hit(
                kind,
                area.code,
                {"": name},
                county=_county(area),
                place=_seat(area),
                weight=999,
                now=area.names,
                since=since,
            )


def _joined(session: Session, area: Area) -> list[str]:
    """The names of what an area was formed from, and of what that had been formed from."""
    own = set(area.names.values())
    names = [name for part in area.facts.get("formed_from", "").split(";") if (name := part.strip())]
    if names and area.valid_from:  # Nobody formed from nothing has a name to find.
        day_before = dates.first_day(area.valid_from) - timedelta(days=1)
        for earlier in places.areas(session, area.kind, as_of=day_before):
            if not set(names).isdisjoint(earlier.names.values()):
                names += _joined(session, earlier)
    return [name for name in dict.fromkeys(names) if name not in own]


_WHOLE, _BEGINS, _A_WORD, _ANY_ORDER, _INSIDE, _ALIKE = range(6)


def find(names: Index, text: str, *, most: int = 20) -> list[Hit]:
    """The best `most` hits: the whole name first, then its beginning, a word, words in any order, a part.

    Among words in any order one may be of the municipality's or county's name. Where no word begins as
    wanted, names that are written alike follow, those with fewer slips first.
    """
    wanted = fold(text)
    if not wanted:
        return []
    ranks = _ranks(names, wanted)
    if all(rank == _INSIDE for rank in ranks.values()):
        ranks = _alike(names, wanted) | ranks
    best = nsmallest(most, ((rank, number) for number, rank in ranks.items()))
    return [names.hits[number] for _, number in best]


def settlements_named(names: Index, text: str) -> list[Hit]:
    """The settlements that bear exactly this name; after a comma may follow the municipality or county."""
    name, _, around = text.partition(",")
    wanted, words = fold(name), fold(around).split()
    if not wanted:
        return []
    numbers = {
        number
        for number, form in _with(names, wanted.split()[0])
        if names.hits[number].kind == "settlement"
        and wanted in (form.whole, form.head)
        and all(f" {word}" in form.told for word in words)
    }
    return [names.hits[number] for number in sorted(numbers)]


def _ranks(names: Index, wanted: str) -> dict[int, int]:
    words, closed = wanted.split(), _closed(wanted)
    found: dict[int, int] = {}
    for number, form in _with(names, words[0]):
        rank = _rank(form, wanted, words, closed)
        if rank is not None:
            found[number] = min(rank, found.get(number, rank))
    return found


def _with(names: Index, word: str) -> Iterator[tuple[int, _Form]]:
    """The names in whose line a word stands, also inside another one."""
    at = names.text.find(word)
    while at >= 0:
        line = bisect_right(names.starts, at) - 1
        yield names.forms[line]
        at = names.text.find(word, names.starts[line + 1])


def _rank(form: _Form, wanted: str, words: Sequence[str], closed: str) -> int | None:
    if wanted in (form.whole, form.head):
        return _WHOLE
    if form.closed.startswith(closed):
        return _BEGINS  # Harjumaa is how one says Harju maakond.
    if f" {wanted}" in f" {form.whole}":
        return _A_WORD
    if all(f" {word}" in form.told for word in words) and any(
        f" {word}" in f" {form.whole}" for word in words
    ):
        return _ANY_ORDER
    return _INSIDE if wanted in form.whole else None


def _alike(names: Index, wanted: str) -> dict[int, int]:
    """Things in whose names each wanted word is there, begun or with few slips: number → rank."""
    slips: dict[int, int] | None = None
    for word in wanted.split():
        near: dict[int, int] = {}
        for part, count in _near(names, word):
            for number in names.parts[part]:
                near[number] = min(count, near.get(number, count))
        slips = near if slips is None else {n: slips[n] + near[n] for n in slips.keys() & near.keys()}
    return {number: _ALIKE + count for number, count in (slips or {}).items()}


def _near(names: Index, word: str) -> list[tuple[str, int]]:
    """Words of names with their number of slips: those that begin so, else are alike, else begin alike."""
    first, after = bisect_left(names.words, word), bisect_left(names.words, f"{word}\uffff")
    if first < after:
        return [(part, 0) for part in names.words[first:after]]
    most = _allowed(word, _FORGIVEN)
    alike = [part for part in names.words if abs(len(part) - len(word)) <= most]
    if found := _slips(word, alike, alike, most):
        return found
    longer = [part for part in names.words if len(part) > len(word)]
    return _slips(
        word, [part[: len(word)] for part in longer], longer, _allowed(word, _FORGIVEN_AT_BEGINNING)
    )


def _slips(word: str, compared: Sequence[str], parts: Sequence[str], most: int) -> list[tuple[str, int]]:
    if not most:
        return []
    found = process.extract(word, compared, scorer=OSA.distance, score_cutoff=most, limit=None)
    return [(parts[place], int(slips)) for _, slips, place in found]


def _allowed(word: str, forgiven: Iterable[tuple[int, int]]) -> int:
    return next((slips for least, slips in forgiven if len(word) >= least), 0)


_DEGREES = (
    r"(?P<{0}h1>[NSEW])?\s*(?P<{0}d>[+-]?\d{{1,3}}(?:\.\d+)?)\s*(?:°|º|deg)?\s*"
    r"(?:(?P<{0}m>\d{{1,2}}(?:\.\d+)?)\s*['′’]\s*(?:(?P<{0}s>\d{{1,2}}(?:\.\d+)?)\s*(?:\"|″|”|''|’’)\s*)?)?"
    r"(?({0}h1)|(?P<{0}h2>[NSEW])?)"
)
_ANGLES = re.compile(rf"{_DEGREES.format('a')}\s*[,; ]?\s*{_DEGREES.format('b')}", re.IGNORECASE | re.ASCII)
_NUMBERS = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*[,; ]\s*([+-]?\d+(?:\.\d+)?)", re.ASCII)


def coordinates(text: str, *, srid: int) -> Place | None:
    """The place that two numbers name: latitude and longitude, or easting and northing in `srid`.

    Degrees may have minutes and seconds and say their half of the earth: 58°22'40"N 26°43'10"E.
    """
    plain = text.strip()
    try:
        if found := _NUMBERS.fullmatch(plain):
            return _of_numbers(float(found[1]), float(found[2]), srid)
        if found := _ANGLES.fullmatch(plain):
            return _of_angles(found)
    except OutOfRange:
        pass
    return None


def _of_numbers(first: float, second: float, srid: int) -> Place:
    if abs(first) <= 180 and abs(second) <= 180:
        return Place(lat=first, lon=second)
    return geo.place_of(min(first, second), max(first, second), srid=srid)


def _of_angles(found: re.Match[str]) -> Place | None:
    first, second = _angle(found, "a"), _angle(found, "b")
    if first is None or second is None or not (first[1] or found["am"]):
        return None
    halves = first[1] + second[1]
    if re.fullmatch("[EW][NS]", halves):
        first, second = second, first
    elif halves and not re.fullmatch("[NS][EW]", halves):
        return None
    return Place(lat=first[0], lon=second[0])


def _angle(found: re.Match[str], which: str) -> tuple[float, str] | None:
    """Degrees and the half of the earth, "" where it is not said; None where they are none."""
    degrees, minutes, seconds = (float(found[f"{which}{part}"] or 0) for part in "dms")
    halves = ((found[f"{which}h1"] or "") + (found[f"{which}h2"] or "")).upper()
    sign = found[f"{which}d"][0]
    if minutes >= 60 or seconds >= 60 or (halves and sign in "+-"):
        return None
    size = abs(degrees) + minutes / 60 + seconds / 3600
    return round(-size if halves in ("S", "W") or sign == "-" else size, 6), halves
