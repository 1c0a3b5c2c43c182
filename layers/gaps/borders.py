"""Who has a common border or common ground, and whom no known case links: whom to bring to one table.

That two met is told by a case in which both have a part; that they never did is never proven: it only means
that no case known here links them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import shapely

from layers import contacts
from layers.gaps import land, seams
from layers.gaps.demand import Demand
from layers.geo import Shapes
from layers.places import Area, Body
from layers.practices import Case
from layers.snapshot import Snapshot


@dataclass(frozen=True)
class Shared:
    """Ground that two areas both hold: m², and persons who live there.

    `of_first` and `of_second` are its share of each of the two (0 to 1): 1 where one lies within the other.
    """

    first: str
    second: str
    area_m2: float
    people: float
    of_first: float
    of_second: float


@dataclass(frozen=True)
class Strangers:
    """Two neighbouring areas of one kind that no known case links, each with who is responsible for it."""

    first: Area
    second: Area
    first_bodies: tuple[Body, ...]
    second_bodies: tuple[Body, ...]


def shared(
    keys: Sequence[str],
    shapes: Shapes,
    others: tuple[Sequence[str], Shapes] | None = None,
    *,
    sliver_m: float = 5.0,
    demand: Demand | None = None,
) -> tuple[Shared, ...]:
    """Pairs of areas of one layer, or of two, with common ground: by people, then m², then keys.

    Common ground is `area(a ∩ b)`; parts of a mean width under `sliver_m` are the drawing's and do not count.
    People are as in `land.people_in`.

    Raises:
        BadShapes: an area crosses itself.
        TooTangled: more than `seams.MOST_PAIRS` pairs.
    """
    mine, theirs = _grounds(keys, shapes), _grounds(*others) if others else None
    other = theirs or mine
    i, j = shapely.STRtree(other[1]).query(mine[1])
    i, j = (i[i < j], j[i < j]) if theirs is None else (i, j)
    meet = shapely.intersects(mine[1][i], other[1][j])
    i, j = i[meet], j[meet]
    if len(i) > seams.MOST_PAIRS * 4:
        raise seams.TooTangled(most=seams.MOST_PAIRS)
    parts, pair = _parts(shapely.intersection(mine[1][i], other[1][j]))
    real = seams.width_m(parts) >= max(sliver_m, seams.DUST_M)
    parts, pair = parts[real], pair[real]
    lived = land.people_in(parts, demand) if demand else np.zeros(len(parts))
    sizes = np.bincount(pair, shapely.area(parts), len(i))
    people = np.bincount(pair, lived, len(i))
    found = [
        Shared(
            mine[0][i[k]],
            other[0][j[k]],
            float(sizes[k]),
            float(people[k]),
            float(sizes[k] / mine[1][i[k]].area),
            float(sizes[k] / other[1][j[k]].area),
        )
        for k in np.flatnonzero(sizes > 0)
    ]
    return tuple(sorted(found, key=lambda one: (-one.people, -one.area_m2, one.first, one.second)))


def _grounds(keys: Sequence[str], shapes: Shapes) -> tuple[list[str], Shapes]:
    """Only areas with ground."""
    shapes = np.asarray(shapes, dtype=object).ravel()
    there = land.has_ground(shapes)
    good = land.checked(shapes, keys)
    shapely.prepare(good)
    return [key for key, has in zip(keys, there, strict=True) if has], good


def _parts(shapes: Any) -> tuple[Shapes, Any]:
    """The polygons of each shape, and whose each is."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    parts, deeper = shapely.get_parts(parts, return_index=True)
    there = land.has_ground(parts)
    return parts[there], owner[deeper][there]


def strangers(known: Snapshot, kind: str, *, as_of: date) -> tuple[Strangers, ...]:
    """Pairs of areas of a kind that have a common border or ground and that no known case links, by key.

    A border is common as in `contacts.bordering`. A case links two areas when both have a part in it: it is
    told of them, or an organisation that is seated there or responsible for exactly this area took part.
    """
    there = known.area_days.there(as_of)
    areas = [known.areas[i] for i in known.of_kind.get(kind, ()) if there[i]]
    linked = _linked(known, areas, as_of)
    bodies = known.body_days.there(as_of)
    responsible = {
        area.key: tuple(known.bodies[i] for i in known.serving.get(area.key, ()) if bodies[i])
        for area in areas
    }
    found = [
        Strangers(one, other, responsible[one.key], responsible[other.key])
        for one in areas
        for other in contacts.bordering(known, one, as_of=as_of)
        if one.key < other.key and linked[one.key].isdisjoint(linked[other.key])
    ]
    return tuple(sorted(found, key=lambda pair: (pair.first.key, pair.second.key)))


def _linked(known: Snapshot, areas: Iterable[Area], as_of: date) -> dict[str, frozenset[str]]:
    """The keys of the cases in which each area has a part."""
    there = known.case_days.there(as_of)
    cases = [case for case, is_there in zip(known.cases, there, strict=True) if is_there]
    took_part = {case.key: contacts.took_part(known, case, as_of=as_of) for case in cases}
    return {
        area.key: frozenset(case.key for case in cases if _has_part(case, took_part[case.key], area))
        for area in areas
    }


def _has_part(case: Case, bodies: Iterable[Body], area: Area) -> bool:
    return contacts.is_of(case, area) or any(
        contacts.is_seated(body, area) or area.key in body.serves for body in bodies
    )
