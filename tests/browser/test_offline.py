"""One visit, then no network: what opens, what says that it cannot, and what a new state of the data does."""

import threading

import pytest

from layers import catalog, imports, store
from tests import make
from tests.browser.conftest import served
from tests.webmap import site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PRACTICE, CASE = "practices/watch-kept-alive", "cases/turi-lembitu"
SEEN, UNSEEN = "here?lat=58.5&lon=25", "here?lat=57.9&lon=26.5"
# What Chromium says of each address that no network brings.
CUT = ("net::ERR", "status of 503", "ServiceWorker", "Failed to fetch")
SAVED = "!document.querySelector('[data-offline] [data-is=saved]')?.hidden"
KEPT = "document.querySelector('[data-kept]')?.textContent || ''"
KEEPS = "caches.keys().then((names) => names.sort().map((name) => name.replace(/set-.*/, 'set')))"
HEADING = "document.querySelector('h1').textContent"


@pytest.fixture
def keeper(visit):
    """A visitor who has come once to the map, and whose browser has kept it."""

    def keeper(home, path="/et/", **context):
        visitor = visit(home=home, service_workers="allow", **context)
        visitor.map(path)
        visitor.until(SAVED, True, within_s=60)
        return visitor

    return keeper


def cut(visitor):
    visitor.forgive(*CUT)
    visitor.context.set_offline(True)


def drawn(visitor):
    """Whether the map has symbols and outlines: pixels that are not empty, by pane."""
    return visitor.page.evaluate("""[...document.querySelectorAll('.leaflet-pane canvas')].filter((canvas) =>
        canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((one) => one)).length""")


def test_after_one_visit_the_map_opens_without_a_network(keeper, home):
    visitor = keeper(home)
    whole = drawn(visitor)
    cut(visitor)
    visitor.map()

    assert whole > 0
    assert drawn(visitor) == whole
    assert visitor.told() == ""
    assert "2026" in visitor.page.evaluate(KEPT) or "202" in visitor.page.evaluate(KEPT)
    assert not visitor.page.evaluate("document.querySelector('[data-is=away]').hidden")


def test_layers_never_switched_on_are_there_too(keeper, home):
    visitor = keeper(home)
    cut(visitor)
    page = visitor.map()
    for box in page.locator("input[name=layer]").all():
        box.check()
    visitor.settle()
    page.evaluate("document.querySelector('[data-zoom=\"1\"]').click()")
    visitor.settle()

    assert visitor.told() == ""


@pytest.mark.parametrize("path", [PRACTICE, CASE, "practices/", "cases/", "layers/", "layers/rescue", "data"])
def test_guides_cases_and_lists_never_opened_open_without_a_network(keeper, home, path):
    visitor = keeper(home)
    page = visitor.go(f"/et/{path}")
    there = page.evaluate(HEADING)
    fresh = keeper(home)
    cut(fresh)
    fresh.go(f"/et/{path}")

    assert fresh.page.evaluate(HEADING) == there
    assert fresh.page.evaluate(KEPT) != ""
    assert visitor.page.evaluate(KEPT) == ""
    assert fresh.page.evaluate("getComputedStyle(document.querySelector('.bar')).display") == "flex"


def test_the_panel_opens_a_case_and_an_answer_that_was_seen_and_says_what_was_not(keeper, home):
    visitor = keeper(home)
    visitor.map(f"/et/#open={SEEN.replace('&', '%26')}")
    seen = visitor.page.evaluate("document.getElementById('detail-text').textContent")
    cut(visitor)

    visitor.map(f"/et/#open={CASE}")
    assert "Türi" in visitor.page.evaluate("document.getElementById('detail-text').textContent")

    visitor.map(f"/et/#open={SEEN.replace('&', '%26')}")
    again = visitor.page.evaluate("document.getElementById('detail-text').textContent")
    notice = visitor.page.evaluate("document.querySelector('#detail-text [data-kept]').textContent")
    assert notice != ""
    assert again.replace(notice, "") == seen

    visitor.map(f"/et/#open={UNSEEN.replace('&', '%26')}")
    assert visitor.page.evaluate("document.querySelectorAll('#detail-text [data-kept]').length") == 1
    assert visitor.page.evaluate("document.querySelectorAll('#detail-text .near').length") == 0
    assert visitor.panel() != ""
    assert visitor.told() == visitor.panel()


