"""JSON for the map: valid GeoJSON, the rows of the lists, kept for ever when its address names its state."""

import json
import re

import pytest
import shapely

from layers import places
from tests.webmap.test_pages import rows_of
from webmap import db

PROBLEM = "application/problem+json"
GROUND = ("land", "neighbours")


def the_layer(client, name, **asked):
    return client.get(f"/api/layers/{name}.geojson", query_string=asked)


def shapes(features):
    return shapely.from_geojson([json.dumps(feature["geometry"]) for feature in features])


def all_names(estonia):
    return [*(layer.key for layer in estonia.layers), *GROUND, "settlements"]


# --- What it holds


def test_every_layer_is_a_valid_feature_collection(client, estonia):
    for name in all_names(estonia):
        answer = the_layer(client, name)
        said = answer.json

        assert (answer.status_code, answer.mimetype) == (200, "application/geo+json")
        assert set(said) == {"type", "features"}
        assert said["type"] == "FeatureCollection"
        assert said["features"]
        assert {feature["type"] for feature in said["features"]} == {"Feature"}
        assert all(set(feature) == {"type", "properties", "geometry"} for feature in said["features"])


def test_longitude_comes_first_and_all_lies_in_the_country(client, estonia):
    west, south, east, north = estonia.bounds

    for name in all_names(estonia):
        if name != "neighbours":
            lon0, lat0, lon1, lat1 = shapely.total_bounds(shapes(the_layer(client, name).json["features"]))
            assert (west <= lon0, lon1 <= east) == (True, True), name
            assert (south <= lat0, lat1 <= north) == (True, True), name


@pytest.mark.parametrize("step", ["near", "far"])
def test_every_shape_is_valid(client, estonia, step):
    for name in all_names(estonia):
        found = shapes(the_layer(client, name, step=step).json["features"])
        assert not shapely.is_empty(found).any(), name
        assert [shapely.is_valid_reason(shape) for shape in found if not shape.is_valid] == [], name


@pytest.mark.parametrize("step", ["near", "far"])
def test_rings_follow_the_right_hand_rule(client, estonia, step):
    turned = {}
    for name in (*(layer.key for layer in estonia.layers_of("areas")), *GROUND):
        polygons = shapely.get_parts(shapes(the_layer(client, name, step=step).json["features"]))
        turned[name] = sum(not polygon.exterior.is_ccw for polygon in polygons)

    assert turned == dict.fromkeys(turned, 0)


@pytest.mark.parametrize("language", ["et", "en"])
def test_a_layer_holds_exactly_the_rows_that_have_a_place(app, client, estonia, language):
    with app.test_request_context("/"):
        wanted = {
            layer.key: sorted(row.key for row in rows_of(layer) if layer.of == "areas" or row.place)
            for layer in estonia.layers
        }

    found = {
        layer.key: sorted(
            f["properties"]["key"] for f in the_layer(client, layer.key, lang=language).json["features"]
        )
        for layer in estonia.layers
    }

    assert found == wanted


def test_points_are_those_of_the_store(app, client):
    with app.test_request_context("/"):
        police = app.extensions["house"].instance.layer("police")
        wanted = {b.key: [b.place.lon, b.place.lat] for b in rows_of(police) if b.place}

    found = {
        f["properties"]["key"]: f["geometry"]["coordinates"]
        for f in the_layer(client, "police").json["features"]
    }

    assert found == wanted


def test_the_far_step_has_the_same_areas_in_fewer_bytes(client):
    near, far = (
        the_layer(client, "municipalities", step="near"),
        the_layer(client, "municipalities", step="far"),
    )

    assert [f["properties"] for f in near.json["features"]] == [f["properties"] for f in far.json["features"]]
    assert len(far.data) < len(near.data) * 0.8


def test_words_follow_the_language(client):
    def forms(**asked):
        return {f["properties"]["form"] for f in the_layer(client, "rescue", **asked).json["features"]}

    assert "vabatahtlik päästeüksus" in forms()
    assert forms() == forms(lang="et")
    assert "volunteer rescue unit" in forms(lang="en")
    assert forms(lang="en").isdisjoint(forms(lang="et"))


def test_another_day_has_other_rows(client):
    def closed(**asked):
        found = the_layer(client, "rescue", **asked).json["features"]
        return sum(f["properties"]["key"].endswith("-state-closed") for f in found)

    assert [closed(as_of="2012-05-15"), closed(as_of="2012-05-16"), closed()] == [9, 0, 0]


