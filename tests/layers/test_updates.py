"""The whole way of an update, against a server that behaves as official ones do."""

import shutil
from datetime import UTC, datetime

import numpy as np
import pytest
import shapely
import yaml
from shapely import box

from layers import catalog, editions, geo, imports, places, store
from layers.errors import BadInstance
from layers.gaps import demand
from layers.updates import difference, run, wanted
from layers.updates.fetch import Client
from layers.updates.kept import Shelf
from layers.updates.known import Ground
from tests import make
from tests.layers.official import PICTURE, Served, a_cube, a_gml, a_wfs, a_zip, features, serving, zipped

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
TODAY = NOW.date()
WEST, EAST = box(24, 58, 25.2, 59), box(25.2, 58, 26, 59)


@pytest.fixture
def server():
    with serving() as found:
        yield found


def metric(*shapes):
    """Shapes in degrees as metres, with enough corners to stay where they were."""
    return list(geo.to_metric(shapely.segmentize(shapes, 0.1), srid=make.SRID))


def a_range():
    west, south, east, north = shapely.total_bounds(metric(box(23.8, 57.8, 26.2, 59.2)))
    return [float(west), float(south), float(east), float(north)]


def a_source(key="counties-official", table="area", **changes):
    """An entry of updates.yaml: official counties as a zip."""
    return {
        "key": key,
        "title": {"et": f"Ametlik {key}", "en": f"Official {key}"},
        "table": table,
        "rhythm": "monthly",
        "licence": "CC0-1.0",
        "attribution": "Made up, {date}",
        "columns": {"code": "MKOOD", "name": "MNIMI"},
        "as_of": [{"column": "EKSPORT"}, {"inner": r"(\d{8})"}],
        "crs": 3301,
        "may_be": [4326],
        "range": a_range(),
        "encoding": "cp1257",
        "least_rows": 1,
        "least_bytes": 300,
        **({"layer": "counties", "kind": "county", "carried": ["names", "facts"]} if table == "area" else {}),
        **changes,
    }


def a_country(folder, *sources):
    """The tiny country with these sources in its updates.yaml."""
    make.an_instance(folder)
    make.write(folder, "updates.yaml", yaml.safe_dump({"sources": list(sources)}, allow_unicode=True))
    return catalog.read_instance(folder)


def zips(url, *paths):
    return [{"url": f"{url}{path}", "answer": "zip"} for path in paths]


def counties(codes=("01", "02"), names=("Lääs", "Ida Žõš"), shapes=None, **columns):
    columns = {"MKOOD": codes, "MNIMI": names, "EKSPORT": ["2026-04-01"] * len(codes), **columns}
    return a_zip("maakond_20260401", columns, metric(WEST, EAST) if shapes is None else shapes)


class World:
    """A store of the tiny country, and the ways to update it."""

    def __init__(self, engine, instance, state):
        self.engine, self.instance, self.state = engine, instance, state

    def offers(self, *only, folder=None, now=NOW):
        sources = wanted.chosen(wanted.read(self.instance), only)
        shelf = Shelf(self.state)
        client = Client(now=lambda: now, pause_s=0.0, backoff_s=0.0, tries=2, wait=lambda seconds: None)
        ways = run.offline(Shelf(folder)) if folder else run.online(client, shelf)
        with self.reading() as session:
            return run.prepare(
                session, self.instance, sources, ways, now=now, shelf=None if folder else shelf
            )

    def offer(self, *only, **how):
        (found,) = self.offers(*only, **how)
        return found

    def write(self, *offers):
        return [run.write(self.engine, self.instance, offer, now=NOW) for offer in offers]

    def reading(self):
        return store.reading(self.engine, srid=make.SRID)

    def areas(self):
        with self.reading() as session:
            return {area.code: area for area in places.areas(session, "county", as_of=TODAY)}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """A store file in which the tiny country is loaded."""
    folder = tmp_path_factory.mktemp("loaded")
    engine = store.open_store(f"sqlite:///{folder / 'store.sqlite'}")
    imports.load(engine, a_country(folder / "tiny"), now=NOW)
    engine.dispose()
    return folder / "store.sqlite"


@pytest.fixture
def world(loaded, tmp_path):
    """Makes a world of sources, on a store that is there already."""
    shutil.copyfile(loaded, tmp_path / "store.sqlite")
    engine = store.open_store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    yield lambda *sources: World(engine, a_country(tmp_path / "tiny", *sources), tmp_path / "state")
    engine.dispose()


