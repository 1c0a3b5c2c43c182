"""The page for other programs names what is there, and every example on it works."""

import re

import pytest

from tests import make
from tests.webmap import site
from tests.webmap.site import look


@pytest.mark.parametrize("language", ["et", "en", "ru"])
def test_every_example_works(client, language):
    page = look(client, f"/{language}/programs")
    tried = [link for link in page.links if link.startswith(("/api", "/hsds", "/catalog"))]
    tried += [link for link in page.links if link.endswith((".ics", ".jsonld", ".vcf", ".atom"))]
    tried += [link for link in page.links if link.startswith(("/ogc", f"/{language}/download"))]

    assert (page.status, page.inline) == (200, [])
    assert len(tried) >= 12
    assert {link: client.get(link).status_code for link in tried} == dict.fromkeys(tried, 200)


def test_it_names_every_service_and_what_the_number_is(client, estonia):
    text = look(client, "/en/programs").text

    assert all(f"urn:x-turvakaart:service:{role.key}" in text for role in estonia.roles)
    assert "urn:service:sos.police" in text
    assert "the number 112" in text


def test_the_page_about_the_data_leads_there_and_to_the_catalogue(client):
    page = client.get("/en/data").text

    assert 'href="/en/programs"' in page
    assert re.findall(r'type="(application/ld\+json|text/turtle)" href="(/catalog[^"]+)"', page) == [
        ("application/ld+json", "/catalog.jsonld"),
        ("text/turtle", "/catalog.ttl"),
    ]


def test_nothing_is_named_that_is_not_there(client):
    page = look(client, "/en/programs")

    assert ("/ogc/" in page.text) == (client.get("/ogc/").status_code == 200)


def test_a_country_without_roles_has_the_page_too(tmp_path):
    with site.a_site(make.an_instance(tmp_path / "tiny"), tmp_path / "state") as app:
        page = look(app.test_client(), "/en/programs")
        tried = [link for link in page.links if link.startswith(("/api", "/hsds"))]
        statuses = {app.test_client().get(link).status_code for link in tried}

    assert (page.status, statuses) == (200, {200})


FORGED = ["", "-1", "9" * 400, "\0ä", "<x>{}%s'", "true"]
ADDRESSES = [
    *("/hsds/", "/hsds/services", "/hsds/organizations", "/hsds/taxonomies"),
    *("/hsds/taxonomy_terms", "/catalog.ttl", "/catalog.jsonld", "/en/programs", "/en/trainings.jsonld"),
    *("/api/find-service", "/en/bodies/louna-prefektuur.jsonld", "/hsds/services/x", "/lost"),
]
NAMES = (
    *("page", "per_page", "format", "full", "full_service", "minimal", "search", "taxonomy_id", "as_of"),
    *("taxonomy_term_id", "organization_id", "modified_after", "known", "lang", "lat", "lon", "service"),
    *("boundary", "_scheme", "_external", "language", "key"),
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_forged_questions_are_never_our_fault(client, address):
    statuses = set()
    for name in NAMES:
        for value in FORGED:
            good = {"lat": "58.4", "lon": "26.7", "service": "police"} if "find" in address else {}
            statuses.add(client.get(address, query_string={**good, name: value}).status_code)

    assert max(statuses) < 500
