"""GeoPackage and FlatGeobuf: what GDAL writes for us. The only room of files that knows it, and geopandas.

Both hold text, numbers, shapes and what is told of the whole. GeoPackages are written piece by piece;
FlatGeobuf orders its rows for its index, so that they must be there together, and a row without a shape
cannot be in the index: where there is one, there is no index. GDAL would write the time of writing into a
GeoPackage: here it gets the day of the facts instead, so equal data have equal bytes under the same GDAL.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import shapely

from layers.exports.plain import NOTHING, Dataset, Piece

DEGREES = "EPSG:4326"
# GDAL keeps the day for the whole process.
_ALONE = Lock()


def geopackage(layers: Mapping[str, Sequence[Mapping[str, Any]]], *, srid: int, day: Any) -> bytes:
    """A GeoPackage with a layer for each table; each row has a metric `geometry` and plain facts."""
    import geopandas  # Half a second, and only files need it.

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "made.gpkg"
        with _on_day(day.isoformat()):
            for name, rows in layers.items():
                shapes = shapely.set_srid([row["geometry"] for row in rows], srid)
                facts = [{key: value for key, value in row.items() if key != "geometry"} for row in rows]
                frame = geopandas.GeoDataFrame(facts, geometry=shapes, crs=f"EPSG:{srid}")
                frame.to_file(file, layer=name, driver="GPKG", engine="pyogrio")
        return file.read_bytes()


@contextmanager
def _on_day(day: str) -> Iterator[None]:
    import pyogrio

    with _ALONE:
        before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": f"{day}T00:00:00Z"})
        try:
            yield
        finally:
            pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def write_geopackage(dataset: Dataset, file: Path) -> None:
    about = {name: text for name, text in dataset.about.items() if text}
    title = {"IDENTIFIER": about.get("title", dataset.name), "DESCRIPTION": about.get("description", "")}
    with _on_day(dataset.day):
        is_begun = False
        for piece in _filled(dataset):
            # What is told of the whole is written once, with the first rows.
            more = {} if is_begun else {"layer_metadata": about, "dataset_metadata": about, **title}
            _write(dataset, piece, file, driver="GPKG", append=is_begun, **more)
            is_begun = True


def write_flatgeobuf(dataset: Dataset, file: Path) -> None:
    pieces = [*_filled(dataset)]
    rows = [row for piece in pieces for row in piece.rows]
    shapes = np.concatenate([piece.shapes for piece in pieces])
    is_whole = bool(len(rows)) and not shapely.is_missing(shapes).any()
    about = {name: text for name, text in dataset.about.items() if text}
    title = {"TITLE": about.get("title", dataset.name), "DESCRIPTION": json.dumps(about, ensure_ascii=False)}
    index = {"SPATIAL_INDEX": "YES" if is_whole else "NO"}
    _write(dataset, Piece(rows, shapes), file, driver="FlatGeobuf", **title, **index)


def _filled(dataset: Dataset) -> Iterator[Piece]:
    """The pieces, and an empty one where there is none: a table without rows is a table."""
    is_empty = True
    for piece in dataset.pieces():
        is_empty = False
        yield piece
    if is_empty:
        yield Piece([], np.array([], dtype=object))


def _write(dataset: Dataset, piece: Piece, file: Path, **more: Any) -> None:
    import pyogrio

    has_shapes = dataset.shape != NOTHING
    columns = [*zip(*piece.rows, strict=True)] or [()] * len(dataset.columns)
    fields, masks = [], []
    for kind, column in zip(dataset.columns.values(), columns, strict=True):
        masks.append(np.array([value is None for value in column], dtype=bool))
        if kind is str:
            fields.append(np.array([None, *column], dtype=object)[1:])
        else:
            fields.append(np.array([0 if value is None else value for value in column], dtype=kind))
    pyogrio.raw.write(
        file,
        shapely.to_wkb(piece.shapes) if has_shapes else None,
        fields,
        list(dataset.columns),
        field_mask=masks,
        layer=dataset.name,
        geometry_type=dataset.shape if has_shapes else None,
        crs=DEGREES if has_shapes else None,
        **more,
    )
