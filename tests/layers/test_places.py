"""What lies where on a day: every question on both stores, against answers worked out by brute force."""

from datetime import date, timedelta

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.orm import Session

from layers import model, places, store
from layers.errors import AreaNotFound, BodyNotFound
from layers.geo import Bbox, Place
from tests import make

DAY = date(2020, 6, 15)
EVERY = settings(
    # Each example is undone, so that the fixture's session is as new.
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

days = st.dates(date(2018, 1, 1), date(2021, 12, 31))
partial_dates = st.one_of(
    st.just(""),
    days.map(lambda day: day.isoformat()),
    days.map(lambda day: day.isoformat()[:7]),
    days.map(lambda day: day.isoformat()[:4]),
)
spots = st.tuples(
    st.integers(2400, 2600).map(lambda lon: lon / 100), st.integers(5800, 5900).map(lambda lat: lat / 100)
)
bodies = st.lists(
    st.fixed_dictionaries(
        {
            "layer": st.sampled_from(["police", "villages"]),
            "name": st.sampled_from(["Aru", "Õru", "aru", "Äru", "Zoo"]),
            "county": st.sampled_from(["", "01", "02"]),
            "municipality": st.sampled_from(["", "0101", "0102"]),
            "at": st.none() | spots,
            "valid_from": partial_dates,
            "valid_to": partial_dates,
            "retired": st.booleans(),
            "serves": st.lists(st.sampled_from(["county:01", "county:02", "land:ee"]), unique=True),
        }
    ),
    max_size=7,
)


def known(facts):
    """Builder's arguments without what only brute force needs."""
    return {name: value for name, value in facts.items() if name != "retired"}


def settled(session, world):
    """Puts a world of organisations into the store; their keys in the world's order."""
    keys = []
    for number, facts in enumerate(world):
        # Keys run against the order of insertion, so that an order by chance is no order by key.
        key = f"body-{99 - number}"
        edition = make.an_edition(session)
        make.a_body(session, key=key, edition=edition, **known(facts))
        if facts["retired"]:
            session.execute(update(model.Body).where(model.Body.key == key).values(retired_in=edition))
        keys.append(key)
    return keys


def first_day(text):
    year, month, day = (*text.split("-"), "01", "01")[:3]
    return date(int(year), int(month), int(day))


def was_so(facts, day):
    """Whether a fact shows on a day: begun on or before it, not ended on or before it, not retired."""
    begun = not facts["valid_from"] or first_day(facts["valid_from"]) <= day
    ended = bool(facts["valid_to"]) and first_day(facts["valid_to"]) <= day
    return begun and not ended and not facts.get("retired")


def shown(world, keys, day):
    return {key: facts for key, facts in zip(keys, world, strict=True) if was_so(facts, day)}


# --- Organisations


@EVERY
@given(world=bodies, day=days)
def test_bodies_are_those_of_the_day_by_county_name_and_key(session, world, day):
    with make.undone(session):
        there = shown(world, settled(session, world), day)

        found = places.bodies(session, as_of=day)

        # Letters compare by their numbers on both stores.
        assert [body.key for body in found] == sorted(
            there, key=lambda key: (there[key]["county"], there[key]["name"], key)
        )
        for body in found:
            facts = there[body.key]
            assert body.serves == tuple(sorted(facts["serves"]))
            assert body.place == (facts["at"] and Place(lon=facts["at"][0], lat=facts["at"][1]))


@EVERY
@given(world=bodies, day=days, layer=st.sampled_from(["police", "villages", "nothing"]))
def test_bodies_of_a_layer_and_by_keys_are_parts_of_all(session, world, day, layer):
    with make.undone(session):
        keys = settled(session, world)
        all_of_them = places.bodies(session, as_of=day)

        of_layer = places.bodies(session, as_of=day, layer=layer)
        by_keys = places.bodies(session, as_of=day, keys=[*keys[:2], "nobody"])

        assert of_layer == [body for body in all_of_them if body.layer == layer]
        assert by_keys == [body for body in all_of_them if body.key in keys[:2]]
        assert places.bodies(session, as_of=day, keys=[]) == []


@EVERY
@given(world=bodies, day=days)
def test_bodies_serving_an_area_and_seated_somewhere_are_those_that_say_so(session, world, day):
    with make.undone(session):
        there = shown(world, settled(session, world), day)

        serving = places.bodies_serving(session, "county:01", as_of=day)
        in_county = places.bodies_in(session, as_of=day, county="01")
        in_municipality = places.bodies_in(session, as_of=day, municipality="0102", county="ignored")

        def seated(column, code):
            return {key for key, facts in there.items() if facts[column] == code}

        assert {body.key for body in serving} == {
            key for key, facts in there.items() if "county:01" in facts["serves"]
        }
        assert {body.key for body in in_county} == seated("county", "01")
        assert {body.key for body in in_municipality} == seated("municipality", "0102")
        for found in (serving, in_county, in_municipality):
            assert [(b.layer, b.name) for b in found] == sorted((b.layer, b.name) for b in found)


@EVERY
@given(world=bodies, day=days, low=spots, high=spots)
def test_points_near_are_those_of_a_layer_in_the_box(session, world, day, low, high):
    corners = [make.metric(shapely.Point(at)) for at in (low, high)]
    box = shapely.union(*corners).bounds
    with make.undone(session):
        there = shown(world, settled(session, world), day)

        found = places.points_near(session, box, layer="police", as_of=day)

        points = {
            key: make.metric(shapely.Point(facts["at"]))
            for key, facts in there.items()
            if facts["at"] and facts["layer"] == "police"
        }
        close = {key for key, point in points.items() if shapely.box(*box).distance(point) <= 2}
        inside = {key for key, point in points.items() if shapely.box(*box).intersects(point)}
        keys = list(found)
        assert keys == sorted(keys)
        assert inside <= set(keys) <= close
        assert all(point.equals_exact(points[key], 1e-6) for key, point in found.items())


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "first", "last"),
    [
        ("2019", "2021", date(2019, 1, 1), date(2020, 12, 31)),
        ("2019-05", "2019-06", date(2019, 5, 1), date(2019, 5, 31)),
        ("2019-05-07", "2019-05-08", date(2019, 5, 7), date(2019, 5, 7)),
        ("2019-02", "2019-02-28", date(2019, 2, 1), date(2019, 2, 27)),
    ],
)
def test_a_partial_date_stands_for_its_first_day(session, valid_from, valid_to, first, last):
    make.a_body(session, key="brief", valid_from=valid_from, valid_to=valid_to)
    one = timedelta(days=1)

    seen = [bool(places.bodies(session, as_of=day)) for day in (first - one, first, last, last + one)]

    assert seen == [False, True, True, False]


