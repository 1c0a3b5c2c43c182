"""Where people are: cells when the instance has them, else places that keep the municipal totals."""

from datetime import date

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from layers import geo, imports, model, store
from layers.gaps import demand
from layers.gaps.demand import NobodyToCount
from layers.geo import Place
from layers.places import Settlement
from tests import make
from tests.conftest import ROOT

DAY = date(2020, 6, 15)
CELLS = ROOT.parent / "shared" / "data" / "real" / "ee-ut-geopython-2019" / "population_square_km.shp"
towns = st.lists(
    st.tuples(st.sampled_from(["01", "02", "03"]), st.none() | st.integers(0, 5000)), min_size=1, max_size=30
)
totals = st.dictionaries(st.sampled_from(["01", "02"]), st.integers(0, 20_000).map(float))


def town(municipality, population):
    return Settlement("1", "Küla", municipality, "1", Place(lon=25, lat=58), population, "")


@given(towns, totals)
def test_the_places_of_a_municipality_have_its_total_and_counted_ones_keep_their_figure(found, totals):
    rows = [town(*one) for one in found]

    people, estimated = demand.spread(rows, totals)

    for code in {row.municipality for row in rows}:
        there = [i for i, row in enumerate(rows) if row.municipality == code]
        known = sum(rows[i].population or 0 for i in there)
        assert people[there].sum() == pytest.approx(totals.get(code, known))
        if code not in totals:
            assert not estimated[there].any()
        blanks = [i for i in there if rows[i].population is None]
        if code in totals and blanks and known <= totals[code]:
            assert len({*people[blanks].round(9)}) == 1
            assert estimated[blanks].all()
            counted = [i for i in there if i not in blanks]
            assert [people[i] for i in counted] == [rows[i].population for i in counted]


def a_cell(session, key, at, people):
    fact = {"digest": "0" * 64, "source": "Made up", "edition_id": make.an_edition(session)}
    row = model.Cell(key=key, people=people, size_m=1000, geom=shapely.set_srid(at, make.SRID), **fact)
    session.add(row)
    session.flush()


def test_cells_are_asked_before_places_and_lie_in_their_areas(session):
    make.an_area(session, kind="municipality", code="0101", shape=shapely.box(24, 58, 25, 59))
    make.an_area(session, kind="municipality", code="0102", shape=shapely.box(25, 58, 26, 59))
    make.a_settlement(session, population=7)
    east = make.metric(shapely.Point(25.5, 58.5))
    far = make.metric(shapely.Point(23.9, 58.5))
    a_cell(session, "b", far, 3)
    a_cell(session, "a", east, 40)

    found = demand.of_store(session, as_of=DAY)

    assert (found.basis, found.keys) == ("cells", ("a", "b"))
    assert found.people.tolist() == found.density_km2.tolist() == [40.0, 3.0]
    assert found.zones == {"municipality": ("0102", "0101"), "county": ("", "")}
    assert not found.estimated.any()
    np.testing.assert_allclose(found.points, shapely.get_coordinates([east, far]))


def test_without_cells_places_carry_the_people_of_their_municipality(session):
    make.an_area(session, kind="municipality", code="0101", facts={"population": "100", "area_km2": "50"})
    make.a_settlement(session, key="1", population=70)
    make.a_settlement(session, key="2")
    make.a_settlement(session, key="3")

    found = demand.of_store(session, as_of=DAY)

    assert (found.basis, found.keys) == ("places", ("1", "2", "3"))
    assert found.people.tolist() == [70.0, 15.0, 15.0]
    assert found.estimated.tolist() == [False, True, True]
    assert found.density_km2.tolist() == [2.0, 2.0, 2.0]
    assert found.only(found.estimated).within("municipality", "0101").tolist() == [True, True]


def test_nobody_to_count_is_told(session):
    make.a_settlement(session)

    with pytest.raises(NobodyToCount, match="load population cells"):
        demand.of_store(session, as_of=DAY)


@pytest.fixture(scope="module")
def known(estonia, tmp_path_factory):
    """Where the people of Estonia are, out of the box."""
    engine = store.open_store(f"sqlite:///{tmp_path_factory.mktemp('ee') / 'ee.sqlite'}")
    imports.load(engine, estonia, now=make.moment(date(2026, 11, 22)))
    with store.reading(engine, srid=estonia.metric_crs) as session:
        yield demand.of_store(session, as_of=DAY)
    engine.dispose()


@pytest.mark.slow
def test_people_on_places_agree_with_real_cells_as_far_as_the_page_says(known):
    """Share of people within some kilometres of random settlements: places against the grid of Tartu."""
    if not CELLS.exists():
        pytest.skip("The cells of Tartu lie outside the repository and are not here.")
    import geopandas

    frame = geopandas.read_file(CELLS)
    squares = frame.geometry.to_numpy()
    cells, people = shapely.get_coordinates(shapely.centroid(squares)), frame["Population"].to_numpy(float)
    known = known.only(shapely.contains_xy(shapely.union_all(squares), known.points))
    chance = np.random.default_rng(1)
    errors = []
    for reach_m in (3_000, 5_000, 8_000, 10_000):
        for _ in range(100):
            units = cKDTree(known.points[chance.integers(0, len(known), chance.integers(1, 6))])
            told = known.people @ (units.query(known.points)[0] <= reach_m) / known.people.sum()
            errors.append(abs(told - people @ (units.query(cells)[0] <= reach_m) / people.sum()))

    assert known.people.sum() == pytest.approx(people.sum(), rel=0.03)
    assert np.mean(errors) < demand.PLACES_ERROR
    assert np.quantile(errors, 0.9) < demand.PLACES_ERROR_OFTEN


def test_land_is_counted_in_squares_whose_middle_is_dry(session):
    shape = shapely.box(500_000, 6_400_000, 503_000, 6_402_400).difference(
        shapely.box(501_000, 6_400_000, 502_000, 6_401_000)
    )
    degrees = geo.to_degrees([shapely.segmentize(shape, 100)], srid=make.SRID)[0]
    make.an_area(session, kind="land", code="ee", shape=degrees)
    make.an_area(session, kind="county", code="01", shape=degrees)

    found = demand.of_land(session, as_of=DAY)

    expected = [(e, n) for e in (500.5, 501.5, 502.5) for n in (400.5, 401.5) if (e, n) != (501.5, 400.5)]
    assert sorted(map(tuple, found.points / 1000 - (0, 6000))) == sorted(expected)
    assert found.people.sum() == 5.0
    assert set(found.zones["county"]) == {"01"}
