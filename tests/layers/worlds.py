"""Invented worlds for questions about places: what is rare in a real country is common here.

Shapes are made of cells of a lattice, and every lattice point on their outlines is a corner: so places of
the lattice lie exactly on borders and corners, in spite of the projection. All chance is an argument.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import shapely
from shapely import box
from sqlalchemy.orm import Session

from layers.catalog import Instance, Role
from layers.geo import Place
from tests import make

KINDS = ("country", "county", "municipality", "settlement", "police_district", "watch_area", "neighbour")
ROLES = (
    Role("police", {}, layer="police"),
    Role("municipality", {}, area="municipality"),
    Role("watch", {}, layer="watch", area="watch_area"),
    Role("rescue", {}, layer="rescue", capabilities=("land", "reserve")),
    Role("rescue_water", {}, layer="rescue", capabilities=("sea",)),
    Role("nobody", {}, layer="nobody", capabilities=("land",)),
)
# Beginnings and ends, and the days around them.
_SPANS = (("", ""), ("", ""), ("", ""), ("", "2018"), ("2018", ""), ("2018-05", "2020-02-29"), ("2030", ""))
DAYS = (
    date.min,
    date(2017, 12, 31),
    date(2018, 1, 1),
    date(2018, 4, 30),
    date(2018, 5, 1),
    date(2020, 2, 28),
    date(2020, 2, 29),
    date(2026, 11, 22),
    date.max,
)
_WIDE, _HIGH = 10, 8
_WEST, _SOUTH = 24.0, 58.0  # The meridian of the projection: the western coast runs straight north.


@dataclass(frozen=True)
class Invented:
    """A world in a store. `step` is the side of a cell in degrees; `spots` are places of its bodies."""

    step: float
    spots: tuple[tuple[float, float], ...]

    def place(self, chance: Random) -> Place:
        """A place on a corner, on a border, in a cell, at a body, anywhere, or far away."""
        x, y = chance.randint(-3, _WIDE + 3), chance.randint(-3, _HIGH + 3)
        kind = chance.randint(0, 9)
        if kind < 4:
            return Place(*self._degrees(x, y))
        if kind == 4:
            return Place(*self._degrees(x + 0.5, y))
        if kind == 5:
            return Place(*self._degrees(x + 0.5, y + 0.5))
        if kind == 6 and self.spots:
            return Place(*chance.choice(self.spots))
        if kind == 7:
            return Place(lon=chance.uniform(-180, 180), lat=chance.uniform(-90, 90))
        return Place(*self._degrees(chance.uniform(-3, _WIDE + 3), chance.uniform(-3, _HIGH + 3)))

    def _degrees(self, x: float, y: float) -> tuple[float, float]:
        return degrees(x, y, self.step)


def degrees(x: float, y: float, step: float) -> tuple[float, float]:
    """Of a point of the lattice, or between."""
    return round(_WEST + (x - 1) * step, 5), round(_SOUTH + y * step, 5)


def an_instance(roles: Sequence[Role] = ROLES) -> Instance:
    return Instance(
        key="invented",
        folder=Path(),
        names={},
        welcome={},
        languages=("en",),
        default_language="en",
        metric_crs=make.SRID,
        bounds=(20.0, 55.0, 30.0, 62.0),
        layers=(),
        basemaps=(),
        codes={},
        roles=tuple(roles),
    )


def write(session: Session, chance: Random) -> Invented:
    """Writes a world into a store that holds nothing."""
    step = chance.choice([0.01, 0.1, 0.25])
    keys = _areas(session, chance, step)
    spots = [degrees(chance.randint(0, _WIDE), chance.randint(0, _HIGH), step) for _ in range(3)]
    spots += [(chance.uniform(23, 27), chance.uniform(57, 60)) for _ in range(2)]
    for number in range(chance.randint(0, 14)):
        _body(session, chance, number, keys, spots)
    for number in range(chance.randint(0, 6)):
        _case(session, chance, number, keys, spots)
    return Invented(step, tuple((round(lon, 5), round(lat, 5)) for lon, lat in spots))


# --- Areas


def _areas(session: Session, chance: Random, step: float) -> list[str]:
    """Nested and own areas, with holes and islands; returns their keys."""
    land = _land(chance)
    split = chance.randint(2, _WIDE - 2)
    counties = [{cell for cell in land if (cell[0] < split) == west} for west in (True, False)]
    municipalities = [part for county in counties for part in _parts(county, chance)]
    settlements = [part for town in municipalities[:3] for part in _parts(town, chance)]
    districts = [_block(chance) for _ in range(chance.randint(0, 4))]
    watches = [_block(chance, most=2) for _ in range(chance.randint(0, 3))]
    if chance.randint(0, 3) == 0:
        municipalities[0] = counties[0]
    if chance.randint(0, 4) == 0:
        municipalities = []
    abroad = [{(x, y) for x in range(_WIDE, _WIDE + 3) for y in range(low, low + 5)} for low in (-1, 4)]
    made = (
        ("country", [land] if chance.randint(0, 1) else []),
        ("county", counties),
        ("municipality", municipalities),
        ("settlement", settlements),
        ("police_district", districts),
        ("watch_area", watches),
        ("neighbour", abroad[: chance.randint(0, 2)]),
    )
    keys = [
        _area(session, chance, kind, f"{i}", cells, step)
        for kind, found in made
        for i, cells in enumerate(found)
    ]
    return [key for key in keys if key]


def _land(chance: Random) -> set[tuple[int, int]]:
    """A mainland with holes, and islands."""
    cells = {(x, y) for x in range(1, 8) for y in range(1, 7)}
    cells -= {(chance.randint(1, 7), chance.randint(1, 6)) for _ in range(chance.randint(0, 4))}
    cells |= {
        (chance.randint(0, _WIDE - 1), chance.choice([-1, 0, _HIGH - 1])) for _ in range(chance.randint(0, 3))
    }
    return cells


def _parts(cells: set[tuple[int, int]], chance: Random) -> list[set[tuple[int, int]]]:
    """The cells shared out between a few; one may lie in a hole of another."""
    if not cells:
        return []
    seeds = chance.sample(sorted(cells), k=min(len(cells), chance.randint(1, 5)))
    parts: dict[tuple[int, int], set[tuple[int, int]]] = {seed: set() for seed in seeds}
    for x, y in sorted(cells):
        parts[min(seeds, key=lambda seed: (abs(seed[0] - x) + abs(seed[1] - y), seed))].add((x, y))
    middle = chance.choice(sorted(cells))
    return [part - {middle} for part in parts.values() if part - {middle}] + [{middle}]


def _block(chance: Random, most: int = 7) -> set[tuple[int, int]]:
    x, y = chance.randint(-1, _WIDE - 1), chance.randint(-1, _HIGH - 1)
    wide, high = chance.randint(1, most), chance.randint(1, most)
    return {(x + i, y + j) for i in range(wide) for j in range(high)}


def _area(
    session: Session, chance: Random, kind: str, code: str, cells: set[tuple[int, int]], step: float
) -> str:
    """One area in one or two states, the later one a cell larger; returns its key, "" without a cell."""
    if not cells:
        return ""
    first, ended = chance.choice(_SPANS)
    make.an_area(session, kind=kind, code=code, shape=outline(cells, step), valid_from=first, valid_to=ended)
    if ended and chance.randint(0, 1):
        x, y = max(cells)
        larger = outline(cells | {(x + 1, y)}, step)
        make.an_area(session, kind=kind, code=code, shape=larger, valid_from=ended)
    return f"{kind}:{code}"


def outline(cells: set[tuple[int, int]], step: float) -> shapely.Geometry:
    """Cells as one shape in degrees, with a corner at every lattice point of its outline."""
    shape = shapely.union_all([box(x, y, x + 1, y + 1) for x, y in sorted(cells)])
    cut = shapely.segmentize(shape, 1.0)
    return shapely.transform(cut, lambda xy: [degrees(round(x), round(y), step) for x, y in xy])


# --- Organisations and cases


def _body(
    session: Session, chance: Random, number: int, keys: Sequence[str], spots: Sequence[tuple[float, float]]
) -> None:
    facts: dict[str, Any] = {
        "key": f"body-{99 - number}",
        "name": chance.choice(["Same", "Other"]),
        "layer": chance.choice(["police", "watch", "rescue", "rescue"]),
        "capabilities": chance.choice([[], ["land"], ["sea"], ["reserve", "land"], ["sea", "land"]]),
        "readiness": chance.choice(["", "", "always", "closed"]),
        "county": chance.choice(["", "0", "1"]),
        "municipality": chance.choice(["", "0", "1", "2", "9"]),
        "at": _spot(chance, spots),
        "serves": _some([*keys, "county:gone"], chance),
    }
    first, ended = chance.choice(_SPANS)
    make.a_body(session, **facts, valid_from=first, valid_to=ended)
    if ended and chance.randint(0, 1):
        moved = {"at": _spot(chance, spots), "serves": _some(keys, chance), "readiness": ""}
        make.a_body(session, **{**facts, **moved}, valid_from=ended)


def _case(
    session: Session, chance: Random, number: int, keys: Sequence[str], spots: Sequence[tuple[float, float]]
) -> None:
    first = chance.choice(["", "", "2018", "2018-05", "2020-02-29"])
    make.a_case(
        session,
        key=f"case-{99 - number}",
        at=_spot(chance, spots),
        areas=_some(keys, chance),
        county=chance.choice(["", "0", "1"]),
        municipality=chance.choice(["", "", "0", "1"]),
        period_from=first,
        period_to=chance.choice(["", "2021"]),
        valid_from=first,
    )


def _spot(chance: Random, spots: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    return chance.choice([None, *spots, (chance.uniform(23, 27), chance.uniform(57, 60))])


def _some(keys: Sequence[str], chance: Random) -> list[str]:
    return sorted(set(chance.sample(sorted(keys), k=min(len(keys), chance.choice([0, 0, 1, 2, 4])))))
