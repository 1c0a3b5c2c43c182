"""Big layers as a visitor sees them: numbers far away, borders closer by, and frames without tiles."""

import pytest
from shapely import box

from layers import tiles
from tests import make
from tests.browser.conftest import served
from tests.layers.test_tiles import squares, with_watch_areas
from tests.webmap import site
from tests.webmap.test_tiles import LEAST, build

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not tiles.tippecanoe(), reason="tippecanoe is not installed"),
]
NUMBERS = "[...document.querySelectorAll('.tally')].map((one) => one.textContent)"
# How many pixels of a colour like the layer's are on the canvases of the tiles and of what lies over them.
PAINTED = """() => [...document.querySelectorAll('.leaflet-areas-pane canvas')].reduce((sum, canvas) => {
  if (!canvas.width) return sum;
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 60 && data[i] > data[i + 1] + 40) sum += 1;
  return sum;
}, 0) > 300"""


@pytest.fixture
def folder(tmp_path):
    """A country with 60 watch areas and a lone one that has ended, built with a low threshold."""
    about = {"kind": "watch_area", "code": "lone", "accuracy": "approximate", "valid_to": "2015"}
    features = squares(more=[(about, box(24.1, 58.1, 24.11, 58.11))])
    made = with_watch_areas(make.an_instance(tmp_path / "tiny"), features)
    build(made, tmp_path / "state")
    return made


@pytest.fixture
def home(folder, tmp_path):
    with site.a_site(folder, tmp_path / "state", tiles_from=LEAST) as app, served(app) as address:
        yield address


def test_far_away_there_are_numbers_and_closer_by_borders(visit, home):
    visitor = visit(home=home)
    visitor.map("/et/#at=7/58.4/24.5&show=watch_areas")

    assert visitor.until(NUMBERS, ["59"]) == ["59"]
    assert [url for url in visitor.asked if ".mvt" in url or "protomaps" in url] == []

    visitor.map("/et/#at=10/58.4/24.5&show=watch_areas")

    assert visitor.until(PAINTED, True)
    assert visitor.page.evaluate(NUMBERS) == []
    assert len([url for url in visitor.asked if ".mvt" in url]) > 0


def test_an_area_of_tiles_answers_a_click(visit, home):
    visitor = visit(home=home)
    visitor.map("/et/#at=12/58.315/24.315&show=watch_areas")

    visitor.press_middle()

    assert "Ala 0" in visitor.page.locator("#detail").inner_text()


def test_an_area_that_has_ended_is_not_drawn(visit, home):
    visitor = visit(home=home)
    visitor.map("/et/#at=14/58.105/24.105&show=watch_areas")
    visitor.page.wait_for_timeout(1500)
    assert len([url for url in visitor.asked if ".mvt" in url]) > 0
    assert not visitor.page.evaluate(PAINTED)

    visitor.map("/et/?as_of=2014#at=14/58.105/24.105&show=watch_areas")
    assert visitor.until(PAINTED, True)


def test_without_an_archive_the_frame_is_drawn(visit, home, tmp_path):
    for file in (tmp_path / "state" / "tiles" / "tiny").glob("*.pmtiles"):
        file.unlink()
    visitor = visit(home=home)
    visitor.map("/et/#at=11/58.4/24.5&show=watch_areas")

    assert visitor.until(PAINTED, True)
    assert [url for url in visitor.asked if ".mvt" in url] == []
    assert len([url for url in visitor.asked if "bbox=" in url]) == 1


def test_tiles_that_cannot_be_had_are_told_quietly(visit, home):
    visitor = visit(home=home)
    visitor.forgive("Failed to load resource")
    visitor.context.route("**/*.mvt", lambda route: route.fulfill(status=503))
    visitor.map("/en/#at=11/58.4/24.5&show=watch_areas")

    assert "could not be loaded" in visitor.told()


def test_what_changed_since_the_build_is_drawn_and_what_is_gone_is_not(visit, folder, tmp_path):
    new = ({"kind": "watch_area", "code": "new", "accuracy": "approximate"}, box(24.1, 58.1, 24.11, 58.11))
    with_watch_areas(folder, [*squares(skip=[59]), new])
    with site.a_site(folder, tmp_path / "state", tiles_from=LEAST) as app, served(app) as address:
        visitor = visit(home=address)
        visitor.map("/et/#at=14/58.105/24.105&show=watch_areas")

        assert visitor.until(PAINTED, True)
        assert [url for url in visitor.asked if "since=" in url] != []


def test_what_is_gone_since_the_build_is_hidden(visit, folder, tmp_path):
    with_watch_areas(folder, squares())  # Without the lone one, which was there in 2014.
    with site.a_site(folder, tmp_path / "state", tiles_from=LEAST) as app, served(app) as address:
        visitor = visit(home=address)
        visitor.map("/et/?as_of=2014#at=14/58.105/24.105&show=watch_areas")
        visitor.page.wait_for_timeout(1500)

        assert [url for url in visitor.asked if ".mvt" in url] != []
        assert not visitor.page.evaluate(PAINTED)
