"""Asks Turvakaart many questions about places and compares each whole answer with that of an oracle.

    python scripts/oracle.py --cases 100000 --seed 1

The oracle (tests/layers/oracle.py) looks at every row, without index or snapshot. A case is a place and a
day, answered from a snapshot of each store. Batches are of Estonia and of invented worlds in turn, which
have every kind of border, corner, hole and island. What the oracle finds at a place serves all its days.
Without --postgis a private PostgreSQL with PostGIS is started.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from pprint import pformat
from random import Random

import shapely
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import prepare
import problems
from layers import answers, catalog, geo, imports, places, snapshot, store
from layers.answers import Answer
from layers.catalog import Instance
from layers.geo import Place
from layers.snapshot import Snapshot

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # The tests are not installed.

from tests import conftest  # noqa: E402
from tests.layers import oracle, worlds  # noqa: E402

ESTONIA = ROOT / "data" / "ee"
ESTONIAN = ("estonia-sqlite", "estonia-postgis")
INVENTED = ("invented-sqlite", "invented-postgis")
PLACES, DAYS = 125, 8
BATCH = PLACES * DAYS
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Asked:
    """One world in every store: sessions and snapshots by the store's name, and its rows for the oracle."""

    instance: Instance
    sessions: dict[str, Session]
    snapshots: dict[str, Snapshot]
    world: oracle.World


# --- Stores


@contextmanager
def servers(address: str) -> Iterator[conftest.Server]:
    """The server at an address, else a private one."""
    if address:
        yield conftest.Server(address)
        return
    tools = conftest._tools()
    if tools is None:
        raise problems.Problem(f"{conftest.NO_POSTGIS}, or name a server with --postgis.")
    with contextmanager(conftest._private_cluster)(tools) as server:
        yield server


@contextmanager
def stores(address: str) -> Iterator[dict[str, Engine]]:
    """Two pairs of new stores, for Estonia and for invented worlds."""
    with ExitStack() as leaving:
        server = leaving.enter_context(servers(address))
        folder = Path(leaving.enter_context(tempfile.TemporaryDirectory()))
        found = {}
        for name in (*ESTONIAN, *INVENTED):
            address = f"sqlite:///{folder / name}"
            if name.endswith("postgis"):
                address = server.create()
                leaving.callback(server.drop, address)
            found[name] = store.open_store(address)
            leaving.callback(found[name].dispose)
        yield found


def asked(instance: Instance, sessions: dict[str, Session], kinds: Sequence[str]) -> Asked:
    """Snapshots of every store; the oracle reads the first."""
    taken = {name: snapshot.take(session, kinds) for name, session in sessions.items()}
    world = oracle.read(next(iter(sessions.values())), kinds, srid=instance.metric_crs)
    return Asked(instance, sessions, taken, world)


# --- Places and days of Estonia


@dataclass(frozen=True)
class Country:
    """What a place is drawn from: corners of borders, islands, points of settlements and organisations."""

    corners: Sequence[tuple[float, float]]
    islands: Sequence[shapely.Geometry]
    points: Sequence[Place]
    days: Sequence[date]
    bounds: tuple[float, float, float, float]
    srid: int

    def place(self, chance: Random) -> Place:
        kind = chance.randint(0, 5)
        if kind == 0:
            return chance.choice(self.points)
        if kind < 3:
            return self._degrees(*chance.choice(self.corners))
        if kind == 3:
            west, south, east, north = shapely.bounds(chance.choice(self.islands))
            return self._degrees(chance.uniform(west, east), chance.uniform(south, north))
        west, south, east, north = self.bounds
        return Place(lon=chance.uniform(west - 1, east + 1), lat=chance.uniform(south - 1, north + 1))

    def _degrees(self, x: float, y: float) -> Place:
        point = geo.to_degrees([shapely.Point(x, y)], srid=self.srid)[0]
        return Place(lon=point.x, lat=point.y)


