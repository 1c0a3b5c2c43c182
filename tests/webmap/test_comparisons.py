"""Two practices side by side: every part of both, row by row."""

from tests.webmap import site

TWO = "one=neighbourhood-watch-sector&two=volunteer-rescue-unit"


def test_every_part_of_both_stands_in_its_row(client, estonia):
    page = site.look(client, f"/en/practices/compare?{TWO}")

    assert page.status == 200
    for words in estonia.sections["practices"].values():
        assert words["en"] in page.text
    for key in ("neighbourhood-watch-sector", "volunteer-rescue-unit"):
        assert f"/en/practices/{key}" in page.links
        own = site.look(client, f"/en/practices/{key}")
        assert own.headings[0] in page.text


def test_one_alone_asks_for_the_other(client):
    assert "Choose two." in client.get("/en/practices/compare?one=volunteer-rescue-unit").text


def test_a_practice_that_is_not_there_is_told(client):
    assert client.get("/en/practices/compare?one=none-such").status_code == 400


def test_a_practice_leads_to_the_comparison(client):
    page = site.look(client, "/en/practices/volunteer-rescue-unit")

    assert "/en/practices/compare?one=volunteer-rescue-unit" in page.links
