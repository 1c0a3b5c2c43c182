"""What may be kept on a visitor's device: the list is whole, true to the byte, and of one state."""

import json
import re

import pytest

from layers import catalog, imports
from tests import make
from tests.webmap import site
from webmap.settings import Settings


@pytest.fixture
def tiny(tmp_path):
    """A tiny country's folder, and the application over it."""
    folder = make.an_instance(tmp_path / "tiny")
    with site.a_site(folder, tmp_path / "state") as app:
        yield folder, app


@pytest.fixture(scope="module")
def lists(app, estonia):
    """What Estonia lets be kept: language → list."""
    client = app.test_client(use_cookies=False)
    return {code: client.get(f"/{code}/offline.json").json for code in estonia.languages}


def house(client):
    """What the worker knows by itself."""
    return json.loads(re.search(r"^const HOUSE = (.*);$", client.get("/sw.js").text, re.MULTILINE)[1])


def test_the_worker_is_asked_for_anew_at_each_visit_and_may_serve_the_whole_site(client):
    answer = client.get("/sw.js")

    assert answer.status_code == 200
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Service-Worker-Allowed"] == "/"
    assert "worker-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in answer.headers


def test_the_worker_can_say_in_each_language_that_something_is_missing(client, estonia):
    known = house(client)

    assert set(known["words"]) == set(estonia.languages) == set(known["languages"])
    assert all("{when}" in words["kept"] and words["unseen"] for words in known["words"].values())
    assert [client.get(address, buffered=True).status_code for address in known["core"]] == [200] * len(
        known["core"]
    )
    assert {f"/{code}/offline" for code in estonia.languages} <= set(known["core"])


def test_the_list_holds_every_guide_every_case_and_every_list(lists, client):
    for code, kept in lists.items():
        for start in ("", "practices/", "cases/", "layers/"):
            page = site.look(client, f"/{code}/{start}")
            found = [
                link
                for link in site.inside(page)
                # A comparison and a new case are forms: they need the server.
                if re.fullmatch(
                    rf"/{code}/((practices|cases)/(?!compare|new)[^?]*|layers/(?!cases)[^?]*|data)", link
                )
            ]
            assert found
            assert [link for link in found if link not in kept["addresses"]] == []


def test_the_list_weighs_what_its_answers_weigh(lists, client):
    for kept in lists.values():
        answers = {address: client.get(address, buffered=True) for address in kept["addresses"]}

        assert {answer.status_code for answer in answers.values()} == {200}
        assert sum(len(answer.data) for answer in answers.values()) == kept["bytes"]


def test_what_a_device_has_to_keep_is_less_than_five_megabytes(lists):
    assert {code: kept["bytes"] for code, kept in lists.items() if not 1e6 < kept["bytes"] < 5e6} == {}


def test_what_a_page_needs_comes_before_the_page(lists, client):
    """A list that was cut off in its middle still is a whole number of pages."""
    for code, kept in lists.items():
        order = {address: place for place, address in enumerate(kept["addresses"])}
        home = site.look(client, f"/{code}/")
        script = client.get(next(load for load in home.loads if "/map-" in load)).text
        data = [json.loads(found) for found in re.findall(r'"/api/[^"]*"', script)]
        # The page adds the choice behind the shading's address.
        data = [f"{one}&shade=municipality" if "/coverage." in one else one for one in data]

        loads = [load for load in home.loads if re.search("/static/|/map-|/manifest", load)]

        assert len(data) > 10
        assert len(loads) > 5
        assert [one for one in (*loads, *data) if order[one] > order[f"/{code}/"]] == []


def test_the_inside_of_a_kept_page_is_what_the_panel_asks_for(lists, client):
    """The worker cuts the panel's part out of the page, so each is brought and kept once."""
    pages = [
        address
        for kept in lists.values()
        for address in kept["addresses"]
        if re.search(r"/(practices|cases)/[^?]|/offline$", address)
    ]

    assert len(pages) > 100
    for address in pages:
        page, part = client.get(address).text, client.get(f"{address}?part=1").text
        opening = '<article class="page">'
        inside = page[page.index(opening) + len(opening) : page.rindex("</article>")]
        assert inside.split() == part.split("#}")[-1].split(), address


@pytest.mark.parametrize(
    "path", ["", "practices/", "cases/turi-lembitu", "data", "offline", "here?lat=58&lon=26"]
)
@pytest.mark.parametrize("part", ["", "part=1"])
def test_every_page_has_one_place_for_the_time_at_which_it_was_saved(client, path, part):
    address = f"/et/{path}{'&' if '?' in path else '?'}{part}"

    assert client.get(address).text.count("<!--kept-->") == 1


def test_a_new_state_of_the_data_has_another_version_and_nothing_else_has(tiny):
    folder, app = tiny
    client = app.test_client()
    before = house(client)["version"]
    with site.an_app(Settings(instance=folder, state=folder.parent / "state")) as other:
        assert house(other.test_client())["version"] == before
    make.replace(folder, "bodies/villages.csv", "Esimese küla selts", "Uue nimega selts")
    imports.load(app.extensions["house"].engine, catalog.read_instance(folder), now=make.moment(site.TODAY))

    after = house(client)["version"]
    assert after != before
    assert client.get("/et/offline.json").json["version"] == after


def test_other_words_of_the_instance_have_another_version(tiny):
    folder, app = tiny
    before = house(app.test_client())["version"]
    make.replace(folder, "instance.yaml", "Tere tulemast", "Tere")
    with site.an_app(Settings(instance=folder, state=folder.parent / "state")) as other:
        assert house(other.test_client())["version"] != before


def test_an_unknown_language_is_not_found(client):
    for path in ("/xx/offline", "/xx/offline.json"):
        assert client.get(path).status_code == 404
    assert client.get("/manifest.webmanifest?lang=xx").status_code == 400


def test_the_manifest_speaks_the_language_that_it_is_asked_for(client, estonia):
    for code in estonia.languages:
        page = site.look(client, f"/{code}/practices/")
        (address,) = (load for load in page.loads if "manifest" in load)
        answer = client.get(address)
        said = json.loads(answer.text)

        assert answer.mimetype == "application/manifest+json"
        assert said["lang"] == code
        assert said["name"] == said["short_name"] == estonia.names[code]
        assert said["start_url"] == f"/{code}/"
        assert said["display"] == "standalone"
        assert client.get(said["icons"][0]["src"], buffered=True).mimetype == "image/svg+xml"


def test_where_nothing_is_to_be_kept_only_the_worker_that_removes_itself_is_left(tiny):
    folder, _ = tiny
    chosen = {
        "WEBMAP_INSTANCE": str(folder),
        "WEBMAP_STATE": str(folder.parent / "state"),
        "WEBMAP_OFFLINE": "no",
    }
    with site.an_app(Settings.from_environment(chosen)) as app:
        client = app.test_client()
        worker, page = client.get("/sw.js"), site.look(client, "/et/practices/")
        absent = [client.get(path).status_code for path in ("/et/offline", "/et/offline.json")]

    assert worker.headers["Cache-Control"] == "no-cache"
    assert "unregister" in worker.text
    assert '"fetch"' not in worker.text
    assert absent == [404, 404]
    assert [load for load in page.loads if "offline.js" in load] == []
    assert [load for load in page.loads if "manifest" in load] != []
    assert "/et/offline" not in page.links
