"""Read: what a person wants to see of organisations, cases and practices: one filter for all."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from layers import freshness
from layers.catalog import Lifetime, Words
from layers.letters import fold
from layers.places import Body
from layers.practices import Case, Practice

Codes = tuple[str, ...]
Rules = Sequence[Lifetime]
PlaceKinds = Mapping[str, Set[str]]
"""The kinds of place of each case, by its key."""
_NONE: PlaceKinds = MappingProxyType({})


@dataclass(frozen=True)
class Filter:
    """What to show. Of several values of one part one is enough; an empty part lets everything through.

    `capability` and `readiness` are asked of organisations, what stands in `OF_CASES` of cases; the place and
    `freshness` (one of `freshness.STATES`) of both. Every word of `text` stands in a case, in any of its
    languages.
    """

    county: Codes = ()
    municipality: Codes = ()
    capability: Codes = ()
    readiness: Codes = ()
    theme: Codes = ()
    party: Codes = ()
    outcome: Codes = ()
    stage: Codes = ()
    place_kind: Codes = ()
    practice: Codes = ()
    freshness: Codes = ()
    text: str = ""

    def __bool__(self) -> bool:
        return any(getattr(self, part.name) for part in fields(self))

    def having(self, part: str, value: Codes | str) -> "Filter":
        """The same with another choice of one part."""
        changed: dict[str, Any] = {part: value}
        return replace(self, **changed)


PARTS = tuple(part.name for part in fields(Filter))
OF_BODIES = ("capability", "readiness")
OF_CASES = ("theme", "party", "outcome", "stage", "place_kind", "practice", "text")
OF_PRACTICES = ("theme", "party", "stage", "outcome", "place_kind", "county", "municipality")
"""What a practice is asked for besides `text`; the last four are asked of the cases that show it."""


def bodies(found: Iterable[Body], only: Filter, *, today: date, rules: Rules = ()) -> list[Body]:
    """The organisations that pass, in their order. `rules` are the instance's of how long facts hold."""
    parts = [part for part in PARTS if part not in OF_CASES and getattr(only, part)]
    return [
        body
        for body in found
        if all(_meets(getattr(only, part), _of_body(body, part, today, rules)) for part in parts)
    ]


def cases(
    found: Iterable[Case],
    only: Filter,
    *,
    today: date,
    rules: Rules = (),
    place_kinds: PlaceKinds = _NONE,
) -> list[Case]:
    """The cases that pass, in their order."""
    parts = [part for part in PARTS if part not in (*OF_BODIES, "text") and getattr(only, part)]
    wanted = fold(only.text).split()
    return [
        case
        for case in found
        if all(_meets(getattr(only, part), _of_case(case, part, today, rules, place_kinds)) for part in parts)
        and _says(wanted, case.titles, case.summaries, case.texts, {"": case.locality})
    ]


Facets = Mapping[str, Counter[str]]
"""By part of the filter: how many rows each of its values would show."""


def facets(
    bodies_: Sequence[Body],
    cases_: Sequence[Case],
    only: Filter,
    *,
    today: date,
    rules: Rules = (),
    place_kinds: PlaceKinds = _NONE,
) -> Facets:
    """What choosing one value of one part would show, the other parts staying as they are."""
    found = {}
    for part in PARTS:
        if part == "text":
            continue
        rest = only.having(part, ())
        values: Counter[str] = Counter()
        if part not in OF_CASES:
            for body in bodies(bodies_, rest, today=today, rules=rules):
                values.update(_of_body(body, part, today, rules))
        if part not in OF_BODIES:
            for case in cases(cases_, rest, today=today, rules=rules, place_kinds=place_kinds):
                values.update(_of_case(case, part, today, rules, place_kinds))
        found[part] = values
    return found


def _meets(wanted: Codes, there: Set[str]) -> bool:
    return not there.isdisjoint(wanted)


def _of_body(body: Body, part: str, today: date, rules: Rules) -> Set[str]:
    """Every value of a part with which an organisation is found."""
    if part == "freshness":
        return {freshness.of(body, rules, today=today).state}
    if part == "capability":
        return set(body.capabilities)
    return _values(getattr(body, part), part, body.serves)


def _of_case(case: Case, part: str, today: date, rules: Rules, place_kinds: PlaceKinds) -> Set[str]:
    """Every value of a part with which a case is found."""
    if part == "freshness":
        return {freshness.of(case, rules, today=today).state}
    if part == "party":
        return set(case.parties)
    if part == "practice":
        return {link.practice for link in case.practices}
    if part == "place_kind":
        return place_kinds.get(case.key, frozenset())
    return _values(getattr(case, part), part, case.areas)


