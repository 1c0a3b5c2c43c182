"""Measures the country gap (land and people in no area of a layer) beside PostGIS and geopandas.

    python scripts/bench_gaps.py
    python scripts/bench_gaps.py --postgis postgresql://user@host/name --without-overlay

20,000 watch areas as in make_instance.py and cells of 733 m with invented people on Estonia's land, by
municipality. All three are given the same shapes in metres in memory or in an indexed table, and must come to
the same numbers within a billionth. Ours is the best of --runs, each of the peers runs once: they take long.
On a busy machine the seconds of the processors tell more than those of the clock.

* PostGIS: `ST_Union` of the areas, `ST_Subdivide`d and indexed, then intersections; in the server given by
  --postgis or in a private one that is made for this run, as the tests do;
* geopandas: `overlay(how="difference")` of the land, and of the cells' land, without the areas.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import psycopg
import shapely

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # For the tests' private PostGIS.

import make_instance  # noqa: E402
from layers.gaps import land  # noqa: E402
from layers.gaps.demand import Demand  # noqa: E402
from layers.geo import Shapes  # noqa: E402
from tests import conftest  # noqa: E402

SIDE_M = 733  # So that there are 81,000 cells.
EXACT = 1e-9
_SQL = """
CREATE TEMP TABLE united AS
  SELECT (ST_Dump(ST_Union(geom))).geom AS geom FROM watch;
CREATE TEMP TABLE covered AS
  SELECT ST_Subdivide(geom, 128) AS geom FROM united;
CREATE INDEX ON covered USING gist (geom);
ANALYZE covered;
"""
_LAND = """
SELECT zone.code, zone.land_m2 - coalesce(sum(ST_Area(ST_Intersection(zone.geom, covered.geom))), 0)
FROM (SELECT zone.code, ST_Intersection(zone.geom, ground.geom) AS geom,
             ST_Area(ST_Intersection(zone.geom, ground.geom)) AS land_m2
      FROM zone, ground) AS zone
LEFT JOIN covered ON ST_Intersects(zone.geom, covered.geom)
GROUP BY zone.code, zone.land_m2
"""
_PEOPLE = """
SELECT sum(people) - sum(people * covered_m2 / nullif(land_m2, 0)) FROM (
  SELECT cell.id, cell.people, ST_Area(cell.ground) AS land_m2,
         coalesce(sum(ST_Area(ST_Intersection(cell.ground, covered.geom))), 0) AS covered_m2
  FROM (SELECT cell.id, cell.people,
               CASE WHEN ST_Contains(ground.geom, cell.geom) THEN cell.geom
                    ELSE ST_Intersection(cell.geom, ground.geom) END AS ground
        FROM cell, ground) AS cell
  LEFT JOIN covered ON ST_Intersects(cell.ground, covered.geom)
  GROUP BY cell.id, cell.people, cell.ground) AS each
