"""A case edited in a browser: the point by a click, the measure, without scripts, nothing for axe."""

import secrets
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe

from layers.accounts import sessions
from tests.browser.conftest import served
from tests.webmap import site
from tests.webmap.desk import Door
from tests.webmap.test_case_editing import FIRST, PAGE, a_folder

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    root = tmp_path_factory.mktemp("cases")
    with site.a_site(a_folder(root / "tiny"), root / "state") as app:
        door = Door(app)
        door.steward = door.account(password="")
        with served(app) as door.home:
            yield door


@pytest.fixture
def enter(visit, door):
    """Opens a browser in which a steward has signed in."""

    def entered(**about):
        visitor, token = visit(home=door.home, **about), sessions.token(secrets.token_bytes(32))
        with door.writing() as session:
            life = door.app.extensions["signin"].life
            now = door.clock() + timedelta(seconds=1)
            sessions.begin(
                session, door.steward.id, token=token, way="password", device="", life=life, now=now
            )
        visitor.context.add_cookies([{"name": "session", "value": token, "url": door.home}])
        return visitor

    return entered


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_the_journey_from_the_page_of_a_case_and_back_and_nothing_for_axe(enter, size):
    visitor, found = enter(size=size), {}
    visitor.forgive("status of 422")
    page = visitor.page

    def ask(name):
        found[name] = [one["id"] for one in Axe().run(page).response["violations"]]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name

    visitor.go(PAGE)
    page.click(f"a[href='{FIRST}']")
    visitor.ready()
    ask("form")
    page.fill("#title-en", f"Told on a {size}")
    page.select_option("#outcome", "mixed")
    page.locator("input[name=bodies]").last.fill("nobody")
    page.fill("#note", "Seen there")
    page.click("button[value=look]")
    ask("wrong")
    page.click(".notice a[href='#bodies']")
    page.fill("input[name=bodies][aria-invalid]", "")
    page.click("button[value=look]")
    ask("review")
    page.click("button[value=save]")
    ask("history")
    assert f"Told on a {size}" in page.text_content("#history")
    page.click("a:text('As everybody sees it')")
    assert page.text_content("h1").strip() == f"Told on a {size}"
    visitor.go("/en/edit/case/new")
    ask("new")

    assert not any(found.values()), found


def test_a_click_sets_the_point_and_the_measure_follows_what_is_written(enter):
    visitor = enter()
    page = visitor.go(FIRST)
    visitor.ready()
    before = page.input_value("#lat"), page.text_content("#quality .score")
    page.locator("#editing-map .canvas").click(position={"x": 200, "y": 100})
    assert page.input_value("#lat") != before[0]

    for part in ("context", "done", "roles", "results", "contact", "lasting", "carry", "evidence"):
        field = page.locator(f"#part-{part}-et")
        field.evaluate("(field) => { field.closest('details').open = true; }")
        field.fill("In 2019 the village had twenty thefts from yards, and everybody knew of them. " * 3)

    visitor.until(f"document.querySelector('#quality .score').textContent !== {before[1]!r}")
    assert page.evaluate("localStorage.getItem('turvakaart:case')") is None


def test_everything_works_without_scripts(enter, door):
    page = enter(java_script_enabled=False).page
    page.goto(f"{door.home}{FIRST}")
    page.fill("#title-en", "Without scripts")
    page.fill("#note", "Seen there")
    page.click("button[value=more]")
    assert page.input_value("#title-en") == "Without scripts"
    page.click("button[value=look]")
    page.click("button[value=save]")
    assert "Without scripts" in page.text_content("#history")

    page.click("#history .undo summary >> nth=0")
    page.fill("#history .undo input[name=note] >> nth=0", "Taken back")
    page.click("#history .undo button >> nth=0")

    assert page.input_value("#title-en") != "Without scripts"
