"""What may be said of how exact this map is: only what holds for the data that are loaded."""

from functools import lru_cache

from layers import places
from webmap import db
from webmap.db import House, Revisions

_BUILDING = "building"


def borders_are_rough() -> bool:
    """Whether there are areas whose drawn border is only approximate."""
    return _rough(db.house(), db.revisions())


@lru_cache(maxsize=16)
def _rough(_house: House, _revisions: Revisions) -> bool:
    return places.has_rough_areas(db.session())


def points_are_coarse() -> bool:
    """Whether no organisation may stand at its very building: the instance has no such precision."""
    return _BUILDING not in db.instance().codes.get("precision", {})


def is_empty() -> bool:
    """Whether nothing at all is loaded: no organisation, case, practice or area."""
    return _empty(db.house(), db.revisions())


@lru_cache(maxsize=16)
def _empty(_house: House, _revisions: Revisions) -> bool:
    return places.is_empty(db.session())
