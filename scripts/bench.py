"""Measures Turvakaart beside what one would do without it, and prints Markdown tables. Judges nothing.

The figures of the first view and of the start are medians of --runs, those of the server medians of twenty,
and the questions are one pass over the same random places. Ours and the peer's visits and questions
alternate, so that a busy machine slows both; the peer's page is made once.
A visit has an empty cache, and each site is visited once before it counts. "Drawn" is defined by
`visit.drawn_ms`, "kB" is what DevTools counts as received (compressed, with headers), the heap is what is
left after a garbage collection. The phone has a processor four times slower, 9 Mbit/s and 170 ms latency.

The peers, and how they are helped, are in peers.py.
"""

from __future__ import annotations

import argparse
import difflib
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import numpy as np
import shapely
from flask.testing import FlaskClient
from playwright.sync_api import Browser, CDPSession, Page
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

import peers
import prepare
import problems
import visit
from layers import catalog, nearby, places, search, store
from layers.catalog import Instance
from layers.geo import Place
from layers.letters import fold
from webmap import create_app, maps
from webmap.settings import Settings

README = visit.ROOT / "README.md"
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
SCREENS = {
    "desktop": visit.Screen(1366, 900),
    "phone": visit.Screen(412, 860, scale=2, phone=True),
}
SLOW_NETWORK = {
    "offline": False,
    "latency": 170,
    "downloadThroughput": 9_000_000 / 8,
    "uploadThroughput": 9_000_000 / 8,
}
POINTS = 500
SEED = 20_261_122

Figures = dict[str, float]
Row = tuple[str, float, float | None]
"""What was measured, ours, the peer's."""


# --- The first view


FIRST_VIEW = {
    "kb": "kB on the wire",
    "requests": "requests",
    "strangers": "of them to other hosts",
    "drawn_ms": "ms until drawn",
    "heap_mb": "MB of JavaScript heap",
}


class Wire:
    """What a page receives. A request below /elsewhere/ stands for one to another host."""

    def __init__(self, session: CDPSession, host: str) -> None:
        self._host = host
        self._asked: dict[str, str] = {}
        self._sizes: dict[str, float] = {}
        session.on("Network.requestWillBeSent", self._ask)
        session.on("Network.loadingFinished", self._receive)
        session.send("Network.enable")

    def _ask(self, event: dict[str, Any]) -> None:
        if event["request"]["url"].startswith("http"):
            self._asked[event["requestId"]] = event["request"]["url"]

    def _receive(self, event: dict[str, Any]) -> None:
        if event["requestId"] in self._asked:
            self._sizes[event["requestId"]] = event["encodedDataLength"]

    def figures(self) -> Figures:
        addresses = [urlsplit(url) for url in self._asked.values()]
        strangers = [a for a in addresses if a.netloc != self._host or a.path.startswith("/elsewhere/")]
        received = sum(self._sizes.values()) / 1000
        return {"kb": received, "requests": len(addresses), "strangers": len(strangers)}


def first_view(browser: Browser, site: visit.Site, screen: visit.Screen) -> Figures:
    with visit.window(browser, site, screen) as page:
        session = page.context.new_cdp_session(page)
        wire = Wire(session, urlsplit(site.address).netloc)
        if screen.phone:
            session.send("Network.emulateNetworkConditions", SLOW_NETWORK)
            session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
        page.goto(site.address)
        drawn_ms = visit.drawn_ms(page)
        page.wait_for_load_state("networkidle")
        if not visit.painted(page):
            raise problems.Problem(f"{site.address} drew nothing.")
        return {**wire.figures(), "drawn_ms": drawn_ms, "heap_mb": heap_mb(session, page)}


def heap_mb(session: CDPSession, page: Page) -> float:
    session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    session.send("Performance.enable")
    page.wait_for_timeout(200)
    session.send("HeapProfiler.collectGarbage")
    found = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in found if each["name"] == "JSHeapUsedSize")) / 1e6


def first_views(browser: Browser, sites: Mapping[str, visit.Site], *, runs: int) -> list[Row]:
    seen: dict[tuple[str, str], list[Figures]] = {}
    for site in sites.values():
        first_view(browser, site, SCREENS["desktop"])
    for _ in range(runs):
        for screen in SCREENS:
            for name, site in sites.items():
                found = first_view(browser, site, SCREENS[screen])
                seen.setdefault((screen, name), []).append(found)
    return [
        (f"{screen}: {words}", middle(seen[screen, "ours"], key), middle(seen.get((screen, "peer"), []), key))
        for screen in SCREENS
        for key, words in FIRST_VIEW.items()
    ]