def test_what_has_no_dates_shows_on_every_day(session):
    make.a_body(session, key="undated")

    seen = [len(places.bodies(session, as_of=day)) for day in (date(1, 1, 1), DAY, date(9999, 12, 31))]

    assert seen == [1, 1, 1]


def test_a_retired_row_is_invisible_to_every_question(session):
    edition = make.an_edition(session)
    make.a_body(session, key="x", serves=["county:01"], county="01")
    make.an_area(session, code="01")
    make.a_settlement(session, key="1001")
    everywhere = (-1e7, -1e7, 1e8, 1e8)

    def answers():
        return [
            places.bodies(session, as_of=DAY),
            places.bodies_serving(session, "county:01", as_of=DAY),
            places.bodies_in(session, as_of=DAY, county="01"),
            places.points_near(session, everywhere, layer="villages", as_of=DAY),
            places.areas(session, "county", as_of=DAY),
            places.areas_at(session, Place(lon=24.5, lat=58.5), as_of=DAY),
            places.shapes(session, "county", as_of=DAY),
            places.settlements(session, as_of=DAY),
            places.settlement_names(session, ["1001"]),
        ]

    assert [len(answer) for answer in answers()] == [1] * 9
    for table in (model.Body, model.Area, model.Settlement):
        session.execute(update(table).values(retired_in=edition))

    assert [len(answer) for answer in answers()] == [0] * 9
    with pytest.raises(BodyNotFound):
        places.body(session, "x", as_of=DAY)
    with pytest.raises(AreaNotFound):
        places.area(session, "county", "01", as_of=DAY)


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(1980, 1, 1), "First"),
        (date(1999, 12, 31), "First"),
        (date(2005, 1, 1), "First"),
        (date(2012, 5, 15), "First"),
        (date(2012, 5, 16), "Second"),
        (date(2030, 1, 1), "Second"),
    ],
)
def test_one_body_is_told_as_it_was_on_the_day_or_in_its_nearest_state(session, day, name):
    make.a_body(session, key="moved", name="Second", valid_from="2012-05-16", valid_to="2020")
    make.a_body(session, key="moved", name="First", valid_from="2000", valid_to="2012-05-16")

    assert places.body(session, "moved", as_of=day).name == name


