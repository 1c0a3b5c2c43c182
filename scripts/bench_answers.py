"""Measures the answer for a place at full size, beside PostGIS and a peer, and prints a Markdown table.

    python scripts/bench_answers.py
    python scripts/bench_answers.py --instance full --state state --seconds 20

Over HTTP wrk asks, which takes little of the cores that it shares with the servers, for random places that
never repeat, over connections that stay open. Ours and the peer answer with two processes each and in turns,
so that a busy machine slows both; the last round counts, and the load average before and after is told.

The peers stand over a PostgreSQL with PostGIS that holds the same data, a private one unless --postgis names
a store that `turvakaart setup` has filled:

* in process, one statement: the areas at the point and the three nearest organisations of each layer, as in
  bench_full.py, and no more;
* over HTTP, tipg with uvicorn: the keys of the areas at the point, without their shapes, and no more; and
  beside it what it can give of the whole question, in two requests: these, and the organisations within some
  20 km, from which the client would have to find the nearest and all the rest.

What is not installed is left out, and said so: apt install wrk postgresql postgis; pip install tipg uvicorn.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
from sqlalchemy.engine import make_url
from werkzeug.test import EnvironBuilder, run_wsgi_app

import bench
import bench_full
import make_instance
import oracle
import prepare
import problems
import visit
from bench import Row
from layers import catalog, imports, store
from layers.geo import Place
from webmap import create_app
from webmap.settings import Settings

WORKERS = 2
OURS = "/api/answer?lat={lat}&lon={lon}"
PEER = "/collections/public.area/items?bbox={lon},{lat},{lon},{lat}&geom-column=none&properties=key&f=json"
AROUND = (
    "/collections/public.body/items?bbox={west},{south},{east},{north}"
    "&properties=key,name,layer&limit=100&f=geojson"
)
PEER_NEEDS = ("tipg", "uvicorn")
_ASK = """
local templates, turn = {TEMPLATES}, 0
math.randomseed(SEED)
wrk.headers["Accept-Encoding"] = "ENCODING"
request = function()
  local lat, lon = 57.6 + 2 * math.random(), 22 + 6 * math.random()
  local at = {lat = lat, lon = lon, west = lon - .35, south = lat - .18, east = lon + .35, north = lat + .18}
  turn = turn % #templates + 1
  local path = templates[turn]:gsub("{(%a+)}", function(name) return string.format("%.5f", at[name]) end)
  return wrk.format("GET", path)
