"""Signing in, in a browser: without scripts, on both screens, with nothing for axe to find."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests import make
from tests.browser.conftest import served
from tests.webmap import site
from tests.webmap.desk import SECRET, Door

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """A tiny country with one admin and one steward. Each test has accounts of its own names."""
    root = tmp_path_factory.mktemp("signin")
    with site.a_site(make.an_instance(root / "tiny"), root / "state") as app:
        door = Door(app)
        door.account("admin")
        with served(app) as door.home:
            yield door


def sign_in(page, name="the-admin", password=SECRET):
    page.fill("#name", name)
    page.fill("#password", password)
    page.click("main button[type=submit]")


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_axe_finds_nothing_on_the_pages_of_accounts(visit, door, size):
    visitor = visit(size=size, home=door.home)
    visitor.forgive("status of 422")
    page, found = visitor.go("/en/account"), {}

    def look(name):
        visitor.settle()
        said = Axe().run(page).response["violations"] if size == "phone" or name == "all" else []
        found[name] = [(one["id"], node["html"]) for one in said for node in one["nodes"]]
        assert fits(page), name

    sign_in(page, password="another one of these")
    look("refused")
    sign_in(page)
    look("home")
    visitor.go("/en/account/password")
    look("password")
    visitor.go("/en/account/all")
    page.fill("#label", "Lake county")
    page.fill("#name", f"lake-{size}")
    page.click("main button[type=submit]")
    look("invited")
    link = page.input_value("#link")
    visitor.go("/en/account/all")
    look("all")
    page.click("text=Lake county >> nth=0")
    look("one")
    visitor.go("/en/account/record")
    look("record")
    visitor.go("/en/account")
    page.click("text=Sign out >> nth=0")
    page.goto(link)
    look("invitation")

    assert len(found) == 8
    assert {name: said for name, said in found.items() if said} == {}


def test_all_of_it_works_by_keyboard_and_without_scripts(visit, door):
    visitor = visit(home=door.home, java_script_enabled=False)
    page = visitor.page
    page.goto(f"{door.home}/en/account")
    page.focus("#name")
    page.keyboard.type("the-admin")
    page.keyboard.press("Tab")
    page.keyboard.type(SECRET)
    with page.expect_navigation(url="**/en/account"):  # The form's address ends so too.
        page.keyboard.press("Enter")

    assert page.text_content("h1") == "My account"
    assert [one["name"] for one in visitor.context.cookies()].count("session") == 1
    page.focus("text=Sign out >> nth=0")
    page.keyboard.press("Enter")
    page.wait_for_url("**/en/account/sign-in")
    page.goto(f"{door.home}/en/account")
    assert page.url.endswith("/en/account/sign-in?next=/en/account")


def test_nothing_of_an_account_is_kept_on_the_device(visit, door):
    """The worker that keeps pages for use without a network leaves these alone."""
    visitor = visit(home=door.home, service_workers="allow")
    page = visitor.go("/en/")
    visitor.until("navigator.serviceWorker.ready.then(() => true)")
    visitor.go("/en/account")
    sign_in(page)
    visitor.go("/en/account/all")
    visitor.go("/en/data")
    asked = """async () => { const found = []; for (const name of await caches.keys())
      for (const one of await (await caches.open(name)).keys()) found.push(new URL(one.url).pathname);
      return found; }"""
    visitor.until(f"({asked})().then((found) => found.includes('/en/data'))")
    kept = page.evaluate(f"({asked})()")

    assert [one for one in kept if "/account" in one] == []
