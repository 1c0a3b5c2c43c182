"""Whole journeys: by keyboard and screen reader, at 400 % zoom, without scripts, in storms, by a link."""

import random
from collections import Counter

import pytest

from tests.browser.test_pages import ON_PURPOSE, PAGES, REFUSED, faults, focused, tab_to
from tests.browser.test_search import CUT, OPEN, active, box, type_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ANSWER = "here?lat=58.38%26lon=26.72"
VILLAGE = "Obinitsa küla"
FAILED = "document.getElementById('told').dataset.failed"
RAISE = """() => { const panel = document.querySelector('.panel');
  if (panel.classList.contains('low')) panel.querySelector('.grip').click();
  for (const one of document.querySelectorAll('#legend details')) one.open = true; }"""
HELD = "document.activeElement !== document.body && document.activeElement.getClientRects().length > 0"
HEAR = """void (window.heard = [], new MutationObserver(() => heard.push(told.textContent))
  .observe(told, { childList: true, characterData: true, subtree: true }))"""


def opened(visitor):
    return visitor.until("document.getElementById('detail').hidden", False)


def closed(visitor):
    return visitor.until("document.getElementById('detail').hidden", True)


def steady(visitor, look, within_s=20):
    """What `look` sees once it has been the same for a second."""
    seen = []
    for _ in range(within_s * 4):
        seen.append(look())
        if len(seen) > 4 and all(one == seen[-1] for one in seen[-5:]):
            return seen[-1]
        visitor.page.wait_for_timeout(250)
    raise AssertionError(f"it does not come to rest: {seen[-2:]}")


def put(visitor, path):
    """Opens a page beside the map as a press on a symbol does."""
    visitor.page.evaluate("(path) => void turvakaart.open(path)", path)
    opened(visitor)
    visitor.settle()


# --- Every kind of page, every state of the map


@pytest.mark.parametrize(("language", "size"), [("et", "phone"), ("en", "desktop"), ("ru", "phone")])
def test_axe_finds_nothing_in_any_state_of_the_map(visit, language, size):
    visitor = visit(size=size, bypass_csp=True)
    page = visitor.map(f"/{language}/#county=0037&shade=county")
    page.evaluate(RAISE)
    found = {"all open": faults(page)}
    type_in(visitor, "tart")
    page.keyboard.press("ArrowDown")
    found["search list"] = faults(page)
    put(visitor, "here?lat=58.38&lon=26.72")
    found["answer"] = faults(page)

    assert found == {"all open": [], "search list": [], "answer": []}


def test_at_400_percent_nothing_scrolls_sideways_and_nothing_covers_the_bar(visit):
    visitor = visit(size="small", device_scale_factor=4)
    visitor.forgive(ON_PURPOSE)
    page = visitor.page
    page.set_viewport_size({"width": 320, "height": 256})
    wide = {}
    for path in (*PAGES, *REFUSED, f"#open={ANSWER}"):
        visitor.map(f"/ru/{path}") if path.startswith("#") else visitor.go(f"/ru/{path}")
        by = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        wide |= {path: by} if by > 0 else {}
    page = visitor.map("/ru/")
    bar, credits, panel = (page.locator(name).bounding_box() for name in (".bar", ".credits", ".panel"))
    zoom = float(
        page.evaluate("document.querySelector('[data-paper]').search.match(/at=([\\d.]+)/)?.[1] || 5")
    )

    assert wide == {}
    assert bar["y"] + bar["height"] <= credits["y"]
    assert panel["y"] - bar["y"] - bar["height"] > 120
    assert zoom < 8


