"""Read: two editions of one kind of area beside each other, area by area. What is hidden counts too."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from layers import geo, model
from layers.catalog import Words
from layers.columns import wkb_of
from layers.errors import N_, Invalid
from layers.places import Edition


class NotComparable(Invalid):
    text = N_("The editions {one} and {two} have no kind of area in common.")


@dataclass(frozen=True)
class Pair:
    """One area in two editions, in the store's metres; None where an edition does not have it.

    `share` is the share of the land of both that only one of them has, from 0 to 1.
    """

    key: str
    names: Words
    one: Any
    two: Any
    one_m2: float
    two_m2: float
    share: float


def kinds(session: Session, edition: Edition) -> list[str]:
    """The kinds of area that an edition's dataset tells of."""
    table = model.Area
    query = select(table.kind).where(table.edition_id.in_(_until(edition))).distinct()
    return sorted(session.scalars(query))


def alike(session: Session, edition: Edition, others: Iterable[Edition]) -> list[Edition]:
    """Those of other editions that tell of the same kind of area, each dataset once, the newest of it."""
    own, seen, found = set(kinds(session, edition)), set(), []
    for other in others:
        whose = (other.name, other.dataset)
        if other.number != edition.number and whose not in seen and own & {*kinds(session, other)}:
            found.append(other)
            seen.add(whose)
    return found


def areas(session: Session, one: Edition, two: Edition) -> list[Pair]:
    """Every area of the kinds that both tell of, the one that differs most first.

    Raises:
        NotComparable: there is no such kind.
    """
    common = {*kinds(session, one)} & {*kinds(session, two)}
    if not common:
        raise NotComparable(one=one.number, two=two.number)
    first, second = (_shapes(session, edition, common) for edition in (one, two))
    keys = sorted(first.keys() | second.keys())
    names = {key: (second.get(key) or first[key])[0] for key in keys}
    here, there = (
        np.array([said[key][1] if key in said else None for key in keys], dtype=object)
        for said in (first, second)
    )
    empty = shapely.Polygon()
    left, right = (
        np.array([empty if one is None else one for one in shapes], dtype=object) for shapes in (here, there)
    )
    share = geo.shares_that_differ(left, right)
    rows = zip(keys, here, there, shapely.area(left), shapely.area(right), share, strict=True)
    pairs = [Pair(key, names[key], a, b, float(m), float(n), float(size)) for key, a, b, m, n, size in rows]
    return sorted(pairs, key=lambda pair: (-pair.share, pair.key))


def _until(edition: Edition) -> Any:
    """The editions of its dataset up to it."""
    table = model.Edition
    return select(table.id).where(
        table.table_name == edition.name, table.dataset == edition.dataset, table.id <= edition.number
    )


def _shapes(session: Session, edition: Edition, kinds: Iterable[str]) -> dict[str, tuple[Words, Any]]:
    """What the dataset said when the edition had come: the last state of each area."""
    table = model.Area
    query = select(table.key, table.names, wkb_of(table.geom).label("wkb")).where(
        table.kind.in_(sorted(kinds)),
        table.edition_id.in_(_until(edition)),
        table.retired_in.is_(None) | (table.retired_in > edition.number),
    )
    rows = session.execute(query.order_by(table.key, table.valid_from)).all()
    shapes = shapely.from_wkb([row.wkb for row in rows])
    return {row.key: (row.names, shape) for row, shape in zip(rows, shapes, strict=True)}