def test_the_same_question_gives_the_same_bytes(client, estonia):
    for name in all_names(estonia):
        assert the_layer(client, name).data == the_layer(client, name).data


# --- How long it may be kept


def test_only_the_address_of_the_present_state_is_kept(app, client):
    with app.test_request_context("/"):
        revision = places.revisions(db.session())["police"]

    def kept(**asked):
        return the_layer(client, "police", **asked).headers["Cache-Control"]

    past = {"as_of": "2020-05-01", "known": "2999-01-01T00:00:00Z"}
    assert kept(v=revision, **past) == "public, max-age=31536000, immutable"
    # How old a fact is changes at midnight, whatever day is asked about.
    assert kept(v=revision, as_of="2020-05-01").startswith("public, max-age=")
    assert [kept(v=revision + 1), kept(v="x"), kept()] == ["no-cache"] * 3
    assert kept(v=revision + 1, as_of="2020-05-01") == "no-cache"


def test_an_address_without_a_day_is_kept_until_the_day_is_over(app, client):
    with app.test_request_context("/"):
        revision = places.revisions(db.session())["police"]

    said = the_layer(client, "police", v=revision).headers["Cache-Control"]

    assert 0 <= int(re.fullmatch(r"public, max-age=(\d+)", said)[1]) <= 86_400


@pytest.mark.parametrize("asked", ["", "?as_of=2020-05-01"])
def test_a_map_asks_for_addresses_that_are_kept(client, asked):
    page = client.get(f"/et/{asked}").text
    script = client.get(re.search(r'src="(/et/map-[^"]+)"', page)[1].replace("&amp;", "&"))
    addresses = {json.loads(f'"{url}"') for url in re.findall(r'"(/api/layers/[^"]+)"', script.text)}

    assert len(addresses) >= 8
    for address in addresses:
        kept = client.get(address).headers["Cache-Control"]
        assert kept.startswith("public, max-age="), address
        # How old a fact is changes at midnight; what areas look like on a day does not.
        of_areas = not re.search(r"/(police|villages|watch|rescue|cases)\.", address)
        assert ("immutable" in kept) == (bool(asked) and of_areas), address
    assert "immutable" in script.headers["Cache-Control"]


def test_what_is_known_already_is_not_sent_again(client):
    first = the_layer(client, "police")
    again = client.get("/api/layers/police.geojson", headers={"If-None-Match": first.headers["ETag"]})
    other = client.get("/api/layers/police.geojson", headers={"If-None-Match": '"other"'})

    assert (again.status_code, again.data) == (304, b"")
    assert (other.status_code, other.data) == (200, first.data)
    assert the_layer(client, "police", lang="en").headers["ETag"] != first.headers["ETag"]


def test_data_is_sent_compressed(client):
    packed = client.get("/api/layers/municipalities.geojson", headers={"Accept-Encoding": "gzip"})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) < len(the_layer(client, "municipalities").data) / 2


# --- What it refuses

REFUSED = [
    ("police", {"as_of": "2018-13"}, 400, "2018-13"),
    ("police", {"as_of": "yesterday"}, 400, "yesterday"),
    ("counties", {"step": "nearer"}, 400, "step"),
    ("police", {"lang": "xx"}, 400, "lang"),
    ("nothing", {}, 404, "nothing"),
]


@pytest.mark.parametrize(("name", "asked", "status", "named"), REFUSED)
def test_a_bad_question_gets_a_problem_that_names_it(client, name, asked, status, named):
    answer = the_layer(client, name, **asked)

    assert (answer.status_code, answer.mimetype) == (status, PROBLEM)
    assert set(answer.json) == {"type", "title", "status", "detail"}
    assert (answer.json["type"], answer.json["status"]) == ("about:blank", status)
    assert named in answer.json["detail"]
    assert answer.json["detail"].endswith(".")
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_bad_date_names_its_parameter(client):
    assert "as_of" in the_layer(client, "police", as_of="2018-13").json["detail"]


def test_a_problem_speaks_the_language_that_was_asked_for(client):
    said = {code: the_layer(client, "nothing", lang=code).json for code in ("et", "en")}

    assert [(said[code]["title"], said[code]["detail"]) for code in said] == [
        ("Ei leitud", "Kihti „nothing“ ei ole."),
        ("Not found", "There is no layer “nothing”."),
    ]


def test_a_layer_cannot_be_written(client):
    answer = client.post("/api/layers/police.geojson")

    assert (answer.status_code, answer.mimetype) == (405, PROBLEM)
    assert "GET" in answer.headers.get("Allow", "GET")
