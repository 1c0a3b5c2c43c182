"""Tables and features to take along: CSV that no spreadsheet takes for a formula, GeoJSON in degrees."""

import csv as writer
import io
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response

from layers.exports import harmless


def csv(rows: Sequence[Mapping[str, Any]], *, name: str) -> Response:
    """Rows of equal keys as a file of CSV in UTF-8."""
    text = io.StringIO()
    out = writer.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\r\n")
    out.writeheader()
    out.writerows({key: harmless(value) for key, value in row.items()} for row in rows)
    response = Response("\ufeff" + text.getvalue(), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def point(lon: float, lat: float, **properties: Any) -> dict[str, Any]:
    """A GeoJSON feature at a point; five digits of a degree are finer than any point of ours is true."""
    place = {"type": "Point", "coordinates": [round(float(lon), 5), round(float(lat), 5)]}
    return {"type": "Feature", "geometry": place, "properties": properties}
