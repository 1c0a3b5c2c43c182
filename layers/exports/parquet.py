"""GeoParquet 1.1: columns with types, shapes as WKB, a box for each row. The only room of files that knows
pyarrow.

pyarrow is 170 MB unpacked, as much as all else that reads maps together, and serves this one format, so it is
an extra (`parquet`): without it the format is not offered, and a sentence says how to have it. Equal bytes
for equal data and the same pyarrow.
"""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from layers.exports.plain import NOTHING, Dataset, Piece

SHAPE, BOX = "geometry", "bbox"
_ENDS = ("xmin", "ymin", "xmax", "ymax")


def is_there() -> bool:
    """Whether pyarrow is installed."""
    return find_spec("pyarrow") is not None


def write(dataset: Dataset, file: Path) -> None:
    import pyarrow as arrow
    from pyarrow import parquet

    types = {str: arrow.string(), int: arrow.int64(), float: arrow.float64()}
    fields = [arrow.field(name, types[kind]) for name, kind in dataset.columns.items()]
    has_shapes = dataset.shape != NOTHING
    if has_shapes:
        box = arrow.struct([arrow.field(end, arrow.float64()) for end in _ENDS])
        fields += [arrow.field(SHAPE, arrow.binary()), arrow.field(BOX, box)]
    schema = arrow.schema(fields)
    ends = np.full(4, np.nan)
    with parquet.ParquetWriter(file, schema, compression="zstd") as out:
        for piece in dataset.pieces():
            table = _columns(dataset, piece)
            if has_shapes:
                table[SHAPE] = list(shapely.to_wkb(piece.shapes))
                bounds = shapely.bounds(piece.shapes)
                table[BOX] = [_box(one) for one in bounds]
                # These two ignore what is no number: a row without a shape.
                ends[:2] = np.fmin(ends[:2], np.fmin.reduce(bounds[:, :2]))
                ends[2:] = np.fmax(ends[2:], np.fmax.reduce(bounds[:, 2:]))
            out.write_table(arrow.table(table, schema=schema))
        about = {name: text for name, text in dataset.about.items() if text}
        if has_shapes:
            about["geo"] = json.dumps(_geo(dataset, ends))
        out.add_key_value_metadata(about)


def _box(bounds: Any) -> dict[str, float] | None:
    return None if np.isnan(bounds).any() else dict(zip(_ENDS, map(float, bounds), strict=True))


def _columns(dataset: Dataset, piece: Piece) -> dict[str, Any]:
    columns = list(zip(*piece.rows, strict=True)) or [()] * len(dataset.columns)
    return {name: list(column) for name, column in zip(dataset.columns, columns, strict=True)}


def _geo(dataset: Dataset, ends: Any) -> dict[str, Any]:
    """The metadata of GeoParquet 1.1. Without `crs` the coordinates are OGC:CRS84."""
    about: dict[str, Any] = {"encoding": "WKB", "geometry_types": [dataset.shape], "edges": "planar"}
    if dataset.shape != "Point":
        about["orientation"] = "counterclockwise"
    if np.isfinite(ends).all():
        about["bbox"] = [float(end) for end in ends]
    about["covering"] = {BOX: {end: [BOX, end] for end in _ENDS}}
    return {"version": "1.1.0", "primary_column": SHAPE, "columns": {SHAPE: about}}
