"""The import doctor: a file that somebody has → what it tells, what is wrong with it, and a plan.

`begin` says what a file seems to tell, `examine` reads every row of it, `written` gives what a steward takes
along: the list of what to mend, and a repaired copy. Nothing is written to the store here: the rows of an
examination are planned and applied by `layers.editions`, all or nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from layers import dates, editions, readers
from layers.catalog import Instance, Resource
from layers.doctor import exam, fields, grounds, guess, same
from layers.doctor.exam import REFUSED, REPAIRED, USED, Exam, Finding, How
from layers.doctor.fields import AREAS, BODIES, Field, Target, target
from layers.doctor.guess import Guess
from layers.doctor.same import Double, doubles
from layers.editions import Plan
from layers.errors import N_, Invalid
from layers.jobs import progress
from layers.jobs.progress import Tell
from layers.links import StoreCodes
from layers.model import EDITS, Edition
from layers.readers import Table
from layers.sources import privacy
from layers.sources.rows import Row, Unusable, slug, web_address

__all__ = [
    "AREAS",
    "BODIES",
    "REFUSED",
    "REPAIRED",
    "USED",
    "About",
    "Begun",
    "Double",
    "Exam",
    "Field",
    "Finding",
    "Guess",
    "How",
    "Target",
    "begin",
    "doubles",
    "examine",
    "plan",
    "remembered",
    "resource",
    "target",
]


class BadDataset(Invalid):
    text = N_("The name of a dataset is small letters a–z, digits and single hyphens; “{dataset}” is not.")


class NoSource(Invalid):
    text = N_(
        "Say where the file comes from and under which licence it may be shown: nothing is shown without."
    )


class BadAddress(Invalid):
    text = N_("The address of the source begins with https://; “{address}” does not.")


class NothingUsable(Invalid):
    text = N_("None of the {total} rows can be used: nothing would be imported.")


class NotForFiles(Invalid):
    text = N_("Only organisations and areas can be read from a file; the layer “{layer}” holds neither.")


class Reader(Protocol):
    """How a file becomes a table."""

    def __call__(self, path: Path, *, name: str = "", encoding: str = "") -> Table: ...


@dataclass(frozen=True)
class About:
    """What a steward says of a file. `dataset` is the name under which the same source comes again."""

    dataset: str
    source: str
    licence: str
    as_of: str = ""
    source_url: str = ""
    title: str = ""


@dataclass(frozen=True)
class Begun:
    """What a file seems to tell: its table, the layer's fields, and the guessed columns with their reason."""

    table: Table
    target: Target
    guesses: Mapping[str, Guess]

    @property
    def how(self) -> How:
        return How({key: one.column for key, one in self.guesses.items()}, sheet=self.table.name)


def begin(
    session: Session,
    instance: Instance,
    file: Path,
    *,
    layer: str,
    today: date,
    dataset: str = "",
    sheet: str = "",
    encoding: str = "",
    read: Reader = readers.read,
) -> Begun:
    """Reads a file's columns and guesses what they tell; where the dataset came before, as it was read then.

    `read` is another reader for files of strangers (`layers.readers.apart`).

    Raises:
        LayerNotFound: there is no such layer.
        NotForFiles: its rows are neither organisations nor areas.
        Unreadable: the file cannot be used.
    """
    about = target(instance, _checked(instance, layer))
    table = read(file, name=sheet, encoding=encoding)
    known = grounds.known(session, instance, as_of=today)
    about = fields.with_facts(about, table.columns)
    found = guess.guess(table, about, instance=instance, known=known, habits=fields.habits(instance))
    before = _how(session, layer, dataset) if dataset else {}
    again = guess.remembered(before.get("columns", {}), table.columns)
    used = {one.column for one in again.values()}
    return Begun(table, about, {key: one for key, one in found.items() if one.column not in used} | again)


def _checked(instance: Instance, layer: str) -> str:
    if instance.layer(layer).of not in (BODIES, AREAS):
        raise NotForFiles(layer=layer)
    return layer


def _how(session: Session, layer: str, dataset: str) -> dict[str, Any]:
    """How the newest edition of a dataset was read."""
    query = select(Edition.how).where(Edition.table_name == layer, Edition.dataset == dataset)
    return dict(session.scalar(query.order_by(Edition.id.desc()).limit(1)) or {})


def remembered(session: Session, layer: str, dataset: str) -> How:
    """How a dataset was read the last time; empty where it never was."""
    how = _how(session, layer, dataset)
    return How(**{name: how[name] for name in ("columns", "same", "crs", "sheet", "encoding") if name in how})


def resource(about: About, layer: str, instance: Instance) -> Resource:
    """A file's dataset as a resource of a layer.

    Raises:
        BadDataset: its name is no key, or one of the house's own.
        NoSource: its source or its licence is not told.
        BadDate: `as_of` is no date.
        BadAddress: the source's address is none.
    """
    try:
        slug(about.dataset)
    except Unusable as error:
        raise BadDataset(dataset=about.dataset) from error
    if about.dataset == EDITS:
        raise BadDataset(dataset=about.dataset)
    if not (about.source.strip() and about.licence.strip()):
        raise NoSource
    try:
        web_address(about.source_url)
    except Unusable as error:
        raise BadAddress(address=about.source_url) from error
    language = instance.default_language
    return Resource(
        name=layer,
        path=Path(),
        title={language: about.title or about.source},
        licence=about.licence.strip(),
        source={language: about.source.strip()},
        source_url=about.source_url,
        as_of=dates.partial(about.as_of) if about.as_of else "",
        dataset=about.dataset,
    )


def examine(
    session: Session,
    instance: Instance,
    begun: Begun,
    how: How,
    about: About,
    *,
    today: date,
    tell: Tell = progress.silent,
) -> Exam:
    """Reads every row of a begun file as `how` says, and tells how far it is; writes nothing.

    Raises:
        as `resource` does, and Unreadable: the file changed while it was read.
    """
    known = grounds.known(session, instance, as_of=today)
    gazetteer = [
        Row(code, 0, "", {"geom": spot.point})
        for (kind, code), spot in known.coded.items()
        if kind == grounds.SETTLEMENT
    ]
    return exam.examine(
        begun.table,
        begun.target,
        how,
        resource=resource(about, begun.target.layer, instance),
        instance=instance,
        known=known,
        habits=fields.habits(instance),
        today=today,
        codes=StoreCodes(session, instance.default_language),
        keeper=privacy.keepers(instance, gazetteer).get(begun.target.layer),
        tell=tell,
    )


def plan(session: Session, found: Exam, about: Resource, *, file: Path) -> Plan:
    """What the rows of an examination would change in their dataset; writes nothing.

    Raises:
        NothingUsable: no row can be used.
    """
    if not found.rows:
        raise NothingUsable(total=found.total)
    source = same.kept(session, found.source(about, checksum=checksum(file)))
    return editions.plan(editions.known(session, source), source)


def checksum(file: Path) -> str:
    """Of a file's bytes: tells whether the same file comes again."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
