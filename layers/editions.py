"""A plan → an edition: what an import changes, which of several datasets speaks, and how it is undone.

Nothing is overwritten: an old row is retired by the edition that replaces it.

Several datasets may tell of one thing: rows with the same key whose times overlap. Then the strongest speaks:
what people corrected by hand, before what was imported, before the instance's own files, and of equals the
dataset that came last; but an official area goes before one that is not. The others are hidden: they
come back when what hid them goes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import shapely
from sqlalchemy import Select, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from layers import columns, dates, erasures, geo, outlines, store
from layers.catalog import Resource
from layers.columns import batches, wkb_of
from layers.errors import N_, Invalid, NotFound
from layers.jobs import progress
from layers.jobs.progress import Tell
from layers.model import (
    EDITS,
    RENEWED,
    Area,
    Base,
    Body,
    Case,
    CaseArea,
    CaseBody,
    CasePractice,
    Cell,
    Count,
    Edition,
    Entry,
    Event,
    Page,
    Practice,
    Serves,
    Settlement,
    is_shown,
)
from layers.sources.instance import Source
from layers.sources.rows import Row, digests

TABLES: Mapping[str, type[Any]] = {
    "area": Area,
    "body": Body,
    "case_study": Case,
    "cell": Cell,
    "count": Count,
    "event": Event,
    "journal": Entry,
    "page": Page,
    "practice": Practice,
    "settlement": Settlement,
}
# Tables that hang on a fact: relationship -> (table, the column that points back).
_LINKS: Mapping[str, tuple[type[Base], str]] = {
    "serves": (Serves, "body_id"),
    "practices": (CasePractice, "case_id"),
    "bodies": (CaseBody, "case_id"),
    "areas": (CaseArea, "case_id"),
}
_LINKED: Mapping[str, tuple[str, ...]] = {"body": ("serves",), "case_study": ("practices", "bodies", "areas")}
OFFICIAL = "official"
Identity = tuple[str, str]
"""Key and beginning of a fact."""


class EditionNotFound(NotFound):
    text = N_("There is no edition {number}.")


class OfFiles(Invalid):
    text = N_("Edition {number} holds the instance's own files: change the files instead.")


class NothingToUndo(Invalid):
    text = N_("Edition {number} only shows again what another had hidden: there is nothing to undo.")


class AlreadyUndone(Invalid):
    text = N_("Edition {number} has been undone already, by edition {by}.")


class ChangedSince(Invalid):
    text = N_("Edition {later} has changed “{key}” since: undo that one first.")


@dataclass(frozen=True)
class Plan:
    """What an import would do, before it does it. `total` rows are its dataset's afterwards."""

    source: Source
    added: tuple[Row, ...] = ()
    changed: tuple[Row, ...] = ()
    unchanged: int = 0
    retired: tuple[int, ...] = field(default=(), repr=False)
    ended: tuple[str, ...] = field(default=(), repr=False)
    total: int = 0

    @property
    def does_nothing(self) -> bool:
        return not (self.added or self.changed or self.retired)


# --- Compared, then written


def known(session: Session, source: Source) -> dict[Identity, tuple[int, str]]:
    """What the source's dataset says so far, hidden or not: identity -> id and digest."""
    table, resource = TABLES[source.table], source.resource
    own = _editions_of(resource.name, resource.dataset)
    query = select(table.id, table.key, table.valid_from, table.digest).where(
        table.retired_in.is_(None), table.edition_id.in_(own)
    )
    return {(row.key, row.valid_from): (row.id, row.digest) for row in session.execute(query)}


def plan(
    known_rows: Mapping[Identity, tuple[int, str]], source: Source, *, ends: Iterable[str] | None = None
) -> Plan:
    """Compares what is known with what the source says; writes nothing.

    A source tells its whole dataset, and what it no longer has is ended. One that tells only some things
    names in `ends` the keys that it ends.
    """
    rows = {(row.key, row.valid_from): row for row in source.rows}
    again = [row for identity, row in rows.items() if identity in known_rows]
    said = {(row.key, row.valid_from): digest for row, digest in zip(again, _digests(again), strict=True)}
    added = tuple(row for identity, row in rows.items() if identity not in known_rows)
    differs = {
        identity: known_rows[identity][0]
        for identity, digest in said.items()
        if known_rows[identity][1] != digest
    }
    keys = None if ends is None else {*ends}
    gone = {
        identity: id_
        for identity, (id_, _) in known_rows.items()
        if identity not in rows and (keys is None or identity[0] in keys)
    }
    return Plan(
        source=source,
        added=added,
        changed=tuple(rows[identity] for identity in differs),
        unchanged=len(rows) - len(added) - len(differs),
        retired=(*differs.values(), *gone.values()),
        ended=tuple(key for key, _ in gone),
        total=len(known_rows) + len(added) - len(gone),
    )


