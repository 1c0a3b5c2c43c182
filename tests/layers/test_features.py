"""Features held against a naive twin: days, frames, filters and pages, on both stores."""

from datetime import date

import numpy as np
import pytest
import shapely
from pyproj import Transformer

from layers import cql, features, geo, store
from layers.errors import LayerNotFound
from layers.features import Asker, FeatureNotFound, Frame, Question
from tests import make

TODAY = date(2026, 11, 22)
_TO_METRES = Transformer.from_crs(4326, make.SRID, always_xy=True)
_DAYS = ["", "2012", "2015-06", "2018-03-04", "2020-01-01"]


@pytest.fixture
def asker(session, instance):
    return Asker(session, instance, "en", TODAY)


def of(asker, key):
    return features.collection(asker.instance, key)


def on(first, last=None, frames=(), text="", is_metric=False, kind="bodies"):
    only = cql.read(text, form=cql.TEXT_FORM, properties=features.kinds(kind)) if text else None
    return Question(first, last or first, tuple(frames), (text,), only, is_metric)


def keys(asker, collection, asked, *, most=1000, after=""):
    return [one.key for one in features.page(asker, collection, asked, after=after, most=most).features]


def walked(asker, collection, asked, *, most):
    """All keys, page by page."""
    found, after = [], ""
    while after is not None:
        page = features.page(asker, collection, asked, after=after, most=most)
        assert len(page.features) <= most
        found += [one.key for one in page.features]
        after = page.after
    return found


# --- A world, and what it should answer


def a_world(session, rng, *, things=60):
    """Organisations with one to three states each: rows as they were made."""
    made = []
    for number in range(things):
        turns = sorted(rng.choice(len(_DAYS), size=rng.integers(1, 4), replace=False).tolist())
        for at, turn in enumerate(turns):
            ends = _DAYS[turns[at + 1]] if at + 1 < len(turns) else rng.choice(["", "", "2024"])
            place = (round(rng.uniform(23.5, 26.5), 4), round(rng.uniform(57.5, 59.5), 4))
            row = {
                "key": f"b{number:03}",
                "form": str(rng.choice(["station", "association"])),
                "county": str(rng.choice(["", "01", "02"])),
                "as_of": str(rng.choice(["", "2015", "2019-05"])),
                "valid_from": _DAYS[turn],
                "valid_to": str(ends),
                "at": place if rng.random() > 0.1 else None,
            }
            made.append(row)
            make.a_body(session, layer="villages", **row)
    return made


def twin(rows, first, last, is_meant):
    """Which keys answer: of the states that overlap the days the newest is asked."""
    newest = {}
    for row in sorted(rows, key=lambda row: row["valid_from"]):
        has_ended = row["valid_to"] != "" and row["valid_to"] <= first.isoformat()
        if row["valid_from"] <= last.isoformat() and not has_ended:
            newest[row["key"]] = row
    return sorted(key for key, row in newest.items() if is_meant(row))


def in_degrees(bounds):
    west, south, east, north = bounds
    return lambda row: bool(row["at"]) and west <= row["at"][0] <= east and south <= row["at"][1] <= north


def in_metres(bounds):
    west, south, east, north = bounds

    def is_in(row):
        if not row["at"]:
            return False
        x, y = (round(one, 1) for one in _TO_METRES.transform(*row["at"]))
        return west <= x <= east and south <= y <= north

    return is_in


_FILTERS = [
    ("form = 'station'", lambda row: row["form"] == "station"),
    ("county IN ('01','02') AND form <> 'station'", lambda row: row["county"] and row["form"] != "station"),
    ("county IS NULL OR as_of >= '2019'", lambda row: not row["county"] or row["as_of"] >= "2019"),
    ("NOT (county = '01')", lambda row: row["county"] == "02"),  # What is not known is not “not 01”.
    ("key LIKE 'b01%'", lambda row: row["key"].startswith("b01")),
    ("freshness = 'undated'", lambda row: not row["as_of"]),
    ("T_BEFORE(valid_from, DATE('2016-01-01'))", lambda row: "" < row["valid_from"] < "2016"),
]


