"""How evenly help is spread: percentiles and the Gini index by people, and floating catchments.

An average hides who waits longest, so every figure here is weighted by people and has its formula beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from layers.gaps.demand import Demand
from layers.gaps.reach import Reach
from layers.snapshot import Numbers

_HAIR = 1e-12


def percentiles(values: Numbers, weights: Numbers, parts: Sequence[float]) -> tuple[float, ...]:
    """For each part q the least value v such that at least q of all weight has a value <= v.

    So "p90 = 14 minutes" reads: nine of ten people are reached within 14 minutes. Values may be infinite
    (never reached); without any weight every answer is infinite.
    """
    weight = float(weights.sum())
    if weight <= 0:
        return (inf,) * len(parts)
    order = np.argsort(values, kind="stable")
    so_far = np.cumsum(weights[order])
    at = [int(np.searchsorted(so_far, part * weight * (1 - _HAIR))) for part in parts]
    return tuple(float(values[order[min(i, len(order) - 1)]]) for i in at)


def gini(values: Numbers, weights: Numbers) -> float:
    """0 when everybody has as much, towards 1 when few have all.

    1 - Σ w_i (L_i + L_(i-1)) / (W × L_n) over values in rising order, where L is the running sum of
    w × value and W the sum of the weights. A row of weight 2 counts as the row twice. Nobody has anything: 0.

    Raises:
        ValueError: a value or weight is negative or not finite.
    """
    if (
        not (np.isfinite(values).all() and np.isfinite(weights).all())
        or (values < 0).any()
        or (weights < 0).any()
    ):
        raise ValueError("A Gini index is of finite values from 0 on.")
    order = np.argsort(values, kind="stable")
    weight, running = weights[order], np.cumsum(weights[order] * values[order])
    if not len(values) or running[-1] == 0:
        return 0.0
    before = np.concatenate([[0.0], running[:-1]])
    return float(1 - (weight * (running + before)).sum() / (weight.sum() * running[-1]))


@dataclass(frozen=True, eq=False)
class Access:
    """Two-step floating catchments: `ratio` is capacity per person for every unit (m, NaN where it reaches
    nobody), `each` what one person has for every row (n). `given` is the capacity of the units that reach
    anybody, `taken` what arrives with people: both are the same, which is the check of the method.
    """

    within_min: float
    ratio: Numbers
    each: Numbers
    given: float
    taken: float


def access(demand: Demand, reach: Reach, capacity: Numbers, *, within_min: float) -> Access:
    """R_u = S_u / Σ P_i over the rows within reach of u; A_i = Σ R_u over the units within reach of i.

    Without known crews `capacity` is one for each unit (m), so that A is units per person. Σ A_i × P_i is
    Σ S_u over units that reach anybody, whatever the catchment.

    Raises:
        ValueError: `within_min` is more than what was kept.
    """
    if within_min > reach.within_min:
        raise ValueError(f"Only ways up to {reach.within_min} minutes were kept.")
    there = reach.minutes <= within_min
    rows = np.repeat(np.arange(len(reach)), np.diff(reach.starts))[there]
    unit = reach.unit[there]
    people = np.bincount(unit, weights=demand.people[rows], minlength=reach.units)
    ratio = np.full(reach.units, np.nan)
    ratio[people > 0] = capacity[people > 0] / people[people > 0]
    useful = people[unit] > 0
    each = np.bincount(rows[useful], weights=ratio[unit[useful]], minlength=len(reach))
    return Access(
        within_min=within_min,
        ratio=ratio,
        each=np.asarray(each, dtype=np.float64),
        given=float(capacity[people > 0].sum()),
        taken=float((each * demand.people).sum()),
    )


@dataclass(frozen=True)
class Spread:
    """How even access is under one catchment: people without any, and the Gini index over all people."""

    within_min: float
    without: float
    gini: float
    median_per_10000: float


def sensitivity(
    demand: Demand, reach: Reach, capacity: Numbers, *, catchments_min: Sequence[float]
) -> tuple[Spread, ...]:
    """The same question under several catchments: where the answers differ much, none of them is a fact."""
    found = []
    for within_min in catchments_min:
        one = access(demand, reach, capacity, within_min=within_min)
        (median,) = percentiles(one.each, demand.people, (0.5,))
        found.append(
            Spread(
                within_min=within_min,
                without=float(demand.people[one.each == 0].sum()),
                gini=gini(one.each, demand.people),
                median_per_10000=median * 10_000,
            )
        )
    return tuple(found)
