"""Which kinds of partner are known in each area, on both stores, against a naive count."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layers import coverage, places
from tests import make

DAY = date(2020, 6, 15)
ROLES = ("police", "villages", "watch")
COUNTIES, MUNICIPALITIES = ("01", "02"), ("0101", "0102", "0201")
EVERY = settings(
    # Each example is undone, so that the fixture's session is as new.
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
AREAS = [f"county:{code}" for code in COUNTIES] + [f"municipality:{code}" for code in MUNICIPALITIES]
worlds = st.fixed_dictionaries(
    {
        "bodies": st.lists(
            st.fixed_dictionaries(
                {
                    "layer": st.sampled_from(ROLES),
                    "county": st.sampled_from(["", *COUNTIES]),
                    "municipality": st.sampled_from(["", *MUNICIPALITIES]),
                    "readiness": st.sampled_from(["", "always", "closed"]),
                    "serves": st.lists(st.sampled_from([*AREAS, "country:ee"]), unique=True, max_size=3),
                }
            ),
            max_size=8,
        ),
        "counts": st.lists(
            st.fixed_dictionaries(
                {
                    "layer": st.sampled_from(ROLES),
                    "area": st.sampled_from(AREAS),
                    "number": st.sampled_from([None, 0, 7]),
                    "as_of": st.sampled_from(["2018", "2019", "2021"]),
                }
            ),
            max_size=5,
            unique_by=lambda count: (count["layer"], count["area"], count["as_of"]),
        ),
    }
)


def settle(session, world):
    for code in COUNTIES:
        make.an_area(session, kind="county", code=code)
    for code in MUNICIPALITIES:
        make.an_area(session, kind="municipality", code=code, parent=f"county:{code[:2]}")
    for body in world["bodies"]:
        make.a_body(session, **body)
    for count in world["counts"]:
        make.a_count(session, **count)


def presence(session, kind):
    bodies = places.bodies(session, as_of=DAY)
    return coverage.presence(session, kind, ROLES, as_of=DAY, bodies=bodies)


def told(world, area, role):
    """Whether the newest number that was known on the day is more than none."""
    numbers = [
        (count["as_of"], count["number"])
        for count in world["counts"]
        if (count["area"], count["layer"]) == (area, role)
        and count["as_of"] < DAY.isoformat()
        and count["number"] is not None
    ]
    return bool(numbers) and max(numbers)[1] > 0


@EVERY
@given(world=worlds, kind=st.sampled_from(["county", "municipality"]))
def test_presence_is_what_a_person_would_count_area_by_area(session, world, kind):
    with make.undone(session):
        settle(session, world)

        found = {one.area.key: one for one in presence(session, kind)}

        assert sorted(found) == sorted(area for area in AREAS if area.startswith(f"{kind}:"))
        for key, one in found.items():
            here = [
                body["layer"]
                for body in world["bodies"]
                if body["readiness"] != "closed" and (key in body["serves"] or f"{kind}:{body[kind]}" == key)
            ]
            counted = {role for role in ROLES if told(world, key, role)}
            assert one.named == {role: here.count(role) for role in ROLES}
            assert one.counted == counted
            assert one.missing == tuple(role for role in ROLES if role not in {*here, *counted})
            assert one.roles == len({*here, *counted})


@EVERY
@given(world=worlds)
def test_the_thinnest_come_first_and_ties_by_code(session, world):
    with make.undone(session):
        settle(session, world)

        found = [(one.roles, one.area.code) for one in presence(session, "municipality")]

        assert found == sorted(found)


def one(session, kind, code):
    return next(found for found in presence(session, kind) if found.area.code == code)


def test_a_closed_unit_is_not_there(session):
    settle(session, {"bodies": [], "counts": []})
    make.a_body(session, layer="police", county="01", readiness="closed", serves=["county:01"])
    before = one(session, "county", "01").named["police"]
    make.a_body(session, layer="police", county="01", readiness="always")

    assert (before, one(session, "county", "01").named["police"]) == (0, 1)


def test_who_is_responsible_for_a_larger_area_is_not_counted_in_its_parts(session):
    settle(session, {"bodies": [], "counts": []})
    make.a_body(session, layer="police", municipality="0102", county="01", serves=["county:01"])

    named = {one.area.code: one.named["police"] for one in presence(session, "municipality")}

    assert named == {"0101": 0, "0102": 1, "0201": 0}
    assert one(session, "county", "01").named["police"] == 1


def test_who_is_seated_in_an_area_and_serves_it_is_counted_once(session):
    settle(session, {"bodies": [], "counts": []})
    make.a_body(session, layer="watch", county="02", serves=["county:02", "county:01"])

    assert [one(session, "county", code).named["watch"] for code in COUNTIES] == [1, 1]


@pytest.mark.parametrize(
    ("numbers", "is_counted"),
    [
        ([("2018", 7)], True),
        ([("2018", 0)], False),
        ([("2018", None)], False),
        ([("2018", 7), ("2019", 0)], False),
        ([("2018", 0), ("2019", 7)], True),
        ([("2018", 7), ("2019", None)], True),
        ([("2018", 0), ("2021", 7)], False),
    ],
)
def test_what_is_counted_but_not_named_is_what_the_newest_number_of_the_day_tells(
    session, numbers, is_counted
):
    settle(session, {"bodies": [], "counts": []})
    for as_of, number in numbers:
        make.a_count(session, layer="watch", area="county:01", number=number, as_of=as_of)

    found = one(session, "county", "01")

    assert found.named["watch"] == 0
    assert found.counted == ({"watch"} if is_counted else set())
    assert ("watch" in found.missing) is not is_counted
    assert one(session, "county", "02").counted == set()
