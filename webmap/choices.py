"""What a visitor may choose to see, and what she has chosen: one filter for pages, data and counts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from flask_babel import gettext

from layers.errors import N_
from layers.filters import Facets, Filter
from webmap import ages, db, i18n, names, params

_GROUPS = {
    "capability": "capabilities",
    "readiness": "readiness",
    "theme": "themes",
    "outcome": "outcomes",
}
PLACES = ("county", "municipality")
_TITLES = {
    "capability": N_("Can do"),
    "readiness": N_("Readiness"),
    "theme": N_("Theme"),
    "outcome": N_("Outcome"),
    "freshness": N_("Age of the facts"),
}
_AGES = ages.TITLES


@dataclass(frozen=True)
class Option:
    """One value of a part of the filter, and how many rows it would show."""

    value: str
    text: str
    count: int
    is_chosen: bool


@dataclass(frozen=True)
class Field:
    """One part of the filter as a form shows it."""

    name: str
    title: str
    options: tuple[Option, ...]


def chosen(args: Mapping[str, str]) -> Filter:
    """The filter of a query string.

    Raises:
        NotOneOf: a code that the instance does not have.
    """
    codes = db.instance().codes
    found = {name: params.one_of(args, name, codes.get(group, {})) for name, group in _GROUPS.items()}
    found |= {kind: params.one_of(args, kind, names.codes(kind)) for kind in PLACES if args.get(kind)}
    return Filter(**found, freshness=params.one_of(args, "freshness", _AGES))


def form(only: Filter, facets: Facets, *, without: Sequence[str] = ()) -> tuple[Field, ...]:
    """The fields of a filter form; a value that would show nothing is left out unless it is chosen."""
    return tuple(
        Field(part.name, _title(part.name), tuple(_options(part.name, getattr(only, part.name), facets)))
        for part in fields(Filter)
        if part.name not in without and (facets[part.name] or getattr(only, part.name))
    )


def _title(name: str) -> str:
    return str(gettext(_TITLES[name])) if name in _TITLES else i18n.label("area_kinds", name).capitalize()


def _options(name: str, now: str, facets: Facets) -> Iterator[Option]:
    counts = facets[name]
    values = {value: _text(name, value) for value in {*counts, now} - {""}}
    known = [*_AGES] if name == "freshness" else sorted(values, key=lambda value: values[value].casefold())
    for value in known:
        if value in values:
            yield Option(value, values[value], counts[value], value == now)


def _text(name: str, value: str) -> str:
    if name in PLACES:
        return names.area(f"{name}:{value}")
    return str(gettext(_AGES[value])) if name == "freshness" else i18n.label(_GROUPS[name], value)
