"""Partners around a place: nearest first, within reach, and the same as looking at every one."""

from datetime import date
from math import atan2, degrees, hypot

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from layers import model, nearby
from layers.geo import Place
from tests import make

DAY = date(2020, 6, 15)
HOME = Place(lon=25, lat=58.5)
# A coarse grid, so that several stand at one spot, at the place itself, or equally far.
spots = st.tuples(
    st.integers(2300, 2700).map(lambda lon: lon / 100), st.integers(5750, 5950).map(lambda lat: lat / 100)
)
close = st.sampled_from([(25.0, 58.5), (25.1, 58.5), (24.9, 58.5), (25.0, 58.6), (25.0, 58.45)])
worlds = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.none() | spots | close,
            "layer": st.sampled_from(["police", "police", "villages"]),
            "valid_from": st.sampled_from(["", "2020-06-15", "2020-07"]),
            "valid_to": st.sampled_from(["", "", "2020-06-15", "2021"]),
        }
    ),
    max_size=10,
)


def shows(facts):
    return facts["valid_from"] != "2020-07" and facts["valid_to"] != "2020-06-15"


def by_hand(there, place, *, layer, most, within_m):
    """Distance to every single one, worked out without index, box or growing reach."""
    here = make.metric(place.point())
    found = []
    for key, facts in there.items():
        if facts["at"] and facts["layer"] == layer and shows(facts):
            point = make.metric(shapely.Point(facts["at"]))
            east, north = point.x - here.x, point.y - here.y
            distance = hypot(east, north)
            if distance <= within_m:
                bearing = round(degrees(atan2(east, north)) % 360, 1) if distance else None
                found.append((round(distance, 1), key, bearing))
    return sorted(found, key=lambda partner: partner[:2])[:most]


@given(
    world=worlds,
    at=spots,
    most=st.integers(0, 5),
    within_m=st.sampled_from([0, 1, 5_000, 8_000, 12_530.6, 60_000, 500_000]),
)
@settings(
    # Each example is undone, so that the fixture's session is as new.
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_partners_are_those_that_a_look_at_every_one_finds(session, world, at, most, within_m):
    place = Place(lon=at[0], lat=at[1])
    with make.undone(session):
        there = {f"body-{99 - number}": facts for number, facts in enumerate(world)}
        for key, facts in there.items():
            make.a_body(session, key=key, **facts)

        found = nearby.partners(session, place=place, layer="police", as_of=DAY, most=most, within_m=within_m)

        assert [(p.distance_m, p.body.key, p.bearing) for p in found] == by_hand(
            there, place, layer="police", most=most, within_m=within_m
        )


def test_partners_come_nearest_first_and_only_within_reach(session):
    make.a_body(session, key="far", at=(25.5, 58.5))
    make.a_body(session, key="near", at=(25.1, 58.5))
    make.a_body(session, key="middle", at=(25.0, 58.6))

    found = nearby.partners(session, place=HOME, layer="villages", as_of=DAY, within_m=20_000)

    assert [(p.body.key, p.distance_m, p.bearing) for p in found] == [
        ("near", 5830.3, 89.1),
        ("middle", 11_138.0, 359.1),
    ]


def test_partners_equally_far_stand_by_key(session):
    for key in ("c", "a", "b"):
        make.a_body(session, key=key, at=(25.1, 58.5))

    found = nearby.partners(session, place=HOME, layer="villages", as_of=DAY, most=2)

    assert [p.body.key for p in found] == ["a", "b"]


def test_a_partner_at_the_place_itself_has_no_bearing(session):
    make.a_body(session, at=(25, 58.5))

    (found,) = nearby.partners(session, place=HOME, layer="villages", as_of=DAY)

    assert (found.distance_m, found.bearing) == (0.0, None)


def test_a_nearer_one_outside_the_first_reach_is_not_lost_behind_its_corner(session):
    # 7.6 km east and north: inside the first box, outside the first circle (10.7 km away).
    make.a_body(session, key="corner", at=(25.13, 58.568))
    make.a_body(session, key="beyond", at=(25.0, 58.5 + 9 / 111.4))

    found = nearby.partners(session, place=HOME, layer="villages", as_of=DAY, most=1)

    assert [p.body.key for p in found] == ["beyond"]


def test_no_partner_within_reach_is_an_empty_list(session):
    make.a_body(session, at=(25.5, 58.5))
    make.a_body(session, at=None)

    assert nearby.partners(session, place=HOME, layer="villages", as_of=DAY, within_m=20_000) == []
    assert len(nearby.partners(session, place=HOME, layer="villages", as_of=DAY)) == 1


def test_a_retired_partner_is_invisible(session):
    make.a_body(session, at=(25.1, 58.5))
    assert len(nearby.partners(session, place=HOME, layer="villages", as_of=DAY)) == 1

    session.execute(update(model.Body).values(retired_in=make.an_edition(session)))

    assert nearby.partners(session, place=HOME, layer="villages", as_of=DAY) == []


@pytest.mark.parametrize("lon", [25.1, 25.5])
def test_three_partners_cost_as_many_statements_as_one(session, lon):
    def ask(most):
        with make.counted(session) as said:
            found = nearby.partners(session, place=HOME, layer="villages", as_of=DAY, most=most)
        return len(found), len(said)

    make.a_body(session, at=(lon, 58.5))
    one, for_one = ask(1)
    for _ in range(2):
        make.a_body(session, at=(lon, 58.5))
    three, for_three = ask(3)

    assert (one, three) == (1, 3)
    assert for_three == for_one
