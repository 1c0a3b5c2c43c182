"""The pages of OGC API – Features in a browser: what a page lists stands on its map, each with its way on."""

import pytest

from tests.browser.test_pages import faults

pytestmark = [pytest.mark.browser, pytest.mark.slow]
DRAWN = "chart.layers.plan.drawn.getLayers().length"
KEEP = "document.addEventListener('turvakaart:ready', ({ detail }) => (window.chart = detail))"
FIRST = "chart.layers.plan.drawn.getLayers()[0].openPopup()"


def items(client, path):
    return client.get(f"/ogc/collections/{path}").get_json(force=True)["features"]


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_what_a_page_lists_stands_on_its_map_and_leads_to_its_own(visit, estonian_app, size):
    listed = items(estonian_app.test_client(use_cookies=False), "rescue/items?limit=30&lang=en")
    placed = [one for one in listed if one["geometry"]]
    assert 0 < len(placed) < len(listed)
    visitor = visit(size=size, bypass_csp=True)
    visitor.context.add_init_script(KEEP)

    page = visitor.map("/ogc/collections/rescue/items?f=html&limit=30&lang=en")
    visitor.until(f"window.chart ? {DRAWN} : 0", len(placed))
    caption = page.locator("figcaption").inner_text()
    found = faults(page)
    page.evaluate(f"void {FIRST}")
    page.locator(".leaflet-popup a[href*='/en/bodies/']").click()
    page.wait_for_url("**/en/bodies/**")

    assert f"of {len(listed) - len(placed)} no place is known" in caption
    assert found == []


def test_one_area_is_drawn_whole_and_what_has_no_place_without_a_map(visit, estonian_app):
    client = estonian_app.test_client(use_cookies=False)
    bare = next(one["id"] for one in items(client, "rescue/items?limit=100") if not one["geometry"])
    visitor = visit()
    visitor.context.add_init_script(KEEP)

    visitor.map(
        "/ogc/collections/counties/items/county:0037?f=html&lang=et&crs=http://www.opengis.net/def/crs/EPSG/0/3301"
    )
    visitor.until(f"window.chart ? {DRAWN} : 0", 1)
    page = visitor.go(f"/ogc/collections/rescue/items/{bare}?f=html&lang=et")

    assert page.locator("dl.facts").count() == 1
    assert page.locator("figure.plan").count() == 0
