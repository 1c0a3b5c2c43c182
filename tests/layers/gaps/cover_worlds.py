"""Small random worlds of people and units for the rooms of gaps, and ready values for single cases."""

import numpy as np

from layers.gaps.demand import Demand
from layers.gaps.reach import gathered
from layers.gaps.supply import Units


def a_demand(people, *, points=None, density=None, zones=None, estimated=None):
    """People in rows; on a line of kilometres when no points are given."""
    n = len(people)
    points = [(1000.0 * i, 0.0) for i in range(n)] if points is None else points
    return Demand(
        basis="places",
        keys=tuple(f"p{i:03}" for i in range(n)),
        names=tuple(f"Place {i}" for i in range(n)),
        points=np.array(points, dtype=float).reshape(-1, 2),
        people=np.array(people, dtype=float),
        density_km2=np.full(n, 50.0) if density is None else np.array(density, dtype=float),
        zones=zones or {"municipality": ("01",) * n, "county": ("1",) * n},
        estimated=np.zeros(n, dtype=np.bool_) if estimated is None else np.array(estimated, dtype=np.bool_),
    )


def units(keys, *, points=None, turnout=None, forms=None):
    m = len(keys)
    return Units(
        keys=tuple(keys),
        names=tuple(f"Unit {key}" for key in keys),
        forms=("volunteer",) * m if forms is None else tuple(forms),
        abilities=(frozenset(),) * m,
        points=np.zeros((m, 2)) if points is None else np.array(points, dtype=float).reshape(-1, 2),
        turnout_min=np.zeros(m) if turnout is None else np.array(turnout, dtype=float),
    )


def reach_of(minutes, metres=None, *, within_min=60.0):
    """A reach from a table of minutes, n rows × m units; infinite where a unit never comes."""
    minutes = np.array(minutes, dtype=float)
    metres = minutes * 1000 if metres is None else np.array(metres, dtype=float)
    rows, unit = np.nonzero(np.isfinite(minutes))
    return gathered(
        rows,
        unit,
        minutes[rows, unit],
        metres[rows, unit],
        demand=minutes.shape[0],
        units=minutes.shape[1],
        within_min=within_min,
        engine="made up",
    )


def random_world(rng):
    """Demand, units by role, reach by role and the tables behind them.

    Some units play two roles, some never come to a row, some people are none, some densities unknown.
    """
    n = int(rng.integers(1, 14))
    zones = rng.integers(0, 3, n)
    demand = a_demand(
        rng.integers(0, 200, n),
        points=rng.integers(0, 30_000, (n, 2)),
        density=np.where(rng.random(n) < 0.1, np.nan, rng.choice([5.0, 30.0, 100.0, 400.0], n)),
        zones={
            "municipality": tuple(f"0{z}" for z in zones),
            "county": tuple("1" if z else "" for z in zones),
        },
        estimated=rng.random(n) < 0.4,
    )
    pool = int(rng.integers(0, 8))
    where = rng.integers(0, 30_000, (pool, 2)).astype(float)
    turnout = rng.integers(0, 8, pool).astype(float)
    forms = rng.choice(["state", "volunteer"], pool)
    metres = np.hypot(*(demand.points[:, None, :] - where[None, :, :]).transpose(2, 0, 1)).reshape(n, pool)
    minutes = turnout + metres / 1000 * rng.choice([1.0, 1.3, 2.0])
    minutes = np.where(rng.random((n, pool)) < 0.15, np.inf, minutes)
    by_role, reaches, tables = {}, {}, {}
    for role in ("a", "b", "c"):
        own = np.flatnonzero(rng.random(pool) < 0.6)
        by_role[role] = units(
            [f"u{i}" for i in own], points=where[own], turnout=turnout[own], forms=forms[own]
        )
        reaches[role] = reach_of(minutes[:, own], metres[:, own])
        tables[role] = (minutes[:, own], metres[:, own])
    return demand, by_role, reaches, tables
