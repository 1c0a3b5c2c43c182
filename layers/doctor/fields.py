"""What the doctor looks for: the columns of an organisation and of an area, and how people call them.

A field is a column of the instance's own files (data/README.md). The words here are English; what people of a
country call their columns stands in the instance, in `imports.yaml`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from layers import geo
from layers.catalog import Instance
from layers.errors import N_, BadInstance, Problem, Sentence

FILE = "imports.yaml"
BODIES, AREAS = "bodies", "areas"
FACT = "fact_"
"""Begins the columns of facts about areas, of which an instance has its own."""
EAST, NORTH = "lon", "lat"
_OF_BODIES: Mapping[str, str] = {
    "name": "name title organisation organization unit station agency department label",
    "key": "key slug",
    "form": "form type kind category",
    "capabilities": "capabilities skills",
    "readiness": "readiness availability",
    "place": "place locality address street location",
    "settlement": "settlement village town city",
    "municipality": "municipality commune borough",
    "county": "county region state district",
    NORTH: "lat latitude y northing north coordy ycoord",
    EAST: "lon lng long longitude x easting east coordx xcoord",
    "precision": "precision accuracy",
    "serves": "serves coverage",
    "valid_from": "valid_from founded since opened start begin",
    "valid_to": "valid_to closed until end",
    "as_of": "as_of updated date modified",
    "as_of_inferred": "as_of_inferred",
    "source": "source",
    "source_url": "source_url url website web link homepage",
}
_OF_AREAS: Mapping[str, str] = {
    "code": "code id number no key gid fid",
    "name": "name title label",
    "parent": "parent",
    "valid_from": "valid_from since start begin",
    "valid_to": "valid_to until end",
    "as_of": "as_of updated date modified",
    "source": "source",
    "source_url": "source_url",
    "accuracy": "accuracy",
}
_ABOUT: Mapping[str, str] = {
    "name": N_("Name"),
    "key": N_("Key"),
    "form": N_("Form"),
    "capabilities": N_("Capabilities"),
    "readiness": N_("Readiness"),
    "place": N_("Place, in words"),
    "settlement": N_("Settlement"),
    "municipality": N_("Municipality"),
    "county": N_("County"),
    NORTH: N_("Latitude or northing"),
    EAST: N_("Longitude or easting"),
    "precision": N_("Precision of the point"),
    "serves": N_("Areas that it serves"),
    "valid_from": N_("Since"),
    "valid_to": N_("Until"),
    "as_of": N_("As of"),
    "as_of_inferred": N_("Whether the date is inferred (yes)"),
    "source": N_("Source"),
    "source_url": N_("Address of the source"),
    "code": N_("Code"),
    "parent": N_("Area around it"),
    "accuracy": N_("Accuracy of the borders"),
}
_IN_LANGUAGE: Mapping[str, str] = {"name": N_("Name ({language})"), "note": N_("Note ({language})")}
_FACT_SAID = N_("Fact: {name}")
_CODED = {"form": "forms", "capabilities": "capabilities", "readiness": "readiness", "precision": "precision"}


@dataclass(frozen=True)
class Field:
    """One thing that a file may tell. `words` are names of columns, `codes` the labels of its codes."""

    key: str
    label: Sentence
    words: tuple[str, ...] = ()
    codes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """A layer into which a file can be read, and its fields. `of` is BODIES or AREAS."""

    layer: str
    of: str
    kind: str
    fields: Mapping[str, Field]


@dataclass(frozen=True)
class Habits:
    """How people of a country write: further systems of coordinates, and words that mean “nothing known”."""

    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    systems: tuple[int, ...] = ()
    blanks: frozenset[str] = frozenset()


def habits(instance: Instance) -> Habits:
    """What the instance's `imports.yaml` says, where it has one.

    Raises:
        BadInstance: it is not written as data/README.md says.
    """
    file = instance.folder / FILE
    if not file.is_file():
        return Habits()
    try:
        said = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        columns = {str(key): [str(word) for word in words] for key, words in said.get("columns", {}).items()}
        systems = tuple(int(number) for number in said.get("systems", ()))
        blanks = frozenset(str(word).casefold() for word in said.get("blanks", ()))
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError, ValueError) as error:
        remedy = "Write columns, systems and blanks as data/README.md says."
        raise BadInstance([Problem(FILE, 0, f"It cannot be read: {error}.", remedy)]) from error
    unknown = sorted(columns.keys() - _ABOUT.keys())
    if unknown:
        what = f"It names columns that nobody looks for: {', '.join(unknown)}."
        raise BadInstance([Problem(FILE, 0, what, f"Use one of: {', '.join(_ABOUT)}.")])
    if wrong := [number for number in systems if not _is_system(number)]:
        what = f"EPSG:{wrong[0]} is no system of coordinates."
        raise BadInstance([Problem(FILE, 0, what, "Write EPSG numbers, for example 3035.")])
    return Habits(columns, systems, blanks)


def _is_system(number: int) -> bool:
    return number == 4326 or geo.is_metric(number)


def target(instance: Instance, layer: str) -> Target:
    """The fields of a layer.

    Raises:
        LayerNotFound: there is none of this name.
    """
    about, own = instance.layer(layer), habits(instance).columns
    found = {
        key: Field(
            key,
            Sentence(_ABOUT[key]),
            (*words.split(), *own.get(key, ())),
            instance.codes.get(_CODED.get(key, ""), {}),
        )
        for key, words in (_OF_AREAS if about.of == AREAS else _OF_BODIES).items()
    }
    for word in ("name",) if about.of == AREAS else ("name", "note"):
        for language in instance.languages:
            key = f"{word}_{language}"
            found[key] = Field(key, Sentence(_IN_LANGUAGE[word], language=language), (key,))
    return Target(layer, about.of, about.kind, found)


def with_facts(about: Target, columns: Sequence[str]) -> Target:
    """The same target, with a field for every fact about areas that a table tells."""
    if about.of != AREAS:
        return about
    facts = {
        column: Field(column, Sentence(_FACT_SAID, name=column.removeprefix(FACT)), (column,))
        for column in columns
        if column.startswith(FACT) and len(column) > len(FACT)
    }
    return replace(about, fields={**about.fields, **facts})


def tells_all(about: Target, columns: Mapping[str, object]) -> bool:
    """Whether a file has a column for everything, as those that were taken along from the map have.

    Such a file says with a blank that there is nothing. Of others a blank says nothing, and what follows from
    the rest of the row is filled in. Where an area's name stands in every language, none is without one.
    """
    needed = about.fields.keys() - {NORTH, EAST} - ({"name"} if about.of == AREAS else set())
    return needed <= columns.keys()
