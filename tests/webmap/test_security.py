"""The second wall and the first: one strict policy on everything, and names that stay text."""

import re
from urllib.parse import urlsplit

import pytest

from layers.errors import BadInstance
from tests import make
from tests.webmap import site
from tests.webmap.site import HOSTILE, look
from webmap.settings import Settings

ANSWERS = {
    "start": "/",
    "map": "/et/",
    "script": "/et/map-0.js",
    "page": "/en/data",
    "part": "/et/bodies/palamuse-pritsumehed?part=1",
    "redirect": "/et",
    "moved": "/et/layers/cases",
    "static": "/static/map.js",
    "data": "/api/layers/police.geojson",
    "bad": "/et/?as_of=2018-13",
    "absent": "/et/bodies/nobody",
    "outside": "/nothing",
    "problem": "/api/layers/nothing.geojson",
}
BASEMAPS = ["https://tiles.maaamet.ee", "https://tile.openstreetmap.org"]


def policy(answer):
    parts = (part.split() for part in answer.headers["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in parts}


# --- Headers


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_carries_the_policy(client, kind):
    answer = client.get(ANSWERS[kind], buffered=True)
    said = policy(answer)

    assert len(answer.headers.getlist("Content-Security-Policy")) == 1
    assert said["script-src"] == ["'self'"]
    assert said["style-src"] == ["'self'"]
    assert said["default-src"] == ["'none'"]
    assert said["base-uri"] == ["'none'"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_carries_the_other_headers(client, kind):
    headers = client.get(ANSWERS[kind], buffered=True).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"


def test_a_surprise_carries_the_policy_too(app, client, monkeypatch):
    monkeypatch.setattr("layers.places.editions", lambda _session: 1 / 0)
    answer = client.get("/et/data")

    assert answer.status_code == 500
    assert policy(answer)["script-src"] == ["'self'"]


@pytest.mark.parametrize("kind", ANSWERS)
def test_hosts_of_basemaps_may_give_pictures_and_nothing_else(client, kind):
    said = policy(client.get(ANSWERS[kind], buffered=True))
    elsewhere = {name for name, values in said.items() if any("//" in value for value in values)}

    assert elsewhere == {"img-src"}
    assert said["img-src"] == ["'self'", "data:", *BASEMAPS]


def test_without_online_basemaps_no_other_host_is_named(estonia, state):
    chosen = {
        "WEBMAP_INSTANCE": str(estonia.folder),
        "WEBMAP_STATE": str(state),
        "WEBMAP_ONLINE_BASEMAPS": "no",
    }
    with site.an_app(Settings.from_environment(chosen)) as app:
        answer = app.test_client(use_cookies=False).get("/et/")

    assert answer.status_code == 200
    assert policy(answer)["img-src"] == ["'self'", "data:"]
    assert re.findall(r"https?://", answer.text) == []
    assert "basemap" not in site.see(answer).tags


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
def test_the_cookie_is_closed_to_scripts_and_to_other_sites(client, scheme, secure):
    cookies = client.get("/en/data", base_url=f"{scheme}://localhost").headers.getlist("Set-Cookie")
    flags = {part.strip() for part in cookies[0].split(";")[1:]}

    assert len(cookies) == 1
    assert cookies[0].startswith("__Host-language=en;" if secure else "language=en;")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= flags
    assert ("Secure" in flags) == secure


def test_data_sets_no_cookie(client):
    assert "Set-Cookie" not in client.get("/api/layers/police.geojson").headers


@pytest.mark.parametrize(
    "path", ["/static/../settings.py", "/static/%2e%2e/settings.py", "/static//etc/passwd"]
)
def test_nothing_outside_the_static_folder_is_served(client, path):
    assert client.get(path, follow_redirects=True, buffered=True).status_code == 404


def test_the_host_of_a_request_does_not_come_into_the_page(client):
    answer = client.get("/et/", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})

    assert answer.status_code == 200
    assert "evil.example" not in answer.text


# --- Pages


@pytest.mark.slow
def test_no_page_holds_a_script_a_style_or_a_handler(pages):
    assert {url: page.inline for url, page in pages.items() if page.inline} == {}


@pytest.mark.slow
def test_no_page_loads_anything_from_another_host(pages):
    loads = {(url, load) for url, page in pages.items() for load in page.loads if urlsplit(load).netloc}

    assert sum(len(page.loads) for page in pages.values()) > 1000
    assert loads == set()


@pytest.mark.slow
def test_every_link_outside_is_a_web_address(pages):
    schemes = {urlsplit(link).scheme for page in pages.values() for link in page.links}

    assert schemes <= {"", "http", "https"}


@pytest.mark.slow
def test_every_crawled_page_has_the_one_policy(pages):
    assert len({page.headers["Content-Security-Policy"] for page in pages.values()}) == 1


# --- Names that mean harm

PLACES = ["layers/villages", "areas/county/01", "here?lat=58.2&lon=24.25", "cases/first-case", "cases/"]


@pytest.mark.parametrize("language", ["et", "en"])
@pytest.mark.parametrize("path", [f"bodies/evil-{key}" for key in HOSTILE] + PLACES + ["practices/alpha", ""])
def test_a_hostile_name_makes_no_markup(hostile, path, language):
    for address in (f"/{language}/{path}", f"/{language}/{path}{'&' if '?' in path else '?'}part=1"):
        found = look(hostile, address)

        assert found.status == 200
        assert found.inline == []
        assert found.tags.isdisjoint({"img", "iframe", "object"})
        assert [load for load in found.loads if urlsplit(load).netloc] == []
        assert {urlsplit(link).scheme for link in found.links} <= {"", "http", "https"}


@pytest.mark.parametrize("key", HOSTILE)
def test_a_hostile_name_is_shown_as_it_is_written(hostile, key):
    name = HOSTILE[key]
    body, village = look(hostile, f"/et/bodies/evil-{key}"), look(hostile, "/et/layers/villages")
    told = hostile.get("/api/layers/villages.geojson")

    assert body.headings == [name]
    assert body.title == f"{name} · Pisike"
    assert name in village.text
    assert name in [feature["properties"]["name"] for feature in told.json["features"]]
    assert told.mimetype == "application/geo+json"


def test_a_hostile_text_is_shown_as_it_is_written(hostile):
    found = look(hostile, "/et/cases/first-case")

    assert found.headings == [HOSTILE["script"]]
    assert HOSTILE["image"] in found.text
    assert '<a href="javascript:window.hacked=1">raw</a>' in found.text
    assert not any("javascript" in link or "evil.example" in link for link in found.links)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,<script>alert(1)</script>", " JavaScript:alert(1)"]
)
def test_a_source_with_a_hostile_address_is_not_loaded(tmp_path, url):
    folder = make.an_instance(tmp_path / "tiny")
    row = {"key": "bad-link", "name": "Selts", "form": "association", "as_of": "2020", "source_url": url}
    make.write(folder, "bodies/villages.csv", make.bodies_csv([row]))

    with pytest.raises(BadInstance) as refused, site.a_site(folder, tmp_path):
        pass

    assert any("source_url" in str(problem) for problem in refused.value.problems)
