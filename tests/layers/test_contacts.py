"""Who is in an area, its neighbours, who met there and who did not, against answers by brute force."""

from datetime import date
from itertools import chain, combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import box

from layers import catalog, contacts, places, snapshot
from layers.errors import AreaNotFound
from tests import make

DAY = date(2020, 6, 15)
EVERY = settings(
    # Each example is undone, so that the fixture's session is as new.
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
ROLES = [
    {"key": "police", "layer": "police", "label": {"en": "Police"}, "parties": ["police"]},
    {"key": "council", "area": "municipality", "label": {"en": "Council"}, "parties": ["council"]},
    {
        "key": "land",
        "layer": "villages",
        "capabilities": ["order"],
        "label": {"en": "Land"},
        "parties": ["residents"],
    },
    {
        "key": "sea",
        "layer": "villages",
        "capabilities": ["youth"],
        "label": {"en": "Sea"},
        "parties": ["residents"],
    },
]
PARTIES = {code: {"en": code} for code in ("police", "residents", "council", "others")}
TOWNS = ("0101", "0102")
bodies_ = st.lists(
    st.fixed_dictionaries(
        {
            "layer": st.sampled_from(["police", "villages"]),
            "capabilities": st.lists(st.sampled_from(["order", "youth"]), unique=True),
            "readiness": st.sampled_from(["", "always", "closed"]),
            "municipality": st.sampled_from(["", *TOWNS]),
            "serves": st.lists(
                st.sampled_from(["county:01", *(f"municipality:{c}" for c in TOWNS)]), unique=True
            ),
            "valid_from": st.sampled_from(["", "2021"]),
        }
    ),
    max_size=5,
)
cases_ = st.lists(
    st.fixed_dictionaries(
        {
            "bodies": st.lists(st.sampled_from([f"body-{n}" for n in range(5)]), unique=True, max_size=3),
            "areas": st.lists(st.sampled_from(["county:01", "municipality:0102"]), unique=True),
            "municipality": st.sampled_from(["", *TOWNS]),
            "parties": st.lists(st.sampled_from(sorted(PARTIES)), unique=True),
            "period_from": st.sampled_from(["", "2019", "2022"]),
        }
    ),
    max_size=4,
)


@pytest.fixture
def roles(tmp_path):
    """A tiny country with four roles, one of them played by municipalities themselves."""
    return catalog.read_instance(make.an_instance(tmp_path / "roles", roles=ROLES, parties=PARTIES))


def taken(session):
    return snapshot.take(session, {"county", "municipality"})


def two_towns(session, bodies, cases):
    """A county of two municipalities side by side, with numbered organisations and cases."""
    make.an_area(session, kind="county", code="01", shape=box(24, 58, 26, 59))
    for number, code in enumerate(TOWNS):
        shape = box(24 + number, 58, 25 + number, 59)
        make.an_area(session, kind="municipality", code=code, shape=shape, parent="county:01")
    for number, facts in enumerate(bodies):
        make.a_body(session, key=f"body-{number}", at=None, **{**facts})
    for number, facts in enumerate(cases):
        make.a_case(session, key=f"case-{number}", **{**facts, "county": "01"})


# --- The same by brute force


def plays(role, body):
    able = not role.get("capabilities") or set(role["capabilities"]) & set(body["capabilities"])
    return role.get("layer") == body["layer"] and bool(able) and body["readiness"] != "closed"


def players_of(role, bodies, code):
    """Keys of who plays a role in a municipality, areas too; responsible ones, then seated ones."""
    responsible, seated = [], []
    for number, body in enumerate(bodies):
        if plays(role, body) and body["valid_from"] != "2021":
            if {"county:01", f"municipality:{code}"} & set(body["serves"]):
                responsible.append(f"body-{number}")
            elif body["municipality"] == code:
                seated.append(f"body-{number}")
    return responsible, seated


def participants(case, bodies):
    known = {key for key in case["bodies"] if int(key[-1]) < len(bodies)}
    council = "council" in case["parties"] and case["municipality"]
    return known | ({f"municipality:{case['municipality']}"} if council else set())


def touches(case, code):
    return (
        case["municipality"] == code or bool({f"municipality:{code}", "county:01"} & set(case["areas"]))
    ) and case["period_from"] != "2022"


def roles_named(case, bodies):
    played = {
        role["key"]
        for role in ROLES
        for key in case["bodies"]
        if int(key[-1]) < len(bodies) and plays(role, bodies[int(key[-1])])
    }
    found = set(played)
    for party in case["parties"]:
        meant = {role["key"] for role in ROLES if party in role["parties"]}
        found |= meant & played or meant
    return found


@EVERY
@given(bodies=bodies_, cases=cases_, code=st.sampled_from(TOWNS))
def test_roles_meetings_and_silences_are_those_of_a_slow_count(session, roles, bodies, cases, code):
    with make.undone(session):
        two_towns(session, bodies, cases)
        known = taken(session)
        area = places.area(session, "municipality", code, as_of=DAY)

        here = contacts.here(known, roles, area, as_of=DAY)
        met = contacts.meetings(known, roles, area, as_of=DAY)
        silent = contacts.silences(known, roles, area, here, as_of=DAY)

        own = {"council": [f"municipality:{code}"]}
        for role, found in zip(ROLES, here, strict=True):
            responsible, seated = players_of(role, bodies, code)
            assert [one.body.key for one in found.responsible] == responsible
            assert [body.key for body in found.seated] == seated
            assert [one.key for one in found.areas] == own.get(role["key"], [])
            assert found.is_known == bool(responsible or seated or own.get(role["key"]))

        groups = {}
        for number, case in enumerate(cases):
            who = frozenset(participants(case, bodies))
            layers = {"council" if ":" in key else bodies[int(key[-1])]["layer"] for key in who}
            if touches(case, code) and len(layers) > 1:
                groups.setdefault(who, []).append(f"case-{number}")
        found = {
            frozenset({*(b.key for b in one.bodies), *(a.key for a in one.areas)}): [c.key for c in one.cases]
            for one in met
        }
        assert found == groups
        assert [len(one.cases) for one in met] == sorted((len(one) for one in groups.values()), reverse=True)

        playing = {
            role["key"]: {*chain(*players_of(role, bodies, code)), *own.get(role["key"], [])}
            for role in ROLES
        }
        there = [case for case in cases if case["period_from"] != "2022"]
        expected = [
            (first, second)
            for first, second in combinations([key for key, who in playing.items() if who], 2)
            if not playing[first] & playing[second]
            and not any(
                playing[first] & participants(c, bodies) and playing[second] & participants(c, bodies)
                for c in there
            )
            and not any({first, second} <= roles_named(c, bodies) for c in there if touches(c, code))
        ]
        assert [(one.first.role.key, one.second.role.key) for one in silent] == expected


# --- Neighbours


@EVERY
@given(
    cells=st.sets(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=9),
    gap=st.sampled_from([0, 0.0005, -0.0005]),
)
def test_neighbours_share_a_side_and_not_a_corner_even_where_borders_are_approximate(session, cells, gap):
    with make.undone(session):
        for x, y in cells:
            shape = box(24 + x / 4, 58 + y / 4, 24.25 + x / 4 - gap, 58.25 + y / 4 - gap)
            make.an_area(session, kind="municipality", code=f"{x}{y}", shape=shape)
            make.an_area(session, kind="county", code=f"{x}{y}", shape=shape)
        known = taken(session)

        for x, y in cells:
            area = places.area(session, "municipality", f"{x}{y}", as_of=DAY)
            found = contacts.bordering(known, area, as_of=DAY)

            beside = {(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)} & cells
            assert [one.key for one in found] == sorted(f"municipality:{a}{b}" for a, b in beside)


def test_a_strait_of_a_kilometre_is_no_border(session):
    for number, start in enumerate((24, 24.52)):
        make.an_area(session, kind="municipality", code=TOWNS[number], shape=box(start, 58, start + 0.5, 59))
    known = taken(session)

    assert contacts.bordering(known, known.areas[0], as_of=DAY) == ()


def test_a_case_is_shared_with_the_neighbour_from_where_a_partner_came(session, roles):
    two_towns(session, [], [])
    make.a_body(session, key="guest", layer="police", municipality="0102")
    make.a_case(session, key="alone", municipality="0101", county="01")
    make.a_case(session, key="shared", municipality="0101", county="01", bodies=["guest"])
    known = taken(session)
    area = places.area(session, "municipality", "0101", as_of=DAY)

    found = contacts.neighbours(known, area, contacts.bordering(known, area, as_of=DAY), as_of=DAY)

    assert [(one.area.key, [case.key for case in one.shared]) for one in found] == [
        ("municipality:0102", ["shared"])
    ]


def test_a_number_without_names_makes_a_role_known(session, roles):
    two_towns(session, [], [])
    count = places.Count(
        "police", "municipality:0101", 3, "", None, "", None, {}, places.Source("A book", "", "2019")
    )
    known = taken(session)
    area = places.area(session, "municipality", "0101", as_of=DAY)

    told = contacts.here(known, roles, area, as_of=DAY, counts=[count])
    untold = contacts.here(known, roles, area, as_of=DAY)

    assert [one.is_known for one in told] == [True, True, False, False]
    assert [one.is_known for one in untold] == [False, True, False, False]


def test_a_county_has_the_municipalities_inside_it_as_players(session, roles):
    two_towns(session, [], [])
    known = taken(session)
    county = places.area(session, "county", "01", as_of=DAY)

    council = contacts.here(known, roles, county, as_of=DAY)[1]

    assert [area.key for area in council.areas] == ["municipality:0101", "municipality:0102"]


def test_an_area_that_is_none_is_told(session):
    with pytest.raises(AreaNotFound):
        contacts.position(taken(session), "county:99", as_of=DAY)


def test_a_party_that_may_mean_two_roles_means_the_one_that_an_organisation_of_the_case_plays(session, roles):
    make.a_body(session, key="boat", layer="villages", capabilities=["youth"], at=None)
    make.a_case(session, key="told", parties=["residents", "police"], bodies=["boat"])
    make.a_case(session, key="untold", parties=["residents", "police"])
    known = taken(session)

    told, untold = (
        contacts.needs(roles, case, contacts.took_part(known, case, as_of=DAY)) for case in known.cases
    )

    assert told == (frozenset({"sea"}), frozenset({"police"}))
    assert untold == (frozenset({"land", "sea"}), frozenset({"police"}))
