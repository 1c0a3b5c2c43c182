"""The map as a visitor uses it: symbols, layers, panel, address, and what happens when one is missing."""

import math

import pytest
import shapely
from shapely import STRtree

from tests.browser.conftest import SIZES

pytestmark = [pytest.mark.browser, pytest.mark.slow]
OPEN = """() => document.getElementById('detail').hidden ? ''
  : document.querySelector('#detail h1').textContent.trim()"""
FAILED = {
    "et": "Seda ei õnnestunud laadida. Kontrolli ühendust ja proovi uuesti.",
    "en": "This could not be loaded. Check the connection and try again.",
}


def points(layers):
    return [
        (key, feature)
        for key, features in layers.items()
        for feature in features
        if feature["geometry"]["type"] == "Point"
    ]


def stretched(lon, lat):
    return shapely.Point(lon * math.cos(math.radians(58.7)), lat)


def alone(layers, key):
    """The symbol of a layer that stands farthest from every other symbol."""
    every = points(layers)
    places = [stretched(*feature["geometry"]["coordinates"]) for _, feature in every]

    def room(number):
        return min(places[number].distance(other) for i, other in enumerate(places) if i != number)

    return every[max((i for i, (of, _) in enumerate(every) if of == key), key=room)][1]


def empty_land(layers):
    """(lon, lat) of a point of the mainland that is far from every symbol."""
    tree = STRtree([stretched(*feature["geometry"]["coordinates"]) for _, feature in points(layers)])
    land = shapely.from_geojson(
        [str(f["geometry"]).replace("'", '"').replace("(", "[").replace(")", "]") for f in layers["land"]]
    )
    ground = shapely.buffer(shapely.union_all(land), -0.1)
    grid = [(24 + i / 20, 58 + j / 20) for i in range(60) for j in range(30)]
    inland = [place for place in grid if ground.contains(shapely.Point(place))]
    return max(inland, key=lambda place: tree.query_nearest(stretched(*place), return_distance=True)[1][0])


def at(feature, zoom=12):
    lon, lat = feature["geometry"]["coordinates"]
    return f"#at={zoom}/{lat}/{lon}"


# --- Quiet


@pytest.mark.parametrize("language", ["et", "en"])
@pytest.mark.parametrize("size", SIZES)
def test_the_map_opens_without_a_complaint_and_asks_only_its_own_host(visit, home, size, language):
    visitor = visit(size=size)
    page = visitor.map(f"/{language}/")

    assert visitor.trouble == []
    assert len(visitor.asked) > 8
    assert [url for url in visitor.asked if not url.startswith((home, "about:", "data:"))] == []
    assert page.evaluate("document.querySelectorAll('.folium-map canvas').length") > 0
    assert page.evaluate("document.querySelectorAll('.town').length") > 2


# --- Symbols and land


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_symbol_opens_its_facts_with_source_and_freshness(visit, layers, size):
    visitor = visit(size=size)
    for key in ("police", "villages", "watch", "rescue", "cases"):
        feature = alone(layers, key)
        page = visitor.map(f"/et/{at(feature)}")

        visitor.press_middle()

        collection = "cases" if key == "cases" else "bodies"
        assert visitor.panel() == feature["properties"]["name"]
        assert page.url.endswith(f"open={collection}/{feature['properties']['key']}")
        assert "Allika" in page.locator("#detail").inner_text()
        assert page.locator("#detail .facts").is_visible()
        assert page.locator("#detail .fresh").first.is_visible()


def test_a_symbol_says_its_name_when_pointed_at(visit, layers):
    visitor, feature = visit(), alone(layers, "police")
    page = visitor.map(f"/et/{at(feature)}")

    page.mouse.move(*visitor.middle)
    page.locator(".leaflet-tooltip").wait_for()

    said = page.locator(".leaflet-tooltip").inner_text()
    assert feature["properties"]["name"] in said


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_empty_land_answers_who_is_near(visit, layers, size):
    lon, lat = empty_land(layers)
    visitor = visit(size=size)
    page = visitor.map(f"/en/#at=12/{lat}/{lon}")

    visitor.press_middle()

    assert visitor.panel() == "Who looks after safety here"
    assert page.locator("#detail .near li").count() > 4
    assert " km to the " in page.locator("#detail").inner_text()
    assert page.locator("#detail .near a").first.is_visible()


