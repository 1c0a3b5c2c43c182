"""KML 2.2: a placemark for each row, every column as its data, so that nothing is lost but types.

GDAL's driver keeps two columns only. Texts are written as KML wants them, as HTML: what is markup elsewhere
is text here. A value that is not known is blank. Equal bytes for equal data.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import shapely

from layers.exports.plain import DIGITS, Dataset

_SHOWN = "label"


def write(dataset: Dataset, file: Path) -> None:
    about = dataset.about
    told = "\n".join(f"{name}: {text}" for name, text in about.items() if text)
    with file.open("w", encoding="utf-8", newline="\n") as out:
        out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
        out.write('<kml xmlns="http://www.opengis.net/kml/2.2" xmlns:atom="http://www.w3.org/2005/Atom">\n')
        out.write(f"<Document>\n<name>{escape(about.get('title', dataset.name))}</name>\n")
        out.write(f"<atom:author><atom:name>{escape(about.get('publisher', ''))}</atom:name></atom:author>\n")
        out.write(f"<description>{_html(told)}</description>\n")
        out.write(f"<ExtendedData>\n{''.join(_data(name, text) for name, text in about.items())}")
        out.write("</ExtendedData>\n")
        for piece in dataset.pieces():
            for row, shape in zip(piece.rows, piece.shapes, strict=True):
                facts = dict(zip(dataset.columns, row, strict=True))
                out.write(
                    f"<Placemark>\n<name>{escape(str(facts.get(_SHOWN) or ''))}</name>\n<ExtendedData>\n"
                )
                out.writelines(_data(name, value) for name, value in facts.items())
                out.write(f"</ExtendedData>\n{''.join(_drawn(shape))}</Placemark>\n")
        out.write("</Document>\n</kml>\n")


def _data(name: str, value: Any) -> str:
    said = "" if value is None else _html(str(value))
    return f"<Data name={quoteattr(name)}><value>{said}</value></Data>\n"


def _html(text: str) -> str:
    """Text as HTML, as XML: a balloon shows it as it is, and runs nothing."""
    return escape(escape(text))


def _drawn(shape: Any) -> Iterator[str]:
    if shape is None:
        return
    if shape.geom_type == "Point":
        yield f"<Point><coordinates>{_line([(shape.x, shape.y)])}</coordinates></Point>\n"
        return
    yield "<MultiGeometry>\n"
    for polygon in shapely.get_parts(shape):
        yield f"<Polygon>{_ring('outerBoundaryIs', polygon.exterior)}"
        yield from (_ring("innerBoundaryIs", ring) for ring in polygon.interiors)
        yield "</Polygon>\n"
    yield "</MultiGeometry>\n"


def _ring(name: str, ring: Any) -> str:
    ends = _line(ring.coords)
    return f"<{name}><LinearRing><coordinates>{ends}</coordinates></LinearRing></{name}>"


def _line(ends: Any) -> str:
    return " ".join(f"{_number(lon)},{_number(lat)}" for lon, lat in ends)


def _number(value: float) -> str:
    return f"{value:.{DIGITS}f}".rstrip("0").rstrip(".")