def apply(
    session: Session,
    plan: Plan,
    *,
    now: datetime,
    account: str = "",
    note: str = "",
    how: Mapping[str, Any] | None = None,
    tell: Tell = progress.silent,
) -> int:
    """Writes an edition with the plan's rows, lets the strongest of all datasets speak, and raises the
    revisions of the layers that change. `how` its columns were read is remembered. The caller commits.

    It tells how many rows are written and settled.

    Returns:
        the edition's number.
    """
    plan, source = _without_erased(session, plan), plan.source
    edition = _edition(session, source, now=now, rows=plan.total, account=account, note=note)
    edition.how = dict(how or {})
    _retire(session, source.table, plan.retired, edition=edition.id)
    _insert(session, TABLES[source.table], (*plan.added, *plan.changed), edition_id=edition.id, tell=tell)
    keys = {row.key for row in (*plan.added, *plan.changed)}.union(plan.ended)
    touched = settle(session, source.table, keys, edition=edition, now=now, tell=tell)
    _draw(session, plan)
    for layer in sorted(touched | ({source.resource.name} if not plan.does_nothing else set())):
        store.raise_revision(session, layer)
    return int(edition.id)


def _without_erased(session: Session, plan: Plan) -> Plan:
    """What of a plan may be written; what is left of a changed row may be what is known already."""
    if not erasures.ledger(session):
        return plan
    fact = TABLES[plan.source.table]
    added = erasures.kept(session, plan.source.table, plan.added)
    changed = erasures.kept(session, plan.source.table, plan.changed)
    there: dict[tuple[str, str, str], int] = {}
    for ids in batches(plan.retired):
        query = select(fact.id, fact.key, fact.valid_from, fact.digest).where(fact.id.in_(ids))
        there |= {(row.key, row.valid_from, row.digest): row.id for row in session.execute(query)}
    said = {
        (row.key, row.valid_from, digest): row for row, digest in zip(changed, _digests(changed), strict=True)
    }
    same = {there[one] for one in said if one in there}
    return replace(
        plan,
        added=tuple(added),
        changed=tuple(row for one, row in said.items() if one not in there),
        unchanged=plan.unchanged + len(same),
        retired=tuple(id_ for id_ in plan.retired if id_ not in same),
        total=plan.total - (len(plan.added) - len(added)),
    )


def end(
    session: Session, resource: Resource, *, now: datetime, checksum: str, account: str = "", note: str = ""
) -> Plan:
    """Retires every row of a dataset, in an edition without rows. The caller commits."""
    source = Source(resource, table="", rows=(), checksum=checksum)
    edition = _edition(session, source, now=now, rows=0, account=account, note=note)
    own = _editions_of(resource.name, resource.dataset)
    retired: list[int] = []
    ended: list[str] = []
    touched = {resource.name}
    for table, fact in TABLES.items():
        said = select(fact.id, fact.key).where(fact.edition_id.in_(own), fact.retired_in.is_(None))
        rows = session.execute(said).all()
        retired += [row.id for row in rows]
        ended += [row.key for row in rows]
        touched |= _give_back(session, table, rows, edition, now=now)
    for layer in sorted(touched):
        store.raise_revision(session, layer)
    return Plan(source, retired=tuple(retired), ended=tuple(ended))


def _give_back(
    session: Session,
    table: str,
    rows: Sequence[Any],
    edition: Edition,
    *,
    now: datetime,
    also: Iterable[str] = (),
) -> set[str]:
    """Retires rows, shows what they hid and settles other keys; the layers in which that changed anything."""
    keys = sorted({row.key for row in rows}.union(also))
    _retire(session, table, [row.id for row in rows], edition=edition.id)
    touched = settle(session, table, keys, edition=edition, now=now)
    if table == "area":
        outlines.renew(session, {key.split(":")[0] for key in keys})
    return touched


def _editions_of(layer: str, dataset: str) -> Select[int]:
    return select(Edition.id).where(Edition.table_name == layer, Edition.dataset == dataset)


def _edition(
    session: Session, source: Source, *, now: datetime, rows: int, account: str, note: str
) -> Edition:
    resource = source.resource
    edition = Edition(
        table_name=resource.name,
        dataset=resource.dataset,
        account=account,
        note=note,
        title=dict(resource.title),
        source=dict(resource.source),
        source_url=resource.source_url,
        licence=resource.licence,
        as_of=resource.as_of,
        loaded_at=dates.moment(now),
        checksum=source.checksum,
        rows=rows,
    )
    session.add(edition)
    session.flush()
    return edition


