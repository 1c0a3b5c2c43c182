"""One answer for a place: whole, on both stores, against an oracle that looks at every row."""

from collections import Counter
from datetime import date
from random import Random

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import box

from layers import answers, geo, imports, places, snapshot, store
from layers.catalog import Role
from layers.geo import Place
from tests import make
from tests.conftest import STORES
from tests.layers import oracle, worlds

DAY = date(2020, 6, 15)
HOME = Place(lon=24.5, lat=58.5)
AT_SEA = Place(lon=23.9, lat=58.5)
TODAY = date(2026, 11, 22)
DAYS = (date(2010, 1, 1), date(2012, 5, 15), date(2018, 9, 1), TODAY)
KINDS = ("county", "municipality", "neighbour", "prefecture")
VILLAGES = (Role("village", {}, layer="villages"),)


def asked(session, place=HOME, *, as_of=DAY, roles=VILLAGES):
    """The answer from a snapshot of the store as it is now."""
    known = snapshot.take(session, worlds.KINDS)
    return answers.answer(known, worlds.an_instance(roles), place=place, as_of=as_of)


def matches(answer):
    """Reason, area and organisation of every match of the first role."""
    return [(match.why, match.area, match.body.key) for match in answer.roles[0].matches]


def without_ways(answer):
    """An answer in plain values, but for distances and directions."""
    told = oracle.told(answer)
    shore = told["shore"] and told["shore"][0]
    roles = [{**one, "matches": [(*m[:3], m[4]) for m in one["matches"]]} for one in told["roles"]]
    return {**told, "shore": shore, "roles": roles, "cases": [case[:2] for case in told["cases"]]}


# --- The oracle


