"""How sure a figure is, against a slow twin that draws one world after the other in plain Python."""

import math
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from layers.gaps import assumptions, sure, travel
from layers.gaps.assumptions import Assumptions, Span
from tests.conftest import ROOT
from tests.layers.gaps import ways

SURE_TO_COME = {"availability_otherwise": Span(1, 1, 1)}


# --- The twin


def drawn(chance, span):
    """A value of a triangle; the standard library's own way to draw it."""
    return span.low if span.low == span.high else chance.triangular(span.low, span.high, span.usual)


def of_rank(span, rank):
    """The value of a triangle at a rank, by halving its distribution: slow, but another way."""

    def below(value):
        if value <= span.low:
            return 0.0
        if value >= span.high:
            return 1.0
        if value <= span.usual:
            return (value - span.low) ** 2 / ((span.high - span.low) * (span.usual - span.low))
        return 1 - (span.high - value) ** 2 / ((span.high - span.low) * (span.high - span.usual))

    low, high = span.low, span.high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < rank else (low, middle)
    return (low + high) / 2


def moved(chance, point, span):
    metres, angle = drawn(chance, span), chance.uniform(0, 2 * math.pi)
    return point[0] + metres * math.cos(angle), point[1] + metres * math.sin(angle)


def twin_world(chance, assumed, units, demand, within_min, depth):
    """Which rows are covered in one world: everything drawn, every pair looked at."""
    fast, winding, able = chance.random(), chance.random(), chance.random()
    pace = [60 * of_rank(one.detour, winding) / of_rank(one.speed_kmh, fast) for one in assumed.classes]
    limit = within_min + drawn(chance, assumed.margin_min)
    crews = []
    for at, form in enumerate(units.forms):
        readiness = units.readiness[at] if units.readiness else ""
        precision = units.precision[at] if units.precision else ""
        turnout = drawn(chance, assumed.turnout(form, readiness))
        home = moved(chance, units.points[at], assumed.position_m.get(precision, Span(0, 0, 0)))
        if chance.random() < of_rank(assumed.availability(form, readiness), able):
            crews.append((turnout, home))
    held = []
    for row, place in enumerate(demand.points):
        there = moved(chance, place, assumed.position_m.get(demand.basis, Span(0, 0, 0)))
        density = demand.density_km2[row]
        at = max((at for at, one in enumerate(assumed.classes) if density >= one.density_from), default=0)
        in_time = sum(turnout + math.dist(home, there) / 1000 * pace[at] <= limit for turnout, home in crews)
        held.append(in_time >= depth)
    return held


def a_world(chance, *, point=False, **changes):
    assumed = ways.assumed(chance, point=point, **changes)
    kinds = [
        (chance.choice(["state", "volunteer", "other"]), chance.choice(["", "home_duty"])) for _ in range(9)
    ]
    units = ways.crews(
        [(chance.uniform(0, 25_000), chance.uniform(0, 25_000)) for _ in kinds],
        [assumed.turnout(*kind).usual for kind in kinds],
        [form for form, _ in kinds],
        [readiness for _, readiness in kinds],
        [chance.choice(["settlement", "municipality", ""]) for _ in kinds],
    )
    demand = ways.people(
        [(chance.uniform(0, 25_000), chance.uniform(0, 25_000)) for _ in range(60)],
        [chance.randint(0, 400) for _ in range(60)],
        [chance.choice([0, 20, 400, 3000]) for _ in range(60)],
        [chance.choice(["01", "02"]) for _ in range(60)],
    )
    return assumed, units, demand


def uncertain(chance):
    return {
        "availability_by_form": {
            "state": ways.a_span(chance, 0.8, 1),
            "volunteer": ways.a_span(chance, 0.3, 1),
        },
        "availability_otherwise": ways.a_span(chance, 0, 1),
        "position_m": {
            "settlement": ways.a_span(chance, 0, 2000),
            "municipality": ways.a_span(chance, 0, 6000),
            "places": ways.a_span(chance, 0, 1500),
        },
        "margin_min": Span(-1.5, 0.2, 2),
    }


# --- Certain