@pytest.fixture
def written(engine, tmp_path):
    """The same on a new store of each kind."""

    def made(*sources):
        instance = a_country(tmp_path / "tiny", *sources)
        imports.load(engine, instance, now=NOW)
        return World(engine, instance, tmp_path / "state")

    return made


def figures(offer):
    plan = offer.plan
    assert offer.failure is None, offer.failure
    return len(plan.added), len(plan.changed), len(plan.ended), plan.unchanged


def notes(offer):
    return [str(note) for note in offer.notes]


# --- Areas


def test_official_areas_replace_approximate_ones_and_what_was_known_stays(server, written):
    server.files["/maakond_shp.zip"] = Served(counties())
    here = written(a_source(addresses=zips(server.url, "/maakond_shp.zip")))

    offer = here.offer()
    assert figures(offer) == (2, 0, 0, 0)
    assert here.areas()["01"].accuracy == "approximate"
    assert here.write(offer) == [True]

    west, east = (here.areas()[code] for code in ("01", "02"))
    assert (west.accuracy, west.names, west.facts["population"]) == (
        "official",
        {"et": "Lääs", "en": "West"},
        "01000",
    )
    assert (east.names["et"], east.source.as_of) == ("Ida Žõš", "2026-04-01")
    assert east.source.title == "Made up, 2026-04-01"


def test_the_share_of_land_that_changes_hands_is_told(server, world):
    server.files["/a.zip"] = Served(counties())

    found = world(a_source(addresses=zips(server.url, "/a.zip"))).offer().difference

    assert found.share == pytest.approx(0.1, abs=0.002)
    assert [one.code for one in found.largest] == ["01", "02"]
    assert found.largest[0].gained_km2 == pytest.approx(found.largest[1].lost_km2, rel=0.01)


def test_a_second_update_finds_nothing_new_and_fetches_nothing(server, world):
    server.files["/a.zip"] = Served(counties())
    here = world(a_source(addresses=zips(server.url, "/a.zip")))
    here.write(here.offer())

    again = here.offer()

    assert not again.collected.is_new
    assert server.asked[-1][1]["If-None-Match"] == '"1"'
    assert figures(again) == (0, 0, 0, 2)
    assert again.plan.does_nothing
    assert here.write(again) == [False]


def test_undoing_the_edition_brings_the_approximation_back(server, world):
    server.files["/a.zip"] = Served(counties())
    here = world(a_source(addresses=zips(server.url, "/a.zip")))
    here.write(here.offer())
    with here.reading() as session:
        number = max(session.scalars(editions.select(editions.Edition.id)).all())

    with store.writing(here.engine, srid=make.SRID) as session:
        editions.undo(session, number, now=NOW)
        session.commit()

    assert {area.accuracy for area in here.areas().values()} == {"approximate"}


def test_an_area_whose_code_has_changed_keeps_the_one_by_which_it_is_known(server, written):
    server.files["/a.zip"] = Served(counties(codes=("01", "09"), names=("Lääs", "Ida")))
    here = written(a_source(addresses=zips(server.url, "/a.zip")))

    offer = here.offer()
    here.write(offer)

    assert offer.shaped.matches.renamed_code == {"02": "09"}
    found = here.areas()
    assert sorted(found) == ["01", "02"]
    assert found["02"].facts == {"population": "02000", "official_code": "09"}
    assert {area.accuracy for area in found.values()} == {"official"}


def test_where_codes_are_only_reported_the_official_one_stands(server, world):
    server.files["/a.zip"] = Served(counties(codes=("01", "09"), names=("Lääs", "Ida")))
    here = world(a_source(addresses=zips(server.url, "/a.zip"), aliases="report"))

    offer = here.offer()

    assert offer.shaped.matches.renamed_code == {"02": "09"}
    assert [row.key for row in offer.plan.added] == ["county:01", "county:09"]


def test_a_picture_in_place_of_a_zip_is_told_and_the_second_address_serves(server, world):
    server.files |= {"/a.zip": Served(PICTURE), "/b.zip": Served(counties())}
    here = world(a_source(addresses=zips(server.url, "/a.zip", "/b.zip")))

    offer = here.offer()

    assert figures(offer) == (2, 0, 0, 0)
    assert [str(one) for one in offer.tried] == ["a.zip is no ZIP file, it is PNG of 282 bytes."]
    assert [file.name for file in (here.state / "counties-official").iterdir() if file.is_file()] == ["b.zip"]


