"""Columns that mean the same on both stores: shapes, and text in a fixed order.

PostGIS keeps a shape as `geometry` (through GeoAlchemy2), SQLite as an EWKB blob with its built-in
R*Tree beside it; code above this room sees shapely objects and two constructs, `in_box` and `wkb_of`.
Measured reasons: DESIGN §4; mod_spatialite was rejected because it ends the process beside GDAL.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import shapely
from geoalchemy2 import Geometry
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Dialect,
    Float,
    LargeBinary,
    MetaData,
    String,
    Table,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

_BOUNDS = ("minx", "miny", "maxx", "maxy")
_BATCH = 5000
Item = TypeVar("Item")


class Geom(TypeDecorator[Any]):
    """A shapely geometry in the instance's metric system, on either store.

    The system's number travels inside every value, so that one schema serves every instance.
    """

    impl = Geometry  # GeoAlchemy2's events read its attributes, so a plain LargeBinary will not do.
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(None, srid=-1, spatial_index=False)

    def load_dialect_impl(self, dialect: Dialect | None) -> TypeEngine[Any]:
        if dialect is None or dialect.name == "postgresql":
            return self.impl_instance
        return dialect.type_descriptor(LargeBinary())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        ewkb = value if isinstance(value, bytes) else stored([value])[0]
        return ewkb.hex() if dialect.name == "postgresql" else ewkb

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        stored = getattr(value, "data", value)
        return shapely.from_wkb(stored if isinstance(stored, str) else bytes(stored))

    # GeoAlchemy2 would wrap values in ST_GeomFromEWKT and ST_AsEWKB, which SQLite does not have.
    def bind_expression(self, bindvalue: Any) -> Any:
        return bindvalue

    def column_expression(self, column: Any) -> Any:
        return column


def stored(shapes: Sequence[shapely.Geometry | None]) -> list[bytes]:
    """Shapes as a shape column takes them too: many at once cost a tenth of one by one.

    Raises:
        ValueError: a shape is not valid.
    """
    found = np.array(shapes, dtype=object)
    wrong = ~shapely.is_valid(found) & ~shapely.is_missing(found)
    if wrong.any():
        raise ValueError(shapely.is_valid_reason(found[wrong][0]))
    return list(shapely.to_wkb(found, include_srid=True))


def batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Pieces small enough for a statement's parameters and for the memory."""
    for at in range(0, len(items), _BATCH):
        yield items[at : at + _BATCH]


class Letters(TypeDecorator[str]):
    """Text that is compared letter by letter on both stores, whatever language the server speaks."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        collation = "C" if dialect.name == "postgresql" else "BINARY"
        return dialect.type_descriptor(String(collation=collation))


class in_box(FunctionElement[bool]):
    """Rows whose shape's box meets a box in metres: a superset, so always refine with shapely."""

    name = "in_box"
    inherit_cache = True
    type = Boolean()

    def __init__(self, column: InstrumentedAttribute[Any], bounds: Iterable[float]) -> None:
        super().__init__(column.expression, *(literal(float(bound), Float()) for bound in bounds))

    # A plain Boolean is rendered as "(...) = 1" on SQLite, and the index is lost.
    def self_group(self, against: Any = None) -> Any:
        return self


# `&&` compares boxes and not systems: without an SRID the frame stays a constant that GiST can use.
@compiles(in_box, "postgresql")
def _in_box_gist(element: in_box, compiler: SQLCompiler, **options: Any) -> str:
    column, *corners = (compiler.process(part, **options) for part in element.clauses)
    return f"({column} && ST_MakeEnvelope({', '.join(corners)}))"


@compiles(in_box)
def _in_box_rtree(element: in_box, compiler: SQLCompiler, **options: Any) -> str:
    shape, *bounds = element.clauses
    table = shape.table
    key = compiler.process(table.c.id, **options)
    west, south, east, north = (compiler.process(bound, **options) for bound in bounds)
    index = _index_name(getattr(table, "element", table).name, shape.name)
    return (
        f"{key} IN (SELECT id FROM {index} WHERE minx <= {east} AND maxx >= {west}"
        f" AND miny <= {north} AND maxy >= {south})"
    )


class wkb_of(FunctionElement[bytes]):
    """A shape as bytes for `shapely.from_wkb`, which reads a whole column at once."""

    name = "wkb_of"
    inherit_cache = True
    type = LargeBinary()

    def __init__(self, column: InstrumentedAttribute[Any] | Column[Any]) -> None:
        super().__init__(column.expression)


