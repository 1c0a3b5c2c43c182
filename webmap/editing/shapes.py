"""The shapes that an area is drawn from: its own and its neighbours'."""

from itertools import accumulate
from typing import Any

import shapely
from flask import Response
from flask.typing import ResponseReturnValue

from layers import edits, geo, places
from webmap import db, packed, params, signin
from webmap.editing.frame import bp

_ROOM = 20_000
"""Corners of neighbours that are sent at once."""


@bp.get("/<language>/edit/area/<kind>/<code>.geojson")
@signin.required("partner")
def shape(kind: str, code: str) -> ResponseReturnValue:
    """The shape of an area as it is told now, whole, to be drawn anew."""
    thing = edits.area(db.session(), db.instance(), kind, code)
    start = params.arguments().get("state", thing.states[-1].valid_from)
    state = thing.state(start) or thing.states[-1]
    degrees = geo.to_degrees([state.row.values["geom"]], srid=db.instance().metric_crs)
    return _geojson(degrees[0])


@bp.get("/<language>/edit/area/<kind>/around.geojson")
@signin.required("partner")
def around(kind: str) -> ResponseReturnValue:
    """The other areas of a kind in a frame, whole, so that corners can be set on their borders.

    Those of so many corners that a browser can look through them at every move; where there are more, the
    ones with the fewest.
    """
    edits.layer_of_kind(db.instance(), kind)
    args = params.arguments()
    but, frame = args.get("but", ""), params.frame(args)
    found = places.shapes(db.session(), kind, as_of=params.today(), bbox=frame) if frame else []
    shapes = sorted((one for area, one in found if area.code != but), key=shapely.get_num_coordinates)
    room = accumulate(int(shapely.get_num_coordinates(one)) for one in shapes)
    return _geojson(
        shapely.geometrycollections(
            [one for one, corners in zip(shapes, room, strict=True) if corners <= _ROOM]
        )
    )


def _geojson(shape: Any) -> Response:
    rounded = shapely.transform(shape, lambda corners: corners.round(7))
    return packed.geojson(shapely.to_geojson(rounded))