def test_one_source_fails_and_the_others_go_on(server, world):
    server.files |= {"/a.zip": Served(PICTURE), "/wfs": Served(b"", page=a_wfs(people()))}
    here = world(a_source(addresses=zips(server.url, "/a.zip")), a_grid(server.url))

    bad, good = here.offers()
    here.write(bad, good)

    assert str(bad.failure) == "a.zip is no ZIP file, it is PNG of 282 bytes."
    assert bad.plan is None
    assert figures(good) == (3, 0, 0, 0)
    assert {area.accuracy for area in here.areas().values()} == {"approximate"}


def test_a_damaged_zip_is_fetched_once_more_from_the_beginning(server, world):
    whole = counties()
    spoilt = bytearray(whole)
    spoilt[120:160] = b"\0" * 40
    served = server.files["/a.zip"] = Served(bytes(spoilt))
    here = world(a_source(addresses=zips(server.url, "/a.zip")))
    assert "is damaged" in str(here.offer().failure)
    assert len(server.asked) == 2

    served.body = whole

    assert figures(here.offer()) == (2, 0, 0, 0)


def test_a_transfer_resumed_at_a_careless_server_does_not_mix_two_files(server, world):
    served = server.files["/a.zip"] = Served(counties(), cuts=[600, 0], ignores_validator=True)
    here = world(a_source(addresses=zips(server.url, "/a.zip")))
    assert "broke off" in str(here.offer().failure)
    served.body = counties(names=("Lääs", "Ida ja veel"))

    offer = here.offer()

    assert figures(offer) == (2, 0, 0, 0)
    assert [row.values["names"]["et"] for row in offer.plan.added] == ["Lääs", "Ida ja veel"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"codes": ("01", "01")}, "The code 01 stands there 2 times with different contents."),
        ({"names": ("Lääs", "")}, "Rows that cannot be used: 1 of 2, as 02: It is empty."),
    ],
)
def test_contradictions_load_nothing(server, world, spoil, said):
    server.files["/a.zip"] = Served(counties(**spoil))

    offer = world(a_source(addresses=zips(server.url, "/a.zip"))).offer()

    assert (str(offer.failure), offer.plan) == (said, None)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"least_rows": 3}, "Only 2 rows can be used; with fewer than 3 something is wrong."),
        ({"most_rows": 1}, "2 rows are more than the 1 that this source may have."),
        ({"least_bytes": 99999}, "bytes; less than 99999 cannot be right."),
        ({"most_bytes": 500}, "sends more than the 500 bytes"),
        ({"most_unpacked": 100}, "more than 100 are not opened."),
        ({"columns": {"code": "KOOD", "name": "MNIMI"}}, "The columns KOOD are missing."),
        ({"as_of": [{"column": "MNIMI"}]}, "The file does not say of which day it is."),
        ({"as_of": [{"value": "2027-01-01"}]}, "The file says that it is of 2027-01-01, which lies ahead."),
        ({"range": [0.0, 0.0, 1.0, 1.0], "may_be": []}, "The numbers fit no system"),
    ],
)
def test_what_is_not_as_it_must_be_loads_nothing(server, world, changes, said):
    server.files["/a.zip"] = Served(counties())

    offer = world(a_source(addresses=zips(server.url, "/a.zip"), **changes)).offer()

    assert said in str(offer.failure)
    assert offer.plan is None


def test_a_shape_that_crosses_itself_a_little_is_mended(server, world):
    west, east = metric(WEST, EAST)
    points = shapely.get_coordinates(west)
    spike = np.insert(points, 5, [points[4] + 30, points[4] - [30, 0], points[4]], axis=0)
    server.files["/a.zip"] = Served(counties(shapes=[shapely.Polygon(spike), east]))
    assert not shapely.Polygon(spike).is_valid

    offer = world(a_source(addresses=zips(server.url, "/a.zip"))).offer()

    assert notes(offer) == ["Shapes that crossed themselves were mended: 1."]
    assert all(row.values["geom"].is_valid for row in offer.plan.added)


