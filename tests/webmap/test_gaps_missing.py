"""The page about who is missing: what it says is what `layers.gaps` finds, as page, table and map."""

import csv
import io
import re
from urllib.parse import quote

import pytest

from layers.gaps import missing
from tests.webmap import site
from tests.webmap.site import look
from webmap import fits, params
from webmap.planning import missing as page
from webmap.planning import zoned

HEADER = (
    "area,name,within,people,people_estimated,state,lacking,terms,able,"
    "nearest,nearest_name,nearest_for,nearest_m,nearest_bearing"
)
VIEWS = ("", "?zone=county", "?zone=place&county=0056", "?zone=near&within=5&county=0056", "?view=methods")


def table(client, asked):
    answer = client.get(f"/en/gaps/missing?format=csv&{asked}")
    assert answer.mimetype == "text/csv"
    text = answer.data.decode("utf-8-sig")
    return text.splitlines()[0], list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("language", ["et", "en", "ru"])
@pytest.mark.parametrize("asked", VIEWS)
def test_the_page_is_whole_in_every_view(client, language, asked):
    found = look(client, f"/{language}/gaps/missing{asked}")

    assert (found.status, found.language, len(found.headings)) == (200, language, 1)
    assert found.inline == []
    assert len(found.ids) == len(set(found.ids))


def test_the_table_is_what_the_layer_finds_and_has_a_stable_header(app, client):
    with app.test_request_context("/en/"):
        day = params.today()
        asked = page.needs()["police_and_local"]
        rows = missing.lacks(zoned.who("municipality", day, None), asked)

    header, told = table(client, "need=police_and_local")

    assert header == HEADER
    assert [(one["area"], one["state"]) for one in told] == [(row.zone.key, row.state) for row in rows]
    assert {one["state"] for one in told} == {"nobody", "counted", "present"}
    people = sum(row.zone.people for row in rows if row.state == "nobody")
    text = look(client, "/en/gaps/missing?need=police_and_local").text
    assert f"{round(people):,} people (31 %) live in 27 of 78 areas" in text


def test_an_own_combination_answers_as_the_named_one(client):
    named = table(client, "need=police_and_local")[1]
    own = table(client, f"all=police&any={quote('village, watch')}")[1]

    assert own == named
    assert table(client, "need=police")[1] != named


def test_a_county_narrows_the_table_and_a_distance_widens_who_is_there(client):
    every, county = (table(client, f"need=rescue_land&county={code}")[1] for code in ("", "0056"))
    assert len(every) == 78
    assert [one for one in every if "county:0056" in one["within"]] == county

    def without(km):
        rows = table(client, f"need=rescue_land&zone=near&within={km}&county=0056")[1]
        return sum(float(one["people"]) for one in rows if one["state"] == "nobody")

    assert without(5) > without(15) > without(60) == 0


def test_capability_and_coverage_gaps_are_told_apart(client):
    states = {
        key: {one["state"] for one in table(client, f"need={key}")[1]}
        for key in ("rescue_land.search", "rescue_land")
    }

    assert states == {
        "rescue_land.search": {"unable", "nobody", "present"},
        "rescue_land": {"nobody", "present"},
    }
    text = look(client, "/en/gaps/missing?need=rescue_land.search").text
    assert "somebody of the kind is there, but nobody known to be able to do it" in text
    assert re.search(r"of \d+ no source says what they can do|of 0 no source", text)


