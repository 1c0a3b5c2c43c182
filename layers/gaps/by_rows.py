"""The questions of who is reached, covered, and how surely, asked for some people at a time.

Each row of people has an answer of its own, that no other row changes. So these are the questions of
`travel`, `service` and `sure` themselves, asked of parts, with the answers put where they belong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from layers.gaps import mixes, sure
from layers.gaps import service as services
from layers.gaps.assumptions import Assumptions
from layers.gaps.demand import Demand
from layers.gaps.parts import EMBEDDED, Runner, near_each_other, rows_of, runs
from layers.gaps.reach import Reach, Travel, gathered
from layers.gaps.service import Service, Side
from layers.gaps.standards import Rule
from layers.gaps.supply import Units
from layers.gaps.sure import DRAWS, Sure
from layers.gaps.travel import Network, StraightLine, check_minutes
from layers.snapshot import Numbers, Ordinals

_FEWEST_UNITS = 16
_FEWEST_ROWS, _PAIRS_OF_ONE = 500, 50
"""Every part draws all worlds anew, which fewer rows do not repay; a row has so many units around it."""

# --- Who is reached


def reach(
    travel: Travel, units: Units, demand: Demand, *, within_min: float, runner: Runner = EMBEDDED
) -> Reach:
    """As `travel.reach`: along straight lines for neighbours at a time, along roads for some units at a time.

    People are asked of those units alone that may come as far as to them. A matrix is only looked up, whole.

    Raises:
        NotMinutes: `within_min` is no time.
    """
    check_minutes(within_min)
    if isinstance(travel, StraightLine) and len(demand) > runner.size:
        parts = _of_neighbours(travel, units, demand, within_min, runner.size)
    elif isinstance(travel, Network) and len(units) > (some := _units_at_once(demand, runner.size)):
        parts = _of_units(units, demand, some)
    else:
        return travel.reach(units, demand, within_min=within_min)
    found = list(runner.each(_reached, (travel, within_min), parts))
    rows, unit, minutes, metres = (np.concatenate([one[k] for one in found]) for k in range(4))
    ways = [one[4] for one in found if one[4] is not None]
    return gathered(
        rows,
        unit,
        minutes,
        metres,
        demand=len(demand),
        units=len(units),
        within_min=within_min,
        engine=travel.engine,
        way_m=np.concatenate(ways) if ways else None,
    )


@dataclass(frozen=True, eq=False)
class _Some:
    """Some people and some units, with their positions among all."""

    demand: Demand
    rows: Ordinals
    units: Units
    unit: Ordinals


def _reached(asked: tuple[Travel, float], part: _Some) -> tuple[Any, ...]:
    travel, within_min = asked
    found = travel.reach(part.units, part.demand, within_min=within_min)
    rows = np.repeat(part.rows, np.diff(found.starts))
    return rows, part.unit[found.unit], found.minutes, found.metres, found.way_m


def _of_neighbours(
    travel: StraightLine, units: Units, demand: Demand, within_min: float, size: int
) -> Iterator[_Some]:
    quickest = min(one.min_per_km for one in travel.assumptions.classes)
    left_min = max(within_min - float(units.turnout_min.min(initial=within_min)), 0.0)
    around_m = 1000 * left_min / quickest * (1 + 1e-6) + 1.0
    order = near_each_other(demand.points)
    for begin, end in runs(len(order), size):
        rows = np.sort(order[begin:end]).astype(np.int32)
        near = _around(units.points, demand.points[rows], around_m)
        yield _Some(rows_of(demand, rows), rows, units.only(near), np.flatnonzero(near).astype(np.int32))


def _around(points: Numbers, places: Numbers, around_m: float) -> Any:
    """Which points lie in the frame of some places, or so many metres beside it."""
    there = places[np.isfinite(places).all(axis=1)]
    if not len(there):
        return np.zeros(len(points), dtype=np.bool_)
    low, high = there.min(axis=0) - around_m, there.max(axis=0) + around_m
    return ((points >= low) & (points <= high)).all(axis=1)


def _units_at_once(demand: Demand, size: int) -> int:
    return max(size // max(len(demand), 1), _FEWEST_UNITS)


def _of_units(units: Units, demand: Demand, size: int) -> Iterator[_Some]:
    rows = np.arange(len(demand), dtype=np.int32)
    people = rows_of(demand, rows)
    for begin, end in runs(len(units), size):
        unit = np.arange(begin, end, dtype=np.int32)
        yield _Some(people, rows, units.only(np.isin(np.arange(len(units)), unit)), unit)


# --- Who is covered


def service(
    rule: Rule,
    demand: Demand,
    units_by_role: Mapping[str, Units],
    reach_by_role: Mapping[str, Reach],
    *,
    runner: Runner = EMBEDDED,
) -> Service:
    """As `service.service`.

    Raises:
        BadMix, NoSuchRole, ValueError: as there.
    """
    if len(demand) <= runner.size:
        return services.service(rule, demand, units_by_role, reach_by_role)
    cuts = runs(len(demand), runner.size)
    roles = mixes.mix(rule.role, roles=units_by_role).roles()
    parts = (
        (
            rows_of(demand, np.arange(begin, end)),
            {role: _run_of(reach_by_role[role], begin, end) for role in roles},
        )
        for begin, end in cuts
    )
    found = list(runner.each(_served, (rule, units_by_role), parts))
    begins = [begin for begin, _ in cuts]
    whole = found[0]
    return Service(
        rule=rule,
        wanted=whole.wanted,
        roles=whole.roles,
        sides={
            role: _side([one.sides[role] for one in found], begins, units_by_role[role])
            for role in whole.sides
        },
        **{
            name: np.concatenate([getattr(one, name) for one in found])
            for name in ("applies", "covered", "minutes", "metres", "role", "unit", "count")
        },
    )


def _served(asked: tuple[Rule, Mapping[str, Units]], part: tuple[Demand, Mapping[str, Reach]]) -> Service:
    (rule, units_by_role), (demand, reach_by_role) = asked, part
    return services.service(rule, demand, units_by_role, reach_by_role)


def _run_of(found: Reach, begin: int, end: int) -> Reach:
    """The rows of a reach from one position to another."""
    starts = found.starts[begin : end + 1]
    those = slice(int(starts[0]), int(starts[-1]))
    return Reach(
        starts - starts[0],
        found.unit[those],
        found.minutes[those],
        found.metres[those],
        found.units,
        found.within_min,
        found.engine,
        None if found.way_m is None else found.way_m[those],
    )


def _side(found: list[Side], begins: list[int], units: Units) -> Side:
    rows = [(one.rows + begin).astype(np.int32) for one, begin in zip(found, begins, strict=True)]
    return Side(
        units=units,
        rows=np.concatenate(rows),
        **{
            name: np.concatenate([getattr(one, name) for one in found])
            for name in ("unit", "count", "minutes", "metres", "decides")
        },
    )


# --- How surely


def robustness(
    travel: Travel,
    units: Units,
    demand: Demand,
    assumptions: Assumptions,
    *,
    within_min: float,
    depth: int = 1,
    draws: int = DRAWS,
    seed: int = 1,
    runner: Runner = EMBEDDED,
) -> Sure:
    """As `sure.robustness`: every part is asked in the same worlds.

    Raises:
        NotMinutes, TooFew: as there.
    """
    asked = _Draws(travel, units, assumptions, within_min, depth, draws, seed)
    cuts = runs(len(demand), max(runner.size // _PAIRS_OF_ONE, _FEWEST_ROWS)) or [(0, 0)]
    parts = ((rows_of(demand, np.arange(begin, end)), begin, len(demand) - end) for begin, end in cuts)
    held = np.concatenate(list(runner.each(_drawn, asked, parts)), axis=1)
    return Sure(held, np.nan_to_num(demand.people, nan=0.0), within_min, depth, seed)


@dataclass(frozen=True, eq=False)
class _Draws:
    travel: Travel
    units: Units
    assumptions: Assumptions
    within_min: float
    depth: int
    draws: int
    seed: int


def _drawn(asked: _Draws, part: tuple[Demand, int, int]) -> Any:
    demand, before, after = part
    return sure.robustness(
        asked.travel,
        asked.units,
        demand,
        asked.assumptions,
        within_min=asked.within_min,
        depth=asked.depth,
        draws=asked.draws,
        seed=asked.seed,
        before=before,
        after=after,
    ).held