TARGETS = """(within) => {
  const shown = [...document.querySelectorAll(within)]
    .flatMap((one) => [...one.querySelectorAll('a[href], button, input, select, textarea, summary')])
    .filter((one) => one.checkVisibility() && !one.closest('.visually-hidden, .skip'));
  const box = (one) => (one.closest('label') || one).getBoundingClientRect();
  const middle = ({ x, y, width, height }) => [x + width / 2, y + height / 2];
  const inText = (one) => getComputedStyle(one).display === 'inline' && [...one.parentNode.childNodes]
    .some((node) => node.nodeType === 3 && /\\w/u.test(node.textContent));
  /* How far a point is from a box: a circle of 24 points may touch no other target. */
  const apart = ([x, y], { left, right, top, bottom }) =>
    Math.hypot(Math.max(left - x, 0, x - right), Math.max(top - y, 0, y - bottom));
  const small = (one) => box(one).width < 23.5 || box(one).height < 23.5;
  const crowded = (one) => shown.some((other) => other !== one
    && (!one.closest('label') || one.closest('label') !== other.closest('label'))
    && apart(middle(box(one)), box(other)) < (small(other) ? 24 : 12));
  return [shown.length, shown.filter((one) => small(one) && !inText(one) && crowded(one))
    .map((one) => [one.tagName, one.textContent.trim().slice(0, 40), box(one).width, box(one).height])];
}"""


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_what_is_pressed_is_large_enough_or_stands_alone(visit, size):
    visitor = visit(size=size)
    page = visitor.map("/ru/")
    page.evaluate(RAISE)
    many, small = page.evaluate(TARGETS, ".bar, .frame, .panel")
    put(visitor, "here?lat=58.38&lon=26.72")
    answers, small_answers = page.evaluate(TARGETS, "#detail")

    assert (small, small_answers) == ([], [])
    assert many > 30
    assert answers > 5


# --- The keyboard


def test_one_journey_with_nothing_but_the_keyboard(visit):
    visitor = visit()
    page = visitor.map("/et/")

    tab_to(page, lambda page: focused(page) == "#main", most=1)
    page.keyboard.press("Enter")
    tab_to(page, lambda page: page.evaluate("document.activeElement.name === 'q'"), most=12)
    type_in(visitor, "obinits")
    page.keyboard.press("ArrowDown")
    chosen = active(page)
    page.keyboard.press("Enter")
    opened(visitor)
    visitor.until("document.activeElement.id", "detail-text")
    page.keyboard.press("Shift+Tab")
    at_back = page.evaluate("document.activeElement.matches('[data-back]')")
    page.keyboard.press("Enter")
    closed(visitor)
    returned = page.evaluate("document.activeElement.name")
    tab_to(page, lambda page: page.evaluate("document.activeElement.name === 'shade'"), most=6)
    page.keyboard.press("ArrowDown")
    visitor.until("new URLSearchParams(location.hash.slice(1)).has('shade')")
    tab_to(page, lambda page: page.evaluate("document.activeElement.value === 'police'"), most=6)
    page.keyboard.press("Space")
    visitor.until("location.hash.includes('show=')")
    tab_to(page, lambda page: page.evaluate("document.activeElement.matches('#filter summary')"), most=30)
    page.keyboard.press("Enter")
    tab_to(page, lambda page: page.evaluate("document.activeElement.name === 'county'"), most=1)
    page.keyboard.press("ArrowDown")
    visitor.until("document.querySelector('[data-paper]').search.includes('county=')")
    visitor.settle()
    tab_to(page, lambda page: page.evaluate("document.activeElement.matches('[data-paper]')"), most=40)
    paper = page.evaluate("document.activeElement.search")

    assert (chosen, at_back, returned) == (0, True, "q")
    assert VILLAGE.split()[0] in page.locator("form.search input[name=q]").first.input_value()
    assert all(part in paper for part in ("shade=", "show=", "county="))


def test_the_focus_is_never_lost(visit):
    visitor = visit()
    page = visitor.map("/en/")
    lost = []

    def look(what, where=""):
        visitor.settle()
        if not page.evaluate(HELD) or not page.evaluate(
            "(where) => !where || document.activeElement.matches(where)", where
        ):
            lost.append((what, page.evaluate("document.activeElement.outerHTML.slice(0, 90)")))

    county = page.locator("select[name=county]")
    page.locator("#legend a.count").nth(2).focus()
    put(visitor, "bodies/palamuse-pritsumehed")
    look("opened", "#detail-text")
    page.keyboard.press("Escape")
    look("closed by Escape", "a.count")
    page.evaluate("history.back()")
    opened(visitor)
    page.locator("#detail-text a").first.focus()
    page.evaluate("history.back()")
    closed(visitor)
    look("closed by going back")
    put(visitor, "bodies/palamuse-pritsumehed")
    page.locator("#detail [data-panel]").last.focus()
    page.keyboard.press("Enter")
    visitor.until("document.getElementById('detail-text').dataset.path !== 'bodies/palamuse-pritsumehed'")
    look("opened from another", "#detail-text")
    page.locator("#detail-text a").first.focus()
    page.evaluate("history.back()")
    visitor.until("document.getElementById('detail-text').dataset.path", "bodies/palamuse-pritsumehed")
    look("went back to the first", "#detail-text")
    page.keyboard.press("Escape")
    look("closed again")
    for name in ("#shades a", "#layers input[value=watch]", "#layers a.count >> nth=3"):
        page.evaluate("document.getElementById('filter').open = true")
        county.select_option("0037" if county.input_value() != "0037" else "0050")
        page.locator(name).focus()
        told = page.locator(name).evaluate("(one) => one.value || one.pathname")
        look(f"{name} was renewed")
        if page.evaluate("document.activeElement.value || document.activeElement.pathname") != told:
            lost.append(name)
    page.locator("select[name=shade]").select_option("none")
    look("no shading")
    page.locator("#all").focus()
    page.keyboard.press("Enter")
    look("cleared", "#all")

    assert lost == []