@pytest.mark.parametrize("seed", range(10))
def test_without_any_doubt_the_share_is_the_plain_answer(seed):
    chance = ways.chance_of(seed)
    assumed, units, demand = a_world(chance, point=True)
    engine, within_min, depth = travel.StraightLine(assumed), chance.uniform(3, 25), chance.randint(1, 3)

    found = sure.robustness(engine, units, demand, assumed, within_min=within_min, depth=depth, draws=20)
    reach = engine.reach(units, demand, within_min=within_min)

    assert found.share.tolist() == (reach.count(within_min) >= depth).astype(float).tolist()
    assert found.share.tolist() == twin_world(chance, assumed, units, demand, within_min, depth)
    people = demand.people[found.share == 1].sum()
    assert found.covered() == sure.Interval(people, people, people)


def test_some_rows_are_covered_and_some_are_not():
    """The test above would say nothing of a world in which all are."""
    assumed, units, demand = a_world(ways.chance_of(1), point=True)
    shares = [
        sure.robustness(travel.StraightLine(assumed), units, demand, assumed, within_min=t).share.mean()
        for t in (3, 10, 25)
    ]
    assert 0 < shares[1] < 1
    assert shares[0] < shares[1] < shares[2]


# --- Uncertain


def test_the_share_of_a_row_is_how_often_it_is_covered_in_simulation():
    """4 worlds × 60 rows, each in 500 simulated and 1,000 drawn worlds.

    Tolerances: two frequencies of p = ½ differ by 0.027 (one sigma), so none may by 0.13 (nearly five), and
    on average by no more than 0.02.
    """
    differences = []
    for seed in range(4):
        chance = ways.chance_of(seed)
        assumed, units, demand = a_world(chance, **uncertain(chance))
        found = sure.robustness(
            travel.StraightLine(assumed),
            units,
            demand,
            assumed,
            within_min=14,
            depth=1 + seed % 2,
            draws=1000,
        )
        truth = [twin_world(chance, assumed, units, demand, 14, 1 + seed % 2) for _ in range(500)]
        differences.append(found.share - np.mean(truth, axis=0))
        assert ((found.share > 0.05) & (found.share < 0.95)).sum() >= 20
    assert np.abs(differences).max() < 0.13
    assert np.abs(differences).mean() < 0.02
    assert abs(np.mean(differences)) < 0.01


def test_stated_intervals_hold_in_simulation():
    """Of 1,200 truths (20 worlds of 60) nine in ten lie in the 90 % interval that was stated before.

    Tolerance 0.03: the frequency itself is uncertain by 0.009, the quantiles of 400 draws add 0.015 a world.
    """
    inside = {"": [], "01": [], "02": []}
    widths = []
    for seed in range(20):
        chance = ways.chance_of(100 + seed)
        assumed, units, demand = a_world(chance, **uncertain(chance))
        within_min = chance.uniform(8, 20)
        found = sure.robustness(
            travel.StraightLine(assumed), units, demand, assumed, within_min=within_min, draws=400
        )
        zones = demand.zones["county"]
        stated = {"": found.covered(), **found.by_zone(zones)}
        widths.append((stated[""].high - stated[""].low) / demand.people.sum())
        for _ in range(60):
            truth = twin_world(chance, assumed, units, demand, within_min, 1)
            for code, interval in stated.items():
                people = sum(
                    float(demand.people[row])
                    for row, held in enumerate(truth)
                    if held and code in ("", zones[row])
                )
                inside[code].append(interval.low <= people <= interval.high)
    for hits in inside.values():
        assert np.mean(hits) == pytest.approx(0.9, abs=0.03)
    assert (
        min(widths) > 0.1
    )  # An interval from nothing to everybody would hold, too, and a narrow one is easy.
    assert np.median(widths) < 0.8


@pytest.mark.parametrize("seed", range(4))
def test_more_minutes_never_cover_less(seed):
    chance = ways.chance_of(seed)
    assumed, units, demand = a_world(chance, **uncertain(chance))
    engine = travel.StraightLine(assumed)

    held = [
        sure.robustness(engine, units, demand, assumed, within_min=t).held for t in (0, 2, 5, 9, 10, 15, 40)
    ]

    assert all((less <= more).all() for less, more in pairwise(held))
    assert held[0].sum() < held[-1].sum()


