"""Vector tiles of big layers: /api/tiles/<layer>/<revision>/<z>/<x>/<y>.mvt, as they lie in the archive."""

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

from layers import tiles
from webmap import db, packed

bp = Blueprint("tiles", __name__, url_prefix="/api/tiles")
_FOR_EVER = "public, max-age=31536000, immutable"
_TYPE = "application/vnd.mapbox-vector-tile"


@bp.get("/<layer>/<int:revision>/<int:z>/<int:x>/<int:y>.mvt")
def tile(layer: str, revision: int, z: int, x: int, y: int) -> ResponseReturnValue:
    house = db.house()
    archive = tiles.archive(house.shelf, house.instance.layer(layer).key, revision)
    found = tiles.tile(archive, z, x, y)
    if found is None:
        return Response(status=204, headers={"Cache-Control": _FOR_EVER})
    return packed.answer(found, mimetype=_TYPE, kept=_FOR_EVER)
