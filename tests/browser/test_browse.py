"""Lists to narrow and the form in several languages, in a browser with scripts and without, on any screen."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CHOSEN = "theme=watch,patrol&place_kind=island,border&party=police"


def listed(page):
    return page.evaluate(
        """[...document.querySelectorAll('.found h3 a')].map((one) => one.pathname.split('/').at(-1))"""
    )


@pytest.mark.parametrize("size", ["desktop", "phone", "small"])
@pytest.mark.parametrize(
    "path",
    [
        f"et/cases/?{CHOSEN}",
        f"en/practices/?{CHOSEN}",
        "et/cases/?theme=islands&outcome=ended",
        "en/cases/new",
    ],
)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(visit, size, path):
    page = visit(size=size, bypass_csp=True).go(f"/{path}")
    page.evaluate("document.querySelectorAll('.facet, .tongue').forEach((one) => { one.open = true; })")

    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    found = Axe().run(page).response
    assert found["passes"]
    assert found["violations"] == []


def test_a_list_is_narrowed_by_ticks_without_scripts_and_its_address_is_the_link(visit):
    page = visit(size="phone", java_script_enabled=False).go("/en/practices/")
    for facet, value in (("Theme", "watch"), ("Theme", "rescue"), ("Kind of place", "coast")):
        box = page.locator(f".facet input[value={value}]").first
        if not box.is_visible():
            page.locator(".facet summary", has_text=facet).first.click()
        box.check()
    page.locator(".narrow button").click()

    assert re.search(r"theme=watch&theme=rescue&place_kind=coast", page.url)
    assert page.url.endswith("#narrowed")
    shown = page.locator(".found h3 a").all_inner_texts()
    promised = page.locator("#found").inner_text()
    assert promised == f"{len(shown)} of 27"
    assert 0 < len(shown) < 27
    page.goto(page.url.partition("#")[0])
    assert page.locator(".found h3 a").all_inner_texts() == shown
    assert page.locator(".chips a").all_inner_texts()[-1] == "Clear"


def test_the_map_shows_the_cases_of_the_list_and_leads_back_to_it(visit):
    visitor = visit()
    page = visitor.go("/en/cases/?theme=watch&theme=patrol&text=leping")
    keys = listed(page)
    page.get_by_text("Show these on the map").click()
    visitor.ready()

    assert page.locator("select[name=theme]").input_value() == "watch,patrol"
    assert page.locator("#choice [name=text]").input_value() == "leping"
    visitor.until(
        "document.querySelector('#layers a[href*=\"/layers/cases\"]').textContent.trim()", f"{len(keys)} ›"
    )
    asked = [url for url in visitor.asked if "/cases.geojson" in url][-1]
    drawn = page.evaluate(
        "async (url) => (await (await fetch(url)).json()).features.map((one) => one.properties.key)", asked
    )
    assert sorted(drawn) == sorted(keys)
    assert len(keys) > 2
    page.locator('#layers a[href*="/layers/cases"]').click()
    assert listed(page) == keys


def test_words_typed_beside_the_map_choose_its_cases(visit):
    visitor = visit()
    page = visitor.map("/en/")
    page.evaluate("document.getElementById('filter').open = true")
    page.locator("#choice [name=text]").fill("noarootsi")
    page.locator("#choice [name=text]").press("Enter")
    visitor.settle()

    number = len(listed(visit().go("/en/cases/?text=noarootsi")))
    visitor.until(
        "document.querySelector('#layers a[href*=\"/layers/cases\"]').textContent.trim()", f"{number} ›"
    )
    assert "text=noarootsi" in page.url


def test_a_draft_in_a_second_language_stands_open_when_one_comes_back(visit):
    visitor = visit()
    page = visitor.go("/et/cases/new")
    assert page.locator(".tongue[open]").count() == 1
    page.locator(".tongue summary").nth(1).click()
    page.locator("#title-en").fill("Lake village")
    visitor.until("document.getElementById('kept').hidden", False)
    page = visitor.go("/et/cases/new")

    assert page.locator("#title-en").input_value() == "Lake village"
    assert [one.get_attribute("open") is not None for one in page.locator(".tongue").all()] == [
        True,
        True,
        False,
    ]
