"""The planner's pages in a browser: on every screen, by keyboard, without scripts; scenarios on the map."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.conftest import SIZES
from tests.browser.test_pages import faults, focused, tab_to

pytestmark = [pytest.mark.browser, pytest.mark.slow]
VORU = "county=0087"
PLAN = "plan=add:57.8,27.3,5;close:meremae-vabatahtlik-paastekomando"
PAGES = [
    f"?{VORU}",
    f"?standard=nfpa-1720&beside=fi-risk-classes&{VORU}",
    "missing?need=police_and_local",
    "seams",
    f"bridges?{VORU}",
    f"whatif?{VORU}",
    f"whatif?{PLAN}&against=add:57.9,27&{VORU}",
    "whatif?do=add&place=Aruküla",
    f"siting?{VORU}",
    f"siting?role=village&within=60&{VORU}",
    f"report?{VORU}",
    f"report?standard=ee-2011&{VORU}",
]
REFUSED = ["whatif?plan=nonsense", "siting?job=x"]
# Shown by another page already; axe takes seconds for a long one.
TWICE = {f"whatif?{VORU}", f"report?standard=ee-2011&{VORU}", f"siting?role=village&within=60&{VORU}"}
MAPS = [f"?{VORU}", f"bridges?{VORU}", f"whatif?{PLAN}&{VORU}", f"siting?{VORU}"]
KEEP = "document.addEventListener('turvakaart:ready', ({ detail }) => (window.chart = detail))"
ON_PURPOSE = ("status of 40", "status of 30")
NEAR = "void chart.map.setView([57.8, 27.3], 11, { animate: false })"
WIDE = "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - innerWidth"
VERDICT = "document.querySelector('#result .verdict').textContent.trim()"
STATES = """() => chart.layers.plan.drawn.getLayers().reduce((found, one) => {
  const { state } = one.feature.properties;
  return { ...found, [state]: (found[state] || 0) + 1 };
}, {})"""

SOUTH = """chart.layers.plan.drawn.getLayers().some((one) =>
  one.feature.properties.state === 'added' && one.getLatLng().lat < 57.78)"""


@pytest.fixture(scope="module", autouse=True)
def counted(estonian_app):
    """The first question of a server takes seconds, on a busy machine more than a browser waits."""
    client = estonian_app.test_client(use_cookies=False)
    assert client.get(f"/en/gaps/?{VORU}").status_code == 200
    assert client.get("/en/gaps/whatif").status_code == 200


def test_no_planners_page_scrolls_sideways_or_complains(visit):
    visitor = visit()
    visitor.forgive(*ON_PURPOSE)
    wide = {}
    for path in (*PAGES, *REFUSED):
        page = visitor.go(f"/et/gaps/{path}")
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            over = page.evaluate(WIDE)
            wide |= {(path, size): over} if over > 0 else {}

    assert wide == {}


@pytest.mark.parametrize(("language", "size"), [("et", "phone"), ("en", "desktop")])
def test_axe_finds_nothing_on_a_planners_page(visit, language, size):
    visitor = visit(size=size, bypass_csp=True)
    visitor.forgive(*ON_PURPOSE)
    found = {}
    for path in (*sorted({*PAGES} - TWICE), *REFUSED):
        page = visitor.go(f"/{language}/gaps/{path}")
        found |= {path: said} if (said := faults(page)) else {}

    assert found == {}


def test_every_map_of_a_planners_page_is_drawn(visit):
    visitor = visit()
    visitor.context.add_init_script(KEEP)
    drawn = {}
    for path in MAPS:
        page = visitor.map(f"/en/gaps/{path}")
        visitor.until("Boolean(chart.layers.plan.drawn)")
        drawn[path] = page.evaluate(STATES)

    assert all(sum(states.values()) > 5 for states in drawn.values()), drawn
    assert drawn[MAPS[2]]["added"] == drawn[MAPS[2]]["closed"] == 1
    assert drawn[MAPS[3]]["added"] == 3


@pytest.mark.parametrize("path", [f"?{VORU}", f"whatif?{VORU}", f"siting?{VORU}", f"report?{VORU}", "seams"])
def test_a_planners_page_is_whole_without_scripts(visit, path):
    visitor = visit(java_script_enabled=False)
    page = visitor.go(f"/en/gaps/{path}")

    assert page.locator("table.rows tbody tr").count() >= 3
    assert page.locator(".tabs a[aria-current=page]").count() == 1
    if "whatif" in path or "siting" in path:
        assert page.locator("noscript .notice").is_visible()


def test_a_scenario_is_planned_without_scripts(visit):
    page = visit(java_script_enabled=False).go(f"/en/gaps/whatif?{VORU}")
    adding = page.locator("form.card").nth(0)
    adding.locator("[name=place]").fill("57.8, 27.3")
    adding.locator("button").click()
    first = page.locator("#steps li").all_inner_texts()
    page.locator("[name=unit]").select_option("new-1")
    page.locator("button[value=close]").click()
    second = page.locator("#steps li").all_inner_texts()
    page.locator("#steps a").nth(1).click()

    assert [len(first), len(second)] == [1, 2]
    assert page.locator("#steps li").all_inner_texts() == first
    assert parse_qs(urlsplit(page.url).query)["plan"] == ["add:57.8,27.3,5"]


def test_a_proof_is_asked_for_without_scripts(visit):
    page = visit(java_script_enabled=False).go(f"/en/gaps/siting?{VORU}")
    page.locator("#result form button").click()
    for _ in range(40):
        if not page.locator("[data-follow]").count():
            break
        page.wait_for_timeout(250)
        page.reload()

    assert "No better plan exists; this is proven." in page.locator("#result").inner_text()


def test_a_proof_comes_to_the_page_by_itself(visit):
    visitor = visit()
    visitor.context.add_init_script(KEEP)
    page = visitor.map(f"/en/gaps/siting?model=lscp&{VORU}")
    before = page.locator("#result tbody tr").count()

    page.locator("#result form button").click()
    page.wait_for_url("**job=**")
    visitor.ready()
    visitor.until("!document.querySelector('[data-follow]')")
    visitor.settle()

    after = page.locator("#result tbody tr").count()
    assert "No better plan exists; this is proven." in page.locator("#result").inner_text()
    assert 0 < after < before
    visitor.until(f"({STATES})().added", after)


# --- Scenarios on the map


def charted(visit, path, **about):
    visitor = visit(**about)
    visitor.context.add_init_script(KEEP)
    page = visitor.map(path)
    visitor.until("Boolean(chart.layers.plan.drawn)")
    return visitor, page


def point(page, lat, lon):
    """Where a place lies on the screen."""
    x, y = page.evaluate(
        "([lat, lon]) => { const { x, y } = chart.map.latLngToContainerPoint([lat, lon]); return [x, y]; }",
        [lat, lon],
    )
    page.locator(".folium-map").scroll_into_view_if_needed()
    box = page.locator(".folium-map").bounding_box()
    return box["x"] + x, box["y"] + y


def plan_of(page):
    return parse_qs(urlsplit(page.url).query).get("plan", [""])[0]


def add_at(visitor, page, lat, lon):
    page.mouse.click(*point(page, lat, lon))
    page.locator(".leaflet-popup button").first.click()
    visitor.settle()


def test_a_click_adds_a_unit_and_figures_address_and_back_button_follow(visit):
    visitor, page = charted(visit, f"/en/gaps/whatif?{VORU}")
    page.evaluate(NEAR)
    before = page.evaluate(VERDICT)

    add_at(visitor, page, 57.801, 27.301)
    visitor.until("document.querySelectorAll('#steps li').length", 1)
    first, plan = page.evaluate(VERDICT), plan_of(page)
    visitor.until(f"({STATES})().added", 1)
    options = page.locator("[data-units] option[value=new-1]").count()
    tongue = page.locator("a[data-language=et]").get_attribute("href")
    add_at(visitor, page, 57.82, 27.2)
    visitor.until("document.querySelectorAll('#steps li').length", 2)
    second = page.evaluate(VERDICT)

    lat, lon = map(float, re.fullmatch(r"add:(57\.\d+),(27\.\d+)", plan).groups())
    assert (lat, lon) == (pytest.approx(57.801, abs=0.002), pytest.approx(27.301, abs=0.004))
    assert "% of people" in before
    assert "0 lose it." in first
    assert len({before, first, second}) == 3
    assert options == 1
    assert parse_qs(urlsplit(tongue).query)["plan"] == [plan]
    assert (
        page.locator("[data-steps]").evaluate_all("(all) => all.map((one) => one.value)")
        == [plan_of(page)] * 3
    )

    page.go_back()
    visitor.until(VERDICT, first)
    assert plan_of(page) == plan
    page.go_back()
    visitor.until(VERDICT, before)
    assert plan_of(page) == ""
    page.go_forward()
    visitor.until(VERDICT, first)
    visitor.until(f"({STATES})().added", 1)
    page.reload()
    visitor.ready()
    assert page.evaluate(VERDICT) == first


def test_the_question_keeps_what_was_planned_on_the_map(visit):
    visitor, page = charted(visit, f"/en/gaps/whatif?{VORU}")
    page.evaluate(NEAR)
    add_at(visitor, page, 57.801, 27.301)
    visitor.until("document.querySelectorAll('#steps li').length", 1)
    plan = plan_of(page)

    page.locator("#question [name=within]").fill("20")
    page.locator("#question button").click()
    page.wait_for_url("**within=20**")
    visitor.ready()

    assert page.locator("#steps li").count() == 1
    assert plan_of(page).startswith(plan)
    assert "Help in 20 minutes" in page.evaluate(VERDICT)


def test_a_unit_is_moved_and_closed_on_the_map(visit):
    visitor, page = charted(visit, f"/en/gaps/whatif?plan=add:57.8,27.3,5&{VORU}")
    page.evaluate(NEAR)

    page.mouse.click(*point(page, 57.8, 27.3))
    page.locator(".leaflet-popup button").first.click()
    waiting = visitor.told()
    page.keyboard.press("Escape")
    assert (waiting, visitor.told()) == ("Click on the new place.", "")
    page.mouse.click(*point(page, 57.8, 27.3))
    page.locator(".leaflet-popup button").first.click()
    visitor.until("!document.querySelector('.leaflet-popup')")
    page.mouse.click(*point(page, 57.76, 27.2))
    visitor.until("document.querySelectorAll('#steps li').length", 2)
    assert re.fullmatch(r"add:57.8,27.3,5;move:new-1@57\.(75|76)\d*,27\.(19|20)\d*", plan_of(page))
    visitor.until(SOUTH)
    page.mouse.click(*point(page, 57.76, 27.2))
    page.locator(".leaflet-popup button").nth(1).click()
    visitor.until("document.querySelectorAll('#steps li').length", 3)

    assert plan_of(page).endswith(";close:new-1")
    assert page.locator("[data-units] option[value=new-1]").count() == 0


def test_a_unit_is_put_where_a_village_has_its_dot(visit):
    visitor, page = charted(visit, f"/en/gaps/whatif?plan=add:57.8,27.3,5&{VORU}")
    page.evaluate(NEAR)
    lat, lon = page.evaluate(
        """() => chart.layers.plan.drawn.getLayers()
        .filter((one) => !one.feature.properties.unit)
        .filter((one) => chart.map.getBounds().pad(-0.3).contains(one.getLatLng()))
        .map((one) => [one.getLatLng().lat, one.getLatLng().lng])[0]"""
    )

    add_at(visitor, page, lat, lon)
    visitor.until("document.querySelectorAll('#steps li').length", 2)
    visitor.until(f"({STATES})().added", 2)
    page.mouse.click(*point(page, 57.8, 27.3))
    page.locator(".leaflet-popup button").first.click()
    visitor.until("!document.querySelector('.leaflet-popup')")
    page.mouse.click(*point(page, lat, lon))
    visitor.until("document.querySelectorAll('#steps li').length", 3)

    spot = f"{lat:.4f},{lon:.4f}"
    steps = plan_of(page).split(";")
    assert [steps[1], steps[2]] == [f"add:{spot}", f"move:new-1@{spot}"]


def test_the_fiftieth_step_is_the_last(visit):
    plan = ";".join(["add:57.8,27.3,5"] * 50)
    visitor, page = charted(visit, f"/en/gaps/whatif?plan={plan}&{VORU}")
    page.evaluate(NEAR)
    page.mouse.click(*point(page, 57.85, 27.1))
    page.locator(".leaflet-popup button").first.click()

    assert visitor.told() == "A scenario has at most 50 steps."
    assert plan_of(page) == plan


# --- The keyboard


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (f"whatif?{VORU}", "document.activeElement.matches('button[value=close]')"),
        (f"siting?{VORU}", "document.activeElement.matches('#result form button')"),
        (f"report?{VORU}", "document.activeElement.matches('a[href*=\"format=pdf\"]')"),
        (f"?{VORU}", "document.activeElement.matches('a[href*=\"format=csv\"]')"),
    ],
)
def test_the_keyboard_reaches_what_can_be_done(visit, path, wanted):
    page = visit().go(f"/en/gaps/{path}")
    stops = tab_to(page, lambda page: page.evaluate(wanted), most=120)

    assert stops[0] == "#main"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_a_unit_is_added_with_the_keyboard_alone(visit):
    visitor = visit()
    page = visitor.map(f"/en/gaps/whatif?{VORU}")
    tab_to(page, lambda page: focused(page) == "place")
    page.keyboard.type("Vastseliina alevik")
    page.keyboard.press("Enter")
    page.wait_for_url("**plan=add**")
    visitor.ready()

    assert page.locator("#steps li").count() == 1
    assert "Vastseliina" in page.locator("#steps li").inner_text()
    assert plan_of(page).startswith("add:57.7")
