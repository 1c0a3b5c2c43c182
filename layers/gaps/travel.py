"""How long the way takes: straight lines with a detour, a road network, or a matrix from elsewhere.

The three are interchangeable (`reach.Travel`); every figure of theirs is an estimate, and `Reach.engine` says
whose. Never mix two in one figure: on the same roads two routing engines differed by a fifth.
A further engine (Valhalla needs Python 3.12 and tiles of its own) can hand over its times as a matrix.
"""

import csv
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

from layers.errors import N_, BadInstance, Invalid, Problem
from layers.gaps import grounds
from layers.gaps.assumptions import Assumptions
from layers.gaps.demand import Demand
from layers.gaps.grounds import Grounds
from layers.gaps.reach import Reach, gathered
from layers.gaps.supply import Units
from layers.snapshot import Flags, Numbers, Ordinals
from layers.sources.roads import Roads

_AT_ONCE = 16
_MOST_PROBLEMS = 100


class NotMinutes(Invalid):
    text = N_("A time is a number of minutes, zero or more; “{value}” is not.")


def check_minutes(value: float) -> float:
    """The minutes of a question.

    Raises:
        NotMinutes: they are negative, infinite or no number.
    """
    if not isfinite(value) or value < 0:
        raise NotMinutes(value=value)
    return value


def min_per_km(assumptions: Assumptions, demand: Demand) -> Numbers:
    """Minutes for a straight kilometre (n) by class: 60 × detour ÷ speed, as they usually are."""
    return np.array([one.min_per_km for one in assumptions.classes])[class_of(assumptions, demand)]


def class_of(assumptions: Assumptions, demand: Demand) -> Ordinals:
    """The position of the class of each row (n); where no density is known, the least dense."""
    density = np.nan_to_num(demand.density_km2, nan=0.0)
    begins = np.array([one.density_from for one in assumptions.classes])
    return np.maximum(np.searchsorted(begins, density, side="right") - 1, 0).astype(np.int32)


@dataclass(frozen=True, eq=False)
class StraightLine:
    """Minutes = turnout + 60 × detour × kilometres ÷ speed, by the density where people live.

    With `grounds` no line joins what water parts; without them it goes anywhere, as a boat does. `way_m` of
    its answer is the estimate detour × straight metres.
    """

    assumptions: Assumptions
    grounds: Grounds | None = None
    engine: str = "straight_line"

    def reach(self, units: Units, demand: Demand, *, within_min: float) -> Reach:
        """Who is reached by whom; a row or a unit without a place is reached by, or reaches, nobody.

        Raises:
            NotMinutes: `within_min` is no time.
        """
        pace = min_per_km(self.assumptions, demand)
        rows, unit, metres = _near(units, demand, pace, check_minutes(within_min))
        if self.grounds is not None:
            there, from_ = self.grounds.of(demand.points), self.grounds.of(units.points)
            dry = ~grounds.parted(there[rows], from_[unit])
            rows, unit, metres = rows[dry], unit[dry], metres[dry]
        detour = np.array([one.detour.usual for one in self.assumptions.classes])
        return gathered(
            rows,
            unit,
            units.turnout_min[unit] + metres / 1000 * pace[rows],
            metres,
            demand=len(demand),
            units=len(units),
            within_min=within_min,
            engine=self.engine,
            way_m=metres * detour[class_of(self.assumptions, demand)][rows],
        )


def _near(
    units: Units, demand: Demand, pace: Numbers, within_min: float
) -> tuple[Ordinals, Ordinals, Numbers]:
    """Pairs that may be in time: row, unit and straight metres. Those that are not there are left out."""
    rows, from_ = _placed(demand.points), _placed(units.points)
    left_min = within_min - min(units.turnout_min[from_], default=np.inf)
    if not len(rows) or left_min < 0:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0)
    # A hair more than the way allows: what is just in time must not fall to rounding.
    most_m = 1000 * left_min / pace.min() * (1 + 1e-9) + 1e-6
    trees = cKDTree(demand.points[rows]), cKDTree(units.points[from_])
    found = trees[0].sparse_distance_matrix(trees[1], most_m, output_type="ndarray")
    at, unit = rows[found["i"]], from_[found["j"]]
    return at, unit, np.hypot(*(demand.points[at] - units.points[unit]).T)


