"""How small area layers are drawn: outlines by zoom step, prepared when they are imported.

Neighbours are simplified together, so that they keep one border. Where areas end and others begin, a
neighbour's border may change with them: an outline holds from a day until a day. Big layers have none,
they travel as tiles (`layers.tiles`). Only present knowledge is prepared; a look back is drawn on demand.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import shapely
from sqlalchemy import delete, exists, func, insert, select
from sqlalchemy.orm import Session

from layers import dates, geo, store
from layers.columns import wkb_of
from layers.geo import Shapes
from layers.model import Area, Outline, is_shown

STEPS = {"far": 500.0, "middle": 60.0, "near": 0.0}
"""Metres of simplification by zoom step: at most a pixel of the step's largest zoom."""
MOST = 2000
"""Areas of a kind, above which it is not prepared here."""


def renew(session: Session, kinds: Iterable[str]) -> None:
    """Prepares the outlines of these kinds of area again, from what is known now."""
    for kind in sorted(set(kinds)):
        of_kind = select(Area.id).where(Area.kind == kind)
        session.execute(delete(Outline).where(Outline.area_id.in_(of_kind)))
        present = of_kind.where(is_shown(Area))
        counted = session.scalar(select(func.count()).select_from(present.limit(MOST + 1).subquery()))
        if (counted or 0) <= MOST:
            _prepare(session, kind)


def renew_if_none(session: Session) -> None:
    """Prepares every outline in a store that was loaded before there were any."""
    if is_missing(session):
        present = select(Area.kind).where(is_shown(Area)).distinct()
        renew(session, session.scalars(present).all())


def is_missing(session: Session) -> bool:
    """Whether there are areas and not one outline."""
    return not session.scalar(select(exists().select_from(Outline))) and bool(
        session.scalar(select(exists().select_from(Area).where(is_shown(Area))))
    )


def texts(shapes: Shapes, *, srid: int, tolerance_m: float = 0.0) -> list[str]:
    """Shapes in metres, simplified by a tolerance, as GeoJSON geometries in degrees."""
    # Four digits are at most 6 m away: nothing beside 500, and a sixth of the bytes less.
    return written(geo.to_degrees(shapes, srid=srid), digits=4 if tolerance_m >= STEPS["far"] else 5)


def written(shapes: Shapes, *, digits: int = 5) -> list[str]:
    """Shapes in degrees as GeoJSON geometries."""
    # Five digits are 0.6 m in Estonia, finer than any border of ours is true.
    return [str(text) for text in shapely.to_geojson(rounded(shapes, digits=digits))]


def rounded(shapes: Shapes, *, digits: int) -> Shapes:
    """Shapes with so many digits, as they are written; none may be missing."""
    found = np.asarray(shapely.transform(shapes, lambda points: points.round(digits)), dtype=object)
    for at in np.flatnonzero(~shapely.is_valid(found)):
        found[at] = _without_specks(found[at])
    return np.asarray(shapely.orient_polygons(found), dtype=object)


def _without_specks(shape: shapely.Geometry) -> shapely.Geometry:
    """A shape without the islets that its digits cannot tell; whole where nothing else is left."""
    parts = shapely.get_parts(shape)
    left = [part for part in parts if part.is_valid and part.area > 0]
    return shapely.MultiPolygon(left) if left else shape


def _prepare(session: Session, kind: str) -> None:
    query = select(Area.id, Area.valid_from, Area.valid_to, wkb_of(Area.geom).label("wkb"))
    rows = session.execute(
        query.where(Area.kind == kind, is_shown(Area)).order_by(Area.key, Area.valid_from)
    ).all()
    if not rows:
        return
    shapes = np.asarray(shapely.from_wkb([row.wkb for row in rows]), dtype=object)
    srid = store.srid_of(session)
    found = [
        {"area_id": rows[at].id, "step": step, "since": since, "until": until, "shape": text}
        for step, tolerance_m in STEPS.items()
        for group in ([range(len(rows))] if tolerance_m == 0 else _touching(shapes))
        for at, since, until, text in _drawn(rows, shapes, list(group), tolerance_m, srid)
    ]
    session.execute(insert(Outline), found)


def _touching(shapes: Shapes) -> list[list[int]]:
    """Groups of shapes that meet each other, at whatever time: simplified apart, they differ in nothing."""
    leader = list(range(len(shapes)))

    def first(at: int) -> int:
        while leader[at] != at:
            leader[at] = leader[leader[at]]
            at = leader[at]
        return at

    for one, other in shapely.STRtree(shapes).query(shapes, predicate="intersects").T.tolist():
        leader[first(one)] = first(other)
    groups: dict[int, list[int]] = {}
    for at in range(len(shapes)):
        groups.setdefault(first(at), []).append(at)
    return list(groups.values())


def _drawn(
    rows: Sequence[Any], shapes: Shapes, group: list[int], tolerance_m: float, srid: int
) -> Iterator[tuple[int, str, str, str]]:
    """(which, since, until, text) of every drawing of a group; one that stays the same is told once."""
    if tolerance_m == 0:
        yield from zip(group, [""] * len(group), [""] * len(group), texts(shapes, srid=srid), strict=True)
        return
    days = sorted({"", *(day for at in group for day in (rows[at].valid_from, rows[at].valid_to))})
    open_: dict[int, tuple[str, str]] = {}
    for since in days:
        there = [at for at in group if dates.holds(rows[at].valid_from, rows[at].valid_to, since)]
        simple = shapely.coverage_simplify(shapes[there], tolerance_m)
        drawn = texts(simple, srid=srid, tolerance_m=tolerance_m) if there else []
        now = dict(zip(there, drawn, strict=True))
        for at, (begun, text) in list(open_.items()):
            if now.get(at) != text:
                yield at, begun, since, text
                del open_[at]
        for at, text in now.items():
            open_.setdefault(at, (since, text))
    for at, (begun, text) in open_.items():
        yield at, begun, "", text
