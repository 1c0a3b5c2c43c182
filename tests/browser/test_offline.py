"""One visit, then no network: what opens, what says that it cannot, and what a new state of the data does."""

import re
import threading
import time

import pytest
from flask import Response

from layers import catalog, imports
from tests import make
from tests.browser.conftest import served
from tests.webmap import site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# What Chromium says of each address that no network brings.
CUT = ("net::ERR", "status of 503")
SAVED = "Boolean(document.querySelector('[data-offline] [data-is=saved]:not([hidden])'))"
NOTICE = "document.querySelector('[data-kept]')?.textContent || ''"
HEADING = "document.querySelector('h1').textContent.trim()"
DETAIL = "document.getElementById('detail-text').textContent"
ROOMS = "caches.keys().then((names) => names.sort())"
DRAWN = """[...document.querySelectorAll('.leaflet-pane canvas')].map((canvas) => canvas.getContext('2d')
    .getImageData(0, 0, canvas.width, canvas.height).data.filter((one) => one).length)"""
FILL = """async ([name, number, address]) => { const room = await caches.open(name);
    for (let i = 0; i < number; i += 1) await room.put(`${address}${i}`, new Response('made')); }"""
KEPT = """(name) => caches.open(name).then((room) => room.keys())
    .then((keys) => keys.map((one) => one.url.slice(location.origin.length)))"""
HOW_MANY = f"(name) => ({KEPT})(name).then((found) => found.length)"
SEEN, UNSEEN = "here?lat=58.25%26lon=24.5", "here?lat=58.75%26lon=25.1"
VILLAGE = "bodies/first-village"


@pytest.fixture
def tiny(tmp_path):
    """A tiny country's folder, and the application over it."""
    folder = make.an_instance(tmp_path / "tiny")
    with site.a_site(folder, tmp_path) as app:
        yield folder, app


@pytest.fixture
def tiny_home(tiny):
    with served(tiny[1]) as address:
        yield address


@pytest.fixture
def keeper(visit):
    """A visitor who has come once to the map, and whose browser has kept it."""

    def keeper(home, path="/et/", **context):
        visitor = visit(home=home, service_workers="allow", **context)
        visitor.map(path)
        visitor.until(SAVED)
        return visitor

    return keeper


def cut(visitor):
    visitor.forgive(*CUT)
    visitor.context.set_offline(True)


def said(visitor, question):
    return visitor.page.evaluate(question)


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_after_one_visit_the_national_map_and_all_there_is_to_read_open(keeper, home, size):
    visitor = keeper(home, size=size)
    with_network = said(visitor, DRAWN)
    cut(visitor)
    page = visitor.map()

    assert sum(with_network) > 10_000
    # Layers come in any order, and symbols that overlap are drawn in it.
    assert said(visitor, DRAWN) == pytest.approx(with_network, rel=0.02)
    assert re.search(r"\d{4}.*\d\d:\d\d", said(visitor, NOTICE))
    assert not said(visitor, "document.querySelector('[data-offline] [data-is=away]').hidden")

    page.evaluate(
        "document.querySelectorAll('input[name=layer]:not(:checked)').forEach((one) => one.click())"
    )
    page.evaluate("document.querySelector('[data-zoom=\"1\"]').click()")
    visitor.settle()
    assert visitor.told() == ""

    page = visitor.go("/et/practices/")
    pages = page.evaluate("[...document.querySelectorAll('main h2 a, main h3 a')].map((a) => a.pathname)")
    page = visitor.go("/et/cases/")
    pages += page.evaluate("[...document.querySelectorAll('main h2 a, main h3 a')].map((a) => a.pathname)")
    assert len(pages) > 60
    for path in [*pages[:2], *pages[-2:], "/et/layers/", "/et/layers/rescue", "/et/data"]:
        visitor.go(path)
        assert "202" in said(visitor, NOTICE), path
        assert said(visitor, "getComputedStyle(document.querySelector('.bar')).display") == "flex"


