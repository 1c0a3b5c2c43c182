"""Checked rows → a plan → applied.

Nothing is overwritten: an old row is retired by the edition that replaces it. One thing goes before this
rule: what a layer's privacy policy does not allow is taken out of its old rows too, or looking back would
show it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import shapely
from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.orm import Session

from layers import columns, dates, outlines, store
from layers.catalog import Instance, Resource
from layers.model import (
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
    Revision,
    Serves,
    Settlement,
)
from layers.sources import instance as sources
from layers.sources import privacy
from layers.sources.instance import Source
from layers.sources.privacy import Keeper
from layers.sources.rows import Row, digests

_TABLES: Mapping[str, type[Any]] = {
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
_GONE = "gone"
_BATCH = 5000
Item = TypeVar("Item")
Identity = tuple[str, str]
"""Key and beginning of a fact."""


@dataclass(frozen=True)
class Plan:
    """What an import would do, before it does it."""

    source: Source
    added: tuple[Row, ...] = ()
    changed: tuple[Row, ...] = ()
    unchanged: int = 0
    retired: tuple[int, ...] = field(default=(), repr=False)
    ended: int = 0

    @property
    def does_nothing(self) -> bool:
        return not (self.added or self.changed or self.retired)


def known(session: Session, source: Source) -> dict[Identity, tuple[int, str]]:
    """The present rows of the source's table and resource: identity -> id and digest."""
    table = _TABLES[source.table]
    loaded_by = select(Edition.id).where(Edition.table_name == source.resource.name)
    query = select(table.id, table.key, table.valid_from, table.digest).where(
        table.retired_in.is_(None), table.edition_id.in_(loaded_by)
    )
    return {(row.key, row.valid_from): (row.id, row.digest) for row in session.execute(query)}


def plan(known_rows: Mapping[Identity, tuple[int, str]], source: Source) -> Plan:
    """Compares what is known with what the source says; writes nothing."""
    rows = {(row.key, row.valid_from): row for row in source.rows}
    again = [row for identity, row in rows.items() if identity in known_rows]
    said = {(row.key, row.valid_from): digest for row, digest in zip(again, _digests(again), strict=True)}
    added = tuple(row for identity, row in rows.items() if identity not in known_rows)
    differs = {
        identity: known_rows[identity][0]
        for identity, digest in said.items()
        if known_rows[identity][1] != digest
    }
    gone = {identity: id_ for identity, (id_, _) in known_rows.items() if identity not in rows}
    return Plan(
        source=source,
        added=added,
        changed=tuple(rows[identity] for identity in differs),
        unchanged=len(rows) - len(added) - len(differs),
        retired=(*differs.values(), *gone.values()),
        ended=len(gone),
    )


def apply(session: Session, plan: Plan, *, now: datetime) -> None:
    """Writes an edition with the plan's rows and raises the layer's revision; the caller commits."""
    table = _TABLES[plan.source.table]
    edition = _edition(session, plan.source, now=now)
    for ids in _batches(plan.retired):
        session.execute(update(table).where(table.id.in_(ids)).values(retired_in=edition.id))
    _insert(session, table, (*plan.added, *plan.changed), edition_id=edition.id)
    _draw(session, plan)
    if not plan.does_nothing:
        _raise_revision(session, plan.source.resource.name)


def _draw(session: Session, plan: Plan) -> None:
    """Prepares the outlines of the kinds of area that a plan changes."""
    kinds = {row.values["kind"] for row in (*plan.added, *plan.changed) if plan.source.table == "area"}
    for ids in _batches(plan.retired if plan.source.table == "area" else ()):
        kinds |= set(session.scalars(select(Area.kind).where(Area.id.in_(ids)).distinct()))
    outlines.renew(session, kinds)


def _edition(session: Session, source: Source, *, now: datetime) -> Edition:
    resource = source.resource
    edition = Edition(
        table_name=resource.name,
        title=dict(resource.title),
        source=dict(resource.source),
        source_url=resource.source_url,
        licence=resource.licence,
        as_of=resource.as_of,
        loaded_at=dates.moment(now),
        checksum=source.checksum,
        rows=len(source.rows),
    )
    session.add(edition)
    session.flush()
    return edition


def _insert(session: Session, table: type[Any], rows: Sequence[Row], *, edition_id: int) -> None:
    with columns.indexed_at_once(session.connection(), table.__table__):
        for some in _batches(rows):
            _insert_batch(session, table, some, edition_id=edition_id)


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


def _digests(rows: Sequence[Row]) -> Iterator[str]:
    for some in _batches(rows):
        yield from digests(some)


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Pieces small enough for a statement's parameters and for the memory."""
    for at in range(0, len(items), _BATCH):
        yield items[at : at + _BATCH]


def _raise_revision(session: Session, layer: str) -> None:
    revision = session.get(Revision, layer) or Revision(layer=layer, number=0)
    revision.number += 1
    session.add(revision)
    session.flush()


def is_current(session: Session, instance: Instance) -> bool:
    """Whether the store holds exactly what the instance's files say."""
    return _loaded(session) == sources.checksums(instance)


