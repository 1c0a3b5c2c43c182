"""How evenly help is spread, against published values, row by row repetition and a count in plain Python."""

from fractions import Fraction
from math import inf

import numpy as np
import pytest

from layers.gaps import spreads
from tests.layers.gaps import cover_worlds as worlds


def gini(values, weights=None):
    weights = np.ones(len(values)) if weights is None else weights
    return spreads.gini(np.array(values, dtype=float), np.array(weights, dtype=float))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 2, 3, 4, 5], 0.26667), ([0, 0, 0, 1], 0.75), ([3, 3, 3], 0), ([0, 0], 0), ([], 0), ([7], 0)],
)
def test_gini_has_its_published_values(values, expected):
    assert gini(values) == pytest.approx(expected, abs=1e-5)


def test_a_row_of_weight_two_is_the_row_twice():
    assert gini([1, 5, 2], [2, 1, 3]) == pytest.approx(gini([1, 1, 5, 2, 2, 2]))


@pytest.mark.parametrize(
    ("values", "weights"), [([-1], [1]), ([1], [-1]), ([inf], [1]), ([1], [float("nan")])]
)
def test_gini_of_what_is_no_amount_is_refused(values, weights):
    with pytest.raises(ValueError, match="finite values from 0 on"):
        gini(values, weights)


def test_gini_equals_the_mean_difference_of_all_pairs():
    """The twin: Σ_i Σ_j w_i w_j |x_i - x_j| / (2 W² mean), in fractions."""
    rng = np.random.default_rng(8)
    for _ in range(300):
        n = int(rng.integers(1, 9))
        values, weights = rng.integers(0, 9, n).tolist(), rng.integers(0, 5, n).tolist()
        total = sum(w * x for w, x in zip(weights, values, strict=True))
        if not total:
            continue
        apart = sum(
            w * v * abs(x - y)
            for w, x in zip(weights, values, strict=True)
            for v, y in zip(weights, values, strict=True)
        )
        assert gini(values, weights) == pytest.approx(float(Fraction(apart, 2 * sum(weights) * total)))


def test_a_percentile_is_what_so_many_people_wait_at_most():
    rng = np.random.default_rng(9)
    for _ in range(300):
        n = int(rng.integers(1, 9))
        values = rng.choice([1.0, 2.0, 3.0, 8.0, inf], n)
        weights = rng.integers(0, 6, n).astype(float)
        people = sorted(v for v, w in zip(values, weights, strict=True) for _ in range(int(w)))
        for part in (0.1, 0.5, 0.9, 1.0):
            (found,) = spreads.percentiles(values, weights, (part,))
            if not people:
                assert found == inf
                continue
            first = -(-round(part * 10) * len(people) // 10)  # Rounded up: so many people at least.
            assert found == people[max(first, 1) - 1]


def test_floating_catchments_by_hand():
    """People 100, 200, 300; two and three rescuers; the first reaches places 1-2, the second 2-3."""
    demand = worlds.a_demand([100, 200, 300])
    reach = worlds.reach_of([[5, inf], [5, 5], [inf, 5]])

    found = spreads.access(demand, reach, np.array([2.0, 3.0]), within_min=10)

    assert found.ratio.tolist() == pytest.approx([1 / 150, 3 / 500])
    assert found.each.tolist() == pytest.approx([0.006667, 0.012667, 0.006], abs=1e-6)
    assert (found.given, found.taken) == pytest.approx((5, 5))


def test_what_is_given_is_taken_whatever_the_catchment():
    """Against sums in fractions of whole numbers, on random worlds."""
    rng = np.random.default_rng(10)
    compared = 0
    for _ in range(400):
        demand, by_role, reaches, tables = worlds.random_world(rng)
        capacity = rng.integers(1, 5, len(by_role["a"])).astype(float)
        for within_min in (5.0, 15.0, 60.0):
            found = spreads.access(demand, reaches["a"], capacity, within_min=within_min)
            people = [int(p) for p in demand.people]
            minutes = tables["a"][0]
            each, given = [Fraction(0)] * len(people), 0
            for u, amount in enumerate(capacity):
                rows = [i for i in range(len(people)) if minutes[i][u] <= within_min]
                reached = sum(people[i] for i in rows)
                if reached:
                    given += int(amount)
                    for i in rows:
                        each[i] += Fraction(int(amount), reached)
            assert sum(a * p for a, p in zip(each, people, strict=True)) == given
            assert (found.given, found.taken) == pytest.approx((given, given))
            assert found.each.tolist() == pytest.approx([float(a) for a in each])
            compared += 2 + len(people)
    assert compared > 5000


def test_the_answer_hangs_on_the_catchment_and_that_is_shown():
    demand = worlds.a_demand([100, 100, 100])
    reach = worlds.reach_of([[5], [12], [25]])

    near, far = spreads.sensitivity(demand, reach, np.ones(1), catchments_min=(10, 30))

    assert (near.without, near.gini) == (200, pytest.approx(2 / 3))
    assert (far.without, far.gini) == (0, pytest.approx(0))
    assert far.median_per_10000 == pytest.approx(10_000 / 300)


def test_a_catchment_beyond_what_was_kept_is_refused():
    with pytest.raises(ValueError, match=r"60(\.0)? minutes were kept"):
        spreads.access(worlds.a_demand([1]), worlds.reach_of([[1]]), np.ones(1), within_min=61)