def test_the_panel_shows_what_was_seen_and_says_what_was_not(keeper, tiny_home):
    visitor = keeper(tiny_home)
    visitor.map(f"/et/#open={SEEN}")
    visitor.until(f"{DETAIL} !== ''")
    seen = said(visitor, DETAIL)
    cut(visitor)

    visitor.map(f"/et/#open={SEEN}")
    visitor.until(f"{DETAIL} !== ''")
    notice = said(visitor, NOTICE.replace("[data-kept]", "#detail [data-kept]"))
    assert "202" in notice
    assert said(visitor, DETAIL).replace(notice, "") == seen

    visitor.map("/et/#open=cases/first-case")
    assert visitor.panel() == "first-case eesti keeles"

    visitor.map(f"/et/#open={UNSEEN}")
    assert visitor.told() == visitor.panel() != ""
    assert said(visitor, "document.querySelectorAll('#detail [data-kept]').length") == 1
    assert said(visitor, "document.querySelectorAll('#detail .near').length") == 0


def test_an_answer_that_was_asked_for_before_the_worker_was_there_is_kept_too(visit, tiny, tiny_home):
    views, asked = tiny[1].view_functions, []
    view = views["pages.here"]

    def slow(**values):
        asked.append(1)
        time.sleep(3 if len(asked) == 1 else 0)
        return view(**values)

    views["pages.here"] = slow
    visitor = visit(home=tiny_home, service_workers="allow")
    visitor.map(f"/et/#open={SEEN}")
    visitor.until(SAVED)
    wanted = [f"/et/{SEEN.replace('%26', '&')}&part=1"]
    visitor.until(KEPT, wanted, argument="turvakaart-answers")
    cut(visitor)
    visitor.map(f"/et/#open={SEEN}")

    assert said(visitor, "document.querySelectorAll('#detail .near').length") > 0


def test_a_page_never_seen_leads_to_what_is_there(keeper, tiny_home):
    visitor = keeper(tiny_home)
    visitor.map(f"/et/#open={SEEN}")
    cut(visitor)
    page = visitor.go(f"/et/{VILLAGE}")

    seen = f"/et/{SEEN.replace('%26', '&')}"
    links = "[...document.querySelectorAll('.page a')].map((a) => a.getAttribute('href'))"
    visitor.until(links, ["/et/", "/et/practices/", "/et/cases/", "/et/layers/", seen])
    assert said(visitor, NOTICE) != ""
    page.locator("[data-seen] a").click()
    visitor.ready()
    assert said(visitor, "document.querySelectorAll('#detail .near').length") > 0
    assert page.url.startswith(f"{tiny_home}/et/#")


def test_the_start_without_a_network_is_the_map_in_the_language_that_is_kept(keeper, tiny_home):
    visitor = keeper(tiny_home, "/en/")
    cut(visitor)
    visitor.map("/")

    assert visitor.page.url.startswith(f"{tiny_home}/en/")
    assert "202" in said(visitor, NOTICE)


def test_another_language_is_kept_when_it_is_visited(keeper, tiny_home):
    visitor = keeper(tiny_home)
    visitor.go("/en/data")
    visitor.until(SAVED)
    cut(visitor)
    visitor.go("/en/practices/alpha")

    assert said(visitor, HEADING) == "alpha in English"


def test_a_server_that_has_ended_is_as_no_network(keeper, tiny):
    with served(tiny[1]) as address:
        visitor = keeper(address)
        visitor.page.goto("about:blank")
    visitor.forgive(*CUT)
    visitor.map()
    visitor.go("/et/practices/alpha")

    assert said(visitor, HEADING) == "alpha eesti keeles"
    assert "202" in said(visitor, NOTICE)


def test_a_network_that_comes_back_shows_the_page_as_it_is_now(keeper, tiny_home):
    visitor = keeper(tiny_home)
    cut(visitor)
    visitor.go("/et/practices/alpha")
    assert said(visitor, NOTICE) != ""
    visitor.context.set_offline(False)
    visitor.go("/et/practices/alpha")

    assert said(visitor, NOTICE) == ""


def changed(folder, app):
    """The village has another name and place, and the case another title."""
    make.replace(folder, "bodies/villages.csv", "Esimese küla selts", "Uue nimega selts")
    make.replace(folder, "cases/first-case.et.md", "first-case eesti keeles", "Uus pealkiri")
    read = catalog.read_instance(folder)
    assert imports.load(app.extensions["house"].engine, read, now=make.moment(site.TODAY))


