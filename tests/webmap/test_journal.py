"""The journal, its feed and files, and the page about the project."""

from xml.etree import ElementTree

import pytest

from layers.errors import Invalid
from tests import make
from tests.webmap import site
from tests.webmap.site import HOSTILE, look
from webmap.settings import Settings

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A visitor to a country whose journal tries to be more than text."""
    folder = make.a_told_instance(
        tmp_path_factory.mktemp("told") / "tiny",
        [{"key": "evil", "title_et": HOSTILE["script"], "place": HOSTILE["image"], "begins": "2027-02-01"}],
        title=HOSTILE["script"],
        summary=HOSTILE["image"],
    )
    with site.a_site(folder, tmp_path_factory.mktemp("state")) as app:
        yield app.test_client(use_cookies=False)


def test_every_entry_leads_to_its_sources_and_cases(client):
    page = look(client, "/en/journal/2016-09-19-guide-presentation")

    assert "/en/cases/rouge-tervis" in page.links
    assert any(link.startswith("https://www.heakodanik.ee/") for link in page.links)
    assert "We have found neither the guide itself" in page.text


def test_the_journal_of_another_day_ends_there(client):
    page = look(client, "/en/journal/?as_of=2016-01-01")

    entries = [link for link in page.links if "/journal/2" in link]
    assert [link.split("?")[0].rsplit("/", 1)[1] for link in entries] == [
        "2015-12-28-study-begins",
        "2015-11-six-practices",
    ]


def test_the_feed_tells_every_entry_with_its_source_and_file(client):
    answer = client.get("/en/journal.atom?as_of=2026-11-22")
    feed = ElementTree.fromstring(answer.data)  # noqa: S314  (our own answer)

    assert answer.mimetype == "application/atom+xml"
    entries = feed.findall(f"{ATOM}entry")
    assert len(entries) == 5
    assert (
        feed.find(f"{ATOM}updated").text == entries[0].find(f"{ATOM}updated").text == "2026-11-01T00:00:00Z"
    )
    rels = {(link.get("rel"), link.get("href")) for one in entries for link in one.findall(f"{ATOM}link")}
    assert ("enclosure", "http://localhost/en/journal/files/sources-2015-2016.txt") in rels
    assert ("via", "http://www.linnalabor.ee/turvalisus/arhiiv/201512") in rels
    for one in entries:
        address = one.find(f"{ATOM}id").text.removeprefix("http://localhost")
        assert client.get(address).status_code == 200


def test_a_file_is_kept_and_not_run_and_only_when_an_entry_names_it(told):
    answer = told.get("/et/journal/files/list.csv", buffered=True)

    assert (answer.text, answer.headers["Content-Disposition"]) == (
        "a,b\n1,2\n",
        "attachment; filename=list.csv",
    )
    for name in ("secret.txt", "..%2f2015-12-28-start.et.md", "%2e%2e%2f%2e%2e%2fplaces.csv"):
        assert told.get(f"/et/journal/files/{name}").status_code == 404


@pytest.mark.parametrize("path", ["journal/", "journal/2015-12-28-start", "trainings/", "about", "network"])
def test_a_hostile_journal_stays_text(told, path):
    page = look(told, f"/et/{path}")

    assert page.status == 200
    assert page.inline == []
    assert not any(load.startswith("http") for load in page.loads)


def test_a_country_that_tells_nothing_of_itself_links_to_nothing_of_it(hostile):
    page = look(hostile, "/et/data")

    assert "/et/trainings/" in page.links
    assert [link for link in page.links if link.endswith(("/about", "/journal/"))] == []
    assert hostile.get("/et/about").status_code == 404
    assert look(hostile, "/et/journal/").status == 200


def test_the_page_about_the_project_names_partners_licences_and_the_way_to_correct(client):
    text = look(client, "/en/about").text

    for said in ("Police and Border Guard Board", "Kodukant", "Eesti Naabrivalve", "Päästeliit"):
        assert said in text
    for said in ("Ministry of the Interior", "Apache License", "ODbL-1.0", "CC-BY-4.0", "names no address"):
        assert said in text


def test_the_way_to_correct_is_the_installation_s_own(tmp_path):
    folder = make.a_told_instance(tmp_path / "tiny")
    with site.a_site(folder, tmp_path, corrections="mailto:map@example.org") as app:
        page = look(app.test_client(), "/et/about")

    assert "mailto:map@example.org" in page.links
    with pytest.raises(Invalid):
        Settings(corrections="javascript:alert(1)")
