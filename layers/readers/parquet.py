"""GeoParquet and plain Parquet → a Table, some thousand rows at a time. The only room of readers that knows
pyarrow, which is an extra: without it a sentence says how to have it, or what else to bring.
"""

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from layers.errors import N_
from layers.readers import systems
from layers.readers.cells import Notebook
from layers.readers.plain import Limits, Unreadable
from layers.readers.tables import Found, Row

_BATCH = 2_000


def read(path: Path, *, file: str, name: str, limits: Limits) -> Found:
    """Its table; shapes are the primary column of GeoParquet 1.x, in degrees where it names no system.

    Raises:
        Unreadable: pyarrow is not installed, the file is damaged, or it is more than the limits allow.
    """
    if find_spec("pyarrow") is None:
        text = N_(
            "To read Parquet the package pyarrow is needed: install turvakaart[parquet], or save “{file}” "
            "as GeoPackage."
        )
        raise Unreadable(text, file=file)
    notes = Notebook()
    found = _Parquet(path, file, limits, notes)
    return Found(
        file=file,
        name=name,
        names=list(found.names),
        walk=found.walk,
        has_shapes=bool(found.shape),
        crs=found.crs,
        notes=notes,
    )


class _Parquet:
    """One walk after another through a file whose head is known."""

    def __init__(self, path: Path, file: str, limits: Limits, notes: Notebook) -> None:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        self._path, self._file = path, file
        try:
            with ParquetFile(path) as opened:
                about, schema = opened.metadata, opened.schema_arrow
                unpacked = sum(about.row_group(at).total_byte_size for at in range(about.num_row_groups))
        except (ArrowException, OSError) as error:
            raise self._damaged() from error
        if unpacked > limits.bytes_unpacked:
            text = N_(
                "The file “{file}” is larger than {most:,} MB when it is unpacked. Split it into "
                "smaller files."
            )
            raise Unreadable(text, file=file, most=limits.bytes_unpacked // 1_000_000)
        geo = _geo((schema.metadata or {}).get(b"geo") or (about.metadata or {}).get(b"geo"))
        self.shape, column = _primary(geo, schema.names)
        self.crs = _system(column) if self.shape else ""
        if self.shape and column.get("encoding") != "WKB":
            said = str(column.get("encoding"))[:40]
            notes.add(0, N_("The shapes are written as “{said}”, which is not read here."), said=said)
            self.shape = ""
        aside = {*_others(geo), *_covering(column)}
        self.names = tuple(name for name in schema.names if name not in aside)
        if len(self.names) > limits.columns:
            raise Unreadable(
                N_(
                    "The table has {found:,} columns; at most {most:,} are read. Leave out those that are "
                    "not needed."
                ),
                found=len(self.names),
                most=limits.columns,
            )

    def walk(self, notes: Notebook) -> Iterator[Row]:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        wanted = [*self.names, *([self.shape] if self.shape else [])]
        number = 0
        try:
            with ParquetFile(self._path) as opened:
                for batch in opened.iter_batches(batch_size=_BATCH, columns=wanted):
                    columns = [batch.column(name).to_pylist() for name in self.names]
                    shapes = self._drawn(batch, number, notes)
                    for row, shape in zip(zip(*columns, strict=True), shapes, strict=True):
                        number += 1
                        yield number, row, shape
        except (ArrowException, OSError) as error:
            raise self._damaged() from error

    def _drawn(self, batch: Any, read: int, notes: Notebook) -> Any:
        if not self.shape:
            return [None] * batch.num_rows
        wkbs = np.array([None, *batch.column(self.shape).to_pylist()], dtype=object)[1:]
        shapes = shapely.from_wkb(wkbs, on_invalid="ignore")
        for at in np.flatnonzero((wkbs != None) & shapely.is_missing(shapes)):  # noqa: E711 (numpy compares)
            notes.add(
                read + int(at) + 1,
                N_("The coordinates of this feature cannot be read; the row has no shape."),
            )
        return shapes

    def _damaged(self) -> Unreadable:
        text = N_("The file “{file}” is damaged or breaks off before its end. Save or fetch it again.")
        return Unreadable(text, file=self._file)


def _geo(said: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(said or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _primary(geo: dict[str, Any], names: list[str]) -> tuple[str, dict[str, Any]]:
    """The column of shapes and what is said of it; "" where there is none."""
    name, columns = geo.get("primary_column"), geo.get("columns")
    column = columns.get(name) if isinstance(columns, dict) else None
    return (str(name), column) if name in names and isinstance(column, dict) else ("", {})


def _others(geo: dict[str, Any]) -> Iterator[str]:
    """Columns that hold shapes: a table has one, the others are no text."""
    columns = geo.get("columns")
    yield from map(str, columns) if isinstance(columns, dict) else ()


def _covering(column: dict[str, Any]) -> Iterator[str]:
    """Columns that only repeat the bounds of the shapes."""
    covering = column.get("covering")
    for ends in covering.values() if isinstance(covering, dict) else ():
        for path in ends.values() if isinstance(ends, dict) else ():
            if isinstance(path, list) and path:
                yield str(path[0])


def _system(column: dict[str, Any]) -> str:
    """What is silent is OGC:CRS84; null says that nobody knows."""
    if "crs" not in column:
        return systems.WGS84
    crs = column["crs"]
    return systems.named(json.dumps(crs) if isinstance(crs, dict) else str(crs or ""))
