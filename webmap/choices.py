"""What a visitor may choose to see, and what she has chosen: one filter for pages, data and counts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flask_babel import gettext

from layers.errors import N_
from layers.filters import PARTS, Facets, Filter
from webmap import ages, db, i18n, names, params

_GROUPS = {
    "capability": "capabilities",
    "readiness": "readiness",
    "theme": "themes",
    "party": "parties",
    "outcome": "outcomes",
    "stage": "stages",
    "place_kind": "place_kinds",
}
PLACES = ("county", "municipality")
_TITLES = {
    "capability": N_("Can do"),
    "readiness": N_("Readiness"),
    "theme": N_("Theme"),
    "party": N_("Who took part"),
    "outcome": N_("Outcome"),
    "stage": N_("Evidence"),
    "place_kind": N_("Kind of place"),
    "practice": N_("Practice"),
    "text": N_("Words in the text"),
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

    @property
    def chosen(self) -> tuple[Option, ...]:
        return tuple(one for one in self.options if one.is_chosen)


def chosen(args: Mapping[str, str]) -> Filter:
    """The filter of a query string.

    Raises:
        NotOneOf: a code that the instance does not have.
    """
    codes = db.instance().codes
    found = {
        name: _codes(args, name, codes.get(group, {})) for name, group in _GROUPS.items() if args.get(name)
    }
    found |= {kind: _codes(args, kind, names.codes(kind)) for kind in PLACES if args.get(kind)}
    if args.get("practice"):
        found["practice"] = _codes(args, "practice", names.practices())
    if args.get("freshness"):
        found["freshness"] = _codes(args, "freshness", _AGES)
    return Filter(**found, text=params.words(args, "text"))


def _codes(args: Mapping[str, str], name: str, allowed: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(params.some_of(args, name, allowed) or ())


def query(only: Filter) -> dict[str, str]:
    """A filter as the parameters of an address: what `chosen` reads, in one way of writing."""
    said = {name: getattr(only, name) for name in PARTS}
    return {
        name: value if isinstance(value, str) else ",".join(value) for name, value in said.items() if value
    }


def form(only: Filter, facets: Facets, *, without: Sequence[str] = ()) -> tuple[Field, ...]:
    """The fields of a filter form; a value that would show nothing is left out unless it is chosen."""
    return tuple(
        Field(name, title(name), tuple(_options(name, getattr(only, name), facets)))
        for name in PARTS
        if name in facets and name not in without and (facets[name] or getattr(only, name))
    )


def title(name: str) -> str:
    """What a part of the filter is called."""
    return str(gettext(_TITLES[name])) if name in _TITLES else i18n.label("area_kinds", name).capitalize()


def _options(name: str, now: Sequence[str], facets: Facets) -> Iterator[Option]:
    counts = facets[name]
    values = {value: told(name, value) for value in {*counts, *now}}
    known = [*_AGES] if name == "freshness" else sorted(values, key=lambda value: values[value].casefold())
    for value in known:
        if value in values:
            yield Option(value, values[value], counts[value], value in now)


def told(name: str, value: str) -> str:
    """One value of a part in this request's language."""
    if name in PLACES:
        return names.area(f"{name}:{value}")
    if name == "practice":
        return names.practices().get(value, value)
    return str(gettext(_AGES[value])) if name == "freshness" else i18n.label(_GROUPS[name], value)