def test_new_data_are_shown_at_the_first_visit_and_never_mixed_with_old_ones(keeper, tiny, tiny_home):
    visitor = keeper(tiny_home)
    (before,) = (room for room in said(visitor, ROOMS) if "-set-" in room)
    names = """fetch(document.querySelector('[src*="/map-"]').src).then((answer) => answer.text())
        .then((script) => fetch(JSON.parse(script.match(/"[^"]*villages.geojson[^"]*"/)[0])))
        .then((answer) => answer.json()).then((all) => all.features.map((one) => one.properties.name))"""
    changed(*tiny)

    # Without a network all is as it was.
    cut(visitor)
    visitor.map()
    assert said(visitor, names) == ["Esimese küla selts"]
    visitor.go("/et/cases/first-case")
    assert said(visitor, HEADING) == "first-case eesti keeles"

    # With one, the first page and its layers are new.
    visitor.context.set_offline(False)
    visitor.go("/et/cases/first-case")
    assert said(visitor, HEADING) == "Uus pealkiri"
    visitor.map()
    assert said(visitor, names) == ["Uue nimega selts"]
    visitor.until(f"({ROOMS}).then((all) => all.includes('{before}'))", False)
    assert len([room for room in said(visitor, ROOMS) if "-set-" in room]) == 1

    # And so is what has been kept, the old set being gone.
    cut(visitor)
    visitor.map()
    assert said(visitor, names) == ["Uue nimega selts"]
    visitor.map("/et/#open=cases/first-case")
    assert visitor.panel() == "Uus pealkiri"


def test_answers_beyond_the_room_push_out_the_eldest(keeper, tiny_home):
    visitor = keeper(tiny_home)
    ask = "(address) => fetch(address).then((answer) => answer.text()).then(() => true)"
    room, first = "turvakaart-answers", "/et/here?lat=58.5&lon=25&part=1"
    assert visitor.page.evaluate(ask, first)
    visitor.until(KEPT, [first], argument=room)
    visitor.page.evaluate(FILL, [room, 199, "/et/here?made="])
    assert visitor.page.evaluate(ask, first)  # Seen again, so another one is the eldest now.
    visitor.until(f"(name) => ({KEPT})(name).then((found) => found.at(-1))", first, argument=room)
    for lon in (24.1, 24.2):
        assert visitor.page.evaluate(ask, f"/et/here?lat=58.5&lon={lon}&part=1")
        visitor.until(
            f"(name) => ({KEPT})(name).then((found) => found.at(-1).includes('{lon}'))", argument=room
        )
        visitor.until(HOW_MANY, 200, argument=room)  # What is too many goes once the new one is there.
    found = visitor.page.evaluate(KEPT, room)

    assert found[0] == "/et/here?made=2"
    assert found[-3] == first


def test_tiles_are_kept_by_use(keeper, tiny):
    _, app = tiny
    came = []

    def tile(number):
        came.append(number)
        return Response(b"tile", headers={"Cache-Control": "public, max-age=31536000, immutable"})

    app.add_url_rule("/api/tiles/<int:number>", view_func=tile)
    ask = "(number) => fetch(`/api/tiles/${number}?v=1`).then((answer) => answer.text())"
    last = f"(name) => ({KEPT})(name).then((found) => found.at(-1))"
    with served(app) as address:
        visitor = keeper(address)
        for number in (1, 2, 1):
            assert visitor.page.evaluate(ask, number) == "tile"
            visitor.until(last, f"/api/tiles/{number}?v=1", argument="turvakaart-tiles")
        visitor.page.evaluate(FILL, ["turvakaart-tiles", 298, "/api/tiles/made?"])
        assert visitor.page.evaluate(ask, 3) == "tile"
        visitor.until(last, "/api/tiles/3?v=1", argument="turvakaart-tiles")
        visitor.until(HOW_MANY, 300, argument="turvakaart-tiles")
        found = visitor.page.evaluate(KEPT, "turvakaart-tiles")
        cut(visitor)
        assert visitor.page.evaluate(ask, 1) == "tile"

    assert came == [1, 2, 3]
    assert found[0] == "/api/tiles/1?v=1"


