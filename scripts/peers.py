"""What bench.py measures Turvakaart against.

The peer of the map is `GeoDataFrame.explore()`: one map, a call for each layer, canvas and tooltips, over
the very GeoJSON that our first view draws. It is helped: our names of towns are left out, it has no legend
and no fonts to load, its page lies finished and compressed in memory while ours asks the database at each
visit, its Leaflet is ours, and every other script and style that it takes from other hosts is answered
empty by the same local server; in use they are about 100 kB compressed. Not helped: `explore()` keeps its
own filled shapes and highlights.

The peer of the questions is a scan with geopandas over rows that it holds in memory, without an index;
ours asks SQLite each time and returns every fact about what it finds.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from threading import Thread
from typing import Any

import geopandas as gpd
import pandas as pd
from flask import Flask, Response
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from waitress.server import create_server

import prepare
import visit
from layers import geo, places
from layers.catalog import Instance
from layers.geo import Place

EXPLORE_NEEDS = ("matplotlib", "mapclassify")
_ELSEWHERE = re.compile(r'(?<=["\'])https?://([^"\']+\.(?:js|css))(?=["\'])')


@dataclass(frozen=True)
class Explored:
    """The page of `GeoDataFrame.explore()` and how long making it took."""

    html: str
    made_ms: float


def layers_of_first_view(client: FlaskClient, instance: Instance) -> dict[str, gpd.GeoDataFrame]:
    """What our first view draws, from the same addresses; the ground first, as on our map."""
    names = dict.fromkeys(("neighbours", "land"), "")
    names |= {each.key: each.colour for each in instance.layers if each.shown}
    coarse = {each.key for each in instance.layers_of("areas")}
    found = {}
    for name in names:
        step = "&step=far" if name in coarse else ""
        collection = json.loads(client.get(f"/api/layers/{name}.geojson?lang=et{step}").data)
        found[name] = gpd.GeoDataFrame.from_features(collection["features"], crs=geo.WGS84)
    return found


def explore(
    frames: Mapping[str, gpd.GeoDataFrame], colours: Mapping[str, str], middle: Sequence[float]
) -> Explored:
    """All layers on one map of the territory around its middle, written as one page."""
    begun = time.perf_counter()
    chart: Any = None
    for name, frame in frames.items():
        spoken: Any = [column for column in ("name", "form") if column in frame.columns]
        chart = frame.explore(
            m=chart,
            name=name,
            color=colours.get(name, "#9db0bc"),
            tooltip=spoken,
            tiles=None,
            location=middle,
            zoom_start=7,
            prefer_canvas=True,
        )
    html = chart.get_root().render()
    return Explored(html, 1000 * (time.perf_counter() - begun))


def explored_page(client: FlaskClient, instance: Instance) -> Explored | None:
    """The page over what our first view draws, made twice to be warm; None where explore() cannot run."""
    if missing := [name for name in EXPLORE_NEEDS if importlib.util.find_spec(name) is None]:
        prepare.tell(f"Without explore(), which needs: pip install {' '.join(missing)}")
        return None
    frames = layers_of_first_view(client, instance)
    colours = {layer.key: layer.colour for layer in instance.layers}
    west, south, east, north = instance.bounds
    middle = [(south + north) / 2, (west + east) / 2]
    explore(frames, colours, middle)
    return explore(frames, colours, middle)


@contextmanager
def exploring(html: str) -> Iterator[visit.Site]:
    """Serves the page from memory, its links to other hosts turned to this one."""
    page = gzip.compress(_ELSEWHERE.sub(r"/elsewhere/\1", html).encode())
    vendor = visit.ROOT / "webmap" / "static" / "vendor" / "leaflet"
    known = {name: gzip.compress((vendor / name).read_bytes()) for name in ("leaflet.js", "leaflet.css")}
    app = Flask("explored", static_folder=None)

    def answer(path: str = "") -> Response:
        name = path.rsplit("/", 1)[-1]
        kind = {"js": "text/javascript", "css": "text/css"}.get(name.rsplit(".", 1)[-1], "text/html")
        body = known.get(name, gzip.compress(b"")) if path else page
        return Response(body, mimetype=kind, headers={"Content-Encoding": "gzip"})

    app.add_url_rule("/", view_func=answer)
    app.add_url_rule("/<path:path>", view_func=answer)
    port = visit.free_port()
    server = create_server(app, host="127.0.0.1", port=port, threads=8)
    Thread(target=server.run, daemon=True).start()
    try:
        yield visit.Site(f"http://127.0.0.1:{port}/", ready="true")
    finally:
        server.close()


@dataclass(frozen=True)
class Scan:
    """The naive way: every row in memory, looked through from first to last at each question."""

    areas: gpd.GeoDataFrame
    bodies: gpd.GeoDataFrame
    srid: int

    def areas_at(self, place: Place) -> set[str]:
        point = geo.metric_point(place, srid=self.srid)
        return set(self.areas.loc[self.areas.intersects(point), "key"])

    def partners(self, place: Place, layer: str) -> pd.DataFrame:
        point = geo.metric_point(place, srid=self.srid)
        rows = self.bodies[self.bodies["layer"] == layer]
        rows = rows.assign(distance_m=rows.distance(point))
        return rows[rows["distance_m"] <= 60_000].nsmallest(3, "distance_m")

    def of_layer(self, layer: str) -> pd.DataFrame:
        return self.bodies[self.bodies["layer"] == layer].sort_values(["county", "name", "key"])


def scan_of(session: Session, instance: Instance, *, as_of: date) -> Scan:
    kinds = ("county", "municipality", "prefecture", "land", "neighbour")
    areas = [found for kind in kinds for found in places.shapes(session, kind, as_of=as_of)]
    bodies = places.bodies(session, as_of=as_of)
    facts = pd.DataFrame([vars(body) for body in bodies])
    points = [body.place.point() if body.place else None for body in bodies]
    srid = instance.metric_crs
    return Scan(
        areas=frame_of({"key": [area.key for area, _ in areas]}, [shape for _, shape in areas], srid),
        bodies=frame_of(facts, points, srid),
        srid=srid,
    )


def frame_of(facts: Any, shapes: Sequence[Any], srid: int) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(facts, geometry=list(shapes), crs=geo.WGS84).to_crs(srid)
