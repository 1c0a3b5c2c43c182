"""The choice beside the map: keyboard, symbols, shading, address, phones, and no scripts or network."""

import re

import pytest

from tests.browser.test_pages import faults, tab_to

pytestmark = [pytest.mark.browser, pytest.mark.slow]
KEEP = "document.addEventListener('turvakaart:ready', ({ detail }) => (window.chart = detail))"
SYMBOLS = """() => Object.fromEntries(['police', 'villages', 'watch', 'rescue', 'cases']
  .map((key) => [key, chart.layers[key].getLayers().length]))"""
COLOURS = """() => chart.layers.coverage.getLayers().flatMap((one) => one.getLayers())
  .map((one) => one.options.fillColor).sort()"""
COUNTS = """() => Object.fromEntries([...document.querySelectorAll('#layers .layer')].map((one) =>
  [one.querySelector('input').value, parseInt(one.querySelector('.count').textContent)]))"""
ASKED = "new URLSearchParams(location.hash.slice(1)).get('county')"
KEYS = ("police", "villages", "watch", "rescue", "cases")


@pytest.fixture
def api(estonian_app):
    """What the server says of a choice."""
    client = estonian_app.test_client(use_cookies=False)

    class Api:
        @staticmethod
        def symbols(asked=""):
            return {
                key: len(client.get(f"/api/layers/{key}.geojson?{asked}").json["features"]) for key in KEYS
            }

        @staticmethod
        def counts(asked=""):
            page = client.get(f"/en/legend?{asked}").text
            return {
                key: int(count)
                for key, count in re.findall(r'class="count" href="/en/layers/([\w-]+)[^>]*>(\d+)<', page)
            }

        @staticmethod
        def colours(asked):
            features = client.get(f"/api/coverage.geojson?{asked}").json["features"]
            return sorted(feature["properties"]["colour"] for feature in features)

    return Api


def charted(visit, path="/en/", **about):
    """A visitor before the map whose layers can be looked into."""
    visitor = visit(**about)
    visitor.context.add_init_script(KEEP)
    return visitor, visitor.map(path)


def choose(visitor, name, value):
    visitor.page.evaluate("document.getElementById('filter').open = true")
    visitor.page.locator(f"select[name={name}]").select_option(value)
    visitor.settle()


def test_a_choice_made_by_keyboard_changes_symbols_counts_and_is_told(visit, api):
    visitor, page = charted(visit)
    visitor.until(SYMBOLS, api.symbols())
    before = page.evaluate(COUNTS)
    everywhere = page.locator("select[name=municipality] option").count()

    tab_to(page, lambda page: page.evaluate("document.activeElement.matches('#filter summary')"))
    page.keyboard.press("Enter")
    tab_to(page, lambda page: page.evaluate("document.activeElement.name === 'county'"), most=2)
    page.keyboard.press("ArrowDown")
    visitor.settle()
    county = page.evaluate(ASKED)
    asked = f"county={county}"

    assert before == api.counts() != api.counts(asked)
    visitor.until(SYMBOLS, api.symbols(asked))
    assert page.evaluate(COUNTS) == api.counts(asked)
    for count in (api.counts(asked)[key] for key in KEYS):
        assert f": {count}" in visitor.told()
    assert page.locator("#told").get_attribute("role") == "status"
    assert page.evaluate("document.activeElement.name") == "county"
    assert 1 < page.locator("select[name=municipality] option").count() < everywhere


def test_the_shading_changes_and_leaves_and_comes_again(visit, api):
    visitor, page = charted(visit)
    for value, wanted in (
        ("municipality", api.colours("shade=municipality")),
        ("county", api.colours("shade=county")),
        ("none", []),
        ("county", api.colours("shade=county")),
        ("county.watch", api.colours("shade=county.watch")),
    ):
        choose(visitor, "shade", value)

        visitor.until(COLOURS, wanted)
        assert page.locator("#shades li").count() == {"none": 0, "county.watch": 2}.get(value, 5)


def test_a_shading_that_is_left_at_once_does_not_come_late(visit):
    visitor, page = charted(visit)
    page.locator("select[name=shade]").evaluate(
        """(select) => ['county', 'none'].forEach((value) => {
          select.value = value;
          select.dispatchEvent(new Event('change', { bubbles: true }));
        })"""
    )
    visitor.settle()

    assert page.evaluate(COLOURS) == []


def test_clear_brings_everything_back(visit, api):
    visitor, page = charted(visit, "/en/#county=0037&shade=county&theme=watch")
    visitor.until(SYMBOLS, api.symbols("county=0037&theme=watch"))

    page.evaluate("document.getElementById('filter').open = true")
    page.locator("#all").click()

    visitor.until(SYMBOLS, api.symbols())
    visitor.until(COUNTS, api.counts())
    visitor.until(COLOURS, api.colours("shade=municipality"))
    assert "county" not in page.url


def test_a_shared_link_and_a_reload_show_the_same(visit, api):
    asked = "county=0037&freshness=old"
    visitor, page = charted(visit)
    choose(visitor, "county", "0037")
    choose(visitor, "freshness", "old")
    choose(visitor, "shade", "county")
    link = page.url

    def seen():
        visitor.until(SYMBOLS, api.symbols(asked))
        visitor.until(COUNTS, api.counts(asked))
        visitor.until(COLOURS, api.colours(f"{asked}&shade=county"))
        return page.url, page.locator("select[name=county]").input_value()

    first = seen()
    page.reload()
    visitor.ready()
    again = seen()
    visitor, page = charted(visit, link.removeprefix(visitor.home))

    assert first == again == seen() == (link, "0037")