def test_the_same_question_has_the_same_answer_and_another_seed_another():
    chance = ways.chance_of(4)
    assumed, units, demand = a_world(chance, **uncertain(chance))
    engine = travel.StraightLine(assumed)

    one, again, other = (
        sure.robustness(engine, units, demand, assumed, within_min=12, seed=seed).held for seed in (1, 1, 2)
    )

    assert (one == again).all()
    assert (one != other).any()


def test_deeper_cover_is_less_sure():
    chance = ways.chance_of(4)
    assumed, units, demand = a_world(chance, **uncertain(chance))
    engine = travel.StraightLine(assumed)

    found = [sure.robustness(engine, units, demand, assumed, within_min=15, depth=k).share for k in (1, 2, 3)]

    assert (found[0] >= found[1]).all()
    assert (found[1] >= found[2]).all()
    assert found[0].sum() > found[1].sum() > found[2].sum() > 0


def test_a_unit_that_may_not_come_makes_its_rows_as_sure_as_it_is():
    assumed = replace(ways.assumed(ways.chance_of(1), point=True), availability_otherwise=Span(0.6, 0.6, 0.6))
    demand, units = ways.people([(0, 0), (0, 0)]), ways.crews([(0, 0)], [assumed.turnout("state", "").usual])

    found = sure.robustness(travel.StraightLine(assumed), units, demand, assumed, within_min=30, draws=1000)

    assert found.share[0] == found.share[1]
    assert found.share[0] == pytest.approx(0.6, abs=0.05)  # One sigma is 0.015.
    assert found.covered() == sure.Interval(0, 20, 20)


def test_a_turnout_that_was_set_is_kept():
    assumed = ways.assumed(ways.chance_of(1), **SURE_TO_COME)
    demand = ways.people([(0, 0)])

    def share(turnout_min):
        units = ways.crews([(0, 0)], [turnout_min])
        return sure.robustness(
            travel.StraightLine(assumed), units, demand, assumed, within_min=1.5, draws=400
        ).share[0]

    usual = assumed.turnout("state", "")
    assert usual.low < 1.5 < usual.high
    assert 0 < share(usual.usual) < 1
    assert (share(1.4), share(1.6)) == (1, 0)


def test_a_matrix_and_a_network_err_in_speed_but_not_in_detour():
    """A matrix knows the way: only how fast it is driven, who comes and from where is in doubt."""
    slow = Span(30, 60, 60)
    one = replace(
        ways.assumed(ways.chance_of(1), point=True).classes[0], detour=Span(1, 1.5, 3), speed_kmh=slow
    )
    assumed = Assumptions(classes=(one,), turnout_otherwise=Span(0, 0, 0))
    demand, units = ways.people([(0, 0)]), ways.crews([(0, 8000)], [0.0])
    matrix = travel.Matrix(("unit-0",), ("place-0",), np.array([12.0]))

    def share(engine, within_min):
        return sure.robustness(engine, units, demand, assumed, within_min=within_min, draws=400).share[0]

    line = travel.StraightLine(assumed)
    assert (share(matrix, 11.9), share(matrix, 24.1)) == (0, 1)
    assert 0 < share(matrix, 15) < 1
    assert share(line, 11.9) > 0  # A straighter way than usual.
    assert share(line, 24.1) < 1  # And a longer one.


def test_what_is_wrong_about_one_class_of_country_is_wrong_about_all():
    """Two classes with the same spans, one unit in the middle: the same rows, world by world."""
    span = {"detour": Span(1, 1.3, 2), "speed_kmh": Span(20, 50, 80)}
    assumed = Assumptions(
        classes=(assumptions.Class("a", {}, 0, **span), assumptions.Class("b", {}, 100, **span)),
        turnout_otherwise=Span(0, 0, 0),
    )
    demand = ways.people([(6000, 0), (-6000, 0)], density=[5, 500])

    found = sure.robustness(
        travel.StraightLine(assumed), ways.crews([(0, 0)], [0.0]), demand, assumed, within_min=11
    )

    assert 0.1 < found.share[0] < 0.9
    assert (found.held[:, 0] == found.held[:, 1]).all()


