"""Read: what a person wants to see of organisations and cases. One filter for maps, lists and counts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date

from layers import freshness
from layers.catalog import Lifetime
from layers.places import Body
from layers.practices import Case


@dataclass(frozen=True)
class Filter:
    """What to show; an empty part lets everything through.

    `capability` and `readiness` are asked of organisations, `theme` and `outcome` of cases; the place and
    `freshness` (one of `freshness.STATES`) of both.
    """

    county: str = ""
    municipality: str = ""
    capability: str = ""
    readiness: str = ""
    theme: str = ""
    outcome: str = ""
    freshness: str = ""

    def __bool__(self) -> bool:
        return any(getattr(self, part.name) for part in fields(self))


def bodies(found: Iterable[Body], only: Filter, *, today: date, rules: Sequence[Lifetime] = ()) -> list[Body]:
    """The organisations that pass, in their order. `rules` are the instance's of how long facts hold."""
    return [
        body
        for body in found
        if _is_there(body, only)
        and only.capability in ("", *body.capabilities)
        and only.readiness in ("", body.readiness)
        and (not only.freshness or only.freshness == freshness.of(body, rules, today=today).state)
    ]


def cases(found: Iterable[Case], only: Filter, *, today: date, rules: Sequence[Lifetime] = ()) -> list[Case]:
    """The cases that pass, in their order."""
    return [
        case
        for case in found
        if _is_there(case, only)
        and only.theme in ("", case.theme)
        and only.outcome in ("", case.outcome)
        and (not only.freshness or only.freshness == freshness.of(case, rules, today=today).state)
    ]


def _is_there(thing: Body | Case, only: Filter) -> bool:
    """Seated in the place, covering it, or responsible for it."""
    areas = thing.serves if isinstance(thing, Body) else thing.areas
    return all(
        wanted in ("", code) or f"{kind}:{wanted}" in areas
        for kind, code, wanted in (
            ("county", thing.county, only.county),
            ("municipality", thing.municipality, only.municipality),
        )
    )


Facets = Mapping[str, Counter[str]]
"""By part of the filter: how many rows each of its values would show."""


def facets(
    bodies_: Sequence[Body],
    cases_: Sequence[Case],
    only: Filter,
    *,
    today: date,
    rules: Sequence[Lifetime] = (),
) -> Facets:
    """What choosing another value of one part would show, the other parts staying as they are."""
    found = {}
    for part in fields(Filter):
        rest = replace(only, **{part.name: ""})
        values: Counter[str] = Counter()
        if part.name not in ("theme", "outcome"):
            for body in bodies(bodies_, rest, today=today, rules=rules):
                values.update(_values(body, part.name, body.serves, today, rules))
        if part.name not in ("capability", "readiness"):
            for case in cases(cases_, rest, today=today, rules=rules):
                values.update(_values(case, part.name, case.areas, today, rules))
        found[part.name] = values
    return found


def _values(
    thing: Body | Case, part: str, areas: Iterable[str], today: date, rules: Sequence[Lifetime]
) -> set[str]:
    if part == "freshness":
        return {freshness.of(thing, rules, today=today).state}
    if part == "capability" and isinstance(thing, Body):
        return set(thing.capabilities)
    more = {key.partition(":")[2] for key in areas if key.startswith(f"{part}:")}
    return {getattr(thing, part), *more} - {""}