def test_thirty_quick_steps_back_and_forth_end_in_the_state_of_the_address(visit, api):
    visitor, page = charted(visit)
    for county in ("0037", "0050", "0045", "0039", "0079", "0087"):
        choose(visitor, "county", county)
    steps = [-1, -1, 1, -1, 1, 1] * 5  # Never before the first choice, where the page itself would leave.
    page.evaluate("(steps) => steps.forEach((step, i) => setTimeout(() => history.go(step), i * 15))", steps)
    page.wait_for_timeout(700)
    visitor.settle()

    county = page.evaluate(ASKED) or ""
    asked = f"county={county}" if county else ""
    visitor.until(SYMBOLS, api.symbols(asked))
    visitor.until(COUNTS, api.counts(asked))
    assert page.locator("select[name=county]").input_value() == county


def test_two_requests_for_one_choice_do_not_lose_its_counts(visit, api):
    visitor, page = charted(visit)

    page.evaluate(
        """() => { const select = document.querySelector('select[name=county]');
        select.value = '0037';
        for (let i = 0; i < 2; i += 1) select.dispatchEvent(new Event('change', { bubbles: true })); }"""
    )

    visitor.until(COUNTS, api.counts("county=0037"))


def test_a_network_cut_while_choosing_is_told_and_the_choice_comes_when_it_is_back(visit, api):
    visitor, page = charted(visit)
    visitor.forgive("ERR_INTERNET_DISCONNECTED")
    visitor.context.set_offline(True)
    choose(visitor, "county", "0037")
    visitor.until("document.getElementById('told').textContent !== ''")
    told, seen = visitor.told(), page.locator("#told").bounding_box()["width"]

    visitor.context.set_offline(False)
    page.locator("select[name=county]").dispatch_event("change")

    assert told == "This could not be loaded. Check the connection and try again."
    assert seen > 50
    visitor.until(SYMBOLS, api.symbols("county=0037"))
    visitor.until(COUNTS, api.counts("county=0037"))
    visitor.until("document.getElementById('told').className.includes('visually-hidden')")


def test_another_day_keeps_the_choice_and_the_moment(visit):
    visitor, page = charted(visit, "/en/?known=2026-11-22T09:00:00Z#county=0037")

    page.evaluate("document.getElementById('filter').open = true")
    page.locator("input[name=as_of]").fill("2012-05-15")
    page.locator("#choice button").click()
    page.wait_for_url("**as_of=2012-05-15**")
    visitor.ready()

    assert "known=2026-11-22T09%3A00%3A00Z" in page.url
    assert page.evaluate(ASKED) == "0037"


@pytest.mark.parametrize("size", ["phone", "small"])
def test_on_a_phone_the_low_panel_shows_the_classes_and_nothing_scrolls_sideways(visit, size):
    visitor, page = charted(visit, size=size)
    height = page.evaluate("innerHeight")
    low = page.locator(".panel").bounding_box()
    classes = page.locator("#shades li")
    last = classes.last.bounding_box()

    assert page.locator(".panel.low").count() == 1
    assert low["y"] < last["y"]
    assert last["y"] + last["height"] <= height
    assert last["x"] + last["width"] <= page.evaluate("innerWidth")
    page.locator(".grip").click()
    page.evaluate("document.getElementById('filter').open = true")
    for path in ("", "coverage", "coverage?shade=county&county=0037", "layers/?freshness=old"):
        if path:
            visitor.go(f"/en/{path}")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path


def test_without_scripts_the_form_leads_to_lists_with_the_same_numbers(visit, api):
    visitor = visit(java_script_enabled=False)
    page = visitor.go("/en/")
    page.locator("#filter summary").click()
    page.locator("select[name=county]").select_option("0037")
    page.locator("#choice button").click()
    page.wait_for_url("**/en/layers/**")
    cards = page.locator(".cards .card", has=page.locator(".symbol"))
    said = [int(re.search(r"(\d+) entr", text)[1]) for text in cards.all_inner_texts()]
    page.locator(".cards a", has_text="rescue").first.click()

    assert "county=0037" in page.url
    assert said == [*api.counts("county=0037").values()]
    assert page.locator("tbody tr").count() == api.counts("county=0037")["rescue"]


@pytest.mark.parametrize(
    "path", ["coverage", "coverage?shade=county.watch&county=0037", "layers/?county=0037"]
)
def test_axe_finds_nothing_on_the_pages_of_a_choice(visit, path):
    visitor = visit(bypass_csp=True)

    assert faults(visitor.go(f"/en/{path}")) == []


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_axe_finds_nothing_on_the_map_with_the_filter_open(visit, size):
    visitor = visit(size=size, bypass_csp=True)
    page = visitor.map("/en/#county=0037&shade=county")
    if size == "phone":
        page.locator(".grip").click()
    page.evaluate("document.getElementById('filter').open = true")

    assert faults(page) == []
