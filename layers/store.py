"""Opens the database, sets it up, and is the only room that asks which one it is.

SQLite (Python's own) is the embedded default and needs no system package; PostgreSQL with PostGIS is the
server. Writers begin with BEGIN IMMEDIATE and the schema is made by one command, never by the workers:
otherwise SQLite answers "database is locked" (18 of 24 first starts failed so when measured).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Dialect,
    Engine,
    String,
    cast,
    create_engine,
    event,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.orm import Session

from layers import columns, disk
from layers.errors import BadStoreAddress, NotScrubbed, StoreBroken, StoreDamaged, StoreNotReady
from layers.model import Base, Confirmation, Edition, Revision

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_140_812  # Any number that no other program on the same server takes.
DOOR = 1
"""The turn of those who sign in: where the store can tell turns apart, they do not wait for an import."""
_REVISIONS = select(Revision.layer, Revision.number)
# All in one row: SQLite lets other threads have the interpreter before each, and then waits to get it back.
_IN_ONE = select(func.aggregate_strings(Revision.layer + " " + cast(Revision.number, String), ","))
_SCRUB_PATIENCE_MS = 10_000
_CONNECT_PATIENCE_S = 10
# What has been acknowledged is on the disk: NORMAL would lose the last changes when the power fails. A commit
# takes 4.3 ms instead of 0.01.
_PRAGMAS = ("foreign_keys=ON", "journal_mode=WAL", "synchronous=FULL", "busy_timeout=20000")
_DAMAGED = ("not a database", "malformed")
_MOST_LOOKED_THROUGH_BYTES = 1 << 30  # Looking through so many takes seconds.


def open_store(url: str) -> Engine:
    """An engine for `sqlite:///file` or `postgresql+psycopg://…`; connects on first use.

    Raises:
        BadStoreAddress: the address is none, or its driver is not installed.
        StoreBroken: the folder for the file cannot be made.
    """
    try:
        read = make_url(url)
        if read.get_backend_name() == "sqlite":
            return _open_sqlite(url)
        # A server that swallows what is sent to it would hold a request for minutes.
        patience = {} if "connect_timeout" in read.query else {"connect_timeout": _CONNECT_PATIENCE_S}
        return create_engine(url, pool_pre_ping=True, connect_args=patience)
    except (ArgumentError, ImportError) as error:
        raise BadStoreAddress from error  # Its own text may repeat a password.


def _open_sqlite(url: str) -> Engine:
    file = make_url(url).database
    if file and file != ":memory:":
        try:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreBroken(place=file, reason=error.strerror) from error
    engine = create_engine(url, connect_args={"factory": _Link})
    if file and file != ":memory:":
        event.listen(engine, "do_connect", lambda *_: _make_if_none(Path(file)))
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_if_none(file: Path) -> None:
    """Makes the file of a store whole from its first moment on, so that an empty one is one that was lost.

    Raises:
        StoreDamaged: it is empty.
    """
    if file.exists():
        if file.is_file() and not file.stat().st_size:
            raise StoreDamaged(place=file, reason="it is empty")
        return
    disk.sweep(file.parent, f".{file.name}.*.new*")
    growing = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        with closing(sqlite3.connect(growing)) as made:
            made.execute("PRAGMA journal_mode=WAL")
        with suppress(FileExistsError):
            file.hardlink_to(growing)
    except (OSError, sqlite3.Error):
        return  # The connection that is opened next says what is wrong.
    finally:
        with suppress(OSError):
            growing.unlink()


class _Cursor(sqlite3.Cursor):
    """Reads what SQLite says of a damaged name, which repeats its damaged bytes and is no text to Python."""

    def execute(self, *asked: Any) -> "_Cursor":
        try:
            return super().execute(*asked)
        except UnicodeDecodeError as error:
            said = error.object.decode(errors="backslashreplace")
            raise sqlite3.DatabaseError(said) from error


class _Link(sqlite3.Connection):
    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or _Cursor)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # SQLAlchemy says BEGIN itself, so that it can say IMMEDIATE.
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    for name, function in columns.index_functions().items():
        connection.create_function(name, 1, function, deterministic=True)


def _begin_sqlite(connection: Connection) -> None:
    kind = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {kind}")


@contextmanager
def reading(engine: Engine, *, srid: int) -> Iterator[Session]:
    """A session for questions. `srid` is the instance's metric system, which `srid_of` tells the readers."""
    with Session(engine, info={"srid": srid}) as session:
        yield session


@contextmanager
def writing(engine: Engine, *, srid: int, turn: int = 0) -> Iterator[Session]:
    """A session for changes: one writer at a time of each turn on either store; the caller commits.

    SQLite knows one turn alone.
    """
    options = {"sqlite_begin": "IMMEDIATE"}
    with Session(engine.execution_options(**options), info={"srid": srid}, autoflush=False) as session:
        _wait_for_turn(session.connection(), turn)
        yield session


