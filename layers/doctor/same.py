"""What comes back: shapes as they are known, and organisations that are known under another key.

What differs from what is known by less than a file can tell is what is known.

A file holds degrees, the store metres, and each way rounds; a polygon may begin at another corner or turn the
other way, and one that crosses the 180th meridian comes back in halves. Without this, every area that was
only taken along would count as changed when it returns.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from layers import columns, editions, geo, letters
from layers.columns import wkb_of
from layers.editions import Plan
from layers.errors import N_, Sentence
from layers.geo import Shapes
from layers.model import Body, Edition, is_shown
from layers.sources.instance import Source
from layers.sources.rows import Row

_NEAR_M = 0.001
"""A millimetre: ten times what the ninth digit of a degree is."""
_BESIDE_M = 2_000
"""Two points of one organisation lie no further apart, where one is its settlement's."""


def kept(session: Session, source: Source) -> Source:
    """The same source, in which every shape that only came back is its dataset's known one, bit for bit."""
    fact, resource = editions.TABLES[source.table], source.resource
    own = select(Edition.id).where(Edition.table_name == resource.name, Edition.dataset == resource.dataset)
    rows = {(row.key, row.valid_from): row for row in source.rows}
    for some in columns.batches(sorted({key for key, _ in rows})):
        query = select(fact.key, fact.valid_from, wkb_of(fact.geom).label("wkb")).where(
            fact.key.in_(some), fact.edition_id.in_(own), fact.retired_in.is_(None), fact.geom.is_not(None)
        )
        found = [
            (rows[one.key, one.valid_from], one.wkb)
            for one in session.execute(query)
            if (one.key, one.valid_from) in rows
        ]
        rows |= {(row.key, row.valid_from): row for row in _again(found)}
    return replace(source, rows=tuple(rows[row.key, row.valid_from] for row in source.rows))


def _again(found: Sequence[tuple[Row, bytes]]) -> list[Row]:
    """Of rows and the known shapes of each: those that came back, with the known one."""
    before = np.asarray(shapely.from_wkb([wkb for _, wkb in found]), dtype=object)
    after = np.array([None, *(row.values.get("geom") for row, _ in found)], dtype=object)[1:]
    same = _are_same(before, after)
    return [
        replace(row, values={**row.values, "geom": shapely.set_srid(shape, shapely.get_srid(new))})
        for (row, _), shape, new, is_same in zip(found, before, after, same, strict=True)
        if is_same
    ]


def _are_same(before: Shapes, after: Shapes) -> Any:
    """Of metric shapes, pair by pair, whether one is only the other as a file tells it."""
    points = np.isin(shapely.get_type_id(before), (0,)) & (shapely.get_type_id(after) == 0)
    same = np.zeros(len(before), dtype=bool)
    same[points] = _are_same_points(before[points], after[points])
    areas = np.flatnonzero(~points & ~shapely.is_missing(after))
    old, new = (shapely.orient_polygons(some[areas], exterior_cw=False) for some in (before, after))
    same[areas] = shapely.equals_exact(old, new, tolerance=_NEAR_M)
    for at in areas[~same[areas]]:
        same[at] = _covers_same(before[at], after[at])
    return same


def _are_same_points(before: Shapes, after: Shapes) -> Any:
    """Whether the map tells both at the same place: it writes five digits of a degree."""
    if not len(before):
        return []
    srid = int(shapely.get_srid(after[0]))
    told = ([*geo.places_of(list(shapely.to_wkb(some)), srid=srid)] for some in (before, after))
    return [one == other for one, other in zip(*told, strict=True)]


def _covers_same(one: Any, other: Any) -> bool:
    """Whether two areas differ by no more than a hair along their borders."""
    if not (shapely.is_valid(one) and shapely.is_valid(other)):
        return False
    near = np.abs(shapely.bounds(one) - shapely.bounds(other)).max() <= _NEAR_M
    hair_m2 = _NEAR_M * shapely.length(one)
    return bool(near and shapely.area(shapely.symmetric_difference(one, other)) <= hair_m2)


# --- Organisations under another key


@dataclass(frozen=True)
class Double:
    """A new organisation that may be one which another dataset tells under the key `known`."""

    row: Row
    known: str

    @property
    def what(self) -> Sentence:
        told = N_("“{name}” ({key}) may be {known}, which is known already: same name, same place.")
        return Sentence(told, name=self.row.values["name"], key=self.row.key, known=self.known)

    @property
    def remedy(self) -> Sentence:
        return Sentence(
            N_("If they are the same, give it the key {known}; if not, leave it."), known=self.known
        )


def doubles(session: Session, plan: Plan) -> list[Double]:
    """The organisations that a plan adds beside a known one of the same layer, name and place.

    The place is the same where the settlement is, or where the points lie within two kilometres.
    """
    if plan.source.table != "body" or not plan.added:
        return []
    own = {row.key for row in plan.source.rows}
    layers = sorted({str(row.values["layer"]) for row in plan.added})
    query = select(Body.key, Body.layer, Body.name, Body.settlement, wkb_of(Body.geom).label("wkb"))
    query = query.where(Body.layer.in_(layers), is_shown(Body)).order_by(Body.key)
    known: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for one in session.execute(query):
        if one.key not in own:
            known[one.layer, letters.fold(one.name)].append(one)
    found = []
    for row in plan.added:
        named = known.get((str(row.values["layer"]), letters.fold(str(row.values["name"]))), ())
        found += [Double(row, key) for key in dict.fromkeys(one.key for one in named if _is_beside(row, one))]
    return found


def _is_beside(row: Row, known: Any) -> bool:
    settlement, point = row.values.get("settlement"), row.values.get("geom")
    if settlement and settlement == known.settlement:
        return True
    if point is None or known.wkb is None:
        return False
    return bool(shapely.distance(point, shapely.from_wkb(known.wkb)) <= _BESIDE_M)
