"""The view handed on in a browser: one sheet of paper, a picture, links, and the map in a frame."""

import base64
import re
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import numpy
import pytest

from tests.browser.conftest import PATIENCE_S, SIZES, awaited, served
from tests.browser.test_pages import faults
from tests.webmap import site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAPERS = {"landscape": (297, 210), "portrait": (210, 297)}
EVERYTHING = (
    "show=police,villages,watch,rescue,cases,counties,prefectures,municipalities"
    "&as_of=2026-11-22&known=2026-11-22T14:05:09Z"
)
SEA = (219, 230, 236)
INLAND = "at=10/58.75/25.6"
BLUE = (0, 114, 178)
NOT_FRAMED = "frame-ancestors"
_READ = """async (data) => {
  const image = new Image();
  image.src = `data:image/png;base64,${data}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  const pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0);
  const read = pen.getImageData(0, 0, image.width, image.height).data;
  let text = "";
  for (let i = 0; i < read.length; i += 30000) text += String.fromCharCode(...read.subarray(i, i + 30000));
  return [image.width, image.height, btoa(text)];
}"""


def on_paper(visitor, path):
    """Goes to a sheet and waits until it may be printed."""
    visitor.go(path)
    visitor.until("document.documentElement.dataset.map || ''", "ready")
    return visitor.page


def pixels(browser, data):
    """A picture as an array of rows × columns × (red, green, blue); the browser reads the file."""
    page = browser.new_page()
    try:
        width, height, read = page.evaluate(_READ, base64.b64encode(data).decode())
    finally:
        page.close()
    return numpy.frombuffer(base64.b64decode(read), numpy.uint8).reshape(height, width, 4)[:, :, :3]


def colours(part):
    return {tuple(map(int, colour)) for colour in numpy.unique(part.reshape(-1, 3), axis=0)}


# --- Paper


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("asked", ["", EVERYTHING, "show="])
def test_a_sheet_is_one_page_of_its_size(visit, paper, asked):
    page = on_paper(visit(), f"/et/print?paper={paper}&{asked}")
    printed = page.pdf(prefer_css_page_size=True)
    boxes = re.findall(rb"/MediaBox ?\[ ?0 0 ([\d.]+) ([\d.]+)", printed)

    assert len(re.findall(rb"/Type ?/Page\b", printed)) == 1
    assert [round(float(points) / 72 * 25.4) for points in boxes[0]] == [*PAPERS[paper]]
    assert len(printed) > 50_000


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("language", ["et", "en"])
def test_nothing_on_a_full_sheet_is_cut_off_or_lies_on_something_else(visit, paper, language):
    visitor = visit()
    page = on_paper(visitor, f"/{language}/print?paper={paper}&at=9.5/58.6123/25.4567&{EVERYTHING}")
    page.emulate_media(media="print")
    boxes = page.evaluate(
        """['.paper', '.paper-head', '.paper-map', '.paper-legend', '.paper-notes', '.paper-link .qr',
        '.paper-link div', '.paper-foot'].map((name) => {
          const { left, top, right, bottom } = document.querySelector(name).getBoundingClientRect();
          return [name, left, top, right, bottom];
        })"""
    )
    sheet, *parts = boxes
    apart = [
        (a[0], b[0])
        for i, a in enumerate(parts)
        for b in parts[i + 1 :]
        if min(a[3], b[3]) - max(a[1], b[1]) > 8 and min(a[4], b[4]) - max(a[2], b[2]) > 8
    ]

    # The quiet edge of the code may touch its neighbours, hence the eight points.
    assert apart == []
    assert [part[0] for part in parts if part[4] > sheet[4] - 15 or part[3] > sheet[3] - 30] == []


