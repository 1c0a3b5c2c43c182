"""The map of the network: a line says which case it is, a dot whom it stands for."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# The page's map and its drawn layer, as its own scripts are told of them.
KEEP = """document.addEventListener('turvakaart:ready', ({ detail }) => { window.chart = detail.map; });
document.addEventListener('turvakaart:plan-drawn', ({ detail }) => { window.drawn = detail.layer; });"""
# The middle of the longest line, and the end of one, in pixels of the map.
SPOTS = """(() => {
  const lines = drawn.getLayers().filter((one) => one.getLatLngs)
    .map((one) => one.getLatLngs().map((at) => chart.latLngToContainerPoint(at)));
  const [a, b] = lines.sort((x, y) => y[0].distanceTo(y[1]) - x[0].distanceTo(x[1]))[0];
  return [[(a.x + b.x) / 2, (a.y + b.y) / 2], [b.x, b.y]];
})()"""


def test_a_click_on_a_line_tells_the_case_and_one_on_a_dot_the_organisation(visit):
    visitor = visit()
    visitor.context.add_init_script(KEEP)
    page = visitor.map("/en/network")
    box = page.locator(".folium-map").bounding_box()
    said = []
    for x, y in page.evaluate(SPOTS):
        page.mouse.click(box["x"] + x, box["y"] + y)
        visitor.until("document.querySelectorAll('.leaflet-popup-content a').length > 0")
        said.append(page.locator(".leaflet-popup-content a").last.get_attribute("href"))
        page.keyboard.press("Escape")
        visitor.until("document.querySelectorAll('.leaflet-popup-content').length", 0)

    assert [address.split("/")[2] for address in said] == ["cases", "bodies"]
