"""Guides as slides: nothing is lost, nothing runs out, and equal data have equal bytes."""

import io

import pytest
from pypdf import PdfReader

from layers import practices
from tests.webmap.site import TODAY, look
from webmap import db, prose, slides


def of_text(text):
    return slides._of_text(prose.blocks(text))


def test_a_long_list_goes_on_on_the_next_slide_with_its_numbers():
    text = "## Steps\n\n" + "\n".join(f"{n}. {'Word ' * 20}{n}" for n in range(1, 8))

    found = of_text(text)

    assert [one.part for one in found] == [f"{n}/{len(found)}" for n in range(1, len(found) + 1)]
    assert len(found) > 1
    numbers = [one.first + at for one in found for at in range(len(one.items))]
    assert numbers == [1, 2, 3, 4, 5, 6, 7]
    assert max(len(one.items) for one in found) - min(len(one.items) for one in found) <= 1


def test_a_heading_inside_names_who_and_the_section_stands_over_it():
    found = of_text("## Who does what\n\nAll.\n\n### Police\n\n1. Call.\n\n## Evidence\n\nNone.\n")

    assert [(one.kicker, one.title, one.items) for one in found] == [
        ("", "Who does what", ("All.",)),
        ("Who does what", "Police", ("Call.",)),
        ("", "Evidence", ("None.",)),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One here. Two there! Three?", ["One here.", "Two there!", "Three?"]),
        ("Seminar on 21. Septembril. Siis lõpp.", ["Seminar on 21. Septembril.", "Siis lõpp."]),
        ("Nagu ütles A. Tamm eile. Õige.", ["Nagu ütles A. Tamm eile.", "Õige."]),
        ("Toimus (2021). Siis jätk.", ["Toimus (2021).", "Siis jätk."]),
    ],
)
def test_sentences_end_where_they_end(text, expected):
    assert slides.sentences(text) == expected


def test_little_is_set_large_and_what_cannot_be_cut_is_set_dense():
    assert [one.size for one in of_text("## A\n\n- short\n\n## B\n\n- " + "word " * 130)] == [
        "large",
        "dense",
    ]


@pytest.mark.parametrize("language", ["et", "en", "ru"])
def test_slides_say_every_word_of_their_guide_in_its_order(app, language):
    with app.test_request_context(f"/{language}/"):
        every = practices.practices(db.session(), as_of=TODAY)
        for practice in every:
            text = practice.texts.get(language) or practice.texts["et"]
            blocks = prose.blocks(text)
            wanted = " ".join(
                word
                for block in blocks
                if block["kind"] != "heading"
                for word in block.get("items") or [block["text"]]
            )
            said = " ".join(item for one in of_text(text) for item in one.items)
            assert said.split() == wanted.split(), practice.key
            assert {one["text"] for one in blocks if one["kind"] == "heading"} >= {
                one.title for one in of_text(text)
            }
    assert len(every) == 27


def pdf(client, address):
    answer = client.get(address)
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    return answer.data, PdfReader(io.BytesIO(answer.data))


@pytest.mark.slow
def test_every_guide_in_every_full_language_has_one_page_of_16_by_9_for_each_slide(client):
    """What ran out of its slide would begin a page of its own."""
    for key in {
        link.split("/")[3] for link in look(client, "/et/trainings/").links if link.endswith("/slides")
    }:
        for language in ("et", "en"):
            shown = client.get(f"/{language}/practices/{key}/slides").text.count('<section class="slide')
            _, read = pdf(client, f"/{language}/practices/{key}/slides.pdf")

            assert len(read.pages) == shown > 10, (key, language)
            box = read.pages[0].mediabox
            assert float(box.width) / float(box.height) == pytest.approx(16 / 9, abs=0.01)


def test_the_same_guide_has_the_same_bytes_and_its_language(client):
    first, read = pdf(client, "/en/practices/watch-kept-alive/slides.pdf")
    second, _ = pdf(client, "/en/practices/watch-kept-alive/slides.pdf")

    assert first == second
    assert read.trailer["/Root"]["/Lang"] == "en"
    assert "Keeping a neighbourhood watch alive" in " ".join(read.pages[0].extract_text().split())


def test_a_guide_leads_to_its_slides_and_they_lead_back(client):
    page = look(client, "/en/practices/watch-kept-alive")
    deck = look(client, "/en/practices/watch-kept-alive/slides")

    assert "/en/practices/watch-kept-alive/slides" in page.links
    assert {"/en/practices/watch-kept-alive", "/en/practices/watch-kept-alive/slides.pdf"} <= {*deck.links}
    assert (deck.inline, "script" in deck.tags and deck.loads == []) == ([], False)
    assert client.get("/en/practices/none-such/slides").status_code == 404