@pytest.mark.parametrize("paper", PAPERS)
def test_the_map_on_paper_is_drawn_to_its_edges(visit, browser, paper):
    visitor = visit()
    page = on_paper(visitor, f"/et/print?paper={paper}&{INLAND}&show=police")
    page.emulate_media(media="print")
    width, height = (round(mm / 25.4 * 96) for mm in PAPERS[paper])
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate(
        "document.querySelectorAll('.paper-map .north, .leaflet-control').forEach((x) => x.remove())"
    )
    drawn = pixels(browser, page.locator(".paper-map").screenshot())
    sizes = page.evaluate(
        """() => { const box = document.querySelector('.paper-map').getBoundingClientRect();
        return [box.width * 25.4 / 96, box.height * 25.4 / 96].map(Math.round); }"""
    )

    # All is land here: the sea's colour, which is that of the empty box, would be a hole.
    for edge in (drawn[4], drawn[-5], drawn[:, 4], drawn[:, -5]):
        assert SEA not in colours(edge[4:-4])
    assert len(colours(drawn)) > 20
    assert sizes == {"landscape": [203, 160], "portrait": [190, 158]}[paper]


def test_printing_is_offered_once_all_is_drawn_and_begins_when_pressed(visit):
    visitor = visit()
    visitor.context.add_init_script("window.printed = 0; window.print = () => { window.printed += 1; }")
    page = on_paper(visitor, "/en/print")
    before = page.evaluate("window.printed")

    page.get_by_role("button", name="Print").click()

    assert (before, page.evaluate("window.printed")) == (0, 1)
    assert visitor.told() == "The map is ready for paper."
    assert "1 : " in page.locator(".leaflet-control-scale").inner_text()


def test_a_map_that_is_not_whole_is_not_offered_for_print(visit):
    visitor = visit()
    visitor.forgive("Failed to load resource")
    visitor.context.route("**/api/layers/rescue.geojson*", lambda route: route.abort())
    visitor.go("/en/print")
    visitor.until("document.documentElement.dataset.map || ''", "failed")

    assert visitor.told() == "This could not be loaded. Check the connection and try again."
    assert not visitor.page.locator("[data-print]").is_visible()


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_paper_shows_what_the_screen_shows(visit, size):
    visitor = visit(size=size)
    page = visitor.map("/et/?as_of=2026-11-01#at=10/58.8/25.5&show=watch,rescue")
    seen = page.evaluate("document.querySelector('.folium-map').getBoundingClientRect().width")
    link = page.locator("[data-paper]").get_attribute("href")
    asked = {name: value for name, [value] in parse_qs(urlsplit(link).query).items()}
    zoom, lat, lon = map(float, asked["at"].split("/"))

    assert urlsplit(link).path == "/et/print"
    assert (asked["show"], asked["as_of"]) == ("watch,rescue", "2026-11-01")
    assert (round(lat, 3), round(lon, 3)) == (58.8, 25.5)
    assert seen * 2 ** (zoom - 10) <= 203 / 25.4 * 96
    assert zoom >= 9

    paper = on_paper(visitor, urlsplit(link)._replace(scheme="", netloc="").geturl())
    assert paper.locator(".paper-legend > ul:not(.shades) > li").count() == 2


def test_the_paper_link_follows_the_layers(visit):
    visitor = visit()
    page = visitor.map("/et/#at=9/58.8/25.5")
    page.locator("input[value=police]").uncheck()
    visitor.settle()
    shown = parse_qs(urlsplit(page.locator("[data-paper]").get_attribute("href")).query)["show"]

    assert "police" not in shown[0]
    assert "rescue" in shown[0]


# --- A picture


def saved(visitor):
    with visitor.page.expect_download(timeout=30_000) as found:
        visitor.page.locator("[data-picture]").click()
    return found.value


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_the_picture_holds_the_map_its_name_date_legend_and_sources(visit, browser, size):
    visitor = visit(size=size)
    page = visitor.map("/en/?as_of=2026-05-01#at=9/58.6/25.3&show=police,counties")
    asked_before = [url for url in visitor.asked if "html-to-image" in url]
    page.evaluate(
        """() => { window.written = [];
        const { fillText } = CanvasRenderingContext2D.prototype;
        CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
          window.written.push(text); return fillText.call(this, text, ...more); }; }"""
    )
    if size == "phone":
        page.locator(".grip").click()
    download = saved(visitor)
    image = pixels(browser, Path(download.path()).read_bytes())
    box = page.locator(".folium-map").bounding_box()
    ends = 112 + int(box["height"]) * 2
    written = " ".join(page.evaluate("window.written"))

    assert asked_before == []
    assert download.suggested_filename == "turvakaart-ee-2026-05-01.png"
    assert image.shape[1] == round(box["width"]) * 2
    assert len(colours(image[112:ends])) > 100
    assert BLUE in colours(image[112:ends])
    assert BLUE in colours(image[ends:])
    assert BLUE not in colours(image[:112])
    for said in ("Turvakaart", "1 May 2026", "Police", "Counties", "© OpenStreetMap contributors"):
        assert said in written
    assert "Volunteer rescue" not in written
    assert visitor.told() == "The picture has been saved among your downloads."
    assert visitor.trouble == []