def test_every_answer_is_the_twins(session, asker):
    rng = np.random.default_rng(7)
    rows = a_world(session, rng)
    villages, checked = of(asker, "villages"), 0

    for _ in range(40):
        days = [date(int(rng.integers(2010, 2028)), int(rng.integers(1, 13)), 15) for _ in range(2)]
        first, last = sorted(days) if rng.random() < 0.5 else (days[0], days[0])
        frames, parts, text = [], [], ""
        kind = rng.integers(0, 4)
        low, high = (rng.uniform((23, 57), (25, 58.5)), rng.uniform((25, 58.5), (27, 60)))
        bounds = tuple(float(one) for one in (*low.round(3), *high.round(3)))
        if kind == 1:
            frames, parts = [Frame(bounds)], [in_degrees(bounds)]
        elif kind == 2:
            corners = _TO_METRES.transform([bounds[0], bounds[2]], [bounds[1], bounds[3]])
            metric = (corners[0][0], corners[1][0], corners[0][1], corners[1][1])
            frames, parts = [Frame(metric, True)], [in_metres(metric)]
        elif kind == 3:
            # Round the back of the earth: what lies west of one and east of another meridian.
            frames = [Frame((25.5, 57, 180, 60)), Frame((-180, 57, 24, 60))]
            parts = [lambda row: bool(row["at"]) and not 24 < row["at"][0] < 25.5]
        if rng.random() < 0.6:
            text, is_so = _FILTERS[rng.integers(len(_FILTERS))]
            parts.append(is_so)
        asked = on(first, last, frames, text)

        wanted = twin(rows, first, last, lambda row: all(part(row) for part in parts))  # noqa: B023

        assert walked(asker, villages, asked, most=int(rng.integers(1, 30))) == wanted, asked
        assert features.matched(asker, villages, asked) == len(wanted)
        checked += bool(wanted)
    assert checked > 20


def test_shapes_of_a_filter_are_met_as_published(session, asker):
    rng = np.random.default_rng(8)
    shapes = {f"a{i:02}": shapely.Point(*rng.uniform((24, 58), (26, 59))).buffer(0.1, 3) for i in range(25)}
    for code, shape in shapes.items():
        make.an_area(session, kind="county", code=code, shape=shape)
    counties = of(asker, "counties")
    every = features.page(asker, counties, on(TODAY), most=100).features
    given = features.written(every, srid=make.SRID, is_metric=False, is_swapped=False)
    drawn = {one.key: shapely.from_geojson(text) for one, text in zip(every, given, strict=True)}

    for name, test in (
        ("S_INTERSECTS", shapely.intersects),
        ("S_WITHIN", shapely.within),
        ("S_DISJOINT", shapely.disjoint),
        ("S_CONTAINS", shapely.contains),
    ):
        for west, south in rng.uniform((24, 58), (26, 59), size=(4, 2)).round(2):
            size = 0.02 if name == "S_CONTAINS" else 0.4
            box = shapely.box(west, south, west + size, south + size)
            text = f"{name}(geometry, {box.wkt})"
            wanted = [key for key, shape in drawn.items() if test(shape, box)]

            assert keys(asker, counties, on(TODAY, text=text, kind="areas")) == wanted, text


def test_a_box_that_is_a_published_point_meets_it(session, asker):
    make.a_body(session, key="here", at=(25.12345, 58.54321))

    assert keys(asker, of(asker, "villages"), on(TODAY, frames=[Frame((25.12345, 58.54321) * 2)])) == ["here"]
    assert keys(asker, of(asker, "villages"), on(TODAY, frames=[Frame((25.12346, 58.54321) * 2)])) == []


