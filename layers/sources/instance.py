"""All files of an instance → all rows, with the links between them checked."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from layers import dates
from layers.catalog import FILE, KEY_FILE, PACKAGE, Instance, Resource
from layers.errors import BadInstance, Problem
from layers.sources import areas, privacy, recoded, tables, texts, written
from layers.sources.recoded import Codes
from layers.sources.rows import Checked, Row

# Areas that are drawn under everything and are no layer of their own.
_GROUND = ("land", "neighbours")
FACTS = "-facts"


@dataclass(frozen=True)
class Source:
    """One resource, read and checked. `table` names the table in which its rows belong.

    `notes` tell what was done to its rows, as where points were too fine for the layer.
    """

    resource: Resource
    table: str
    rows: tuple[Row, ...]
    checksum: str
    notes: tuple[Problem, ...] = ()


def checksums(instance: Instance) -> dict[str, str]:
    """The checksum of every resource that is loaded, with its facts: tells quickly what changed."""
    about = _checksum(instance.folder / FILE) + _checksum(instance.folder / PACKAGE)
    if (instance.folder / KEY_FILE).is_file():
        about += _checksum(instance.folder / KEY_FILE)
    return {
        name: hashlib.sha256(
            f"{about}{_own(instance, name)}{_own(instance, name + FACTS)}".encode()
        ).hexdigest()
        for name in _loaded(instance)
    }


def _loaded(instance: Instance) -> list[str]:
    names = (
        *_GROUND,
        "settlements",
        "cells",
        "counts",
        "practices",
        "events",
        "journal",
        "pages",
        *(layer.key for layer in instance.layers),
    )
    return [name for name in names if name in instance.resources]


def _own(instance: Instance, name: str) -> str:
    return _checksum(instance.resources[name].path) if name in instance.resources else ""


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    # A journal has a folder of files inside.
    files = (file for file in path.rglob("*") if file.is_file())
    for file in sorted(files) if path.is_dir() else [path]:
        digest.update(file.name.encode())
        with file.open("rb") as opened:
            while block := opened.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def read(instance: Instance, *, today: date | None = None, codes: Codes = recoded.NOTHING) -> list[Source]:
    """Every resource of the instance. With `today`, a text that tells of a later day is refused.

    Areas whose codes have changed keep those under which the store knows them (`codes`), and so do the links
    of all other rows.

    Raises:
        BadInstance: with every problem in every file; nothing is half read.
    """
    known = checksums(instance)
    missing = [layer.key for layer in instance.layers if layer.key not in instance.resources]
    if missing:
        # Without it the loss of a line in the package would end every row of the layer in silence.
        what = f"There is no resource for the layers {', '.join(missing)}."
        raise BadInstance([Problem(PACKAGE, 0, what, "Add one of the same name for each.")])
    found = {name: _read_one(instance, name, today) for name in _loaded(instance)}
    gazetteer = found["settlements"][1].rows if "settlements" in found else ()
    for name, keeper in privacy.keepers(instance, gazetteer).items():
        table, checked = found[name]
        found[name] = table, privacy.kept(checked, keeper)
    found = _recoded(instance, found, codes, today)
    problems = [problem for _, checked in found.values() for problem in checked.problems]
    problems += _broken_links(instance, {name: checked for name, (_, checked) in found.items()})
    if problems:
        raise BadInstance(problems)
    return [
        Source(instance.resources[name], table, checked.rows, known[name], checked.notes)
        for name, (table, checked) in found.items()
    ]


def _read_one(instance: Instance, name: str, today: date | None) -> tuple[str, Checked]:
    path = instance.resources[name].path
    if name == "settlements":
        return "settlement", tables.settlements(path, instance=instance)
    if name == "cells":
        return "cell", tables.cells(path, instance=instance)
    if name == "counts":
        return "count", tables.counts(path, instance=instance)
    if name == "practices":
        return "practice", texts.practices(path, instance=instance, today=today)
    if name == "events":
        return "event", tables.events(path, instance=instance)
    if name == "journal":
        return "journal", texts.journal(path, instance=instance, today=today)
    if name == "pages":
        return "page", texts.pages(path, instance=instance, today=today)
    kind = "areas" if name in _GROUND else instance.layer(name).of
    if kind == "cases":
        return "case_study", texts.cases(path, instance=instance, today=today)
    if kind == "bodies":
        return "body", tables.bodies(path, layer=name, instance=instance)
    return "area", _read_areas(instance, name)


def _recoded(
    instance: Instance, found: Mapping[str, tuple[str, Checked]], codes: Codes, today: date | None
) -> dict[str, tuple[str, Checked]]:
    """The same resources with areas, and links to them, under the codes by which they are known."""
    again, told = dict(found), codes.book
    days = {name: _day(instance.resources[name], today) for name in found}
    for name, (table, checked) in found.items():
        if table == "area":
            checked, book = recoded.areas(checked, codes, day=days[name], language=instance.default_language)
            again[name], told = (table, checked), told.joined(book.told)
    return {
        name: (table, recoded.links(checked, table, told, day=days[name]))
        for name, (table, checked) in again.items()
    }


def _day(resource: Resource, today: date | None) -> date:
    """Of which day a resource speaks where its rows do not say so."""
    return dates.first_day(resource.as_of) if resource.as_of else today or date.max


def _read_areas(instance: Instance, name: str) -> Checked:
    resource = instance.resources[name]
    if name + FACTS not in instance.resources:
        return areas.read(resource, instance=instance, facts={})
    facts = tables.facts(instance.resources[name + FACTS].path, instance=instance)
    about = {(row.key, row.valid_from): row.values for row in facts.rows}
    checked = areas.read(resource, instance=instance, facts=about)
    return replace(checked, problems=(*facts.problems, *_unused(facts, checked), *checked.problems))


def _unused(facts: Checked, found: Checked) -> list[Problem]:
    """Facts that belong to no area; not asked where areas were refused, which may be theirs."""
    if found.problems:
        return []
    there = {(row.values["code"], row.valid_from) for row in found.rows}
    return [
        row.problem(f"There is no area “{row.key}” with this valid_from.", "Correct the code or the date.")
        for row in facts.rows
        if (row.key, row.valid_from) not in there
    ]


def _broken_links(instance: Instance, found: Mapping[str, Checked]) -> list[Problem]:
    of = {name: "areas" if name in _GROUND else name for name in found}
    of |= {layer.key: layer.of for layer in instance.layers}
    there = {
        kind: _keys(checked for name, checked in found.items() if of[name] == kind)
        for kind in ("areas", "bodies", "cases", "practices")
    }
    bodies = [row for name, checked in found.items() if of[name] == "bodies" for row in checked.rows]
    problems = _used_twice(bodies)
    for row in bodies:
        problems += _dangling(row, (link["area"] for link in row.links["serves"]), there["areas"], "area")
    country = f"country:{instance.key}"
    for row in found["counts"].rows if "counts" in found else ():
        if row.values["area"] != country:
            problems += _dangling(row, [row.values["area"]], there["areas"], "area")
    told = {name: found[name].rows + found[name].held for name in ("cases", "practices") if name in found}
    held = {name: {row.key for row in checked.held} for name, checked in found.items()}
    for row in told.get("cases", ()):
        wanted = (link["practice"] for link in row.links["practices"])
        # A draft may lean on another draft.
        drafts = held.get("practices", set()) if row.key in held["cases"] else set()
        known = None if there["practices"] is None else there["practices"] | drafts
        problems += _dangling(row, wanted, known, "practice")
        problems += _dangling(row, (link["area"] for link in row.links["areas"]), there["areas"], "area")
        wanted = (link["body"] for link in row.links["bodies"])
        problems += _dangling(row, wanted, there["bodies"], "organisation")
    for row in told.get("practices", ()):
        problems += _dangling(row, row.values["related"], there["practices"], "practice")
    for row in found["events"].rows if "events" in found else ():
        problems += _dangling(row, row.values["practices"], there["practices"], "practice")
    problems += _lost_mentions([row for rows in told.values() for row in rows], there)
    if all(there[name] is not None and not found[name].problems for name in told):
        shown = {name: found[name].rows for name in told}
        problems += written.uncrossed(shown.get("cases", ()), shown.get("practices", ()), instance)
        if "cases" in found:
            problems += written.uncrossed(found["cases"].held, (), instance)
    return problems


def _keys(checked: Iterable[Checked]) -> set[str] | None:
    """The keys that stand in some files, used or refused; None when one of the files cannot be read."""
    keys: set[str] = set()
    for one in checked:
        if one.refused is None:
            return None
        keys |= {row.key for row in one.rows} | one.refused
    return keys


def _dangling(row: Row, wanted: Iterable[str], there: set[str] | None, kind: str) -> list[Problem]:
    return [
        row.problem(f"It points to the {kind} “{key}”, which does not exist.", "Correct or remove it.")
        for key in wanted
        if there is not None and key not in there
    ]


def _lost_mentions(rows: Iterable[Row], there: Mapping[str, set[str] | None]) -> list[Problem]:
    """Links in the texts that lead nowhere, each with its line."""
    kinds = {"case": there["cases"], "practice": there["practices"], "body": there["bodies"]}
    return [
        Problem(
            one.file,
            one.line,
            f"The text points to the {one.kind} “{one.key}”, which does not exist.",
            "Correct or remove it.",
        )
        for row in rows
        for one in row.mentions
        if (known := kinds[one.kind]) is not None and one.key not in known
    ]


def _used_twice(bodies: Iterable[Row]) -> list[Problem]:
    """One organisation, one address: its key is unique over all layers."""
    seen: dict[str, str] = {}
    return [
        row.problem(f"The key “{row.key}” is used in {seen[row.key]} too.", "Give one another key.")
        for row in bodies
        if seen.setdefault(row.key, row.file) != row.file
    ]