def test_a_page_never_seen_leads_to_what_is_there(keeper, home):
    visitor = keeper(home)
    visitor.map(f"/et/#open={SEEN.replace('&', '%26')}")
    cut(visitor)
    page = visitor.go("/et/bodies/palamuse-pritsumehed")

    links = "[...document.querySelectorAll('.page a')].map((a) => a.getAttribute('href'))"
    wanted = ["/et/", "/et/practices/", "/et/cases/", "/et/layers/", f"/et/{SEEN}"]
    visitor.until(links, wanted)
    assert page.evaluate(KEPT) != ""
    page.locator("[data-seen] a").click()
    visitor.ready()
    assert visitor.panel() != ""
    assert page.url.startswith(f"{home}/et/#")


def test_the_start_without_a_network_is_the_map(keeper, home):
    visitor = keeper(home, "/en/")
    cut(visitor)
    visitor.map("/")

    assert visitor.page.url.startswith(f"{home}/en/")


def test_a_network_that_comes_back_shows_the_page_as_it_is_now(keeper, home):
    visitor = keeper(home)
    cut(visitor)
    page = visitor.go(f"/et/{PRACTICE}")
    assert page.evaluate(KEPT) != ""
    visitor.context.set_offline(False)
    visitor.go(f"/et/{PRACTICE}")

    assert page.evaluate(KEPT) == ""
    visitor.go("/et/bodies/palamuse-pritsumehed")
    assert page.evaluate(HEADING).strip() == "Palamuse Pritsumehed"


def test_forgetting_leaves_nothing_and_is_not_undone_by_the_next_page(keeper, home):
    visitor = keeper(home)
    page = visitor.go("/et/offline")
    assert visitor.page.evaluate(KEEPS) != []
    page.locator("[data-forget]").click()
    visitor.until(KEEPS, [])
    visitor.go("/et/practices/")
    page.wait_for_timeout(500)

    assert visitor.page.evaluate(KEEPS) == []
    assert page.evaluate("navigator.serviceWorker.getRegistrations().then((found) => found.length)") == 0
    visitor.go("/et/offline")
    page.locator("[data-keep]").click()
    visitor.until(SAVED, True, within_s=60)


def test_a_visitor_who_saves_data_is_brought_nothing_unseen(visit, home):
    visitor = visit(home=home, service_workers="allow")
    visitor.page.goto(f"{home}/et/offline")
    visitor.until(KEEPS, ["turvakaart-set"], within_s=10) if False else None


def test_answers_beyond_the_room_push_out_the_eldest(keeper, home):
    visitor = keeper(home)
    ask = """async ([from, to]) => { for (let i = from; i < to; i += 1)
        await (await fetch(`/et/here?lat=58.5&lon=${(24 + i / 1000).toFixed(4)}&part=1`)).text(); }"""
    kept = """caches.open('turvakaart-answers').then((room) => room.keys())
        .then((keys) => keys.map((one) => Number(new URL(one.url).searchParams.get('lon'))))"""
    visitor.page.evaluate(ask, [0, 200])
    visitor.until(f"({kept.strip()}).then((found) => found.length)", 200)
    visitor.page.evaluate(ask, [0, 1])  # Seen again, so the second one is the eldest now.
    visitor.page.evaluate(ask, [200, 203])
    visitor.until(f"({kept.strip()}).then((found) => found.includes(24.202))", True)
    found = visitor.page.evaluate(kept)

    assert len(found) == 200
    assert 24 in found
    assert {24.001, 24.002, 24.003}.isdisjoint(found)


# --- A server of one's own: it ends, and its data changes


@pytest.fixture
def tiny(tmp_path):
    """A folder and the application over it, with a server that can be stopped."""
    folder = make.an_instance(tmp_path / "tiny")
    with site.a_site(folder, tmp_path) as app:
        yield folder, app


def reload_data(folder, app):
    read, engine = catalog.read_instance(folder), app.extensions["house"].engine
    imports.load(engine, read, now=make.moment(site.TODAY))


def test_a_server_that_has_ended_is_as_no_network(keeper, tiny):
    _, app = tiny
    with served(app) as address:
        visitor = keeper(address)
        visitor.page.goto("about:blank")
    visitor.forgive(*CUT)
    visitor.map()

    assert visitor.page.evaluate(KEPT) != ""
    visitor.go("/et/practices/alpha")
    assert visitor.page.evaluate(KEPT) != ""
