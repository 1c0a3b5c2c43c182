"""GeoJSON (RFC 7946): degrees of WGS 84, longitude first, no `crs`; what is told of the whole stands beside
the features. Feature by feature, so that a big layer needs little memory; equal bytes for equal data.
"""

import json
from pathlib import Path
from typing import Any

import shapely

from layers.exports.plain import Dataset


def write(dataset: Dataset, file: Path) -> None:
    head = {"type": "FeatureCollection", "name": dataset.name, "about": dict(dataset.about)}
    with file.open("w", encoding="utf-8", newline="") as out:
        out.write(_json(head)[:-1] + ',"features":[')
        between = "\n"
        for piece in dataset.pieces():
            for row, shape in zip(piece.rows, shapely.to_geojson(piece.shapes), strict=True):
                facts = _json(dict(zip(dataset.columns, row, strict=True)))
                out.write(f'{between}{{"type":"Feature","properties":{facts},"geometry":{shape or "null"}}}')
                between = ",\n"
        out.write("\n]}\n")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