def test_a_picture_leaves_an_online_background_out_and_says_so(visit, browser):
    visitor = visit()
    blank = browser.new_page()
    tile = blank.screenshot(clip={"x": 0, "y": 0, "width": 256, "height": 256})
    blank.close()
    visitor.context.route(
        "https://tiles.maaamet.ee/**", lambda route: route.fulfill(body=tile, content_type="image/png")
    )
    page = visitor.map("/en/#at=9/58.6/25.3")
    page.locator("input[name=basemap][value=maaruum]").check()
    visitor.settle()

    assert page.locator(".leaflet-tile-loaded").count() > 4
    assert saved(visitor).suggested_filename.endswith(".png")
    assert visitor.told().endswith("without the online background.")
    assert page.locator(".leaflet-tile-loaded").count() > 4


def test_a_picture_that_fails_says_so_and_can_be_tried_again(visit):
    visitor = visit()
    visitor.forgive("Failed to load resource")
    page = visitor.map("/en/")
    visitor.context.route("**/html-to-image.js*", lambda route: route.abort())
    page.locator("[data-picture]").click()
    visitor.until("document.getElementById('told').textContent.startsWith('The picture could not')")
    visitor.context.unroute("**/html-to-image.js*")

    assert saved(visitor).suggested_filename.endswith(".png")


# --- Links


def copied(visitor, which):
    visitor.page.locator(f"[data-copy={which}]").click()
    visitor.until("document.getElementById('told').textContent", "Copied. You can paste it now.")
    return visitor.page.evaluate("navigator.clipboard.readText()")


def test_a_copied_link_opens_the_same_view(visit, home):
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    visitor.map("/en/?as_of=2026-05-01#at=10/58.8/25.5&show=watch")
    link = copied(visitor, "view")

    assert link == f"{home}/en/?as_of=2026-05-01#at=10/58.8/25.5&show=watch"


def test_the_link_that_lasts_names_day_moment_view_and_layers(visit, home):
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    page = visitor.map("/en/")
    link = urlsplit(copied(visitor, "same"))
    query, seen = parse_qs(link.query), parse_qs(link.fragment)
    now = page.locator(".share").get_attribute("data-now")
    known = page.locator(".share").get_attribute("data-known")
    page = visitor.map(f"{link.path}?{link.query}#{link.fragment}")

    assert f"{link.scheme}://{link.netloc}" == home
    # The moment is that of the newest edition: an import that is under way now is not in it.
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", known)
    assert query == {"as_of": [now[:10]], "known": [known]}
    assert seen["show"] == ["police,villages,watch,rescue,cases,counties"]
    assert seen["at"][0].count("/") == 2
    assert len([url for url in visitor.asked if "geojson" in url and f"known={known}" in unquote(url)]) > 5
    assert "2026" in page.locator(".legend .notice.when").inner_text()


def test_without_leave_to_copy_the_link_is_marked_for_the_visitor(visit):
    visitor = visit()
    visitor.context.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page = visitor.map("/en/#at=10/58.8/25.5")
    page.locator("[data-copy=view]").click()
    visitor.until("document.getElementById('told').textContent.startsWith('The browser does not let')")
    field = page.locator(".by-hand input")

    assert field.is_visible()
    assert page.evaluate("document.activeElement.value") == field.input_value()
    assert page.evaluate(
        "(({ selectionStart, selectionEnd }) => [selectionStart, selectionEnd])(document.activeElement)"
    ) == [0, len(field.input_value())]
    assert "#at=10/58.8" in field.input_value()


# --- In a frame


