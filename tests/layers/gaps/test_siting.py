"""Siting: the same as looking at every choice, and as what was published; what cannot be is explained."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from layers.errors import Invalid, LayersError
from layers.gaps import siting
from layers.gaps.siting import plans, solver
from tests.layers.gaps import siting_twin as twin

OPTIMA = Path(__file__).resolve().parents[4] / "shared" / "data" / "optima"
ANSWERS = {model: getattr(siting, model) for model in plans.MODELS}
INF = np.inf
published = pytest.mark.skipif(not OPTIMA.is_dir(), reason=f"no published instances in {OPTIMA}")
few = settings(max_examples=40, deadline=None)


def country(places=400, sites=60, seed=1):
    """A table of distances in metres and heavy-tailed people."""
    chance = np.random.default_rng(seed)
    at = chance.random((places, 2)) * [330_000, 220_000]
    there = chance.random((sites, 2)) * [330_000, 220_000]
    return np.linalg.norm(at[:, None] - there[None], axis=2), np.floor(30 * chance.pareto(1.1, places) + 5)


def options(model, world, chance, *, with_capacity=False):
    asked = {"within": world["within"], "fixed": world["fixed"]}
    if model == plans.LSCP:
        return {**asked, "backup": int(chance.integers(1, 4))}
    asked["p"] = world["p"]
    if with_capacity:
        asked["capacity"] = chance.integers(0, 14, world["cost"].shape[1]).astype(float)
    return asked


# --- Against every choice


@pytest.mark.parametrize("model", plans.MODELS)
def test_no_choice_of_sites_is_better_in_many_small_worlds(model):
    refused = 0
    for seed in range(120):
        chance = np.random.default_rng(seed)
        world = twin.world(chance)
        asked = options(model, world, chance)
        best = twin.best(model, world["cost"], world["weights"], **asked)
        table = world["cost"] if seed % 2 else twin.as_sparse(world["cost"])
        if best is None:
            refused += 1
            with pytest.raises((plans.TooFewSites, plans.TooFewSitesWithin)):
                ANSWERS[model](table, world["weights"], **asked)
            continue

        plan = ANSWERS[model](table, world["weights"], **asked)

        assert plan.objective == pytest.approx(best, abs=1e-9), seed
        assert plan.proven, seed
        assert plan.verification.is_done, seed
    assert (refused > 0) == (model in (plans.P_MEDIAN, plans.P_CENTER))


@pytest.mark.parametrize("model", [plans.MCLP, plans.P_MEDIAN])
def test_no_choice_that_keeps_the_capacities_is_better_in_many_small_worlds(model):
    reasons = set()
    for seed in range(120):
        chance = np.random.default_rng(seed)
        world = twin.world(chance, places=5, sites=5)
        asked = options(model, world, chance, with_capacity=True)
        best = twin.best(model, world["cost"], world["weights"], **asked)
        if best is None:
            with pytest.raises(Invalid) as refusal:
                ANSWERS[model](world["cost"], world["weights"], **asked)
            reasons.add(type(refusal.value))
            continue

        plan = ANSWERS[model](world["cost"], world["weights"], **asked)

        assert plan.objective == pytest.approx(best, abs=1e-9), seed
        assert plan.proven, seed
        load = np.zeros(world["cost"].shape[1])
        for row, site in enumerate(plan.assignment):
            if site >= 0:
                load[site] += world["weights"][row]
        assert np.all(load <= asked["capacity"] + 1e-9), seed
    expected = {plans.TooHeavy, plans.TooLittleCapacity, plans.TooLittleCapacityAtAll, plans.NoPacking}
    assert expected <= reasons if model == plans.P_MEDIAN else not reasons


@pytest.mark.slow
def test_the_solver_apart_says_what_the_solver_here_says(monkeypatch):
    cost, weights = country(80, 40)
    found = []
    for small in (0, 10**9):
        monkeypatch.setattr(solver, "_SMALL", small)
        found.append(siting.lscp(cost, weights, within=60_000, backup=2))

    apart, here = found
    assert "quick" != apart.ended == here.ended == plans.PROVEN
    assert apart.objective == here.objective > len(siting.lscp(cost, weights, within=60_000).sites)


# --- Against what was published


def swain():
    lines = (OPTIMA / "swain55.dat").read_text().splitlines()
    rows = np.array([[float(part) for part in line.split(",")[:4]] for line in lines if line.strip()])
    return np.hypot(rows[:, None, 1] - rows[:, 1], rows[:, None, 2] - rows[:, 2]), rows[:, 3]


def pmed(number):
    """The last cost of an edge wins; then shortest ways."""
    lines = [line.split() for line in (OPTIMA / f"pmed{number}.txt").read_text().splitlines() if line.strip()]
    count, _, p = map(int, lines[0])
    ways = np.full((count, count), INF)
    np.fill_diagonal(ways, 0)
    for one, other, cost in lines[1:]:
        ways[int(one) - 1, int(other) - 1] = ways[int(other) - 1, int(one) - 1] = float(cost)
    for over in range(count):
        ways = np.minimum(ways, ways[:, over, None] + ways[over])
    return ways, p


@published
def test_swains_towns_need_five_sites_and_five_smaller_ones_cover_609_people():
    cost, people = swain()
    assert people.sum() == 640

    assert siting.lscp(cost, people, within=15).objective == 5
    plan = siting.mclp(cost, people, within=10, p=5)

    assert (plan.objective, plan.bound, plan.proven) == (609, 609, True)
    assert siting.mclp(cost, people, within=10, p=5, exact=False).objective < 609


@published
@pytest.mark.parametrize(("number", "optimum"), [(1, 5819), (2, 4093), (3, 4250), (4, 3034)])
def test_the_medians_of_the_or_library_are_proven(number, optimum):
    cost, p = pmed(number)

    plan = siting.p_median(cost, p=p)

    assert (plan.objective, plan.bound, plan.proven) == (optimum, optimum, True)
    assert "neighbours" in plan.verification.checks


# --- What always holds


@given(seed=st.integers(0, 10**6))
@few
def test_more_sites_and_a_wider_radius_never_cover_less(seed):
    chance = np.random.default_rng(seed)
    cost, weights = chance.integers(0, 30, (12, 8)).astype(float), chance.integers(0, 9, 12)

    covered = [
        [siting.mclp(cost, weights, p=p, within=within).objective for within in (3, 9)] for p in range(5)
    ]

    assert np.all(np.diff(covered, axis=0) >= 0)
    assert np.all(np.diff(covered, axis=1) >= 0)


@given(seed=st.integers(0, 10**6))
@few
def test_as_many_sites_as_cover_all_cover_all_and_one_less_does_not(seed):
    world = twin.world(np.random.default_rng(seed))
    asked = {"within": world["within"], "fixed": world["fixed"]}
    cover = siting.lscp(world["cost"], world["weights"], **asked)
    count = int(cover.objective)
    everybody = world["weights"].sum() - world["weights"][list(cover.unreachable)].sum()

    def covers(p):
        return siting.mclp(world["cost"], world["weights"], p=p, **asked).objective

    assert covers(count) == pytest.approx(everybody)
    assert count == 0 or covers(count - 1) < everybody


@given(seed=st.integers(0, 10**6), model=st.sampled_from(plans.MODELS))
@few
def test_the_proof_never_worsens_the_quick_plan_and_every_told_bound_holds(seed, model):
    chance = np.random.default_rng(seed)
    world = twin.world(chance, places=14, sites=10)
    asked = options(model, world, chance)
    told = []
    try:
        plan = ANSWERS[model](
            world["cost"], world["weights"], **asked, report=lambda phase, one: told.append(one)
        )
        quick = ANSWERS[model](world["cost"], world["weights"], **asked, exact=False)
    except (plans.TooFewSites, plans.TooFewSitesWithin):
        return
    sign = 1 if model == plans.MCLP else -1
    slack = 1e-9 * max(1, abs(plan.objective))

    for one in [quick, *told]:
        assert sign * one.objective <= sign * plan.objective + slack
        assert one.bound is None or sign * one.bound >= sign * plan.objective - slack
        assert one.verification.is_done


@given(seed=st.integers(0, 10**6), model=st.sampled_from(plans.MODELS))
@few
def test_a_sparse_table_gets_the_plan_of_the_dense_one_and_so_does_a_second_question(seed, model):
    chance = np.random.default_rng(seed)
    world = twin.world(chance)
    asked = options(model, world, chance)

    def answer(table):
        try:
            plan = ANSWERS[model](table, world["weights"], **asked)
        except Invalid as reason:
            return str(reason)
        return plan.sites, plan.gains, plan.assignment, plan.objective, plan.bound

    first = answer(world["cost"])

    assert first == answer(world["cost"])
    for form in ("csr", "csc", "coo", "lil"):
        assert first == answer(twin.as_sparse(world["cost"]).asformat(form))


def test_sites_come_in_the_order_of_what_each_adds():
    # Site 0 covers 50, site 1 the others but one, and site 2 that one and half of the others.
    cost = np.array([[0, 9, 9], [9, 0, 9], [9, 0, 0], [9, 9, 0]])

    plan = siting.mclp(cost, [50, 40, 30, 5], p=3, within=1)

    assert (plan.sites, plan.gains) == ((1, 0, 2), (70.0, 50.0, 5.0))
    assert plan.assignment == (0, 1, 1, 2)


def test_of_equal_sites_the_lowest_position_is_opened():
    plan = siting.mclp(np.zeros((3, 5)), p=2, within=0, fixed=[1])

    assert (plan.sites, plan.gains, plan.fixed) == ((0, 2), (0.0, 0.0), (1,))
    assert plan.assignment == (0, 0, 0)


# --- What comes in


def test_a_stored_zero_is_no_cost_and_what_is_absent_is_out_of_reach():
    table = sparse.csr_array(([0.0], ([0], [1])), shape=(2, 2))

    plan = siting.mclp(table, p=1)

    assert (plan.sites, plan.assignment, plan.unreachable) == ((1,), (1, -1), (1,))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cost": np.empty((0, 3))}, "There are no places to serve."),
        ({"cost": np.empty((3, 0)), "p": 0}, "There are no sites to choose from."),
        ({"cost": [[1, -2]]}, "the one of place 0 and site 1 is"),
        ({"cost": [[1, -INF]]}, "the one of place 0 and site 1 is"),
        ({"cost": [1, 2]}, "The costs must be a table of numbers"),
        ({"cost": [["near"]]}, "The costs must be a table of numbers"),
        ({"weights": [1]}, "“weights” has 1 values; 2 are needed"),
        ({"weights": [1, np.nan]}, "the one of place 1 is not"),
        ({"weights": [-1, 1]}, "the one of place 0 is not"),
        ({"weights": ["many", 1]}, "“weights” must be a list of numbers"),
        ({"within": -1}, "The radius must be a number that is not negative; -1 is not."),
        ({"within": np.nan}, "The radius must be a number"),
        ({"fixed": [3]}, "There is no site at position 3; positions run from 0 to 2."),
        ({"fixed": [-1]}, "“fixed” must be a whole number"),
        ({"p": 4}, "4 new sites were asked for, but there are only 3 to choose from."),
        ({"p": 3, "fixed": [0]}, "there are only 2 to choose from. Ask for at most 2."),
        ({"p": -1}, "“p” must be a whole number, 0 or more; -1 is not."),
        ({"p": 1.5}, "“p” must be a whole number"),
        ({"capacity": [1, -1, 1]}, "the one of site 1 is"),
        ({"capacity": [1]}, "“capacity” has 1 values; 3 are needed"),
        ({"time_limit_s": 0}, "The time limit must be a number of seconds above zero"),
    ],
)
def test_input_that_cannot_be_used_gets_a_sentence(change, sentence):
    asked = {"cost": np.ones((2, 3)), "weights": None, "p": 1, **change}

    with pytest.raises(Invalid) as refusal:
        siting.mclp(asked.pop("cost"), asked.pop("weights"), **asked)

    assert sentence in str(refusal.value)


def test_a_backup_below_one_gets_a_sentence():
    with pytest.raises(plans.BadNumber, match="“backup” must be a whole number, 1 or more; 0 is not"):
        siting.lscp(np.ones((2, 3)), backup=0)


@pytest.mark.parametrize("model", plans.MODELS)
def test_demand_that_weighs_nothing_and_sites_without_demand_are_no_trouble(model):
    cost = np.array([[1.0, INF, INF], [INF, INF, 2.0]])
    asked = {} if model == plans.LSCP else {"p": 1}

    plan = ANSWERS[model](cost, [5, 0], **asked)

    assert (plan.sites, plan.assignment, plan.unreachable) == ((0,), (0, -1), ())
    assert ANSWERS[model](cost, [0, 0], **asked).proven


@pytest.mark.slow
@pytest.mark.parametrize("model", plans.MODELS)
def test_a_million_candidates_are_answered(model):
    chance = np.random.default_rng(1)
    count = 1_000_000
    table = sparse.csc_array(
        (np.ones(count), chance.integers(0, 5, count), np.arange(count + 1)), shape=(5, count)
    )
    asked = {"backup": 1} if model == plans.LSCP else {"p": 5}

    plan = ANSWERS[model](table, **asked, time_limit_s=5)

    assert sorted(plan.assignment) == sorted(plan.sites)
    assert (len(plan.sites), plan.proven) == (5, True)


def test_what_is_too_large_for_a_proof_is_answered_and_says_so(monkeypatch):
    monkeypatch.setattr(solver, "MOST_PAIRS", 10)
    cost, weights = country(120, 60)

    weights = np.minimum(weights, 100)

    plan = siting.p_median(cost, weights, p=9, capacity=np.full(60, weights.sum() / 6))

    assert plan.ended == plans.TOO_LARGE
    assert not plan.proven
    assert plan.ended in plans.ENDINGS


@pytest.mark.slow
def test_a_time_limit_is_kept_and_the_best_plan_comes_with_its_gap():
    cost, weights = country(3_000, 1_200)

    plan = siting.lscp(cost, weights, within=12_000, time_limit_s=2)

    assert plan.seconds < 8
    assert plan.bound <= plan.objective
    assert plan.ended == plans.TIME_LIMIT or plan.proven


# --- What cannot be


def test_places_out_of_reach_are_named_with_the_radius_that_would_reach_them():
    cost = np.array([[1.0, 2.0], [5.0, 7.0], [9.0, 8.0], [INF, INF]])

    plan = siting.lscp(cost, within=4)

    assert plan.unreachable == (1, 2, 3)
    assert plan.advice == plans.Advice(within=8.0, never=(3,))
    assert siting.lscp(cost, within=plan.advice.within).unreachable == (3,)


def test_a_backup_that_cannot_be_is_named():
    cost = np.array([[1, 1, 1], [1, INF, 1], [INF, 1, INF]])

    plan = siting.lscp(cost, backup=3)

    assert (plan.objective, plan.short, plan.unreachable) == (3, (1, 2), ())


@pytest.mark.parametrize("answer", [siting.p_median, siting.p_center])
def test_too_few_sites_are_refused_with_the_number_and_the_radius_that_would_do(answer):
    # Three towns in a row; a site in the middle reaches all of them at 10, one in each at 1.
    cost = np.array([[1.0, 10, 20], [11, 1, 11], [20, 10, 1]])

    with pytest.raises(plans.TooFewSitesWithin) as refusal:
        answer(cost, p=1, within=5)

    told = refusal.value.values
    assert (told["needed"], told["enough"]) == (3, 10.0)
    assert answer(cost, p=told["needed"], within=5).proven
    assert answer(cost, p=1, within=told["enough"]).proven


@given(seed=st.integers(0, 10**6))
@few
def test_what_is_said_to_be_enough_is_enough(seed):
    world = twin.world(np.random.default_rng(seed))
    asked = {name: world[name] for name in ("p", "within", "fixed")}
    try:
        siting.p_median(world["cost"], world["weights"], **asked)
    except LayersError as refusal:
        told = refusal.values
        siting.p_median(world["cost"], world["weights"], **{**asked, "p": told["needed"]})
        if "enough" in told:
            siting.p_center(world["cost"], world["weights"], **{**asked, "within": told["enough"]})


def test_too_little_room_is_refused_with_the_number_of_sites_that_would_do():
    with pytest.raises(plans.TooLittleCapacity) as refusal:
        siting.p_median(np.ones((4, 4)), [3, 3, 3, 3], p=1, capacity=[6, 3, 3, 3])

    assert refusal.value.values["needed"] == 3


def test_a_wider_radius_is_enough_also_for_the_places_that_it_brings_in():
    # Within 5 only two places can be reached; within 6 a third one is, and needs a site of its own.
    cost = np.array([[1.0, 6, INF, INF], [6, 1, INF, INF], [INF, INF, 6, 9], [9, 9, 9, 9]])

    with pytest.raises(plans.TooFewSitesWithin) as refusal:
        siting.p_median(cost, p=1, within=5, fixed=[3])

    enough = refusal.value.values["enough"]
    assert siting.p_median(cost, p=1, within=enough, fixed=[3]).unreachable == ()
