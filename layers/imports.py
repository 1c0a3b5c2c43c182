"""The instance's files → the store, which `layers.editions` writes.

Nothing is overwritten, but for one thing: what a layer's privacy policy does not allow is taken out of its
old rows too, or looking back would show it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import shapely
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.orm import Session

from layers import columns, editions, links, outlines, store
from layers.catalog import Instance, Resource
from layers.editions import Plan
from layers.errors import Problem
from layers.links import StoreCodes
from layers.model import Area, Body, Case, Confirmation, Edition, is_shown
from layers.sources import instance as sources
from layers.sources import privacy
from layers.sources.instance import Source
from layers.sources.privacy import Keeper

_GONE = "gone"
_BLANK = "0" * 64


def is_current(session: Session, instance: Instance) -> bool:
    """Whether the store holds exactly what the instance's files say."""
    return _loaded(session) == sources.checksums(instance)


def _loaded(session: Session) -> dict[str, str]:
    """The checksum of every resource that has been loaded and not taken away since."""
    newest = select(Edition.table_name, Edition.checksum).where(Edition.dataset == "").order_by(Edition.id)
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
        newest, found = _newest(session), _read(session, instance, now)
    with store.writing(engine, srid=instance.metric_crs) as session:
        if _newest(session) != newest:
            # Somebody has written meanwhile: areas may be known by other codes now.
            found = _read(session, instance, now)
        # Another process may have loaded the same files while this one read them.
        is_new = not is_current(session, instance)
        plans = _renew(session, found, now=now, tell=tell) if is_new else []
        if is_new:
            _forget(session, instance, found)
        outlines.renew_if_none(session)
        session.commit()
    return plans


def _newest(session: Session) -> int | None:
    return session.scalar(select(func.max(Edition.id)))


def _read(session: Session, instance: Instance, now: datetime) -> list[Source]:
    codes = StoreCodes(session, instance.default_language)
    return sources.read(instance, today=now.date(), codes=codes)


def _renew(
    session: Session, found: Sequence[Source], *, now: datetime, tell: Callable[[Plan], None]
) -> list[Plan]:
    plans = []
    for source in found:
        step = editions.plan(editions.known(session, source), source)
        left = [
            Problem(source.resource.path.name, 0, one.what, one.remedy)
            for one in links.lost(session, step, day=now.date())
        ]
        step = replace(step, source=replace(source, notes=(*source.notes, *left)))
        editions.apply(session, step, now=now)
        plans.append(step)
        tell(step)
    for name in sorted(_loaded(session).keys() - {source.resource.name for source in found}):
        gone = Resource(name, Path(), title={}, licence="", source={}, source_url="", as_of="")
        plans.append(editions.end(session, gone, now=now, checksum=_GONE))
        tell(plans[-1])
    return plans


def _forget(session: Session, instance: Instance, found: Sequence[Source]) -> None:
    """Takes out of rows that are no longer shown what the policies of their layers do not allow."""
    gazetteer = next((source.rows for source in found if source.resource.name == "settlements"), ())
    for name, keeper in privacy.keepers(instance, gazetteer).items():
        if (_forget_areas if keeper.layer.of == "areas" else _forget_points)(session, keeper):
            store.raise_revision(session, name)


def _forget_points(session: Session, keeper: Keeper) -> bool:
    """Coarsens the points of such rows, and takes away those that may not be told at all."""
    table: Any = Case if keeper.layer.of == "cases" else Body
    columns_ = (
        table.id,
        table.precision,
        table.settlement,
        table.place,
        columns.wkb_of(table.geom).label("wkb"),
    )
    query = select(*columns_).where(~is_shown(table))
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
            changes[row.id] = values | {"digest": _BLANK}
    # A digest of a row with its house would confirm a guess to whoever gets hold of the store or a backup.
    _forget_digests(session, keeper.layer.key, table, [*changes])
    for id_, values in changes.items():
        session.execute(update(table).where(table.id == id_).values(values))
    return bool(changes)


def _forget_digests(session: Session, name: str, table: Any, ids: Sequence[int]) -> None:
    """Blanks what was made of such rows as they were: digests in confirmations, older editions' checksums."""
    for some in columns.batches(ids):
        told = select(table.digest).where(table.id.in_(some))
        session.execute(
            update(Confirmation).where(Confirmation.digest.in_(told)).values(digest=_BLANK),
            execution_options={"synchronize_session": False},
        )
    if ids:
        newest = select(func.max(Edition.id)).where(Edition.table_name == name)
        newest = newest.group_by(Edition.dataset).correlate(None)
        older = (Edition.table_name == name, Edition.id.not_in(newest))
        session.execute(
            update(Edition).where(*older).values(checksum=_BLANK),
            execution_options={"synchronize_session": False},
        )


def _forget_areas(session: Session, keeper: Keeper) -> bool:
    """Removes such areas that are too small to be told."""
    kind = keeper.layer.kind
    query = select(Area.id, columns.wkb_of(Area.geom).label("wkb"))
    rows = session.execute(query.where(Area.kind == kind, ~is_shown(Area))).all()
    small = [row.id for row in rows if keeper.is_too_small(shapely.from_wkb(row.wkb))]
    for ids in columns.batches(small):
        session.execute(delete(Area).where(Area.id.in_(ids)))
    return bool(small)
