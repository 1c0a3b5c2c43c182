"""What an instance wants from elsewhere: its `updates.yaml`, read and checked."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_origin

import yaml
from pyproj import CRS
from pyproj.exceptions import CRSError

from layers.catalog import Instance, Words, said
from layers.errors import N_, BadInstance, NotFound, Problem

FILE = "updates.yaml"
AREAS, SETTLEMENTS, CELLS, BODIES, FACTS = "area", "settlement", "cell", "body", "facts"
ANSWERS = ("zip", "wfs-json", "wfs-gml", "csv-zip", "pxweb")
ALIASES = ("keep", "report")
_NEEDED = {
    AREAS: {"code", "name"},
    SETTLEMENTS: {"code", "name", "municipality", "county"},
    CELLS: {"people"},
    BODIES: {"code", "name"},
    FACTS: {"code"},
}
_RESOURCES = {SETTLEMENTS: "settlements", CELLS: "cells"}
_RULES = ("column", "inner", "value", "live")
Range = tuple[float, float, float, float]


class SourceNotFound(NotFound):
    text = N_("There is no source “{key}” in updates.yaml. There are: {known}.")


class NoUpdates(NotFound):
    text = N_("This instance has no updates.yaml: nothing tells where official data are.")


@dataclass(frozen=True)
class Address:
    """One place where a source can be had. `answer` says what comes: a zip of map files, pages of a WFS …

    `inner` is a pattern for the file inside a zip, `type_name` a layer of a WFS, `page` how many features to
    ask for at once, `filter` what else to ask. `columns` and `as_of` replace those of the source. `question`
    is posted to a statistical table. `confidence` tells how sure the address is: A, B or C.
    """

    url: str
    answer: str
    confidence: str = ""
    inner: str = ""
    type_name: str = ""
    page: int = 5000
    filter: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    question: Mapping[str, Any] = field(default_factory=dict)
    as_of: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Wanted:
    """One source: where it is, what it must look like, and how it becomes rows of a table.

    * `table`, `layer`, `kind`: where its rows belong; `goes_with` names the source of areas to which a table
      of facts belongs.
    * `columns`: ours → theirs; one that begins with _ only filters. `values` translate what stands in a
      column ("*" for everything else), `only` keeps rows with one of these values, `pseudo` tells of rows
      that are none, `nothing` of values that mean "not known".
    * `crs` (EPSG) and `range` (west, south, east, north in it): in which system and where it must lie; it
      may also be delivered in one of `may_be`. `square` reads a square's side and corner out of its code.
    * `as_of`: rules in their order: a `column`, a pattern for the `inner` name, a `value`, or `live`.
    * `fixed`: values that every row has; `carried`: what the known row keeps where the source is silent;
      `within`: columns that are filled with the code of the area of a kind in which a point lies.
    * `code_pattern`: which part of a code counts (its first group), filled with zeros to `code_width`.
    * `lent`: facts that another source tells of its areas; it is worked out, and not in the file.
    * `aliases`: "keep" the known code where the official one has changed, or "report" only.
    """

    key: str
    title: Words
    table: str
    addresses: tuple[Address, ...]
    columns: Mapping[str, str]
    licence: str
    attribution: str
    rhythm: str
    least_rows: int
    layer: str = ""
    kind: str = ""
    parent_kind: str = ""
    goes_with: str = ""
    licence_url: str = ""
    confidence: str = ""
    most_rows: int = 1_000_000
    least_bytes: int = 1000
    most_bytes: int = 300_000_000
    most_unpacked: int = 2_000_000_000
    encoding: str = ""
    crs: int = 4326
    range: Range = (-180.0, -90.0, 180.0, 90.0)
    may_be: tuple[int, ...] = ()
    square: str = ""
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pseudo: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    nothing: tuple[str, ...] = ()
    as_of: tuple[Mapping[str, Any], ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    carried: tuple[str, ...] = ()
    within: Mapping[str, str] = field(default_factory=dict)
    aliases: str = "keep"
    code_pattern: str = ""
    code_width: int = 0
    lent: tuple[str, ...] = ()

    @property
    def resource(self) -> str:
        """The name of the resource, and so of the layer, that its rows belong to."""
        return self.layer or _RESOURCES.get(self.table, self.key)


def read(instance: Instance) -> tuple[Wanted, ...]:
    """The sources of an instance, in the order of its file.

    Raises:
        NoUpdates: it has no such file.
        BadInstance: with every problem in it.
    """
    file = instance.folder / FILE
    if not file.is_file():
        raise NoUpdates
    entries = _entries(file)
    if problems := [*_problems(entries, instance)]:
        raise BadInstance(problems)
    found = [_wanted(entry) for entry in entries]
    return tuple(replace(source, lent=_lent(source, found)) for source in found)


def _lent(source: Wanted, others: Iterable[Wanted]) -> tuple[str, ...]:
    """The facts that other sources tell of the areas of a source."""
    facts = [other for other in others if other.table == FACTS and other.goes_with == source.key]
    names = [name for other in facts for name in other.columns if name != "code" and name[0] != "_"]
    return (*names, *(f"{name}_as_of" for name in names))


def chosen(known: Sequence[Wanted], only: Iterable[str]) -> tuple[Wanted, ...]:
    """The sources named, with those they go with; all of them when none is named.

    Raises:
        SourceNotFound: one of the names is none.
    """
    by_key = {wanted.key: wanted for wanted in known}
    keys = list(only)
    for key in keys:
        if key not in by_key:
            raise SourceNotFound(key=key, known=", ".join(by_key))
    keys += [by_key[key].goes_with for key in keys]
    return tuple(wanted for wanted in known if not keys or wanted.key in keys)


def title(wanted: Wanted, language: str) -> str:
    return said(wanted.title, language, "en")


def _entries(file: Path) -> list[Any]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", -1) + 1
        what = f"The file cannot be read: {getattr(error, 'problem', None) or error}."
        raise BadInstance([Problem(FILE, line, what, "Mend the line and try again.")]) from error
    entries = found.get("sources") if isinstance(found, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadInstance([Problem(FILE, 0, "There is no list “sources”.", "See data/README.md.")])
    return entries


def _wanted(entry: Mapping[str, Any]) -> Wanted:
    parts = {name: _frozen(value) for name, value in entry.items()}
    parts["addresses"] = tuple(
        Address(**{name: _frozen(value) for name, value in address.items()}) for address in entry["addresses"]
    )
    parts["only"] = {name: _texts(values) for name, values in entry.get("only", {}).items()}
    parts["pseudo"] = {name: _texts(values) for name, values in entry.get("pseudo", {}).items()}
    parts["nothing"] = _texts(entry.get("nothing", ()))
    return Wanted(**parts)


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _problems(entries: Sequence[Mapping[str, Any]], instance: Instance) -> Iterator[Problem]:
    keys = [entry.get("key") for entry in entries]
    for number, entry in enumerate(entries, start=1):
        key = entry.get("key")
        name = f"“{key}”" if key else f"Source {number}"
        if keys.count(key) > 1:
            yield Problem(FILE, 0, f"{name} stands there twice.", "Give one of them another key.")
        shapeless = [*_parts(entry, Wanted)]
        addresses = entry.get("addresses")
        for address in addresses if isinstance(addresses, list) else ():
            shapeless += (
                _parts(address, Address)
                if isinstance(address, dict)
                else [("an address is a text.", "Write url and answer.")]
            )
        found = shapeless or [*_wrong(_wanted(entry), instance, keys)]
        for what, remedy in found:
            yield Problem(FILE, 0, f"{name}: {what}", remedy)


def _parts(entry: Mapping[str, Any], kind: type[Any]) -> Iterator[tuple[str, str]]:
    """Parts that are missing, unknown or of another sort than their default."""
    known = {part.name: part for part in fields(kind)}
    for part in known.values():
        if part.default is MISSING and part.default_factory is MISSING and not entry.get(part.name):
            yield f"{part.name} is missing.", "Add it: data/README.md says how."
    for name, value in entry.items():
        if name not in known or name == "lent":
            yield f"the part “{name}” is unknown.", "Correct its name or remove it."
        elif not _fits(value, known[name].type):
            yield f"{name} cannot be {value!r}.", "Compare it with data/README.md."


def _fits(value: Any, annotation: Any) -> bool:
    sort = get_origin(annotation) or annotation
    if sort is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {Mapping: dict, tuple: list}.get(sort, sort))


def _wrong(wanted: Wanted, instance: Instance, keys: Sequence[Any]) -> Iterator[tuple[str, str]]:
    if wanted.table not in _NEEDED:
        yield f"the table “{wanted.table}” is unknown.", f"Use one of: {', '.join(_NEEDED)}."
        return
    yield from _wrong_words(wanted, instance)
    yield from _wrong_target(wanted, instance, keys)
    for address in wanted.addresses:
        if not address.url.startswith(("https://", "http://")):
            yield f"“{address.url}” is no web address.", "Begin with https://."
        if address.answer not in ANSWERS:
            yield f"the answer “{address.answer}” is unknown.", f"Use one of: {', '.join(ANSWERS)}."
        if address.answer.startswith("wfs") and not address.type_name:
            yield f"{address.url} has no type_name.", "Name the layer of the WFS."
        if lost := sorted(_NEEDED[wanted.table] - {*wanted.columns, *address.columns}):
            yield f"columns has no {', '.join(lost)}.", "Say under which name the source has it."
        yield from _wrong_patterns(address.inner)
    yield from _wrong_patterns(
        wanted.square, wanted.code_pattern, *(str(rule["inner"]) for rule in wanted.as_of if "inner" in rule)
    )
    yield from _wrong_place(wanted)


def _wrong_words(wanted: Wanted, instance: Instance) -> Iterator[tuple[str, str]]:
    if lost := [language for language in instance.languages if not wanted.title.get(language)]:
        yield f"title lacks {', '.join(lost)}.", "Give it in every language of the instance."
    for rule in (*wanted.as_of, *(rule for address in wanted.addresses for rule in address.as_of)):
        if not isinstance(rule, dict) or len(rule) != 1 or next(iter(rule)) not in _RULES:
            yield f"as_of cannot be {rule!r}.", f"Each rule has one of: {', '.join(_RULES)}."
    if not wanted.as_of and not all(address.as_of for address in wanted.addresses):
        yield "as_of is missing.", "Say where the file tells its own day."
    if wanted.aliases not in ALIASES:
        yield f"aliases cannot be “{wanted.aliases}”.", f"Use one of: {', '.join(ALIASES)}."


def _wrong_target(wanted: Wanted, instance: Instance, keys: Sequence[Any]) -> Iterator[tuple[str, str]]:
    layers = {layer.key: layer for layer in instance.layers}
    of = {AREAS: "areas", BODIES: "bodies"}.get(wanted.table)
    if of:
        layer = layers.get(wanted.layer)
        if layer is None or layer.of != of:
            yield f"“{wanted.layer}” is no layer of {of}.", "Name a layer of instance.yaml."
        elif layer.finest:
            yield f"the layer “{wanted.layer}” has a privacy policy.", "Fill it from a file that you checked."
        elif of == "areas" and layer.kind != wanted.kind:
            yield f"kind cannot be “{wanted.kind}”.", f"The layer shows “{layer.kind}”."
    if wanted.table == FACTS and wanted.goes_with not in keys:
        yield "goes_with names no source.", "Name the source of the areas that it tells of."
    for name, group in (("form", "forms"), ("precision", "precision"), ("readiness", "readiness")):
        told = [wanted.fixed.get(name), *wanted.values.get(name, {}).values()]
        for value in told if wanted.table == BODIES else ():
            if value is not None and value not in instance.codes.get(group, {}):
                yield f"the {name} “{value}” is unknown.", "Use a code of instance.yaml."
    if wanted.table == BODIES and not (wanted.fixed.get("precision") and _has(wanted, "form")):
        yield "bodies need a form and a precision.", "Write them under fixed, or the form under columns."


def _has(wanted: Wanted, name: str) -> bool:
    return name in wanted.columns or name in wanted.fixed


def _wrong_patterns(*patterns: str) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"“{pattern}” is no pattern ({error}).", "Write a regular expression of Python."


def _wrong_place(wanted: Wanted) -> Iterator[tuple[str, str]]:
    for number in (wanted.crs, *wanted.may_be):
        try:
            CRS.from_epsg(number)
        except (CRSError, TypeError, ValueError):
            yield f"there is no system EPSG:{number}.", "Write the number of a system, for example 4326."
    try:
        west, south, east, north = wanted.range
        is_box = west < east and south < north
    except (TypeError, ValueError):
        is_box = False
    if not is_box:
        yield f"range cannot be {list(wanted.range)}.", "Write [west, south, east, north] in its system."
