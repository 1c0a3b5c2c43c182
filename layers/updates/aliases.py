"""Which known area is which official one: by code, by day, and by name only where one candidate is left.

Codes change between dates: of 79 municipalities of 2018 eleven carry another code in 2026, and one is gone.
A code that means the same on both sides needs no name; what is left on both sides is compared by name, and
by parent where both tell one. Nothing is guessed: where a name fits twice, the units are doubtful.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class Unit:
    """An area or settlement by its code. `valid_to` is the first day on which it was no longer so."""

    code: str
    name: str
    parent: str = ""
    valid_from: str = ""
    valid_to: str = ""

    def held(self, day: date) -> bool:
        """Whether it was so on the day; a partial date stands for its first day."""
        said = day.isoformat()
        return self.valid_from <= said and (not self.valid_to or self.valid_to > said)


@dataclass(frozen=True)
class Matches:
    """What became of each code. `same` and `renamed_code` go from the known code to the official one.

    `new` are official codes without a known unit, `gone` known codes without an official one, `doubtful`
    official codes with the known codes that they may be.
    """

    same: Mapping[str, str] = field(default_factory=dict)
    renamed_code: Mapping[str, str] = field(default_factory=dict)
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    doubtful: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

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
    there = {unit.code: unit for unit in known if unit.held(day)}
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
    doubtful = {code: tuple(sorted(olds)) for code, olds in options.items() if olds}
    in_doubt = {old for olds in doubtful.values() for old in olds}
    return Matches(
        same={code: code for code in sorted(same)},
        renamed_code=renamed,
        new=tuple(code for code, olds in options.items() if not olds),
        gone=tuple(code for code in left if code not in in_doubt),
        doubtful=doubtful,
    )


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
    """The codes of units of its name whose parent, where both tell one, is its own."""
    return [
        other.code
        for other in named.get(_name(unit), ())
        if not other.parent or not unit.parent or other.parent == unit.parent
    ]


def _name(unit: Unit) -> str:
    """A name as it is compared: letters keep their dots, spaces and capitals do not count."""
    return " ".join(unicodedata.normalize("NFC", unit.name).casefold().split())