def test_a_partner_opens_in_the_panel_and_shows_itself_on_the_map(visit, layers):
    lon, lat = empty_land(layers)
    visitor = visit()
    page = visitor.map(f"/en/#at=12/{lat}/{lon}&open=here?lat={lat}%26lon={lon}")
    name = page.locator("#detail .near a").first.inner_text()

    page.locator("#detail .near a").first.click()
    heading = visitor.panel()
    page.locator("#detail [data-on-map]").click()
    visitor.settle()
    visitor.until("location.hash.includes('at=11/')")

    assert heading == name
    assert visitor.view().startswith("11/")


# --- The journey


def test_from_the_map_to_a_case_to_its_practice_and_back_to_the_map(visit, layers):
    visitor, feature = visit(), alone(layers, "cases")
    page, key = visitor.map(f"/et/{at(feature)}"), feature["properties"]["key"]

    visitor.press_middle()
    page.locator("#detail .practices-of a").first.click()
    practice = page.locator("h1").inner_text()
    page.locator(f"a[href='/et/cases/{key}']").first.click()
    case = page.locator("h1").inner_text()
    linked = page.locator(".practices-of a").first.inner_text()
    page.locator("[data-on-map]").click()
    visitor.ready()

    assert linked == practice
    assert visitor.panel() == case
    assert visitor.view().startswith("11/")


# --- Layers


def test_a_layer_that_is_switched_off_hides_its_symbols_and_the_address_keeps_it(visit, layers):
    visitor, feature = visit(), alone(layers, "rescue")
    page = visitor.map(f"/en/{at(feature)}")
    box = page.locator("input[value=rescue]")

    box.uncheck()
    off = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('show')")
    visitor.press_middle()
    without = visitor.panel()
    page.locator("[data-back]").click()
    visitor.map(page.url.removeprefix(visitor.home))
    kept = box.is_checked()
    box.check()
    visitor.settle()
    on = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('show')")
    visitor.press_middle()

    assert "police" in off
    assert "rescue" not in off
    assert (without, kept, on) == ("Who looks after safety here", False, None)
    assert visitor.panel() == feature["properties"]["name"]


def test_a_hidden_layer_asks_for_its_data_only_when_it_is_wanted(visit):
    visitor = visit()
    page = visitor.map("/et/")
    before = [url for url in visitor.asked if "/layers/municipalities" in url]

    page.locator("input[value=municipalities]").check()
    visitor.settle()

    assert before == []
    assert len([url for url in visitor.asked if "/layers/municipalities" in url]) == 1


# --- The address


def test_a_reload_restores_view_layers_and_panel(visit, layers):
    visitor, feature = visit(), alone(layers, "watch")
    page = visitor.map(f"/et/{at(feature)}")
    page.locator("input[value=police]").uncheck()
    visitor.press_middle()
    before = (visitor.panel(), visitor.view(), page.locator("input[value=police]").is_checked())

    page.reload()
    visitor.ready()
    after = (visitor.panel(), visitor.view(), page.locator("input[value=police]").is_checked())

    assert before == (feature["properties"]["name"], before[1], False)
    assert after == before


def test_who_is_near_survives_a_reload(visit, layers):
    lon, lat = empty_land(layers)
    visitor = visit()
    visitor.forgive("status of 400")
    page = visitor.map(f"/en/#at=12/{lat}/{lon}")
    visitor.press_middle()
    before = visitor.panel()

    page.reload()
    visitor.ready()

    assert before == "Who looks after safety here"
    assert visitor.panel() == before


def test_back_and_forward_walk_through_what_was_open(visit, layers):
    visitor, body = visit(), alone(layers, "police")
    page = visitor.map(f"/et/{at(body)}")
    visitor.press_middle()
    first = visitor.panel()
    page.evaluate("void turvakaart.open('cases/turi-lembitu')")
    second = visitor.panel()

    assert first == body["properties"]["name"]
    assert second not in ("", first)
    for step, wanted in (("back", first), ("back", ""), ("forward", first), ("forward", second)):
        page.evaluate(f"void history.{step}()")
        visitor.until(f"({OPEN})()", wanted)