# --- A screen reader


def tree(page, *roles):
    """What a screen reader is given: [(role, name)], for the roles asked for."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    said = [
        (node.get("role", {}).get("value", ""), node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored")
    ]
    return [(role, name) for role, name in said if role in roles]


CONTROLS = ("button", "combobox", "checkbox", "link", "textbox", "radio", "DisclosureTriangle", "Date")
PLACES = ("application", "region", "complementary", "navigation", "group", "banner", "main", "heading")
# The same in every language: names, the codes of the languages, and the browser's own button.
NAMES = {"ET", "EN", "RU", "Turvakaart", "", "Show date picker Show date picker"}


@pytest.mark.parametrize("language", ["et", "ru"])
def test_a_screen_reader_hears_the_map_in_the_language_of_the_page(visit, language):
    visitor = visit()
    said = {}
    for one in (language, "en"):
        page = visitor.map(f"/{one}/")
        page.evaluate(RAISE)
        said[one] = tree(page, *CONTROLS, *PLACES)
        titles = page.evaluate("[...document.querySelectorAll('[title]')].map((one) => one.title)")
        said[f"{one} titles"] = titles
    here, english = said[language], said["en"]
    english_names = {name for role, name in english if not name.startswith("OpenStreetMap")}
    unnamed = [role for role, name in here if role in CONTROLS and not name]
    landmarks = Counter(
        one for one in here if one[0] in ("region", "complementary", "navigation", "banner", "main")
    )

    assert [role for role, _ in here] == [role for role, _ in english]
    assert len([role for role, _ in here if role in CONTROLS]) > 40
    assert {name for _, name in here} & english_names - NAMES == set()
    assert set(said[f"{language} titles"]) & set(said["en titles"]) - {"Eesti", "English", "Русский"} == set()
    assert unnamed == []
    assert [one for one, times in landmarks.items() if times > 1] == []
    assert {role for role, _ in here} >= {"application", "region", "complementary", "banner", "main"}


@pytest.mark.parametrize("language", ["et", "en", "ru"])
def test_a_screen_reader_is_told_of_a_search_a_choice_and_an_answer(visit, language):
    visitor = visit()
    page = visitor.map(f"/{language}/")
    heard = [page.evaluate("document.getElementById('told').textContent")]
    type_in(visitor, "tartu")
    heard.append(
        visitor.until("document.querySelector('.told-here').textContent !== ''")
        and page.evaluate("document.querySelector('.told-here').textContent")
    )
    page.keyboard.press("Escape")
    page.evaluate("document.getElementById('filter').open = true")
    page.locator("select[name=county]").select_option("0037")
    visitor.until("document.getElementById('told').textContent.includes(': ')")
    heard.append(visitor.told())
    put(visitor, "here?lat=58.38&lon=26.72")
    visitor.until(
        "document.getElementById('told').textContent === document.querySelector('#detail h1').textContent"
    )
    heard.append(visitor.told())
    regions = page.evaluate(
        "['told', 'detail-text'].map((id) => document.getElementById(id).getAttribute('role') || '')"
    )

    assert heard[0] == ""
    assert heard[1][:2].strip().isdigit()
    assert heard[2].count(": ") >= 5
    assert heard[3] != ""
    assert regions == ["status", ""]


@pytest.mark.parametrize("size", ["desktop", "phone"])
@pytest.mark.parametrize("path", ["layers/police", "coverage"])
def test_a_table_is_a_table_on_every_screen(visit, size, path):
    visitor = visit(size=size)
    page = visitor.go(f"/et/{path}")
    said = Counter(role for role, _ in tree(page, "table", "row", "columnheader", "rowheader", "cell"))
    rows = page.locator("main tbody tr").count()
    heads = page.locator("main thead th").count()

    assert (said["rowheader"], said["columnheader"]) == (rows, heads)
    assert said["table"] == page.locator("main table").count() > 0
    assert said["cell"] == page.locator("main tbody td").count() - page.evaluate(
        "[...document.querySelectorAll('main tbody td')].filter((one) => !one.checkVisibility()).length"
    )


# --- Colours and spacing of the visitor's own


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_forced_colours_hide_no_control(visit, size):
    visitor = visit(size=size, forced_colors="active")
    page = visitor.map("/et/")
    grip = page.evaluate(
        """((one) => [getComputedStyle(one).backgroundColor,
        getComputedStyle(one.parentNode).backgroundColor])(document.querySelector('.grip-bar'))"""
    )
    current, others = page.evaluate(
        """[...document.querySelectorAll('.places a')].map((one) => [one.hasAttribute('aria-current'),
        getComputedStyle(one).textDecorationLine]).reduce(([yes, no], [is, line]) =>
        is ? [[...yes, line], no] : [yes, [...no, line]], [[], []])"""
    )
    page.evaluate(RAISE)
    type_in(visitor, "tartu")
    page.keyboard.press("ArrowDown")
    lines = page.evaluate(
        "[...document.querySelectorAll('[role=option]')].map((one) => getComputedStyle(one).outlineStyle)"
    )
    edges = page.evaluate(
        """[...document.querySelectorAll('.tools, .search input, .search .button, #legend select')]
        .filter((one) => one.checkVisibility() && getComputedStyle(one).borderTopStyle === 'none')
        .map((one) => one.outerHTML.slice(0, 80))"""
    )

    assert grip[0] != grip[1]
    assert (current, set(others)) == (["underline"], {"none"})
    assert (lines[0], set(lines[1:])) == ("solid", {"none"})
    assert edges == []


SPACED = """* { line-height: 1.5 !important; letter-spacing: .12em !important; }
* { word-spacing: .16em !important; }
p { margin-bottom: 2em !important; }"""
CLIPPED = """() => [...document.querySelectorAll('body *')].filter((one) => {
  const { overflowX, overflowY, clipPath } = getComputedStyle(one);
  const cut = (way) => way === 'hidden' || way === 'clip';
  if (!one.checkVisibility() || clipPath !== 'none' || !one.textContent.trim()) return false;
  if (one.closest('.visually-hidden, .folium-map, svg')) return false;
  if (one.matches('body.app, select, option')) return false;
  const pressed = one.matches('.button, button, summary, .tag');
  return ((cut(overflowX) || pressed) && one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0)
    || ((cut(overflowY) || pressed) && one.scrollHeight > one.clientHeight + 1 && one.clientHeight > 0);
}).map((one) => [one.tagName, one.className, one.textContent.trim().slice(0, 40)])"""


@pytest.mark.parametrize(("size", "language"), [("desktop", "ru"), ("phone", "et"), ("small", "ru")])
def test_wider_text_is_not_cut_off(visit, size, language):
    visitor = visit(size=size, bypass_csp=True)
    cut = {}

    def look(path):
        page = visitor.page
        page.add_style_tag(content=SPACED)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        found = page.evaluate(CLIPPED) + ([f"wide by {wide}"] if wide > 0 else [])
        cut.update({path: found} if found else {})

    for path in (
        "layers/",
        "coverage",
        "layers/rescue",
        "bodies/palamuse-pritsumehed",
        "data",
        "search?q=tartu",
    ):
        visitor.go(f"/{language}/{path}")
        look(path)
    visitor.map(f"/{language}/")
    visitor.page.evaluate(RAISE)
    look("map")
    put(visitor, "here?lat=58.38&lon=26.72")
    look("answer")

    assert cut == {}


# --- The address

STATE = """() => ({
  boxes: [...document.querySelectorAll('input[name=layer]')].map((one) => [one.value, one.checked]),
  choice: [...document.querySelectorAll('.panel select[name]')].filter((one) => one.form?.id === 'choice')
    .map((one) => [one.name, one.value]).sort(),
  heading: document.getElementById('detail').hidden ? '' : document.querySelector('#detail h1').textContent,
  when: document.querySelector('#legend .when')?.textContent || '',
})"""
VIEW = """() => { const { x, y } = map_0.project(map_0.getCenter()); return [map_0.getZoom(), x, y]; }"""
LINKS = [
    "#at=9/58.38/26.72",
    "#at=16/58.37799/26.72902",
    "#at=7.5/58.6/24.3&show=police,rescue",
    "#show=",
    "#at=10/57.81/27.44&open=here?lat=57.8094%26lon=27.4409",
    "#at=12/58.2/25.3&open=bodies/palamuse-pritsumehed",
    "#open=cases/turi-lembitu&show=cases",
    "#county=0037&shade=county",
    "#theme=watch&freshness=old&shade=none",
    "?as_of=2012-05-15#at=8/58.9/25.6&show=rescue",
    "?known=2027-01-01T00:00:00Z#county=0045",
    "?as_of=2019-01-01#open=areas/county/0037&shade=county.watch&at=8/59.2/24.9",
]


@pytest.mark.parametrize(("size", "links"), [("desktop", LINKS), ("phone", LINKS[4:7])])
def test_a_link_shows_another_visitor_the_same(visit, size, links):
    first, second = visit(size=size), visit(size=size)
    differ = {}
    for link in links:
        page = first.map(f"/et/{link}")
        page.evaluate("void map_0.panBy([37, -23], { animate: false })")  # A view of the visitor's own.
        box = page.locator("input[value=villages]")
        box.evaluate("(one) => one.click()")
        first.settle()
        made, view, url = page.evaluate(STATE), page.evaluate(VIEW), page.url
        again = second.map(url.removeprefix(first.home))
        second.settle()
        seen, seen_view = again.evaluate(STATE), again.evaluate(VIEW)
        apart = max(abs(a - b) for a, b in zip(view, seen_view, strict=True))
        if made != seen or apart > 1 or ("open=" in link) != bool(made["heading"]):
            differ[link] = (url, made, seen, apart)

    assert differ == {}


def test_a_link_keeps_its_view_in_another_language(visit):
    visitor = visit()
    page = visitor.map("/et/#at=11/58.2/26.1&show=police")
    page.locator("[data-language=ru]").click()
    page.wait_for_url("**/ru/**")
    visitor.ready()

    assert page.url.endswith("/ru/#at=11/58.2/26.1&show=police")


STEPS = {
    "back": "history.back()",
    "forward": "history.forward()",
    "box": "document.querySelectorAll('input[name=layer]')[{n}].click()",
    "body": "turvakaart.open('bodies/palamuse-pritsumehed')",
    "case": "turvakaart.open('cases/turi-lembitu')",
    "answer": "turvakaart.open('here?lat=58.38&lon=26.72')",
    "close": "document.querySelector('[data-back]').click()",
    "county": """(() => { const one = document.querySelector('select[name=county]');
        one.selectedIndex = {n}; one.dispatchEvent(new Event('change', { bubbles: true })); })()""",
}


@pytest.mark.parametrize("seed", [3, 11])
def test_after_a_storm_of_steps_the_map_and_the_address_agree(visit, seed):
    chance = random.Random(seed)  # noqa: S311
    kinds = [*STEPS, "back", "forward", "back"]
    steps = [STEPS[chance.choice(kinds)].replace("{n}", str(chance.randrange(1, 5))) for _ in range(40)]
    visitor = visit(motion="reduce")
    page = visitor.map("/et/#at=8/58.6/25")
    for _ in range(steps.count(STEPS["back"])):  # So that no step leads out of the map.
        page.evaluate("document.querySelector('input[value=villages]').click()")
    for step in steps:
        page.evaluate(f"void {step}")
        page.wait_for_timeout(chance.choice((0, 5, 40)))
    url, state, view = steady(visitor, lambda: (page.url, page.evaluate(STATE), page.evaluate(VIEW)))
    other = visit(motion="reduce")
    again = other.map(url.removeprefix(visitor.home))
    other.settle()

    assert again.evaluate(STATE) == state
    assert max(abs(a - b) for a, b in zip(view, again.evaluate(VIEW), strict=True)) <= 1


def test_what_a_visitor_switches_while_an_answer_comes_is_kept(visit):
    visitor = visit()
    page = visitor.map("/et/")
    put(visitor, "cases/turi-lembitu")
    page.locator("[data-back]").click()
    closed(visitor)
    visitor.context.route(
        "**/cases/turi-lembitu*", lambda route: (page.wait_for_timeout(400), route.continue_())
    )
    page.evaluate("history.back()")
    visitor.until("location.hash.includes('open=cases')")
    page.evaluate("document.querySelector('input[value=police]').click()")
    written = page.url
    opened(visitor)

    assert "show=" in written
    assert "open=cases/turi-lembitu" in written
    assert page.url == written


# --- Without scripts


@pytest.mark.parametrize(("language", "size"), [("et", "small"), ("en", "desktop"), ("ru", "phone")])
def test_without_scripts_every_fact_is_reached(visit, language, size):
    visitor = visit(size=size, java_script_enabled=False)
    page = visitor.go(f"/{language}/")
    page.locator("form.search input[name=q]").fill("obinitsa")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=obinitsa")
    page.get_by_role("link", name=VILLAGE, exact=True).first.click()
    page.wait_for_url(f"**/{language}/here?**")
    answer = page.locator("main").inner_text()
    bodies = page.locator("main .near a").count()
    page.locator("main .near a").first.click()
    page.wait_for_url(lambda url: "/here" not in url)
    fact = page.locator("h1").inner_text(), page.locator("main a[rel*=external]").count()

    visitor.go(f"/{language}/")
    page.locator(".shading a[href*=coverage]").click()
    page.wait_for_url(f"**/{language}/coverage**")
    areas = page.locator("main tbody tr").count()
    page.locator("main select[name=county]").select_option("0037")
    page.locator("main form button").last.click()
    page.wait_for_url("**county=0037**")
    fewer = page.locator("main tbody tr").count()

    visitor.go(f"/{language}/?as_of=2012-05-15")
    page.locator("[data-paper]").click()
    page.wait_for_url(f"**/{language}/print?**")
    links = page.locator("noscript a, .paper noscript li").count()

    assert ("Сетомаа" if language == "ru" else "Setomaa") in answer
    assert bodies > 4
    assert fact[0] != ""
    assert fact[1] > 0
    assert 1 < fewer < areas
    assert "as_of=2012-05-15" in page.url
    assert links > 3


# --- The network is cut in the middle


@pytest.mark.parametrize("language", ["et", "ru"])
def test_a_network_that_is_cut_and_comes_back_loses_nothing(visit, language):
    visitor = visit()
    visitor.forgive(CUT, "net::ERR")
    page = visitor.map(f"/{language}/")
    page.evaluate("document.getElementById('filter').open = true")
    failed = page.evaluate(FAILED)
    put(visitor, "cases/turi-lembitu")
    heading = visitor.panel()
    page.keyboard.press("Escape")
    closed(visitor)
    before = page.url

    visitor.context.set_offline(True)
    page.evaluate("void turvakaart.open('bodies/palamuse-pritsumehed')")
    visitor.until("document.getElementById('told').textContent", failed)
    panel = (visitor.panel(), page.url == before)
    page.locator("select[name=county]").select_option("0037")
    visitor.until("location.hash.includes('county=0037')")
    visitor.until("document.getElementById('told').textContent", failed)
    box(page).click()
    page.keyboard.type("tart")
    visitor.until("document.querySelector('.told-here').textContent !== ''")
    suggestion = page.locator(".told-here").inner_text()
    page.evaluate("history.go(-2)")  # To the case, which cannot come now.
    visitor.until("location.hash.includes('open=cases')")
    visitor.until("document.getElementById('told').textContent", failed)
    without = visitor.panel()
    page.locator("input[value=police]").uncheck()

    page.evaluate(HEAR)
    visitor.context.set_offline(False)
    opened(visitor)
    # What is told after it may come at once.
    visitor.until("(heading) => heard.includes(heading)", argument=heading)
    page.keyboard.press("Escape")
    page.locator("select[name=county]").select_option("0050")
    visitor.until("document.getElementById('told').textContent.includes(': ')")
    box(page).fill("")
    type_in(visitor, "tart")

    assert panel == ("", True)
    assert suggestion == page.locator("form.search").first.get_attribute("data-failed")
    assert without == ""
    assert heading != ""
    assert page.evaluate(OPEN) == "true"
    assert not page.locator("input[value=police]").is_checked()
