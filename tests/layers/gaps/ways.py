"""Invented people, units, islands and roads for questions about ways. All chance is an argument.

Islands are boxes of metres that never touch, so that a twin can do its geometry in plain numbers.
"""

from random import Random

import numpy as np
import shapely

from layers import geo
from layers.gaps.assumptions import Assumptions, Causeway, Class, Span
from layers.gaps.demand import Demand
from layers.gaps.supply import Units
from tests import make

WEST, SOUTH = 500_000.0, 6_450_000.0  # Metres of EPSG:3301, in the middle of Estonia.


def chance_of(seed):
    return Random(seed)  # noqa: S311 (invents worlds, guards nothing)


def people(points, persons=None, density=None, zones=None, basis="places"):
    """Demand at metric points."""
    points = np.asarray(points, dtype=float).reshape(-1, 2)
    n = len(points)
    return Demand(
        basis=basis,
        keys=tuple(f"place-{at}" for at in range(n)),
        names=tuple(f"Place {at}" for at in range(n)),
        points=points,
        people=np.full(n, 10.0) if persons is None else np.asarray(persons, dtype=float),
        density_km2=np.full(n, 20.0) if density is None else np.asarray(density, dtype=float),
        zones={"county": tuple(zones or [""] * n)},
        estimated=np.zeros(n, dtype=np.bool_),
    )


def crews(points, turnout=None, forms=None, readiness=(), precision=()):
    """Units at metric points."""
    points = np.asarray(points, dtype=float).reshape(-1, 2)
    m = len(points)
    return Units(
        keys=tuple(f"unit-{at}" for at in range(m)),
        names=tuple(f"Unit {at}" for at in range(m)),
        forms=tuple(forms or ["state"] * m),
        abilities=(frozenset(),) * m,
        points=points,
        turnout_min=np.full(m, 1.0) if turnout is None else np.asarray(turnout, dtype=float),
        readiness=tuple(readiness),
        precision=tuple(precision),
    )


def a_span(chance, least, most, *, point=False):
    low, usual, high = sorted(chance.uniform(least, most) for _ in range(3))
    return Span(usual, usual, usual, "made up") if point else Span(low, usual, high, "made up")


def assumed(chance, *, point=False, **changes):
    """Assumptions of two or three classes; with `point` nothing is uncertain."""
    begins = [0.0, *sorted(chance.sample([50.0, 300.0, 1500.0], chance.randint(1, 2)))]
    facts = {
        "classes": tuple(
            Class(
                f"class-{at}",
                {},
                begin,
                a_span(chance, 1, 1.6, point=point),
                a_span(chance, 30, 80, point=point),
            )
            for at, begin in enumerate(begins)
        ),
        "turnout_by_form": {
            "state": a_span(chance, 0, 3, point=point),
            "volunteer": a_span(chance, 1, 15, point=point),
        },
        "turnout_by_readiness": {"home_duty": a_span(chance, 1, 10, point=point)},
    }
    return Assumptions(**{**facts, **changes})


def islands(chance, count=4, size_m=8000.0):
    """Boxes (west, south, east, north) in metres, at least 1.6 km apart."""
    cells = chance.sample([(x, y) for x in range(4) for y in range(4)], count)
    found = []
    for x, y in cells:
        west, south = WEST + x * (size_m + 4000), SOUTH + y * (size_m + 4000)
        wide, high = (chance.uniform(2000, size_m + 2400) for _ in range(2))
        found.append((west, south, west + wide, south + high))
    return found


def land(boxes):
    return np.array([shapely.box(*one) for one in boxes], dtype=object)


def a_causeway(one, other, name="Tamm"):
    """A road from the middle of a box to the middle of another."""
    middles = [shapely.Point((w + e) / 2, (s + n) / 2) for w, s, e, n in (one, other)]
    ends = geo.to_degrees(np.array(middles, dtype=object), srid=make.SRID)
    return Causeway(name, tuple((end.x, end.y) for end in ends), "made up")


def spots(chance, boxes, count):
    """Points: on an island, beside one, or anywhere."""
    found = []
    for _ in range(count):
        west, south, east, north = chance.choice(boxes)
        slack = chance.choice([0.0, 0.0, 900.0, 6000.0])
        found.append(
            (chance.uniform(west - slack, east + slack), chance.uniform(south - slack, north + slack))
        )
    return np.array(found).reshape(-1, 2)


def entries(reach):
    """What a reach says, as {(row, unit): minutes}; the order within a row is checked on the way."""
    found = {}
    for row in range(len(reach)):
        part = range(reach.starts[row], reach.starts[row + 1])
        order = [(reach.minutes[at], reach.unit[at]) for at in part]
        assert order == sorted(order)
        for at in part:
            found[row, int(reach.unit[at])] = float(reach.minutes[at])
    return found