def test_a_box_around_the_whole_world_meets_everything_that_has_a_place(session, asker):
    make.a_body(session, key="placed")
    make.a_body(session, key="placeless", at=None)

    assert keys(asker, of(asker, "villages"), on(TODAY)) == ["placed", "placeless"]
    assert keys(asker, of(asker, "villages"), on(TODAY, frames=[Frame((-180, -90, 180, 90))])) == ["placed"]


def test_pages_miss_and_repeat_nothing_that_stays_while_things_come_and_go(session, asker):
    for number in range(0, 40, 2):
        make.a_body(session, key=f"b{number:02}")
    villages, asked = of(asker, "villages"), on(TODAY)
    first = features.page(asker, villages, asked, most=8)

    make.a_body(session, key="b01")  # Behind the reader,
    make.a_body(session, key="b15")  # and before.
    session.delete(session.query(type(make.a_body(session, key="zz"))).filter_by(key="b02").one())
    session.flush()
    rest = keys(asker, villages, asked, after=first.after)

    assert [one.key for one in first.features] == [f"b{number:02}" for number in range(0, 16, 2)]
    assert rest == ["b15", *[f"b{number:02}" for number in range(16, 40, 2)], "zz"]


def test_a_filter_that_finds_little_in_much_comes_back_and_says_where_to_go_on(session, asker, monkeypatch):
    for number in range(60):
        make.a_body(session, key=f"b{number:02}", form="station" if number == 55 else "association")
    monkeypatch.setattr(features, "_BATCH", 10)
    monkeypatch.setattr(features, "_MOST_READ", 10)
    monkeypatch.setattr(features, "_MOST_COUNTED", 20)
    villages = of(asker, "villages")
    asked = on(TODAY, text="NOT form <> 'station'")  # Nothing that a store can be asked first.

    page = features.page(asker, villages, asked, most=5)

    assert (page.features, page.after) == ((), "b09")
    assert features.matched(asker, villages, asked) is None
    assert walked(asker, villages, asked, most=5) == ["b55"]
    assert walked(asker, villages, on(TODAY, text="form = 'station'"), most=5) == ["b55"]


