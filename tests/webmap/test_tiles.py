"""Big layers as a browser asks for them: tiles, numbers, frames and changes; and answers packed once."""

import gzip
import json
import re
import shutil

import mapbox_vector_tile
import pytest
from pmtiles.tile import tileid_to_zxy

from layers import catalog, imports, store, tiles
from layers.tiles import Shelf
from tests import make
from tests.layers.test_tiles import squares, with_watch_areas
from tests.webmap import site

LEAST = 20
pytestmark = pytest.mark.slow
needs_tippecanoe = pytest.mark.skipif(not tiles.tippecanoe(), reason="tippecanoe is not installed")
TYPE = "application/vnd.mapbox-vector-tile"


def build(folder, state, day=site.TODAY):
    """Loads the folder and builds its archives, as `turvakaart setup` does."""
    settings = site.Settings(instance=folder, state=state)
    read = catalog.read_instance(folder)
    engine = store.open_store(settings.store_url(read.key))
    imports.load(engine, read, now=make.moment(day))
    tiles.build(engine, read, Shelf(settings.tiles(read.key), LEAST))
    engine.dispose()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A country with 60 watch areas, built; copied for each test that breaks something."""
    home = tmp_path_factory.mktemp("whole")
    with_watch_areas(make.an_instance(home / "tiny"), squares())
    build(home / "tiny", home / "state")
    return home


@pytest.fixture
def home(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "home")


@pytest.fixture
def client(home):
    with site.a_site(home / "tiny", home / "state", tiles_from=LEAST) as app:
        yield app.test_client(use_cookies=False)


def tile_address(home):
    """The address of a tile that is there."""
    archive = tiles.archive(Shelf(home / "state" / "tiles" / "tiny"), "watch_areas", 1)
    _, index = tiles._indexed(archive.file, archive.layer, archive.revision)
    z, x, y = tileid_to_zxy(index.ids[-1])
    return f"/api/tiles/watch_areas/1/{z}/{x}/{y}.mvt"


def options(client, language="en"):
    """What the map's script says of the big layer."""
    page = client.get(f"/{language}/").text
    script = client.get(re.search(rf'src="(/{language}/map-\w+\.js)"', page)[1]).text
    return json.loads(re.search(r"turvakaart\.tiles\((\{.*?\})\);", script)[1])


# --- Tiles


@needs_tippecanoe
def test_a_tile_is_passed_on_as_it_lies_there_and_kept_for_ever(client, home):
    packed = client.get(tile_address(home), headers={"Accept-Encoding": "gzip, br"})
    plain = client.get(tile_address(home))

    assert (packed.status_code, packed.mimetype, packed.headers["Content-Encoding"]) == (200, TYPE, "gzip")
    assert gzip.decompress(packed.data) == plain.data
    assert "Content-Encoding" not in plain.headers
    assert len(mapbox_vector_tile.decode(plain.data)["areas"]["features"]) > 0
    for answer in (packed, plain):
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Accept-Encoding" in answer.headers["Vary"]
    assert packed.headers["ETag"] != plain.headers["ETag"]


@needs_tippecanoe
def test_a_tile_that_is_known_is_not_sent_again(client, home):
    known = client.get(tile_address(home)).headers["ETag"]

    again = client.get(tile_address(home), headers={"If-None-Match": known})

    assert (again.status_code, again.data) == (304, b"")


@needs_tippecanoe
def test_an_empty_place_is_an_empty_answer(client):
    empty = client.get("/api/tiles/watch_areas/1/12/0/0.mvt")

    assert (empty.status_code, empty.data) == (204, b"")


@needs_tippecanoe
@pytest.mark.parametrize(
    ("address", "detail"),
    [
        ("watch_areas/1/99/0/0", "There is no tile 99/0/0."),
        ("watch_areas/1/3/0/0", "There is no tile 3/0/0."),
        ("watch_areas/1/12/4096/1", "There is no tile 12/4096/1."),
        ("watch_areas/7/12/0/0", "There are no tiles of the layer “watch_areas” in its state 7."),
        ("counties/1/12/0/0", "There are no tiles of the layer “counties” in its state 1."),
        ("nowhere/1/12/0/0", "There is no layer “nowhere”."),
        ("..%2Fwatch_areas/1/12/0/0", None),
        ("watch_areas/1/12/-1/0", None),
        ("watch_areas/1/12/0/x", None),
    ],
)
def test_what_is_no_tile_is_not_found(client, address, detail):
    answer = client.get(f"/api/tiles/{address}.mvt", headers={"Accept-Language": "en"})

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert detail is None or answer.json["detail"]


@needs_tippecanoe
def test_a_damaged_archive_is_told_and_the_map_goes_on_by_frame(home):
    address = tile_address(home)
    (archive,) = (home / "state" / "tiles" / "tiny").glob("*.pmtiles")
    archive.write_bytes(archive.read_bytes()[:300])
    with site.a_site(home / "tiny", home / "state", tiles_from=LEAST) as app:
        client = app.test_client(use_cookies=False)

        answer = client.get(address)

        assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
        assert "turvakaart setup" in answer.json["detail"]
        assert "tiles" not in options(client)


