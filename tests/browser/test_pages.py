"""The pages in a browser: they fit every screen, axe finds nothing, and the keyboard goes everywhere."""

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAGES = [
    "",
    "layers/",
    "layers/police",
    "layers/counties",
    "bodies/palamuse-pritsumehed",
    "bodies/eesti-kulaliikumine-kodukant",
    "areas/county/0037",
    "areas/municipality/0141",
    "here?lat=58.5&lon=25",
    "here?lat=57.6&lon=22",
    "cases/",
    "cases/turi-lembitu",
    "practices/",
    "practices/neighbourhood-watch-sector",
    "data",
    "journal/",
    "journal/2015-12-28-study-begins",
    "trainings/",
    "practices/watch-kept-alive/slides",
    "about",
    "network",
    "offline",
    "coverage",
    "places/5582",
    "search?q=tartu",
    "here?place=Mustla",
    "print?paper=portrait",
    "embed",
]
REFUSED = ["bodies/nobody", "?as_of=2018-13"]
# Shown by another page already; axe takes seconds for a long one.
TWICE = {"bodies/eesti-kulaliikumine-kodukant", "here?lat=57.6&lon=22"}
BROKEN = {"cases/"}
DATED = ["?as_of=2012-05-15", "layers/rescue?as_of=2012-05-15"]


# An error page is asked for on purpose, and Chromium complains of its status.
ON_PURPOSE = "status of 40"


@pytest.mark.parametrize("size", ["desktop", "small"])
def test_no_hostile_name_makes_a_page_scroll_sideways(visit, hostile_home, size):
    visitor = visit(size=size, home=hostile_home)
    wide = {}
    for path in (
        "",
        "bodies/evil-long",
        "bodies/evil-rtl",
        "layers/villages",
        "cases/first-case",
        "areas/county/01",
    ):
        page = visitor.go(f"/et/{path}")
        width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        wide |= {path: width} if width > 0 else {}

    assert wide == {}


@pytest.mark.parametrize("size", ["desktop", "phone", "small"])
def test_no_page_scrolls_sideways(visit, size):
    visitor = visit(size=size)
    visitor.forgive(ON_PURPOSE)
    wide = {}
    for path in (*PAGES, *REFUSED, *DATED):
        page = visitor.go(f"/et/{path}")
        width = page.evaluate(
            "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - innerWidth"
        )
        wide |= {path: width} if width > 0 else {}

    assert wide == {}


def faults(page):
    found = Axe().run(page).response["violations"]
    return [
        (one["id"], one["nodes"][0]["html"][:160], one["nodes"][0]["failureSummary"][:200]) for one in found
    ]


@pytest.mark.parametrize(
    ("language", "size"), [("et", "phone"), ("en", "desktop"), ("ru", "desktop"), ("ru", "phone")]
)
def test_axe_finds_nothing(visit, size, language):
    visitor = visit(size=size, bypass_csp=True)
    visitor.forgive(ON_PURPOSE)
    found = {}
    for path in sorted({*PAGES, *REFUSED, DATED[0]} - TWICE - BROKEN):
        page = visitor.go(f"/{language}/{path}")
        found |= {path: said} if (said := faults(page)) else {}
    page = visitor.map(f"/{language}/#open=cases/turi-lembitu")
    found |= {"panel": said} if (said := faults(page)) else {}

    assert visitor.panel() != ""
    assert found == {}


def test_axe_finds_nothing_in_the_list_of_cases(visit):
    visitor = visit(bypass_csp=True)

    assert faults(visitor.go("/et/cases/")) == []


# --- The keyboard


def focused(page):
    return page.evaluate("((at) => at.getAttribute('href') || at.name || at.id)(document.activeElement)")


@pytest.mark.parametrize("path", ["", "data", "bodies/nobody"])
def test_the_first_stop_skips_to_the_content(visit, path):
    visitor = visit()
    visitor.forgive(ON_PURPOSE)
    page = visitor.go(f"/et/{path}")
    page.keyboard.press("Tab")
    first = focused(page)
    seen = page.locator(".skip").bounding_box()
    page.keyboard.press("Enter")

    assert first == "#main"
    assert seen["x"] >= 0
    assert focused(page) == "main"


