"""The page of cover: the sentence for a council, its tables and files, and what one must know beside."""

import csv
import io
import json
import re
from collections import Counter

import pytest

from layers.gaps import cover as covers
from tests import make
from tests.webmap import site
from tests.webmap.site import look
from webmap import params
from webmap.planning import inquiry, world

VORU = "0087"


def rows_of(client, query):
    """A file of the page as rows."""
    answer = client.get(f"/en/gaps/?format=csv&{query}")
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


@pytest.fixture(scope="module")
def known(app):
    with app.test_request_context("/en/gaps/"):
        return world.world(params.today())


def test_the_page_is_whole_in_every_language_and_named_in_the_header(client):
    for language in ("et", "en", "ru"):
        found = look(client, f"/{language}/gaps/?county={VORU}")
        assert (found.status, found.language, len(found.headings)) == (200, language, 1)
        assert found.inline == []
        assert len(found.ids) == len(set(found.ids))
    html = client.get("/en/gaps/").text
    assert re.search(r'href="/en/gaps/" aria-current="page">Gaps<', html)
    assert 'aria-current="page">Gaps<' in client.get("/en/gaps/whatif").text
    assert 'aria-current="page">Gaps<' not in client.get("/en/cases/").text


def test_the_sentence_of_a_county_is_what_the_rooms_below_count(client, known, app):
    with app.test_request_context("/en/gaps/"):
        rule = inquiry._own_rule({"within": "15", "role": "rescue_land"}, known)
        found = inquiry.service_of(known, rule)
    inside = known.people.within("county", VORU)
    living = known.people.people[inside].sum()
    open_ = known.people.people[inside & ~found.covered].sum()

    text = look(client, f"/en/gaps/?role=rescue_land&within=15&county={VORU}").text

    assert (
        f"Võru county: {open_:,.0f} of {living:,.0f} people ({round(100 * open_ / living, 1):g} %)"
        " live further than 15 min from: volunteer rescue on land."
    ) in text
    assert "nobody in our data" in text


def test_the_worst_area_stands_first_and_links_sort_the_rest(client):
    by_gap = [int(row["not_covered"]) for row in rows_of(client, "zone=county")]
    assert by_gap == sorted(by_gap, reverse=True)
    assert len(by_gap) == 15

    def order(sort):
        html = client.get(f"/en/gaps/?zone=county&sort={sort}").text
        return re.findall(r'<th role="rowheader" scope="row"><a href="/en/areas/county/(\d+)', html)

    people = {row["code"]: int(row["people"]) for row in rows_of(client, "zone=county")}
    assert order("people") == sorted(people, key=lambda code: -people[code])
    assert order("name")[0] == "0037"
    assert sorted(order("share")) == sorted(people)
    assert 'aria-sort="descending"' in client.get("/en/gaps/?sort=people").text


def test_areas_add_up_to_the_country_in_every_file(client):
    towns = rows_of(client, "zone=municipality")
    counties = rows_of(client, "zone=county")

    for column in ("people", "covered", "within_20_min", "covered_2_times"):
        assert sum(int(row[column]) for row in towns) == pytest.approx(
            sum(int(row[column]) for row in counties), abs=len(towns)
        )
    for row in towns:
        assert int(row["covered"]) + int(row["not_covered"]) == pytest.approx(int(row["people"]), abs=1)
        assert int(row["within_10_min"]) <= int(row["within_20_min"]) <= int(row["within_30_min"])
        assert int(row["covered_3_times"]) <= int(row["covered_2_times"]) <= int(row["covered_1_times"])
    assert {row["area_km2"] for row in towns} - {""}


def test_uncovered_places_are_exactly_those_of_the_map(client):
    holes = rows_of(client, f"table=places&county={VORU}")
    features = client.get(f"/en/gaps/cover.geojson?county={VORU}").json["features"]
    states = Counter(feature["properties"]["state"] for feature in features)

    assert states["uncovered"] == len(holes) > 0
    assert states["covered"] > 0
    assert {row["county"] for row in holes} == {VORU}
    assert len({row["nearest_unit"] for row in holes}) > 2
    for row in holes:
        assert row["nearest_min"] == "" or float(row["nearest_min"]) >= 15


def test_both_numbers_stand_beside_each_time_with_the_word_estimate(client):
    text = look(client, f"/en/gaps/?county={VORU}").text

    ways = re.findall(r"\d+ min \(estimate\), [\d.]+ km in a straight line", text)
    assert len(ways) > 10
    assert "detour 1.3 (1.2 to" in text


def test_a_standard_is_judged_rule_by_rule_and_its_source_is_told(client):
    found = look(client, "/en/gaps/?standard=ee-2011")

    assert "The standard asks that 90 % are reached" in found.text
    assert "It asks for a crew of 4; the sources do not tell the crew." in found.text
    assert "not kept:" in found.text
    assert "volunteer rescue on land (only: state rescue unit or closed state rescue unit)." in found.text
    assert "They name 6 units of this kind with a known place." in found.text
    assert "Where our reading is simpler:" in found.text
    assert "72.86 percent" in found.text
    assert any("issuu.com/estonianfirefightersforum" in link for link in found.links)


