"""Pages tell search engines what they tell people: schema.org as a data block, and at its own address."""

import json
import re

import pytest

from tests import make
from tests.webmap import site

BLOCK = re.compile(r'<script type="application/ld\+json">(.*?)</script>', re.DOTALL)
KINDS = {
    "bodies/louna-prefektuur": "Organization",
    "areas/municipality/0793": "AdministrativeArea",
    "cases/avinurme": "Article",
    "practices/volunteer-rescue-unit": "HowTo",
    "trainings/": "ItemList",
}


def block(client, path):
    (found,) = BLOCK.findall(client.get(path).text)
    return json.loads(found)


def beside(client, path):
    (address,) = re.findall(
        r'<link rel="alternate" type="application/ld\+json" href="([^"]+)"', client.get(path).text
    )
    answer = client.get(address.replace("&amp;", "&"))
    assert (answer.status_code, answer.mimetype) == (200, "application/ld+json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert client.get(address, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    return answer.get_json(force=True)


def inside(value, kind):
    """Every thing of a kind within another."""
    if isinstance(value, list):
        return [one for part in value for one in inside(part, kind)]
    if not isinstance(value, dict):
        return []
    own = [value] if value.get("@type") == kind else []
    return own + [one for part in value.values() for one in inside(part, kind)]


@pytest.mark.parametrize("language", ["et", "en", "ru"])
@pytest.mark.parametrize("path", KINDS)
def test_the_page_says_the_same_as_the_address_beside_it(client, path, language):
    here = f"/{language}/{path}"
    said = block(client, here)

    assert said == beside(client, here)
    assert said["@context"] == "https://schema.org"
    assert said["@type"] == KINDS[path]
    assert said["@id"].partition("#")[0] == here


def test_an_organisation_is_told_as_exactly_as_on_its_page(client):
    said = block(client, "/en/bodies/louna-prefektuur")
    served = [one["@id"] for one in said["areaServed"]]

    assert said["name"] == "Southern Prefecture"
    assert said["alternateName"] == "Lõuna prefektuur"
    assert said["location"]["description"] == "the settlement's point, not a house"
    assert set(said["location"]["geo"]) == {"@type", "latitude", "longitude"}
    assert "/en/areas/county/0079#thing" in served
    assert said["mainEntityOfPage"]["citation"][0]["url"].startswith("https://www.riigiteataja.ee/")
    assert said["disambiguatingDescription"].startswith("Not current")
    assert inside(said, "PostalAddress") == []


def test_a_guide_has_the_steps_of_its_text(client):
    page = client.get("/en/practices/volunteer-rescue-unit").text
    said = block(client, "/en/practices/volunteer-rescue-unit")
    sections, steps = inside(said["step"], "HowToSection"), inside(said["step"], "HowToStep")

    assert [one["name"] for one in sections][:2] == ["Volunteer rescuers", "Rescue Board"]
    assert len(steps) > 10
    plain = re.sub(r"<[^>]+>", "", page).replace("&amp;", "&")
    assert [one["text"] for one in steps if one["text"][:40] not in plain] == []
    assert len(said["citation"]) > 0


def test_every_practice_and_case_can_be_told(app, client, estonia):
    addresses = [
        *(
            f"practices/{one.stem.partition('.')[0]}"
            for one in (estonia.folder / "practices").glob("*.et.md")
        ),
        *(f"cases/{one.stem.partition('.')[0]}" for one in (estonia.folder / "cases").glob("*.et.md")),
    ]
    found = {path: client.get(f"/en/{path}.jsonld").get_json(force=True) for path in addresses}

    assert len(found) > 70
    assert {one["@type"] for one in found.values()} <= {"HowTo", "Article"}
    assert [path for path, one in found.items() if not (one.get("name") or one.get("headline"))] == []
    assert sum(one["@type"] == "HowTo" for one in found.values()) > 10


def test_an_area_tells_its_people_and_what_it_is_part_of(client):
    said = block(client, "/en/areas/municipality/0793")

    assert said["containedInPlace"] == {
        "@type": "AdministrativeArea",
        "@id": "/en/areas/county/0079#thing",
        "name": "Tartu county",
    }
    assert said["identifier"]["value"] == "0793"
    assert said["additionalProperty"]["value"] > 50_000


def test_trainings_have_the_days_that_their_sources_tell(client):
    every = inside(block(client, "/en/trainings/"), "Event")

    assert {one["startDate"] for one in every} >= {"2016-09-21T16:00+03:00", "2016-09"}
    assert all(one["subjectOf"]["name"] for one in every)


def test_another_day_goes_along(client):
    said = block(client, "/en/bodies/louna-prefektuur?as_of=2012")

    assert said == beside(client, "/en/bodies/louna-prefektuur?as_of=2012")
    assert said["url"] == "/en/bodies/louna-prefektuur?as_of=2012-01-01"


def test_the_host_of_a_request_does_not_come_into_the_page(client, tmp_path):
    evil = {"Host": "evil.example"}
    page = client.get("/en/bodies/louna-prefektuur", headers=evil).text
    with site.a_site(
        make.an_instance(tmp_path / "tiny"), tmp_path / "s", address="https://map.example"
    ) as app:
        named = block(app.test_client(), "/en/bodies/west-station")

    assert "evil.example" not in page
    assert named["@id"] == "https://map.example/en/bodies/west-station#thing"


@pytest.mark.parametrize("language", ["et", "en"])
@pytest.mark.parametrize("path", [*(f"bodies/evil-{key}" for key in site.HOSTILE), "cases/first-case"])
def test_a_hostile_name_stays_text_in_the_block(hostile, path, language):
    here = f"/{language}/{path}"
    (text,) = BLOCK.findall(hostile.get(here).text)

    assert not set("<>&\u2028\u2029") & set(text)
    said = json.loads(text)
    assert said == beside(hostile, here)
    names = {said.get("name"), said.get("headline"), said.get("alternateName")}
    assert names & set(site.HOSTILE.values())


def test_the_panel_beside_the_map_needs_no_block(client):
    assert BLOCK.findall(client.get("/en/bodies/louna-prefektuur?part=1").text) == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/en/bodies/nobody.jsonld", 404),
        ("/en/areas/county/nowhere.jsonld", 404),
        ("/en/cases/none.jsonld", 404),
        ("/xx/bodies/louna-prefektuur.jsonld", 400),
        ("/en/bodies/louna-prefektuur.jsonld?as_of=soon", 400),
        ("/en/practices/volunteer-rescue-unit.jsonld?known=x", 400),
    ],
)
def test_what_cannot_be_told_is_a_problem(client, path, status):
    answer = client.get(path)

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