def _retire(session: Session, table: str, ids: Sequence[int], *, edition: int) -> None:
    fact = TABLES[table]
    for some in batches(ids):
        said = update(fact).where(fact.id.in_(some), fact.retired_in.is_(None))
        session.execute(said.values(retired_in=edition))


def _insert(session: Session, table: type[Any], rows: Sequence[Row], *, edition_id: int, tell: Tell) -> None:
    done = 0
    with columns.indexed_at_once(session.connection(), table.__table__):
        for some in batches(rows):
            tell(progress.WRITE, done, len(rows))
            _insert_batch(session, table, some, edition_id=edition_id)
            done += len(some)
        tell(progress.WRITE, done, len(rows))


def _insert_batch(session: Session, table: type[Any], rows: Sequence[Row], *, edition_id: int) -> None:
    shapes = columns.stored([row.values.get("geom") for row in rows])
    values = [
        {"key": row.key, "edition_id": edition_id, "digest": digest, **row.values}
        | ({"geom": shape} if "geom" in row.values else {})
        for row, digest, shape in zip(rows, digests(rows), shapes, strict=True)
    ]
    if not any(row.links for row in rows):
        # The driver's own executemany takes a fifth of the time of statements that return the new numbers.
        session.connection().execute(insert(table.__table__), values)
        return
    ids = session.scalars(insert(table).returning(table.id, sort_by_parameter_order=True), values).all()
    numbered = list(zip(ids, rows, strict=True))
    for name, (links, back) in _LINKS.items():
        linked = [{back: id_, **link} for id_, row in numbered for link in row.links.get(name, ())]
        if linked:
            session.execute(insert(links), linked)


def _draw(session: Session, plan: Plan) -> None:
    """Prepares the outlines of the kinds of area that a plan changes."""
    if plan.source.table != "area":
        return
    kinds = {row.values["kind"] for row in (*plan.added, *plan.changed)}
    for ids in batches(plan.retired):
        kinds |= set(session.scalars(select(Area.kind).where(Area.id.in_(ids)).distinct()))
    outlines.renew(session, kinds)


def _digests(rows: Sequence[Row]) -> Iterator[str]:
    for some in batches(rows):
        yield from digests(some)


# --- Which dataset speaks


def settle(
    session: Session,
    table: str,
    keys: Iterable[str],
    *,
    edition: Edition,
    now: datetime,
    tell: Tell = progress.silent,
) -> set[str]:
    """Hides what a stronger dataset tells too, and shows again what none does any more.

    Returns:
        the layers in which something was hidden or came back.
    """
    fact = TABLES[table]
    if not _are_several(session, fact):
        return set()
    came = _came(session)
    again: dict[tuple[str, str], int] = {(edition.table_name, edition.dataset): edition.id}
    touched: set[str] = set()
    ordered, done = sorted(keys), 0
    for some in batches(ordered):
        tell(progress.SETTLE, done, len(ordered))
        done += len(some)
        hide, show = _unsettled(_claims(session, fact, some, came))
        for claim in hide:
            session.execute(update(fact).where(fact.id == claim.id).values(hidden_in=edition.id))
        for claim in show:
            whose = _whose(claim)
            if whose not in again:
                again[whose] = _renewed(session, *whose, now=now, account=edition.account)
            _copy(session, table, claim.id, edition=again[whose])
            _retire(session, table, [claim.id], edition=again[whose])
        touched |= {claim.table_name for claim in (*hide, *show)}
    return touched


def _are_several(session: Session, fact: type[Any]) -> bool:
    """Whether the table may hold more than the instance's own files, so that there is anything to settle."""
    imported = select(Edition.id).where(Edition.dataset != "")
    return bool(session.scalar(select(exists().where(fact.edition_id.in_(imported)))))


def _came(session: Session) -> dict[tuple[str, str], int]:
    """The first edition of every dataset: later ones change nothing of its strength."""
    whose = (Edition.table_name, Edition.dataset)
    rows = session.execute(select(*whose, func.min(Edition.id)).group_by(*whose))
    return {(layer, dataset): first for layer, dataset, first in rows}


def _claims(
    session: Session, fact: type[Any], keys: Sequence[str], came: Mapping[tuple[str, str], int]
) -> list[Any]:
    """What datasets say of these keys now, shown or hidden, the strongest first."""
    accuracy = [fact.accuracy] if fact is Area else []
    query = select(
        *(fact.id, fact.key, fact.valid_from, fact.valid_to, fact.hidden_in),
        *(Edition.table_name, Edition.dataset, *accuracy),
    ).join(Edition, Edition.id == fact.edition_id)
    rows = session.execute(query.where(fact.key.in_(keys), fact.retired_in.is_(None))).all()
    return sorted(rows, key=lambda claim: _strength(claim, came), reverse=True)


