"""What one rule of a standard finds: for whom it asks, who is in time, and who comes when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from layers.gaps.demand import Demand
from layers.gaps.mixes import ALL, Mix, mix
from layers.gaps.reach import Reach, gathered
from layers.gaps.standards import Rule
from layers.gaps.supply import Units
from layers.snapshot import Flags, Numbers, Ordinals

_HAIR = 1e-9


@dataclass(frozen=True, eq=False)
class Side:
    """One role under a rule: who counts and where they are in time.

    `rows` and `unit` are the pairs in time, positions of demand and of `units`; `count` how many for each row
    (n). `minutes`, `metres` and `decides` are of the unit that makes the number full (the `depth`-th), in
    time or not: infinite and -1 where nobody comes at all.
    """

    units: Units
    rows: Ordinals
    unit: Ordinals
    count: Ordinals
    minutes: Numbers
    metres: Numbers
    decides: Ordinals


@dataclass(frozen=True, eq=False)
class Service:
    """What one rule finds, n rows of demand.

    `applies` where the rule asks anything, `covered` where it does and is met. `minutes` until those wanted
    have come (an estimate), with the straight `metres` of the unit that decides, its `role` (a position in
    `roles`) and its position `unit` among that role's units; infinite and -1 where nobody comes. `count` how
    often the people there are covered: the least of roles that are wanted together, all units of roles of
    which one is enough.
    """

    rule: Rule
    wanted: Mix
    roles: tuple[str, ...]
    sides: Mapping[str, Side]
    applies: Flags
    covered: Flags
    minutes: Numbers
    metres: Numbers
    role: Ordinals
    unit: Ordinals
    count: Ordinals


def service(
    rule: Rule, demand: Demand, units_by_role: Mapping[str, Units], reach_by_role: Mapping[str, Reach]
) -> Service:
    """Asks one rule: where it applies, where it is met, and who comes when.

    The rule applies where density_from <= persons per km² < density_to, and also where the density is not
    known when it is for every density. A pair counts when minutes <= within_min (from the alarm, or without
    the turnout of the unit) and straight metres <= 1000 × within_km, as far as the rule asks for each.

    Raises:
        BadMix, NoSuchRole: the rule's role is none that is given.
        ValueError: a reach was cut before what the rule asks for.
    """
    wanted = mix(rule.role, roles=units_by_role)
    roles = wanted.roles()
    sides = {role: _side(rule, demand, units_by_role[role], reach_by_role[role]) for role in roles}
    found = _joined(wanted, rule, sides, roles)
    density = demand.density_km2
    with np.errstate(invalid="ignore"):
        applies = (density >= rule.density_from) & (density < rule.density_to)
    if not rule.is_of_a_class:
        applies = np.ones(len(demand), dtype=np.bool_)
    return Service(
        rule=rule,
        wanted=wanted,
        roles=roles,
        sides=sides,
        applies=applies,
        covered=applies & found.enough,
        minutes=found.minutes,
        metres=found.metres,
        role=found.role,
        unit=found.unit,
        count=found.count,
    )


def _side(rule: Rule, demand: Demand, units: Units, reach: Reach) -> Side:
    counts = np.array([not rule.forms or form in rule.forms for form in units.forms], dtype=np.bool_)
    own = _counting(rule, units, reach, counts)
    if rule.within_min is None:
        return _near_side(rule, demand, units, own, np.flatnonzero(counts).astype(np.int32))
    most = rule.within_min + (0 if rule.with_turnout else units.turnout_min[counts].max(initial=0))
    if most > reach.within_min:
        raise ValueError(f"Only ways up to {reach.within_min} minutes were kept; the rule needs {most}.")
    rows = _rows(own)
    there = own.minutes <= rule.within_min
    if rule.within_km is not None:
        there &= own.metres <= 1000 * rule.within_km
    found = np.diff(own.starts) >= rule.depth
    metres = np.full(len(own), inf)
    metres[found] = own.metres[own.starts[:-1][found] + rule.depth - 1]
    return Side(
        units=units,
        rows=rows[there],
        unit=own.unit[there],
        count=np.bincount(rows[there], minlength=len(own)).astype(np.int32),
        minutes=own.kth_min(rule.depth),
        metres=metres,
        decides=own.kth_unit(rule.depth),
    )


def _counting(rule: Rule, units: Units, reach: Reach, counts: Flags) -> Reach:
    """The ways of the units that count, from the alarm or from leaving as the rule asks."""
    if rule.with_turnout and counts.all():
        return reach
    kept = counts[reach.unit]
    unit = reach.unit[kept]
    return gathered(
        _rows(reach)[kept],
        unit,
        reach.minutes[kept] - (0.0 if rule.with_turnout else units.turnout_min[unit]),
        reach.metres[kept],
        demand=len(reach),
        units=reach.units,
        within_min=reach.within_min,
        engine=reach.engine,
    )


def _near_side(rule: Rule, demand: Demand, units: Units, own: Reach, counts: Ordinals) -> Side:
    """A rule of distance alone: straight, whatever lies between; minutes are told where a way is known."""
    n = len(demand)
    nobody = np.full(n, -1, dtype=np.int32)
    if len(counts) < rule.depth or not n:
        far = np.full(n, inf)
        nothing = np.empty(0, dtype=np.int32)
        return Side(units, nothing, nothing, np.zeros(n, dtype=np.int32), far, far, nobody)
    tree = cKDTree(units.points[counts])
    near = tree.query_ball_point(demand.points, r=1000 * (rule.within_km or 0) + _HAIR)
    rows = np.repeat(np.arange(n, dtype=np.int32), [len(some) for some in near])
    unit = counts[np.concatenate([np.asarray(some, dtype=np.int64) for some in near])].astype(np.int32)
    metres, position = tree.query(demand.points, k=[rule.depth])
    decides = counts[position[:, 0]].astype(np.int32)
    return Side(
        units=units,
        rows=rows,
        unit=unit,
        count=np.bincount(rows, minlength=n).astype(np.int32),
        minutes=_minutes_of(own, decides),
        metres=metres[:, 0],
        decides=decides,
    )


def _minutes_of(reach: Reach, unit: Ordinals) -> Numbers:
    """Minutes of one unit for each row (n); infinite where it does not come."""
    found = np.full(len(reach), inf)
    rows = _rows(reach)
    same = reach.unit == unit[rows]
    found[rows[same]] = reach.minutes[same]
    return found


def _rows(reach: Reach) -> Ordinals:
    """The row of each pair."""
    return np.repeat(np.arange(len(reach), dtype=np.int32), np.diff(reach.starts))


@dataclass(frozen=True, eq=False)
class _Joined:
    enough: Flags
    minutes: Numbers
    metres: Numbers
    role: Ordinals
    unit: Ordinals
    count: Ordinals


def _joined(part: str | Mix, rule: Rule, sides: Mapping[str, Side], roles: Sequence[str]) -> _Joined:
    """Several roles as one: together the last one decides, of which one is enough the first."""
    if isinstance(part, str):
        side = sides[part]
        role = np.where(side.decides >= 0, roles.index(part), -1).astype(np.int32)
        return _Joined(
            side.count >= rule.depth, side.minutes, side.metres, role, side.decides, side.count // rule.depth
        )
    parts = [_joined(one, rule, sides, roles) for one in part.parts]
    measure = np.array([one.metres if rule.within_min is None else one.minutes for one in parts])
    together = part.of == ALL
    chosen = measure.argmax(axis=0) if together else measure.argmin(axis=0)
    at = (chosen, np.arange(measure.shape[1]))
    enough = np.array([one.enough for one in parts])
    counts = np.array([one.count for one in parts])
    return _Joined(
        enough=np.asarray(enough.all(axis=0) if together else enough.any(axis=0), dtype=np.bool_),
        minutes=np.array([one.minutes for one in parts])[at],
        metres=np.array([one.metres for one in parts])[at],
        role=np.array([one.role for one in parts])[at],
        unit=np.array([one.unit for one in parts])[at],
        count=counts.min(axis=0) if together else _of_any(part, rule, sides, counts),
    )


def _of_any(part: Mix, rule: Rule, sides: Mapping[str, Side], counts: Any) -> Ordinals:
    """How often people are covered by roles of which one is enough: one crew in two roles is one crew.

    Where mixes stand inside, whose crews cannot be told apart, it is the most of any part.
    """
    named = [one for one in part.parts if isinstance(one, str)]
    if len(named) < len(part.parts) or rule.depth > 1:
        return np.asarray(counts.max(axis=0), dtype=np.int32)
    keys = {key: i for i, key in enumerate(sorted({key for one in named for key in sides[one].units.keys}))}
    pairs = np.concatenate(
        [
            sides[one].rows.astype(np.int64) * len(keys)
            + np.array([keys[key] for key in sides[one].units.keys], dtype=np.int64)[sides[one].unit]
            for one in named
        ]
    )
    rows = np.unique(pairs) // max(len(keys), 1)
    return np.bincount(rows, minlength=counts.shape[1]).astype(np.int32)


def met(part: str | Mix, enough: Mapping[str, Flags]) -> Flags:
    """Whether a mix is met where its roles are (n), by the flags of each role."""
    if isinstance(part, str):
        return enough[part]
    parts = np.array([met(one, enough) for one in part.parts])
    both = parts.all(axis=0) if part.of == ALL else parts.any(axis=0)
    return np.asarray(both, dtype=np.bool_)
