"""The page about who never met: pairs, levels, neighbours and loners as page, table and map."""

import csv
import io

import pytest

from layers.gaps import bridges
from tests.webmap.site import look
from webmap import params
from webmap.planning import zoned

VIEWS = ("pairs", "levels", "neighbours", "alone")
HEADERS = {
    "pairs": "first,first_name,second,second_name,roles,why,both_serve,ground,people,weight_people,"
    "distance_m,perhaps_case,practice,example_case,example_m",
    "levels": "area,name,people,roles,met,never_met,never_met_pairs",
    "neighbours": "first,first_name,second,second_name,across_counties,people",
    "alone": "key,name,roles,people_on_its_ground",
}


def table(client, asked):
    text = client.get(f"/en/gaps/bridges?format=csv&{asked}").data.decode("utf-8-sig")
    return text.splitlines()[0], list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def net(app):
    with app.test_request_context("/en/"):
        yield zoned.net(params.today())


@pytest.mark.parametrize("language", ["et", "en", "ru"])
@pytest.mark.parametrize("view", VIEWS)
def test_the_page_is_whole_in_every_view(client, language, view):
    found = look(client, f"/{language}/gaps/bridges?view={view}")

    assert (found.status, found.language, len(found.headings)) == (200, language, 1)
    assert found.inline == []
    assert len(found.ids) == len(set(found.ids))


def test_the_tables_hold_all_that_the_layer_finds_and_have_stable_headers(client, net):
    found = {
        "pairs": [(one.first.key, one.second.key) for one in bridges.pairs(net)],
        "levels": [one.zone.key for one in bridges.levels(net)],
        "neighbours": [(one.first.key, one.second.key) for one in bridges.neighbours(net)],
        "alone": [one.actor.key for one in bridges.isolates(net)],
    }

    for view, rows in found.items():
        header, told = table(client, f"view={view}")
        assert header == HEADERS[view]
        keys = {"levels": ("area",), "alone": ("key",)}.get(view, ("first", "second"))
        assert [tuple(one[key] for key in keys) if len(keys) > 1 else one[keys[0]] for one in told] == rows
        assert len(rows) > 50


def test_pairs_have_a_reason_and_none_took_part_in_one_case(client, net):
    rows = table(client, "view=pairs")[1]

    together = [who for _, who in net.met]
    assert {one["why"] for one in rows} == set(bridges.REASONS)
    assert not any({one["first"], one["second"]} <= who for one in rows for who in together)
    assert any(len(who) > 1 for who in together)
    assert all(float(one["distance_m"]) <= 10_000 for one in rows if one["why"] == "near")


def test_roles_and_a_county_narrow_the_pairs(client):
    every = table(client, "view=pairs&like=1")[1]
    police = table(client, "view=pairs&like=1&role=police")[1]
    both = table(client, "view=pairs&role=police&other=watch&county=0071")[1]

    assert len(every) > len(police) > len(both) > 0
    assert all("police" in one["roles"].split("+") for one in police)
    assert {one["roles"] for one in both} == {"police+watch"}


def test_the_page_names_the_practice_and_the_nearest_example(client):
    text = look(client, "/en/gaps/bridges?role=police&other=village").text

    assert "Both are responsible for Saare county." in text
    assert "Such two met in: For a safe Hiiumaa: a village forum in Käina" in text
    assert "Only public cases are read" in text


def test_neighbours_of_two_counties_are_told_apart(client):
    rows = table(client, "view=neighbours&county=0039")[1] + table(client, "view=neighbours&county=0056")[1]
    text = look(client, "/en/gaps/bridges?view=neighbours&county=0056").text

    assert {one["across_counties"] for one in rows} == {"yes", ""}
    assert "between counties" in text


@pytest.mark.parametrize(
    ("view", "states", "kinds"),
    [
        ("pairs", {"pair", "missing"}, {"LineString", "Point"}),
        ("levels", {"zone"}, {"Polygon", "MultiPolygon"}),
        ("neighbours", {"pair"}, {"LineString"}),
        ("alone", {"missing"}, {"Point"}),
    ],
)
def test_the_map_is_drawn_from_features_in_degrees(client, view, states, kinds):
    features = client.get(f"/en/gaps/bridges?format=geojson&view={view}").get_json(force=True)["features"]

    assert {one["properties"]["state"] for one in features} == states
    assert {one["geometry"]["type"] for one in features} <= kinds
    assert all(one["properties"]["title"] and one["properties"]["lines"] for one in features)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("view=x", "“view” must be one of"),
        ("role=nobody", "“role” must be one of"),
        ("near=0", "“near” must be a whole number from 1 to 300"),
        ("county=1", "“county” must be one of"),
        ("like=yes", "“like” must be one of"),
    ],
)
def test_what_cannot_be_asked_is_told_in_a_sentence(client, asked, told):
    found = look(client, f"/en/gaps/bridges?{asked}")

    assert found.status == 400
    assert told in found.text
