"""A long import in a browser: how far it is, at both widths, with scripts and without, and an address."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests import make
from tests.browser.conftest import served
from tests.browser.test_importing import begin
from tests.browser.test_signin import fits
from tests.layers.readers.services import Service
from tests.webmap import site
from tests.webmap.desk import Door
from webmap import underway
from webmap.importing import patience

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ROWS = 4000
LONG = "name,form,lat,lon,county,precision\n" + "".join(
    f"Watch {number},association,58.{number:05d},24.2{number % 10},01,settlement\n" for number in range(ROWS)
)


@pytest.fixture(scope="module")
def service():
    listed = b'{"collections": [{"id": "watches", "title": "Watches"}, {"id": "other", "title": "Other"}]}'
    with Service({"/api/collections": listed}) as running:
        yield running


@pytest.fixture(scope="module")
def door(tmp_path_factory, service):
    root = tmp_path_factory.mktemp("underway")
    own = {"fetch_hosts": (service.host,), "limits": "no"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patience, "_PATIENCE_S", 0.0)
        patch.setattr(underway, "is_small", lambda size, name: False)
        with site.a_site(make.an_instance(root / "tiny"), root / "state", **own) as app:
            door = Door(app)
            door.account()
            with served(app) as door.home:
                yield door


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_axe_finds_nothing_while_a_file_is_read_examined_and_written(visit, door, size):
    visitor = visit(size=size, home=door.home)
    page, found = visitor.page, {}

    def look(name):
        said = Axe().run(page).response["violations"]
        found[name] = [(one["id"], node["html"]) for one in said for node in one["nodes"]]
        assert fits(page), name

    begin(visitor, f"long-{size}", LONG)
    look("send")
    page.click("text=Send and look at it")
    page.wait_for_selector(".mapping, #underway")
    page.wait_for_selector(".mapping")
    page.click("text=Examine every row")
    page.wait_for_selector("#underway")
    look("examining")
    visitor.until("document.getElementById('told')?.textContent.startsWith('Examining') ?? true")
    page.wait_for_selector("#write")
    page.click("text=Write this plan")
    page.wait_for_selector("#underway")
    look("writing")
    page.wait_for_selector("text=is on the map")

    assert {name: said for name, said in found.items() if said} == {}
    assert len(found) == 3


def test_a_long_import_works_without_scripts(visit, door):
    visitor = visit(home=door.home, java_script_enabled=False)
    page = visitor.page
    begin(visitor, "without-scripts", LONG)
    page.click("text=Send and look at it")
    page.wait_for_selector(".mapping")
    page.click("text=Examine every row")
    page.wait_for_selector("#write")
    page.click("text=Write this plan")
    page.wait_for_selector("text=is on the map")

    assert page.locator("[role=status]").first.text_content().startswith("Written")


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_of_several_layers_at_an_address_one_is_chosen_or_it_is_thrown_away(visit, door, service, size):
    visitor = visit(size=size, home=door.home)
    visitor.forgive("status of 422")
    page = visitor.page
    begin(visitor, f"there-{size}", address=f"{service.url}/api/collections")
    page.click("text=Send and look at it")
    page.wait_for_selector("#part option[value=other]", state="attached")
    visitor.settle()
    violations = [(one["id"], one["nodes"]) for one in Axe().run(page).response["violations"]]

    assert (violations, fits(page)) == ([], True)
    page.select_option("#part", "other")
    page.click("text=Fetch this layer")
    page.wait_for_selector("text=There is nothing at the address")
    page.click("text=Throw the file away")
    page.wait_for_selector("#file")
    assert "api/collections" not in page.locator("main").text_content()
