"""Rows of a table ↔ lines of text that mean the same whichever store they come from.

A line is a JSON list, one cell a column. Shapes are EWKB in hexadecimal digits, days and times as ISO 8601
writes them, bytes in base64, JSON columns as they are.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import shapely
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    String,
    Table,
    TableClause,
    bindparam,
    column,
    delete,
    insert,
    select,
    table,
    type_coerce,
)
from sqlalchemy.types import NullType, TypeEngine

from layers.columns import Geom
from layers.model import Base

Columns = tuple[tuple[str, str], ...]
"""Name and kind of every column, in their order."""
BATCH = 1000

_KINDS: tuple[tuple[str, tuple[type[Any], ...], TypeEngine[Any]], ...] = (
    ("json", (JSON,), JSON()),
    ("bytes", (LargeBinary,), LargeBinary()),
    ("time", (DateTime,), DateTime(timezone=True)),
    ("day", (Date,), Date()),
    ("truth", (Boolean,), Boolean()),
    ("whole", (Integer,), Integer()),
    ("number", (Float,), Float()),
    ("text", (String,), String()),
)
_TYPES: Mapping[str, TypeEngine[Any]] = {kind: type_ for kind, _, type_ in _KINDS} | {"shape": LargeBinary()}
_IN_PYTHON: Mapping[str, tuple[type[Any], ...]] = {
    "truth": (bool,),
    "whole": (int,),
    "number": (int, float),
    "text": (str,),
    "json": (object,),
}


def kept() -> list[Table]:
    """The tables that a backup keeps, each after those that it points to."""
    return [one for one in Base.metadata.sorted_tables if one.info.get("kept", True)]


def columns(of: Table) -> Columns:
    return tuple((one.name, _kind(one)) for one in of.columns)


def _kind(of: Column[Any]) -> str:
    if isinstance(of.type, Geom):
        return "shape"
    plain = getattr(of.type, "impl_instance", of.type)
    found = next((kind for kind, types, _ in _KINDS if isinstance(plain, types)), "")
    if not found:
        raise TypeError(f"A backup does not know how to write {of.table.name}.{of.name} ({of.type!r}).")
    return found


def lines(connection: Connection, of: Table) -> Iterator[bytes]:
    """Every row as a line, in the order of the primary key; few rows at a time are in memory."""
    kinds = [kind for _, kind in columns(of)]
    cells = [
        type_coerce(one, NullType()).label(one.name) if kind == "shape" else one
        for one, kind in zip(of.columns, kinds, strict=True)
    ]
    query = select(*cells).order_by(*of.primary_key)
    for row in connection.execute(query, execution_options={"yield_per": BATCH}):
        told = [_told(cell, kind) for cell, kind in zip(row, kinds, strict=True)]
        yield json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _told(cell: Any, kind: str) -> Any:
    if cell is None:
        return None
    if kind == "shape":  # PostGIS hands out digits, SQLite bytes.
        return (cell if isinstance(cell, str) else bytes(cell).hex()).lower()
    if kind == "bytes":
        return base64.b64encode(cell).decode()
    return cell.isoformat() if kind in ("time", "day") else cell


def empty(connection: Connection) -> None:
    """Takes away every row of every table, kept or not.

    DELETE and not TRUNCATE: who reads meanwhile goes on reading what was there.
    """
    for one in reversed(Base.metadata.sorted_tables):
        connection.execute(delete(one))


def fill(connection: Connection, into: Table, told: Iterable[bytes], *, srid: int) -> int:
    """Adds rows from lines with all columns of a table, and returns how many.

    Raises:
        ValueError: a line is not a row of this table, or its shape is in another system than `srid`.
    """
    # None in a JSON column that may be empty is SQL's NULL; elsewhere it is JSON's own null.
    types = [
        JSON(none_as_null=True) if kind == "json" and one.nullable else one.type
        for one, (_, kind) in zip(into.columns, columns(into), strict=True)
    ]
    return _filled(connection, into, columns(into), types, told, srid)


def fill_plain(connection: Connection, name: str, described: Columns, told: Iterable[bytes]) -> int:
    """Adds rows to a table of an earlier schema, which no model describes any more."""
    into = table(name, *(column(one) for one, _ in described))
    return _filled(connection, into, described, [_TYPES[kind] for _, kind in described], told, 0)


def _filled(
    connection: Connection,
    into: Table | TableClause,
    described: Columns,
    types: Sequence[TypeEngine[Any]],
    told: Iterable[bytes],
    srid: int,
) -> int:
    names = [name for name, _ in described]
    wanted = {name: bindparam(name, type_=type_) for name, type_ in zip(names, types, strict=True)}
    statement = insert(into).values(wanted)
    shapes = [at for at, (_, kind) in enumerate(described) if kind == "shape"]
    count = 0
    for some in _batches(told):
        rows = [_row(line, described) for line in some]
        for at in shapes:
            _check_shapes([row[at] for row in rows], srid)
        connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])
        count += len(rows)
    return count


def _batches(told: Iterable[bytes]) -> Iterator[list[bytes]]:
    some: list[bytes] = []
    for line in told:
        some.append(line)
        if len(some) == BATCH:
            yield some
            some = []
    if some:
        yield some


def _row(line: bytes, described: Columns) -> list[Any]:
    cells = json.loads(line)
    if not isinstance(cells, list) or len(cells) != len(described):
        raise ValueError(f"a row has not {len(described)} cells")
    return [_meant(cell, kind) for cell, (_, kind) in zip(cells, described, strict=True)]


def _meant(cell: Any, kind: str) -> Any:
    if cell is None:
        return None
    allowed = _IN_PYTHON.get(kind, (str,))
    if not isinstance(cell, allowed) or (kind in ("whole", "number") and isinstance(cell, bool)):
        raise ValueError(f"“{cell}” is no {kind}")
    return _READERS[kind](cell) if kind in _READERS else cell


_READERS: Mapping[str, Callable[[str], Any]] = {
    "shape": bytes.fromhex,
    "bytes": lambda said: base64.b64decode(said, validate=True),
    "time": datetime.fromisoformat,
    "day": date.fromisoformat,
}


def _check_shapes(shapes: Sequence[bytes | None], srid: int) -> None:
    """All readable, valid and in one system; `srid` 0 asks for none."""
    try:
        found = shapely.from_wkb(np.array(shapes, dtype=object), on_invalid="raise")
    except shapely.errors.ShapelyError as error:
        raise ValueError(f"a shape cannot be read ({error})") from error
    there = found[~shapely.is_missing(found)]
    if not shapely.is_valid(there).all():
        raise ValueError("a shape is not valid")
    if srid and (shapely.get_srid(there) != srid).any():
        raise ValueError(f"a shape is not in EPSG:{srid}")