def test_a_network_that_does_not_answer_is_not_waited_for(keeper, tiny):
    _, app = tiny
    view, ended = app.view_functions["pages.practice"], threading.Event()

    def slow(**values):
        ended.wait(120)
        return view(**values)

    with served(app) as address:
        visitor = keeper(address)
        app.view_functions["pages.practice"] = slow
        visitor.forgive(*CUT)
        visitor.page.goto(f"{address}/et/practices/alpha")
        assert "202" in said(visitor, NOTICE)
        ended.set()


def test_a_set_that_the_data_overtook_is_not_kept(visit, tiny, tiny_home):
    folder, app = tiny
    view, asked = app.view_functions["offline.kept"], []

    def overtaken(**values):
        answer = view(**values)
        if not asked:
            changed(folder, app)
        asked.append(1)
        return answer

    app.view_functions["offline.kept"] = overtaken
    visitor = visit(home=tiny_home, service_workers="allow")
    visitor.map()
    first = said(visitor, f"({ROOMS}).then((all) => all.find((one) => one.includes('-set-')))")
    visitor.until(f"({ROOMS}).then((all) => all.some((one) => one.includes('-set-') && one !== '{first}'))")
    visitor.until(f"({ROOMS}).then((all) => all.includes('{first}'))", False)
    assert not said(visitor, SAVED)

    visitor.map()
    visitor.until(SAVED)
    cut(visitor)
    visitor.go("/et/cases/first-case")
    assert said(visitor, HEADING) == "Uus pealkiri"


def test_a_full_device_is_said_and_harms_nothing(visit, home):
    visitor = visit(home=home, service_workers="allow")
    session = visitor.context.new_cdp_session(visitor.page)
    session.send("Storage.overrideQuotaForOrigin", {"origin": home, "quotaSize": 400_000})
    page = visitor.map()
    visitor.until("Boolean(document.querySelector('[data-is=full]:not([hidden])'))")
    visitor.go("/et/practices/watch-kept-alive")

    assert said(visitor, NOTICE) == ""
    assert page.evaluate("document.querySelector('[data-is=saved]').hidden")


def test_errors_and_typed_words_are_not_kept(keeper, tiny_home):
    visitor = keeper(tiny_home)
    visitor.forgive("status of 404")
    for path in ("/et/bodies/nobody", "/et/search?q=Esimene", f"/et/{VILLAGE}"):
        visitor.go(path)
    wanted = ["/et/", f"/et/{VILLAGE}"]

    visitor.until(KEPT, wanted, argument="turvakaart-pages")


def test_forgetting_leaves_nothing_and_is_not_undone_by_the_next_page(keeper, tiny_home):
    visitor = keeper(tiny_home)
    page = visitor.go("/et/offline")
    assert said(visitor, ROOMS) != []
    page.locator("[data-forget]").click()
    visitor.until(ROOMS, [])
    visitor.until("document.querySelector('[data-keep]').hidden", False)
    visitor.go("/et/practices/")
    page.wait_for_timeout(500)

    assert said(visitor, ROOMS) == []
    assert said(visitor, "navigator.serviceWorker.getRegistrations().then((all) => all.length)") == 0
    page = visitor.go("/et/offline")
    visitor.until("document.querySelector('[data-forget]').hidden", True)
    page.locator("[data-keep]").click()
    visitor.until(SAVED)
    visitor.until("document.querySelector('[data-keep]').hidden", True)


def test_a_site_that_keeps_nothing_any_more_takes_back_what_it_kept(keeper, tiny, tiny_home):
    visitor = keeper(tiny_home)
    tiny[1].config["OFFLINE"] = False
    visitor.go("/et/data")
    visitor.until(ROOMS, [])
    visitor.until("navigator.serviceWorker.getRegistrations().then((all) => all.length)", 0)


def test_a_page_in_a_frame_keeps_nothing(visit, tiny_home):
    visitor = visit(home=tiny_home, service_workers="allow", bypass_csp=True)
    page = visitor.go("/api/layers/police.geojson")
    page.evaluate(
        """document.body.append(Object.assign(document.createElement('iframe'), { src: '/et/data' }))"""
    )
    visitor.settle()
    page.wait_for_timeout(1500)

    assert page.frames[1].evaluate("document.querySelectorAll('[data-offline]').length") == 1
    assert said(visitor, ROOMS) == []
    visitor.go("/et/data")
    visitor.until(SAVED)