def tab_to(page, wanted, most=60):
    stops = []
    for _ in range(most):
        page.keyboard.press("Tab")
        stops.append(focused(page))
        if wanted(page):
            return stops
    raise AssertionError(f"not reached: {stops}")


def test_the_keyboard_reaches_layers_lists_and_opens_them(visit):
    visitor = visit()
    page = visitor.map("/et/")

    stops = tab_to(page, lambda page: page.evaluate("document.activeElement.value === 'police'"))
    page.keyboard.press("Space")
    unchecked = not page.locator("input[value=police]").is_checked()
    tab_to(page, lambda page: focused(page) == "/et/layers/police", most=3)
    page.keyboard.press("Enter")
    page.wait_for_url("**/et/layers/police")

    assert unchecked
    assert "#main" in stops
    assert len(stops) < 25


def test_the_keyboard_opens_a_panel_from_another_and_comes_back(visit):
    visitor = visit()
    page = visitor.map("/et/#open=bodies/palamuse-pritsumehed")
    first = visitor.panel()

    page.locator("#detail [data-panel]").last.focus()
    page.keyboard.press("Enter")
    second = visitor.panel()
    inside = page.evaluate("document.getElementById('detail').contains(document.activeElement)")
    page.locator("[data-back]").focus()
    page.keyboard.press("Enter")

    assert second not in ("", first)
    assert inside
    assert visitor.panel() == ""
    assert page.evaluate("document.activeElement !== document.body")


def test_the_keyboard_moves_and_zooms_the_map(visit):
    visitor = visit()
    page = visitor.map("/et/#at=9/58.5/25.5")
    page.locator(".folium-map").focus()

    page.keyboard.press("+")
    visitor.until("!location.hash.includes('at=9/')")
    zoomed = visitor.view()
    page.keyboard.press("ArrowUp")
    visitor.until("(before) => !location.hash.includes(before)", argument=zoomed)

    assert not zoomed.startswith("9/")
    assert page.evaluate("document.querySelector('.folium-map').getAttribute('aria-label')") == "Kaart"


def test_every_stop_shows_where_it_is(visit):
    visitor = visit()
    page = visitor.map("/et/")
    unseen = []
    for _ in range(30):
        page.keyboard.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        unseen += [focused(page)] if style == "none" else []

    assert unseen == []


@pytest.mark.parametrize("size", ["phone", "small"])
def test_what_is_pressed_on_a_phone_is_large_enough(visit, size):
    visitor = visit(size=size, has_touch=True, is_mobile=True)
    page = visitor.map("/et/")
    small = page.evaluate(
        """[...document.querySelectorAll('button, nav a, .layer label')]
        .filter((e) => e.getClientRects().length)
        .map((e) => [e.textContent.trim().slice(0, 20), e.getBoundingClientRect().height])
        .filter(([, height]) => height < 24)"""
    )

    assert small == []


def test_the_panel_of_a_phone_opens_and_closes_with_its_grip(visit):
    visitor = visit(size="phone")
    page = visitor.map("/et/")
    grip = page.locator(".grip")
    heights = [page.locator(".panel").bounding_box()["height"]]
    said = [grip.get_attribute("aria-expanded")]

    for _ in range(2):
        grip.click()
        heights.append(page.locator(".panel").bounding_box()["height"])
        said.append(grip.get_attribute("aria-expanded"))

    assert said == ["false", "true", "false"]
    assert heights[1] > heights[0] * 2
    assert heights[2] == heights[0]


def test_who_wants_less_motion_sees_no_transition(visit):
    visitor = visit(motion="reduce")
    page = visitor.map("/et/")
    moving = page.evaluate(
        """[...document.querySelectorAll('*')]
        .filter((e) => parseFloat(getComputedStyle(e).transitionDuration) > 0).length"""
    )

    assert moving == 0
