"""Places in no area of today: at sea, on a lake, abroad and far away, on the page, as JSON and as text."""

from math import cos, radians, sin

import pytest

from layers import answers, geo
from layers.geo import Place
from webmap import replies

GULF = {"lat": 59.75, "lon": 25.5}
PLACES = {
    "Gulf of Finland": (GULF, "sea", "municipality:0353", 11_300),
    "Väinameri": ({"lat": 58.75, "lon": 23.3}, "sea", "municipality:0184", 2_200),
    "Lake Peipsi": ({"lat": 58.75, "lon": 27.45}, "sea", "municipality:0586", 18_100),
    "off Hiiumaa": ({"lat": 58.99, "lon": 22.42}, "sea", "municipality:0205", 1_000),
    "Valka": ({"lat": 57.76, "lon": 26.02}, "abroad", "municipality:0855", 1_000),
    "Riga": ({"lat": 56.95, "lon": 24.1}, "unknown", None, None),
    "St Petersburg": ({"lat": 59.94, "lon": 30.3}, "unknown", None, None),
    "Cape Town": ({"lat": -33.9, "lon": 18.4}, "unknown", None, None),
    "Ruhnu": ({"lat": 57.8, "lon": 23.245}, "land", None, None),
    "Prangli": ({"lat": 59.62, "lon": 25.0}, "land", None, None),
}
OFF_LAND = [name for name, (_, setting, *_) in PLACES.items() if setting in ("sea", "abroad")]


def the_answer(client, name, language="en"):
    return client.get("/api/answer", query_string={**PLACES[name][0], "lang": language}).get_json()


def the_page(client, name, language="en"):
    return client.get(f"/{language}/here", query_string=PLACES[name][0]).text


def matches(answer):
    return [match for role in answer["roles"] for match in role["matches"]]


@pytest.mark.parametrize("name", PLACES)
def test_every_place_says_how_it_lies_to_the_nearest_land(client, name):
    _, setting, shore, distance_m = PLACES[name]
    found = the_answer(client, name)

    assert found["setting"] == setting
    assert setting in replies.SETTINGS
    assert (found["shore"] or {}).get("key") == shore
    if shore:
        assert found["shore"]["distance_m"] == pytest.approx(distance_m, abs=100)


@pytest.mark.parametrize("name", OFF_LAND)
def test_who_is_responsible_on_the_nearest_land_is_told_as_such_and_by_name(client, name):
    found = the_answer(client, name)
    roles = {role["key"]: role for role in found["roles"]}
    way = found["shore"]["way"]

    (town,) = roles["municipality"]["ashore"]
    assert town["key"] == PLACES[name][2]
    assert way in town["reason"]
    police = [match for match in roles["police"]["matches"] if match["why"] == answers.SHORE]
    assert police
    assert all(way in match["reason"] and match["area"] for match in police)
    assert not any(role["played"] or role["areas"] for role in roles.values())
    assert {match["why"] for match in matches(found)} == {answers.SHORE, answers.NEAREST}
    assert all(role["if_none"]["guide"] is None for role in roles.values())


@pytest.mark.parametrize("name", OFF_LAND)
@pytest.mark.parametrize("language", ["et", "en", "ru"])
def test_the_page_and_the_text_say_the_same_as_the_json(client, name, language):
    found = the_answer(client, name, language)
    page = the_page(client, name, language).replace("&#39;", "'").replace("&#34;", '"')
    text = client.get(
        "/api/answer", query_string={**PLACES[name][0], "lang": language, "format": "text"}
    ).text

    said = [match["reason"] for match in matches(found) if match["why"] == answers.SHORE]
    said += [area["reason"] for role in found["roles"] for area in role["ashore"]]
    said += [role["best"]["reason"] for role in found["roles"] if role["best"]]
    assert len(said) > 2
    for sentence in (found["where"], *said):
        assert sentence in page
        assert sentence in text


@pytest.mark.parametrize("name", ["Riga", "St Petersburg", "Cape Town"])
def test_beyond_the_stated_distance_the_map_says_that_it_knows_nothing(client, name):
    found = the_answer(client, name)
    page = the_page(client, name)

    assert "tells of nothing within 60 km" in found["where"]
    assert found["where"] in page
    assert (matches(found), found["cases"]) == ([], [])
    assert {role["best"] for role in found["roles"]} == {None}
    assert "District police" in the_page(client, "Ruhnu")
    assert "District police" not in page
    assert "112" in page


def test_right_beside_a_border_no_distance_is_told(client, estonia):
    shore = the_answer(client, "off Hiiumaa")["shore"]
    start = geo.metric_point(Place(**PLACES["off Hiiumaa"][0]), srid=estonia.metric_crs)
    way_m, bearing = shore["distance_m"] - 50, radians(shore["bearing"])
    end = geo.place_of(
        start.x + way_m * sin(bearing), start.y + way_m * cos(bearing), srid=estonia.metric_crs
    )

    found = client.get("/api/answer", query_string={"lat": end.lat, "lon": end.lon, "lang": "en"}).get_json()

    assert found["shore"]["distance_m"] == pytest.approx(50, abs=2)
    assert found["where"] == "The drawn border of Hiiumaa municipality is right beside this place."
    (town,) = next(role["ashore"] for role in found["roles"] if role["key"] == "municipality")
    assert town["reason"] == "Its drawn border is right beside this place."