# --- How the map draws it


@needs_tippecanoe
def test_the_map_names_the_archive_and_loads_what_draws_it(client):
    found = options(client)

    assert found["tiles"] == "/api/tiles/watch_areas/1/{z}/{x}/{y}.mvt"
    assert (found["from"], found["first"], found["last"], found["changes"]) == (9, 8, 12, "")
    page = client.get("/en/").text
    assert "tiles.js" in page
    assert "protomaps-leaflet.js" in page


def test_a_map_without_a_big_layer_loads_none_of_it(home):
    with site.a_site(home / "tiny", home / "state") as app:
        page = app.test_client(use_cookies=False).get("/en/").text

    assert "map.js" in page
    assert "tiles.js" not in page
    assert "protomaps" not in page


def test_far_away_there_are_numbers(client):
    answer = client.get("/api/layers/watch_areas.geojson?step=far&lang=en&as_of=2018")

    (county,) = answer.json["features"]
    assert county["properties"] == {"key": "county:01", "name": "West", "number": 58}
    assert county["geometry"]["type"] == "Point"


def test_a_big_layer_is_not_given_whole(client):
    answer = client.get("/api/layers/watch_areas.geojson")

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert "bbox" in answer.json["detail"]


def test_a_frame_gives_the_areas_that_meet_it(client):
    found = client.get("/api/layers/watch_areas.geojson?bbox=24.29,58.29,24.345,58.345").json

    assert [f["properties"]["key"] for f in found["features"]] == [
        "watch_area:w000",
        "watch_area:w001",
        "watch_area:w010",
        "watch_area:w011",
    ]
    assert "cut" not in found


@pytest.mark.parametrize(
    "frame", ["1,2,3", "a,b,c,d", "25,58,24,59", "24,58,25,99", "nan,1,2,3", "24,58,25,59,60"]
)
def test_a_frame_that_is_none_is_refused(client, frame):
    answer = client.get("/api/layers/watch_areas.geojson", query_string={"bbox": frame})

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")


@needs_tippecanoe
def test_what_is_newer_than_the_archive_is_drawn_over_it(home):
    with_watch_areas(home / "tiny", squares(changed=[3], skip=[5]))
    with site.a_site(home / "tiny", home / "state", tiles_from=LEAST) as app:
        client = app.test_client(use_cookies=False)

        found = options(client)
        changes = client.get(found["changes"]).json

    assert "/watch_areas/1/" in found["tiles"]
    assert changes["gone"] == ["watch_area:w003", "watch_area:w005"]
    assert [f["properties"]["key"] for f in changes["features"]] == ["watch_area:w003"]


@needs_tippecanoe
def test_after_the_next_build_the_map_needs_no_overlay(home):
    with_watch_areas(home / "tiny", squares(changed=[3], skip=[5]))
    with site.a_site(home / "tiny", home / "state", tiles_from=LEAST) as app:
        client = app.test_client(use_cookies=False)
        before = options(client)
        build(home / "tiny", home / "state")

        after = options(client)

    assert (before["tiles"], bool(before["changes"])) == ("/api/tiles/watch_areas/1/{z}/{x}/{y}.mvt", True)
    assert (after["tiles"], after["changes"]) == ("/api/tiles/watch_areas/2/{z}/{x}/{y}.mvt", "")


@needs_tippecanoe
def test_a_look_back_is_drawn_by_frame(client):
    script = client.get("/en/map-0.js?known=2026-11-22T09:00:00Z").text

    assert '"tiles":' not in script
    assert "turvakaart.tiles(" in script


# --- Packed once


def test_an_answer_is_packed_for_who_takes_it(client):
    address = "/api/layers/counties.geojson"
    packed = client.get(address, headers={"Accept-Encoding": "gzip"})
    plain = client.get(address)

    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(plain.json["features"]) == 2
    for answer in (packed, plain):
        again = client.get(
            address,
            headers={
                "If-None-Match": answer.headers["ETag"],
                "Accept-Encoding": "gzip" if answer is packed else "identity",
            },
        )
        assert again.status_code == 304


def test_a_long_list_of_areas_is_cut_and_says_so(home, monkeypatch):
    from webmap import pages

    monkeypatch.setattr(pages, "_LISTED", 10)
    with site.a_site(home / "tiny", home / "state") as app:
        page = site.look(app.test_client(use_cookies=False), "/en/layers/watch_areas")

    assert "The first 10 of 59 are listed." in page.text
    assert sum("/areas/watch_area/" in link for link in page.links) == 10


def test_numbers_of_the_state_before_stand_until_the_next_ones_are_counted(home):
    with_watch_areas(home / "tiny", squares(30))
    with site.a_site(home / "tiny", home / "state", tiles_from=LEAST) as app:
        client = app.test_client(use_cookies=False)
        address = "/api/layers/watch_areas.geojson?step=far&as_of=2018"

        before = client.get(address).json["features"][0]["properties"]["number"]
        build(home / "tiny", home / "state")
        after = client.get(address).json["features"][0]["properties"]["number"]

    assert (before, after) == (58, 28)
