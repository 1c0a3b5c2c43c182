"""Drawing an area: parts, holes, corners on a neighbour's border, undo; by mouse, finger and keyboard."""

import json

import pytest
import shapely
from axe_playwright_python.sync_playwright import Axe
from shapely.geometry import shape

from tests.browser.test_editing import COUNTY, door, enter, save  # noqa: F401 (a fixture)

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CANVAS = "#editing-map .canvas"


def opened(visit, door, **how):  # noqa: F811
    visitor = enter(visit(home=door.home, **how), door)
    page = visitor.go(COUNTY)
    visitor.ready()
    page.locator(CANVAS).scroll_into_view_if_needed()
    return visitor, page


def drawn(page):
    """The shape that the field of the form holds."""
    text = page.input_value("#shape")
    return shape(json.loads(text)) if text else None


def at(page, x, y):
    """A point of the canvas on the screen."""
    box = page.locator(CANVAS).bounding_box()
    return box["x"] + x, box["y"] + y


def line(page, *points, press="click"):
    """Clicks, or taps, corner after corner, and the first once more."""
    for x, y in (*points, points[0]):
        getattr(page.mouse if press == "click" else page.touchscreen, press)(*at(page, x, y))
        page.wait_for_timeout(60)


def drag(page, start, end):
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    page.mouse.move(*at(page, *end), steps=6)
    page.mouse.up()
    page.wait_for_timeout(60)


SQUARE = ((200, 60), (420, 60), (420, 300), (200, 300))
HOLE = ((260, 120), (340, 120), (340, 220), (260, 220))
PART = ((480, 100), (560, 100), (560, 200), (480, 200))


def test_parts_and_holes_are_drawn_undone_drawn_again_and_written(visit, door):  # noqa: F811
    visitor, page = opened(visit, door)
    page.click("[data-do=draw]")
    line(page, *SQUARE)
    one = drawn(page)
    assert [len(part.exterior.coords) for part in one.geoms] == [5]

    page.click("[data-do=hole]")
    line(page, *HOLE)
    page.click("[data-do=part]")
    line(page, *PART)
    two = drawn(page)
    assert [len(part.interiors) for part in two.geoms] == [1, 0]
    assert page.text_content(".corners") == "Corners: 12. Parts: 2. Holes: 1."
    assert two.is_valid
    hole = shapely.Polygon(two.geoms[0].interiors[0])
    assert one.equals_exact(shapely.MultiPolygon([two.geoms[0].union(hole)]).normalize(), 1e-6) or (
        abs(one.area - two.geoms[0].area - hole.area) < 1e-9
    )

    page.click("[data-do=undo]")
    page.click("[data-do=undo]")
    assert drawn(page).equals(one)
    page.click("[data-do=redo]")
    page.click("[data-do=redo]")
    assert drawn(page).equals(two)
    # A hole and a part are taken away by a click into them.
    page.click("[data-do=take]")
    page.mouse.click(*at(page, 300, 170))
    page.click("[data-do=take]")
    page.mouse.click(*at(page, 520, 150))
    assert drawn(page).symmetric_difference(one).area < 1e-9
    page.click("[data-do=undo]")
    page.click("[data-do=undo]")

    save(page)

    assert page.url.endswith("#history")
    assert "km²" in page.text_content("#history")
    visitor.settle()
    page.click("[data-do=load]")
    visitor.until("!!document.querySelector('#shape').value")
    kept = drawn(page)
    assert [len(part.interiors) for part in kept.geoms] == [1, 0]
    assert kept.symmetric_difference(two).area < 1e-5 * two.area


def test_corners_are_dragged_added_removed_and_set_on_a_neighbours_border(visit, door):  # noqa: F811
    visitor, page = opened(visit, door)
    page.click("[data-do=draw]")
    visitor.settle()
    line(page, *SQUARE)
    square = drawn(page)

    drag(page, SQUARE[0], (170, 40))
    moved = drawn(page)
    assert moved.area > square.area
    drag(page, (420, 180), (450, 180))  # A pale one between two corners becomes one.
    assert shapely.get_num_coordinates(drawn(page)) == 6
    page.mouse.dblclick(*at(page, 450, 180))
    assert drawn(page).equals(moved)

    # The county beside begins at 25° E: a corner that comes near lies on that border exactly.
    west, _, east, _ = moved.bounds
    scale = (420 - 170) / (east - west)
    border = 420 + (25 - east) * scale
    assert 0 < border < page.locator(CANVAS).bounding_box()["width"]
    drag(page, SQUARE[2], (border - 5, 300))
    assert drawn(page).bounds[2] == 25.0


def test_a_keyboard_moves_removes_and_adds_corners_and_undoes_it(visit, door):  # noqa: F811
    _, page = opened(visit, door)
    page.click("[data-do=draw]")
    line(page, *SQUARE)
    square = drawn(page)
    page.locator("[role=button][aria-label=Corner]").first.focus()

    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    moved = drawn(page)
    assert moved.area < square.area
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Corner"

    page.keyboard.press("Delete")
    assert shapely.get_num_coordinates(drawn(page)) == 4
    page.locator("[role=button][aria-label='Make a corner here']").first.focus()
    page.keyboard.press("Enter")
    assert shapely.get_num_coordinates(drawn(page)) == 5
    for _ in range(4):
        page.keyboard.press("Control+z")
    assert drawn(page).equals(square)


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_finger_draws_and_drags_and_axe_finds_nothing(visit, door, size):  # noqa: F811
    _, page = opened(visit, door, size=size, has_touch=True, is_mobile=size == "phone")
    page.tap("[data-do=draw]")
    page.locator(CANVAS).scroll_into_view_if_needed()
    line(page, (60, 60), (220, 60), (220, 200), (60, 200), press="tap")
    assert shapely.get_num_coordinates(drawn(page)) == 5

    found = Axe().run(page).response["violations"]

    assert [one["id"] for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    sizes = page.eval_on_selector_all(
        ".marker-icon", "icons => icons.map((one) => one.getBoundingClientRect().width)"
    )
    assert min(sizes) >= (22 if size == "phone" else 14)


def test_a_line_that_is_not_closed_can_be_closed_taken_back_and_left(visit, door):  # noqa: F811
    _, page = opened(visit, door)
    page.click("[data-do=draw]")
    for x, y in SQUARE[:2]:
        page.mouse.click(*at(page, x, y))
    page.click("[data-do=finish]")
    assert page.text_content(".corners") == "A line needs three corners before it can be closed."
    for x, y in (SQUARE[2], (100, 300)):
        page.mouse.click(*at(page, x, y))
    page.click("[data-do=back]")
    page.click("[data-do=finish]")
    assert shapely.get_num_coordinates(drawn(page)) == 4

    page.click("[data-do=clear]")
    assert (page.input_value("#shape"), page.text_content(".corners")) == ("", "")
    page.click("[data-do=undo]")
    assert drawn(page) is not None