end
done = function(summary, latency)
  local e = summary.errors
  local form = '{"requests": %d, "us": %d, "bytes": %d, "failed": %d, "p50": %d, "p95": %d, "p99": %d}'
  io.write(form:format(
    summary.requests, summary.duration, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Asked:
    """What wrk found: questions answered a second, kB for each, and milliseconds a request by percentile."""

    rate: float
    kb: float
    ms: Mapping[int, float]


def ask(
    address: str, paths: Sequence[str], *, seconds: int, connections: int, seed: int, encoding: str
) -> Asked:
    """Asks for random places for some seconds; a question is one request of each path.

    Raises:
        Problem: an answer did not come, or was an error.
    """
    templates = ", ".join(json.dumps(path) for path in paths)
    script = _ASK.replace("TEMPLATES", templates).replace("SEED", str(seed)).replace("ENCODING", encoding)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ask.lua"
        file.write_text(script, encoding="utf-8")
        line = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "--timeout",
            "30s",
            "-s",
            str(file),
            address,
        ]
        said = subprocess.run(line, check=True, capture_output=True, text=True).stdout
    found = json.loads(said[said.rindex("{") :])
    if found["failed"] or not found["requests"]:
        raise problems.Problem(f"{address}{paths[0]} did not answer every question: {found}.")
    return Asked(
        rate=found["requests"] / len(paths) / (found["us"] / 1e6),
        kb=found["bytes"] / found["requests"] * len(paths) / 1000,
        ms={q: found[f"p{q}"] / 1000 for q in (50, 95, 99)},
    )


# --- The peer


@contextmanager
def filled(address: str, folder: Path) -> Iterator[str]:
    """The address of a PostGIS store of the instance; "" where there is no PostgreSQL."""
    if address:
        yield address
        return
    with ExitStack() as leaving:
        try:
            server = leaving.enter_context(oracle.servers(""))
        except problems.Problem as problem:
            prepare.tell(f"Without PostGIS: {problem}")
            yield ""
            return
        url = server.create()
        engine = store.open_store(url)
        imports.load(engine, catalog.read_instance(folder), now=datetime.now(tz=UTC), tell=lambda plan: None)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
        engine.dispose()
        yield url


def plain(url: str) -> str:
    """A store's address as PostgreSQL's own tools know it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def tipg(url: str) -> Iterator[str]:
    """The address of a running tipg over a PostGIS store; "" where it cannot run."""
    missing = [name for name in PEER_NEEDS if importlib.util.find_spec(name) is None]
    if not url or missing:
        prepare.tell(f"Without tipg{', which needs: pip install ' + ' '.join(missing) if missing else ''}")
        yield ""
        return
    port = visit.free_port()
    line = [sys.executable, "-m", "uvicorn", "tipg.main:app", "--port", str(port), "--workers", str(WORKERS)]
    settings = {"DATABASE_URL": plain(url), "TIPG_DB_SCHEMAS": '["public"]', "TIPG_CATALOG_TTL": "36000"}
    server = subprocess.Popen([*line, "--log-level", "error"], env={**os.environ, **settings})
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(address + PEER.format(lat=58.38, lon=26.72), server)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    latest = time.monotonic() + 60
    while time.monotonic() < latest and server.poll() is None:
        try:
            with urlopen(url, timeout=10) as answer:  # noqa: S310  our own server
                if json.load(answer):
                    return
        except (URLError, ConnectionError):
            time.sleep(0.2)
    raise problems.Problem("tipg did not start, or found no area in Tartu.")


# --- Measured


def whole_request(state: Path, folder: Path) -> list[Row]:
    """The whole request in process, from the query string to the bytes."""
    app = create_app(Settings(instance=folder, state=state))

    def answer(place: Place) -> None:
        environ = environs[place]
        _, status, _ = run_wsgi_app(app, environ, buffered=True)
        if not status.startswith("200"):
            raise problems.Problem(f"{place} was answered with {status}.")

    asked = bench_full.points()
    environs = {
        place: EnvironBuilder(OURS.format(lat=place.lat, lon=place.lon)).get_environ() for place in asked
    }
    for place in asked[:200]:
        answer(place)
    taken = [bench.duration_ms(lambda: answer(place)) for place in asked]  # noqa: B023  called at once
    app.extensions["house"].engine.dispose()
    return [
        (f"the whole request in process: p{q} ms", float(np.percentile(taken, q)), None) for q in (50, 99)
    ]


def over_http(ours: str, peer: str, known: argparse.Namespace) -> list[Row]:
    """Each asked in turns, for other places each time; the last round counts."""
    for turn in range(known.rounds):
        how = {"seconds": known.seconds, "connections": known.connections, "seed": known.seed + turn}
        mine = ask(ours, [OURS], encoding="identity", **how)
        packed = ask(ours, [OURS], encoding="br", **how)
        theirs = ask(peer, [PEER], encoding="identity", **how) if peer else None
        both = ask(peer, [PEER, AROUND], encoding="identity", **how) if peer else None
    words = f"over HTTP, {WORKERS} processes, {known.connections} connections"
    return [
        (f"{words}: answers a second", mine.rate, theirs.rate if theirs else None),
        *((f"{words}: p{q} ms", mine.ms[q], theirs.ms[q] if theirs else None) for q in (50, 95, 99)),
        (f"{words}: kB", mine.kb, theirs.kb if theirs else None),
        ("the same, the peer in two requests: answers a second", mine.rate, both.rate if both else None),
        ("the same, the peer in two requests: kB", mine.kb, both.kb if both else None),
        ("the same, compressed: answers a second", packed.rate, None),
        *((f"the same, compressed: p{q} ms", packed.ms[q], None) for q in (50, 95, 99)),
        ("the same, compressed: kB", packed.kb, None),
    ]


def load_average() -> str:
    return " ".join(f"{each:.1f}" for each in os.getloadavg()) if hasattr(os, "getloadavg") else "not told"


def measured(folder: Path, state: Path, known: argparse.Namespace) -> Iterator[tuple[str, str, list[Row]]]:
    with filled(known.postgis, folder) as url:
        with visit.serving(state, folder):
            pass  # The store is filled.
        rows = bench_full.in_process("the answer in process", state, folder, plain(url) if url else "")
        yield "Answers in process", "PostGIS, one statement", [*rows, *whole_request(state, folder)]
        if shutil.which("wrk") is None:
            prepare.tell("Without answers over HTTP, which wrk asks for: apt install wrk")
            return
        with ExitStack() as running:
            ours = running.enter_context(visit.serving(state, folder, workers=WORKERS))
            peer = running.enter_context(tipg(url))
            yield "Answers over HTTP", "tipg", over_http(ours.address, peer, known)


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instance", type=Path, help="a full-size instance; default: one is made")
    parser.add_argument("--state", type=Path, help="the folder of its store; default: a temporary one")
    parser.add_argument("--postgis", default="", help="a store of the same instance, postgresql+psycopg://…")
    parser.add_argument("--seconds", type=int, default=10, help="of each round; default: 10")
    parser.add_argument("--rounds", type=int, default=2, help="the last one counts; default: 2")
    parser.add_argument("--connections", type=int, default=16, help="default: 16")
    parser.add_argument("--seed", type=int, default=bench.SEED, help="of the places")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    known = options(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = known.instance or make_instance.make(Path(name) / "full")
        print(f"Load average: {load_average()}", flush=True)
        for heading, peer, rows in measured(folder, known.state or Path(name) / "state", known):
            print(bench.table(heading, peer, rows), end="\n\n", flush=True)
        print(f"Load average: {load_average()}")
    return 0


if __name__ == "__main__":
    sys.exit(prepare.ending_well(main))
