"""The safety card in a browser: it prints to exactly one page, on every screen it can be read."""

import io

import pypdf
import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.webmap.test_cards import DAY, subjects

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# How far the last line stands above the lower margin of the sheet, in millimetres.
ROOM = """() => {
  const sheet = document.querySelector('.wall'), last = sheet.lastElementChild.lastElementChild
  const inner = sheet.getBoundingClientRect().bottom - parseFloat(getComputedStyle(sheet).paddingBottom)
  return (inner - last.lastElementChild.getBoundingClientRect().bottom) / 96 * 25.4
}"""


def test_cards_all_over_estonia_print_to_one_page(visit):
    """Every seventh: all of them take minutes."""
    visitor, wrong = visit(), {}
    for number, (kind, code) in enumerate(subjects()[::7]):
        # Russian is the longest; the others take turns with it.
        language = ("ru", "et", "ru", "en")[number % 4]
        page = visitor.go(f"/{language}/card/{kind}/{code}?as_of={DAY}")
        printed = pypdf.PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True, print_background=True)))
        room = page.evaluate(ROOM)
        if len(printed.pages) != 1 or room < -0.1:  # Rounding of the browser.
            wrong[language, kind, code] = (len(printed.pages), room)

    assert wrong == {}


@pytest.mark.parametrize("size", ["desktop", "phone", "small"])
def test_a_card_fits_the_screen_and_axe_finds_nothing(visit, size):
    visitor = visit(size=size)
    page = visitor.go(f"/ru/card/settlement/5913?as_of={DAY}")

    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert [one["id"] for one in found.response["violations"]] == []
