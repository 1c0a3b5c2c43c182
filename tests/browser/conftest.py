"""A real browser before a real server. Every test fails when the page complains or asks another host."""

import os
import threading
import time
from contextlib import contextmanager, suppress

import pytest
from playwright.sync_api import Error, sync_playwright
from waitress.server import create_server

from tests.webmap import site

SIZES = {"desktop": (1366, 768), "phone": (390, 844), "small": (320, 640)}
PATIENCE_S = 60
"""Only what fails takes so long: machines that test are busy."""
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# Playwright's own waiting functions need eval, which the policy forbids: these ask again and again instead.
_LISTEN = """addEventListener('securitypolicyviolation', (event) =>
  console.error('POLICY', event.violatedDirective, event.blockedURI))"""


def pytest_collection_modifyitems(items):
    """On machines that test for others a failure here is asked once more, and told as RERUN either way.

    A browser is several programs that share two cores with the other tests; Playwright's own setting for such
    machines is two. What is broken fails again.
    """
    if os.environ.get("CI") == "true":
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.flaky(reruns=1))


@contextmanager
def served(app):
    """The address at which an application answers on a free port."""
    server = create_server(app, host="127.0.0.1", port=0, threads=8)
    ended = threading.Event()

    def run():
        while not ended.is_set():
            server.asyncore.loop(timeout=0.1, map=server._map, count=1)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        ended.set()
        thread.join(5)
        server.task_dispatcher.shutdown()
        # Connections that the browser holds open, too: a socket left to the collector is a warning.
        server.asyncore.close_all(server._map, ignore_all=True)


@pytest.fixture(scope="session")
def estonian_app(estonia, tmp_path_factory):
    with site.a_site(estonia.folder, tmp_path_factory.mktemp("state")) as app:
        yield app


@pytest.fixture(scope="session")
def home(estonian_app):
    """The address of Estonia."""
    with served(estonian_app) as address:
        yield address


@pytest.fixture(scope="session")
def hostile_home(tmp_path_factory):
    """The address of a country whose names try to be more than text."""
    folder = site.a_hostile_instance(tmp_path_factory.mktemp("hostile") / "tiny")
    with site.a_site(folder, tmp_path_factory.mktemp("state")) as app, served(app) as address:
        yield address


@pytest.fixture(scope="session")
def layers(estonian_app):
    """What the API says of each layer: key → features."""
    client = estonian_app.test_client(use_cookies=False)
    keys = [layer.key for layer in estonian_app.extensions["house"].instance.layers]
    return {key: client.get(f"/api/layers/{key}.geojson").json["features"] for key in (*keys, "land")}


@pytest.fixture(scope="session")
def browser(chromium):
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        yield opened
        opened.close()


def awaited(page, comes):
    """Asks until it has come; a page that is just being left answers nothing. Whether it has."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with suppress(Error):
            if comes():
                return True
        page.wait_for_timeout(25)
    return False


class Visit:
    """One visitor: a page, what has gone wrong on it, and what is still on its way."""

    def __init__(self, browser, home, **context):
        self.home, self.asked, self._underway = home, [], 0
        # Nothing is kept between the pages of a test, but for the tests of keeping; the driver says so.
        context.setdefault("service_workers", "block")
        self.trouble, self.forgiven = [], ["Service Worker registration blocked"]
        self.context = browser.new_context(reduced_motion=context.pop("motion", None), **context)
        self.context.route(lambda url: not url.startswith((home, "data:", "blob:")), self._refuse)
        self.context.add_init_script(_LISTEN)
        self.context.set_default_timeout(PATIENCE_S * 1000)
        self.page = self.context.new_page()
        self.page.on("console", lambda said: self._complain(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self._complain(f"error: {error}"))
        self.page.on("request", self._sent)
        self.page.on("requestfinished", self._came)
        self.page.on("requestfailed", self._came)

    def _complain(self, line):
        if not any(expected in line for expected in self.forgiven):
            self.trouble.append(line)

    def forgive(self, *expected):
        """What a test brings about on purpose, in words of the line."""
        self.forgiven += expected

    def _refuse(self, route):
        self._complain(f"another host: {route.request.url}")
        route.abort()

    def _sent(self, request):
        self.asked.append(request.url)
        self._underway += 1

    def _came(self, _request):
        self._underway -= 1

    def until(self, question, wanted=True, *, argument=None):
        """Asks the page until it answers as wanted; returns the last answer."""
        said = []

        def comes():
            said.append(self.page.evaluate(question, argument))
            return said[-1] == wanted

        assert awaited(self.page, comes), f"{question} is {said[-1:]}, not {wanted!r}; {self.trouble}"
        return said[-1]

    def settle(self):
        """Waits until nothing is under way."""
        still, end = 0, time.monotonic() + PATIENCE_S
        while still < 3 and time.monotonic() < end:
            self.page.wait_for_timeout(25)
            still = still + 1 if self._underway <= 0 else 0

    def go(self, path):
        self._underway = 0
        self.page.goto(f"{self.home}{path}")
        self.settle()
        return self.page

    def map(self, path="/et/"):
        """Goes to a map and waits until it is whole."""
        self.page.goto("about:blank")  # Another hash alone would not load the page again.
        self.go(path)
        self.ready()
        return self.page

    def ready(self):
        self.until("document.documentElement.dataset.map || ''", "ready")
        self.settle()

    @property
    def middle(self):
        box = self.page.locator(".folium-map").bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def press_middle(self):
        self.page.mouse.click(*self.middle)
        self.settle()

    def panel(self):
        """The heading of what is open beside the map; "" when the legend is."""
        self.settle()
        return self.page.evaluate(
            """document.getElementById('detail').hidden ? ''
            : document.querySelector('#detail h1').textContent.trim()"""
        )

    def view(self):
        return self.page.evaluate("location.hash.match(/at=([^&]*)/)?.[1] || ''")

    def told(self):
        return self.page.evaluate("document.getElementById('told').textContent")


@pytest.fixture
def visit(browser, home):
    """Opens visitors: `visit(size=…, motion=…, home=…)`; none may meet trouble that was not forgiven."""
    opened = []

    def visit(*, size="desktop", home=home, **context):
        width, height = SIZES[size]
        context |= {"viewport": {"width": width, "height": height}}
        opened.append(Visit(browser, home, **context))
        return opened[-1]

    yield visit
    trouble = [line for one in opened for line in one.trouble]
    for one in opened:
        one.context.close()
    assert trouble == []
