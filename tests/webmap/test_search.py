"""The box in which one looks for a name."""

from urllib.parse import quote

import pytest

from tests.webmap.site import look


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