def test_a_page_of_a_big_layer_reads_a_page_and_not_the_layer(session, asker):
    for number in range(300):
        make.an_area(session, kind="county", code=f"c{number:03}", shape=shapely.box(24, 58, 24.1, 58.1))
    with make.counted(session) as said:
        page = features.page(asker, of(asker, "counties"), on(TODAY), after="county:c099", most=10)

    assert [one.key for one in page.features] == [f"county:c{number}" for number in range(100, 110)]
    assert len(said) <= 3  # Areas and their editions.
    if session.get_bind().dialect.name == "sqlite":
        query = features._query(
            asker, of(asker, "counties"), on(TODAY), features._whole(asker, of(asker, "counties"))
        )
        text = (
            query.order_by(features.model.Area.key)
            .limit(10)
            .compile(session.get_bind(), compile_kwargs={"literal_binds": True})
        )
        plan = [row[3] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
        assert any("ix_area_key" in line and "key>" in line for line in plan), plan
        assert not any("ORDER BY" in line for line in plan), plan


def test_one_feature_is_told_of_a_day_or_as_near_to_it_as_it_is_known(session, asker):
    make.a_body(session, key="b", name="Old", valid_from="2010", valid_to="2015")
    make.a_body(session, key="b", name="New", valid_from="2015", valid_to="2020")
    villages = of(asker, "villages")

    def name(day):
        return features.feature(asker, villages, "b", day=day).properties["name"]

    assert [name(date(2012, 1, 1)), name(date(2015, 1, 1)), name(None)] == ["Old", "New", "New"]
    with pytest.raises(FeatureNotFound):
        name(date(2021, 1, 1))
    with pytest.raises(FeatureNotFound):
        features.feature(asker, of(asker, "police"), "b", day=None)


def test_what_is_hidden_or_taken_back_is_no_feature(session, asker):
    edition = make.an_edition(session)
    make.a_body(session, key="shown")
    make.a_body(session, key="hidden", hidden_in=edition)
    make.a_body(session, key="retired", retired_in=edition)
    villages = of(asker, "villages")

    assert keys(asker, villages, on(TODAY)) == ["shown"]
    assert keys(asker, villages, on(date.min, date.max)) == ["shown"]
    assert features.matched(asker, villages, on(TODAY)) == 1
    for key in ("hidden", "retired"):
        with pytest.raises(FeatureNotFound):
            features.feature(asker, villages, key, day=None)


def test_every_feature_has_every_property_and_a_count_the_shape_of_its_area(session, asker):
    edition = make.an_edition(session, licence="CC-BY-4.0")
    make.a_body(session, key="b", edition=edition, as_of="2020", serves=("county:01", "county:02"))
    make.a_case(session, key="c", at=(25, 58.5), bodies=("b",), areas=("county:01",))
    make.an_area(session, facts={"population": "120", "area_km2": "9.5", "population_as_of": "2017"})
    make.a_settlement(session, key="s")
    make.a_count(session, key="n", number=None)
    counts = features.Collection("counts", "counts", "", {}, {})
    named = {"villages": "b", "cases": "c", "counties": "county:01", "settlements": "s"}

    found = {key: features.feature(asker, of(asker, name), key, day=None) for name, key in named.items()}
    found["n"] = features.feature(asker, counts, "n", day=None)

    for kind, key in (
        ("bodies", "b"),
        ("cases", "c"),
        ("areas", "county:01"),
        ("settlements", "s"),
        ("counts", "n"),
    ):
        assert [*found[key].properties] == [one.name for one in features.properties(kind)]
    told = found["b"].properties
    assert (told["licence"], told["as_of"], told["serves"]) == (
        "CC-BY-4.0",
        "2020",
        ["county:01", "county:02"],
    )
    assert found["c"].properties["areas"] == ["county:01"]
    area = found["county:01"].properties
    assert (area["population"], area["area_km2"], area["population_as_of"]) == (120, 9.5, "2017")
    assert found["n"].shape.equals(found["county:01"].shape)
    assert found["n"].properties["number"] is None


def test_shapes_are_given_in_degrees_and_metres_in_the_order_that_is_asked(session, asker):
    make.a_body(session, key="b", at=(25, 58.5))
    make.a_body(session, key="c", at=None)
    found = features.page(asker, of(asker, "villages"), on(TODAY), most=5).features
    x, y = (round(one, 1) for one in _TO_METRES.transform(25, 58.5))

    def given(**how):
        texts = features.written(found, srid=make.SRID, **how)
        assert texts[1] is None
        return shapely.get_coordinates(shapely.from_geojson(texts[0]))[0].tolist()

    assert given(is_metric=False, is_swapped=False) == [25, 58.5]
    assert given(is_metric=False, is_swapped=True) == [58.5, 25]
    assert given(is_metric=True, is_swapped=False) == [x, y]
    assert given(is_metric=True, is_swapped=True) == [y, x]
    assert (geo.is_north_first(3301), geo.is_north_first(3857)) == (True, False)


def test_the_extent_holds_everything_and_the_span_of_days_is_open_where_something_lasts(session, asker):
    make.a_body(session, at=(24.5, 58.25), valid_from="2012-05", valid_to="2020")
    make.a_body(session, at=(25.5, 58.75), valid_from="2014", valid_to="2018")
    villages = of(asker, "villages")

    assert features.bounds(asker, villages) == (24.5, 58.25, 25.5, 58.75)
    assert features.days(asker, villages) == ("2012-05", "2020")
    make.a_body(session, at=None, valid_from="2015")
    assert features.days(asker, villages) == ("2012-05", "")
    assert features.bounds(asker, of(asker, "police")) is None


def test_every_layer_is_a_collection_and_nothing_else_is(asker):
    found = [one.key for one in features.collections(asker.instance)]

    assert found == ["police", "villages", "cases", "counties", "settlements", "land"]
    with pytest.raises(LayerNotFound):
        of(asker, "cells")
    assert store.srid_of(asker.session) == make.SRID