def _strength(claim: Any, came: Mapping[tuple[str, str], int]) -> tuple[bool, bool, bool, int]:
    """How strongly a claim speaks; what a dataset says that is new comes last of all."""
    is_official = getattr(claim, "accuracy", "") == OFFICIAL
    first = came.get(_whose(claim), max(came.values(), default=0) + 1)
    return (is_official, claim.dataset == EDITS, claim.dataset != "", first)


def _unsettled(claims: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Of claims, the strongest first: those to hide, and those to show again."""
    shown: dict[str, list[Any]] = {}
    hide, show = [], []
    for claim in claims:
        stronger = shown.setdefault(claim.key, [])
        if any(_whose(claim) != _whose(other) and _overlap(claim, other) for other in stronger):
            hide += [] if claim.hidden_in else [claim]
            continue
        stronger.append(claim)
        show += [claim] if claim.hidden_in else []
    return hide, show


def _whose(claim: Any) -> tuple[str, str]:
    """The layer and the dataset of a row."""
    return claim.table_name, claim.dataset


def _overlap(one: Any, other: Any) -> bool:
    return dates.overlap((one.valid_from, one.valid_to), (other.valid_from, other.valid_to))


def _renewed(session: Session, layer: str, dataset: str, *, now: datetime, account: str) -> int:
    """A new edition of a dataset that says what its newest one said: for rows of it that come back."""
    newest = select(Edition).where(Edition.table_name == layer, Edition.dataset == dataset)
    last = session.scalars(newest.order_by(Edition.id.desc()).limit(1)).one()
    edition = _like(last, now=now, account=account)
    edition.undoes = RENEWED
    session.add(edition)
    session.flush()
    return int(edition.id)


def _like(edition: Edition, *, now: datetime, account: str) -> Edition:
    same = (
        "table_name",
        "dataset",
        "title",
        "source",
        "source_url",
        "licence",
        "as_of",
        "checksum",
        "rows",
        "how",
    )
    about = {name: getattr(edition, name) for name in same}
    return Edition(**about, loaded_at=dates.moment(now), account=account)


def _copy(session: Session, table: str, id_: int, *, edition: int) -> None:
    """Says again in another edition what a row says; the row stays as it was known."""
    fact = TABLES[table]
    names = [column.name for column in fact.__table__.c if column.name != "id"]
    row = session.execute(select(*(fact.__table__.c[name] for name in names)).where(fact.id == id_)).one()
    values = {**row._mapping, "edition_id": edition, "retired_in": None, "hidden_in": None}
    new = session.scalars(insert(fact).returning(fact.id), [values]).one()
    for link in _LINKED.get(table, ()):
        links, back = _LINKS[link]
        hanging = session.execute(select(*links.__table__.c).where(links.__table__.c[back] == id_)).all()
        if hanging:
            session.execute(insert(links), [{**one._mapping, back: new} for one in hanging])


# --- Undone


def undo(session: Session, number: int, *, now: datetime, account: str = "", note: str = "") -> int:
    """Takes an edition back: what it brought goes, what it replaced or hid comes back, as a new edition.

    The caller commits. An undoing may be undone.

    Raises:
        EditionNotFound: there is none of this number.
        OfFiles: it was read from the instance's files.
        NothingToUndo: it changed nothing of its dataset.
        AlreadyUndone: a later edition undoes it.
        ChangedSince: a later edition has changed what it brought.
    """
    old = session.get(Edition, number)
    if old is None:
        raise EditionNotFound(number=number)
    if not old.dataset:
        raise OfFiles(number=number)
    if old.undoes == RENEWED:
        raise NothingToUndo(number=number)
    if by := session.scalar(select(Edition.id).where(Edition.undoes == number)):
        raise AlreadyUndone(number=number, by=by)
    steps = {table: step for table in TABLES if (step := _step(session, table, old)).keys}
    edition = _like(old, now=now, account=account)
    edition.undoes, edition.note = number, note
    session.add(edition)
    session.flush()
    touched = {old.table_name}
    for table, step in steps.items():
        for id_ in step.took:
            _copy(session, table, id_, edition=edition.id)
        touched |= _give_back(session, table, step.brought, edition, now=now, also=step.keys)
    for layer in sorted(touched):
        store.raise_revision(session, layer)
    return int(edition.id)


@dataclass(frozen=True)
class _Step:
    """What an edition did in a table: rows that it brought, or those in which they are shown again, and which
    rows of its own dataset it took away.
    """

    brought: Sequence[Any]
    took: Sequence[int]
    keys: set[str]


def _step(session: Session, table: str, old: Edition) -> _Step:
    """Raises ChangedSince when a later edition of the dataset has touched the same."""
    fact = TABLES[table]
    own = fact.edition_id.in_(_editions_of(old.table_name, old.dataset))
    brought = session.execute(select(fact.key, fact.valid_from).where(fact.edition_id == old.id)).all()
    took = select(fact.id, fact.key).where(fact.retired_in == old.id, own)
    taken = session.execute(took.where(fact.edition_id != old.id)).all()
    keys = {row.key for row in (*brought, *taken)}
    renewed = select(Edition.id).where(Edition.undoes == RENEWED)
    later = or_(*((step > old.id) & step.not_in(renewed) for step in (fact.edition_id, fact.retired_in)))
    query = select(fact.key, fact.edition_id, fact.retired_in).where(own, later).order_by(fact.key)
    said = select(fact.id, fact.key, fact.valid_from).where(own, fact.retired_in.is_(None))
    identities = {(row.key, row.valid_from) for row in brought}
    now_said: list[Any] = []
    for some in batches(sorted(keys)):
        if found := session.execute(query.where(fact.key.in_(some)).limit(1)).first():
            raise ChangedSince(later=max(found.edition_id, found.retired_in or 0), key=found.key)
        rows = session.execute(said.where(fact.key.in_(some))).all()
        now_said += [row for row in rows if (row.key, row.valid_from) in identities]
    return _Step(now_said, [row.id for row in taken], keys)


# --- What a plan would hide, and how much moves


@dataclass(frozen=True)
class Rival:
    """What another dataset tells of a thing that a plan tells too. `hides`: the plan's row would hide it."""

    key: str
    layer: str
    dataset: str
    hides: bool


def rivals(session: Session, plan: Plan) -> list[Rival]:
    """Where a plan's rows meet those of other datasets, which are shown now, by key."""
    fact, resource = TABLES[plan.source.table], plan.source.resource
    own, came = (resource.name, resource.dataset), _came(session)
    rows: dict[str, list[Any]] = {}
    for row in (*plan.added, *plan.changed):
        rows.setdefault(row.key, []).append(_Wanted(row, *own))
    found: list[Rival] = []
    for some in batches(sorted(rows)):
        there = [claim for claim in _claims(session, fact, some, came) if _whose(claim) != own]
        wanted = [one for key in {claim.key for claim in there} for one in rows[key]]
        claims = sorted([*there, *wanted], key=lambda one: _strength(one, came), reverse=True)
        hide = {id(claim) for claim in _unsettled(claims)[0]}
        for claim in there:
            if claim.hidden_in is None and any(_overlap(claim, one) for one in rows[claim.key]):
                found.append(Rival(claim.key, claim.table_name, claim.dataset, id(claim) in hide))
    return sorted(found, key=lambda one: (one.key, one.layer, one.dataset))


class _Wanted:
    """A row of a plan as a claim beside those of the store."""

    hidden_in = None

    def __init__(self, row: Row, layer: str, dataset: str) -> None:
        self.key, self.table_name, self.dataset = row.key, layer, dataset
        self.valid_from, self.valid_to = row.values["valid_from"], row.values["valid_to"]
        self.accuracy = row.values.get("accuracy", "")


def moved(session: Session, plan: Plan) -> dict[str, float]:
    """How far what a plan changes is from what is shown now.

    Returns:
        by key: for areas the share of the land of both that only one of them has, from 0 to 1; for points
        the distance in metres. What has no shape on either side is left out.
    """
    fact = TABLES[plan.source.table]
    rows = {row.key: row for row in (*plan.added, *plan.changed) if row.values.get("geom") is not None}
    if not hasattr(fact, "geom"):
        return {}
    found: dict[str, float] = {}
    for some in batches(sorted(rows)):
        query = select(fact.key, wkb_of(fact.geom).label("wkb")).where(
            fact.key.in_(some), is_shown(fact), fact.geom.is_not(None)
        )
        shown = session.execute(query.order_by(fact.key, fact.valid_from)).all()
        if not shown:
            continue
        before = shapely.from_wkb([row.wkb for row in shown])
        after = np.array([rows[row.key].values["geom"] for row in shown], dtype=object)
        if plan.source.table == "area":
            size = geo.shares_that_differ(before, after)
        else:
            size = shapely.distance(before, after)
        found |= {row.key: float(value) for row, value in zip(shown, size, strict=True)}
    return found
