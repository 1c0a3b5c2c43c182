"""Which cases fit a place and where a practice could go, against a pencil: the formulas worked out anew."""

from dataclasses import replace
from datetime import date
from math import hypot, log2

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import Point, box

import fit_check
from layers import catalog, fit, snapshot
from layers.errors import AreaNotFound
from layers.geo import Place
from tests import make

DAY = date(2020, 6, 15)
EVERY = settings(
    # Each example is undone, so that the fixture's session is as new.
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
ROLES = [
    {"key": "police", "layer": "police", "label": {"en": "Police"}, "parties": ["police"]},
    {"key": "council", "area": "municipality", "label": {"en": "Council"}, "parties": ["council"]},
    {"key": "village", "layer": "villages", "label": {"en": "Village"}, "parties": ["residents"]},
]
PARTIES = {code: {"en": code} for code in ("police", "residents", "council")}
# Four municipalities from west to east. The first lies at a neighbouring country, the third at the shore,
# the fourth is an island.
TOWNS = ("0101", "0102", "0103", "0104")
SETTINGS = dict(zip(TOWNS, ("inland", "inland", "coast", "island"), strict=True))
# A point of a case in each, and what its own setting is.
POINTS = {
    "0101": [((24.25, 58.5), "inland")],
    "0102": [((24.6, 58.4), "inland")],
    "0103": [((25.25, 58.5), "inland"), ((25.48, 58.5), "coast")],
    "0104": [((25.8, 58.6), "island")],
}
towns_ = st.fixed_dictionaries(
    {
        code: st.fixed_dictionaries(
            {
                "population": st.sampled_from([None, 150, 900, 4_000, 30_000]),
                "town": st.sampled_from([None, 300, 9_999, 10_000]),
                "layers": st.sets(st.sampled_from(["police", "villages"])),
            }
        )
        for code in TOWNS
    }
)
cases_ = st.lists(
    st.sampled_from(TOWNS).flatmap(
        lambda code: st.fixed_dictionaries(
            {
                "municipality": st.just(code),
                "at": st.sampled_from(POINTS[code]),
                "theme": st.sampled_from(["watch", "patrol"]),
                "outcome": st.sampled_from(["lasted", "mixed", "ended", "unclear"]),
                "parties": st.lists(st.sampled_from(sorted(PARTIES)), unique=True),
                "practices": st.lists(st.sampled_from(["alpha", "beta"]), min_size=1, unique=True),
            }
        )
    ),
    max_size=6,
)


@pytest.fixture
def roles(tmp_path):
    return catalog.read_instance(make.an_instance(tmp_path / "roles", roles=ROLES, parties=PARTIES))


def centre(code):
    return 24.25 + TOWNS.index(code) / 2, 58.5


def settled(session, towns, cases):
    """Puts four municipalities with their land, places, organisations and cases into the store."""
    make.an_area(session, kind="land", code="main", shape=box(23.97, 57.8, 25.5, 59.2))
    make.an_area(session, kind="land", code="isle", shape=box(25.6, 58, 26, 59))
    make.an_area(session, kind="neighbour", code="xx", shape=box(23, 57, 23.96, 60))
    make.an_area(session, kind="county", code="01", shape=box(24, 58, 26, 59))
    for code, town in towns.items():
        west = 24 + TOWNS.index(code) / 2
        facts = {"area_km2": "100", **({"population": str(town["population"])} if town["population"] else {})}
        shape = box(west, 58, west + 0.5, 59)
        make.an_area(session, kind="municipality", code=code, shape=shape, facts=facts, parent="county:01")
        make.a_settlement(
            session,
            key=f"town-{code}",
            at=centre(code),
            population=town["town"],
            municipality=code,
        )
        for layer in sorted(town["layers"]):
            make.a_body(session, key=f"{layer}-{code}", layer=layer, at=None, municipality=code)
    for number, facts in enumerate(cases):
        point, _ = facts["at"]
        make.a_case(session, key=f"case-{number}", county="01", **{**facts, "at": point})


def territory(session, roles):
    known = snapshot.take(session, {"county", "municipality", "neighbour"})
    return fit.territory(session, roles, known, as_of=DAY)


# --- The same with a pencil


def apart_m(one, other):
    first, second = make.metric(Point(one)), make.metric(Point(other))
    return hypot(first.x - second.x, first.y - second.y)


def middle(code):
    """The centre of the municipality's shape, in degrees near enough: boxes bend a little in metres."""
    west = 24 + TOWNS.index(code) / 2
    shape = make.metric(box(west, 58, west + 0.5, 59)).centroid
    return shape.x, shape.y


def to_town_m(towns, point):
    """From a metric point to a place of 10,000 people, or to the largest known of the county."""
    known = {code: town["town"] for code, town in towns.items() if town["town"]}
    largest = max(known.values(), default=0)
    first = min((code for code, people in known.items() if people == largest), default=None)
    chosen = {code for code, people in known.items() if people >= 10_000} | ({first} if first else set())
    ways = []
    for code in chosen:
        there = make.metric(Point(centre(code)))
        ways.append(hypot(there.x - point[0], there.y - point[1]))
    return min(ways, default=None)


def with_pencil(towns, cases, code, case):
    """The points of a case in a municipality, by part, from the formulas of `fit.PARTS`."""
    town, there = towns[code], towns[case["municipality"]]
    point, setting = case["at"]
    spot = make.metric(Point(point))
    of_party = {"police": "police", "residents": "villages"}
    needed = [of_party[party] for party in case["parties"] if party in of_party]
    met = sum(layer in town["layers"] for layer in needed)
    found = {}
    if needed:
        found["roles"] = 20 * met / len(needed)
        found["missing"] = -10 * (len(needed) - met) / len(needed)
    if town["population"] and there["population"]:
        octaves = abs(log2(town["population"] / there["population"]))
        found["density"] = 20 * max(0, 1 - octaves / 3)
        found["size"] = 5 * max(0, 1 - octaves / 3)
    found["setting"] = {
        ("island", "island"): 20,
        ("coast", "island"): -10,
        ("inland", "island"): -20,
        ("island", "coast"): 5,
        ("coast", "coast"): 5,
        ("inland", "coast"): -10,
        ("island", "inland"): -10,
    }.get((SETTINGS[code], setting), 0)
    themes = {other["theme"] for other in cases if other["municipality"] == code}
    found["theme"] = 10 if case["theme"] in themes else 0
    here = middle(code)
    found["near"] = 10 * max(0, 1 - hypot(here[0] - spot.x, here[1] - spot.y) / 60_000)
    ways = to_town_m(towns, here), to_town_m(towns, (spot.x, spot.y))
    if None not in ways:
        found["remote"] = 10 * max(0, 1 - abs(ways[0] - ways[1]) / 40_000)
    found["border"] = 5 if code == case["municipality"] == "0101" else 0
    found["outcome"] = {"lasted": 5, "mixed": 2}.get(case["outcome"], 0)
    return {key: round(points) for key, points in found.items() if round(points)}


def ranking(towns, cases, code, chosen):
    """(score, key) of some cases in a municipality, best first."""
    scored = [
        (sum(with_pencil(towns, cases, code, cases[number]).values()), f"case-{number}") for number in chosen
    ]
    return sorted(scored, key=lambda one: (-one[0], one[1]))


@EVERY
@given(towns=towns_, cases=cases_, code=st.sampled_from(TOWNS))
def test_every_point_of_a_score_can_be_repeated_with_a_pencil(session, roles, towns, cases, code):
    with make.undone(session):
        settled(session, towns, cases)
        found = territory(session, roles)

        going, ended = fit.cases_for(found, f"municipality:{code}")

        for one in (*going, *ended):
            case = cases[int(one.case.key.removeprefix("case-"))]
            assert {part.key: part.points for part in one.parts} == with_pencil(towns, cases, code, case)
            assert one.score == sum(part.points for part in one.parts)
        others = [number for number, case in enumerate(cases) if case["municipality"] != code]
        last = [number for number in others if cases[number]["outcome"] == "ended"]
        alive = [number for number in others if number not in last]
        assert [(one.score, one.case.key) for one in going] == ranking(towns, cases, code, alive)
        assert [(one.score, one.case.key) for one in ended] == ranking(towns, cases, code, last)


@EVERY
@given(towns=towns_, cases=cases_)
def test_a_practice_goes_where_it_is_not_yet_and_copies_no_case_that_ended(session, roles, towns, cases):
    with make.undone(session):
        settled(session, towns, cases)
        found = territory(session, roles)

        targets = fit.targets(found, ["alpha"])

        done = [number for number, case in enumerate(cases) if "alpha" in case["practices"]]
        alive = [number for number in done if cases[number]["outcome"] != "ended"]
        free = [code for code in TOWNS if code not in {cases[number]["municipality"] for number in done}]
        expected = [
            (*ranking(towns, cases, code, alive)[0], f"municipality:{code}") for code in free if alive
        ]
        assert [(one.like.score, one.like.case.key, one.area.key) for one in targets] == sorted(
            expected, key=lambda one: (-one[0], one[2])
        )
        assert [case.key for case in fit.warnings(found, "alpha")] == [
            f"case-{number}" for number in done if number not in alive
        ]


PLAIN = {code: {"population": 900, "town": 300, "layers": {"police"}} for code in TOWNS}
CASE = {"theme": "watch", "outcome": "lasted", "parties": ["police"], "practices": ["alpha"]}


def test_a_point_has_the_profile_of_its_municipality_and_its_own_shore(session, roles):
    settled(session, PLAIN, [{**CASE, "municipality": "0104", "at": POINTS["0104"][0]}])
    found = territory(session, roles)

    def setting_at(lon):
        going, _ = fit.cases_at(found, Place(lon=lon, lat=58.5))
        return [part.points for one in going for part in one.parts if part.key == "setting"]

    assert [setting_at(lon) for lon in (24.25, 25.48, 25.8)] == [[-20], [-10], [20]]
    assert fit.cases_at(found, Place(lon=28, lat=58.5)) == ([], [])


def test_the_case_of_one_page_is_compared_alone(session, roles):
    near, far = ({**CASE, "municipality": code, "at": POINTS[code][0]} for code in ("0102", "0104"))
    settled(session, PLAIN, [near, far])
    found = territory(session, roles)

    of_all = {one.area.key: one.like.case.key for one in fit.targets(found, ["alpha"])}
    of_one = {one.area.key: one.like.case.key for one in fit.targets(found, ["alpha"], cases=["case-1"])}

    assert of_all == dict.fromkeys(("municipality:0101", "municipality:0103"), "case-0")
    assert of_one == dict.fromkeys(("municipality:0101", "municipality:0103"), "case-1")


def test_an_area_that_has_no_profile_is_told(session, roles):
    settled(session, PLAIN, [])

    with pytest.raises(AreaNotFound):
        fit.cases_for(territory(session, roles), "land:main")


# --- What fits best for each role

AUDIENCES = {"alpha": ("police",), "beta": ("residents",)}


def a_best(session, roles, **cases):
    """Of the second municipality, by role: practice and case. Every case is of the first one."""
    towns = {code: {"population": 900, "town": None, "layers": {"police", "villages"}} for code in TOWNS}
    settled(session, towns, [])
    for key, facts in cases.items():
        make.a_case(session, key=key, municipality="0101", **facts)
    found = territory(session, roles)
    told = fit.best(found, "municipality:0102", roles.roles, AUDIENCES)
    return {role: (one.practice, one.suggestion.case.key) for role, one in told.items()}


def test_of_every_role_the_best_case_in_which_it_takes_part_is_told(session, roles):
    found = a_best(
        session,
        roles,
        near={"parties": ["police"], "at": (24.4, 58.5)},
        far={"parties": ["police"], "at": (24.1, 58.5)},
        village={"parties": ["residents"], "at": (24.1, 58.5), "practices": ["alpha", "beta"]},
    )

    assert found == {"police": ("alpha", "near"), "village": ("beta", "village")}


def test_a_case_that_ended_or_shows_nothing_for_the_role_is_not_its_best(session, roles):
    found = a_best(
        session,
        roles,
        ended={"parties": ["police"], "at": (24.4, 58.5), "outcome": "ended"},
        of_others={"parties": ["police"], "at": (24.4, 58.5), "practices": ["beta"]},
    )

    assert found == {}


def test_the_guide_of_another_role_is_not_for_this_one(session, roles):
    (police, *others) = roles.roles
    guided = replace(roles, roles=(police, replace(others[0], guide="alpha"), *others[1:]))

    one_case = {"only": {"parties": ["police", "council"], "practices": ["alpha"]}}

    with make.undone(session):
        assert a_best(session, roles, **one_case) == {"police": ("alpha", "only")}
    assert a_best(session, guided, **one_case) == {"council": ("alpha", "only")}


@EVERY
@given(towns=towns_, cases=cases_, day=st.dates(date(2009, 1, 1), date(2031, 1, 1)))
def test_between_two_turns_every_profile_is_the_same(session, roles, towns, cases, day):
    with make.undone(session):
        settled(session, towns, cases)
        make.a_body(session, layer="police", municipality="0102", valid_from="2010-05", valid_to="2030")
        make.a_count(session, area="municipality:0103", layer="villages", as_of="2015")
        make.an_area(session, kind="land", code="new", shape=box(24, 59.1, 24.1, 59.2), valid_from="2012")
        make.a_settlement(session, municipality="0101", population=20_000, valid_from="2017-03-02")
        known = snapshot.take(session, ["county", "municipality", "neighbour"])
        turns = fit.turns(session, known)
        epoch = fit.epoch(turns, day)

        one, other = (fit.territory(session, roles, known, as_of=each) for each in (day, epoch))

        assert epoch <= day
        assert {date(2010, 5, 1), date(2030, 1, 1), date(2015, 1, 1), date(2012, 1, 1), date(2017, 3, 2)} <= {
            *turns
        }
        assert (one.profiles, one.examples) == (other.profiles, other.examples)


def test_no_part_gives_more_than_its_weight(session, roles):
    cases = [{**CASE, "municipality": code, "at": POINTS[code][-1]} for code in TOWNS]
    settled(session, PLAIN, cases)
    found = territory(session, roles)
    most = {weight.key: abs(weight.points) for weight in fit.PARTS}

    parts = [
        part
        for code in TOWNS
        for one in fit.cases_for(found, f"municipality:{code}")[0]
        for part in one.parts
    ]

    assert {part.key for part in parts} >= {"roles", "density", "setting", "near", "outcome"}
    assert all(0 < abs(part.points) <= most[part.key] for part in parts)


# --- The check of the guesses


def test_ranks_and_figures_are_those_of_a_hand_made_guess(session, roles):
    cases = [
        {**CASE, "municipality": "0101", "at": POINTS["0101"][0], "practices": ["alpha"]},
        {**CASE, "municipality": "0102", "at": POINTS["0102"][0], "practices": ["alpha", "beta"]},
        {**CASE, "municipality": "0104", "at": POINTS["0104"][0], "practices": ["gamma"]},
    ]
    settled(session, PLAIN, cases)
    examples = territory(session, roles).examples

    near = fit_check.ranks(examples, fit_check.by_distance)
    popular = fit_check.ranks(examples, fit_check.by_popularity)

    assert near == [1, 1, None]  # gamma is shown by one case alone.
    assert popular == [1, 1, None]
    assert fit_check.row([1, 2, 4, None]) == (0.25, 0.5, (1 + 0.5 + 0.25) / 4)


@pytest.mark.slow
def test_the_docstring_tells_the_measured_figures(estonia):
    table = fit_check.table(fit_check.read(estonia.folder, as_of=date(2026, 11, 22)))

    for name, figures in table.items():
        told = f"    {name:<15}" + "   ".join(f"{figure:.3f}" for figure in figures)
        assert told in (fit.__doc__ or ""), f"{told} is not what layers/fit.py says"
    assert table["fit"][2] > max(table["popularity"][2], table["nearest"][2])
