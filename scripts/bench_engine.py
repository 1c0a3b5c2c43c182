"""Measures the country gap on several processes beside one: the same numbers, seconds, memory, work by cells.

    python scripts/bench_engine.py
    python scripts/bench_engine.py --engine 2 --part 200000 --grown 1,2,4

The world is that of bench_gaps.py: 20,000 watch areas and 81,000 squares of Estonia. For the growth, squares
and areas are laid beside each other as often as asked, each copy as far away as the country is wide.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely

import bench_gaps
from layers.gaps import cluster, land
from layers.gaps.cluster import Options
from layers.gaps.demand import Demand
from layers.gaps.parts import InARow, Runner


class Counted:
    """A runner that notes parts and work while another one runs."""

    def __init__(self, runner: Runner) -> None:
        self.runner, self.size, self.parts, self.work = runner, runner.size, 0, 0

    def each(self, work: Callable[[Any, Any], Any], common: Any, parts: Iterable[Any]) -> Iterator[Any]:
        for answer in self.runner.each(work, common, parts):
            self.parts += 1
            self.work += sum(one.work for one in answer)
            yield answer


def grown(world: bench_gaps.World, times: int) -> bench_gaps.World:
    """The world so many times beside itself; with one set of zones."""
    west, _, east, _ = shapely.bounds(world.outer)
    steps = [k * (east - west + 1000) for k in range(times)]
    people = world.demand
    keys = tuple(map(str, range(len(people) * times)))
    demand = Demand(
        people.basis,
        keys,
        keys,
        np.concatenate([np.add(people.points, (step, 0)) for step in steps]),
        np.tile(people.people, times),
        np.tile(people.density_km2, times),
        {kind: codes * times for kind, codes in people.zones.items()},
        np.tile(people.estimated, times),
    )
    moved = [_shifted(world.areas, step) for step in steps]
    outers = [_shifted(world.outer, step) for step in steps]
    outer = shapely.multipolygons(np.concatenate([shapely.get_parts(one) for one in outers]))
    return bench_gaps.World(outer, np.concatenate(moved), world.codes, world.zones, demand)


def _shifted(shapes: Any, east_m: float) -> Any:
    def shift(at: Any) -> Any:
        return np.add(at, (east_m, 0))

    return shapely.transform(shapes, shift)


def ask(world: bench_gaps.World, runner: Runner) -> tuple[Any, float]:
    zones = {"municipality": land.Zones(world.codes, world.zones)}
    begun = time.perf_counter()
    found = land.uncovered(world.outer, world.areas, world.demand, zones=zones, runner=runner)
    return found, time.perf_counter() - begun


def _peak_mb() -> float:
    # What getrusage tells includes the process from which this one was started.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def peaks_mb(runner: Any) -> list[int]:
    """The most memory that each worker has held so far."""
    return sorted(round(one) for one in runner.client.run(_peak_mb).values())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", default="2", help="processes, or a scheduler's address (default: 2)")
    parser.add_argument("--part", default="100000,200000", help="sizes of a part (default: 100000,200000)")
    parser.add_argument("--areas", type=int, default=20_000, help="how many watch areas (default: 20000)")
    parser.add_argument("--grown", default="1,2,4", help="how many times the country (default: 1,2,4)")
    parser.add_argument("--lose", action="store_true", help="kill a worker in the middle as well")
    options = parser.parse_args()
    world = bench_gaps.a_world(options.areas)
    print("| who | part | cells | parts | seconds | peak MB | work | work/cell | equal |")
    print("|---|---|---|---|---|---|---|---|---|")
    for times in (int(one) for one in options.grown.split(",")):
        more = grown(world, times)
        cells = len(more.demand)
        alone = Counted(InARow())
        whole, seconds = ask(more, alone)
        print(
            f"| one process | all | {cells:,} | 1 | {seconds:.1f} | {_peak_mb():.0f} | {alone.work:,} "
            f"| {alone.work / cells:.1f} | |",
            flush=True,
        )
        for size in (int(one) for one in options.part.split(",")):
            with cluster.opened(Options(options.engine, size=size)) as workers:
                counted = Counted(workers)
                empty = peaks_mb(workers)
                found, seconds = ask(more, counted)
                print(
                    f"| engine {options.engine} | {size:,} | {cells:,} | {counted.parts} | {seconds:.1f} "
                    f"| {peaks_mb(workers)} (idle {empty}) | {counted.work:,} | {counted.work / cells:.1f} "
                    f"| {found == whole} |",
                    flush=True,
                )
                if options.lose:
                    _lose(workers, more, whole, seconds)
    return 0


def _lose(workers: Any, world: bench_gaps.World, whole: Any, seconds: float) -> None:
    lost = min(workers.client.run(os.getpid).values())
    timer = threading.Timer(seconds / 2, os.kill, (lost, 9))
    timer.start()
    found, seconds = ask(world, workers)
    timer.join()
    print(f"|   one killed in the middle | | | | {seconds:.1f} | | | | {found == whole} |", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
