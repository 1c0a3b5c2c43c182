"""The committed outlines: valid, one clean coverage, and as exact as their licence note says."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Transformer
from shapely.geometry import shape

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data" / "ee"
ODBL = DATA / "areas" / "odbl"
REFERENCE = ROOT.parent / "shared" / "data" / "real" / "ee-ehak-2018" / "geojson"
LAYERS = {"land": 1, "counties": 15, "prefectures": 4, "municipalities": 79}
LIMITS_KB = {"land": 200, "counties": 250, "prefectures": 250, "municipalities": 450}
# One point on each island that the map must not lose.
ISLANDS = {
    "Saaremaa": (22.50, 58.40),
    "Hiiumaa": (22.60, 58.90),
    "Muhu": (23.22, 58.60),
    "Vormsi": (23.23, 59.00),
    "Kihnu": (23.99, 58.13),
    "Ruhnu": (23.245, 57.795),
    "Prangli": (25.00, 59.62),
    "Osmussaar": (23.395, 59.29),
    "Naissaar": (24.51, 59.56),
    "Vilsandi": (21.86, 58.38),
    "Aegna": (24.757, 59.582),
    "Abruka": (22.50, 58.155),
    "Manilaid": (24.12, 58.21),
    "Piirissaar": (27.52, 58.37),
    "Kassari": (22.83, 58.79),
}


def every_feature(path):
    return json.loads(path.read_text(encoding="utf-8"))["features"]


def features(path, key="code"):
    """Each area as it first was: what comes later repeats its code."""
    found = {}
    for item in every_feature(path):
        found.setdefault(item["properties"][key], item)
    return [*found.values()]


def changed(path):
    """Areas that were already there and became other ones."""
    first = features(path)
    return [item for item in every_feature(path) if item not in first]


def shapes(path, key="code"):
    return {item["properties"][key]: shape(item["geometry"]) for item in features(path, key)}


def in_metres(geometry):
    transformer = Transformer.from_crs(4326, 3301, always_xy=True)
    return shapely.transform(geometry, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1])))


def rows(name):
    with (DATA / name).open(encoding="utf-8", newline="") as stream:
        return [*csv.DictReader(stream)]


def table(name):
    return {row["code"]: row for row in rows(name)}


def languages(name):
    """Land has no name in Russian yet: it is drawn, never named."""
    return ["name_et", "name_en", *["name_ru"] * (name != "land")]


@pytest.mark.parametrize(("name", "count"), LAYERS.items())
def test_every_layer_holds_its_areas_once_valid_and_as_multipolygons(name, count):
    found = features(ODBL / f"{name}.geojson")

    assert len({item["properties"]["code"] for item in found}) == len(found) == count
    assert {item["geometry"]["type"] for item in found} == {"MultiPolygon"}
    assert all(shapely.is_valid(shape(item["geometry"])) for item in found)


@pytest.mark.parametrize("name", LAYERS)
def test_every_area_says_what_it_is_and_where_it_came_from(name):
    keys = ["kind", "code", *languages(name), "parent", "accuracy", "source", "licence", "as_of"]

    for item in every_feature(ODBL / f"{name}.geojson"):
        properties = item["properties"]
        assert list(properties) == keys + ["valid_from"] * ("valid_from" in properties)
        assert all(value for key, value in properties.items() if key != "parent")
        assert properties["accuracy"] == "approximate"
        assert "OpenStreetMap contributors" in properties["source"]


@pytest.mark.parametrize(("name", "limit_kb"), LIMITS_KB.items())
def test_files_stay_light(name, limit_kb):
    assert (ODBL / f"{name}.geojson").stat().st_size <= limit_kb * 1000
    assert (DATA / "areas" / "neighbours.geojson").stat().st_size <= 60_000


@pytest.mark.parametrize("name", ["counties", "prefectures", "municipalities"])
def test_neighbours_share_their_edges_and_never_overlap(name):
    areas = list(shapes(ODBL / f"{name}.geojson").values())

    assert shapely.coverage_is_valid(areas)
    overlap = sum(area.area for area in areas) - shapely.union_all(areas).area
    assert abs(overlap) < 1e-9


@pytest.mark.parametrize("name", ["counties", "prefectures", "municipalities"])
def test_areas_fill_the_land_exactly(name):
    land = shapes(ODBL / "land.geojson")["ee"]
    areas = shapely.coverage_union_all(list(shapes(ODBL / f"{name}.geojson").values()))

    assert shapely.symmetric_difference(land, areas).area < 1e-9


def test_municipalities_nest_in_their_counties():
    counties = shapes(ODBL / "counties.geojson")

    for item in features(ODBL / "municipalities.geojson"):
        area = shape(item["geometry"])
        kind, code = item["properties"]["parent"].split(":")
        assert kind == "county"
        assert shapely.difference(area, counties[code]).area < 0.001 * area.area


def test_codes_and_names_are_those_of_the_tables():
    for name in ("municipalities", "counties"):
        known = {code: row["name"] for code, row in table(f"{name}.csv").items()}
        found = {
            i["properties"]["code"]: i["properties"]["name_et"] for i in features(ODBL / f"{name}.geojson")
        }
        assert found == known


def test_prefectures_are_unions_of_the_counties_that_the_table_gives_them():
    counties, prefectures = shapes(ODBL / "counties.geojson"), shapes(ODBL / "prefectures.geojson")
    members = {code: row["prefecture"] for code, row in table("counties.csv").items()}

    assert set(prefectures) == set(members.values()) == {"pohja", "ida", "louna", "laane"}
    for code, area in prefectures.items():
        union = shapely.union_all([counties[county] for county in members if members[county] == code])
        assert shapely.symmetric_difference(area, union).area < 1e-9


@pytest.mark.parametrize(("island", "at"), ISLANDS.items())
def test_the_land_keeps_its_islands(island, at):
    assert shapely.contains_xy(shapes(ODBL / "land.geojson")["ee"], *at), island


def test_rings_turn_as_rfc_7946_wants_and_have_five_decimals():
    for item in features(ODBL / "land.geojson"):
        for part in item["geometry"]["coordinates"]:
            assert shapely.is_ccw(shapely.LinearRing(part[0]))
            assert not any(shapely.is_ccw(shapely.LinearRing(hole)) for hole in part[1:])
    text = (ODBL / "land.geojson").read_text(encoding="utf-8")
    assert re.search(r"\d\.\d{5}\b", text)
    assert not re.search(r"\d\.\d{6,}", text)


def test_context_is_public_domain_and_overlaps_our_land_only_along_the_border():
    land = in_metres(shapes(ODBL / "land.geojson")["ee"])
    inland = shapely.buffer(land, -8_000)
    found = features(DATA / "areas" / "neighbours.geojson")

    codes = [item["properties"]["code"] for item in found]
    assert {"fi", "lv", "ru"} <= set(codes) <= {"by", "fi", "lt", "lv", "pl", "ru", "se"}
    assert codes == sorted(set(codes))
    for item in found:
        area = in_metres(shape(item["geometry"]))
        assert area.is_valid
        assert item["properties"]["licence"] == "public domain"
        assert shapely.intersection(area, inland).is_empty


def test_places_know_their_municipality_and_county_and_lie_near_it():
    municipalities, areas = table("municipalities.csv"), shapes(ODBL / "municipalities.geojson")
    places = table("places.csv")

    assert list(places) == sorted(places)
    assert all(row["county"] == municipalities[row["municipality"]]["county"] for row in places.values())
    points = {code: shapely.Point(float(row["lon"]), float(row["lat"])) for code, row in places.items()}
    far = [c for c, p in points.items() if shapely.distance(areas[places[c]["municipality"]], p) > 0.05]
    assert far == []


def test_people_of_tallinn_are_counted_once():
    tallinn = [row for row in table("places.csv").values() if row["municipality"] == "0784"]

    assert len(tallinn) == 9
    assert [row["name"] for row in tallinn if row["population"]] == ["Tallinn"]


def claims():
    """The rows of the table of errors: layer -> (land right in per cent, median, worst, worst area)."""
    text = (ODBL / "LICENCE.md").read_text(encoding="utf-8")
    found = re.findall(
        r"^\| (\S+)\.geojson \| ([\d.]+)% \| ([\d.]+) \| ([\d.]+) \| (.+) \|$", text, re.MULTILINE
    )
    return {
        layer: (float(right), float(median), float(worst), name)
        for layer, right, median, worst, name in found
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "file", "key"),
    [("counties", "maakond.json", "MKOOD"), ("municipalities", "omavalitsus.json", "OKOOD")],
)
def test_the_errors_that_the_licence_note_claims_are_those_measured(layer, file, key):
    if not REFERENCE.exists():
        pytest.skip("The official division of 2018 lies outside the repository and is not here.")
    truth = {
        code: shapely.make_valid(in_metres(shapely.make_valid(area)))
        for code, area in shapes(REFERENCE / file, key).items()
    }
    found = {code: in_metres(area) for code, area in shapes(ODBL / f"{layer}.geojson").items()}
    shared = {code: shapely.intersection(found[code], truth[code]).area for code in truth}
    match = {c: shared[c] / (found[c].area + truth[c].area - shared[c]) for c in truth}
    worst = min(match, key=match.get)
    right = 100 * sum(shared.values()) / sum(area.area for area in truth.values())

    assert claims()[layer] == (
        pytest.approx(right, abs=0.051),
        pytest.approx(np.median(list(match.values())), abs=0.00051),
        pytest.approx(match[worst], abs=0.00051),
        table(f"{layer}.csv")[worst]["name"],
    )


LAYERS_NAMED = ("counties", "prefectures", "municipalities")


def test_names_in_further_languages_are_those_of_their_table():
    named = {(row["kind"], row["code"]): row["name_ru"] for row in rows("areas/names.csv")}
    found = {
        (item["properties"]["kind"], item["properties"]["code"]): item["properties"]["name_ru"]
        for file in (*(ODBL / f"{name}.geojson" for name in LAYERS_NAMED), DATA / "areas/neighbours.geojson")
        for item in every_feature(file)
    }

    assert len(named) == len(rows("areas/names.csv")) == 15 + 4 + 79 + 7
    assert found == named
    assert all(re.search("[а-яё]", name) for name in named.values())


# --- What changed when


def begun(name):
    """(code, beginning) of every area that has one."""
    features = (item["properties"] for item in every_feature(ODBL / f"{name}.geojson"))
    return [(about["code"], about["valid_from"]) for about in features if "valid_from" in about]


def test_51_of_79_municipalities_began_in_the_reform_of_october_2017():
    of_reform = [code for code, day in begun("municipalities") if day == "2017-10"]
    told = [code for code, row in table("municipalities.csv").items() if row["valid_from"] == "2017-10"]

    assert len(of_reform) == len(set(of_reform)) == 51
    assert of_reform == told
    assert (begun("counties"), begun("prefectures"), begun("land")) == ([], [], [])


def test_a_municipality_that_began_in_the_reform_names_those_that_it_was_formed_of():
    formed = {row["code"]: row["formed_from"].split("; ") for row in rows("municipalities.csv")}
    of_reform = {code for code, day in begun("municipalities") if day == "2017-10"}

    assert {code for code, parts in formed.items() if len(parts) > 1} >= of_reform
    assert {code for code in of_reform if not formed[code][0]} == set()


def test_only_toila_ends_and_it_ends_when_johvi_becomes_larger():
    ended = {row["code"]: (row["valid_from"], row["valid_to"]) for row in rows("municipalities.csv")}

    assert {code: days for code, days in ended.items() if days[1]} == {"0803": ("2017-10", "2025-10")}
    assert [item["properties"]["code"] for item in changed(ODBL / "municipalities.geojson")] == ["0251"]


def test_since_october_2025_johvi_is_johvi_and_toila():
    before = shapes(ODBL / "municipalities.geojson")
    later = changed(ODBL / "municipalities.geojson")
    about = [(item["properties"]["code"], item["properties"]["valid_from"]) for item in later]

    assert about == [("0251", "2025-10")]
    both = shapely.union(before["0251"], before["0803"])
    assert shapely.symmetric_difference(shape(later[0]["geometry"]), both).area < 1e-9