def test_the_nine_closures_of_2012_can_be_seen(client):
    """The day before, nine more state stations stood; the people and the question are the same."""
    before, after = (
        {row["code"]: row for row in rows_of(client, f"standard=ee-2011&zone=county&as_of={day}")}
        for day in ("2012-05-15", "2012-05-16")
    )
    assert {code: row["people"] for code, row in before.items()} == {
        code: row["people"] for code, row in after.items()
    }
    lost = {
        code: int(before[code]["covered"]) - int(after[code]["covered"])
        for code in before
        if before[code]["covered"] != after[code]["covered"]
    }
    # Kanepi, Puhja and Võnnu, Puka, Palamuse, Võsu, Leisi, Emmaste, Saku: eight counties at least.
    assert {"0064", "0079", "0081", "0050", "0060", "0074", "0039", "0037"} <= set(lost)
    assert min(lost.values()) > 0
    told = look(client, "/en/gaps/")
    assert "15 May 2012 16 May 2012 (9 units)" in told.text


def test_units_on_which_people_hang_are_ranked(client, known, app):
    rows = rows_of(client, "table=units")
    lost = [int(row["people_who_lose_cover"]) for row in rows]

    assert lost == sorted(lost, reverse=True)
    with app.test_request_context("/en/gaps/"):
        found = inquiry.service_of(known, inquiry._own_rule({}, known))
    worst = covers.failures(known.people, found)[0]
    assert (rows[0]["key"], lost[0]) == (worst.key, round(worst.people))
    assert f'/en/bodies/{worst.key}"' in client.get("/en/gaps/").text


def test_two_standards_stand_side_by_side(client):
    text = look(client, "/en/gaps/?standard=nfpa-1720&beside=fi-risk-classes&zone=county").text

    assert "Two standards side by side" in text
    part = text.partition("Two standards side by side")[2]
    assert re.search(r"The whole territory \d of 3 kept [\d,]+ short of one rule \d of 4 kept", part)
    assert "Võru county" in part


def test_a_mix_of_roles_is_asked_like_a_role(client):
    text = look(client, f"/en/gaps/?role=police and (village or watch)&within=30&county={VORU}").text

    assert "district police and (village association or neighbourhood watch)." in text


def test_access_is_shown_with_every_catchment_beside_it(client):
    text = look(client, "/en/gaps/").text

    part = text.partition("Units per person, by catchment")[2]
    assert [f"{minutes} min" in part for minutes in (10, 15, 20, 30)] == [True] * 4
    assert "Units per person, by catchment" not in look(client, "/en/gaps/?standard=ee-2011").text


@pytest.mark.parametrize("table", ["zones", "places", "units"])
def test_a_file_of_shapes_has_the_rows_of_the_table(client, table):
    query = f"table={table}&county={VORU}"
    collection = client.get(f"/en/gaps/?format=geojson&{query}")

    assert collection.mimetype == "application/geo+json"
    features = json.loads(collection.data)["features"]
    assert len(features) == len(rows_of(client, query)) > 0
    kinds = {feature["geometry"]["type"] for feature in features}
    assert kinds <= ({"Polygon", "MultiPolygon"} if table == "zones" else {"Point"})


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("role=knight", "“knight” is no role that an organisation plays here; known are: police,"),
        ("role=police and", "“police and” does not say who is wanted."),
        ("within=0", "“within” must be a whole number from 1 to 60; “0” is not."),
        ("within=-5", "“within” must be a whole number from 1 to 60; “-5” is not."),
        ("standard=none", "“standard” must be one of ee-2011,"),
        ("standard=ee-2011&rule=none", "“rule” must be one of state-15, anybody-15; “none” is not."),
        ("county=9999", "“county” must be one of 0037,"),
        ("zone=village", "“zone” must be one of municipality, county; “village” is not."),
        ("sort=luck", "“sort” must be one of"),
        ("format=pdf", "“format” must be one of csv, geojson; “pdf” is not."),
    ],
)
def test_a_bad_question_gets_a_sentence(client, query, sentence):
    found = look(client, f"/en/gaps/?{query}")

    assert found.status == 400
    assert sentence in found.text


def test_the_language_switch_keeps_the_question(client):
    links = look(client, "/en/gaps/?standard=nfpa-1720&rule=rural&zone=county").links
    other = next(link for link in links if link.startswith("/et/gaps/"))

    assert all(part in other for part in ("standard=nfpa-1720", "rule=rural", "zone=county"))


def test_a_country_without_standards_or_cells_still_has_its_page(tmp_path):
    folder = make.an_instance(tmp_path / "tiny")
    with site.a_site(folder, tmp_path / "state") as app:
        client = app.test_client(use_cookies=False)
        found = look(client, "/en/gaps/")
        other = look(client, "/en/gaps/?role=villages")

    assert (found.status, other.status) == (200, 200)
    assert "The whole territory:" in found.text


def test_names_that_are_markup_stay_text(hostile):
    found = look(hostile, "/en/gaps/?role=villages")

    assert found.status == 200
    assert found.inline == []
    assert "img" not in found.tags