@pytest.mark.slow
@given(chance=st.randoms(use_true_random=False))
@settings(
    # Each example is undone, so that the fixture's session is as new.
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_an_answer_is_what_a_look_at_every_row_finds(session, chance):
    with make.undone(session):
        made = worlds.write(session, chance)
        known, instance = snapshot.take(session, worlds.KINDS), worlds.an_instance()
        world = oracle.read(session, worlds.KINDS, srid=make.SRID)
        for _ in range(5):
            place = made.place(chance)
            there = oracle.Ground(world, lon=place.lon, lat=place.lat)
            for day in worlds.DAYS:
                found = answers.answer(known, instance, place=place, as_of=day)
                assert oracle.told(found) == oracle.answer(there, instance.roles, day), (place, day)


@pytest.mark.slow
def test_the_invented_worlds_hold_what_is_rare(tmp_path):
    engine = store.open_store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    store.set_up(engine)
    seen = Counter()
    chance = Random(1)  # noqa: S311
    for _ in range(40):
        with store.writing(engine, srid=make.SRID) as session:
            made = worlds.write(session, chance)
            known = snapshot.take(session, worlds.KINDS)
        parts = shapely.get_parts(known.shapes)
        seen["hole"] += bool(shapely.get_num_interior_rings(parts).any())
        seen["island"] += len(parts) > len(known.shapes)
        for _ in range(40):
            place, day = made.place(chance), chance.choice(worlds.DAYS)
            found = answers.answer(known, worlds.an_instance(), place=place, as_of=day)
            kinds = Counter(area.kind for area in found.areas)
            matched = [match for role in found.roles for match in role.matches]
            seen["border"] += kinds["municipality"] > 1
            seen["corner"] += kinds["municipality"] > 2
            seen["overlapping own areas"] += kinds["police_district"] > 1
            seen["abroad"] += found.abroad is not None
            seen["at a shore"] += found.shore is not None
            seen["played ashore"] += any(role.ashore for role in found.roles)
            seen["several ashore"] += len(found.ashore) > 2
            seen["three cases"] += len(found.cases) == 3
            seen["across"] += any(match.across for match in matched)
            seen["no way"] += any(match.way is None for match in matched)
            seen["same spot"] += any(match.way and not match.way.distance_m for match in matched)
            seen.update({match.why for match in matched})

    engine.dispose()
    shapes = {"hole", "island", "border", "corner", "overlapping own areas", "abroad", "at a shore"}
    shapes |= {"played ashore", "several ashore"}
    told = {"three cases", "across", "no way", "same spot", *answers.REASONS}
    assert {name: seen[name] for name in shapes | told if seen[name] < 5} == {}


@pytest.fixture(scope="module", params=STORES)
def asking(request, estonia, tmp_path_factory):
    """A session on a store of each kind that holds Estonia."""
    url, drop = f"sqlite:///{tmp_path_factory.mktemp('estonia') / 'store.sqlite'}", None
    if request.param == "postgis":
        server = request.getfixturevalue("postgis")
        url, drop = server.create(), server.drop
    engine = store.open_store(url)
    try:
        imports.load(engine, estonia, now=make.moment(TODAY))
        with store.reading(engine, srid=estonia.metric_crs) as session:
            yield session
    finally:
        engine.dispose()
        if drop:
            drop(url)


@pytest.fixture(scope="module")
def known(asking):
    return snapshot.take(asking, KINDS)


def estonian_places(session, known):
    """Settlements, corners of borders, middles of small islands, and a grid over land, sea and abroad."""
    yield from (found.place for found in places.settlements(session, as_of=TODAY)[::150])
    corners = shapely.points(shapely.get_coordinates(known.shapes)[::400])
    islands = sorted(shapely.get_parts(known.shapes), key=shapely.area)[:60:4]
    middles = [shapely.point_on_surface(island) for island in islands]
    for point in geo.to_degrees([*corners, *middles], srid=known.srid):
        yield Place(lon=point.x, lat=point.y)
    yield from (Place(lon=lon, lat=57 + part / 2) for lon in range(20, 30) for part in range(7))


@pytest.mark.slow
def test_estonias_answers_are_what_a_look_at_every_row_finds(asking, known, estonia):
    world = oracle.read(asking, KINDS, srid=estonia.metric_crs)
    seen = Counter()
    for place in estonian_places(asking, known):
        there = oracle.Ground(world, lon=place.lon, lat=place.lat)
        for day in DAYS:
            found = answers.answer(known, estonia, place=place, as_of=day)
            assert oracle.told(found) == oracle.answer(there, estonia.roles, day), (place, day)
            seen.update(land=bool(found.areas), shore=bool(found.shore), abroad=bool(found.abroad))

    assert min(seen.values()) > 20


# --- What always holds


@pytest.mark.slow
def test_a_tenth_of_a_millimetre_changes_nothing_but_ways(known, estonia):
    chance = Random(4)  # noqa: S311
    borders = shapely.union_all(shapely.boundary(known.shapes))
    for _ in range(100):
        place = Place(lon=chance.uniform(21, 29), lat=chance.uniform(57, 60))
        moved = Place(lon=place.lon + 1e-9, lat=place.lat - 1e-9)
        assert geo.metric_point(place, srid=known.srid).distance(borders) > 0.01

        first, second = (answers.answer(known, estonia, place=one, as_of=TODAY) for one in (place, moved))

        assert without_ways(first) == without_ways(second)


@pytest.mark.slow
def test_in_estonia_an_organisation_is_at_no_distance_from_its_own_point(known, estonia):
    seen = 0
    for body in known.bodies:
        if body.place:
            found = answers.answer(known, estonia, place=body.place, as_of=TODAY)
            own = [m for role in found.roles for m in role.matches if m.body.place == body.place]
            assert {(match.way.distance_m, match.way.bearing) for match in own} <= {(0.0, None)}
            seen += any(match.body is body for match in own)

    assert seen > 100


def test_ways_tell_nothing_but_the_published_place(session):
    make.a_body(session, key="a", at=(24.512341, 58.512341))
    make.a_body(session, key="b", at=(24.512339, 58.512344))
    make.a_case(session, key="c", at=(24.512336, 58.512336))
    published = Place(lon=24.51234, lat=58.51234)

    for place in (HOME, AT_SEA, published, Place(lon=24.5123412, lat=58.5123412)):
        found = asked(session, place)
        (one, other), (case,) = found.roles[0].matches, found.cases
        assert one.body.place == other.body.place == case.case.place == published
        assert one.way == other.way == case.way
        here, there = make.metric(place.point()), make.metric(published.point())
        assert one.way.distance_m == round(here.distance(there), 1)


def test_before_everything_began_there_is_nobody_and_nothing(session):
    make.an_area(session, valid_from="2000")
    make.a_body(session, serves=["county:01"], valid_from="2000-01-01")
    make.a_case(session, areas=["county:01"], period_from="2000-01")

    def nothing(as_of):
        found = asked(session, as_of=as_of)
        return (found.areas, found.shore, found.roles[0].matches, found.cases) == ((), None, (), ())

    assert nothing(date(1999, 12, 31))
    assert nothing(date.min)
    assert not nothing(date(2000, 1, 1))


@pytest.mark.parametrize("place", [Place(180, 90), Place(-180, -90), Place(0, 0), Place(-155, -58.5)])
def test_the_ends_of_the_earth_have_an_answer(session, place):
    make.an_area(session)
    make.a_body(session, serves=["county:01"])
    make.a_case(session, at=(24.5, 58.5))
    assert asked(session).areas

    found = asked(session, place)

    assert (found.areas, found.abroad, found.shore, matches(found), found.cases) == ((), None, None, [], ())


def test_a_store_without_anything_has_an_answer(session):
    found = asked(session)

    assert (found.areas, found.shore, matches(found), found.cases) == ((), None, [], ())


# --- Reasons, borders, order


def test_of_several_reasons_the_first_is_told(session):
    make.an_area(session, kind="municipality", code="1", shape=box(24.4, 58.4, 24.6, 58.6))
    make.an_area(session, kind="county", code="1", shape=box(24, 58, 25, 59))
    make.an_area(session, kind="police_district", code="1", shape=box(23, 57, 26, 60))
    make.a_body(session, key="all", serves=["municipality:1", "county:1", "police_district:1"])
    make.a_body(session, key="both", serves=["municipality:1", "county:1"])
    make.a_body(session, key="county", serves=["county:1"])
    make.a_body(session, key="none", serves=["county:2"])

    assert matches(asked(session)) == [
        ("inside", "police_district:1", "all"),
        ("serves", "municipality:1", "both"),
        ("inherited", "county:1", "county"),
        ("nearest", "", "none"),
    ]


def test_where_only_the_county_is_known_its_organisations_serve_here(session):
    make.an_area(session, kind="county", code="1")
    make.a_body(session, key="county", serves=["county:1"])

    assert matches(asked(session)) == [("serves", "county:1", "county")]


def test_on_a_border_cases_of_both_sides_stand_by_distance(session):
    make.an_area(session, kind="municipality", code="1", shape=box(24.4, 58, 24.5, 59))
    make.an_area(session, kind="municipality", code="2", shape=box(24.5, 58, 25, 59))
    make.a_case(session, key="far", at=(24.41, 58.5), municipality="1")
    make.a_case(session, key="near", at=(24.51, 58.5), municipality="2")
    border = Place(lon=24.5, lat=58)

    found = asked(session, border)

    assert [area.key for area in found.areas] == ["municipality:2", "municipality:1"]
    assert [(one.case.key, one.area) for one in found.cases] == [
        ("near", "municipality:2"),
        ("far", "municipality:1"),
    ]


def test_more_than_three_equally_near_stand_by_key(session):
    for key in ("d", "b", "c", "a"):
        make.a_body(session, key=key, at=(24.6, 58.5))

    assert [key for *_, key in matches(asked(session))] == ["a", "b", "c"]


def test_one_that_is_closed_plays_no_role(session):
    make.an_area(session)
    make.a_body(session, key="open", serves=["county:01"])
    make.a_body(session, key="closed", serves=["county:01"], readiness="closed")

    assert matches(asked(session)) == [("serves", "county:01", "open")]


def test_at_sea_the_shore_of_the_day_is_told(session):
    make.an_area(session, kind="county", code="1", shape=box(23.95, 58, 25, 59))
    make.an_area(session, kind="municipality", code="1", shape=box(24, 58, 25, 59), valid_to="2020")
    make.an_area(session, kind="municipality", code="1", shape=box(24.1, 58, 25, 59), valid_from="2020")

    def shore(as_of):
        area, way = asked(session, AT_SEA, as_of=as_of).shore
        return area.key, area.valid_from, round(way.distance_m / 100)

    assert shore(date(2019, 12, 31)) == ("municipality:1", "", 58)
    assert shore(date(2020, 1, 1)) == ("municipality:1", "2020", 117)


# --- The nearest land

WEST, EAST = box(24.0, 58, 24.5, 59), box(24.5, 58, 25, 59)
POLICE = (Role("police", {}, layer="villages", area="municipality"),)


def a_coast(session):
    """A county of two municipalities, a prefecture, a country abroad, and who is responsible for each."""
    make.an_area(session, kind="municipality", code="w", shape=WEST)
    make.an_area(session, kind="municipality", code="e", shape=EAST)
    make.an_area(session, kind="county", code="1", shape=box(24, 58, 25, 59))
    make.an_area(session, kind="prefecture", code="p", shape=box(24, 57, 25, 59))
    make.an_area(session, kind="neighbour", code="xx", shape=box(25, 58, 27, 59))
    make.a_body(session, key="both", serves=["municipality:w", "county:1"], at=(24.1, 58.5))
    make.a_body(session, key="county", serves=["county:1"], at=None)
    make.a_body(session, key="other-side", serves=["municipality:e"], at=(24.6, 58.5))


def test_in_no_area_those_of_the_nearest_land_are_told_with_its_smallest_area(session):
    a_coast(session)

    found = asked(session, AT_SEA, roles=POLICE)

    (role,) = found.roles
    assert found.shore[0].key == "municipality:w"
    assert [area.key for area in found.ashore] == ["county:1", "municipality:w"]
    assert matches(found) == [
        ("shore", "municipality:w", "both"),
        ("shore", "county:1", "county"),
        ("nearest", "", "other-side"),
    ]
    assert ([area.key for area in role.areas], [area.key for area in role.ashore]) == ([], ["municipality:w"])
    assert not role.is_played


def test_on_land_nothing_is_told_of_a_shore(session):
    a_coast(session)

    found = asked(session, roles=POLICE)

    assert (found.shore, found.ashore, found.roles[0].ashore) == (None, (), ())
    assert answers.SHORE not in {why for why, *_ in matches(found)}
    assert found.roles[0].is_played


def test_abroad_those_across_the_border_are_told_and_far_abroad_nothing_is_known(session):
    a_coast(session)

    near, far = (asked(session, Place(lon=lon, lat=58.5), roles=POLICE) for lon in (25.3, 26.6))

    assert (near.abroad.key, near.shore[0].key, near.is_unknown) == ("neighbour:xx", "municipality:e", False)
    assert matches(near)[0] == ("shore", "municipality:e", "other-side")
    assert (far.abroad.key, far.shore, matches(far), far.is_unknown) == ("neighbour:xx", None, [], True)


def test_the_reach_is_the_stated_one(session):
    a_coast(session)
    edge_m = make.metric(shapely.Point(24.0, 58.5)).x

    def is_unknown(off_m):
        spot = geo.place_of(edge_m - off_m, make.metric(shapely.Point(24.0, 58.5)).y, srid=make.SRID)
        return asked(session, spot, roles=POLICE).is_unknown

    assert (is_unknown(answers.REACH_M - 100), is_unknown(answers.REACH_M + 100)) == (False, True)


def test_areas_that_the_snapshot_does_not_hold_are_told_as_if_it_did(session):
    make.an_area(session, kind="municipality", code="w", shape=WEST)
    make.an_area(session, kind="watch_area", code="1", shape=box(24.4, 58.4, 24.6, 58.6))
    make.a_body(session, key="watchers", serves=["watch_area:1"], layer="watch")
    instance = worlds.an_instance()
    whole = snapshot.take(session, worlds.KINDS)
    partly = snapshot.take(session, {*worlds.KINDS} - {"watch_area"})

    more = places.areas_with_sizes_at(session, HOME, as_of=DAY, kinds={"watch_area"})
    wanted = answers.answer(whole, instance, place=HOME, as_of=DAY)
    found = answers.answer(partly, instance, place=HOME, as_of=DAY, more=more)

    assert ("inside", "watch_area:1", "watchers") in [
        (match.why, match.area, match.body.key) for role in wanted.roles for match in role.matches
    ]
    assert oracle.told(found) == oracle.told(wanted)
    assert oracle.told(answers.answer(partly, instance, place=HOME, as_of=DAY)) != oracle.told(wanted)