def _wait_for_turn(connection: Connection, turn: int = 0) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK + turn})


def revisions(engine: Engine) -> tuple[tuple[str, int], ...]:
    """The state of every layer, sorted, by one statement past the sessions: asked before every answer.

    Without a session, its transaction and the compiler it takes an eighth of the time. What a session reads
    later is as new as this or newer.
    """
    try:
        with closing(engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute(_in_one(engine.dialect))
            return _read(cursor.fetchall()[0][0] or "")
    except (engine.dialect.loaded_dbapi.Error, ValueError):
        with engine.connect() as again:  # So that what is wrong is raised as from any other question.
            return tuple(sorted((row.layer, row.number) for row in again.execute(_REVISIONS)))


@lru_cache(maxsize=8)
def _in_one(dialect: Dialect) -> str:
    return str(_IN_ONE.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


@lru_cache(maxsize=64)
def _read(told: str) -> tuple[tuple[str, int], ...]:
    """Raises ValueError: a damaged store tells something else."""
    parts = (each.rpartition(" ") for each in told.split(",") if each)
    return tuple(sorted((layer, int(number)) for layer, _, number in parts))


def look_back(session: Session, moment: str) -> None:
    """From now on this session answers from what was known at a moment (`2026-11-22T14:05:09Z`)."""
    newest = select(func.max(Edition.id)).where(Edition.loaded_at <= moment)
    session.info["known"] = session.scalar(newest) or 0
    newest = select(func.max(Confirmation.id)).where(Confirmation.moment <= moment)
    session.info["confirmed"] = session.scalar(newest) or 0


def raise_revision(session: Session, layer: str) -> None:
    """Tells that a layer has changed, in the transaction that changes it."""
    revision = session.get(Revision, layer) or Revision(layer=layer, number=0)
    revision.number += 1
    session.add(revision)
    session.flush()


def srid_of(session: Session) -> int:
    """The metric system in which this session's store keeps its shapes (an EPSG number)."""
    return int(session.info["srid"])


def set_up(engine: Engine) -> None:
    """Brings the schema to this version. Idempotent, and safe when two processes do it at once.

    Raises:
        StoreBroken: the file or server cannot be used.
        StoreDamaged: the file is there and no sound store; it stays as it is.
    """
    _check_sound(engine)
    if _version(engine) != _newest():
        migrate(engine, "head")
        return
    # Another tool may have rebuilt a table and lost its triggers.
    with engine.begin() as connection:
        columns.ensure_spatial_indexes(connection, Base.metadata)


def _check_sound(engine: Engine) -> None:
    """Looks through the pages of a store's file, unless it is very large (50 MB take 0.2 s)."""
    file = file_of(engine)
    if file is None or not file.is_file() or file.stat().st_size > _MOST_LOOKED_THROUGH_BYTES:
        return
    try:
        with engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    except DatabaseError as error:
        raise _broken(engine, error) from error
    if found != "ok":
        raise StoreDamaged(place=file, reason=str(found).splitlines()[-1])


def migrate(engine: Engine, revision: str) -> None:
    """Brings the schema up to "head", or down to an earlier revision ("base": no table at all)."""
    try:
        with engine.execution_options(sqlite_begin="IMMEDIATE").connect() as connection:
            # SQLite cannot rebuild a referenced table while it watches foreign keys; it ignores the
            # pragma inside a transaction, so it is set before one begins.
            _watch_foreign_keys(connection, False)
            with connection.begin():
                _wait_for_turn(connection)
                _run_migrations(connection, revision)
            _watch_foreign_keys(connection, True)
    except (OperationalError, DatabaseError) as error:
        raise _broken(engine, error) from error


def raise_to(engine: Engine, revision: str) -> None:
    """Brings an empty store up to an earlier revision, as a backup of an earlier version needs it."""
    with engine.execution_options(sqlite_begin="IMMEDIATE").connect() as connection:
        _watch_foreign_keys(connection, False)
        with connection.begin():
            _run_migrations(connection, revision, is_up=True)


def _watch_foreign_keys(connection: Connection, on: bool) -> None:
    if connection.dialect.name == "sqlite":
        raw = connection.connection.dbapi_connection
        if raw is not None:
            raw.cursor().execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")


def _run_migrations(connection: Connection, revision: str, *, is_up: bool = False) -> None:
    from alembic import command  # Half a second, and only a new schema needs it.
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS postgis"))
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    if is_up:
        command.upgrade(config, revision)
    elif revision == "head":
        command.upgrade(config, revision)
        columns.ensure_spatial_indexes(connection, Base.metadata)
    else:
        columns.drop_spatial_indexes(connection, Base.metadata)
        command.downgrade(config, revision)


def check_ready(engine: Engine) -> None:
    """Raises StoreNotReady unless the schema is at this version, StoreBroken when it cannot be read."""
    if _version(engine) != _newest():
        raise StoreNotReady


def _newest() -> str:
    """The newest migration: they are numbered."""
    return max(file.name.split("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def _version(engine: Engine) -> str:
    """The migration at which the store stands; "" when it is empty."""
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return ""
            return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")
    except (OperationalError, DatabaseError) as error:
        raise _broken(engine, error) from error


def _broken(engine: Engine, error: DatabaseError) -> StoreBroken:
    # The address may hold a password, which render_as_string hides.
    place = engine.url.database or engine.url.render_as_string(hide_password=True)
    reason = str(error.orig).strip().splitlines()[0]
    kind = StoreDamaged if any(sign in reason for sign in _DAMAGED) else StoreBroken
    return kind(place=place, reason=reason)


# --- For erasure


def scrub(engine: Engine) -> None:
    """Writes the store anew, so that nothing of what was taken out is left between its rows.

    Nobody else may be writing. PostgreSQL's own write-ahead log and archives go as they are set up to go.

    Raises:
        NotScrubbed: others are at work in it.
    """
    try:
        if engine.dialect.name == "sqlite":
            _scrub_file(engine)
        else:
            _scrub_tables(engine)
    except (OperationalError, engine.dialect.loaded_dbapi.Error) as error:
        raise NotScrubbed from error


def _scrub_file(engine: Engine) -> None:
    with closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_SCRUB_PATIENCE_MS}")
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.execute("VACUUM")
        # The log still holds the pages as they were, until it is begun anew.
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        is_busy = bool((cursor.fetchone() or (1,))[0])
        connection.invalidate()  # It would go on with these settings.
    if is_busy:
        raise NotScrubbed


def _scrub_tables(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET lock_timeout = '10s'"))
        for table in Base.metadata.sorted_tables:
            name = connection.dialect.identifier_preparer.format_table(table)
            connection.execute(text(f"VACUUM FULL {name}"))


# --- For backups: one moment of a store, and a store whose rows are all replaced


@contextmanager
def one_moment(engine: Engine) -> Iterator[Connection]:
    """A connection for reading that sees the store as it was at one moment, whatever others write meanwhile.

    On SQLite this is a read transaction of the write-ahead log: writers go on, and the log grows until it is
    over. On PostgreSQL it is one REPEATABLE READ transaction, whose cursors stay on the server.
    """
    options: dict[str, Any] = {}
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        # SQLite takes its snapshot at the first read, not at BEGIN.
        connection.execute(text("SELECT count(*) FROM alembic_version"))
        yield connection


@contextmanager
def all_replaced(connection: Connection) -> Iterator[None]:
    """Inside, every row may be replaced; it all belongs to the connection's transaction.

    The spatial indexes are made anew at the end, and numbers go on after the highest that is there.
    """
    columns.drop_spatial_indexes(connection, Base.metadata)
    yield
    columns.ensure_spatial_indexes(connection, Base.metadata)
    if connection.dialect.name == "postgresql":
        for table in Base.metadata.sorted_tables:
            for column in table.primary_key:
                _go_on_numbering(connection, column)


def _go_on_numbering(connection: Connection, column: Column[Any]) -> None:
    table = connection.dialect.identifier_preparer.format_table(column.table)
    asked = {"table": table, "column": column.name}
    sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:table, :column)"), asked)
    if sequence:
        last = connection.scalar(select(func.max(column))) or 0
        connection.execute(
            text("SELECT setval(CAST(:name AS regclass), :last, :used)"),
            {"name": sequence, "last": max(last, 1), "used": last > 0},
        )


def url_of_file(file: Path) -> str:
    """The address of a store that is one file."""
    return f"sqlite:///{file.resolve()}"


def file_of(engine: Engine) -> Path | None:
    """The file in which a store lies; None where a server keeps it."""
    file = engine.url.database
    return Path(file) if engine.dialect.name == "sqlite" and file and file != ":memory:" else None


def size_bytes(engine: Engine) -> int:
    """How much room the store takes on its disk."""
    if file := file_of(engine):
        there = (Path(f"{file}{ending}") for ending in ("", "-wal"))
        return sum(found.stat().st_size for found in there if found.exists())
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)


def schema(engine: Engine) -> str:
    """The migration at which a store stands, as "0006"; "" when it is empty.

    Raises:
        StoreBroken: the file or server cannot be used.
    """
    return _version(engine)


def newest_schema() -> str:
    """The migration that this version of the program wants."""
    return _newest()
