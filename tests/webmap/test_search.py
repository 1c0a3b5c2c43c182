"""The box in which one looks for a name."""

from urllib.parse import quote

import pytest

from layers.search import Hit
from tests.webmap.site import look
from webmap import hits as hits_


def hits(client, text, language="et"):
    return look(client, f"/{language}/search?q={quote(text)}")


def test_a_village_is_found_with_its_municipality_and_county(client):
    page = hits(client, "obinitsa")

    assert "Obinitsa küla asula · Setomaa vald, Võru maakond" in " ".join(page.text.split())
    assert any(link.startswith("/et/here?lat=57.8") for link in page.links)


def test_hits_speak_the_page_s_language(client):
    assert "Võru county" in hits(client, "voru", "en").text
    assert "county" not in hits(client, "voru").text


def test_coordinates_lead_to_who_is_near(client):
    for text in ("58.38, 26.72", "6474000 659000"):
        answer = client.get(f"/et/search?q={quote(text)}")
        assert (answer.status_code, answer.location.split("?")[0]) == (302, "/et/here")


@pytest.mark.parametrize(
    "text", ["", "xqzv", "<img src=x onerror=alert(1)>", "x" * 5000, "\u202eabc", "%", "a&b=c"]
)
def test_whatever_is_typed_is_answered_with_a_page(client, text):
    page = hits(client, text)

    assert (page.status, len(page.headings)) == (200, 1)
    assert "<img" not in client.get(f"/et/search?q={quote(text)}").text


# --- Former names, equal names, many hits


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "Iisaku vald",
            "Iisaku vald municipality · Ida-Viru county · now part of Alutaguse municipality since 2017",
        ),
        (
            "Toila vald",
            "Toila vald municipality · Ida-Viru county · now part of Jõhvi municipality since 2025",
        ),
    ],
)
def test_a_former_municipality_is_told_with_today_s(client, text, sentence):
    page = hits(client, text, "en")

    assert sentence in page.text
    assert any(link.startswith("/en/areas/municipality/") for link in page.links)


def test_settlements_of_one_name_are_told_apart(client):
    found = client.get("/api/search?q=vanam%C3%B5isa%20k%C3%BCla&limit=12").json["hits"]

    assert {hit["name"] for hit in found} == {"Vanamõisa küla"}
    assert len({(hit["municipality"], hit["county"]) for hit in found}) == len(found) == 12


def test_russian_letters_find_estonian_places(client):
    assert "Haapsalu linn" in hits(client, "Хаапсалу").text


def test_a_list_that_is_cut_says_so(client):
    page = hits(client, "küla", "en")

    assert "The first 50 hits; there are more." in page.text
    assert client.get("/api/search?q=k%C3%BCla&limit=3").json["more"] is True
    assert client.get("/api/search?q=obinitsa&limit=50").json["more"] is False


# --- For programs


def ask(client, **asked):
    return client.get("/api/search", query_string=asked)


def test_a_hit_has_everything_that_a_suggestion_shows(client):
    answer = ask(client, q="obinitsa", lang="en", limit=1)

    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json == {
        "hits": [
            {
                "kind": "settlement",
                "label": "settlement",
                "name": "Obinitsa küla",
                "municipality": "Setomaa municipality",
                "county": "Võru county",
                "about": "settlement · Setomaa municipality, Võru county",
                "url": answer.json["hits"][0]["url"],
                "lat": pytest.approx(57.81, abs=0.02),
                "lon": pytest.approx(27.44, abs=0.02),
            }
        ],
        "more": True,
        "told": "The first hit; there are more.",
    }
    assert look(client, answer.json["hits"][0]["url"]).status == 200


@pytest.mark.parametrize(
    "text", ["tartu", "metsküla", "pritsimehed", "Тарту", "kuresaare", "öine", "harjumaa"]
)
@pytest.mark.parametrize("language", ["et", "en"])
def test_programs_and_the_page_are_told_the_same_hits_in_the_same_order(client, text, language):
    found = ask(client, q=text, lang=language, limit=50).json["hits"]
    page = hits(client, text, language)
    listed = [link for link in page.links if link in {hit["url"] for hit in found}]

    assert found
    assert listed == [hit["url"] for hit in found]
    assert all(f"{hit['name']} {hit['about']}" in page.text for hit in found)


