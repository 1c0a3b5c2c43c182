"""The map as it would be: the rows that can be used, each drawn by what would become of it."""

import json

import numpy as np
import shapely
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from layers import geo
from layers.doctor import AREAS, BODIES, Exam
from webmap import db, packed, signin, stewards
from webmap.importing import changes, exams, patience
from webmap.importing.frame import bp
from webmap.inbox import Waiting
from webmap.planning import chart

MOST = 2000
"""So many shapes are drawn."""
_FINE_M = 20
MARKS = {
    BODIES: {"added": "added", "changed": "moved", "unchanged": "there"},
    AREAS: {"added": "draft", "changed": "turned", "unchanged": "stands"},
}
"""How a row's state is drawn: names of static/planning.js."""


@bp.get("/<language>/import/<token>/preview.geojson")
@signin.required(stewards.ROLE)
@patience.examined
def preview(waiting: Waiting) -> ResponseReturnValue:
    """The rows that can be used, as the map before the write shows them."""
    exam = exams.exam(waiting)
    plan, marks = exams.plan(waiting, exam), MARKS[exam.target.of]
    there = [
        (row, state) for row, state in changes.marked(plan, exam.rows) if row.values.get("geom") is not None
    ]
    # What changes is seen before what stays.
    there = sorted(there, key=lambda one: one[1] == "unchanged")[:MOST]
    srid = db.instance().metric_crs
    shapes = np.array([row.values["geom"] for row, _ in there], dtype=object)
    if exam.target.of == AREAS and len(shapes):
        shapes = shapely.set_srid(shapely.simplify(shapes, _FINE_M), srid)
    turned = shapely.set_precision(geo.to_degrees(shapes, srid=srid), 1e-5) if len(shapes) else ()
    found = [
        {
            "type": "Feature",
            "geometry": json.loads(shapely.to_geojson(shape)),
            "properties": {
                "title": changes.name(row),
                "state": marks[state],
                "lines": [gettext(changes.STATES[state])],
            },
        }
        for (row, state), shape in zip(there, turned, strict=True)
    ]
    return packed.features(found)


def bounds(exam: Exam) -> str:
    """The frame of all that can be drawn, in degrees: west, south, east, north; "" where there is nothing."""
    shapes = [row.values["geom"] for row in exam.rows if row.values.get("geom") is not None]
    if not shapes:
        return ""
    return chart.frame(*shapely.total_bounds(shapes))
