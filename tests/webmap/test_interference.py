"""Nothing that anybody may read depends on where a secret house lies inside its cell.

Worlds that differ in nothing but the secret points are asked for every address that a visitor can find: what
the routes offer, what pages and answers link to, every file in every format, every service for machines.
Status, headers and bytes must be the same. So there is no side channel to search for one by one: no size,
digest, ETag, order, rounding, revision or sentence tells more than the cell.
"""

import gzip
import re
import shutil
import struct
from collections import Counter
from urllib.parse import urljoin, urlsplit

import pytest

from layers import catalog, exports, store, tiles
from layers.tiles import Shelf
from tests import make
from tests.webmap import homes, site
from tests.webmap.homes import HOUSES, LATER, a_country

KEY = "a key that nobody knows"
HOUSES_OF_ONE = (*HOUSES, (24.2512, 58.2493))
_METRIC = "filter-crs=http://www.opengis.net/def/crs/EPSG/0/3301"
_NUMBER = re.compile(r'\{"id":\s*"([0-9a-f-]{36})"')
_NOT_ASKED = ("/static/", "/et/", "/metrics", "/en/account", "/en/edit", "/en/import", "/en/suggest")
_MOST = 4  # So many choices of one page are asked: together they are without end.
# What tells the moment of the request, and nothing else.
_CLOCK = re.compile(rb'data-now="[^"]*"')
_LEFT = re.compile(r"max-age=\d+|Expires=[^;]*")
_OF_THE_MOMENT = ("Date", "Expires", "Last-Modified", "X-Request-Id")
_LINK = re.compile(r'(?:href|src|action)="([^"#]+)|"((?:https?://localhost)?/[a-z]{2,}[^"\s{}#\\]*)"')
_ASKED = (
    "/api/export/{layer}.{format}?lang=et",
    "/api/layers/{layer}.geojson",
    "/ogc/collections/{layer}/items?f=json&limit=1000",
    "/ogc/collections/{layer}/items?crs=http://www.opengis.net/def/crs/EPSG/0/3301",
    "/ogc/collections/{layer}?f=json",
)
"""For every layer."""
_MORE = (
    "/",
    "/sw.js",
    "/healthz",
    "/en/",
    "/et/",
    "/en/offline.json",
    "/en/nowhere",
    "/en/bodies/none",
    "/api/answer?lat=58.61&lon=25.51&lang=en",
    "/api/answer?lat=58.26&lon=24.27&format=text",
    "/api/answer?lat=0&lon=0",
    "/api/fit?lat=58.3&lon=24.3",
    "/api/search?q=valve&limit=50",
    "/api/search?q=pikk%20t%C3%A4nav",
    "/api/history?body=one&lang=en",
    "/api/history?body=two&lang=en",
    "/api/coverage.geojson?shade=county",
    "/api/coverage.geojson?shade=county.watch",
    "/api/coverage.geojson?shade=county.~age",
    "/api/find-service?lat=58.61&lon=25.51&service=urn:service:sos&boundary=value",
    "/hsds/organizations?full=true&full_service=true",
    "/hsds/service_at_locations?full=true",
    "/hsds/services?full=true",
    "/ogc/collections/watch/items/two?f=json",
    "/ogc/collections/watch/items/two?f=html",
    "/en/bodies/one.jsonld",
    "/en/bodies/two.jsonld",
    "/en/bodies/two.vcf",
    "/en/areas/county/02/changes.atom",
    "/en/network.csv",
    "/en/network.geojson",
    "/en/gaps/cover.geojson?role=watch&within=5",
    "/en/gaps/?role=watch&within=5&format=csv",
    "/en/gaps/?role=watch&within=5&zone=county",
    "/en/gaps/whatif?role=watch&within=5",
    "/en/gaps/whatif.geojson?role=watch&within=5",
    "/en/gaps/siting?role=watch&within=5",
    "/en/gaps/bridges?format=geojson",
    "/en/gaps/missing?format=csv",
    "/en/gaps/report?role=watch&within=5",
    "/en/gaps/report?role=watch&within=5&format=json",
    "/en/gaps/report?role=watch&within=5&format=csv",
    "/en/gaps/report?role=watch&within=5&format=xlsx",
    "/en/gaps/report?role=watch&within=5&format=gpkg",
    "/catalog.jsonld",
    "/catalog.ttl",
    *(f"/api/tiles/counties/1/{z}/{x}/{y}.mvt" for z, x, y in ((5, 18, 9), (8, 145, 75), (9, 291, 150))),
    *(
        f"/ogc/collections/watch/items?filter=S_INTERSECTS(geometry,BBOX({box}))&{_METRIC}"
        for box in ("0,0,900000,7000000", "588000,6498000,588100,6498100", "588150,6498050,588160,6498060")
    ),
)


class World:
    """A country with its secrets, and what it says to a visitor. `home` is the same for each: it is told."""

    def __init__(self, home, *, house, street):
        shutil.rmtree(home, ignore_errors=True)
        self.folder = a_country(home / "tiny", house=house, street=street)
        make.write(self.folder, "privacy.key", KEY)
        self.settings = site.Settings(instance=self.folder, state=home / "state", tiles_from=1)
        self.load(site.TODAY)

    def load(self, day):
        homes.load(self.folder, self.settings.state, day=day)
        engine, shelf = store.open_store(self.settings.store_url("tiny")), self.settings.tiles("tiny")
        tiles.build(engine, catalog.read_instance(self.folder), Shelf(shelf, 1), tell=lambda progress: None)
        engine.dispose()

    def again(self, *, house, street):
        """The steward's file comes once more, with other points."""
        homes.write_watches(self.folder, house=house, street=street)
        self.load(LATER)

    def said(self, addresses):
        with site.an_app(self.settings) as app:
            client = app.test_client(use_cookies=False)
            return {address: ask(client, address) for address in addresses}

    def found(self):
        """Every address that a visitor can find, and its answer."""
        with site.an_app(self.settings) as app:
            return crawl(app)


