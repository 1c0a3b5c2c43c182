"""Tables and shapes as files that other programs open, each format in a room of its own.

What a format cannot carry, and how it is carried nevertheless, stands in its room. In short, of the columns
that `layers.downloads` names: dates are partial (“2018-05”), which only text can be, so every format has them
as text; several codes stand in one text with semicolons; CSV and KML have no types and no blank that is
told from “not known”, nor does anything here need one; CSV has no place for what is told of the whole, so
source, licence and attribution stand in every row of every format. Layers without places are tables in CSV,
GeoJSON, GeoPackage and Parquet only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from layers.errors import N_, Invalid
from layers.exports import delimited, features, gdal, parquet, placemarks
from layers.exports.gdal import geopackage
from layers.exports.offices import xlsx
from layers.exports.plain import NOTHING, POINT, POLYGON, Dataset, NoShapes, Piece, harmless, restored

__all__ = [
    "FORMATS",
    "NOTHING",
    "POINT",
    "POLYGON",
    "Dataset",
    "Format",
    "NoFormat",
    "NoShapes",
    "NotInstalled",
    "Piece",
    "format_of",
    "geopackage",
    "harmless",
    "offered",
    "restored",
    "write",
    "xlsx",
]


class NoFormat(Invalid):
    text = N_("There is no format “{format}”. Use one of: {formats}.")


class NotInstalled(Invalid):
    text = N_(
        "GeoParquet needs the package pyarrow, which is not installed here: install turvakaart[parquet], or "
        "use one of: {formats}."
    )


@dataclass(frozen=True)
class Format:
    """A kind of file. `needs_shapes` where a table without places cannot be written so."""

    key: str
    title: str
    mimetype: str
    write: Callable[[Dataset, Path], None]
    needs_shapes: bool = False


FORMATS: Mapping[str, Format] = {
    one.key: one
    for one in (
        Format("geojson", "GeoJSON", "application/geo+json", features.write),
        Format("gpkg", "GeoPackage", "application/geopackage+sqlite3", gdal.write_geopackage),
        Format("parquet", "GeoParquet", "application/vnd.apache.parquet", parquet.write),
        Format("csv", "CSV", "text/csv", delimited.write),
        Format("kml", "KML", "application/vnd.google-earth.kml+xml", placemarks.write, True),
        Format("fgb", "FlatGeobuf", "application/flatgeobuf", gdal.write_flatgeobuf, True),
    )
}


def offered(shape: str = POINT) -> list[Format]:
    """The formats that can be written here, of layers with such shapes."""
    return [
        one
        for one in FORMATS.values()
        if (shape != NOTHING or not one.needs_shapes) and (one.key != "parquet" or parquet.is_there())
    ]


def format_of(key: str) -> Format:
    """A format by its key, which is also the ending of its files.

    Raises:
        NoFormat: there is none of this name.
        NotInstalled: it needs what is not here.
    """
    there = ", ".join(one.key for one in offered())
    if key not in FORMATS:
        raise NoFormat(format=key, formats=there)
    if key == "parquet" and not parquet.is_there():
        raise NotInstalled(formats=there)
    return FORMATS[key]


def write(dataset: Dataset, format: Format, file: Path) -> None:
    """Writes a table to a file.

    Raises:
        NoShapes: it has no places, and the format is one of maps only.
        OSError: the file cannot be written.
    """
    if format.needs_shapes and dataset.shape == NOTHING:
        there = ", ".join(one.key for one in offered(NOTHING))
        raise NoShapes(layer=dataset.name, format=format.title, formats=there)
    format.write(dataset, file)
