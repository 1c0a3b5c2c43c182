"""Who is near is looked for among the few around a place: it is who a look at everybody finds."""

from datetime import date
from random import Random

import numpy as np
import pytest

from layers import answers, snapshot
from layers.catalog import Role
from layers.geo import Place
from tests import make
from tests.layers import worlds

DAY = date(2026, 11, 22)
ROLE = Role("village", {}, layer="villages")


@pytest.fixture
def crowd(session):
    """Two hundred organisations, many of them on one spot, eight far off and some that nobody can place."""
    chance = Random(8)  # noqa: S311
    for number in range(200):
        at = (chance.uniform(24, 25.5), chance.uniform(58, 59)) if number % 5 else (24.7, 58.6)
        make.a_body(session, key=f"b{(number * 37) % 200:03}", at=at if number % 25 else (27.5, 57.2))
    for number in range(5):
        make.a_body(session, key=f"n{number}", at=None)
    return snapshot.take(session, worlds.KINDS)


def nearest(known, place, most):
    """Key and metres of the nearest, by the distance to every single one."""
    here = make.metric(place.point())
    far_m = np.hypot(known.body_points[:, 0] - here.x, known.body_points[:, 1] - here.y).round(1)
    found = [(m, body.key) for m, body in zip(far_m.tolist(), known.bodies, strict=True)]
    return sorted(one for one in found if one[0] <= answers.REACH_M)[:most]


def test_the_nearest_are_those_whom_a_look_at_everybody_finds(crowd):
    chance, instance = Random(9), worlds.an_instance((ROLE,))  # noqa: S311
    seen = set()
    for _ in range(600):
        place = Place(lon=chance.uniform(22.5, 27.5), lat=chance.uniform(57, 59.5))
        (role,) = answers.answer(crowd, instance, place=place, as_of=DAY).roles
        found = [(match.way.distance_m, match.body.key) for match in role.matches]
        assert found == nearest(crowd, place, 3), place
        seen.add(len(found))

    assert 0 in seen
    assert 3 in seen
    assert len(crowd.squares) < 2 * 600  # Of organisations and of cases: one square served several places.


@pytest.mark.parametrize("most", [1, 3, 150, 1000])
def test_around_a_place_are_all_that_are_as_near_as_the_last(crowd, most):
    roster, chance = crowd.roster("villages", (), DAY), Random(10)  # noqa: S311
    for _ in range(200):
        place = Place(lon=chance.uniform(23, 26), lat=chance.uniform(57.5, 59.5))
        here = make.metric(place.point())
        around = {spot.key for spot in crowd.around(roster, crowd.body_spots, here.x, here.y, most=most)}
        assert {key for _, key in nearest(crowd, place, most)} <= around


def test_what_is_kept_of_squares_has_an_end_and_the_nearest_stay(crowd, monkeypatch):
    monkeypatch.setattr(snapshot, "_MOST_SQUARES", 3)
    chance, instance = Random(11), worlds.an_instance((ROLE,))  # noqa: S311
    for _ in range(50):
        place = Place(lon=chance.uniform(23, 26), lat=chance.uniform(57.5, 59.5))
        (role,) = answers.answer(crowd, instance, place=place, as_of=DAY).roles
        found = [(match.way.distance_m, match.body.key) for match in role.matches]
        assert found == nearest(crowd, place, 3)
        assert 0 < len(crowd.squares) <= 3