def test_escape_closes_the_panel(visit, layers):
    visitor = visit()
    page = visitor.map(f"/et/{at(alone(layers, 'police'))}")
    visitor.press_middle()
    opened = visitor.panel()

    page.keyboard.press("Escape")

    assert opened != ""
    assert visitor.panel() == ""
    assert "open=" not in page.url
    assert page.locator("#legend").is_visible()


def test_the_other_language_keeps_the_view_the_layers_and_the_panel(visit, layers):
    visitor, feature = visit(), alone(layers, "rescue")
    page = visitor.map(f"/et/{at(feature)}")
    page.locator("input[value=police]").uncheck()
    visitor.press_middle()
    before = (visitor.view(), page.url.partition("#")[2])

    page.locator("[data-language=en]").click()
    visitor.ready()

    assert "/en/#" in page.url
    assert page.locator("html").get_attribute("lang") == "en"
    assert (visitor.view(), page.url.partition("#")[2]) == before
    assert not page.locator("input[value=police]").is_checked()
    assert visitor.panel() != ""


def test_a_spoilt_address_still_shows_a_map(visit):
    visitor = visit()
    visitor.forgive("status of 404")
    for spoilt in (
        "at=x/y/z",
        "at=99/999/999",
        "open=../../etc/passwd",
        "open=//evil.example",
        "show=x",
        "&&=",
        "%",
    ):
        page = visitor.map(f"/et/#{spoilt}")
        assert page.evaluate("document.querySelectorAll('.folium-map canvas').length") > 0

    assert [url for url in visitor.asked if url.startswith(("http://evil", "https://evil"))] == []


def test_an_address_of_something_that_is_gone_says_so(visit):
    visitor = visit()
    visitor.forgive("status of 404")
    visitor.map("/en/#open=bodies/nobody")

    assert visitor.panel() == "Not found"


# --- When something is missing


def test_without_scripts_the_legend_leads_to_lists_that_hold_the_same_names(visit, layers):
    visitor = visit(java_script_enabled=False)
    page = visitor.go("/et/")
    shown = page.locator(".legend .count")
    links = [shown.nth(i).get_attribute("href") for i in range(shown.count()) if shown.nth(i).is_visible()]
    frame = page.locator(".frame").is_visible()
    notice = page.locator("noscript").count()

    assert links == [f"/et/layers/{key}" for key in layers if key != "land"]
    assert (frame, notice) == (False, 1)
    for key in ("police", "villages", "watch", "rescue", "cases", "counties"):
        visitor.go(f"/et/layers/{key}")
        listed = {" ".join(text.split()) for text in page.locator("main a").all_inner_texts()}
        assert {" ".join(f["properties"]["name"].split()) for f in layers[key]} <= listed, key


@pytest.mark.parametrize("language", ["et", "en"])
def test_without_a_network_the_map_says_so_and_still_moves(visit, layers, language):
    visitor, feature = visit(), alone(layers, "police")
    page = visitor.map(f"/{language}/{at(feature)}")
    before = visitor.view()

    visitor.forgive("ERR_INTERNET_DISCONNECTED")
    visitor.context.set_offline(True)
    visitor.press_middle()
    visitor.until("document.getElementById('told').textContent !== ''")
    told = visitor.told()
    page.locator(".folium-map").focus()
    page.keyboard.press("ArrowRight")
    visitor.until("(before) => !location.hash.includes(before)", argument=before)

    assert told == FAILED[language]
    assert visitor.view() != before


def test_a_failure_can_be_seen(visit, layers):
    visitor = visit()
    page = visitor.map(f"/et/{at(alone(layers, 'police'))}")
    visitor.forgive("ERR_INTERNET_DISCONNECTED")
    visitor.context.set_offline(True)

    visitor.press_middle()
    visitor.until("document.getElementById('told').textContent !== ''")

    box = page.locator("#told").bounding_box()
    assert box["width"] > 50