def test_an_unknown_body_is_told_by_its_key(session):
    with pytest.raises(BodyNotFound, match="There is no organisation “nobody”"):
        places.body(session, "nobody", as_of=DAY)


def test_bodies_of_one_name_stand_by_key_wherever_they_serve(session):
    for key in ("c", "a", "b"):
        make.a_body(session, key=key, serves=["county:01"])

    assert [body.key for body in places.bodies_in(session, as_of=DAY)] == ["a", "b", "c"]
    assert [body.key for body in places.bodies(session, as_of=DAY)] == ["a", "b", "c"]


def test_bodies_of_one_name_that_serve_an_area_stand_by_key(session):
    for key in ("c", "a", "b"):
        make.a_body(session, key=key, serves=["county:01"])

    found = places.bodies_serving(session, "county:01", as_of=DAY)

    assert [body.key for body in found] == ["a", "b", "c"]


def names_in_order(url):
    """Names as a new store at an address orders them."""
    engine = store.open_store(url)
    try:
        store.set_up(engine)
        with store.reading(engine, srid=make.SRID) as session:
            for name in ("Zoo", "Õru", "aru", "Aru", "A-b", "Ab"):
                make.a_body(session, name=name)
            return [body.name for body in places.bodies(session, as_of=DAY)]
    finally:
        engine.dispose()


@pytest.mark.postgis
def test_a_server_of_another_language_orders_as_sqlite_does(postgis, tmp_path):
    url = postgis.create(options="LOCALE_PROVIDER icu ICU_LOCALE 'et' LOCALE 'C'")
    try:
        on_server = names_in_order(url)
    finally:
        postgis.drop(url)

    assert on_server == names_in_order(f"sqlite:///{tmp_path / 'store.sqlite'}")


# --- Areas

cells = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["county", "municipality"]),
            "west": st.integers(0, 3),
            "south": st.integers(0, 3),
            "wide": st.integers(1, 3),
            "high": st.integers(1, 3),
            "valid_from": partial_dates,
            "valid_to": partial_dates,
        }
    ),
    max_size=6,
)
# Corners and middles of the grid below, so that many points lie on borders.
grid = st.tuples(st.integers(-1, 13), st.integers(-1, 13))


def at_grid(x, y):
    return 24 + x / 8, 58 + y / 8


def a_cell(facts):
    west, south = at_grid(2 * facts["west"], 2 * facts["south"])
    east, north = at_grid(2 * (facts["west"] + facts["wide"]), 2 * (facts["south"] + facts["high"]))
    return shapely.box(west, south, east, north)


def laid_out(session, world):
    """Areas of a world: key → facts and the metric shape."""
    there = {}
    for number, facts in enumerate(world):
        code = f"{99 - number}"
        dates = {name: facts[name] for name in ("valid_from", "valid_to")}
        make.an_area(session, kind=facts["kind"], code=code, shape=a_cell(facts), **dates)
        there[f"{facts['kind']}:{code}"] = (facts, make.metric(a_cell(facts)))
    return there


@EVERY
@given(world=cells, day=days)
def test_areas_of_a_kind_stand_by_code(session, world, day):
    with make.undone(session):
        there = laid_out(session, world)

        found = places.areas(session, "county", as_of=day)

        assert [area.key for area in found] == sorted(
            key for key, (facts, _) in there.items() if facts["kind"] == "county" and was_so(facts, day)
        )


@EVERY
@given(world=cells, day=days, at=grid)
def test_areas_at_a_point_are_all_that_hold_or_touch_it_the_largest_first(session, world, day, at):
    lon, lat = at_grid(*at)
    point = make.metric(shapely.Point(lon, lat))
    with make.undone(session):
        there = {key: shape for key, (facts, shape) in laid_out(session, world).items() if was_so(facts, day)}

        found = places.areas_at(session, Place(lon=lon, lat=lat), as_of=day)

        inside = [key for key in sorted(there) if there[key].intersects(point)]
        assert [area.key for area in found] == sorted(inside, key=lambda key: -there[key].area)


@pytest.mark.parametrize("corner", [(25, 58), (25, 59)])
def test_a_point_on_a_border_lies_in_both_areas(session, corner):
    make.an_area(session, code="01", shape=shapely.box(24, 58, 25, 59))
    make.an_area(session, code="02", shape=shapely.box(25, 58, 26.5, 59))
    lon, lat = corner

    found = places.areas_at(session, Place(lon=lon, lat=lat), as_of=DAY)

    assert [area.code for area in found] == ["02", "01"]