def middle(found: Sequence[Figures], key: str) -> Any:
    return median(each[key] for each in found) if found else None


# --- The page on the server


def page_on_server(client: FlaskClient, peer: peers.Explored | None, *, runs: int) -> list[Row]:
    """The map's script, how long Folium takes to make it, and how long the whole page takes."""
    # The page's own arguments are caught on their way, so that what is timed is what it does.
    with mock.patch.object(maps, "draw", wraps=maps.draw) as draw:
        client.get("/et/")
    asked = draw.call_args
    script = maps.draw(*asked.args, **asked.kwargs).script
    make_ms = timed_ms(lambda: maps.draw(*asked.args, **asked.kwargs), runs)
    whole_ms = timed_ms(lambda: client.get("/et/"), runs)
    return [
        ("server: bytes of the map's script", len(script.encode()), None),
        ("server: ms to make the map with Folium", make_ms, None),
        ("server: ms to make the whole page", whole_ms, peer.made_ms if peer else None),
    ]


def timed_ms(work: Callable[[], object], runs: int) -> float:
    return median(duration_ms(work) for _ in range(runs))


def duration_ms(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun)


# --- Questions


def places_on(land: BaseGeometry, count: int) -> list[Place]:
    """Random places on land, the same at each call."""
    chance = np.random.default_rng(SEED)
    west, south, east, north = land.bounds
    found: list[Place] = []
    while len(found) < count:
        place = Place(lon=float(chance.uniform(west, east)), lat=float(chance.uniform(south, north)))
        if land.contains(place.point()):
            found.append(place)
    return found


def questions(session: Session, instance: Instance, *, as_of: date) -> list[Row]:
    scan = peers.scan_of(session, instance, as_of=as_of)
    land = shapely.union_all([shape for _, shape in places.shapes(session, "land", as_of=as_of)])
    asked = places_on(land, POINTS)
    layers = [layer.key for layer in instance.layers_of("bodies")]
    by_turns = [(place, layers[i % len(layers)]) for i, place in enumerate(asked)]
    check_agreement(session, scan, asked, as_of=as_of)

    def partners(place: Place) -> None:
        for layer in layers:
            nearby.partners(session, place=place, layer=layer, as_of=as_of)

    def scanned(place: Place) -> None:
        for layer in layers:
            scan.partners(place, layer)

    return [
        *compared(
            "areas at a place", asked, lambda p: places.areas_at(session, p, as_of=as_of), scan.areas_at
        ),
        *compared(f"partners around a place, {len(layers)} layers", asked, partners, scanned),
        *compared(
            "a layer's organisations",
            by_turns,
            lambda pair: places.bodies(session, layer=pair[1], as_of=as_of),
            lambda pair: scan.of_layer(pair[1]),
        ),
        *searches(session, instance, as_of=as_of),
    ]