@compiles(wkb_of, "postgresql")
def _wkb_gist(element: wkb_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"ST_AsBinary({compiler.process(element.clauses, **options)})"


@compiles(wkb_of)
def _wkb_blob(element: wkb_of, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


def _index_name(table: str, column: str) -> str:
    return f"idx_{table}_{column}"


def _shape_columns(metadata: MetaData) -> list[tuple[Table, str]]:
    return [
        (table, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, Geom)
    ]


def ensure_spatial_indexes(connection: Connection, metadata: MetaData) -> None:
    """Makes the spatial index of every shape column that lacks one; to be run after each migration."""
    for table, column in _shape_columns(metadata):
        if connection.dialect.name == "postgresql":
            _ensure_gist(connection, table.name, column)
        else:
            _ensure_rtree(connection, table.name, column)


def _ensure_gist(connection: Connection, table: str, column: str) -> None:
    name = _index_name(table, column)
    connection.execute(text(f"CREATE INDEX IF NOT EXISTS {name} ON {table} USING gist ({column})"))


def _ensure_rtree(connection: Connection, table: str, column: str) -> None:
    name = _index_name(table, column)
    parts = {name, f"{name}_insert", f"{name}_update", f"{name}_delete"}
    there = connection.execute(
        text("SELECT name FROM sqlite_master WHERE name = :a OR name IN (:b, :c, :d)"),
        dict(zip("abcd", sorted(parts), strict=True)),
    )
    # A batch migration rebuilds its table and loses the triggers: then all four are made anew.
    if set(there.scalars()) == parts:
        return
    for trigger in sorted(parts - {name}):
        connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
    connection.execute(text(f"DROP TABLE IF EXISTS {name}"))
    for statement in _rtree_statements(name, table, column):
        connection.execute(text(statement))


def _insert_trigger(name: str, table: str, column: str) -> str:
    return (
        f"CREATE TRIGGER {name}_insert AFTER INSERT ON {table} WHEN NEW.{column} IS NOT NULL"
        f" BEGIN INSERT INTO {name} (id, minx, miny, maxx, maxy) VALUES ({_indexed(column, 'NEW.')}); END"
    )


def _indexed(column: str, source: str) -> str:
    """The row of the index for a row of the table."""
    bounds = ", ".join(f"geom_{bound}({source}{column})" for bound in _BOUNDS)
    return f"{source}id, {bounds}"


def _rtree_statements(name: str, table: str, column: str) -> list[str]:
    order = "id, minx, maxx, miny, maxy"
    fill = f"INSERT INTO {name} (id, minx, miny, maxx, maxy)"
    return [
        f"CREATE VIRTUAL TABLE {name} USING rtree({order})",
        _insert_trigger(name, table, column),
        f"CREATE TRIGGER {name}_update AFTER UPDATE OF {column} ON {table}"
        f" BEGIN DELETE FROM {name} WHERE id = OLD.id;"
        f" {fill} SELECT {_indexed(column, 'NEW.')} WHERE NEW.{column} IS NOT NULL; END",
        f"CREATE TRIGGER {name}_delete AFTER DELETE ON {table}"
        f" BEGIN DELETE FROM {name} WHERE id = OLD.id; END",
        f"{fill} SELECT {_indexed(column, '')} FROM {table} WHERE {column} IS NOT NULL",
    ]


def drop_spatial_indexes(connection: Connection, metadata: MetaData) -> None:
    """Removes what `ensure_spatial_indexes` made beside the tables; to be run before a table is dropped."""
    if connection.dialect.name == "postgresql":
        return  # A GiST index goes with its table.
    for table, column in _shape_columns(metadata):
        name = _index_name(table.name, column)
        for change in ("insert", "update", "delete"):
            connection.execute(text(f"DROP TRIGGER IF EXISTS {name}_{change}"))
        connection.execute(text(f"DROP TABLE IF EXISTS {name}"))


@contextmanager
def indexed_at_once(connection: Connection, table: Table) -> Iterator[None]:
    """Rows added inside get into SQLite's spatial index all at once at the end, not one by one."""
    shapes = [column.name for column in table.columns if isinstance(column.type, Geom)]
    if connection.dialect.name == "postgresql" or not shapes:
        yield
        return
    last = connection.execute(select(func.max(table.c.id))).scalar() or 0
    for column in shapes:
        connection.execute(text(f"DROP TRIGGER {_index_name(table.name, column)}_insert"))
    yield
    for column in shapes:
        name = _index_name(table.name, column)
        _fill(connection, name, table, column, after=last)
        connection.execute(text(_insert_trigger(name, table.name, column)))


def _fill(connection: Connection, name: str, table: Table, column: str, *, after: int) -> None:
    query = select(table.c.id, wkb_of(table.c[column])).where(
        table.c.id > after, table.c[column].is_not(None)
    )
    statement = text(
        f"INSERT INTO {name} (id, minx, miny, maxx, maxy) VALUES (:id, :west, :south, :east, :north)"
    )
    for rows in connection.execute(query).partitions(_BATCH):
        bounds = shapely.bounds(shapely.from_wkb([row[1] for row in rows])).tolist()
        sides = ("west", "south", "east", "north")
        boxes = [
            {"id": row[0], **dict(zip(sides, box, strict=True))}
            for row, box in zip(rows, bounds, strict=True)
        ]
        connection.execute(statement, boxes)


@lru_cache(maxsize=64)
def _bounds(blob: bytes) -> tuple[float, float, float, float]:
    return shapely.from_wkb(blob).bounds


def index_functions() -> dict[str, Any]:
    """The functions that SQLite's triggers call: name -> function of a blob."""
    return {f"geom_{name}": lambda blob, at=at: _bounds(blob)[at] for at, name in enumerate(_BOUNDS)}
