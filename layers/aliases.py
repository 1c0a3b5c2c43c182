"""Which known area is which official one: by code, by day, and by name only where one candidate is left.

Codes change between dates: of 79 municipalities of 2018 eleven carry another code in 2026, and one is gone.
A code that means the same on both sides needs no name; what is left on both sides is compared by name, and
by parent where both tell one. Nothing is guessed: where a name fits twice, the units are doubtful.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

import shapely

from layers import dates

OFFICIAL_CODE = "official_code"
"""The fact of an area that tells its official code, where that is not the one by which it is known."""
_SHARED = 0.5
_BEGINNING, _END = "", "9999"


@dataclass(frozen=True)
class Unit:
    """An area or settlement by its code. `valid_to` is the first day on which it was no longer so.

    `official` is what official lists call it now, "" where that is its code. Where `shape` (metric) is given
    on both sides, two of one name are only alike when they share land.
    """

    code: str
    name: str
    parent: str = ""
    valid_from: str = ""
    valid_to: str = ""
    official: str = ""
    shape: Any = field(default=None, compare=False, repr=False)

    def held(self, day: date) -> bool:
        """Whether it was so on the day; a partial date stands for its first day."""
        return dates.holds(self.valid_from, self.valid_to, day.isoformat())


@dataclass(frozen=True)
class Matches:
    """What became of each code. `same` and `renamed_code` go from the known code to the official one.

    `new` are official codes without a known unit, `gone` known codes without an official one, `doubtful`
    official codes with the known codes that they may be. `taken` are official codes without a pair that are
    the known code of a unit which is called otherwise now.
    """

    same: Mapping[str, str] = field(default_factory=dict)
    renamed_code: Mapping[str, str] = field(default_factory=dict)
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    doubtful: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    taken: tuple[str, ...] = ()

    @property
    def old_to_new(self) -> dict[str, str]:
        """Every known code that has an official one → that one."""
        return {**self.same, **self.renamed_code}

    @property
    def new_to_old(self) -> dict[str, str]:
        return {new: old for old, new in self.old_to_new.items()}


def matched(known: Iterable[Unit], official: Iterable[Unit], day: date) -> Matches:
    """Pairs what was known for a day with what an official list of that day says.

    Codes are expected once on each side, and every official unit to be of that day. One code with two names
    is the same unit, unless one of the names belongs to somebody else on the other side.
    """
    called = _called([unit for unit in known if unit.held(day)])
    known_as = {name: unit.code for name, unit in called.items()}
    there = {name: replace(unit, code=name) for name, unit in called.items()}
    told = {unit.code: unit for unit in official}
    same = _same(there, told)
    old_left = {code: there[code] for code in sorted(there.keys() - same)}
    new_left = {code: told[code] for code in sorted(told.keys() - same)}
    renamed = _renamed(old_left, new_left)
    left = {code: unit for code, unit in old_left.items() if code not in renamed}
    named = _named(left.values())
    # A code that stands on both sides with two names, and found no pair by name, is in doubt too.
    options = {
        code: {*_alike(unit, named), *({code} & left.keys())}
        for code, unit in new_left.items()
        if code not in renamed.values()
    }
    in_doubt = {old for olds in options.values() for old in olds}
    pairs = {known_as[old]: new for old, new in {**{code: code for code in same}, **renamed}.items()}
    return Matches(
        same={code: code for code in sorted(pairs) if pairs[code] == code},
        renamed_code={code: pairs[code] for code in sorted(pairs) if pairs[code] != code},
        new=tuple(code for code, olds in options.items() if not olds),
        gone=tuple(sorted(known_as[code] for code in left if code not in in_doubt)),
        doubtful={
            code: tuple(sorted(known_as[old] for old in olds)) for code, olds in options.items() if olds
        },
        taken=tuple(code for code in options if code in pairs),
    )


def _called(held: Sequence[Unit]) -> dict[str, Unit]:
    """Units by what official lists call them; where they call two so, by a word that no list has."""
    times = Counter(unit.official or unit.code for unit in held)
    names = ((unit.official or unit.code, unit) for unit in held)
    return {name if times[name] == 1 else f"\0{unit.code}": unit for name, unit in names}


def _same(there: Mapping[str, Unit], told: Mapping[str, Unit]) -> set[str]:
    """The codes that mean the same on both sides."""
    named_there, named_told = _named(there.values()), _named(told.values())
    found = set()
    for code in there.keys() & told.keys():
        old, new = there[code], told[code]
        others = {*_alike(new, named_there), *_alike(old, named_told)} - {code}
        if _name(old) == _name(new) or not others:
            found.add(code)
    return found


def _renamed(old_left: Mapping[str, Unit], new_left: Mapping[str, Unit]) -> dict[str, str]:
    """Known code → official code, where a name fits exactly once from either side."""
    named_old, named_new = _named(old_left.values()), _named(new_left.values())
    found = {}
    for code, unit in old_left.items():
        news = _alike(unit, named_new)
        if len(news) == 1 and len(_alike(new_left[news[0]], named_old)) == 1:
            found[code] = news[0]
    return found


def _named(units: Iterable[Unit]) -> dict[str, list[Unit]]:
    found: dict[str, list[Unit]] = {}
    for unit in units:
        found.setdefault(_name(unit), []).append(unit)
    return found


def _alike(unit: Unit, named: Mapping[str, Sequence[Unit]]) -> list[str]:
    """The codes of units of its name whose parent, where both tell one, is its own; without a name, none."""
    if not _name(unit):
        return []
    return [
        other.code
        for other in named.get(_name(unit), ())
        if (not other.parent or not unit.parent or other.parent == unit.parent) and _share(unit, other)
    ]


def _share(one: Unit, other: Unit) -> bool:
    """Whether the smaller of two lies at least half in the other; where one has no shape nobody can tell."""
    if one.shape is None or other.shape is None:
        return True
    smaller = min(shapely.area(one.shape), shapely.area(other.shape))
    return bool(shapely.area(shapely.intersection(one.shape, other.shape)) >= _SHARED * smaller)


def _name(unit: Unit) -> str:
    """A name as it is compared: letters keep their dots, spaces and capitals do not count."""
    return " ".join(unicodedata.normalize("NFC", unit.name).casefold().split())


# --- What a code meant on a day


@dataclass(frozen=True)
class Told:
    """That a source of a day (`as_of`) calls the area known by `code` so: `official`."""

    kind: str
    code: str
    official: str
    as_of: str = ""


@dataclass(frozen=True)
class Book:
    """What official codes meant on a day: `told` of every area that ever had another code than its own."""

    told: tuple[Told, ...] = ()

    @cached_property
    def _spans(self) -> dict[tuple[str, str], list[tuple[str, str, str]]]:
        """By kind and official code: the code of an area, and from which day until which it was called so.

        It was called by its own code before the first source that says otherwise; what the last one says
        holds on.
        """
        of: dict[tuple[str, str], dict[str, set[str]]] = {}
        for one in sorted(self.told, key=lambda one: one.as_of):
            days = of.setdefault((one.kind, one.code), {_BEGINNING: {one.code}})
            if one.as_of == _BEGINNING and days[_BEGINNING] == {one.code}:
                days[_BEGINNING] = set()
            days.setdefault(one.as_of, set()).add(one.official)
        found: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
        for (kind, code), days in of.items():
            for (since, names), until in zip(days.items(), [*[*days][1:], _END], strict=True):
                for official in sorted(names):
                    found.setdefault((kind, official), []).append((code, since, until))
        return found

    def means(self, kind: str, code: str, day: date) -> str | None:
        """The code by which the area is known that a source of a day calls so.

        That of the area which was called so on the day, of several the one that was called so last; else of
        the one that ever was; else the code itself. None where nobody can tell.
        """
        spans = self._spans.get((kind, code), ())
        said = day.isoformat()
        then = [(since, known) for known, since, until in spans if since <= said < until]
        last = max(then)[0] if then else ""
        found = {known for since, known in then if since == last} or {known for known, _, _ in spans}
        return next(iter(found or {code})) if len(found) < 2 else None

    def called(self, kind: str, day: date) -> dict[str, str]:
        """What official lists of a day call the areas of a kind, where that is not their code."""
        said = day.isoformat()
        return {
            known: official
            for (of, official), spans in self._spans.items()
            for known, since, until in spans
            if of == kind and known != official and since <= said < until
        }

    def joined(self, told: Iterable[Told]) -> "Book":
        return Book((*self.told, *told))