def test_a_hole_is_no_part_of_an_area(session):
    make.an_area(session, shape=shapely.box(24, 58, 25, 59) - shapely.box(24.4, 58.4, 24.6, 58.6))

    assert places.areas_at(session, Place(lon=24.5, lat=58.5), as_of=DAY) == []
    assert len(places.areas_at(session, Place(lon=24.2, lat=58.5), as_of=DAY)) == 1


def test_areas_of_one_size_stand_by_key(session):
    for code in ("03", "01", "02"):
        make.an_area(session, code=code)

    found = places.areas_at(session, Place(lon=24.5, lat=58.5), as_of=DAY)

    assert [area.code for area in found] == ["01", "02", "03"]


@EVERY
@given(world=cells, day=days, low=grid, size=st.tuples(st.integers(1, 6), st.integers(1, 6)))
def test_shapes_in_a_frame_are_those_that_meet_it(session, world, day, low, size):
    west, south = at_grid(*low)
    east, north = at_grid(low[0] + size[0], low[1] + size[1])
    frame = Bbox(west=west, south=south, east=east, north=north)
    with make.undone(session):
        there = {
            key: shape
            for key, (facts, shape) in laid_out(session, world).items()
            if was_so(facts, day) and facts["kind"] == "county"
        }

        found = places.shapes(session, "county", as_of=day, bbox=frame)
        whole = places.shapes(session, "county", as_of=day)

        edge = make.metric(shapely.segmentize(frame.polygon(), 0.1))
        assert [area.key for area, _ in found] == [
            key for key in sorted(there) if there[key].intersects(edge)
        ]
        assert [area.key for area, _ in whole] == sorted(there)
        for area, shape in whole:
            facts, code = world[99 - int(area.code)], area.code
            assert shapely.hausdorff_distance(shape, a_cell(facts)) < 1e-6, code


def test_no_shapes_are_an_empty_list(session):
    frame = Bbox(west=24, south=58, east=25, north=59)

    assert places.shapes(session, "county", as_of=DAY) == []
    assert places.shapes(session, "county", as_of=DAY, bbox=frame) == []


def test_one_area_is_told_with_all_its_facts(session):
    make.an_area(
        session, code="01", parent="land:ee", facts={"population": "5"}, as_of="2018", source="Statistics"
    )

    found = places.area(session, "county", "01", as_of=DAY)

    assert found == places.Area(
        kind="county",
        code="01",
        names={"en": "The county 01"},
        parent="land:ee",
        accuracy="approximate",
        facts={"population": "5"},
        valid_from="",
        valid_to="",
        source=places.Source("Statistics", "", "2018"),
    )
    assert found.key == "county:01"


def test_an_area_that_has_ended_is_told_as_it_was_last(session):
    make.an_area(session, code="01", valid_to="2017")

    assert places.area(session, "county", "01", as_of=DAY).valid_to == "2017"


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(1900, 1, 1), "Before"),
        (date(2016, 12, 31), "Before"),
        (date(2017, 1, 1), "After"),
        (date(2030, 1, 1), "After"),
    ],
)
def test_one_area_is_told_as_it_was_on_the_day_or_in_its_nearest_state(session, day, name):
    # The states stand in another order than they followed each other.
    make.an_area(session, code="01", valid_from="2017", valid_to="2025", names={"en": "After"})
    make.an_area(session, code="01", valid_from="1918", valid_to="2017", names={"en": "Before"})

    assert places.area(session, "county", "01", as_of=day).names["en"] == name


def test_an_unknown_area_is_told_by_kind_and_code(session):
    with pytest.raises(AreaNotFound, match="There is no area “99” of the kind “county”"):
        places.area(session, "county", "99", as_of=DAY)


# --- The gazetteer

towns = st.lists(
    st.fixed_dictionaries(
        {
            "at": spots,
            "population": st.none() | st.integers(0, 5) | st.integers(0, 500_000),
            "valid_from": partial_dates,
            "valid_to": partial_dates,
        }
    ),
    max_size=7,
)