class Host:
    """Another site: one page with whatever it is given."""

    body = ""

    def __call__(self, _environ, start):
        start("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [f"<!doctype html><title>Host</title>{self.body}".encode()]


def is_ready(frame):
    return frame.evaluate("document.documentElement.dataset.map || ''") == "ready"


@contextmanager
def framed(browser, estonia, folder, *, allow):
    """A page of another site that shows the embedded map, in a browser; yields it and the map's address."""
    host = Host()
    with served(host) as there:
        origins = (there,) if allow else ()
        with site.a_site(estonia.folder, folder, embed_origins=origins) as app, served(app) as ours:
            context = browser.new_context(viewport={"width": 700, "height": 600})
            context.set_default_timeout(PATIENCE_S * 1000)
            page = context.new_page()
            said = []
            page.on("console", lambda line: said.append(line.text))
            page.goto(f"{ours}/en/#at=9/58.8/25.5&show=police")
            assert awaited(page, lambda: is_ready(page))
            page.locator(".share details summary").click()
            code = page.locator(".share textarea")
            assert awaited(page, lambda: "/en/embed#at=9/58.8" in code.input_value())
            code = code.input_value()
            host.body = code
            context.clear_cookies()
            page.goto(there)
            assert awaited(page, lambda: any(is_ready(one) for one in page.frames[1:]) if allow else said)
            try:
                yield page, ours, said, code
            finally:
                context.close()


def test_an_allowed_site_shows_the_map_and_a_click_opens_it_whole(browser, estonia, tmp_path):
    with framed(browser, estonia, tmp_path, allow=True) as (page, ours, said, code):
        frame = page.frames[1]
        legend = frame.locator(".key li:visible").all_inner_texts()
        cookies = page.context.cookies()
        with page.context.expect_page() as opened:
            page.mouse.click(350, 250)
        whole = opened.value
        whole.wait_for_load_state()
        assert awaited(whole, lambda: is_ready(whole))

        assert said == []
        assert frame.locator(".leaflet-container").count() == 1
        assert 'loading="lazy"' in code
        assert 'title="' in code
        assert frame.url.startswith(f"{ours}/en/embed#at=9/58.8")
        assert [text.split("\n")[0].startswith("Police") for text in legend] == [True]
        assert cookies == []
        assert whole.url.startswith(f"{ours}/en/#at=9/")
        assert "open=" in whole.url
        assert whole.evaluate("window.opener") is None


def test_a_site_that_is_not_allowed_shows_nothing(browser, estonia, tmp_path):
    with framed(browser, estonia, tmp_path, allow=False) as (page, ours, said, _code):
        assert [line for line in said if NOT_FRAMED in line] != []
        # Whatever a browser puts in its place, and whenever.
        assert [frame.url for frame in page.frames if frame.url.startswith(ours)] == []
        assert [frame.locator(".leaflet-container").count() for frame in page.frames] == [0, 0]


# --- Everybody


@pytest.mark.parametrize("language", ["et", "en"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(visit, size, language):
    visitor = visit(size=size, bypass_csp=True)
    found = {}
    for path in ("print", "print?paper=portrait", "embed", ""):
        page = visitor.map(f"/{language}/{path}")
        if not path:
            page.evaluate("document.querySelector('.panel').classList.remove('low')")
            page.evaluate("document.querySelector('.share details').open = true")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        found |= {path: (wide, faults(page))} if wide > 0 or faults(page) else {}

    assert found == {}


def test_a_narrow_frame_holds_its_map(visit):
    visitor = visit()
    visitor.page.set_viewport_size({"width": 280, "height": 360})
    page = visitor.map("/en/embed")
    box = page.locator(".folium-map").bounding_box()

    assert page.evaluate("document.documentElement.scrollWidth") == 280
    assert box["height"] > 160


@pytest.mark.parametrize("path", ["print?show=watch", "embed?show=watch"])
def test_without_scripts_there_are_lists_and_no_empty_box(visit, path):
    visitor = visit(size="small", java_script_enabled=False)
    page = visitor.go(f"/et/{path}")
    link = page.locator("a[href='/et/layers/watch']")

    assert link.is_visible()
    assert page.locator("h1").is_visible()
    assert not page.locator(".folium-map").is_visible()
