"""Feeds and address cards: what other programs read."""

from xml.etree import ElementTree

import pytest

from layers import places
from tests.webmap.site import TODAY

ATOM = "{http://www.w3.org/2005/Atom}"


def feed_of(client, address):
    answer = client.get(address)
    assert (answer.status_code, answer.mimetype) == (200, "application/atom+xml")
    return ElementTree.fromstring(answer.data)  # noqa: S314  (our own answer)


def titles(feed):
    return [entry.find(f"{ATOM}title").text for entry in feed.iter(f"{ATOM}entry")]


def test_a_new_store_tells_everything_of_an_area_as_added(client):
    feed = feed_of(client, "/en/areas/municipality/0855/changes.atom")

    assert feed.find(f"{ATOM}title").text == "Turvakaart: Valga municipality"
    assert "Added: Tsirguliina neighbourhood watch" in titles(feed)
    assert all(title.startswith("Added: ") for title in titles(feed))
    links = [entry.find(f"{ATOM}link").get("href") for entry in feed.iter(f"{ATOM}entry")]
    assert all(client.get(link.removeprefix("http://localhost")).status_code == 200 for link in links)


def test_every_entry_has_an_identity_of_its_own(client):
    feed = feed_of(client, "/et/areas/county/0081/changes.atom")

    ids = [entry.find(f"{ATOM}id").text for entry in feed.iter(f"{ATOM}entry")]
    assert len(ids) > 5
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("address", ["/en/areas/county/9999/changes.atom", "/en/bodies/nobody.vcf"])
def test_what_does_not_exist_has_no_feed_and_no_card(client, address):
    assert client.get(address).status_code == 404


def test_every_organisation_has_a_card_with_public_facts_only(app, client, estonia):
    with app.test_request_context("/"):
        from webmap import db

        bodies = places.bodies(db.session(), as_of=TODAY)
    for body in bodies:
        answer = client.get(f"/en/bodies/{body.key}.vcf")
        lines = answer.data.decode().split("\r\n")

        assert (answer.mimetype, lines[0], lines[-2]) == ("text/vcard", "BEGIN:VCARD", "END:VCARD"), body.key
        assert all(len(line.encode()) <= 75 for line in lines), body.key
        names = {
            line.split(":")[0].split(";")[0]
            for line in answer.data.decode().replace("\r\n ", "").split("\r\n")
        }
        assert names <= {
            "BEGIN",
            "VERSION",
            "KIND",
            "FN",
            "ORG",
            "CATEGORIES",
            "URL",
            "ADR",
            "GEO",
            "NOTE",
            "END",
            "",
        }
    assert len(bodies) > 150


def test_marks_that_mean_something_in_a_card_are_escaped(hostile):
    from webmap.feeds import _escaped, _folded

    assert _escaped("Küla; selts, \\ ja\nteised") == "Küla\\; selts\\, \\\\ ja teised"
    assert _folded("õ" * 60).replace("\r\n ", "") == "õ" * 60