def test_a_shape_that_mending_would_change_loads_nothing(server, world):
    west, east = metric(WEST, EAST)
    a, b, c, d = shapely.get_coordinates(shapely.box(*west.bounds))[:4]
    server.files["/a.zip"] = Served(counties(shapes=[shapely.Polygon([a, b, d, c]), east]))

    assert "It crosses itself" in str(world(a_source(addresses=zips(server.url, "/a.zip"))).offer().failure)


def test_parts_of_an_area_in_rows_of_their_own_are_joined_and_repeats_taken_once(server, world):
    parts = metric(box(24, 58, 24.5, 59), box(24.5, 58, 25.2, 59), EAST, EAST)
    told = counties(codes=("01", "01", "02", "02"), names=("Lääs", "Lääs", "Ida", "Ida"), shapes=parts)
    server.files["/a.zip"] = Served(told)

    offer = world(a_source(addresses=zips(server.url, "/a.zip"))).offer()

    assert figures(offer) == (2, 0, 0, 0)
    assert notes(offer) == [
        "Rows that stand there twice, word for word, were taken once: 1.",
        "Areas whose parts stand in rows of their own were joined: 1.",
    ]


@pytest.mark.parametrize(
    ("cells", "day"),
    [(["1899-12-30", "2026-03-01"], "2026-03-01"), (["1899-12-30", "1899-12-30"], "2026-04-01")],
)
def test_the_empty_day_is_no_day(server, world, cells, day):
    server.files["/a.zip"] = Served(counties(EKSPORT=cells))

    assert world(a_source(addresses=zips(server.url, "/a.zip"))).offer().shaped.as_of == day


# --- Where things lie


def wfs(url, **changes):
    return [{"url": f"{url}/wfs", "answer": "wfs-json", "type_name": "made:things", **changes}]


def turned(shape):
    return shapely.transform(shape, lambda points: points[:, ::-1])


@pytest.mark.parametrize(
    ("shape_of", "crs", "said"),
    [
        (lambda shape: shape, 3301, []),
        (
            lambda shape: shape,
            3035,
            ["The file declares EPSG:3035, its numbers are of EPSG:3301; they were believed."],
        ),
        (
            lambda shape: shape,
            None,
            ["The file declares EPSG:4326, its numbers are of EPSG:3301; they were believed."],
        ),
        (turned, 3301, ["The axes were swapped: the northing stands before the easting."]),
    ],
)
def test_numbers_tell_the_system_whatever_is_declared(server, world, shape_of, crs, said):
    told = features(
        {"MKOOD": ["01", "02"], "MNIMI": ["Lääs", "Ida"]}, [shape_of(one) for one in metric(WEST, EAST)]
    )
    server.files["/wfs"] = Served(b"", page=a_wfs(told, crs=crs))
    here = world(a_source(addresses=wfs(server.url), as_of=[{"live": True}]))

    offer = here.offer()

    assert notes(offer) == said
    expected = shapely.union_all(metric(WEST))
    assert shapely.hausdorff_distance(offer.plan.added[0].values["geom"], expected) < 1
    assert offer.shaped.as_of == "2026-11-22"


def test_numbers_that_fit_two_systems_load_nothing(server, world):
    told = features({"MKOOD": ["01", "02"], "MNIMI": ["Lääs", "Ida"]}, metric(WEST, EAST))
    server.files["/wfs"] = Served(b"", page=a_wfs(told, crs=None))
    here = world(a_source(addresses=wfs(server.url), as_of=[{"live": True}], may_be=[3300]))

    failure = str(here.offer().failure)

    assert failure.startswith("The numbers fit more than one system (EPSG:3301, EPSG:3300)")


def test_degrees_that_were_not_announced_are_moved(server, world):
    told = features({"MKOOD": ["01", "02"], "MNIMI": ["Lääs", "Ida"]}, [WEST, EAST])
    server.files["/wfs"] = Served(b"", page=a_wfs(told, crs=3301))

    offer = world(a_source(addresses=wfs(server.url), as_of=[{"live": True}])).offer()

    assert "its numbers are of EPSG:4326" in notes(offer)[0]
    assert here_degrees(offer.plan.added[0].values["geom"]) == pytest.approx((24, 58, 25.2, 59), abs=1e-4)


def here_degrees(shape):
    return shapely.bounds(geo.to_degrees([shape], srid=make.SRID)[0]).tolist()


# --- Pages of a service