@EVERY
@given(world=towns, day=days, least=st.sampled_from([0, 1, 3, 1000]))
def test_settlements_come_the_most_populous_first_and_then_by_key(session, world, day, least):
    with make.undone(session):
        for number, facts in enumerate(world):
            make.a_settlement(session, key=f"{9900 - number}", **facts)

        found = places.settlements(session, as_of=day, least_population=least)

        there = {f"{9900 - n}": facts for n, facts in enumerate(world) if was_so(facts, day)}
        wanted = [key for key, facts in there.items() if not least or (facts["population"] or 0) >= least]
        assert [town.key for town in found] == sorted(
            wanted, key=lambda k: (-(there[k]["population"] or 0), k)
        )
        for town in found:
            assert town.population == there[town.key]["population"]
            assert (town.place.lon, town.place.lat) == there[town.key]["at"]


def test_settlement_names_are_given_by_code(session):
    make.a_settlement(session, key="1001", name="Esimene")
    make.a_settlement(session, key="1002", name="Teine")

    assert places.settlement_names(session, ["1002", "9999"]) == {"1002": "Teine"}
    assert places.settlement_names(session, []) == {}


# --- About the data


def test_of_every_resource_the_newest_edition_is_told_by_name(session):
    for name, day in (("watch", "2026-01-01"), ("police", "2026-01-02"), ("watch", "2026-01-03")):
        make.an_edition(session, name=name, loaded_at=day, rows=3)

    found = places.editions(session)

    assert [(edition.name, edition.loaded_at, edition.rows) for edition in found] == [
        ("police", "2026-01-02", 3),
        ("watch", "2026-01-03", 3),
    ]


def test_a_resource_whose_newest_edition_has_no_rows_is_not_listed(session):
    make.an_edition(session, name="watch", rows=3)
    make.an_edition(session, name="police", rows=3)
    make.an_edition(session, name="watch", rows=0)

    assert [edition.name for edition in places.editions(session)] == ["police"]


def test_revisions_are_told_by_layer(session):
    assert places.revisions(session) == {}
    session.add(model.Revision(layer="police", number=4))
    session.flush()

    assert places.revisions(session) == {"police": 4}


# --- Cost and order

WIDE = (-1e7, -1e7, 1e8, 1e8)
QUESTIONS = {
    "bodies": lambda session: places.bodies(session, as_of=DAY),
    "bodies_serving": lambda session: places.bodies_serving(session, "county:01", as_of=DAY),
    "bodies_in": lambda session: places.bodies_in(session, as_of=DAY, county="01"),
    "points_near": lambda session: places.points_near(session, WIDE, layer="villages", as_of=DAY),
    "areas": lambda session: places.areas(session, "county", as_of=DAY),
    "areas_at": lambda session: places.areas_at(session, Place(lon=24.5, lat=58.5), as_of=DAY),
    "shapes": lambda session: places.shapes(session, "county", as_of=DAY),
    "settlements": lambda session: places.settlements(session, as_of=DAY),
    "settlement_names": lambda session: places.settlement_names(session, ["1", "2", "3"]),
    "revisions": places.revisions,
    "editions": places.editions,
}


def one_more(session: Session, number: int) -> None:
    make.a_body(session, name=f"Selts {number}", county="01", serves=["county:01", "county:02"])
    make.an_area(session, code=f"{number:02}")
    make.a_settlement(session, key=f"{number}")
    make.an_edition(session, name=f"resource-{number}", rows=1)
    session.add(model.Revision(layer=f"layer-{number}", number=1))
    session.flush()


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_three_things_cost_as_many_statements_as_one(session, question):
    make.an_edition(session, name="resource-1", rows=1)
    one_more(session, 1)
    with make.counted(session) as for_one:
        one = question(session)
    one_more(session, 2)
    one_more(session, 3)

    with make.counted(session) as for_three:
        three = question(session)

    assert (len(one), len(three)) == (1, 3)
    assert len(for_three) == len(for_one)
    assert 1 <= len(for_one) <= 2


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_the_same_question_gives_the_same_answer(session, question):
    for number in (3, 1, 2):
        one_more(session, number)

    assert repr(question(session)) == repr(question(session))


def test_an_ended_area_keeps_its_name(session):
    make.an_area(session, code="01", names={"et": "Vana"}, valid_to="2017")
    make.an_area(session, code="02", names={"et": "Enne"}, valid_to="2017")
    make.an_area(session, code="02", names={"et": "Nüüd"}, valid_from="2017")

    assert places.area_names(session) == {"county:01": {"et": "Vana"}, "county:02": {"et": "Nüüd"}}
