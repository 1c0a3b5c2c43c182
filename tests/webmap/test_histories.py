"""What changed when, on pages, as JSON, as text and in a terminal."""

from datetime import date

import jsonschema
import pytest
from click.testing import CliRunner

from layers import catalog, imports, store
from tests import make
from tests.webmap import site
from tests.webmap.test_openapi import schema_of
from webmap.cli import cli

LATER = date(2027, 1, 6)
THEN = "2026-12-01T00:00:00Z"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A tiny country that was loaded twice: a station got another name, readiness and place."""
    home = tmp_path_factory.mktemp("history")
    folder = make.an_instance(home / "tiny")
    with site.a_site(folder, home / "state"):
        pass
    make.replace(folder, "bodies/police.csv", "Lääne jaoskond", "Lääne maja")
    make.replace(folder, "bodies/police.csv", "order;youth,always", "order,")
    make.replace(folder, "bodies/police.csv", "1001,,01,58.25", "1001,,01,58.35")
    make.replace(folder, "bodies/villages.csv", ",2020,", ",2024,")
    make.replace(folder, "counties.csv", "01,01000", "01,900")
    engine = store.open_store(site.Settings(instance=folder, state=home / "state").store_url("tiny"))
    imports.load(engine, catalog.read_instance(folder), now=make.moment(LATER))
    engine.dispose()
    return home


@pytest.fixture(scope="module")
def visitor(home):
    with site.an_app(site.Settings(instance=home / "tiny", state=home / "state")) as app:
        yield app.test_client(use_cookies=False)


def history(client, **asked):
    return client.get("/api/history", query_string={"lang": "en", **asked}).get_json()


def sentences(found):
    return [
        [event["date"][:10], event["sentence"], *(fact["sentence"] for fact in event["facts"])]
        for event in found["events"]
    ]


def test_the_facts_that_changed_are_told_in_words(visitor):
    assert sentences(history(visitor, body="west-station")) == [
        [
            "2027-01-06",
            "Changed on this map.",
            "Name: Lääne maja (before: Lääne jaoskond).",
            "Does: order (before: order and youth work).",
            "Readiness: no longer told (before: always).",
            "Its point moved by 11 km.",
        ],
        ["2026-11-22", "Put on this map."],
        ["2010", "It began."],
    ]
    assert sentences(history(visitor, body="first-village"))[0] == [
        "2027-01-06",
        "Confirmed again: known as of 2024.",
    ]
    (changed, _) = sentences(history(visitor, area="county:01"))
    assert changed == ["2027-01-06", "Changed on this map.", "Inhabitants: 900 (before: 1,000)."]


def test_every_event_of_our_knowledge_names_its_edition(visitor):
    changed, added, began = history(visitor, body="west-station")["events"]

    assert changed["edition"]["source"] == added["edition"]["source"] == "Made up: police"
    assert changed["edition"]["loaded_at"] == "2027-01-06T08:00:00Z"
    assert began["edition"] is None


@pytest.mark.parametrize(
    ("asked", "page"), [("west-station", "bodies/west-station"), ("county:01", "areas/county/01")]
)
def test_the_page_and_the_text_say_what_the_json_says(visitor, asked, page):
    name = "area" if ":" in asked else "body"
    seen = site.look(visitor, f"/en/{page}").text
    text = visitor.get(f"/api/history?{name}={asked}&lang=en&format=text")

    assert text.mimetype == "text/plain"
    for _, *said in sentences(history(visitor, **{name: asked})):
        assert all(sentence in seen and sentence in text.text for sentence in said)


def test_a_visitor_who_looks_back_sees_the_history_of_then(visitor):
    assert [event["what"] for event in history(visitor, body="west-station", known=THEN)["events"]] == [
        "added",
        "began",
    ]
    assert "Lääne maja" not in visitor.get(f"/en/bodies/west-station?known={THEN}").text
    assert "Lääne maja" in visitor.get("/en/bodies/west-station").text


def test_a_terminal_tells_the_same(visitor, home, monkeypatch):
    monkeypatch.setenv("WEBMAP_STATE", str(home / "state"))
    asked = ["history", "west-station", "--lang", "en", "--instance", str(home / "tiny")]

    said, as_json = CliRunner().invoke(cli, asked), CliRunner().invoke(cli, [*asked, "--json"])
    unknown = CliRunner().invoke(cli, ["history", "nobody", "--instance", str(home / "tiny")])

    assert "Readiness: no longer told (before: always)." in said.output
    assert '"what": "changed"' in as_json.output
    assert unknown.exit_code != 0
    assert "nobody" in unknown.output


@pytest.mark.parametrize("language", ["et", "en", "ru"])
@pytest.mark.parametrize("asked", [{"body": "lembitu-tanava-sektor"}, {"area": "municipality:0184"}])
def test_every_history_has_the_described_shape(client, language, asked):
    described = client.get("/api/openapi.json").get_json()
    answer = client.get("/api/history", query_string={**asked, "lang": language})

    jsonschema.validate(answer.get_json(), schema_of(described, "/api/history", 200, "application/json"))
    assert answer.get_json()["events"]
    assert {event["what"] for event in answer.get_json()["events"]} >= {"added", "began"}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("body=nobody", 404),
        ("area=county:99", 404),
        ("area=nowhere", 400),
        ("known=now&body=x", 400),
    ],
)
def test_a_bad_question_is_told_in_one_shape(client, query, status):
    answer = client.get(f"/api/history?{query}")

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


def test_only_so_many_events_are_told_and_the_rest_is_counted(app):
    from webmap import histories

    with app.test_request_context("/en/"):
        app.preprocess_request()
        whole, cut = (histories.of_body("lembitu-tanava-sektor", most=most) for most in (9, 1))

    assert (len(whole["events"]), whole["more"]) == (2, 0)
    assert (cut["events"], cut["more"]) == (whole["events"][:1], 1)
