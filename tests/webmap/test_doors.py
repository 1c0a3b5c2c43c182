"""The ways in: every audience has a page that says what to do, with whom, starting how."""

import pytest

from tests.webmap import site


def test_every_door_opens_in_every_language_and_its_guides_are_there(client, estonia):
    assert len(estonia.doors) >= 6
    for door in estonia.doors:
        for language in estonia.languages:
            page = site.look(client, f"/{language}/for/{door.key}")

            assert page.status == 200
            for guide in door.guides:
                assert f"/{language}/practices/{guide}" in page.links


def test_a_door_with_a_place_names_partners_but_not_oneself(client):
    page = client.get("/en/for/watch?place=Otepää linn").text

    assert "Valgjärve vabatahtlik päästeselts" in page
    assert "Otepää municipality" in page
    assert "<strong>Neighbourhood watch</strong>" not in page
    assert "Cases that fit this place" in page


def test_a_name_that_several_places_bear_is_asked_back(client):
    assert "Which one?" in client.get("/en/for/police?place=Aruküla").text


@pytest.mark.parametrize(
    ("path", "status"), [("/en/for/nobody", 404), ("/en/for/police?place=Nowhereville", 404)]
)
def test_what_is_not_there_is_told(client, path, status):
    assert client.get(path).status_code == status


def test_the_list_of_practices_leads_to_every_door(client, estonia):
    page = site.look(client, "/en/practices/")

    assert {f"/en/for/{door.key}" for door in estonia.doors} <= set(page.links)