def test_who_may_be_nearer_than_it_seems_is_asked_too():
    """On the map 3 km apart and only 2 km are in time; but both points may be 2 km off."""
    exact = ways.assumed(ways.chance_of(1), point=True)
    off = {"settlement": Span(0, 1000, 2000), "places": Span(0, 1000, 2000)}
    assumed = Assumptions(classes=exact.classes[:1], turnout_otherwise=Span(0, 0, 0), position_m=off)
    demand, units = ways.people([(3000, 0)]), ways.crews([(0, 0)], [0.0], precision=["settlement"])
    within_min = 2 * assumed.classes[0].min_per_km

    found = sure.robustness(
        travel.StraightLine(assumed), units, demand, assumed, within_min=within_min, draws=500
    )

    assert travel.StraightLine(assumed).reach(units, demand, within_min=within_min).kth_unit()[0] == -1
    chance = ways.chance_of(2)
    truth = [twin_world(chance, assumed, units, demand, within_min, 1)[0] for _ in range(3000)]
    assert found.share[0] == pytest.approx(np.mean(truth), abs=0.08)  # One sigma is 0.02.
    assert np.mean(truth) > 0.1


# --- Bad and empty


def test_nobody_to_ask_is_nobody_covered():
    assumed = ways.assumed(ways.chance_of(1))
    engine, nobody, nowhere = travel.StraightLine(assumed), ways.crews([]), ways.people([])
    demand = ways.people([(0, 0), (1, 1)], zones=["01", "02"])

    without = sure.robustness(engine, nobody, demand, assumed, within_min=10)
    empty = sure.robustness(engine, ways.crews([(0, 0)]), nowhere, assumed, within_min=10)

    assert without.share.tolist() == [0, 0]
    assert without.by_zone(demand.zones["county"]) == {code: sure.Interval(0, 0, 0) for code in ("01", "02")}
    assert empty.share.tolist() == []
    assert (empty.covered(), empty.by_zone([])) == (sure.Interval(0, 0, 0), {})


def test_people_that_are_not_known_count_as_none_and_lost_places_are_never_covered():
    assumed = ways.assumed(ways.chance_of(1), point=True)
    demand = ways.people([(0, 0), (0, 0), (math.nan, 0)], [math.nan, 0, 7])

    found = sure.robustness(
        travel.StraightLine(assumed), ways.crews([(0, 0)]), demand, assumed, within_min=30
    )

    assert found.share.tolist() == [1, 1, 0]
    assert found.covered() == sure.Interval(0, 0, 0)


def test_bad_numbers_are_answered_with_a_sentence():
    assumed, units, demand = a_world(ways.chance_of(1))
    engine = travel.StraightLine(assumed)

    with pytest.raises(travel.NotMinutes, match="zero or more; “-5” is not"):
        sure.robustness(engine, units, demand, assumed, within_min=-5)
    with pytest.raises(sure.TooFew, match="“depth” must be a whole number from 1 on"):
        sure.robustness(engine, units, demand, assumed, within_min=5, depth=0)
    with pytest.raises(sure.TooFew, match="“draws”"):
        sure.robustness(engine, units, demand, assumed, within_min=5, draws=0)


# --- Fast


@pytest.mark.slow
def test_estonia_is_asked_two_hundred_times_in_a_second():
    assumed = assumptions.read(ROOT / "data" / "ee")
    chance = np.random.default_rng(1)
    demand = ways.people(chance.uniform((0, 0), (330_000, 140_000), (4682, 2)))
    units = ways.crews(
        demand.points[:80], np.full(80, 5.0), ["volunteer"] * 80, precision=["settlement"] * 80
    )

    def once():
        # Time of this process alone: other work on the machine does not make the answer slower.
        begun = time.process_time()
        found = sure.robustness(travel.StraightLine(assumed), units, demand, assumed, within_min=15)
        assert found.held.shape == (200, 4682)
        return time.process_time() - begun

    assert min(once() for _ in range(3)) < 1
