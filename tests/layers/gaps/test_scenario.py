"""What if: a scenario is a text, changes copies only, and tells the change by zone as a slow count does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers import geo
from layers.errors import OutOfRange
from layers.gaps import scenario
from layers.gaps.assumptions import Assumptions, Class, Span
from layers.gaps.demand import Demand
from layers.gaps.scenario import NoScenario, NoSuchUnit, Scenario, Step, TooManySteps
from layers.gaps.supply import Units
from layers.gaps.travel import StraightLine
from layers.geo import Place
from tests import make

places = st.builds(
    Place,
    lon=st.integers(21_000, 28_000).map(lambda n: n / 1000),
    lat=st.integers(57_000, 60_000).map(lambda n: n / 1000),
)
HERE = Place(lon=25.0, lat=58.5)


def units(*keys):
    count = len(keys)
    points = 500_000.0 + 10_000.0 * np.arange(2 * count).reshape(count, 2)
    return Units(keys, keys, ("",) * count, (frozenset(),) * count, points, np.full(count, 5.0))


def people(rng, rows):
    return Demand(
        "places",
        tuple(map(str, range(rows))),
        ("",) * rows,
        rng.uniform(0, 60_000, (rows, 2)),
        rng.integers(0, 100, rows).astype(float),
        rng.uniform(0, 500, rows),
        {"county": tuple(rng.choice(["", "a", "b", "c"], rows))},
        np.zeros(rows, dtype=bool),
    )


@given(st.lists(st.one_of(places, st.tuples(places, st.integers(0, 60))), max_size=6))
def test_a_scenario_is_its_text(found):
    steps = [
        Step("add", f"new-{number}", one[0], float(one[1]))
        if isinstance(one, tuple)
        else Step("add", f"new-{number}", one)
        for number, one in enumerate(found, start=1)
    ]
    made = Scenario((*steps, Step("move", "a", HERE), Step("close", "b-2")))

    assert scenario.parse(str(made)) == made


@pytest.mark.parametrize(
    "text", ["open:a", "add:58.5", "add:58.5,25.0,-5", "close:", "move:a", "close:A b", "x" * 500]
)
def test_a_step_that_is_none_is_told(text):
    with pytest.raises(NoScenario, match="is no step of a scenario"):
        scenario.parse(f"close:a;{text}")


def test_too_many_steps_and_impossible_places_are_told():
    with pytest.raises(TooManySteps, match="at most 50 steps; this one has 51"):
        scenario.parse(";".join(["close:a"] * 51))
    with pytest.raises(OutOfRange):
        scenario.parse("add:95.0,25.0")


def test_units_are_added_moved_and_closed_in_a_copy():
    before = units("a", "b", "c")
    kept = before.points.copy()

    after = scenario.applied(
        before, scenario.parse("close:a;move:c@58.5,25.0;add:58.5,25.0,2"), srid=make.SRID
    )

    here = geo.metric_point(HERE, srid=make.SRID)
    assert after.keys == ("b", "c", "new-1")
    np.testing.assert_allclose(after.points, [kept[1], [here.x, here.y], [here.x, here.y]])
    assert after.turnout_min.tolist() == [5.0, 5.0, 2.0]
    assert (before.keys, before.points.tolist()) == (("a", "b", "c"), kept.tolist())


def test_a_new_unit_can_be_moved_and_closed_where_more_is_known_of_the_others():
    """Readiness and precision are told for every unit or for none."""
    before = replace(units("a", "b"), readiness=("always", ""), precision=("street", "settlement"))

    after = scenario.applied(
        before, scenario.parse("add:58.5,25.0;add:58.6,25.0;close:new-1;close:a"), srid=make.SRID
    )

    assert after.keys == ("b", "new-2")
    assert (after.readiness, after.precision) == (("", ""), ("settlement", ""))


@given(st.lists(st.tuples(st.sampled_from(["add", "move", "close"]), places, st.integers(0, 9)), max_size=9))
def test_without_a_step_the_rest_happens_to_the_same_units(drawn):
    """Every scenario that can happen still can without any one step, and its text tells the same."""
    steps, there = [], ["a", "b", "c"]
    for what, at, pick in drawn:
        if what == "add":
            there.append(f"new-{1 + sum(step.what == 'add' for step in steps)}")
            steps.append(Step("add", there[-1], at))
        elif there:
            key = there[pick % len(there)]
            steps.append(Step(what, key, at if what == "move" else None))
            there = [one for one in there if what == "move" or one != key]
    plan = Scenario(tuple(steps))

    for position, gone in enumerate(steps):
        left = scenario.without(plan, position)
        related = {key for key in [gone.key] if gone.what == "add"}
        kept = [
            (step.what, step.at)
            for at, step in enumerate(steps)
            if at != position and step.key not in related
        ]
        assert [(step.what, step.at) for step in left.steps] == kept
        assert scenario.parse(str(left)) == left
        whole, less = (scenario.applied(units("a", "b", "c"), one, srid=make.SRID) for one in (plan, left))
        if gone.what != "close":
            assert len(less) == len(whole) - (gone.what == "add" and gone.key in whole.keys)


@pytest.mark.parametrize(
    "text", ["close:x", "move:x@58.5,25.0", "close:a;close:a", "close:new-2;add:58.5,25.0"]
)
def test_a_unit_that_is_not_there_is_told(text):
    with pytest.raises(NoSuchUnit, match="is not among those of this role"):
        scenario.applied(units("a"), scenario.parse(text), srid=make.SRID)


@pytest.mark.parametrize("seed", range(40))
def test_the_change_by_zone_is_that_of_a_slow_count(seed):
    rng = np.random.default_rng(seed)
    demand, span = people(rng, 80), Span(1, 1, 1)
    travel = StraightLine(Assumptions((Class("all", {}, 0, span, Span(60, 60, 60)),)))
    first = Units(
        *((("u",) * 4),) * 3, (frozenset(),) * 4, rng.uniform(0, 60_000, (4, 2)), rng.uniform(0, 9, 4)
    )
    second = first.only(np.array([True, False, True, True]))
    limit = float(rng.uniform(5, 30))
    before, after = (
        scenario.covered(travel.reach(some, demand, within_min=limit), within_min=limit)
        for some in (first, second)
    )

    found = scenario.changes(demand, before, after, kind="county")

    def reached(some, row):
        ways = [
            t + np.hypot(*(demand.points[row] - p)) / 1000
            for p, t in zip(some.points, some.turnout_min, strict=True)
        ]
        return min(ways) <= limit

    for one in found:
        rows = [i for i in range(80) if one.zone in ("", demand.zones["county"][i])]
        was = {i for i in rows if reached(first, i)}
        now = {i for i in rows if reached(second, i)}
        expected = [sum(demand.people[i] for i in some) for some in (rows, was, now, now - was, was - now)]
        assert [one.total, one.before, one.after, one.gained, one.lost] == expected
    assert [one.zone for one in found if not one.zone] == [found[0].zone]
    size = {one.zone: abs(one.net) for one in found}
    assert [one.zone for one in found[1:]] == sorted("abc", key=lambda zone: (-size[zone], zone))
