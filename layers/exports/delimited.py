"""CSV with the shape as WKT in the column `wkt`, in UTF-8 with the mark by which spreadsheets know it.

CSV has no place for what is told of the whole: source, licence and attribution stand in every row. A text
that begins like a formula has an apostrophe before it, which `layers.readers` takes away again; a shape may
be longer than the 32,767 characters that a cell of Excel holds. Equal bytes for equal data.
"""

import csv
from pathlib import Path

import shapely

from layers.exports.plain import DIGITS, NOTHING, Dataset, harmless

SHAPE = "wkt"


def write(dataset: Dataset, file: Path) -> None:
    has_shapes = dataset.shape != NOTHING
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        table = csv.writer(out, lineterminator="\r\n")
        table.writerow([*dataset.columns, *[SHAPE] * has_shapes])
        for piece in dataset.pieces():
            shapes = shapely.to_wkt(piece.shapes, rounding_precision=DIGITS) if has_shapes else piece.shapes
            for row, shape in zip(piece.rows, shapes, strict=True):
                table.writerow([*map(harmless, row), *[shape] * has_shapes])
