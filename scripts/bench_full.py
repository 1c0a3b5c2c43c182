"""Measures Turvakaart at full size, on the instance of make_instance.py, and prints Markdown tables.

    python scripts/bench_full.py
    python scripts/bench_full.py --postgis postgresql://user@host/name --tile-peer http://host/{z}/{x}/{y}.pbf
    python scripts/bench_full.py --only-gaps --before ../an-older-version

Ours and a peer alternate where both can, so that a busy machine slows both; what "drawn", "kB" and the phone
are says bench.py. A jump is finished when every answer has been read and every tile painted, and two frames
have passed. The peers:

* the map: `GeoDataFrame.explore()` of the same area layers, as in peers.py; on the desktop alone, where it is
  visited once: a phone would need minutes;
* tiles: any server of the watch areas that is running already (`--tile-peer`);
* answers: one statement of PostGIS on the same data, in a store that `turvakaart setup` has filled
  (`--postgis`): the areas at the point and the three nearest organisations of each layer, no more; and any
  server that is running and finds areas at a point over HTTP (`--area-peer`, with {lat} and {lon});
* the planner's pages: another version of this program (`--before`, the folder of its source). Each page is
  asked for a first and then for a second county by a process that has just begun and holds the snapshot
  alone, in turns with the other version; the seconds are those of the processor.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import geopandas as gpd
import numpy as np
import psycopg
from playwright.sync_api import Browser, Page

import bench
import make_instance
import peers
import prepare
import problems
import visit
from bench import Figures, Row
from layers import answers, catalog, places, snapshot, store, tiles
from layers.catalog import Instance
from layers.geo import Place
from webmap.settings import Settings

TOWN = (58.38, 26.72)
TILES, POINTS, CONNECTIONS = 400, 2000, 8
ROOT = Path(__file__).resolve().parents[1]
PLANNED = ("gaps/", "gaps/missing", "gaps/bridges", "gaps/report", "gaps/seams")
BIG = ("settlements_areas", "watch_areas")
VIEW = {
    "kb": "kB on the wire",
    "drawn_ms": "ms until drawn",
    "heap_mb": "MB of JavaScript heap",
    "jump_ms": "ms of a jump to zoom 11",
    "jump_kb": "kB of it",
    "frame_ms": "ms of the median frame of a pan",
    "worst_ms": "ms of its longest frame",
}
_GO = """([lat, lon, zoom, wantsTiles]) => new Promise((resolve) => {
  const chart = Object.values(window).find((value) => value instanceof L.Map);
  const begun = performance.now();
  chart.setView([lat, lon], zoom, { animate: false });
  const tiles = (more) => document.querySelectorAll(`.leaflet-tile${more}`).length;
  const busy = () => window.visitWaits() || (wantsTiles && !tiles("")) || tiles(":not(.leaflet-tile-loaded)");
  let quiet = 0;
  const look = () => {
    quiet = busy() ? 0 : quiet + 1;
    if (quiet > 2) resolve(performance.now() - begun);
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""
_WATCH_FRAMES = """() => {
  const seen = (window.visitFrames = []);
  let last = performance.now();
  const look = (now) => {
    seen.push(now - last);
    last = now;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
_POINT_SQL = """
WITH here AS (SELECT ST_Transform(ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4326), %(srid)s) AS point)
SELECT 'area', area.key, area.names::text, 0::float, 0::float
FROM here, area WHERE ST_Intersects(area.geom, here.point) AND retired_in IS NULL
  AND valid_from <= %(day)s AND (valid_to = '' OR valid_to > %(day)s)
UNION ALL
SELECT near.layer, near.key, near.name, near.distance_m, ST_Azimuth(here.point, near.geom)
FROM here, unnest(%(layers)s::text[]) AS wanted (layer), LATERAL (
  SELECT layer, key, name, geom, ST_Distance(geom, here.point) AS distance_m FROM body
  WHERE layer = wanted.layer AND retired_in IS NULL AND geom IS NOT NULL
    AND valid_from <= %(day)s AND (valid_to = '' OR valid_to > %(day)s)
  ORDER BY geom <-> here.point LIMIT 3) AS near"""


# Asks one page after another in a process of its own, of whichever version lies in its folder.
_FIRST = """
import json, sys, time
from pathlib import Path
from webmap import create_app
from webmap.settings import Settings
settings = Settings(instance=Path(sys.argv[1]), state=Path(sys.argv[2]), limits="no")
client = create_app(settings).test_client()
client.get("/api/answer?lat=58.6&lon=25.5", buffered=True)
taken = []
for path in sys.argv[3:]:
    begun = time.process_time()
    if client.get(path, buffered=True).status_code != 200:
        sys.exit(f"{path} was not answered.")
    taken.append(time.process_time() - begun)
print(json.dumps(taken))
"""


# --- The planner's pages


def first_answers(state: Path, folder: Path, before: Path | None, *, runs: int) -> list[Row]:
    """Seconds of the processor for each page, the median of some runs, beside those of another version."""
    instance = catalog.read_instance(folder)
    engine = store.open_store(Settings(instance=folder, state=state).store_url(instance.key))
    with store.reading(engine, srid=instance.metric_crs) as session:
        counties = places.areas(session, "county", as_of=datetime.now(tz=UTC).date(), most=2)
    engine.dispose()
    rows: list[Row] = []
    for page in PLANNED:
        paths = [f"/{instance.default_language}/{page}?county={county.code}" for county in counties]
        paths = paths[:1] if page == "gaps/seams" else paths
        ours: list[list[float]] = []
        theirs: list[list[float]] = []
        for _ in range(runs):
            ours.append(_taken_s(ROOT, state, folder, paths))
            if before:
                theirs.append(_taken_s(before, state, folder, paths))
        for at, which in enumerate(("first", "second")[: len(paths)]):
            peer = float(np.median([taken[at] for taken in theirs])) if theirs else None
            rows.append((f"{page}: s of the {which}", float(np.median([taken[at] for taken in ours])), peer))
    return rows


def _taken_s(root: Path, state: Path, folder: Path, paths: Sequence[str]) -> list[float]:
    line = [sys.executable, "-c", _FIRST, str(folder.resolve()), str(state.resolve()), *paths]
    env = {**os.environ, "PYTHONPATH": str(root.resolve())}
    done = subprocess.run(line, cwd=root, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise problems.Problem(f"{root} could not answer: {done.stderr.strip().splitlines()[-1]}")
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


# --- The map


def view(browser: Browser, site: visit.Site, screen: visit.Screen, *, zoom: int, tiled: bool) -> Figures:
    """A first visit, a jump to a town, and a pan there."""
    with visit.window(browser, site, screen) as page:
        session = page.context.new_cdp_session(page)
        wire = bench.Wire(session, urlsplit(site.address).netloc)
        if screen.phone:
            session.send("Network.emulateNetworkConditions", bench.SLOW_NETWORK)
            session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
        page.goto(site.address)
        drawn_ms = visit.drawn_ms(page)
        page.wait_for_load_state("networkidle")
        first_kb = wire.figures()["kb"]
        jump_ms = float(page.evaluate(_GO, [*TOWN, zoom, tiled]))
        page.wait_for_load_state("networkidle")
        jump_kb = wire.figures()["kb"] - first_kb
        frames = pan(page, screen)
    with visit.window(browser, site, screen) as page:
        page.goto(site.address)
        visit.drawn_ms(page)
        heap_mb = bench.heap_mb(page.context.new_cdp_session(page), page)
    return {
        "kb": first_kb,
        "drawn_ms": drawn_ms,
        "heap_mb": heap_mb,
        "jump_ms": jump_ms,
        "jump_kb": jump_kb,
        "frame_ms": float(np.median(frames)),
        "worst_ms": float(np.max(frames)),
    }


def pan(page: Page, screen: visit.Screen) -> Any:
    """Milliseconds of every frame while the map is dragged by 300 pixels in a second."""
    x, y = screen.width / 2, screen.height / 3
    page.evaluate(_WATCH_FRAMES)
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 31):
        page.mouse.move(x - 5 * step, y + 5 * step)
        page.wait_for_timeout(20)
    page.mouse.up()
    return page.evaluate("window.visitFrames.slice(1)")


def explored(instance: Instance) -> peers.Explored:
    """The area layers of the instance as one page of `explore()`."""
    frames = {}
    for layer in instance.layers_of("areas"):
        read = gpd.read_file(instance.resources[layer.key].path)
        frames[layer.key] = read[["name_et", "geometry"]].rename(columns={"name_et": "name"})
    west, south, east, north = instance.bounds
    colours = {layer.key: layer.colour for layer in instance.layers}
    return peers.explore(frames, colours, [(south + north) / 2, (west + east) / 2])


def views(running: visit.Running, instance: Instance, *, runs: int, inline: bool) -> list[Row]:
    ours = visit.Site(f"{running.address}/et/")
    begun = time.perf_counter()
    page = explored(instance) if inline else None
    made_ms = 1000 * (time.perf_counter() - begun)
    with visit.chromium() as browser:
        view(browser, ours, bench.SCREENS["desktop"], zoom=11, tiled=True)
        seen: dict[str, list[Figures]] = {}
        for _ in range(runs):
            for name, screen in bench.SCREENS.items():
                seen.setdefault(name, []).append(view(browser, ours, screen, zoom=11, tiled=True))
        peer: list[Figures] = []
        if page:
            with peers.exploring(page.html) as site:
                peer = [view(browser, site, bench.SCREENS["desktop"], zoom=11, tiled=False)]
    rows: list[Row] = [
        (
            f"{screen}: {words}",
            bench.middle(seen[screen], key),
            bench.middle(peer if screen == "desktop" else [], key),
        )
        for screen in bench.SCREENS
        for key, words in VIEW.items()
    ]
    if page:
        # Ours is made for the visit too; a page of explore() that shows today's facts has to be.
        mine, theirs = bench.middle(seen["desktop"], "drawn_ms"), bench.middle(peer, "drawn_ms") or 0
        words = "desktop: ms until drawn, the page made for the visit"
        rows.insert(2, (words, mine, theirs + made_ms))
    return rows


# --- Many questions at once


def asked(hosts: Sequence[str], paths: Sequence[str]) -> tuple[float, list[float]]:
    """Answers a second, and the milliseconds of each, over 8 connections that stay open, host by host."""
    taken: list[float] = []
    begun = time.perf_counter()
    workers = [
        threading.Thread(target=_ask, args=(hosts[i % len(hosts)], paths[i::CONNECTIONS], taken))
        for i in range(CONNECTIONS)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if len(taken) != len(paths):
        raise problems.Problem(f"{hosts[0]} did not answer every question.")
    return len(paths) / (time.perf_counter() - begun), taken


def _ask(host: str, paths: Sequence[str], taken: list[float]) -> None:
    connection = http.client.HTTPConnection(host, timeout=60)
    for path in paths:
        begun = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (200, 204):
            return
        taken.append(1000 * (time.perf_counter() - begun))


def load(
    words: str, ours: tuple[Sequence[str], Sequence[str]], peer: tuple[str, Sequence[str]] | None
) -> list[Row]:
    """Rates and times of ours and of a peer, each asked twice in turns; the second round counts."""
    for _ in range(2):
        rate, mine = asked(*ours)
        theirs = asked([peer[0]], peer[1]) if peer else None
    return [
        (f"{words}: a second", rate, theirs[0] if theirs else None),
        *(
            (
                f"{words}: p{q} ms",
                float(np.percentile(mine, q)),
                float(np.percentile(theirs[1], q)) if theirs else None,
            )
            for q in (50, 95, 99)
        ),
    ]


def _peer(template: str, wanted: Sequence[dict[str, float]]) -> tuple[str, list[str]] | None:
    """The peer's host and what to ask it; None without a peer."""
    if not template:
        return None
    host = urlsplit(template).netloc
    return host, [template.format(**each).partition(host)[2] for each in wanted]


def tile_addresses(shelf: Path, layers: Sequence[str], revision: int = 1) -> list[tuple[str, int, int, int]]:
    """Different tiles of the big layers where there is something, the same at each call."""
    chance = np.random.default_rng(bench.SEED)
    found: set[tuple[str, int, int, int]] = set()
    archives = [tiles.archive(tiles.Shelf(shelf), layer, revision) for layer in layers]
    while len(found) < TILES:
        archive = archives[len(found) % len(archives)]
        z = int(chance.integers(archive.first_zoom, archive.last_zoom + 1))
        x, y = _tile_at(float(chance.uniform(22, 28)), float(chance.uniform(57.6, 59.6)), z)
        if tiles.tile(archive, z, x, y):
            found.add((archive.layer, z, x, y))
    return sorted(found)


def _tile_at(lon: float, lat: float, z: int) -> tuple[int, int]:
    turned = np.arcsinh(np.tan(np.radians(lat))) / np.pi
    return int((lon + 180) / 360 * 2**z), int((1 - turned) / 2 * 2**z)


def tiled(running: visit.Running, shelf: Path, peer: str) -> list[Row]:
    wanted = tile_addresses(shelf, BIG[-1:] if peer else BIG)  # A peer serves one layer.
    paths = [f"/api/tiles/{layer}/1/{z}/{x}/{y}.mvt" for layer, z, x, y in wanted]
    theirs = _peer(peer, [{"z": z, "x": x, "y": y} for _, z, x, y in wanted])
    return load(f"{len(paths)} tiles", ([urlsplit(running.address).netloc], paths), theirs)


# --- Answers


def points() -> list[Place]:
    chance = np.random.default_rng(bench.SEED)
    lons, lats = chance.uniform(22, 28, POINTS).round(5), chance.uniform(57.6, 59.6, POINTS).round(5)
    return [Place(lon=float(lon), lat=float(lat)) for lon, lat in zip(lons, lats, strict=True)]


def in_process(words: str, state: Path, folder: Path, postgis: str) -> list[Row]:
    """Ours from the snapshot, beside one statement of PostGIS."""
    settings, today = Settings(instance=folder, state=state), datetime.now(tz=UTC).date()
    instance = catalog.read_instance(folder)
    engine = store.open_store(settings.store_url(instance.key))
    with store.reading(engine, srid=instance.metric_crs) as session:
        known = snapshot.take(session, {layer.kind for layer in instance.layers_of("areas")} | {"neighbour"})
    engine.dispose()

    def answer(place: Place) -> object:
        return answers.answer(known, instance, place=place, as_of=today)

    if not postgis:
        taken = [bench.duration_ms(lambda: answer(place)) for place in points()]  # noqa: B023  called at once
        return [(f"{words}: p{q} ms", float(np.percentile(taken, q)), None) for q in (50, 99)]
    with psycopg.connect(postgis, autocommit=True) as server:
        return bench.compared(words, points(), answer, _statement(server, instance, today))


def _statement(server: psycopg.Connection[Any], instance: Instance, today: date) -> Callable[[Place], object]:
    fixed = {
        "srid": instance.metric_crs,
        "day": today.isoformat(),
        "layers": [layer.key for layer in instance.layers_of("bodies")],
    }
    return lambda place: server.execute(
        _POINT_SQL, {"lat": place.lat, "lon": place.lon, **fixed}, prepare=True
    ).fetchall()


@contextmanager
def two_workers(state: Path, folder: Path) -> Iterator[list[str]]:
    """Two processes over one store; their hosts."""
    with ExitStack() as both:
        workers = [both.enter_context(visit.serving(state, folder)) for _ in range(2)]
        yield [urlsplit(worker.address).netloc for worker in workers]


def over_http(state: Path, folder: Path, peer: str) -> list[Row]:
    paths = [f"/api/answer?lat={place.lat}&lon={place.lon}" for place in points()]
    theirs = _peer(peer, [{"lat": place.lat, "lon": place.lon} for place in points()])
    with two_workers(state, folder) as hosts:
        return load("answers over HTTP, 2 processes", (hosts, paths), theirs)


# --- All of it


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3, help="visits for each figure; default: 3")
    parser.add_argument("--without-inline", action="store_true", help="do not make the page of explore()")
    parser.add_argument("--instance", type=Path, help="a full-size instance that is there already")
    parser.add_argument("--state", type=Path, help="the folder of its store; default: a temporary one")
    parser.add_argument("--postgis", default="", help="a store of the same instance in PostGIS")
    parser.add_argument("--tile-peer", default="", help="another server's tiles, with {z}, {x} and {y}")
    parser.add_argument(
        "--area-peer", default="", help="another server's areas at a point, with {lat}, {lon}"
    )
    parser.add_argument("--before", type=Path, help="the folder of another version, for the planner's pages")
    parser.add_argument("--only-gaps", action="store_true", help="measure the planner's pages alone")
    known = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = known.instance or make_instance.make(Path(name) / "full")
        state = known.state or Path(name) / "state"
        for heading, peer, rows in measured(folder, state, Path(name), known):
            print(bench.table(heading, peer, rows), end="\n\n", flush=True)
    return 0


def measured(
    folder: Path, state: Path, spare: Path, known: argparse.Namespace
) -> Iterator[tuple[str, str, list[Row]]]:
    instance = catalog.read_instance(folder)
    with visit.serving(state, folder):
        pass
    pages = first_answers(state, folder, known.before, runs=max(1, known.runs))
    yield "The planner's pages, asked for the first time", "before", pages
    if known.only_gaps:
        return
    with visit.serving(state, folder) as running:
        shelf = Settings(instance=folder, state=state).tiles(instance.key)
        yield "Tiles, 8 connections", "peer", tiled(running, shelf, known.tile_peer)
        rows = views(running, instance, runs=max(1, known.runs), inline=not known.without_inline)
        yield "The map at full size", "`explore()`", rows
    with visit.serving(spare / "real"):
        pass
    yield "Answers in process, Estonia", "none", in_process("answer", spare / "real", visit.INSTANCE, "")
    full = in_process("answer", state, folder, known.postgis)
    yield f"Answers in process, full size, {POINTS} places", "PostGIS", full
    yield "Answers over HTTP, full size, 8 connections", "peer", over_http(state, folder, known.area_peer)


if __name__ == "__main__":
    sys.exit(prepare.ending_well(main))