def _placed(points: Numbers) -> Ordinals:
    return np.flatnonzero(np.isfinite(points).all(axis=1)).astype(np.int32)


def over_water(reach: Reach, units: Units, demand: Demand, ground: Grounds, *, k: int = 1) -> Numbers:
    """The share (n) of the straight line from the k-th unit that lies over water; NaN where none comes.

    On one ground a line may still cross a bay that the way goes round: then the estimate is too short, and
    the figure wants this share beside it.
    """
    unit = reach.kth_unit(k)
    there = np.flatnonzero(unit >= 0)
    found = np.full(len(reach), np.nan)
    found[there] = ground.over_water(units.points[unit[there]], demand.points[there])
    return found


@dataclass(frozen=True, eq=False)
class Network:
    """Minutes = turnout + to the nearest crossing + along the quickest roads + from there to the door.

    Who lies farther than `snap_m` from every crossing reaches, and is reached by, nobody (`beside`); the
    metres to a crossing are driven at `snap_kmh`. Crossings in a piece of network with fewer than
    `least_piece` crossings are not used: a clipped extract is full of ends that lead nowhere.
    """

    roads: Roads
    snap_m: float = 1000.0
    snap_kmh: float = 20.0
    least_piece: int = 1
    engine: str = "network"

    def reach(self, units: Units, demand: Demand, *, within_min: float) -> Reach:
        """Who is reached by whom along the roads, one-way streets as they go.

        Raises:
            NotMinutes: `within_min` is no time.
        """
        from_, from_min = self._snapped(units.points)
        to, to_min = self._snapped(demand.points)
        found = list(self._ways(units, from_, from_min, to, to_min, check_minutes(within_min)))
        rows, unit, minutes = (
            np.concatenate(part) if found else np.empty(0)
            for part in (zip(*found, strict=True) if found else ((), (), ()))
        )
        rows, unit = rows.astype(np.int32), unit.astype(np.int32)
        return gathered(
            rows,
            unit,
            minutes,
            np.hypot(*(demand.points[rows] - units.points[unit]).T),
            demand=len(demand),
            units=len(units),
            within_min=within_min,
            engine=self.engine,
        )

    def beside(self, points: Numbers) -> Flags:
        """Which metric points (n × 2) lie too far from every crossing to be counted."""
        return self._snapped(points)[0] < 0

    def _ways(
        self,
        units: Units,
        from_: Ordinals,
        from_min: Numbers,
        to: Ordinals,
        to_min: Numbers,
        within_min: float,
    ) -> Iterator[tuple[Ordinals, Ordinals, Numbers]]:
        """For some units at a time: row, unit and minutes of everything in time."""
        rows = np.flatnonzero(to >= 0)
        begin_min = units.turnout_min + from_min
        used = np.flatnonzero((from_ >= 0) & (begin_min <= within_min))
        for some in np.array_split(used, -(-len(used) // _AT_ONCE)) if len(used) else ():
            limit = within_min - begin_min[some].min()
            along = dijkstra(self._graph, indices=from_[some], limit=limit)[:, to[rows]]
            minutes = along + begin_min[some][:, None] + to_min[rows]
            unit, row = np.nonzero(minutes <= within_min)
            yield rows[row].astype(np.int32), some[unit].astype(np.int32), minutes[unit, row]

    @cached_property
    def _graph(self) -> Any:
        """Minutes from crossing to crossing; of roads between the same two the quickest."""
        roads, n = self.roads, len(self.roads.nodes)
        order = np.lexsort((roads.minutes, roads.head, roads.tail))
        tail, head, minutes = roads.tail[order], roads.head[order], roads.minutes[order]
        # A sparse matrix adds what stands there twice, so that only the quickest may stay.
        first = np.ones(len(tail), dtype=np.bool_)
        first[1:] = (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])
        return csr_array((minutes[first], (tail[first], head[first])), shape=(n, n))

    @cached_property
    def _crossings(self) -> tuple[Ordinals, Any]:
        """The crossings that may be used, and a tree of them."""
        _, piece = connected_components(self._graph, directed=True, connection="strong")
        used = np.flatnonzero(np.bincount(piece)[piece] >= self.least_piece).astype(np.int32)
        return used, cKDTree(self.roads.nodes[used]) if len(used) else None

    def _snapped(self, points: Numbers) -> tuple[Ordinals, Numbers]:
        """The nearest crossing of each point (-1 beside all) and minutes to it."""
        used, tree = self._crossings
        found, minutes = np.full(len(points), -1, dtype=np.int32), np.full(len(points), np.inf)
        placed = _placed(points)
        if tree is not None and len(placed):
            metres, at = tree.query(points[placed], distance_upper_bound=self.snap_m)
            near = np.isfinite(metres)
            found[placed[near]] = used[at[near]]
            minutes[placed[near]] = metres[near] / 1000 / self.snap_kmh * 60
        return found, minutes


@dataclass(frozen=True, eq=False)
class Matrix:
    """Minutes of the way between pairs that somebody else has worked out; turnout is added to them.

    A pair that is not there is not reached. `from_` and `to` are the keys of units and rows of demand.
    """

    from_: tuple[str, ...]
    to: tuple[str, ...]
    way_min: Numbers
    engine: str = "matrix"

    def reach(self, units: Units, demand: Demand, *, within_min: float) -> Reach:
        """Who is reached by whom as the matrix says.

        Raises:
            NotMinutes: `within_min` is no time.
        """
        check_minutes(within_min)
        unit_at = {key: at for at, key in enumerate(units.keys)}
        row_at = {key: at for at, key in enumerate(demand.keys)}
        unit = np.array([unit_at.get(key, -1) for key in self.from_], dtype=np.int32)
        rows = np.array([row_at.get(key, -1) for key in self.to], dtype=np.int32)
        there = (unit >= 0) & (rows >= 0)
        unit, rows = unit[there], rows[there]
        return gathered(
            rows,
            unit,
            units.turnout_min[unit] + self.way_min[there],
            np.hypot(*(demand.points[rows] - units.points[unit]).T),
            demand=len(demand),
            units=len(units),
            within_min=within_min,
            engine=self.engine,
        )

    def without(self, units: Units) -> tuple[str, ...]:
        """The units of which the matrix knows nothing: new or moved ones, to be named beside its figures."""
        known = set(self.from_)
        return tuple(key for key in units.keys if key not in known)


def read_matrix(file: Path, *, units: Collection[str], demand: Collection[str]) -> Matrix:
    """A matrix of a CSV file with the columns `unit, demand, minutes` (of the way, without turnout).

    Raises:
        BadInstance: with every problem (the first hundred): a key that is unknown, a time that is missing,
            negative or no number, a pair that stands there twice.
    """
    known_units, known_rows = set(units), set(demand)
    problems: list[Problem] = []
    found: dict[tuple[str, str], float] = {}

    def wrong(line: int, what: str, remedy: str) -> None:
        problems.append(Problem(file.name, line, what, remedy))

    with file.open(encoding="utf-8-sig", newline="") as stream:
        table = csv.DictReader(stream)
        if missing := [
            name for name in ("unit", "demand", "minutes") if name not in (table.fieldnames or ())
        ]:
            wrong(1, f"The columns {', '.join(missing)} are missing.", "It needs unit, demand, minutes.")
            raise BadInstance(problems)
        for line, row in enumerate(table, start=2):
            pair, minutes = (row["unit"] or "", row["demand"] or ""), _minutes(row["minutes"])
            if pair[0] not in known_units:
                wrong(line, f"There is no unit “{pair[0]}”.", "Correct the key or remove the row.")
            elif pair[1] not in known_rows:
                wrong(line, f"There is no place “{pair[1]}”.", "Correct the key or remove the row.")
            elif minutes is None:
                what = f"“{row['minutes'] or ''}” is no time."
                wrong(line, what, "Write minutes, zero or more; leave out a pair that is not reached.")
            elif pair in found:
                wrong(line, f"“{pair[0]}” to “{pair[1]}” stands there twice.", "Remove one of the rows.")
            else:
                found[pair] = minutes
    if problems:
        raise BadInstance(problems[:_MOST_PROBLEMS])
    return Matrix(
        tuple(unit for unit, _ in found), tuple(row for _, row in found), np.array(list(found.values()))
    )


def _minutes(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if isfinite(value) and value >= 0 else None