def _values(own: str, part: str, areas: Iterable[str]) -> Set[str]:
    """Seated in a place, covering it, or responsible for it."""
    return {own, *(key.partition(":")[2] for key in areas if key.startswith(f"{part}:"))} - {""}


def _says(wanted: Iterable[str], *told: Words) -> bool:
    """Whether every word stands somewhere, also inside a longer one: many languages write compounds."""
    return all(any(word in _folded(text) for words in told for text in words.values()) for word in wanted)


@lru_cache(maxsize=2048)
def _folded(text: str) -> str:
    return fold(text)


# --- Practices


@dataclass(frozen=True)
class Shown:
    """A practice with the cases that show it, and the kinds of place that its themes name by themselves."""

    practice: Practice
    cases: tuple[Case, ...]
    place_kinds: Set[str]


def shown(
    found: Iterable[Practice], cases_: Iterable[Case], of_themes: Mapping[str, Sequence[str]]
) -> list[Shown]:
    """Practices with their cases, in their order. `of_themes` are kinds of place by theme."""
    by_practice: dict[str, list[Case]] = {}
    for case in cases_:
        for key in dict.fromkeys(link.practice for link in case.practices):
            by_practice.setdefault(key, []).append(case)
    return [
        Shown(
            one,
            tuple(by_practice.get(one.key, ())),
            {kind for theme in one.themes for kind in of_themes.get(theme, ())},
        )
        for one in found
    ]


def practices(
    found: Iterable[Shown], only: Filter, *, today: date, place_kinds: PlaceKinds = _NONE
) -> list[Shown]:
    """The practices that pass, in their order.

    Theme, party, stage and text are asked of the practice itself. The others are asked of its cases, of which
    one must meet them all; a kind of place that the practice's own themes name needs no case for it.
    """
    wanted = fold(only.text).split()
    return [
        one
        for one in found
        if _is_for(one.practice, only)
        and _is_done(one, only, today, place_kinds)
        and _says(wanted, one.practice.titles, one.practice.summaries, one.practice.texts)
    ]


def practice_facets(
    found: Sequence[Shown], only: Filter, *, today: date, place_kinds: PlaceKinds = _NONE
) -> Facets:
    """What choosing one value of one part would show of the practices, the other parts staying."""
    counted = {}
    for part in OF_PRACTICES:
        rest = practices(found, only.having(part, ()), today=today, place_kinds=place_kinds)
        values: Counter[str] = Counter()
        for value in sorted({value for one in rest for value in _of_practice(one, part, today, place_kinds)}):
            one_more = only.having(part, (value,))
            values[value] = len(practices(rest, one_more, today=today, place_kinds=place_kinds))
        counted[part] = +values  # A value of a case that the other parts leave out would show nothing.
    return counted


def of_practices(found: Iterable[Shown], only: Filter) -> Filter:
    """The filter of the cases that show these practices, at the places that are asked for."""
    keys = tuple(one.practice.key for one in found)
    parts = ("county", "municipality", "outcome", "place_kind")
    return Filter(practice=keys, **{part: getattr(only, part) for part in parts})


def _is_for(practice: Practice, only: Filter) -> bool:
    return all(
        not wanted or _meets(wanted, there)
        for wanted, there in (
            (only.theme, set(practice.themes)),
            (only.party, set(practice.audiences)),
            (only.stage, {practice.stage}),
        )
    )


def _is_done(one: Shown, only: Filter, today: date, place_kinds: PlaceKinds) -> bool:
    """Whether the practice is at work where, and came out as, it is asked."""
    asked = of_practices((), only)
    if only.place_kind and _meets(only.place_kind, one.place_kinds):
        asked = asked.having("place_kind", ())
    return not asked or bool(cases(one.cases, asked, today=today, place_kinds=place_kinds))


def _of_practice(one: Shown, part: str, today: date, place_kinds: PlaceKinds) -> Set[str]:
    own = {"theme": one.practice.themes, "party": one.practice.audiences, "stage": (one.practice.stage,)}
    if part in own:
        return set(own[part])
    # A practice is not asked how old it is, so the rules of freshness are not needed.
    found = {value for case in one.cases for value in _of_case(case, part, today, (), place_kinds)}
    return found | (one.place_kinds if part == "place_kind" else set())
