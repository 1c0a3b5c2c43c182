"""Reads what a store and a folder hold without the product: with the databases' own drivers alone.

Numbers that a store gives away are told by their order, because a transaction that was taken back leaves
holes in them; moments and what opens doors for a while are left out.
"""

import hashlib
import re
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

ABSENT = "absent"
_UNTOLD = {"account_session", "account_record", "account_try", "spatial_ref_sys", "sqlite_sequence"}
_MOMENTS = {"loaded_at", "moment", "decided_at", "checked_at", "sender", "link", "made_at", "password"}
_COUNTED = 1_000_000
_OF = {
    **dict.fromkeys(("edition_id", "retired_in", "hidden_in", "undoes", "edition"), "edition"),
    **{"body_id": "body", "case_id": "case_study", "area_id": "area"},
}
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'idx_%'"
_SERVED = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


class Damaged(Exception):
    """The file is no sound database."""


def digest_of_file(file):
    """The digest of an SQLite store; it is read from a copy, so that reading mends nothing."""
    if not file.exists():
        return ABSENT
    with tempfile.TemporaryDirectory() as folder:
        for ending in ("", "-wal"):
            if Path(f"{file}{ending}").exists():
                shutil.copyfile(f"{file}{ending}", f"{folder}/copy{ending}")
        with closing(sqlite3.connect(f"{folder}/copy")) as connection:
            try:
                wrong = [row[0] for row in connection.execute("PRAGMA integrity_check")]
                wrong = [] if wrong == ["ok"] else wrong
                wrong += [str(row) for row in connection.execute("PRAGMA foreign_key_check")]
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # It repeats a damaged name.
                wrong = [str(error)]
            if wrong:
                raise Damaged(wrong[0])
            return _digest(connection, [row[0] for row in connection.execute(_TABLES)])


def digest_of_server(url):
    """The digest of a PostGIS store."""
    import psycopg

    address = url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(address) as connection:
        return _digest(connection, [row[0] for row in connection.execute(_SERVED)])


def _digest(connection, tables):
    found = {name: _table(connection, name) for name in sorted(tables) if name not in _UNTOLD}
    if not any(found.values()):
        return ABSENT
    ranks = {
        name: {number: rank for rank, number in enumerate(sorted(row["id"] for row in rows), 1)}
        for name, rows in found.items()
        if rows and isinstance(rows[0].get("id"), int)
    }
    told = {name: sorted(repr(_plain(name, row, ranks)) for row in rows) for name, rows in found.items()}
    return hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()[:16]


def _table(connection, name):
    asked = connection.execute(f'SELECT * FROM "{name}"')  # noqa: S608  a name that the database told
    names = [column[0] for column in asked.description]
    return [dict(zip(names, row, strict=True)) for row in asked.fetchall()]


def _plain(table, row, ranks):
    row = {name: value for name, value in row.items() if name not in _MOMENTS}
    if table == "revision" and row["number"] > _COUNTED:
        row["number"] = "restored"  # A restore numbers by the time.
    for name, value in row.items():
        of = table if name == "id" else _OF.get(name)
        if of in ranks and isinstance(value, int):
            row[name] = ranks[of].get(value, value)
    return sorted(row.items())


def names_in(home):
    """Files below a folder, without their numbers: what grows at every fault is a leftover."""
    found = set()
    for one in home.rglob("*"):
        if one.is_file() and not one.name.endswith(("-wal", "-shm")):
            found.add(re.sub(r"\d+", "#", one.relative_to(home).as_posix()))
    return found
