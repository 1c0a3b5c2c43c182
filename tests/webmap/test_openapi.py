"""What /api/openapi.json says is what /api does."""

import itertools

import jsonschema
import pytest
from openapi_spec_validator import validate

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
        str(rule).replace("<name>", "{name}")
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
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
