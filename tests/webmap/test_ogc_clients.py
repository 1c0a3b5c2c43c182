"""Programs that people have, against a running server: GDAL, OWSLib, and questions as QGIS asks them."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pyogrio
import pytest
import requests
import shapely
from owslib.ogcapi.features import Features

ROOT = Path(__file__).resolve().parents[2]
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
WGS84 = "http://www.opengis.net/def/crs/EPSG/0/4326"
METRIC = "http://www.opengis.net/def/crs/EPSG/0/3301"


@pytest.fixture(scope="module")
def address(app, estonia, state):
    """Where the service is, on this computer alone. GDAL lets no other thread work, so it is a process."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    home = {"WEBMAP_INSTANCE": str(estonia.folder), "WEBMAP_STATE": str(state), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "webmap.cli", "serve", "--no-browser", "--port", str(port)]
    server = subprocess.Popen(command, env={**os.environ, **home}, stdout=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}/ogc"
        for _ in range(300):
            with contextlib.suppress(requests.ConnectionError):
                requests.get(address, timeout=30)
                break
            assert server.poll() is None
            time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


def by_gdal(address, layer, **more):
    return pyogrio.read_dataframe(f"OAPIF:{address}", layer=layer, **more)


def asked(address, name, **query):
    answer = requests.get(f"{address}/collections/{name}/items", params={"limit": 1000, **query}, timeout=30)
    answer.raise_for_status()
    return answer.json()


def test_gdal_lists_every_collection_with_its_kind_of_shape(address):
    found = dict(pyogrio.list_layers(f"OAPIF:{address}").tolist())

    assert len(found) == 12
    assert (found["police"], found["counties"]) == ("Point", "MultiPolygon")


def test_gdal_reads_every_page_of_a_collection(address):
    found = by_gdal(address, "settlements")

    assert len(found) == found["id"].nunique() == 4682
    assert found.crs.to_epsg() == 3301  # GDAL takes the system of the store by itself.


def test_gdal_reads_the_same_places_in_every_system(address):
    wanted = {
        one["id"]: shapely.geometry.shape(one["geometry"])
        for one in asked(address, "municipalities")["features"]
    }
    for crs in (CRS84, WGS84, METRIC):
        found = by_gdal(address, "municipalities", CRS=crs)
        degrees = found.to_crs(4326) if crs == METRIC else found
        assert {*found["id"]} == {*wanted}
        for key, shape in zip(degrees["id"], degrees.geometry, strict=True):
            assert shape.hausdorff_distance(wanted[key]) < 2e-5


def test_gdal_asks_for_a_box_and_a_property(address):
    box = (25.0, 58.0, 26.0, 59.0)
    found = by_gdal(address, "villages", bbox=box, CRS=CRS84)
    wanted = asked(address, "villages", bbox=",".join(map(str, box)))
    assert {*found["id"]} == {one["id"] for one in wanted["features"]} != set()

    found = by_gdal(address, "villages", where="county = '0037'", CRS=CRS84)
    assert {*found["id"]} == {one["id"] for one in asked(address, "villages", county="0037")["features"]}
    assert {*found["county"]} == {"0037"}


# OWSLib's own choice of words; what it gives is what counts here.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_owslib_finds_its_way(address):
    service = Features(f"{address}/")

    assert len(service.feature_collections()) == 12
    assert service.api()["openapi"] == "3.0.3"
    assert len(service.conformance()["conformsTo"]) > 10
    assert service.collection("watch")["storageCrs"] == METRIC
    assert "form" in service.collection_queryables("watch")["properties"]
    found = service.collection_items("watch", bbox=[24.0, 57.0, 26.0, 59.0], limit=3)
    assert (found["numberReturned"], len(found["features"])) == (3, 3)
    assert found["numberMatched"] == asked(address, "watch", bbox="24,57,26,59")["numberMatched"]
    filtered = service.collection_items("villages", filter="county = '0037'", limit=1)
    assert filtered["numberMatched"] == asked(address, "villages", county="0037")["numberMatched"] > 1
    key = found["features"][0]["id"]
    assert service.collection_item("watch", key)["id"] == key


def test_as_qgis_asks(address):
    """Landing, description with the largest limit, collection, then pages by link in the map's system."""
    session = requests.Session()
    landing = session.get(address, headers={"Accept": "application/json"}, timeout=30).json()
    link = next(one for one in landing["links"] if one["rel"] == "service-desc")
    api = session.get(link["href"], timeout=30).json()
    most = api["components"]["parameters"]["limit"]["schema"]["maximum"]
    address_of = next(one["href"] for one in landing["links"] if one["rel"] == "data")
    listed = session.get(address_of, timeout=30).json()["collections"]
    towns = next(one for one in listed if one["id"] == "settlements")
    items = next(one["href"] for one in towns["links"] if one["type"] == "application/geo+json")
    query = {"limit": most, "bbox": "21.5,57.4,28.3,59.8", "bbox-crs": CRS84, "crs": towns["storageCrs"]}
    page, found = session.get(items, params=query, timeout=30).json(), []
    while True:
        found += [one["id"] for one in page["features"]]
        following = [one["href"] for one in page["links"] if one["rel"] == "next"]
        if not following:
            break
        page = session.get(following[0], timeout=30).json()

    assert len(found) == len({*found}) == 4682
