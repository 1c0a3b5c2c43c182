"""All files of an instance → all rows, with the links between them checked."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from layers.catalog import FILE, Instance, Resource
from layers.errors import BadInstance, Problem
from layers.sources import areas, tables, texts
from layers.sources.rows import Checked, Row

# Areas that are drawn under everything and are no layer of their own.
_GROUND = ("land", "neighbours")
FACTS = "-facts"


@dataclass(frozen=True)
class Source:
    """One resource, read and checked. `table` names the table in which its rows belong."""

    resource: Resource
    table: str
    rows: tuple[Row, ...]
    checksum: str


def checksums(instance: Instance) -> dict[str, str]:
    """The checksum of every resource that is loaded, with its facts: tells quickly what changed."""
    about = _checksum(instance.folder / FILE)
    return {
        name: hashlib.sha256(
            f"{about}{_own(instance, name)}{_own(instance, name + FACTS)}".encode()
        ).hexdigest()
        for name in _loaded(instance)
    }


def _loaded(instance: Instance) -> list[str]:
    names = (*_GROUND, "settlements", "practices", *(layer.key for layer in instance.layers))
    return [name for name in names if name in instance.resources]


def _own(instance: Instance, name: str) -> str:
    return _checksum(instance.resources[name].path) if name in instance.resources else ""


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path.glob("*")) if path.is_dir() else [path]:
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def read(instance: Instance) -> list[Source]:
    """Every resource of the instance.

    Raises:
        BadInstance: with every problem in every file; nothing is half read.
    """
    known = checksums(instance)
    found = {name: (table, checked) for name, table, checked in _read_all(instance)}
    problems = [problem for _, checked in found.values() for problem in checked.problems]
    rows = {name: checked.rows for name, (_, checked) in found.items()}
    problems += _broken_links(instance, rows)
    if problems:
        raise BadInstance(problems)
    return [
        Source(instance.resources[name], table, rows[name], known[name]) for name, (table, _) in found.items()
    ]


def _read_all(instance: Instance) -> Iterator[tuple[str, str, Checked]]:
    resources = instance.resources
    missing = [layer.key for layer in instance.layers if layer.key not in resources]
    if missing:
        what = f"There is no resource for the layers {', '.join(missing)}."
        raise BadInstance([Problem("datapackage.json", 0, what, "Add one of the same name for each.")])
    for name in _loaded(instance):
        yield name, *_read_one(instance, name)


def _read_one(instance: Instance, name: str) -> tuple[str, Checked]:
    resource = instance.resources[name]
    if name == "settlements":
        return "settlement", tables.settlements(resource.path, instance=instance)
    if name == "practices":
        return "practice", texts.practices(resource.path, instance=instance)
    kind = "areas" if name in _GROUND else instance.layer(name).of
    if kind == "cases":
        return "case_study", texts.cases(resource.path, instance=instance)
    if kind == "bodies":
        return "body", tables.bodies(resource.path, layer=name, instance=instance)
    more = instance.resources.get(name + FACTS)
    facts = tables.facts(more.path) if more else {}
    return "area", areas.read(resource, instance=instance, facts=facts)


def _broken_links(instance: Instance, rows: Mapping[str, tuple[Row, ...]]) -> list[Problem]:
    keys = {name: {row.key for row in found} for name, found in rows.items()}
    bodies = [row for layer in instance.layers_of("bodies") for row in rows.get(layer.key, ())]
    area_keys = {row.key for found in rows.values() for row in found if ":" in row.key}
    body_keys = {row.key for row in bodies}
    cases, practices = rows.get("cases", ()), rows.get("practices", ())
    found = _repeated(bodies)
    for row in bodies:
        found += _dangling(row, (link["area"] for link in row.links["serves"]), area_keys, "area")
    for row in cases:
        found += _dangling(row, (link["area"] for link in row.links["areas"]), area_keys, "area")
        found += _dangling(row, (link["body"] for link in row.links["bodies"]), body_keys, "organisation")
        wanted = (link["practice"] for link in row.links["practices"])
        found += _dangling(row, wanted, keys.get("practices", set()), "practice")
    for row in practices:
        found += _dangling(row, row.values["related"], keys["practices"], "practice")
    return found


def _dangling(row: Row, wanted: Iterable[str], there: set[str], kind: str) -> list[Problem]:
    return [
        row.problem(f"It points to the {kind} “{key}”, which does not exist.", "Correct or remove it.")
        for key in wanted
        if key not in there
    ]


def _repeated(bodies: Iterable[Row]) -> list[Problem]:
    """One organisation, one address: its key is unique over all layers."""
    seen: dict[str, str] = {}
    return [
        row.problem(f"The key “{row.key}” is used in {seen[row.key]} too.", "Give one another key.")
        for row in bodies
        if seen.setdefault(row.key, row.file) != row.file
    ]