def villages(number):
    """Features of settlements with Tallinn-like districts (type 6) and a pseudo row of type 0."""
    at = [shapely.Point(24.1 + 0.01 * n, 58.5) for n in range(number)]
    columns = {
        "AKOOD": [f"{n:04}" for n in range(number)],
        "ANIMI": [f"Küla {n}" for n in range(number)],
        "TYYP": ["0" if n == 1 else "6" if n == 2 else "8" for n in range(number)],
        "OKOOD": ["0101"] * number,
        "MKOOD": ["01"] * number,
    }
    return features(columns, metric(*[point.buffer(0.004, 4) for point in at]))


def a_gazetteer(url, **changes):
    columns = {"code": "AKOOD", "name": "ANIMI", "_type": "TYYP", "municipality": "OKOOD", "county": "MKOOD"}
    return a_source(
        "villages-official",
        "settlement",
        addresses=wfs(url, page=5),
        columns=columns,
        only={"_type": ["6", "8"]},
        as_of=[{"live": True}],
        carried=["population"],
        **changes,
    )


@pytest.mark.parametrize("matched", [True, False])
def test_a_service_that_sends_a_few_at_once_is_asked_until_all_are_there(server, world, matched):
    server.files["/wfs"] = Served(b"", page=a_wfs(villages(11), cap=3, matched=matched))

    offer = world(a_gazetteer(server.url)).offer()

    assert figures(offer) == (10, 0, 0, 0)
    assert len(server.asked) == (4 if matched else 5)


def test_features_that_are_counted_and_never_sent_load_nothing(server, world):
    server.files["/wfs"] = Served(b"", page=a_wfs(villages(11), cap=3, lost=(4,)))

    failure = world(a_gazetteer(server.url)).offer().failure

    assert str(failure) == "The server counts 11 features and sent 10."


def test_pages_that_shift_under_way_load_nothing(server, world):
    server.files["/wfs"] = Served(b"", page=a_wfs(villages(11), cap=6, repeats=True))

    assert "twice: its pages changed under way" in str(world(a_gazetteer(server.url)).offer().failure)


def test_an_error_told_as_a_page_is_read_out(server, world):
    report = (
        b"<ows:ExceptionReport><ows:ExceptionText>No such layer</ows:ExceptionText></ows:ExceptionReport>"
    )
    server.files["/wfs"] = Served(b"", page=lambda query: report)

    assert (
        str(world(a_gazetteer(server.url)).offer().failure)
        == "The server answers with an error: No such layer."
    )


def test_settlements_keep_their_people_and_get_a_point_inside(server, written):
    told = villages(3)
    for feature, code in zip(told, ("1001", "9", "1002"), strict=True):
        feature["properties"]["AKOOD"] = code
    server.files["/wfs"] = Served(b"", page=a_wfs(told))
    here = written(a_gazetteer(server.url))
    here.write(here.offer())

    with here.reading() as session:
        towns = {town.key: town for town in places.settlements(session, as_of=TODAY)}
    assert sorted(towns) == ["1001", "1002", "1003"]
    assert (towns["1001"].name, towns["1001"].population) == ("Küla 0", 120)
    assert (towns["1001"].place.lon, towns["1001"].place.lat) == pytest.approx((24.1, 58.5), abs=0.01)


def test_settlements_name_their_municipality_by_the_code_by_which_it_is_known(server, world):
    told = villages(3)
    for feature in told:
        feature["properties"] |= {"OKOOD": "09", "ONIMI": "Ida"}
    server.files |= {
        "/wfs": Served(b"", page=a_wfs(told)),
        "/a.zip": Served(counties(codes=("01", "09"), names=("Lääs", "Ida"))),
    }
    gazetteer = a_gazetteer(server.url, parent_kind="county")
    gazetteer["columns"]["municipality_name"] = "ONIMI"
    here = world(gazetteer, a_source(addresses=zips(server.url, "/a.zip")))

    alone = here.offer("villages-official")
    with_areas, _ = here.offers()

    for offer in (alone, with_areas):
        assert {row.values["municipality"] for row in offer.plan.added} == {"02"}


# --- People by squares


def people():
    """Squares of 1 km: 100, -9999 (not told), 0 and 250 people, and one of the same as 100 elsewhere."""
    west, south, _, _ = metric(WEST)[0].bounds
    squares = [
        shapely.box(west + 5000 * n, south + 20000, west + 5000 * n + 1000, south + 21000) for n in range(5)
    ]
    numbers = [100, -9999, 0, 250, 100]
    return features({"id": [f"q{n}" for n in range(5)], "people": numbers}, squares)


