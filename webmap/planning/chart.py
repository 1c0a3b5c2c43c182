"""The map of the planner's pages: the ground, borders, names, and one layer that the page itself names.

Its script is the same for every question: the page says in `data-plan` which address the layer is drawn from.
"""

from functools import lru_cache

import shapely
from flask.typing import ResponseReturnValue

from layers import geo
from webmap import charts, db, i18n, maps
from webmap.charts import When
from webmap.db import House, Revisions
from webmap.planning.frame import bp


def chart() -> maps.Parts:
    """The map as this request asks for it, kept for each language, day and state of the layers."""
    return _chart(db.house(), i18n.language(), charts.when(), db.revisions())


def frame(west: float, south: float, east: float, north: float) -> str:
    """The frame of a metric box as the map takes it, in degrees: "west,south,east,north"."""
    (turned,) = geo.to_degrees([shapely.box(west, south, east, north)], srid=db.instance().metric_crs)
    return ",".join(f"{value:.4f}" for value in turned.bounds)


@lru_cache(maxsize=32)
def _chart(house: House, language: str, when: When, revisions: Revisions) -> maps.Parts:
    plan = maps.Shown("plan", "plan", "", True, {"pane": "areas"})
    return charts.ground(house, language, when, revisions, plan)


@bp.get("/map-<digest>.js")
def script(digest: str) -> ResponseReturnValue:
    return charts.script(chart(), digest)
