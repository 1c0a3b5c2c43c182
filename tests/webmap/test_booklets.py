"""A guide as PDF: the whole text with its cases and sources, the same bytes for the same data."""

import io

import pytest
from pypdf import PdfReader

from webmap import prose


def read(response):
    assert (response.status_code, response.mimetype) == (200, "application/pdf")
    return PdfReader(io.BytesIO(response.data))


def text_of(pdf):
    return " ".join(" ".join(page.extract_text() for page in pdf.pages).split())


@pytest.mark.slow
@pytest.mark.parametrize("language", ["et", "en"])
def test_a_booklet_has_every_heading_and_source_of_its_guide(client, language):
    page = client.get(f"/{language}/practices/volunteer-rescue-unit").text

    pdf = read(client.get(f"/{language}/practices/volunteer-rescue-unit.pdf"))

    assert f'href="/{language}/practices/volunteer-rescue-unit.pdf"' in page
    said = text_of(pdf)
    for heading in {
        "et": ("Probleem", "Kes mida teeb", "Allikad"),
        "en": ("The problem", "Who does what", "Sources"),
    }[language]:
        assert heading in said
    assert "Komando ABC" in said
    assert pdf.trailer["/Root"]["/Lang"] == language
    assert len(pdf.pages) > 1


@pytest.mark.slow
def test_the_same_guide_has_the_same_bytes(client):
    first, second = (client.get("/et/practices/neighbourhood-watch-sector.pdf").data for _ in range(2))

    assert first == second


def test_a_guide_that_is_not_there_is_told(client):
    assert client.get("/en/practices/none-such.pdf").status_code == 404


def test_markdown_becomes_plain_blocks_in_its_order():
    said = "## One\n\nA **bold** [link](case:x) and\nmore.\n\n### Two\n\n"
    text = f"{said}- first\n- second\n  - deeper\n\n1. Step <b>\n"

    assert prose.blocks(text) == [
        {"kind": "heading", "level": 1, "text": "One"},
        {"kind": "text", "text": "A bold link and more."},
        {"kind": "heading", "level": 2, "text": "Two"},
        {"kind": "list", "items": ["first", "second", "deeper"]},
        {"kind": "steps", "items": ["Step <b>"]},
    ]
