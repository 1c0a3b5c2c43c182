"""What a steward takes along: the list of what to mend, and a copy as the instance's own files hold it."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import shapely

from layers import geo
from layers.catalog import Instance
from layers.doctor.exam import REFUSED, REPAIRED, Exam
from layers.doctor.fields import AREAS
from layers.errors import Sentence
from layers.exports import harmless
from layers.sources.rows import Row

Tell = Callable[[Sentence], str]
"""A sentence in the reader's language."""
_BODY = (
    *("key", "name", "form", "capabilities", "readiness", "place", "settlement", "municipality", "county"),
    *("lat", "lon", "precision", "serves", "valid_from", "valid_to", "as_of", "as_of_inferred"),
    *("source", "source_url"),
)
_AREA = ("kind", "code", "parent", "accuracy", "valid_from", "valid_to", "as_of", "source")


def fixes(exam: Exam, *, tell: Tell = str) -> str:
    """Every row that is refused or repaired, with what is told of it, as CSV in UTF-8."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\r\n")
    out.writerow(["row", "state", "what", "remedy"])
    for one in exam.findings:
        if one.state in (REFUSED, REPAIRED) or not one.row:
            what = " ".join(tell(each) for each in one.told)
            remedy = tell(one.remedy) if one.remedy else ""
            out.writerow([one.row or "", one.state if one.row else "", harmless(what), harmless(remedy)])
    return "\ufeff" + text.getvalue()


def repaired(exam: Exam, instance: Instance) -> tuple[str, str]:
    """The rows that can be used, as the instance's own files hold them: a name for the file, and its text.

    Organisations are CSV, areas GeoJSON (RFC 7946). What is written loads as a resource of an instance.
    """
    if exam.target.of == AREAS:
        return f"{exam.target.layer}.geojson", _geojson(exam, instance)
    text = io.StringIO()
    words = [f"{word}_{language}" for word in ("name", "note") for language in instance.languages]
    out = csv.DictWriter(text, [*_BODY, *words], lineterminator="\n")
    out.writeheader()
    out.writerows(_line(row, instance) for row in exam.rows)
    return f"{exam.target.layer}.csv", text.getvalue()


def _line(row: Row, instance: Instance) -> dict[str, Any]:
    values = row.values
    point = values["geom"]
    place = geo.place_of(point.x, point.y, srid=instance.metric_crs) if point is not None else None
    return {
        **{name: values[name] for name in _BODY if name in values},
        "key": row.key,
        "capabilities": ";".join(values["capabilities"]),
        "serves": ";".join(link["area"] for link in row.links["serves"]),
        "as_of_inferred": "yes" if values["as_of_inferred"] else "",
        "lat": f"{place.lat:.6f}" if place else "",
        "lon": f"{place.lon:.6f}" if place else "",
        **{f"name_{language}": name for language, name in values["names"].items()},
        **{f"note_{language}": note for language, note in values["notes"].items()},
    }


def _geojson(exam: Exam, instance: Instance) -> str:
    shapes = geo.to_degrees([row.values["geom"] for row in exam.rows], srid=instance.metric_crs)
    features = [
        {
            "type": "Feature",
            "properties": {name: row.values[name] for name in _AREA}
            | {f"name_{language}": name for language, name in row.values["names"].items()},
            "geometry": json.loads(shapely.to_geojson(shapely.orient_polygons(shape))),
        }
        for row, shape in zip(exam.rows, shapes, strict=True)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)
