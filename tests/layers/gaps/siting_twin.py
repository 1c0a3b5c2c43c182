"""The four questions of siting answered the slow way, by a look at every choice of sites; random worlds."""

from itertools import combinations, product

import numpy as np
from scipy import sparse


def reached(cost, within):
    """The table with inf for everything out of reach."""
    found = np.array(cost, dtype=float)
    found[np.isnan(found)] = np.inf
    if within is not None:
        found[found > within] = np.inf
    return found


def best(model, cost, weights, *, p=None, within=None, fixed=(), backup=1, capacity=None):
    """The objective that no plan beats; None where there is no plan."""
    ways = reached(cost, within)
    weights = np.ones(len(ways)) if weights is None else np.asarray(weights, dtype=float)
    free = [j for j in range(ways.shape[1]) if j not in fixed]
    sizes = range(len(free) + 1) if model == "lscp" else [p]
    worth = max if model == "mclp" else min
    for size in sizes:
        values = [
            found
            for new in combinations(free, size)
            if (found := value(model, ways, weights, [*fixed, *new], size, backup, capacity)) is not None
        ]
        if values:
            return worth(values)
    return None


def value(model, ways, weights, opened, size, backup, capacity):
    rows = [i for i in range(len(ways)) if weights[i] > 0 and np.isfinite(ways[i]).any()]
    if capacity is not None:
        return _held(model, ways, weights, opened, rows, capacity)
    least = {i: min((ways[i, j] for j in opened), default=np.inf) for i in rows}
    if model == "mclp":
        return sum(weights[i] for i in rows if least[i] < np.inf)
    if model == "lscp":
        enough = all(
            sum(np.isfinite(ways[i, j]) for j in opened) >= min(backup, np.isfinite(ways[i]).sum())
            for i in rows
        )
        return size if enough else None
    if any(least[i] == np.inf for i in rows):
        return None
    if model == "p_median":
        return sum(weights[i] * least[i] for i in rows)
    return max(least.values(), default=0.0)


def _held(model, ways, weights, opened, rows, capacity):
    options = [
        [j for j in opened if np.isfinite(ways[i, j])] + ([None] if model == "mclp" else []) for i in rows
    ]
    values = []
    for choice in product(*options):
        load = dict.fromkeys(opened, 0.0)
        for i, j in zip(rows, choice, strict=True):
            if j is not None:
                load[j] += weights[i]
        if all(load[j] <= capacity[j] for j in opened):
            pairs = [(i, j) for i, j in zip(rows, choice, strict=True) if j is not None]
            paid = (weights[i] * (1 if model == "mclp" else ways[i, j]) for i, j in pairs)
            values.append(sum(paid))
    if not values:
        return None
    return max(values) if model == "mclp" else min(values)


def world(chance, *, places=7, sites=6, whole=None):
    """A small question: costs (inf: unreachable), weights, p, radius and fixed sites; much of it awkward."""
    height, width = int(chance.integers(1, places + 1)), int(chance.integers(1, sites + 1))
    whole = chance.random() < 0.6 if whole is None else whole
    cost = chance.integers(0, 10, (height, width)).astype(float)
    weights = chance.integers(0, 6, height).astype(float)
    if not whole:
        cost, weights = cost + chance.random(cost.shape), weights * chance.random(height)
    cost[chance.random(cost.shape) < chance.choice([0, 0.2, 0.6])] = np.inf
    cost[chance.random(cost.shape) < 0.05] = np.nan
    fixed = [j for j in range(width) if chance.random() < 0.2]
    return {
        "cost": cost,
        "weights": weights,
        "p": int(chance.integers(0, width - len(fixed) + 1)),
        "within": None if chance.random() < 0.4 else float(chance.integers(0, 10)),
        "fixed": fixed,
    }


def as_sparse(cost):
    """The same table with what is unreachable left out, and zeros kept."""
    rows, columns = np.nonzero(np.isfinite(cost))
    return sparse.coo_array((cost[rows, columns], (rows, columns)), shape=cost.shape)
