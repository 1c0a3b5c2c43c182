"""The check of a plan finds every fault that is put into one, and none in a good one."""

from dataclasses import replace

import numpy as np
import pytest

from layers.gaps import siting
from layers.gaps.siting import plans, verify
from layers.gaps.siting.plans import PlanRefused
from tests.layers.gaps import siting_twin as twin

# Seven places in a row, 10 apart, and a site beside each of the first six.
COST = np.abs(np.arange(7)[:, None] * 10.0 - (np.arange(6)[None] * 10 + 1))
WEIGHTS = [4, 1, 3, 2, 5, 1, 2]
ASKED = {
    plans.MCLP: {"p": 2, "within": 11, "fixed": (0,)},
    plans.LSCP: {"within": 11},
    plans.P_MEDIAN: {"p": 2, "within": 45},
    plans.P_CENTER: {"p": 2},
}
ROOM = {"capacity": [9, 9, 9, 9, 9, 9]}


def plan_of(model, **more):
    return getattr(siting, model)(COST, WEIGHTS, **ASKED[model], **more)


def moved(plan, row, site):
    return replace(plan, assignment=(*plan.assignment[:row], site, *plan.assignment[row + 1 :]))


def other_open(plan, row):
    return next(site for site in (*plan.fixed, *plan.sites) if site != plan.assignment[row])


FAULTS = {
    "assigned to a dearer open site": (
        lambda plan: moved(plan, 0, other_open(plan, 0)),
        "cheaper open site|out of reach",
    ),
    "assigned to a closed site": (
        lambda plan: moved(plan, 0, next(j for j in range(6) if j not in (*plan.fixed, *plan.sites))),
        "not open",
    ),
    "assigned to nobody": (
        lambda plan: moved(plan, plan.assignment.index(plan.sites[0]), -1),
        "but an open one reaches it",
    ),
    "assigned to what does not exist": (lambda plan: moved(plan, 2, 99), "not open"),
    "an assignment too few": (
        lambda plan: replace(plan, assignment=plan.assignment[:-1]),
        "one entry for each",
    ),
    "a wrong objective": (lambda plan: replace(plan, objective=plan.objective + 1), "objective|beyond|adds"),
    "an objective that is no number": (lambda plan: replace(plan, objective=np.nan), "objective"),
    "a site twice": (
        lambda plan: replace(plan, sites=(plan.sites[0], *plan.sites[:-1])),
        "opened twice",
    ),
    "a site that does not exist": (lambda plan: replace(plan, sites=(*plan.sites[:-1], 6)), "does not exist"),
    "an open site closed": (
        lambda plan: replace(plan, fixed=plan.fixed[1:] or (5,)),
        "open already are not those",
    ),
    "a wrong gain": (
        lambda plan: replace(plan, gains=(plan.gains[0] + 1, *plan.gains[1:])),
        "adds",
    ),
    "a gain too few": (lambda plan: replace(plan, gains=plan.gains[1:]), "one gain for each"),
    "a bound on the wrong side": (
        lambda plan: replace(plan, bound=plan.objective + (-1 if plan.model == plans.MCLP else 1)),
        "wrong side",
    ),
    "a bound that is no number": (lambda plan: replace(plan, bound=np.nan), "wrong side"),
    "somebody called unreachable": (lambda plan: replace(plan, unreachable=(3,)), "no site reaches is wrong"),
    "somebody called short of backup": (lambda plan: replace(plan, short=(3,)), "backup is wrong"),
    "an advice that is not needed": (
        lambda plan: replace(plan, advice=plans.Advice(99.0, ())),
        "radius that",
    ),
    "an unknown model": (lambda plan: replace(plan, model="best"), "no model"),
}


@pytest.mark.parametrize("model", plans.MODELS)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_caught(model, fault):
    plan = plan_of(model)
    verify.check(COST, WEIGHTS, plan, **ASKED[model])
    spoil, sentence = FAULTS[fault]

    with pytest.raises(PlanRefused, match=sentence):
        verify.check(COST, WEIGHTS, spoil(plan), **ASKED[model])


@pytest.mark.parametrize("model", [plans.MCLP, plans.P_MEDIAN, plans.P_CENTER])
def test_a_site_too_many_and_one_too_few_are_caught(model):
    plan = plan_of(model)

    for sites in (plan.sites[1:], (*plan.sites, next(j for j in range(1, 6) if j not in plan.sites))):
        with pytest.raises(PlanRefused, match="sites were asked for"):
            verify.check(COST, WEIGHTS, replace(plan, sites=sites), **ASKED[model])


