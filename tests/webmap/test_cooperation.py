"""The network of cooperation: map, tables and file say the same."""

import csv
import io

import pytest

from layers import places, practices
from tests.webmap.site import TODAY, look
from webmap import db

ASKED = f"as_of={TODAY}"


@pytest.fixture
def ties(app):
    """Pairs of organisations with the keys of the cases in which both took part, counted here anew."""
    found = {}
    with app.test_request_context("/en/"):
        for case in practices.cases(db.session(), as_of=TODAY):
            for first in case.bodies:
                for second in case.bodies:
                    if first < second:
                        found.setdefault((first, second), []).append(case.key)
    return found


@pytest.fixture
def spots(app, ties):
    """Where the organisations of the pairs are, those too that have ended: key → (lon, lat)."""
    with app.test_request_context("/en/"):
        bodies = [
            places.body(db.session(), key, as_of=TODAY) for key in {key for pair in ties for key in pair}
        ]
    return {one.key: (round(one.place.lon, 5), round(one.place.lat, 5)) for one in bodies if one.place}


def features(client, kind):
    every = client.get(f"/en/network.geojson?{ASKED}").json["features"]
    return [one for one in every if one["geometry"]["type"] == kind]


def test_the_file_has_every_pair_with_its_cases(client, ties):
    answer = client.get(f"/en/network.csv?{ASKED}")
    rows = csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig")))

    assert {(row["first"], row["second"]): row["cases"].split(";") for row in rows} == ties
    assert len(ties) > 30


def test_the_map_has_a_line_for_each_pair_with_two_places_and_each_leads_to_a_case(client, ties, spots):
    wanted = [(spots[a], spots[b]) for a, b in ties if a in spots and b in spots and spots[a] != spots[b]]
    lines = features(client, "LineString")

    drawn = [tuple(map(tuple, line["geometry"]["coordinates"])) for line in lines]
    assert sorted(drawn) == sorted(wanted)
    assert len(drawn) > 25
    assert {line["properties"]["state"] for line in lines} == {"pair"}
    assert {client.get(line["properties"]["href"]).status_code for line in lines} == {200}


def test_every_organisation_of_a_pair_with_a_place_is_a_dot(client, spots):
    dots = features(client, "Point")

    found = {
        one["properties"]["href"].split("?")[0].rsplit("/", 1)[1]: tuple(one["geometry"]["coordinates"])
        for one in dots
    }
    assert found == spots


def test_the_page_says_what_a_line_is_and_tells_bridges_and_who_is_alone(app, client):
    page = look(client, f"/en/network?{ASKED}")
    with app.test_request_context("/en/"):
        taken_part = {key for one in practices.cases(db.session(), as_of=TODAY) for key in one.bodies}
        every = {one.key for one in places.bodies(db.session(), as_of=TODAY)}

    assert "A line is a documented case, not a relation of today." in page.text
    assert f"{len(every - taken_part)} organisations are in no case" in page.text
    bridges = page.text.split("Share of ways in percent")[1]
    assert "Kagu" in bridges.split("Practices that many places share")[0]
    assert "municipality – state" in page.text


def test_before_anybody_met_there_is_no_line(client):
    assert client.get("/en/network.geojson?as_of=1990-01-01").json["features"] == []
    assert look(client, "/en/network?as_of=1990-01-01").status == 200