def ask(client, address):
    with client.get(address, headers={"Accept-Encoding": "gzip"}) as answer:
        body = answer.data
    if answer.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    timeless = _CLOCK.sub(b"", body)
    # Of a page that tells the clock the packed size is as chance as the clock's letters.
    left_out = {*_OF_THE_MOMENT, *["Content-Length"] * (timeless != body)}
    kept = [(name, _LEFT.sub("", text)) for name, text in answer.headers if name not in left_out]
    return answer.status_code, sorted(kept), timeless


def crawl(app):
    layers = [layer.key for layer in app.extensions["house"].instance.layers]
    waiting = [*_MORE, *(one.format(layer=layer, format="csv") for layer in layers for one in _ASKED)]
    waiting += [f"/api/export/watch.{one.key}?lang=en" for one in exports.offered()]
    routes = [rule for rule in app.url_map.iter_rules() if "GET" in rule.methods]
    waiting += [str(rule).replace("<language>", "en") for rule in routes if rule.arguments <= {"language"}]
    client, choices, found = app.test_client(use_cookies=False), Counter(), {}
    while waiting:
        address = waiting.pop(0)
        path, _, asked = address.partition("?")
        is_listed = address in _MORE or not asked
        choices[path] += not is_listed
        if address in found or path.startswith(_NOT_ASKED) or (choices[path] > _MOST and not is_listed):
            continue
        _, headers, body = found[address] = ask(client, address)
        links = [one or other for one, other in _LINK.findall(body.decode("utf-8", "replace"))]
        if path.startswith("/hsds/"):  # Its answers name things by number and not by address.
            waiting += [f"{path}/{number}" for number in _NUMBER.findall(body.decode())[:_MOST]]
        for link in [*links, dict(headers).get("Location") or ""]:
            url = urlsplit(urljoin(f"http://localhost{path}", link.replace("&amp;", "&")))
            if url.netloc == "localhost":
                waiting.append(url._replace(scheme="", netloc="", fragment="").geturl())
    return found


def differing(one, other):
    return {address for address in one if one[address] != other[address]}


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("one") / "home"


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    """Points of one cell of the street's grid."""
    folder = a_country(tmp_path_factory.mktemp("grid") / "tiny")
    make.write(folder, "privacy.key", KEY)
    return homes.a_cell(folder, len(HOUSES_OF_ONE))


@pytest.fixture(scope="module")
def addresses(home, streets):
    """What a visitor can find."""
    found = World(home, house=HOUSES_OF_ONE[0], street=streets[0]).found()
    assert len(found) > 400
    assert sum(status == 200 for status, _, _ in found.values()) > 350
    kinds = (
        "/api/export/watch.gpkg",
        "/api/export/watch.parquet",
        "/hsds/organizations/",
        "/ogc/collections/watch/items/two",
    )
    assert [kind for kind in kinds if not any(address.startswith(kind) for address in found)] == []
    return [*found]


@pytest.fixture(scope="module")
def first(home, streets, addresses):
    return World(home, house=HOUSES_OF_ONE[0], street=streets[0]).said(addresses)


@pytest.mark.parametrize("number", range(1, len(HOUSES_OF_ONE)))
def test_worlds_that_differ_in_the_secret_points_alone_say_the_same_at_every_address(
    home, streets, addresses, first, number
):
    other = World(home, house=HOUSES_OF_ONE[number], street=streets[number]).said(addresses)

    assert differing(first, other) == set()


def test_the_control_a_house_in_another_cell_is_seen_at_many_addresses(home, streets, addresses, first):
    some = [one for one in addresses if not one.startswith(("/en/gaps/", "/en/practices/"))]
    elsewhere = World(home, house=HOUSES_OF_ONE[0], street=(25.61234, 58.61234)).said(some)

    seen = differing({one: first[one] for one in some}, elsewhere)
    assert {one for one in seen if one.startswith("/api/export/watch.")}
    assert {"/api/layers/watch.geojson", "/en/bodies/two.vcf", "/ogc/collections/watch?f=json"} <= seen
    assert len(seen) > 30


def test_a_file_that_comes_again_with_other_points_of_the_cell_tells_only_that_it_came(
    home, streets, addresses
):
    """Digests, revisions, ETags and histories may tell that a file was changed, and not to what."""
    said = []
    for number in (1, 2):
        world = World(home, house=HOUSES_OF_ONE[0], street=streets[0])
        world.again(house=HOUSES_OF_ONE[number], street=streets[number])
        said.append(world.said(addresses))

    assert differing(*said) == set()


def test_no_raw_byte_of_an_answer_holds_a_secret_number(streets, first):
    """Text of any length, the two kinds of binary number, and metres as well as degrees."""
    for house in (HOUSES_OF_ONE[0], streets[0]):
        east, north = homes.metric(*house)
        for number, digits in ((house[0], 3), (house[1], 3), (east, 0), (north, 0)):
            texts = [f"{number:.{digits + 1}f}"] if digits else [f"{number:.0f}"]
            sought = [
                *(text.encode() for text in texts),
                struct.pack("<d", number),
                struct.pack(">d", number),
            ]
            assert [one for one, (_, _, body) in first.items() if any(byte in body for byte in sought)] == []