@pytest.mark.parametrize("model", [plans.MCLP, plans.LSCP])
def test_a_radius_that_was_ignored_is_caught(model):
    plan = plan_of(model)
    asked = {**ASKED[model], "within": 8}

    with pytest.raises(PlanRefused, match="out of reach"):
        verify.check(COST, WEIGHTS, plan, **asked)


def test_a_cover_with_a_site_left_out_is_caught():
    plan = plan_of(plans.LSCP)
    less = replace(plan, sites=plan.sites[:-1], gains=plan.gains[:-1], objective=plan.objective - 1)
    alone = tuple(-1 if site == plan.sites[-1] else site for site in less.assignment)

    with pytest.raises(PlanRefused, match=r"is not open|could be reached|open one reaches"):
        verify.check(COST, WEIGHTS, replace(less, assignment=alone), **ASKED[plans.LSCP])


def test_a_backup_that_is_not_there_is_caught():
    with pytest.raises(PlanRefused, match="not often enough"):
        verify.check(COST, WEIGHTS, plan_of(plans.LSCP), **ASKED[plans.LSCP], backup=2)


@pytest.mark.parametrize("model", [plans.MCLP, plans.P_MEDIAN])
def test_a_site_that_is_given_too_much_is_caught(model):
    plan = plan_of(model, **ROOM)
    verify.check(COST, WEIGHTS, plan, **ASKED[model], **ROOM)
    full = [WEIGHTS[row] for row, site in enumerate(plan.assignment) if site == plan.sites[0]]
    smaller = list(ROOM["capacity"])
    smaller[plan.sites[0]] = sum(full) - 1

    with pytest.raises(PlanRefused, match="more than its"):
        verify.check(COST, WEIGHTS, plan, **ASKED[model], capacity=smaller)


@pytest.mark.parametrize("model", plans.MODELS)
def test_a_worse_plan_that_says_it_is_proven_is_caught(model):
    """What a solver that stops too early and calls it optimal would hand over."""
    caught = 0
    for seed in range(20):
        chance = np.random.default_rng(seed)
        cost, weights = chance.integers(0, 9, (8, 6)).astype(float), chance.integers(1, 6, 8)
        asked = {"within": 7 if model == plans.LSCP else 4 if model == plans.MCLP else None}
        asked |= {} if model == plans.LSCP else {"p": 1}
        best = getattr(siting, model)(cost, weights, **asked)
        for site in range(6):
            opened = (*best.sites, site) if model == plans.LSCP else (site,)
            lie = by_hand(best, cost, weights, opened, asked["within"])
            if lie is None or lie.objective == best.objective:
                continue
            assert lie.proven
            with pytest.raises(PlanRefused, match="beyond the bound"):
                verify.check(cost, weights, lie, **asked)
            caught += 1
    assert caught > 40


def by_hand(best, cost, weights, opened, within):
    """The plan with these sites, right in all but its bound; None where a site would be open twice."""
    if len(set(opened)) < len(opened):
        return None
    ways = twin.reached(cost, within)
    nearest = [min(opened, key=lambda site, row=row: (ways[row, site], site)) for row in range(len(ways))]
    assigned = [site if np.isfinite(ways[row, site]) else -1 for row, site in enumerate(nearest)]
    objective = float(twin.value(best.model, ways, weights, opened, len(opened), 1, None))
    lie = replace(best, sites=opened, assignment=tuple(assigned), objective=objective, bound=objective)
    return replace(lie, gains=gains(lie, ways, weights))


def gains(plan, ways, weights):
    """What the open sites reach before and after each new one."""
    radius = plan.objective if plan.model == plans.P_CENTER else np.inf
    worst = np.where(np.isfinite(ways), ways, 0).max(axis=1)
    reached = []
    for count in range(len(plan.sites) + 1):
        least = ways[:, list(plan.sites[:count])].min(axis=1, initial=np.inf)
        if plan.model == plans.P_MEDIAN:
            reached.append(-sum(weights * np.minimum(least, worst)))
        else:
            reached.append(sum(weights[np.isfinite(least) & (least <= radius)]))
    return tuple(np.diff(reached).astype(float).tolist())


def test_a_plan_comes_back_from_its_file_as_it_was():
    for model in plans.MODELS:
        plan = plan_of(model)
        assert plans.from_dict(plans.as_dict(plan)) == plan
    island = siting.lscp([[1.0, 9.0], [np.inf, np.inf]], within=2)
    assert plans.from_dict(plans.as_dict(island)) == island
