"""Where people are: population cells where the instance has them, else its places with municipal totals.

Estonia's open cells need the internet, so that out of the box the known people of a municipality are put on
its settlements: each with its own figure where one is known, the rest in equal parts. Totals are kept, the
single village is an estimate, and `estimated` says which. `tests/layers/gaps` measures it against real cells.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from layers import geo, model, places, store
from layers.columns import wkb_of
from layers.errors import N_, Invalid
from layers.places import Settlement
from layers.snapshot import Flags, Numbers, Ordinals

ZONES = ("municipality", "county")
# How far shares of people from places are from those of the real cells around Tartu: on average, and nine
# times of ten. A town of one point is inside a limit or outside it as a whole.
PLACES_ERROR, PLACES_ERROR_OFTEN = 0.05, 0.15
_TOTAL = "population"


class NobodyToCount(Invalid):
    text = N_("Nobody lives there as far as this map knows: load population cells, or places with people.")


@dataclass(frozen=True, eq=False)
class Demand:
    """Where people are, n rows.

    `basis` is "cells" or "places". `points` are metric (n × 2), `people` persons (n), `density_km2` persons
    per km² of the cell or of the municipality (n, NaN where not known). `zones` tells for each kind of area
    the code of every row ("" for none). `estimated` marks rows whose people are not counted but spread.
    """

    basis: str
    keys: tuple[str, ...]
    names: tuple[str, ...]
    points: Numbers
    people: Numbers
    density_km2: Numbers
    zones: Mapping[str, tuple[str, ...]]
    estimated: Flags
    as_of: str = ""
    source: str = ""

    def __len__(self) -> int:
        return len(self.keys)

    def only(self, wanted: Flags) -> "Demand":
        """The rows that are wanted; `wanted` has n flags."""
        at = np.flatnonzero(wanted)
        return Demand(
            self.basis,
            tuple(self.keys[i] for i in at),
            tuple(self.names[i] for i in at),
            self.points[at],
            self.people[at],
            self.density_km2[at],
            {kind: tuple(codes[i] for i in at) for kind, codes in self.zones.items()},
            self.estimated[at],
            self.as_of,
            self.source,
        )

    def within(self, kind: str, code: str) -> Flags:
        """Which rows lie in an area; every row for the kind "country"."""
        if kind == "country":
            return np.ones(len(self), dtype=np.bool_)
        return np.array([one == code for one in self.zones.get(kind, [""] * len(self))], dtype=np.bool_)


def of_store(session: Session, *, as_of: date) -> Demand:
    """The people of the instance: its cells when it has any, else its places.

    Raises:
        NobodyToCount: neither knows of any person.
    """
    found = _of_cells(session, as_of) or _of_places(session, as_of)
    if not found.people.sum():
        raise NobodyToCount
    return found


def of_land(session: Session, *, as_of: date, side_m: int = 1000) -> Demand:
    """The land of the instance in squares: `people` are km² here, a square counts where its middle is land.

    The squares lie on multiples of `side_m` in the metric system, so that the same land has the same squares.
    """
    ground = [shape for _, shape in places.area_states(session, ["land"])]
    west, south, east, north = shapely.total_bounds(ground) if ground else (0.0, 0.0, 0.0, 0.0)
    easts = np.arange(np.floor(west / side_m) + 0.5, np.ceil(east / side_m)) * side_m
    norths = np.arange(np.floor(south / side_m) + 0.5, np.ceil(north / side_m)) * side_m
    grid = np.stack(np.meshgrid(easts, norths), axis=-1).reshape(-1, 2)
    points = grid[_inside(ground, grid) >= 0]
    keys = tuple(f"{east:.0f}-{north:.0f}" for east, north in points)
    return Demand(
        basis="land",
        keys=keys,
        names=keys,
        points=points,
        people=np.full(len(points), (side_m / 1000) ** 2),
        density_km2=np.full(len(points), np.nan),
        zones={kind: _zones(session, kind, points, as_of) for kind in ZONES},
        estimated=np.zeros(len(points), dtype=np.bool_),
    )


def _of_cells(session: Session, as_of: date) -> Demand | None:
    table = model.Cell
    columns = (
        table.key,
        table.people,
        table.size_m,
        table.as_of,
        table.source,
        wkb_of(table.geom).label("wkb"),
    )
    rows = session.execute(model.on_day(session, select(*columns), table, as_of).order_by(table.key)).all()
    if not rows:
        return None
    points = shapely.get_coordinates(shapely.from_wkb([row.wkb for row in rows]))
    people = np.array([row.people for row in rows], dtype=float)
    keys = tuple(row.key for row in rows)
    return Demand(
        basis="cells",
        keys=keys,
        names=keys,
        points=points,
        people=people,
        density_km2=people / (np.array([row.size_m for row in rows]) / 1000) ** 2,
        zones={kind: _zones(session, kind, points, as_of) for kind in ZONES},
        estimated=np.zeros(len(rows), dtype=np.bool_),
        as_of=max(row.as_of for row in rows),
        source=rows[0].source,
    )


def _zones(session: Session, kind: str, points: Numbers, as_of: date) -> tuple[str, ...]:
    """The area of a kind in which each point (n × 2) lies; beside every area, the nearest one."""
    found = places.shapes(session, kind, as_of=as_of)
    if not found:
        return ("",) * len(points)
    shapes = geo.to_metric([shape for _, shape in found], srid=store.srid_of(session))
    at = _inside(shapes, points)
    outside = np.flatnonzero(at < 0)
    at[outside] = shapely.STRtree(shapes).query_nearest(shapely.points(points[outside]), all_matches=False)[1]
    return tuple(found[position][0].code for position in at)


def _inside(shapes: Sequence[shapely.Geometry] | geo.Shapes, points: Numbers) -> Ordinals:
    """The position of the first shape that contains each point (n × 2); -1 for none.

    A prepared shape asked for many points at once is fifty times faster than a tree asked for each.
    """
    at = np.full(len(points), -1, dtype=np.int32)
    for position, shape in enumerate(shapes):
        west, south, east, north = shape.bounds
        near = (points >= (west, south)).all(axis=1) & (points <= (east, north)).all(axis=1) & (at < 0)
        shapely.prepare(shape)
        at[np.flatnonzero(near)[shapely.contains_xy(shape, points[near])]] = position
    return at


def _of_places(session: Session, as_of: date) -> Demand:
    towns = sorted(places.settlements(session, as_of=as_of), key=lambda town: town.key)
    totals, sizes_km2, dates = {}, {}, set()
    for area in places.areas(session, "municipality", as_of=as_of):
        totals[area.code] = _number(area.facts.get(_TOTAL))
        sizes_km2[area.code] = _number(area.facts.get("area_km2"))
        dates.add(area.facts.get(f"{_TOTAL}_as_of", ""))
    people, estimated = spread(towns, {code: total for code, total in totals.items() if total is not None})
    metric = geo.to_metric(geo.points_of([town.place for town in towns]), srid=store.srid_of(session))
    return Demand(
        basis="places",
        keys=tuple(town.key for town in towns),
        names=tuple(town.name for town in towns),
        points=np.column_stack([shapely.get_x(metric), shapely.get_y(metric)]).reshape(-1, 2),
        people=people,
        density_km2=np.array(
            [_ratio(totals.get(town.municipality), sizes_km2.get(town.municipality)) for town in towns]
        ),
        zones={
            "municipality": tuple(town.municipality for town in towns),
            "county": tuple(town.county for town in towns),
        },
        estimated=estimated,
        as_of=max(dates, default=""),
    )


def spread(towns: Sequence[Settlement], totals: Mapping[str, float]) -> tuple[Numbers, Flags]:
    """Puts the people of each municipality on its settlements: persons (n) and which are estimated (n).

    A settlement with a figure of its own keeps it and the others share what is left in equal parts. Where the
    figures alone exceed the total, or leave people over and nobody to share them, they are scaled to it. A
    municipality without a total has only its known figures.
    """
    people = np.array([float(town.population or 0) for town in towns])
    estimated = np.zeros(len(towns), dtype=np.bool_)
    of: dict[str, list[int]] = defaultdict(list)
    for position, town in enumerate(towns):
        of[town.municipality].append(position)
    for code, there in of.items():
        if code in totals:
            people[there], estimated[there] = _shared(people[there], towns, there, totals[code])
    return people, estimated


def _shared(known: Numbers, towns: Sequence[Settlement], there: Iterable[int], total: float) -> Any:
    blank = np.array([towns[i].population is None for i in there])
    left = total - known.sum()
    if left >= 0 and blank.any():
        return np.where(blank, left / blank.sum(), known), blank
    if known.sum():
        return known * (total / known.sum()), np.full(len(known), left != 0)
    return np.full(len(known), total / len(known)), np.ones(len(known), dtype=np.bool_)


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _ratio(people: float | None, size_km2: float | None) -> float:
    return people / size_km2 if people is not None and size_km2 else float("nan")
