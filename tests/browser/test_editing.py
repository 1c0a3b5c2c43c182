"""Editing, in a browser: a point by a click, a shape by its corners, without scripts, and nothing for axe."""

import secrets
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe

from layers.accounts import sessions
from tests import make
from tests.browser.conftest import served
from tests.webmap import site
from tests.webmap.desk import Door

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WEST = "/en/edit/body/west-station"
COUNTY = "/en/edit/area/county/01"


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    root = tmp_path_factory.mktemp("editing")
    with site.a_site(make.an_instance(root / "tiny"), root / "state") as app:
        door = Door(app)
        door.people = {role: door.account(role, password="") for role in ("steward", "partner")}
        with served(app) as door.home:
            yield door


def enter(visitor, door, role="steward"):
    """Signs a browser in."""
    token = sessions.token(secrets.token_bytes(32))
    with door.writing() as session:
        life = door.app.extensions["signin"].life
        about = {"way": "password", "device": "", "life": life, "now": door.clock() + timedelta(seconds=1)}
        sessions.begin(session, door.people[role].id, token=token, **about)
    visitor.context.add_cookies([{"name": "session", "value": token, "url": door.home}])
    return visitor


def save(page, note="Seen there"):
    page.fill("#note", note)
    page.click("button[value=look]")
    page.click("button[value=save]")


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_axe_finds_nothing_on_the_pages_of_editing(visit, door, size):
    visitor = enter(visit(size=size, home=door.home), door)
    visitor.forgive("status of 422")
    page, found = visitor.page, {}

    def ask(name):
        found[name] = [one["id"] for one in Axe().run(page).response["violations"]]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name

    for path in (
        "/en/edit",
        "/en/edit?q=west",
        "/en/edit/proposals",
        COUNTY,
        "/en/edit/body/new?layer=police",
        WEST,
    ):
        visitor.go(path)
        ask(path)
    page.fill("#lat", "far")
    page.click("button[value=look]")
    ask("wrong")
    page.fill("#lat", "58.26")
    page.fill("#name_en", f"West {size}")
    page.fill("#note", "Seen")
    page.click("button[value=look]")
    ask("review")
    page.click("button[value=save]")
    ask("history")

    assert not any(found.values()), found


def test_a_click_on_the_map_sets_the_point(visit, door):
    visitor = enter(visit(home=door.home), door)
    page = visitor.go(WEST)
    visitor.ready()
    before = page.input_value("#lat"), page.input_value("#lon")
    page.locator("#editing-map .canvas").click(position={"x": 200, "y": 100})
    after = page.input_value("#lat"), page.input_value("#lon")
    assert before != after

    save(page)

    visitor.settle()
    assert [float(page.input_value(name)) for name in ("#lat", "#lon")] == [float(one) for one in after]


def test_everything_works_without_scripts(visit, door):
    visitor = enter(visit(home=door.home, java_script_enabled=False), door)
    page = visitor.page
    page.goto(f"{door.home}{WEST}")
    page.fill("#name_en", "Without scripts")

    save(page)
    assert "Without scripts" in page.text_content("#history")
    page.click("#history .undo summary >> nth=0")
    page.fill("#history .undo input[name=note] >> nth=0", "Taken back")
    page.click("#history .undo button >> nth=0")

    assert page.input_value("#name_en") != "Without scripts"