def test_who_is_only_counted_is_neither_there_nor_missing(client):
    rows = [one for one in table(client, "need=watch")[1] if one["state"] == "counted"]
    text = look(client, "/en/gaps/missing?need=watch").text

    assert rows
    assert all(one["lacking"] == "0" for one in rows)
    assert "neighbourhood watch: counted, not named (counted in " in text


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("all=police,nobody", "“nobody” is no role"),
        ("any=.flying", "“.flying” is no role"),
        ("all=,", "Name at least one role"),
        ("need=nothing", "“need” must be one of"),
        ("zone=moon", "“zone” must be one of"),
        ("zone=near&within=-3", "“within” must be a whole number from 1 to 300"),
        ("zone=near&within=9999", "“within” must be a whole number from 1 to 300"),
        ("county=9999", "“county” must be one of"),
        ("view=methods&rule=mood", "“rule” must be one of"),
        ("view=methods&worry=nothing", "“worry” must be one of"),
        ("view=methods&score=0", "“score” must be a whole number"),
        ("format=xls", "“format” must be one of"),
    ],
)
def test_what_cannot_be_asked_is_told_in_a_sentence(client, asked, told):
    found = look(client, f"/en/gaps/missing?{asked}")

    assert found.status == 400
    assert told in found.text


@pytest.mark.parametrize(
    ("asked", "kind", "states"),
    [
        ("need=watch", "Polygon", {"zone"}),
        ("need=watch&zone=near&county=0071", "Point", {"uncovered", "counted", "covered"}),
        ("view=methods", "Polygon", {"zone"}),
    ],
)
def test_the_map_is_drawn_from_features_in_degrees(client, asked, kind, states):
    features = client.get(f"/en/gaps/missing?format=geojson&{asked}").get_json(force=True)["features"]

    assert features
    assert {one["geometry"]["type"].removeprefix("Multi") for one in features} == {kind}
    assert {one["properties"]["state"] for one in features} <= states
    for one in features:
        lon, lat = re.findall(r"-?\d+\.?\d*", str(one["geometry"]["coordinates"]))[:2]
        assert 21 < float(lon) < 29
        assert 57 < float(lat) < 60
        assert one["properties"]["title"]
        assert one["properties"]["lines"]


def test_methods_are_told_with_evidence_the_best_fit_and_the_nearest_example(app, client):
    rows = list(
        csv.DictReader(
            io.StringIO(client.get("/en/gaps/missing?view=methods&format=csv").data.decode("utf-8-sig"))
        )
    )
    text = look(client, "/en/gaps/missing?view=methods").text

    ended = next(row for row in rows if row["evidence"] == "ended")
    assert ended["evidence_key"] == "ida-viru-menetlusteenistus"
    kastre = next(row for row in rows if row["area"] == "municipality:0291")
    assert (kastre["evidence"], kastre["evidence_key"]) == ("closed", "vonnu-paastekomando-state-closed")
    assert float(kastre["nearest_m"]) > 30_000
    with app.test_request_context("/en/"):
        territory = fits.territory(as_of=params.today())
        going, _ = page.untried.fit.cases_for(territory, kastre["area"])
    best = next(one for one in going if kastre["practice"] in {link.practice for link in one.case.practices})
    assert (kastre["best_case"], kastre["fit_points"]) == (best.case.key, str(best.score))
    assert "This has closed: Võnnu state rescue unit (closed)" in text
    assert "Nothing here says that a place has a problem" in text


def test_a_chosen_worry_asks_of_every_place_and_says_that_it_was_chosen(client):
    text = look(client, "/en/gaps/missing?view=methods&worry=missing").text

    assert "In 73 areas" in text
    assert "You asked for: a missing person" in text


def test_a_day_before_a_unit_closed_shows_no_closed_unit(client):
    def told(day):
        return client.get(f"/en/gaps/missing?view=methods&format=csv&within=1&as_of={day}").text

    assert "saku-paastekomando-state-closed" in told("2012-05-16")
    assert "saku-paastekomando-state-closed" not in told("2012-05-15")


def test_a_name_that_means_harm_stays_text(hostile):
    """The tiny country has counties only, and no word of planning: the page still answers."""
    for asked in ("", "?need=villages", "?zone=near&within=50", "?view=methods"):
        found = look(hostile, f"/en/gaps/missing{asked}")
        assert (found.status, found.inline) == (200, [])
    assert site.look(hostile, "/en/gaps/bridges").status == 200
