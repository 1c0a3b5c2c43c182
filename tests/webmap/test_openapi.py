"""What /api/openapi.json says is what /api does."""

import itertools
import re

import jsonschema
import pytest
from openapi_spec_validator import validate

from webmap import replies

PLACES = {
    "Valga, at the border": {"lat": 57.78, "lon": 26.05},
    "Ruhnu": {"lat": 57.8, "lon": 23.245},
    "at sea": {"lat": 58.9, "lon": 21.5},
    "in Latvia": {"lat": 57.5, "lon": 25.5},
    "far away": {"lat": -33.9, "lon": 18.4},
}


@pytest.fixture(scope="module")
def described(app):
    return app.test_client().get("/api/openapi.json").get_json()


def schema_of(described, path, status, kind):
    found = described["paths"][path]["get"]["responses"][str(status)]["content"][kind]["schema"]
    return {**found, "components": described["components"]}


def test_the_description_is_valid_openapi(described):
    validate(described)

    assert described["openapi"] == "3.1.0"


@pytest.mark.parametrize(("place", "language"), list(itertools.product(PLACES, ["et", "en", "ru"])))
def test_every_answer_has_the_described_shape(client, described, place, language):
    answer = client.get("/api/answer", query_string={**PLACES[place], "lang": language})

    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    jsonschema.validate(answer.get_json(), schema_of(described, "/api/answer", 200, "application/json"))
    assert answer.get_json()["language"] == language


def test_an_answer_that_lost_a_part_would_be_seen(client, described):
    answer = client.get("/api/answer", query_string=PLACES["Ruhnu"]).get_json()
    del answer["roles"][0]["matches"][0]["source"]

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(answer, schema_of(described, "/api/answer", 200, "application/json"))


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"lat": "north", "lon": "26"},
        {"lat": "91", "lon": "26"},
        {"lat": "58", "lon": "26", "worry": "dragons"},
        {"lat": "58", "lon": "26", "lang": "xx"},
        {"lat": "58", "lon": "26", "as_of": "2018-13"},
        {"lat": "58", "lon": "26", "known": "yesterday"},
        {"lat": "58", "lon": "26", "format": "xml"},
    ],
)
def test_a_bad_question_is_answered_with_the_described_problem(client, described, query):
    answer = client.get("/api/answer", query_string=query)

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    wanted = schema_of(described, "/api/answer", 400, "application/problem+json")
    jsonschema.validate(answer.get_json(), wanted)
    assert answer.get_json()["detail"].endswith(".")


def test_every_address_of_the_api_is_described(app, described):
    offered = {
        re.sub(r"<(?:int:)?(\w+)>", r"{\1}", str(rule))
        for rule in app.url_map.iter_rules()
        if str(rule).startswith(("/api/", "/hsds/"))
    } - {"/api/openapi.json"}

    assert offered == set(described["paths"])


@pytest.mark.parametrize("name", ["police", "cases", "counties", "land", "settlements"])
def test_every_layer_has_the_described_shape(client, described, name):
    answer = client.get(f"/api/layers/{name}.geojson")

    wanted = schema_of(described, "/api/layers/{name}.geojson", 200, "application/geo+json")
    jsonschema.validate(answer.get_json(), wanted)
    assert answer.get_json()["features"]


def test_anybody_may_read(client):
    answer = client.get(
        "/api/answer", query_string=PLACES["Ruhnu"], headers={"Origin": "https://example.org"}
    )

    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Set-Cookie" not in answer.headers
    again = client.get(
        "/api/answer", query_string=PLACES["Ruhnu"], headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304


@pytest.mark.parametrize("text", ["Rõuge", "valga", "Тарту", "nothing of this name"])
def test_every_search_has_the_described_shape(client, described, text):
    answer = client.get("/api/search", query_string={"q": text, "lang": "ru"})

    jsonschema.validate(answer.get_json(), schema_of(described, "/api/search", 200, "application/json"))


def test_a_place_is_found_by_its_name(client):
    named = client.get("/api/answer", query_string={"place": "Haapsalu", "lang": "en"}).get_json()

    assert named["place"]["name"] == "Haapsalu"
    assert "municipality:0184" in [area["key"] for area in named["areas"]]


def test_places_of_one_name_are_asked_back(client, described):
    answer = client.get("/api/answer", query_string={"place": "Mustla", "lang": "en"})

    assert (answer.status_code, answer.mimetype) == (300, "application/problem+json")
    wanted = schema_of(described, "/api/answer", 300, "application/problem+json")
    jsonschema.validate(answer.get_json(), wanted)
    choices = answer.get_json()["choices"]
    assert len({(one["municipality"], one["lat"]) for one in choices}) == len(choices) > 1
    for one in choices:
        chosen = client.get(one["url"])
        assert (chosen.status_code, chosen.get_json()["place"]["lat"]) == (200, one["lat"])


def test_a_municipality_after_a_comma_settles_which_place_is_meant(client):
    answer = client.get("/api/answer", query_string={"place": "Mustla, Viljandi vald", "lang": "en"})

    assert answer.status_code == 200
    assert "municipality:0899" in [area["key"] for area in answer.get_json()["areas"]]


def test_a_name_that_nobody_bears_is_not_found(client):
    answer = client.get("/api/answer", query_string={"place": "Atlantis", "lang": "en"})

    assert answer.status_code == 404
    assert "Atlantis" in answer.get_json()["detail"]


def test_the_page_asks_back_too(client):
    page = client.get("/en/here", query_string={"place": "Mustla"})

    assert (page.status_code, "Which one?" in page.text) == (200, True)


def test_text_and_json_tell_of_the_same_organisations(client):
    query = {**PLACES["Valga, at the border"], "lang": "en"}
    answer = client.get("/api/answer", query_string=query).get_json()
    text = client.get("/api/answer", query_string={**query, "format": "text"})

    assert text.mimetype == "text/plain"
    told = [one["name"] for role in answer["roles"] for one in role["matches"]]
    assert len(told) > 10
    assert [name for name in told if f"* {name} (" not in text.text] == []


def test_an_answer_does_not_depend_on_what_was_asked_before(client):
    asked = [
        {"lat": lat, "lon": lon, "lang": language, **more}
        for lat, lon in ((58.38, 26.72), (58.25, 22.49), (59.9, 24.9))
        for more in ({}, {"as_of": "2012-05-15"})
        for language in ("et", "en", "ru")
    ]
    alone = []
    for query in asked:
        replies._voices.cache_clear()
        alone.append(client.get("/api/answer", query_string=query).data)

    one_after_another = [client.get("/api/answer", query_string=query).data for query in asked]

    assert len(set(alone)) == len(asked)
    assert one_after_another == alone


def test_a_worry_puts_the_roles_in_its_own_order(client, estonia):
    for worry in estonia.worries:
        query = {**PLACES["Ruhnu"], "worry": worry.key, "lang": "et"}
        answer = client.get("/api/answer", query_string=query).get_json()

        assert [role["key"] for role in answer["roles"]] == list(worry.roles)
        assert [guide["key"] for guide in answer["worry"]["guides"]] == list(worry.guides)
