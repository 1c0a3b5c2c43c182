"""Slides on a projector: each fills the screen, none runs out of it, and the keys turn them."""

import pytest
from pypdf import PdfReader

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# Projectors: 16:9 and 4:3, and a browser's window with its bars.
SCREENS = [(1366, 768), (1024, 768), (1366, 640)]
HEIGHTS = """[...document.querySelectorAll('.slide')].map((one) => {
  const turn = one.querySelector('.turn').getBoundingClientRect();
  const last = [...one.children].filter((part) => !part.matches('.turn')).pop().getBoundingClientRect();
  return [one.id, Math.round(one.getBoundingClientRect().height), Math.round(turn.top - last.bottom)];
})"""


def test_no_slide_of_any_guide_runs_out_of_the_screen(visit, estonian_app):
    client = estonian_app.test_client(use_cookies=False)
    found = client.get("/et/trainings/").text
    keys = sorted(
        {part.split("/slides")[0] for part in found.split("/et/practices/")[1:] if "/slides" in part[:60]}
    )
    visitor = visit()
    wrong = {}
    for width, height in SCREENS:
        visitor.page.set_viewport_size({"width": width, "height": height})
        some = keys if (width, height) == SCREENS[0] else keys[::6]
        for number, key in enumerate(some):
            language = ("et", "en")[number % 2]
            told = visitor.go(f"/{language}/practices/{key}/slides").evaluate(HEIGHTS)
            bad = [one for one in told if one[1] != height or one[2] < 0]
            wrong |= {f"{width} {language} {key}": bad} if bad else {}
            assert len(told) > 10

    assert len(keys) == 27
    assert wrong == {}


def test_the_keys_turn_one_slide_at_a_time(visit):
    visitor = visit()
    page = visitor.go("/en/practices/watch-kept-alive/slides#s2")
    at = "Math.round(document.getElementById('s3').getBoundingClientRect().top)"

    page.keyboard.press("ArrowDown")
    visitor.until(at, 0)
    page.get_by_label("Back to slide 2").click()
    visitor.until(at, 768)

    assert page.url.endswith("#s2")


def test_on_paper_each_slide_has_a_page(visit, tmp_path):
    page = visit().go("/en/practices/watch-kept-alive/slides")
    page.pdf(path=tmp_path / "slides.pdf", prefer_css_page_size=True, print_background=True)

    read = PdfReader(tmp_path / "slides.pdf")
    assert len(read.pages) == page.locator(".slide").count()
    assert [float(side) for side in read.pages[1].mediabox[2:]] == pytest.approx([842, 473.5], abs=2)
