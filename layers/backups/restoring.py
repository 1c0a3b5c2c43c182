"""A backup → a store, all or nothing.

Everything happens in one transaction of the store itself. A new file that takes the old one's name was
rejected: processes that serve would keep the old file open and never notice, and the new one would meet the
old one's write-ahead log. So readers see what was there until all is there, a killed restore leaves what was
there, and no second copy has to be kept aside.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, Engine, Table, func, select
from sqlalchemy.exc import DataError, IntegrityError, StatementError
from sqlalchemy.orm import Session

from layers import erasures, outlines, store
from layers.backups import archive, rows
from layers.backups.archive import Backup, Manifest, NewerBackup
from layers.catalog import Instance
from layers.erasures import Erased
from layers.errors import N_, Invalid, LayersError, StoreBroken
from layers.model import Revision

Tell = Callable[[str, int], None]
"""Hears the name of a table and how many rows have been put back."""
Source = Callable[[Table], Iterable[bytes]]
_STEP_S = 10


class ForeignBackup(Invalid):
    text = N_(
        "The backup {file} is of the instance “{theirs}”, and this is “{ours}”. Name the right instance with "
        "--instance. Nothing was changed."
    )


class OtherSystem(Invalid):
    text = N_(
        "The backup {file} keeps its shapes in EPSG:{theirs}, and the instance says EPSG:{ours}. Correct "
        "metric_crs in instance.yaml. Nothing was changed."
    )


@dataclass(frozen=True)
class Change:
    """How many rows of a table are there now, and how many there will be."""

    table: str
    now: int
    then: int


def check(backup: Backup, instance: Instance) -> None:
    """Raises where a sound backup does not belong into this instance's store."""
    told = backup.manifest
    if told.instance != instance.key:
        raise ForeignBackup(file=backup.file, theirs=told.instance, ours=instance.key)
    if told.schema > store.newest_schema():
        raise NewerBackup(file=backup.file, theirs=told.schema, ours=store.newest_schema())
    if told.metric_crs != instance.metric_crs:
        raise OtherSystem(file=backup.file, theirs=told.metric_crs, ours=instance.metric_crs)


def changes(engine: Engine, told: Manifest) -> list[Change]:
    """What a restore would do to each table; the store is only read, and may be empty.

    Raises:
        StoreBroken: the store cannot be read. Take it away, and the backup makes a new one.
    """
    then = {part.name: part.rows for part in told.tables}
    now: dict[str, int] = {}
    if store.schema(engine) == store.newest_schema():
        with store.one_moment(engine) as connection:
            now = {
                one.name: connection.scalar(select(func.count()).select_from(one)) or 0 for one in rows.kept()
            }
    names = dict.fromkeys((*now, *then))
    return [Change(name, now.get(name, 0), then.get(name, 0)) for name in names]


def restore(
    engine: Engine,
    backup: Backup,
    instance: Instance,
    *,
    now: datetime,
    tell: Tell = lambda name, rows: None,
    erased: Sequence[Erased] = (),
) -> int:
    """Puts into the store what the backup holds, and nothing else: sessions end, outlines are drawn anew.

    What has been erased stays so: the ledgers of the store, of the backup and of `erased` become one, and
    what they name is taken out of the rows before anybody reads them.

    A store of an earlier schema is brought up first, which stays so whatever becomes of the rest.

    Returns:
        how many rows the erasures reached.

    Raises:
        ForeignBackup, NewerBackup, OtherSystem: see `check`.
        BadBackup: its rows are not what they should be; the store keeps what it had.
        StoreBroken: the store cannot be written; it keeps what it had.
        NoRoom: the disk of an embedded store may be too small.
    """
    check(backup, instance)
    if file := store.file_of(engine):
        file.parent.mkdir(parents=True, exist_ok=True)
        # The rows once in the write-ahead log and once in the file; hexadecimal digits are twice their bytes.
        archive.check_room(file.absolute().parent, backup.manifest.table_bytes)
    with _brought_up(backup) as source:
        store.set_up(engine)
        try:
            with store.writing(engine, srid=instance.metric_crs) as session:
                reached = _replace(session, source, now=now, tell=tell, erased=erased)
                session.commit()
        except (ValueError, TypeError, LookupError, IntegrityError, DataError) as error:
            raise backup.unusable(_reason(error)) from error
        except StatementError as error:
            raise StoreBroken(place=engine.url.database or "", reason=_reason(error)) from error
    return reached


def _reason(error: Exception) -> str:
    said = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return said.splitlines()[0]


def _replace(session: Session, source: Source, *, now: datetime, tell: Tell, erased: Sequence[Erased]) -> int:
    connection = session.connection()
    before = _revisions(connection)
    known = [*erasures.ledger(session), *erased]
    session.expunge_all()
    with store.all_replaced(connection):
        rows.empty(connection)
        for one in rows.kept():
            tell(one.name, rows.fill(connection, one, source(one), srid=store.srid_of(session)))
    erasures.remember(session, known)
    reached, _ = erasures.sweep(session)
    _raise_revisions(session, before, now=now)
    outlines.renew_if_none(session)
    return sum(reached.values())


def _revisions(connection: Connection) -> dict[str, int]:
    return {row.layer: row.number for row in connection.execute(select(Revision.layer, Revision.number))}


def _raise_revisions(session: Session, before: Mapping[str, int], *, now: datetime) -> None:
    """Every layer gets a revision that it never had, in this store or in one that was lost since the backup.

    Caches in every process, tile archives and browsers know a state by this number alone. A number that only
    rises above those still known could come back after the loss of a store; the time, in steps of ten
    seconds, has gone on whatever was lost. (A layer that changes more often for years would overtake it; the
    column lasts until the year 2650.)
    """
    restored = _revisions(session.connection())
    step = int(now.timestamp()) // _STEP_S
    for layer in sorted({*before, *restored}):
        number = max(before.get(layer, 0), restored.get(layer, 0), step) + 1
        session.merge(Revision(layer=layer, number=number))
    session.flush()


# --- Backups of an earlier schema


@contextmanager
def _brought_up(backup: Backup) -> Iterator[Source]:
    """The rows of a backup as this version's tables want them."""
    parts = {part.name: part for part in backup.manifest.tables}
    if backup.manifest.schema == store.newest_schema():
        wanted = {one.name: rows.columns(one) for one in rows.kept()}
        if {name: part.columns for name, part in parts.items()} != wanted:
            raise backup.unusable("its tables are not those of this version")
        yield lambda of: backup.lines(parts[of.name])
        return
    with TemporaryDirectory(prefix="turvakaart-") as folder:
        engine = store.open_store(store.url_of_file(Path(folder) / "earlier.db"))
        try:
            _rebuild(engine, backup)
            with store.one_moment(engine) as connection:
                yield lambda of: rows.lines(connection, of)
        finally:
            engine.dispose()


def _rebuild(engine: Engine, backup: Backup) -> None:
    """Makes a store of the backup's own schema, fills it, and brings it up."""
    try:
        store.raise_to(engine, backup.manifest.schema)
        with engine.begin() as connection:
            for part in backup.manifest.tables:
                rows.fill_plain(connection, part.name, part.columns, backup.lines(part))
        store.migrate(engine, "head")
    except LayersError:
        raise
    except Exception as error:  # Alembic and SQLAlchemy raise many kinds for a schema that is none.
        raise backup.unusable(_reason(error)) from error