def searches(session: Session, instance: Instance, *, as_of: date) -> list[Row]:
    """Names of settlements with a letter left out; the peer looks for names alike as Python itself does."""
    names = search.index(session, [layer.kind for layer in instance.layers_of("areas")], as_of=as_of)
    towns = [town.name for town in places.settlements(session, as_of=as_of)]
    asked = [name[: i % 3 + 2] + name[i % 3 + 3 :] for i, name in enumerate(towns[:: len(towns) // POINTS])]
    known = [fold(name) for name in towns]
    return compared(
        "a name with a slip",
        asked,
        lambda text: search.find(names, text),
        lambda text: difflib.get_close_matches(fold(text), known, n=8, cutoff=0.78),
    )


def check_agreement(session: Session, scan: peers.Scan, asked: Sequence[Place], *, as_of: date) -> None:
    for place in asked:
        if {area.key for area in places.areas_at(session, place, as_of=as_of)} != scan.areas_at(place):
            raise problems.Problem(f"Turvakaart and the scan do not agree about {place}.")


def compared(
    words: str, asked: Sequence[Any], ours: Callable[[Any], object], peer: Callable[[Any], object]
) -> list[Row]:
    """Two rows, the median and the slowest hundredth; ours and the peer's answer in turns."""
    mine, theirs = [], []
    for each in asked:
        mine.append(duration_ms(lambda: ours(each)))  # noqa: B023  called at once
        theirs.append(duration_ms(lambda: peer(each)))  # noqa: B023  called at once
    return [
        (f"{words}: {name}", float(np.percentile(mine, q)), float(np.percentile(theirs, q)))
        for name, q in (("p50 ms", 50), ("p99 ms", 99))
    ]


# --- All of it


Table = tuple[str, str, list[Row]]
"""Its heading, the peer's name, its rows."""


def measured(state: Path, *, runs: int) -> tuple[str, list[Table]]:
    """The browser's version and the tables."""
    settings = Settings(instance=visit.INSTANCE, state=state)
    instance = catalog.read_instance(settings.instance)
    with visit.serving(state) as running, visit.chromium() as browser:
        client = create_app(settings).test_client()
        page = peers.explored_page(client, instance)
        views = beside(browser, running, page, runs=runs)
        version = browser.version
    server = page_on_server(client, page, runs=20)
    start = ("server: s from the command to the first page, store ready", start_again_s(state, runs), None)
    answers = answered(settings.store_url(instance.key), instance)
    return version, [
        ("The map", "`explore()`", [*views, *server, start]),
        (f"Questions, {POINTS} places", "scan in memory", answers),
    ]


def beside(browser: Browser, running: visit.Running, page: peers.Explored | None, *, runs: int) -> list[Row]:
    ours = {"ours": visit.Site(f"{running.address}/et/")}
    if page is None:
        return first_views(browser, ours, runs=runs)
    with peers.exploring(page.html) as peer:
        return first_views(browser, {**ours, "peer": peer}, runs=runs)


def start_again_s(state: Path, runs: int) -> float:
    found = []
    for _ in range(runs):
        with visit.serving(state) as running:
            found.append(running.started_s)
    return median(found)


def answered(url: str, instance: Instance) -> list[Row]:
    engine = store.open_store(url)
    try:
        with store.reading(engine, srid=instance.metric_crs) as session:
            return questions(session, instance, as_of=datetime.now(tz=UTC).date())
    finally:
        engine.dispose()


def table(heading: str, peer: str, rows: Sequence[Row]) -> str:
    lines = [f"| {heading} | Turvakaart | {peer} | {peer} / Turvakaart |", "| --- | ---: | ---: | ---: |"]
    for words, ours, theirs in rows:
        ratio = f"{theirs / ours:.1f}" if theirs is not None and ours else "–"
        lines.append(f"| {words} | {shown(ours)} | {shown(theirs)} | {ratio} |")
    return "\n".join(lines)


def shown(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def report(version: str, tables: Sequence[Table], *, runs: int) -> str:
    said = f"Measured on {machine()}, Chromium {version}; visits: median of {runs}."
    return "\n\n".join([said, *(table(*each) for each in tables)])


def machine() -> str:
    """The day, and what this machine is."""
    day = datetime.now(tz=UTC).date().isoformat()
    return f"{day}: {os.cpu_count()} cores, Python {platform.python_version()}"


def write(text: str, file: Path, *, marks: tuple[str, str] = (BEGIN, END)) -> None:
    """Puts the text between the markers of a Markdown file."""
    begin, end = marks
    there = file.read_text(encoding="utf-8") if file.is_file() else ""
    if begin not in there or end not in there:
        raise problems.Problem(f"{file.name} has no place for the table: it needs {begin} and {end}.")
    before, rest = there.split(begin, 1)
    after = rest.split(end, 1)[1]
    file.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Measures Turvakaart and prints Markdown tables.")
    parser.add_argument("--runs", type=int, default=5, help="visits for each figure; default: 5")
    parser.add_argument("--quick", action="store_true", help="one run")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    known = parser.parse_args(arguments)
    runs = 1 if known.quick else max(1, known.runs)
    with tempfile.TemporaryDirectory() as state:
        text = report(*measured(Path(state), runs=runs), runs=runs)
    print(text)
    if known.write:
        write(text, README)
    return 0


if __name__ == "__main__":
    sys.exit(prepare.ending_well(main))