def a_grid(url, **changes):
    return a_source(
        "grid",
        "cell",
        addresses=wfs(url),
        columns={"code": "id", "people": "people"},
        pseudo={"people": ["-9999"]},
        as_of=[{"value": "2021-12-31"}],
        **changes,
    )


def test_people_are_counted_by_squares_once_the_grid_is_there(server, written):
    server.files["/wfs"] = Served(b"", page=a_wfs(people(), crs=3035))
    here = written(a_grid(server.url))
    with here.reading() as session:
        assert demand.of_store(session, as_of=TODAY).basis == "places"

    offer = here.offer()
    here.write(offer)

    with here.reading() as session:
        found = demand.of_store(session, as_of=TODAY)
    assert (found.basis, found.people.tolist(), found.as_of) == ("cells", [100.0, 250.0, 100.0], "2021-12-31")
    assert found.density_km2.tolist() == [100.0, 250.0, 100.0]
    assert notes(offer) == [
        "Rows that say that they do not count were left out: 1.",
        "The file declares EPSG:3035, its numbers are of EPSG:3301; they were believed.",
    ]


def test_squares_are_read_out_of_their_codes(server, world):
    lines = ["STAT,SPATIAL,OBS_VALUE,SPECIAL_VALUE"]
    west, south = geo.moved(np.array([shapely.Point(24.5, 58.5)]), source="EPSG:4326", target=3035)[0].coords[
        0
    ]
    east, north = int(west // 1000 * 1000), int(south // 1000 * 1000)
    for n in range(3):
        code = f"EE_CRS3035RES1000mN{north}E{east + 1000 * n}"
        lines += [f"T,{code},{10 * n + 5},", f"M,{code},3,", f"T,{code}X,,confidential"]
    server.files["/grid.zip"] = Served(
        zipped(
            {"CSV/CENSUS_GRID_N_EE_2021.csv": "\n".join(lines), "readme.txt": "no data", "m/other.csv": "x"}
        )
    )
    here = world(
        a_source(
            "census",
            "cell",
            addresses=[{"url": f"{server.url}/grid.zip", "answer": "csv-zip", "inner": "CENSUS_GRID_N_"}],
            columns={"code": "SPATIAL", "people": "OBS_VALUE", "_stat": "STAT", "_special": "SPECIAL_VALUE"},
            only={"_stat": ["T"]},
            pseudo={"_special": ["confidential"]},
            square=r"CRS3035RES(?P<size>\d+)mN(?P<north>\d+)E(?P<east>\d+)$",
            crs=3035,
            range=[4950000, 3850000, 5430000, 4230000],
            as_of=[{"value": "2021-12-31"}],
            encoding="",
        )
    )

    offer = here.offer()

    assert figures(offer) == (3, 0, 0, 0)
    rows = [row.values for row in offer.plan.added]
    assert [(row["people"], row["size_m"]) for row in rows] == [(5, 1000), (15, 1000), (25, 1000)]
    middle = geo.moved(
        np.array([shapely.Point(east + 500, north + 500)]), source="EPSG:3035", target=make.SRID
    )[0]
    assert rows[0]["geom"].distance(middle) < 0.1


# --- Organisations and facts


def stations():
    north, east = 6_480_000, 500_000
    about = [
        {
            "poi_id": "007",
            "nimi": "Lääne jaoskond",
            "aadress": "Esimene, Tee 1",
            "grupp": "PPA",
            "tyyp": "jaoskond",
        },
        {"poi_id": "008", "nimi": "Haigla", "aadress": "Tee 2", "grupp": "haigla", "tyyp": "haigla"},
        {"poi_id": "009", "nimi": "Punkt", "aadress": "Tee 3", "grupp": "PPA", "tyyp": "punkt"},
    ]
    return [(one, north + 1000 * n, east + 500 * n) for n, one in enumerate(about)]


def the_police(url):
    return a_source(
        "stations",
        "body",
        layer="police",
        addresses=[{"url": f"{url}/gml", "answer": "wfs-gml", "type_name": "aks:ads_poi", "page": 2}],
        columns={"code": "poi_id", "name": "nimi", "place": "aadress", "form": "tyyp", "_group": "grupp"},
        only={"_group": ["PPA"]},
        values={"form": {"jaoskond": "station"}},
        fixed={"form": "station", "precision": "settlement", "capabilities": ["order"]},
        within={"county": "county"},
        as_of=[{"live": True}],
    )


def test_points_that_come_northing_first_stand_where_they_should(server, written):
    server.files["/gml"] = Served(b"", page=a_gml(stations(), cap=2))
    here = written(the_police(server.url))

    offer = here.offer()
    here.write(offer)

    with here.reading() as session:
        body = places.body(session, "stations-007", as_of=TODAY)
    expected = geo.place_of(500_000, 6_480_000, srid=make.SRID)
    assert (body.name, body.form, body.county, body.precision) == (
        "Lääne jaoskond",
        "station",
        "01",
        "settlement",
    )
    assert (body.place, body.capabilities) == (expected, ("order",))
    assert len(offer.plan.added) == 1
    assert "Rows whose form is “punkt”, which is in no list, were left out: 1." in notes(offer)
    assert all("never-fetched" not in path for path in server.paths)


def test_facts_of_another_source_go_to_the_areas(server, world):
    cube = a_cube({"koht": ["EE01", "EE09", "EE77"], "aasta": ["2026"]}, [1500, 2500, 9])
    told = counties(codes=("01", "09"), names=("Lääs", "Ida"))
    server.files |= {"/a.zip": Served(told), "/px": Served(cube)}
    question = {"query": [{"code": "koht", "selection": {"filter": "all", "values": ["*"]}}]}
    here = world(
        a_source(addresses=zips(server.url, "/a.zip")),
        a_source(
            "people",
            "facts",
            goes_with="counties-official",
            addresses=[{"url": f"{server.url}/px", "answer": "pxweb", "question": question}],
            columns={"code": "koht", "population": "value"},
            code_pattern=r"EE(\d+)$",
            as_of=[{"column": "aasta"}],
            least_bytes=10,
        ),
    )

    areas, facts = here.offers("people")
    here.write(areas, facts)

    assert server.posted == [question]
    assert here.areas()["01"].facts == {"population": "1500", "population_as_of": "2026"}
    assert here.areas()["02"].facts["population"] == "2500"
    server.files["/px"].refusals += [(404, {})] * 2
    assert figures(here.offer("counties-official")) == (0, 0, 0, 2), "an area update alone forgets no people"


# --- Again without a network, and when somebody else was quicker


def test_the_kept_files_repeat_an_update_without_a_network(server, world):
    server.files["/a.zip"] = Served(counties())
    here = world(a_source(addresses=zips(server.url, "/a.zip")))
    first = here.offer()
    asked = len(server.asked)

    again = here.offer(folder=here.state)

    assert len(server.asked) == asked
    assert figures(again) == figures(first)
    assert [row.key for row in again.plan.added] == [row.key for row in first.plan.added]
    assert again.collected.checksum == first.collected.checksum
    (here.state / "counties-official" / "a.zip").write_bytes(b"PK spoilt")
    assert "has changed since it was fetched" in str(here.offer(folder=here.state).failure)


def test_a_file_put_into_a_folder_by_hand_will_do(server, world, tmp_path):
    here = world(a_source(addresses=zips(server.url, "/x/maakond_shp.zip")))
    folder = tmp_path / "stick"
    folder.mkdir()
    assert "it would be called maakond_shp.zip" in str(here.offer(folder=folder).failure)

    (folder / "maakond_shp.zip").write_bytes(counties())

    assert figures(here.offer(folder=folder)) == (2, 0, 0, 0)
    assert server.asked == []


def test_a_bad_file_never_replaces_a_good_one_that_was_kept(server, world):
    served = server.files["/a.zip"] = Served(counties())
    here = world(a_source(addresses=zips(server.url, "/a.zip")))
    here.offer()
    served.body, served.etag = counties(codes=("01", "01")), '"2"'

    assert here.offer().failure is not None

    assert figures(here.offer(folder=here.state)) == (2, 0, 0, 0)


def test_a_plan_that_is_no_longer_true_is_not_written(server, world):
    server.files["/a.zip"] = Served(counties())
    here = world(a_source(addresses=zips(server.url, "/a.zip")))
    offer = here.offer()
    here.write(offer)

    with pytest.raises(run.ChangedMeanwhile):
        here.write(offer)


# --- updates.yaml


def test_every_mistake_in_the_file_is_told_at_once(tmp_path):
    there = zips("http://x", "/y")
    about = [
        a_source("a", addresses=[{"url": "ftp://x", "answer": "fax"}], as_of=[{"guess": 1}], crs=1),
        a_source("b", "body", layer="police", addresses=there, licence="", colour=1),
        a_source("c", "body", layer="counties", addresses=there, fixed={"form": "barn"}),
        a_source("c", "facts", goes_with="nobody", addresses=there, least_rows="9"),
        a_source("d", "facts", goes_with="nobody", addresses=there, square="(", range=[9, 9, 1, 1]),
    ]
    instance = a_country(tmp_path / "tiny", *about)

    with pytest.raises(BadInstance) as found:
        wanted.read(instance)

    assert [problem.what for problem in found.value.problems] == [
        "“a”: as_of cannot be {'guess': 1}.",
        "“a”: “ftp://x” is no web address.",
        "“a”: the answer “fax” is unknown.",
        "“a”: there is no system EPSG:1.",
        "“b”: licence is missing.",
        "“b”: the part “colour” is unknown.",
        "“c” stands there twice.",
        "“c”: “counties” is no layer of bodies.",
        "“c”: the form “barn” is unknown.",
        "“c”: bodies need a form and a precision.",
        "“c” stands there twice.",
        "“c”: least_rows cannot be '9'.",
        "“d”: goes_with names no source.",
        "“d”: “(” is no pattern (missing ), unterminated subpattern at position 0).",
        "“d”: range cannot be [9, 9, 1, 1].",
    ]


def test_a_layer_that_must_hide_homes_takes_no_update(tmp_path):
    folder = tmp_path / "tiny"
    a_country(folder, the_police("http://x"))
    make.change(folder, "instance.yaml", lambda about: about["layers"][0].update(finest={"settlement": 1000}))

    with pytest.raises(BadInstance) as found:
        wanted.read(catalog.read_instance(folder))

    assert [problem.what for problem in found.value.problems] == [
        "“stations”: the layer “police” has a privacy policy."
    ]


def test_estonias_file_has_no_mistake(estonia):
    found = wanted.read(estonia)

    assert [source.key for source in found] == [
        "ee-population",
        "ee-county",
        "ee-municipality",
        "ee-settlement",
        "ee-census-grid",
        "ee-police-stations",
        "ee-rescue-stations",
    ]
    assert all(source.licence and source.attribution and source.rhythm for source in found)
    with pytest.raises(wanted.SourceNotFound, match="“ee-x”"):
        wanted.chosen(found, ["ee-x"])


# --- The difference, beside a twin that counts squares


@pytest.mark.parametrize("seed", range(20))
def test_the_difference_is_that_of_counted_squares(seed):
    chance = np.random.default_rng(seed)
    before, after = (chance.integers(0, 5, (8, 8)) for _ in range(2))

    found = difference.between(ground(before), ground(after), most=5)

    both = (before > 0) & (after > 0)
    moved_ = both & (before != after)
    assert found.share == pytest.approx(moved_.sum() / both.sum())
    assert found.added_km2 == pytest.approx(((before == 0) & (after > 0)).sum())
    assert found.left_km2 == pytest.approx(((before > 0) & (after == 0)).sum())
    changes = {
        str(code): (((after == code) & (before != code)).sum(), ((before == code) & (after != code)).sum())
        for code in range(1, 5)
        if (after == code).any() and (before == code).any()
    }
    told = {one.code: (one.gained_km2, one.lost_km2) for one in found.largest}
    assert told == {code: pytest.approx(pair) for code, pair in changes.items() if sum(pair)}
    sums = [one.gained_km2 + one.lost_km2 for one in found.largest]
    assert sums == sorted(sums, reverse=True)


def ground(grid):
    """Areas of squares of 1 km²; 0 is nobody's."""
    codes = sorted({int(code) for code in grid.flat} - {0})
    shapes = [
        shapely.union_all(
            [box(1000 * x, 1000 * y, 1000 * x + 1000, 1000 * y + 1000) for y, x in np.argwhere(grid == code)]
        )
        for code in codes
    ]
    return Ground(tuple(map(str, codes)), tuple(map(str, codes)), np.array(shapes, dtype=object))