"""


@dataclass(frozen=True)
class World:
    """A country with its areas, zones and people; all in metres."""

    outer: Any
    areas: Shapes
    codes: list[str]
    zones: Shapes
    demand: Demand


@dataclass(frozen=True)
class Result:
    """Who measured, how long it took, and what came out: m² and persons in no area, and m² by zone.

    `processor_s` is what it took of the processors, None where another process did the work.
    """

    who: str
    seconds: float
    processor_s: float | None
    land_m2: float
    people: float
    zones: dict[str, float]


def a_world(areas: int) -> World:
    folder = make_instance.ESTONIA
    towns = make_instance._towns(folder, 4_700)
    outer = make_instance._shapes(folder / "areas" / "odbl" / "land.geojson")[1][0]
    about, shapes = make_instance._shapes(folder / "areas" / "odbl" / "municipalities.geojson")
    now = [i for i, one in enumerate(about) if not one.get("valid_to")]
    codes = [f"{about[i]['code']}-{i}" for i in now]
    chance = np.random.default_rng(make_instance.SEED)
    watch = make_instance._watch_areas(towns, outer, areas, chance)[1]
    return World(outer, watch, codes, shapes[now], _demand(outer, codes, shapes[now], chance))


def _demand(outer: Any, codes: Sequence[str], zones: Shapes, chance: np.random.Generator) -> Demand:
    west, south, east, north = shapely.bounds(outer)
    columns = np.meshgrid(np.arange(west, east, SIDE_M), np.arange(south, north, SIDE_M))
    middles = np.column_stack([one.ravel() for one in columns]) + SIDE_M / 2
    shapely.prepare(outer)
    middles = middles[shapely.contains_xy(outer, *middles.T)]
    people = chance.integers(0, 60, len(middles)).astype(float)
    points: Any = shapely.points(middles)
    nearest = shapely.STRtree(zones).query_nearest(points, all_matches=False)[1]
    keys = tuple(map(str, range(len(middles))))
    density = people / (SIDE_M / 1000) ** 2
    where = {"municipality": tuple(codes[i] for i in nearest)}
    return Demand("cells", keys, keys, middles, people, density, where, np.zeros(len(keys), dtype=bool))


# --- Ours and theirs


def ours(world: World, runs: int) -> Result:
    zones = {"municipality": land.Zones(world.codes, world.zones)}
    times = []
    for _ in range(runs):
        begun, used = time.perf_counter(), time.process_time()
        found = land.uncovered(world.outer, world.areas, world.demand, zones=zones)
        times.append((time.perf_counter() - begun, time.process_time() - used))
    of_zone = {one.code: one.uncovered_m2 for one in found[1:] if one.code}
    return Result("Turvakaart", *min(times), found[0].uncovered_m2, found[0].uncovered_people, of_zone)


def geopandas_overlay(world: World) -> Result:
    cells = np.asarray(shapely.box(*land.squares(world.demand).T), dtype=object)
    lived = world.demand.people > 0
    areas = gpd.GeoDataFrame(geometry=world.areas)
    begun, used = time.perf_counter(), time.process_time()
    whole = gpd.GeoDataFrame(geometry=[world.outer])
    left = gpd.overlay(whole, areas, how="difference")
    zones = gpd.GeoDataFrame({"code": world.codes}, geometry=world.zones)
    by_zone = gpd.overlay(zones, left, how="intersection", keep_geom_type=True)
    squares = gpd.GeoDataFrame({"cell": np.flatnonzero(lived)}, geometry=cells[lived])
    on_land = gpd.overlay(squares, whole, how="intersection", keep_geom_type=True)
    remain = gpd.overlay(on_land, areas, how="difference")
    part = remain.area.groupby(remain["cell"]).sum() / on_land.area.groupby(on_land["cell"]).sum()
    part = part.fillna(0)
    people = float((world.demand.people[part.index] * part.to_numpy()).sum())
    sizes = by_zone.area.groupby(by_zone["code"]).sum()
    seconds, processor_s = time.perf_counter() - begun, time.process_time() - used
    return Result(
        "geopandas overlay",
        seconds,
        processor_s,
        float(left.area.sum()),
        people,
        {str(code): float(size) for code, size in sizes.items()},
    )


def postgis(world: World, url: str) -> Result:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS postgis")
        _fill(connection, "watch", world.areas)
        _fill(connection, "ground", [world.outer])
        _fill(connection, "zone", world.zones, code=world.codes)
        lived = world.demand.people > 0
        cells: Any = shapely.box(*land.squares(world.demand)[lived].T)
        _fill(connection, "cell", cells, people=world.demand.people[lived])
        begun = time.perf_counter()
        connection.execute(_SQL)
        zones = {str(code): float(left) for code, left in connection.execute(_LAND).fetchall()}
        people = connection.execute(_PEOPLE).fetchone()
        whole = connection.execute(
            "SELECT ST_Area(geom) - (SELECT sum(ST_Area(ST_Intersection(covered.geom, ground.geom)))"
            " FROM covered) FROM ground"
        ).fetchone()
        seconds = time.perf_counter() - begun
    if people is None or whole is None:
        raise LookupError("PostGIS gave no numbers.")
    return Result("PostGIS", seconds, None, whole[0], people[0], zones)


def _fill(connection: psycopg.Connection[Any], table: str, shapes: Any, **column: Any) -> None:
    name, values = next(iter(column.items()), ("code", [""] * len(shapes)))
    kind = "text" if isinstance(values[0], str) else "float"
    connection.execute(f"CREATE TEMP TABLE {table} (id serial, {name} {kind}, geom geometry)".encode())
    wkbs = shapely.to_wkb(np.asarray(shapes, dtype=object), hex=True)
    with connection.cursor().copy(f"COPY {table} ({name}, geom) FROM STDIN".encode()) as copy:
        for value, wkb in zip(values, wkbs, strict=True):
            copy.write_row((value, wkb))
    connection.execute(f"CREATE INDEX ON {table} USING gist (geom); ANALYZE {table}".encode())


@contextmanager
def a_server(url: str) -> Iterator[str]:
    """The given server's address, or that of a private one; "" where PostGIS is not installed."""
    if url:
        yield url
        return
    tools = conftest._tools()
    if tools is None:
        yield ""
        return
    for server in conftest._private_cluster(tools):
        made = server.create()
        yield made
        server.drop(made)


def same(one: Result, other: Result) -> None:
    """Raises ValueError unless both came to the same numbers."""
    pairs = [(one.land_m2, other.land_m2), (one.people, other.people)]
    pairs += [(one.zones[code], other.zones[code]) for code in one.zones]
    worst = max(abs(a - b) / max(abs(a), 1.0) for a, b in pairs)
    if worst > EXACT:
        raise ValueError(f"{one.who} and {other.who} differ by {worst:.1e}.")


def table(results: Sequence[Result]) -> str:
    """The results in Markdown, with how many times as long each took as the first."""
    lines = [
        "| | seconds | of the processors | times as long | km² in no area | people in no area |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.who} | {one.seconds:.2f} | {_told(one.processor_s)} "
        f"| {one.seconds / results[0].seconds:.1f} "
        f"| {one.land_m2 / 1e6:,.6f} | {one.people:,.4f} |"
        for one in results
    ]
    return "\n".join(lines)


def _told(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--areas", type=int, default=20_000, help="how many watch areas (default: 20000)")
    parser.add_argument("--runs", type=int, default=5, help="how often ours runs (default: 5)")
    parser.add_argument("--postgis", default="", help="the address of a server; otherwise a private one")
    parser.add_argument(
        "--without-overlay", action="store_true", help="leave geopandas out: it takes minutes"
    )
    options = parser.parse_args()
    if options.areas < 1 or options.runs < 1:
        parser.error("--areas and --runs are whole numbers from 1 on.")
    world = a_world(options.areas)
    results = [ours(world, options.runs)]
    peers: list[Callable[[], Result]] = []
    if not options.without_overlay:
        peers.append(lambda: geopandas_overlay(world))
    with a_server(options.postgis) as url:
        if url:
            peers.insert(0, lambda: postgis(world, url))
        else:
            print(f"Without PostGIS. {conftest.NO_POSTGIS}", file=sys.stderr)
        for measure in peers:
            results.append(measure())
            same(results[0], results[-1])
    print(f"{len(world.demand):,} cells, {len(world.areas):,} areas, {len(world.codes)} zones.")
    print(
        f"shapely {shapely.__version__}, GEOS {shapely.geos_version_string}, {os.cpu_count()} processors.\n"
    )
    print(table(results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
