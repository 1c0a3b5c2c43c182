"""The search box with scripts: names while one types, from the keyboard, and one's own location."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.webmap.site import HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.slow]
BOXES = {"map": "/et/", "lists": "/et/layers/", "hits": "/et/search?q=tartu"}
OPEN = "document.querySelector('[role=combobox]').getAttribute('aria-expanded')"
TOLD = "document.querySelector('.told-here').textContent"
# What was aborted or cut off on purpose, as Chromium complains of it.
CUT = "Failed to load resource"


def box(page):
    return page.locator("[role=combobox]:visible")


def type_in(visitor, text):
    """Types into the box and waits until the list is there."""
    box(visitor.page).click()
    visitor.page.keyboard.type(text, delay=15)
    visitor.until(OPEN, "true")


def options(page):
    return page.locator("[role=option]:visible").all_inner_texts()


def active(page):
    """The option that a screen reader is told of, and the one that is drawn as chosen."""
    return page.evaluate(
        """(() => {
          const box = document.querySelector('[role=combobox]');
          const told = document.getElementById(box.getAttribute('aria-activedescendant'));
          const drawn = [...document.querySelectorAll('[role=option][aria-selected=true]')];
          if (drawn.length > 1 || (drawn[0] || null) !== told) return 'they differ';
          return told ? [...told.parentNode.children].indexOf(told) : -1;
        })()"""
    )


# --- The list


@pytest.mark.parametrize("where", BOXES)
def test_names_are_suggested_on_every_page_with_a_box(visit, where):
    visitor = visit()
    page = visitor.go(BOXES[where])
    box(page).fill("")
    type_in(visitor, "obinits")

    assert options(page)[0].split("\n") == ["Obinitsa küla", "asula · Setomaa vald, Võru maakond"]
    assert visitor.page.evaluate(TOLD) != ""


def test_equal_names_are_told_apart(visit):
    visitor = visit()
    page = visitor.go("/et/layers/")
    type_in(visitor, "mäeküla")
    found = options(page)

    assert len(found) == 8
    assert {one.split("\n")[0] for one in found} == {"Mäeküla"}
    assert len(set(found)) == 8


def test_typing_asks_once_for_the_whole_word(visit):
    visitor = visit()
    # Letter by letter within one turn of the page: keys from outside come late where others use the cores.
    page = visitor.go("/et/layers/")
    box(page).click()
    box(page).evaluate(
        """(box, text) => [...text].forEach((_, at) => {
          box.value = text.slice(0, at + 1);
          box.dispatchEvent(new Event("input", { bubbles: true }));
        })""",
        "haapsalu",
    )
    visitor.until(OPEN, "true")

    asked = [url.partition("?")[2] for url in visitor.asked if "/api/search" in url]
    assert asked == ["lang=et&q=haapsalu"]


def test_a_letter_and_an_empty_box_ask_nothing(visit):
    visitor = visit()
    page = visitor.go("/et/layers/")
    box(page).click()
    page.keyboard.type("a")
    page.wait_for_timeout(400)
    page.keyboard.press("Backspace")
    page.wait_for_timeout(400)

    assert [url for url in visitor.asked if "/api/search" in url] == []
    assert page.evaluate(OPEN) == "false"


# --- The keyboard


def test_arrows_home_end_and_escape_move_as_one_expects(visit):
    visitor = visit()
    page = visitor.go("/et/layers/")
    type_in(visitor, "tartu")
    last = len(options(page)) - 1
    seen = [active(page)]
    for key in ("ArrowDown", "ArrowDown", "End", "ArrowDown", "ArrowUp", "Home", "ArrowUp"):
        page.keyboard.press(key)
        seen.append(active(page))
    page.keyboard.press("Escape")
    closed = page.evaluate(OPEN), active(page), box(page).input_value()
    page.keyboard.press("ArrowDown")

    assert seen == [-1, 0, 1, last, -1, last, 0, -1]
    assert closed == ("false", -1, "tartu")
    assert (page.evaluate(OPEN), active(page)) == ("true", 0)


def test_enter_opens_what_is_chosen_and_otherwise_searches(visit):
    visitor = visit()
    page = visitor.go("/et/layers/")
    type_in(visitor, "obinits")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/et/here?lat=57.*")
    visitor.go("/et/layers/")
    type_in(visitor, "obinits")
    page.keyboard.press("Enter")
    page.wait_for_url("**/et/search?q=obinits")

    assert page.locator("h1").inner_text() == "Otsing: obinits"


def test_leaving_the_box_closes_the_list(visit):
    visitor = visit()
    page = visitor.go("/et/layers/")
    type_in(visitor, "tartu")
    page.keyboard.press("Tab")

    assert page.evaluate(OPEN) == "false"
    assert page.evaluate("document.activeElement.textContent.trim()") == "Otsi"


def test_a_list_that_comes_after_one_has_left_stays_closed(visit):
    visitor = visit()
    page = visitor.go("/et/layers/")
    visitor.forgive(CUT)
    visitor.context.route("**/api/search*", lambda route: (page.wait_for_timeout(300), route.continue_()))
    box(page).click()
    page.keyboard.type("tartu")
    page.wait_for_timeout(200)
    page.keyboard.press("Tab")
    page.wait_for_timeout(500)

    assert page.evaluate(OPEN) == "false"


def test_a_mouse_or_a_finger_may_choose_too(visit):
    visitor = visit(size="phone", has_touch=True)
    page = visitor.go("/et/search?q=")
    type_in(visitor, "haapsalu")
    page.locator("[role=option]").nth(1).tap()
    page.wait_for_url("**/et/here?*")


# --- On the map


def test_a_settlement_opens_in_the_panel_and_the_map_goes_there(visit):
    visitor = visit()
    page = visitor.map("/et/")
    type_in(visitor, "obinits")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    visitor.until("document.getElementById('detail').hidden", False)
    zoom, lat, lon = map(float, visitor.view().split("/"))

    assert visitor.panel() == "Kes siin turvalisuse eest hoolitseb"
    assert page.url.startswith(f"{visitor.home}/et/#")
    assert zoom >= 10
    assert (lat, lon) == pytest.approx((57.81, 27.44), abs=0.05)


def test_an_organisation_opens_in_the_panel(visit):
    visitor = visit()
    page = visitor.map("/et/")
    type_in(visitor, "palamuse prits")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    visitor.until("document.getElementById('detail').hidden", False)

    assert "Palamuse" in visitor.panel()
    assert "open=bodies/palamuse" in page.url


def test_escape_closes_the_list_and_then_the_panel(visit):
    visitor = visit()
    page = visitor.map("/et/#open=search?q=tartu")
    inside = page.locator("#detail [role=combobox]")
    inside.fill("")
    inside.press_sequentially("haaps", delay=15)
    visitor.until("document.querySelector('#detail [role=combobox]').getAttribute('aria-expanded')", "true")
    page.keyboard.press("Escape")
    still = visitor.panel()
    page.keyboard.press("Escape")

    assert still.startswith("Otsing")
    assert visitor.panel() == ""


@pytest.mark.parametrize("size", ["phone", "small"])
def test_on_a_phone_the_panel_rises_and_the_list_fits(visit, size):
    visitor = visit(size=size)
    page = visitor.map("/et/")
    type_in(visitor, "metskü")
    first = page.locator("[role=option]").first
    box_, width = first.bounding_box(), page.viewport_size["width"]

    assert page.locator(".panel.low").count() == 0
    assert box_["height"] >= 44
    assert 0 <= box_["x"] < box_["x"] + box_["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    top = page.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).closest('[role=option]') !== null",
        [box_["x"] + 20, box_["y"] + 20],
    )
    assert top is True


# --- A screen reader


def test_a_screen_reader_meets_a_combobox_with_its_list(visit):
    visitor = visit()
    page = visitor.go("/et/layers/")
    type_in(visitor, "obinits")
    page.keyboard.press("ArrowDown")
    session = page.context.new_cdp_session(page)
    tree = session.send("Accessibility.getFullAXTree")["nodes"]
    told = {
        role: [
            (
                node.get("name", {}).get("value", ""),
                {one["name"]: one["value"].get("value") for one in node.get("properties", [])},
            )
            for node in tree
            if node.get("role", {}).get("value") == role
        ]
        for role in ("combobox", "listbox", "option", "status")
    }
    # The filter's select boxes are comboboxes too, and no list of theirs is open.
    ((name, about),) = [one for one in told["combobox"] if one[1].get("expanded")]

    assert name == page.locator("input[role=combobox]").get_attribute("aria-label")
    assert (about["expanded"], about["autocomplete"], about["focused"]) == (True, "list", True)
    assert [list_name for list_name, _ in told["listbox"]] == [
        page.locator("form.search").get_attribute("data-suggestions")
    ]
    obinitsa = ("Obinitsa küla asula · Setomaa vald, Võru maakond", True)
    assert obinitsa in [(name, state.get("selected")) for name, state in told["option"]]
    assert len(told["status"]) == 1


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_axe_finds_nothing_in_an_open_list(visit, size):
    visitor = visit(size=size, bypass_csp=True)
    found = {}
    for where, path in BOXES.items():
        page = visitor.map(path) if where == "map" else visitor.go(path)
        box(page).fill("")
        type_in(visitor, "metsk")
        page.keyboard.press("ArrowDown")
        faults = Axe().run(page).response["violations"]
        found |= {where: [(one["id"], one["nodes"][0]["html"]) for one in faults]} if faults else {}

    assert found == {}


# --- What goes wrong


@pytest.mark.parametrize(
    ("typed", "name"),
    [("img src", "image"), ("script", "script"), ("7 7", "template"), ("xxxx", "long"), ("שכונה", "rtl")],
)
def test_hostile_names_stay_text(visit, hostile_home, typed, name):
    visitor = visit(size="small", home=hostile_home)
    page = visitor.go("/et/search")
    type_in(visitor, typed)
    found = [one.split("\n")[0] for one in options(page)]

    assert HOSTILE[name] in found
    assert page.locator("[role=listbox] :is(img, script)").count() == 0
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_cut_network_is_told_and_the_box_goes_on_when_it_is_back(visit):
    visitor = visit()
    visitor.forgive(CUT)
    page = visitor.go("/et/layers/")
    visitor.context.set_offline(True)
    box(page).click()
    page.keyboard.type("haap", delay=15)
    visitor.until(f"{TOLD} !== ''")
    sentence = page.locator(".told-here")
    said = sentence.inner_text(), sentence.bounding_box()["height"], page.evaluate(OPEN)
    visitor.context.set_offline(False)
    page.keyboard.type("salu", delay=15)
    visitor.until(OPEN, "true")

    assert said[0] == page.locator("form.search").get_attribute("data-failed")
    assert said[1] > 15
    assert said[2] == "false"
    assert options(page)[0].startswith("Haapsalu linn")


def test_what_fits_no_name_is_told(visit):
    visitor = visit()
    page = visitor.go("/et/layers/")
    box(page).click()
    page.keyboard.type("qxzwqxzw")
    visitor.until(f"{TOLD} !== ''")

    assert page.evaluate(TOLD) == page.locator("form.search").get_attribute("data-none")
    assert page.evaluate(OPEN) == "false"


def test_without_scripts_the_form_works_and_offers_no_location(visit):
    visitor = visit(java_script_enabled=False)
    page = visitor.go("/et/search")
    page.locator("input[name=q]").fill("obinitsa")
    page.keyboard.press("Enter")
    page.wait_for_url("**/et/search?q=obinitsa")

    assert page.locator(".hits a").first.inner_text() == "Obinitsa küla"
    assert page.locator("[role=combobox]").count() == 0
    assert page.locator(".locate").is_hidden()


# --- One's own location

NARVA = {"latitude": 59.377123, "longitude": 28.179456, "accuracy": 35}


@pytest.mark.parametrize("where", ["lists", "map"])
def test_my_location_is_asked_for_on_request_and_told_roughly(visit, where):
    visitor = visit(geolocation=NARVA, permissions=["geolocation"])
    page = visitor.map("/et/") if where == "map" else visitor.go(BOXES[where])
    before = [url for url in visitor.asked if "here" in url]
    page.locator(".locate:visible").click()
    if where == "map":
        visitor.until("document.getElementById('detail').hidden", False)
    else:
        page.wait_for_url("**/et/here?*")
    sent = [url for url in visitor.asked if "here" in url]

    assert before == []
    assert len(sent) == 1
    assert "lat=59.377&lon=28.179&accuracy=100" in sent[0]
    assert "59.3771" not in "".join(visitor.asked)
    assert (
        page.evaluate("JSON.stringify([Object.keys(localStorage), Object.keys(sessionStorage)])") == "[[],[]]"
    )
    assert "Kes siin turvalisuse eest hoolitseb" in page.locator("h1:visible").inner_text()


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_refused_location_is_told_in_a_sentence(visit, size):
    visitor = visit(size=size)
    page = visitor.map("/et/")
    page.locator(".locate:visible").click()
    visitor.until(f"{TOLD} !== '' && !document.querySelector('.told-here.visually-hidden')")
    sentence = page.locator(".told-here:visible")

    assert sentence.inner_text() == page.locator("form.search").get_attribute("data-denied")
    assert sentence.get_attribute("role") == "status"
    assert sentence.bounding_box()["height"] > 15