def _loaded(session: Session) -> dict[str, str]:
    """The checksum of every resource that has been loaded and not taken away since."""
    newest = select(Edition.table_name, Edition.checksum).order_by(Edition.id)
    found = {row.table_name: row.checksum for row in session.execute(newest)}
    return {name: checksum for name, checksum in found.items() if checksum != _GONE}


def load(
    engine: Engine, instance: Instance, *, now: datetime, tell: Callable[[Plan], None] = lambda plan: None
) -> list[Plan]:
    """Sets the store up and loads the instance's files, all or nothing; `tell` hears each plan.

    Idempotent: what has not changed is not touched. Two at once are safe: the second waits, then finds
    nothing to do.

    Raises:
        BadInstance: the files have problems; the store keeps what it had.
    """
    store.set_up(engine)
    with store.reading(engine, srid=instance.metric_crs) as session:
        if is_current(session, instance) and not outlines.is_missing(session):
            return []
    found = sources.read(instance, today=now.date())
    with store.writing(engine, srid=instance.metric_crs) as session:
        # Another process may have loaded the same files while this one read them.
        is_new = not is_current(session, instance)
        plans = _renew(session, found, now=now, tell=tell) if is_new else []
        if is_new:
            _forget(session, instance, found)
        outlines.renew_if_none(session)
        session.commit()
    return plans


def _renew(
    session: Session, found: Sequence[Source], *, now: datetime, tell: Callable[[Plan], None]
) -> list[Plan]:
    plans = []
    for source in found:
        step = plan(known(session, source), source)
        apply(session, step, now=now)
        plans.append(step)
        tell(step)
    for name in sorted(_loaded(session).keys() - {source.resource.name for source in found}):
        plans.append(_take_away(session, name, now=now))
        tell(plans[-1])
    return plans


def _forget(session: Session, instance: Instance, found: Sequence[Source]) -> None:
    """Takes out of retired rows what the policies of their layers do not allow."""
    gazetteer = next((source.rows for source in found if source.resource.name == "settlements"), ())
    for name, keeper in privacy.keepers(instance, gazetteer).items():
        if (_forget_areas if keeper.layer.of == "areas" else _forget_points)(session, keeper):
            _raise_revision(session, name)


def _forget_points(session: Session, keeper: Keeper) -> bool:
    """Coarsens the points of retired rows, and takes away those that may not be told at all."""
    table: Any = Case if keeper.layer.of == "cases" else Body
    columns_ = (
        table.id,
        table.precision,
        table.settlement,
        table.place,
        columns.wkb_of(table.geom).label("wkb"),
    )
    query = select(*columns_).where(table.retired_in.is_not(None))
    if table is Body:
        query = query.where(Body.layer == keeper.layer.key)
    changes = {}
    for row in session.execute(query):
        values: dict[str, Any] = {}
        point: Any = None if row.wkb is None else shapely.from_wkb(row.wkb)
        if privacy.names_a_house(row.place):
            values["place"] = ""
        if point is not None and not keeper.may_have(row.precision):
            values |= {"geom": None, "precision": ""}
        elif point is not None:
            coarse = keeper.coarse(point, precision=row.precision, settlement=row.settlement)
            if not coarse.equals_exact(point, tolerance=1e-6):
                values["geom"] = coarse
        if values:
            changes[row.id] = values
    for id_, values in changes.items():
        session.execute(update(table).where(table.id == id_).values(values))
    return bool(changes)


def _forget_areas(session: Session, keeper: Keeper) -> bool:
    """Removes retired areas that are too small to be told."""
    kind = keeper.layer.kind
    query = select(Area.id, columns.wkb_of(Area.geom).label("wkb"))
    rows = session.execute(query.where(Area.kind == kind, Area.retired_in.is_not(None))).all()
    small = [row.id for row in rows if keeper.is_too_small(shapely.from_wkb(row.wkb))]
    for ids in _batches(small):
        session.execute(delete(Area).where(Area.id.in_(ids)))
    return bool(small)


def _take_away(session: Session, name: str, *, now: datetime) -> Plan:
    """Retires every row of a resource that the instance no longer has."""
    gone = Resource(name, Path(), title={}, licence="", source={}, source_url="", as_of="")
    source = Source(gone, table="", rows=(), checksum=_GONE)
    loaded_by = select(Edition.id).where(Edition.table_name == name)
    edition = _edition(session, source, now=now)
    retired: list[int] = []
    areas = select(Area.kind).where(Area.edition_id.in_(loaded_by), Area.retired_in.is_(None))
    kinds = session.scalars(areas.distinct()).all()
    for table in _TABLES.values():
        rows = update(table).where(table.edition_id.in_(loaded_by), table.retired_in.is_(None))
        retired += session.scalars(rows.values(retired_in=edition.id).returning(table.id))
    outlines.renew(session, kinds)
    _raise_revision(session, name)
    return Plan(source, retired=tuple(retired), ended=len(retired))
