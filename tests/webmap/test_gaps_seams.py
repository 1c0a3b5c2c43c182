"""The page of seams: what lies between areas, in words and in files."""

import csv
import io
import json
from urllib.parse import urljoin

import pytest
import shapely

from layers import places
from tests import make
from tests.webmap import site
from tests.webmap.site import look
from webmap import db, params

ADDRESS = "/en/gaps/seams"
# The counties of the tiny country leave a strip of 0.1° to nobody and share one of 0.05°.
CORNERS = {"01": (24, 58, 24.9, 59), "02": (24.85, 58, 25.5, 59), "03": (25.6, 58, 26, 59)}
CUTS = sorted({lon for west, _, east, _ in CORNERS.values() for lon in (west, east)})
NAMES = {"01": "West", "02": '=HYPERLINK("https://evil.example")', "03": "East <b>x</b>"}


def a_strip(west, south, east, north):
    """A box with a corner wherever another one has: a straight line in degrees is none in metres."""
    between = [lon for lon in CUTS if west <= lon <= east]
    return shapely.Polygon([*((lon, south) for lon in between), *((lon, north) for lon in reversed(between))])


WHOLE = a_strip(24, 58, 26, 59)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A visitor to a tiny country whose counties do not fit."""
    folder = make.an_instance(tmp_path_factory.mktemp("small") / "tiny")
    counties = [
        (
            {"kind": "county", "code": code, "name_et": name, "name_en": name, "accuracy": "approximate"},
            a_strip(*CORNERS[code]),
        )
        for code, name in NAMES.items()
    ]
    make.write(folder, "areas/counties.geojson", make.a_map(counties))
    land = {"kind": "land", "code": "tiny", "name_et": "Pisimaa", "accuracy": "approximate"}
    make.write(folder, "areas/land.geojson", make.a_map([(land, WHOLE)]))
    make.write(
        folder, "counties.csv", make.a_table([{"code": "01", "population": "7"}], ["code", "population"])
    )
    with site.a_site(folder, tmp_path_factory.mktemp("state")) as app:
        yield app.test_client(use_cookies=False)


def rows(client, table):
    answer = client.get(f"{ADDRESS}?format=csv&table={table}")
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def test_pieces_are_listed_with_where_what_and_whose(small):
    found = rows(small, "pieces")

    assert [(one["kind"], one["sliver"], one["neighbours"]) for one in found] == [
        ("gap", "0", "county:02;county:03"),
        ("overlap", "0", "county:01;county:02"),
    ]
    assert float(found[0]["area_m2"]) == pytest.approx(2 * float(found[1]["area_m2"]), rel=1e-3)
    assert found[1]["nearest"] in ("Esimene", "Teine")


def test_every_square_metre_is_told_once(small):
    accounts = {one["area"]: one for one in rows(small, "accounts")}
    pieces = {one["kind"]: float(one["area_m2"]) for one in rows(small, "pieces")}
    whole = shapely.area(make.metric(WHOLE))

    alone = sum(float(one["alone_m2"]) for one in accounts.values())
    assert alone + pieces["gap"] + pieces["overlap"] == pytest.approx(whole, abs=1)
    assert accounts["county:01"]["shared_m2"] == accounts["county:02"]["shared_m2"]
    assert accounts["county:03"]["shared_m2"] == "0.0"


def test_shared_ground_and_who_never_met_are_tables_too(small):
    (pair,) = rows(small, "shared")
    strangers = rows(small, "strangers")

    assert (pair["first"], pair["second"]) == ("county:01", "county:02")
    assert float(pair["of_first"]) == pytest.approx(0.05 / 0.9, rel=1e-3)
    assert ("county:01", "county:02") not in {(one["first"], one["second"]) for one in strangers}


def test_a_name_is_no_formula_in_a_spreadsheet(small):
    accounts = {one["area"]: one["name"] for one in rows(small, "accounts")}

    assert accounts["county:02"] == f"'{NAMES['02']}"


def test_names_stay_text(small):
    page = small.get(ADDRESS).text

    assert "East &lt;b&gt;x&lt;/b&gt;" in page
    assert "<b>x</b>" not in page


def test_the_shapes_can_be_taken_along(small):
    answer = small.get(f"{ADDRESS}?format=geojson")
    features = json.loads(answer.text)["features"]

    assert answer.mimetype == "application/geo+json"
    assert [one["properties"]["kind"] for one in features] == ["gap", "overlap"]
    gap = shapely.from_geojson(json.dumps(features[0]["geometry"]))
    assert gap.bounds == pytest.approx((25.5, 58, 25.6, 59), abs=0.01)
    again = small.get(f"{ADDRESS}?format=geojson", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("language", ["et", "en"])
def test_the_page_is_whole_and_says_that_borders_are_approximate(small, language):
    page = look(small, f"/{language}/gaps/seams")

    assert (page.status, page.language, len(page.headings)) == (200, language, 1)
    assert page.inline == []
    assert len(page.ids) == len(set(page.ids))
    text = look(small, ADDRESS).text
    assert "pieces say more about the drawing than about the country" in text
    assert "Nobody's ground only means: no area in our data." in text


def test_its_script_and_its_links_are_there(small):
    page = look(small, ADDRESS)
    scripts = [urljoin(ADDRESS, load) for load in page.loads if load.split("?")[0].endswith(".js")]
    kept = [load for load in scripts if "/gaps/seams-" in load]

    assert len(kept) == 1
    answer = small.get(kept[0])
    assert answer.status_code == 200
    assert "turvakaart.pieces(" in answer.text
    assert "immutable" in answer.headers["Cache-Control"]
    assert small.get("/en/gaps/seams-0.js").headers["Cache-Control"] == "no-cache"
    for link in page.links:
        if link.startswith(("/en/areas/", "/en/bodies/", "/en/gaps/")):
            assert small.get(link).status_code == 200, link


def test_the_choice_goes_along_into_another_language(small):
    page = look(small, f"{ADDRESS}?areas=county&sliver=9&as_of=2020-01-01")

    assert "/et/gaps/seams?as_of=2020-01-01&areas=county&sliver=9" in page.links


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("areas=planet", "“areas” must be one of county; “planet” is not."),
        ("beside=planet", "“beside” must be one of county; “planet” is not."),
        ("sliver=-1", "“sliver” is a width in whole metres from 0 to 1000; “-1” is not."),
        ("sliver=9999", "“sliver” is a width in whole metres from 0 to 1000; “9999” is not."),
        ("sliver=٣", "“sliver” is a width in whole metres from 0 to 1000; “٣” is not."),
        ("format=exe", "“format” must be one of csv, geojson; “exe” is not."),
        ("as_of=2018-13", "“as_of” is a date"),
    ],
)
def test_what_cannot_be_asked_is_told_in_a_sentence(small, query, sentence):
    page = look(small, f"{ADDRESS}?{query}")

    assert page.status == 400
    assert sentence in page.text


# --- Estonia


def test_estonia_is_covered_by_its_areas_without_a_seam(client):
    for kind in ("county", "prefecture", "municipality"):
        page = look(client, f"{ADDRESS}?areas={kind}")
        assert page.status == 200
        assert "cover the land without a gap and without sharing any of it" in page.text, kind
        assert not [load for load in page.loads if "/gaps/seams-" in load]  # No map, no script for one.


def test_every_county_shares_all_its_ground_with_one_prefecture(app, client):
    answer = client.get(f"{ADDRESS}?areas=county&beside=prefecture&format=csv&table=shared")
    found = list(csv.DictReader(io.StringIO(answer.text, newline="")))

    with app.test_request_context("/"):
        counties = [area.key for area in places.areas(db.session(), "county", as_of=params.today())]
    assert sorted(one["first"] for one in found if float(one["of_first"]) > 0.999) == counties
