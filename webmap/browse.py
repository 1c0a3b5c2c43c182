"""Lists to choose from: what is chosen, what more would show, what to loosen where nothing fits."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Generic, TypeVar

from flask_babel import gettext

from layers import filters
from layers.errors import N_
from layers.filters import PARTS, Filter, Shown
from layers.place_kinds import RULES
from layers.practices import Case, Practice
from webmap import choices, db, place_kinds
from webmap.choices import Field

_One = TypeVar("_One")
_ORDER = (
    "theme",
    "party",
    "outcome",
    "place_kind",
    "stage",
    "county",
    "municipality",
    "practice",
    "freshness",
)
_OF_PRACTICES = {"party": N_("For whom"), "outcome": N_("How its cases came out")}


@dataclass(frozen=True)
class Chip:
    """One chosen value, and the question without it as the parameters of an address."""

    title: str
    text: str
    without: dict[str, str]


@dataclass(frozen=True)
class Looser:
    """A part of the choice, and how many there would be without it."""

    title: str
    texts: tuple[str, ...]
    count: int
    without: dict[str, str]


@dataclass(frozen=True)
class Browsed(Generic[_One]):
    """A list and the choice that made it.

    `looser` is told where nothing fits, what helps most first. `on_map` are the parameters that show the same
    cases on the map, `placed` how many of these have a place there, `of_cases` how many there are; `rules`
    tell every kind of place.
    """

    rows: list[_One]
    total: int
    fields: tuple[Field, ...]
    chips: tuple[Chip, ...]
    looser: tuple[Looser, ...]
    text: str
    on_map: dict[str, str]
    of_cases: int
    placed: int
    rules: Mapping[str, str] = field(default_factory=lambda: RULES)


def cases(every: Sequence[Case], only: Filter, *, as_of: date, today: date) -> Browsed[Case]:
    """The cases that a choice shows."""
    only = replace(only, capability=(), readiness=())
    kinds, rules = place_kinds.known(as_of), db.instance().freshness

    def of(choice: Filter) -> list[Case]:
        return filters.cases(every, choice, today=today, rules=rules, place_kinds=kinds)

    facets = filters.facets((), every, only, today=today, rules=rules, place_kinds=kinds)
    return _browsed(of, len(every), only, choices.form(only, facets), only, of(only), {})


def practices(
    every: Sequence[Practice], cases_: Sequence[Case], only: Filter, *, as_of: date, today: date
) -> Browsed[Shown]:
    """The practices that a choice shows; what is asked of cases alone is left out of it."""
    only = Filter(**{name: getattr(only, name) for name in (*filters.OF_PRACTICES, "text")})
    kinds = place_kinds.known(as_of)
    shown = filters.shown(every, cases_, db.instance().place_kinds_of_themes)

    def of(choice: Filter) -> list[Shown]:
        return filters.practices(shown, choice, today=today, place_kinds=kinds)

    facets = filters.practice_facets(shown, only, today=today, place_kinds=kinds)
    found = of(only)
    theirs = filters.of_practices(found if len(found) < len(every) else (), only)
    there = filters.cases(cases_, theirs, today=today, place_kinds=kinds) if found else []
    titles = {name: gettext(title) for name, title in _OF_PRACTICES.items()}
    return _browsed(of, len(every), only, choices.form(only, facets), theirs, there, titles)


def _browsed(
    of: Callable[[Filter], list[_One]],
    total: int,
    only: Filter,
    fields: tuple[Field, ...],
    on_map: Filter,
    of_cases: Sequence[Case],
    titles: Mapping[str, str],
) -> Browsed[_One]:
    rows = of(only)
    return Browsed(
        rows,
        total,
        tuple(
            replace(one, title=titles.get(one.name, one.title))
            for one in sorted(fields, key=lambda one: _ORDER.index(one.name))
        ),
        tuple(_chips(only, titles)),
        () if rows else _looser(of, only, titles),
        only.text,
        choices.query(on_map),
        len(of_cases),
        sum(case.place is not None for case in of_cases),
    )


def _chips(only: Filter, titles: Mapping[str, str]) -> Iterator[Chip]:
    for name in PARTS:
        title, value = titles.get(name) or choices.title(name), getattr(only, name)
        if name == "text":
            if value:
                yield Chip(title, value, choices.query(only.having(name, "")))
            continue
        for code in value:
            rest = only.having(name, tuple(one for one in value if one != code))
            yield Chip(title, choices.told(name, code), choices.query(rest))


def _looser(
    of: Callable[[Filter], list[_One]], only: Filter, titles: Mapping[str, str]
) -> tuple[Looser, ...]:
    """Every part without which something would fit; none where only dropping several would help."""
    found = []
    for name in PARTS:
        value = getattr(only, name)
        if value:
            rest = only.having(name, type(value)())
            texts = (value,) if name == "text" else tuple(choices.told(name, one) for one in value)
            title = titles.get(name) or choices.title(name)
            found.append(Looser(title, texts, len(of(rest)), choices.query(rest)))
    return tuple(sorted((one for one in found if one.count), key=lambda one: -one.count))
