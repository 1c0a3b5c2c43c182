"""Folium in, the parts of a page out: always the same bytes, small, without data and without strangers."""

import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from folium import GeoJson, Map
from folium.plugins import Fullscreen, MarkerCluster

from webmap import maps
from webmap.maps import Shown

ROOT = Path(__file__).resolve().parents[2]
BOUNDS = (21.7, 57.5, 28.25, 59.75)
DRAW = """
from tests.webmap.test_maps import a_map
print(a_map().digest, a_map().html)
"""


def layers():
    options = {"colour": "#0072B2", "symbol": "square", "page": "bodies", "rank": 0}
    return [
        Shown("land", "ground", "/api/layers/land.geojson?v=1", True, {"pane": "land"}),
        Shown("police", "markers", "/api/layers/police.geojson?v=1", True, options),
        Shown("watch", "markers", "/api/layers/watch.geojson?v=1", False, options),
    ]


def a_map(shown=None, **about):
    return maps.draw(shown or layers(), bounds=BOUNDS, about={"pages": "/et/", "asOf": "", **about})


# --- The same map


def test_the_same_map_has_the_same_bytes():
    first, second = a_map(), a_map()

    assert (first.html, first.script, first.digest) == (second.html, second.script, second.digest)


@pytest.mark.slow
def test_the_same_map_has_the_same_bytes_in_every_process():
    def drawn(seed):
        line = [sys.executable, "-c", DRAW]
        environment = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed, "PATH": ""}
        return subprocess.run(
            line, capture_output=True, text=True, check=True, env=environment, cwd=ROOT
        ).stdout

    here = a_map()

    assert {drawn("1"), drawn("2")} == {f"{here.digest} {here.html}\n"}


def test_another_map_has_another_digest():
    other = [replace(layers()[0], url="/api/layers/land.geojson?v=2"), *layers()[1:]]

    assert (
        len({a_map().digest, a_map(other).digest, a_map(asOf="2012").digest, a_map(layers()[:2]).digest}) == 4
    )


def test_no_random_name_is_left():
    drawn = a_map()

    assert re.findall(r"[0-9a-f]{32}", drawn.html + drawn.script) == []


def test_the_page_and_its_script_speak_of_the_same_element():
    drawn = a_map()
    element = re.search(r'id="(map_\w+)"', drawn.html)[1]

    assert f'"{element}"' in drawn.script


# --- What is in it


def test_a_hidden_layer_is_not_added_to_the_map():
    script = a_map().script

    assert len(re.findall(r"\.addTo\(map_0\)", script)) == len(layers()) - 1
    assert script.count("turvakaart.markers(") == 2


def test_longitude_and_latitude_are_in_their_places():
    assert re.search(r"center: \[58\.625, 24\.975\]", a_map().script)


def test_a_name_cannot_end_the_script():
    evil = "</script><script>window.hacked=1</script>"
    script = a_map([Shown("x", "markers", evil, True, {"page": evil})], pages=evil).script

    assert evil not in script
    assert "</script" not in script


def test_folium_adds_no_link_of_its_own():
    drawn = a_map()
    strangers = [url for _, url in (*Map.default_js, *Map.default_css)]

    assert len(strangers) > 5
    assert [url for url in strangers if url in drawn.html + drawn.script] == []
    assert "<script" not in drawn.html + drawn.script
    assert "<style" not in drawn.html


@pytest.mark.parametrize("plugin", [Fullscreen, MarkerCluster])
def test_a_plugin_from_another_host_is_refused_and_named(plugin):
    chart = Map(tiles=None)
    plugin().add_to(chart)

    with pytest.raises(LookupError, match=r"static/vendor first: https://\S+"):
        maps._parts(chart)


def test_a_layer_of_folium_that_needs_nothing_from_outside_is_taken():
    chart = Map(tiles=None)
    GeoJson({"type": "FeatureCollection", "features": []}).add_to(chart)

    assert "L.geoJson" in maps._parts(chart).script


# --- The map of Estonia


@pytest.fixture(params=["et", "en"])
def served(client, request):
    """The map's page and its script, as they are sent."""
    page = client.get(f"/{request.param}/").text
    address = re.search(r'src="(/\w\w/map-([0-9a-f]{16})\.js)"', page)
    return page, client.get(address[1])


def test_the_script_is_small_and_kept_for_ever(served):
    _, script = served

    assert script.mimetype == "text/javascript"
    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert 1000 < len(script.data) <= 20_000


def test_the_script_holds_no_feature(served, app, client):
    _, script = served
    names = [f["properties"]["name"] for f in client.get("/api/layers/police.geojson").json["features"]]

    assert len(names) > 10
    assert [name for name in names if name in script.text] == []
    assert "coordinates" not in script.text
    assert "Feature" not in script.text


def test_page_and_script_name_no_other_host(served):
    page, script = served
    named = re.findall(r"https?://[^\s\"'<]+", page)
    backgrounds = re.findall(r'data-url="(https?://[^"]+)"', page)

    assert re.findall(r"https?://", script.text) == []
    assert len(backgrounds) == 2
    assert sorted(named) == sorted(backgrounds)


def test_a_script_of_an_old_digest_is_answered_but_not_kept(client):
    old = client.get("/et/map-0123456789abcdef.js")

    assert (old.status_code, old.headers["Cache-Control"]) == (200, "no-cache")


def test_a_page_of_the_map_is_small(served):
    page, _ = served

    assert len(page.encode()) < 32_000


@pytest.mark.slow
def test_a_map_is_built_in_a_moment():
    a_map()
    begun = time.perf_counter()
    for _ in range(5):
        a_map()

    assert (time.perf_counter() - begun) / 5 < 0.5
