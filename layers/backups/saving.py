"""A store → a backup of one moment of it, while others go on writing."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, func, select
from sqlalchemy.exc import DatabaseError

from layers import dates, store
from layers.backups import archive, rows
from layers.backups.archive import Manifest, Part, Writer
from layers.catalog import Instance
from layers.errors import StoreBroken, StoreNotReady

Tell = Callable[[str, int, int], None]
"""Hears the name of a table, how many of its rows are done, and how many there are."""
_TOLD_EACH = 20_000


def save(
    engine: Engine,
    instance: Instance,
    file: Path,
    *,
    now: datetime,
    replace: bool = False,
    with_instance: bool = False,
    tell: Tell = lambda name, done, of: None,
) -> Manifest:
    """Writes all that the store knows at one moment, and with it the instance's folder if that is wanted.

    Sessions are left out (NOT_KEPT), and so is what is made of the rest: outlines and tile archives. The
    folder is copied as it lies there; its `privacy.key` goes along, since another key would move the blurred
    points, and two blurs of one home tell more of it than one.

    Raises:
        FileThere, NotWritten, NoRoom: see `archive.written`.
        StoreNotReady: the store is empty or of another version.
        StoreBroken: the store cannot be read to its end.
    """
    there = store.file_of(engine)
    if there and not there.exists():
        raise StoreNotReady  # Looking into it would make it.
    store.check_ready(engine)
    folder = file.absolute().parent
    if folder.is_dir():
        # Lines are longer than the store's own pages and shorter when packed: together about as much.
        archive.check_room(folder, store.size_bytes(engine))
    try:
        with archive.written(file, replace=replace) as into, store.one_moment(engine) as connection:
            tables = tuple(_table(into, connection, one, tell) for one in rows.kept())
            found = Manifest(
                instance=instance.key,
                metric_crs=instance.metric_crs,
                schema=store.newest_schema(),
                made=dates.moment(now),
                tables=tables,
                files=tuple(_files(into, instance.folder, file)) if with_instance else (),
            )
            into.manifest(found)
            return found
    except DatabaseError as error:
        raise StoreBroken(place=engine.url.database or "", reason=str(error.orig).strip()) from error


def _table(into: Writer, connection: Connection, of: Table, tell: Tell) -> Part:
    total = connection.scalar(select(func.count()).select_from(of)) or 0
    tell(of.name, 0, total)
    return into.table(of.name, rows.columns(of), _counted(rows.lines(connection, of), of.name, total, tell))


def _counted(lines: Iterator[bytes], name: str, total: int, tell: Tell) -> Iterator[bytes]:
    for number, line in enumerate(lines, start=1):
        yield line
        if number % _TOLD_EACH == 0:
            tell(name, number, total)


def _files(into: Writer, folder: Path, but: Path) -> Iterator[Part]:
    """Every file of a folder, by its name; links that lead elsewhere are not followed."""
    for one in sorted(folder.rglob("*")):
        is_backup = one.name.endswith(".part") or (but.exists() and one.exists() and one.samefile(but))
        if one.is_file() and not one.is_symlink() and not is_backup:
            yield into.file(one.relative_to(folder).as_posix(), one)
