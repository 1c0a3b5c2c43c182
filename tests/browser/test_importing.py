"""Importing in a browser: step by step at both widths, with nothing for axe to find, and without scripts."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests import make
from tests.browser.conftest import served
from tests.browser.test_signin import fits, sign_in
from tests.webmap import site
from tests.webmap.desk import Door
from tests.webmap.test_importing import ABOUT, MESSY

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    root = tmp_path_factory.mktemp("importing")
    with site.a_site(make.an_instance(root / "tiny"), root / "state") as app:
        door = Door(app)
        door.account()
        with served(app) as door.home:
            yield door


def begin(visitor, dataset, text=MESSY, address=""):
    """From the way in to what follows: a file that is not sent yet, or an address."""
    page = visitor.page
    page.goto(f"{visitor.home}/en/import")
    sign_in(page, "the-steward")
    page.wait_for_selector("#file")
    if address:
        page.fill("#address", address)
    else:
        page.set_input_files("#file", {"name": "list.csv", "mimeType": "text/csv", "buffer": text.encode()})
    page.select_option("#layer", ABOUT["layer"])
    for name in ("source", "licence", "as_of"):
        page.fill(f"#{name}", ABOUT[name])
    page.fill("#dataset", dataset)


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_axe_finds_nothing_on_the_way_from_a_file_to_an_edition(visit, door, size):
    visitor = visit(size=size, home=door.home)
    visitor.forgive("status of 422")
    page, found = visitor.page, {}

    def look(name):
        visitor.settle()
        said = Axe().run(page).response["violations"]
        found[name] = [(one["id"], node["html"]) for one in said for node in one["nodes"]]
        assert fits(page), name

    begin(visitor, f"list-{size}")
    look("send")
    page.click("text=Send and look at it")
    page.wait_for_selector(".mapping")
    look("columns")
    page.select_option("[name='same.precision']", "settlement")
    page.click("text=Examine every row")
    page.wait_for_selector("#write")
    visitor.ready()
    look("findings")
    page.click("text=Write this plan")
    page.wait_for_selector("#problem")
    look("refused")
    page.check("[name=leave_out]")
    page.click("text=Write this plan")
    page.wait_for_selector("text=is on the map")
    look("edition")
    page.click("text=Undo this edition")
    look("undo")
    page.click("text=Undo it")
    page.wait_for_selector("text=is on the map")
    visitor.go("/en/editions")
    look("editions")

    assert len(found) == 7
    assert {name: said for name, said in found.items() if said} == {}


def test_all_of_it_works_without_scripts(visit, door):
    visitor = visit(home=door.home, java_script_enabled=False)
    page = visitor.page
    begin(visitor, "without-scripts")
    page.click("text=Send and look at it")
    page.select_option("[name='same.precision']", "settlement")
    page.click("text=Examine every row")
    page.check("[name=leave_out]")
    page.click("text=Write this plan")

    assert page.locator("[role=status]").first.text_content().startswith("Written")