@pytest.mark.parametrize("number", [1, 2])
def test_a_background_that_cannot_be_reached_leaves_quietly(visit, layers, number):
    visitor = visit()
    visitor.forgive("another host: https://tile", "ERR_FAILED")
    page = visitor.map("/en/")
    credits = page.locator("span[data-credits]").inner_text()

    page.locator("input[name=basemap]").nth(number).click()
    visitor.until("document.querySelectorAll('input[name=basemap]')[0].checked")
    refused = [url for url in visitor.asked if url.startswith("https://tile")]
    told = visitor.told()
    page.evaluate(f"location.hash = '{at(alone(layers, 'police'))[1:]}'")
    visitor.settle()
    visitor.press_middle()

    assert len(refused) > 3
    assert told == "The online background cannot be reached. The map goes on without it."
    assert page.locator("span[data-credits]").inner_text() == credits
    assert page.locator("img.leaflet-tile").count() == 0
    assert visitor.panel() != ""


def test_no_background_is_asked_for_until_it_is_wanted(visit, home):
    visitor = visit()
    visitor.map("/et/")

    assert visitor.page.locator("input[name=basemap]").count() == 3
    assert [url for url in visitor.asked if "tile" in url.removeprefix(home).partition("?")[0]] == []


# --- Harm


def test_hostile_names_stay_text_in_tooltip_and_panel(visit, hostile_home):
    visitor = visit(home=hostile_home)
    visitor.map("/et/")
    shown = []
    for number in range(5):
        page = visitor.map(f"/et/#at=14/58.{20 + number}/24.25")
        page.mouse.move(*visitor.middle)
        page.locator(".leaflet-tooltip").wait_for()
        visitor.press_middle()
        shown.append(visitor.panel())
        assert page.evaluate("window.hacked === undefined")
        assert (
            page.evaluate(
                "document.querySelectorAll('.leaflet-tooltip img, #detail img, #detail script').length"
            )
            == 0
        )
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    assert shown[0] == '<img src=x onerror="window.hacked=1">'
    assert len(set(shown)) == 5


def test_a_hostile_case_stays_text_in_the_panel(visit, hostile_home):
    visitor = visit(home=hostile_home)
    page = visitor.map("/et/#open=cases/first-case")

    assert "window.hacked=1" in visitor.panel()
    assert page.evaluate("window.hacked === undefined")
    assert page.locator("#detail a[href^=javascript], #detail img").count() == 0


# --- Motion


@pytest.mark.parametrize(
    "motion",
    [
        "no-preference",
        "reduce",
    ],
)
def test_who_wants_less_motion_sees_the_map_jump(visit, motion):
    visitor = visit(motion=motion)
    page = visitor.map("/et/#at=10/58.5/25.5")
    page.evaluate("window.moves = 0; void map_0.on('move', () => (window.moves += 1))")

    page.locator(".folium-map").focus()
    page.keyboard.press("ArrowRight")
    visitor.until("!location.hash.includes('/25.5000')")
    page.wait_for_timeout(400)

    moves = page.evaluate("window.moves")
    assert moves == 1 if motion == "reduce" else moves > 1


# --- Search


def test_a_village_is_found_from_the_map_and_survives_a_reload(visit):
    visitor = visit()
    page = visitor.map("/et/")

    page.get_by_role("combobox").first.fill("obinitsa")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Obinitsa küla").click()
    visitor.until("location.hash.includes('open=here')")

    assert visitor.panel() == "Kes siin turvalisuse eest hoolitseb"
    assert "Setomaa vald" in page.locator("#detail").inner_text()
    page.reload()
    visitor.until("document.querySelector('#detail-text h1') !== null")
    assert "Setomaa vald" in page.locator("#detail").inner_text()


def test_a_search_with_signs_survives_a_reload(visit):
    visitor = visit()
    page = visitor.map("/et/")

    page.get_by_role("combobox").first.fill("Rõuge 50% & rohkem")
    page.keyboard.press("Enter")
    visitor.until("location.hash.includes('open=search')")
    heading = visitor.panel()
    page.reload()
    visitor.until("document.querySelector('#detail-text h1') !== null")

    assert (heading, visitor.panel()) == ("Otsing: Rõuge 50% & rohkem",) * 2