def country(asked: Asked) -> Country:
    (known, *_), (session, *_) = asked.snapshots.values(), asked.sessions.values()
    parts = [part for shape in known.shapes for part in shapely.get_parts(shape)]
    corners = [tuple(found) for found in shapely.get_coordinates(known.shapes)]
    settlements = places.settlements(session, as_of=NOW.date())
    turns = [
        getattr(fact, name)
        for fact in (*known.bodies, *known.areas)
        for name in ("valid_from", "valid_to")
        if getattr(fact, name)
    ]
    turns += [case.period_from for case in known.cases if case.period_from]
    first = sorted({date.fromisoformat(f"{turn}-01-01"[:10]) for turn in turns})
    return Country(
        corners=corners,
        islands=sorted(parts, key=shapely.area)[: len(parts) // 2],
        points=[
            *(each.place for each in settlements),
            *(body.place for body in known.bodies if body.place),
        ],
        days=[*first, *(day - timedelta(days=1) for day in first), NOW.date(), date.min, date.max],
        bounds=asked.instance.bounds,
        srid=known.srid,
    )


# --- Cases


def check(asked: Asked, place: Place, days: Sequence[date]) -> None:
    """Raises a Problem with the whole case at the first answer that is not the oracle's."""
    there = oracle.Ground(asked.world, lon=place.lon, lat=place.lat)
    for day in days:
        wanted = oracle.answer(there, asked.instance.roles, day)
        found = {
            name: answers.answer(known, asked.instance, place=place, as_of=day)
            for name, known in asked.snapshots.items()
        }
        for name, each in found.items():
            if oracle.told(each) != wanted:
                raise disagreement(asked, name, place, day, each, wanted)
        first, *others = found.values()
        if any(each != first for each in others):
            raise problems.Problem(f"The stores do not agree about {place} on {day}.\n{pformat(found)}")
    check_rows(asked, there, place, days[0])


def check_rows(asked: Asked, there: oracle.Ground, place: Place, day: date) -> None:
    """The areas at a place through SQL, beside those of the oracle."""
    wanted = oracle.areas_at(there, day)
    kinds = {row["kind"] for row in asked.world.areas}
    for name, session in asked.sessions.items():
        here = [a for a in places.areas_at(session, place, as_of=day) if a.kind in kinds]
        if [(area.key, area.valid_from) for area in here] != wanted:
            raise problems.Problem(f"{name}: areas at {place} on {day} through SQL:\n{here}\n{wanted}")


def disagreement(
    asked: Asked, name: str, place: Place, day: date, found: Answer, wanted: oracle.Told
) -> problems.Problem:
    told = oracle.told(found)
    parts = [key for key in wanted if told[key] != wanted[key]]
    rows = {"areas": asked.world.areas, "bodies": asked.world.bodies, "cases": asked.world.cases}
    small = sum(map(len, rows.values())) < 100
    return problems.Problem(
        f"{name}: {place!r} on {day}: {', '.join(parts)} differ.\n"
        f"found {pformat(told)}\noracle {pformat(wanted)}\n" + (f"world {pformat(rows)}" if small else "")
    )


def estonian_batch(asked: Asked, land: Country, chance: Random) -> None:
    for _ in range(PLACES):
        check(asked, land.place(chance), chance.sample(land.days, DAYS))


def invented_batch(engines: dict[str, Engine], seed: int, number: int) -> None:
    """A new world in every store, asked and undone."""
    instance, chance = worlds.an_instance(), Random(f"{seed} {number} places")  # noqa: S311
    with ExitStack() as leaving:
        sessions = {
            name: leaving.enter_context(store.writing(engine, srid=instance.metric_crs))
            for name, engine in engines.items()
        }
        made, *_ = [
            worlds.write(session, Random(f"{seed} {number}"))  # noqa: S311
            for session in sessions.values()
        ]
        found = asked(instance, sessions, worlds.KINDS)
        for _ in range(PLACES):
            check(found, made.place(chance), chance.sample(worlds.DAYS, DAYS))


# --- All of it


def run(address: str, *, cases: int, seed: int) -> None:
    with stores(address) as engines, ExitStack() as leaving:
        instance = catalog.read_instance(ESTONIA)
        sessions = {}
        for name in ESTONIAN:
            imports.load(engines[name], instance, now=NOW)
            reading = store.reading(engines[name], srid=instance.metric_crs)
            sessions[name] = leaving.enter_context(reading)
        for name in INVENTED:
            store.set_up(engines[name])
        kinds = sorted({layer.kind for layer in instance.layers_of("areas")} | {"neighbour"})
        estonia = asked(instance, sessions, kinds)
        land = country(estonia)
        begun, chance = time.perf_counter(), Random(seed)  # noqa: S311
        for number in range(-(-cases // BATCH)):
            if number % 2:
                invented_batch({name: engines[name] for name in INVENTED}, seed, number)
            else:
                estonian_batch(estonia, land, chance)
            took_s = time.perf_counter() - begun
            print(f"{(number + 1) * BATCH:,} cases agree on both stores after {took_s:,.0f} s", flush=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Compares answers for places with those of an oracle.")
    parser.add_argument("--cases", type=int, default=100_000, help="rounded up to whole thousands")
    parser.add_argument("--seed", type=int, default=1, help="another one asks other questions; default: 1")
    parser.add_argument(
        "--postgis",
        default=os.environ.get("TEST_POSTGIS_URL", ""),
        help="a database on a server where others may be made; default: TEST_POSTGIS_URL, else a private one",
    )
    known = parser.parse_args(arguments)
    print(f"Seed {known.seed}", flush=True)
    run(known.postgis, cases=known.cases, seed=known.seed)
    return 0


if __name__ == "__main__":
    sys.exit(prepare.ending_well(main))