def test_every_hit_leads_to_a_page(client):
    texts = ("tartu", "toila vald", "öine", "naabrivalve", "lääne prefektuur", "pritsimehed")
    urls = {(hit["kind"], hit["url"]) for text in texts for hit in ask(client, q=text).json["hits"]}

    assert {kind for kind, _ in urls} >= {"settlement", "body", "case", "practice", "municipality", "county"}
    assert {look(client, url).status for _, url in urls} == {200}


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"q": "  "},
        {"q": "tartu", "limit": "0"},
        {"q": "tartu", "limit": "51"},
        {"q": "tartu", "limit": "-1"},
        {"q": "tartu", "limit": "٣"},
        {"q": "tartu", "limit": "x"},
        {"q": "tartu", "lang": "xx"},
        {"q": "tartu", "as_of": "2018-13"},
    ],
)
def test_bad_questions_are_refused_in_one_shape(client, asked):
    answer = ask(client, **asked)

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert set(answer.json) == {"type", "title", "status", "detail"}


def test_the_day_that_is_asked_about_goes_along(client):
    before = ask(client, q="toila vald", lang="en", as_of="2024-05-01").json["hits"][0]
    after = ask(client, q="toila vald", lang="en", as_of="2025-11-01").json["hits"][0]

    assert (before["name"], before["url"]) == (
        "Toila municipality",
        "/en/areas/municipality/0803?as_of=2024-05-01",
    )
    assert (after["name"], after["url"]) == ("Toila vald", "/en/areas/municipality/0251?as_of=2025-11-01")


def test_an_answer_may_be_kept_for_a_minute_and_asked_again_for_nothing(client):
    answer = ask(client, q="tartu")
    again = client.get("/api/search?q=tartu", headers={"If-None-Match": answer.headers["ETag"]})

    assert answer.headers["Cache-Control"].startswith("public, max-age=")
    assert 0 < int(answer.headers["Cache-Control"].rpartition("=")[2]) <= 60
    assert again.status_code == 304


def test_the_index_is_made_once_for_each_state(app, client, monkeypatch):
    ask(client, q="tartu")
    made = []
    monkeypatch.setattr("layers.search.index", lambda *_a, **_k: made.append(1))

    assert ask(client, q="haapsalu").status_code == 200
    assert made == []


def test_hostile_names_stay_text(hostile):
    for text in ("img src", "script", "7 7 raw", "שכונה"):
        answer = hostile.get("/api/search", query_string={"q": text})
        page = hostile.get("/et/search", query_string={"q": text})

        assert answer.mimetype == "application/json"
        assert answer.json["hits"], text
        assert "<img src=x" not in page.text
        assert "</script><script>" not in page.text


# --- One's own location


@pytest.mark.parametrize(
    ("accuracy", "sentence"),
    [
        ("", None),
        ("12", "exact to about 100 m"),
        ("2400", "exact to about 2.4 km"),
        ("-5", "exact to about 100 m"),
    ],
)
def test_the_accuracy_of_a_location_is_told(client, accuracy, sentence):
    page = look(client, f"/en/here?lat=58.378&lon=26.729&accuracy={accuracy}")

    assert page.status == 200
    assert (sentence or "Who looks after safety here") in page.text
    assert ("Your device" in page.text) is (sentence is not None)


def test_an_accuracy_that_is_no_number_is_refused(client):
    assert look(client, "/en/here?lat=58.378&lon=26.729&accuracy=x").status == 400


def test_a_settlement_that_is_an_area_without_a_point_has_its_own_page(app):
    with app.test_request_context("/en/search?q=x"):
        app.preprocess_request()
        found = hits_._found(Hit("settlement", "1001", {"et": "Küla"}))

    assert found.url == "/en/areas/settlement/1001"
