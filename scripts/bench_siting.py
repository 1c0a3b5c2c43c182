"""Measures siting on an invented country beside PySAL's spopt, and on the p-medians of the OR-Library.

Prints Markdown tables and judges nothing. Ours and spopt answer the same question in turn; spopt (extra
`bench`) is left out where it is not installed, and --no-peer leaves it out too, as it takes minutes. A time
is from the table of costs to the checked plan, for spopt from the table to its answer. The processor's time
of ours is told as well, because other work on the machine does not change it much.
"""

import argparse
import importlib.util
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from layers.gaps import siting
from layers.gaps.siting.plans import Plan

ROOT = Path(__file__).resolve().parents[1]
OPTIMA = ROOT.parent / "shared" / "data" / "optima"
KNOWN = {1: 5819, 2: 4093, 3: 4250, 4: 3034}
RADIUS_M = 10_000.0
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Timed:
    """`cpu_s` counts our process and those that it started."""

    value: float
    wall_s: float
    cpu_s: float
    note: str = ""


def main() -> int:
    options = _options()
    print(f"{_day()}: {os.cpu_count()} cores, Python {platform.python_version()}, one run.\n")
    cost, people = country(options.places, options.sites)
    has_peer = importlib.util.find_spec("spopt") is not None and not options.no_peer
    print(f"### MCLP, {options.places:,} places × {options.sites:,} sites, 10 km\n")
    table(
        ["p", "covered", "bound", "at once", "proven", "processor", f"spopt {_version()}", "times as long"],
        (_mclp(cost, people, p, has_peer) for p in options.p),
    )
    if not has_peer:
        print("\nspopt was not measured: it is not installed (extra `bench`), or was left out.")
    print("\n### p-median, OR-Library\n")
    if not OPTIMA.is_dir():
        print("The instances are not here.")
        return 0
    table(
        ["instance", "published", "found", "bound", "proven", "at once", "all", "processor"],
        (_median(number) for number in KNOWN),
    )
    return 0


def country(places: int, sites: int) -> tuple[Floats, Floats]:
    """Metres between places and the first of them as sites, in a country of 330 × 220 km, and its people.

    People are heavy-tailed, 1.33 million in all, and the places lie in clusters as villages do.
    """
    chance = np.random.default_rng(20_261_122)
    towns = chance.random((60, 2)) * [330_000, 220_000]
    at = towns[chance.integers(0, len(towns), places)] + chance.normal(0, 15_000, (places, 2))
    is_far = chance.random(places) < 0.5
    at[is_far] = chance.random((int(is_far.sum()), 2)) * [330_000, 220_000]
    heavy = chance.pareto(1.1, places) + 0.1
    people = np.maximum(1, np.rint(heavy / heavy.sum() * 1_330_000))
    return np.linalg.norm(at[:, None] - at[None, :sites], axis=2), people


def _mclp(cost: Floats, people: Floats, p: int, has_peer: bool) -> Iterable[str]:
    quick = timed(lambda: siting.mclp(cost, people, p=p, within=RADIUS_M, exact=False))
    ours = timed(lambda: siting.mclp(cost, people, p=p, within=RADIUS_M, time_limit_s=120))
    peer = timed_peer(cost, people, p) if has_peer else None
    if peer and peer.value != ours.value:
        print(f"spopt covers {peer.value:,.0f} for p = {p}, ours {ours.value:,.0f}.", file=sys.stderr)
    yield from (f"{p}", f"{ours.value:,.0f}", ours.note, f"{quick.wall_s * 1000:.0f} ms")
    yield from (f"{ours.wall_s:.2f} s", f"{ours.cpu_s:.2f} s")
    yield from (f"{peer.wall_s:.1f} s", f"{peer.wall_s / ours.wall_s:.0f}") if peer else ("", "")


def _median(number: int) -> Iterable[str]:
    cost, p = pmed(number)
    quick = timed(lambda: siting.p_median(cost, p=p, exact=False))
    ours = timed(lambda: siting.p_median(cost, p=p))
    yield from (f"pmed{number}", f"{KNOWN[number]:,}", f"{ours.value:,.0f}", ours.note)
    yield from ("yes" if ours.note == f"{ours.value:,.0f}" else "no", f"{quick.wall_s * 1000:.0f} ms")
    yield from (f"{ours.wall_s:.2f} s", f"{ours.cpu_s:.2f} s")


def pmed(number: int) -> tuple[Floats, int]:
    """Shortest ways of an instance and its p; of an edge that comes twice the last cost holds."""
    lines = [line.split() for line in (OPTIMA / f"pmed{number}.txt").read_text().splitlines() if line.strip()]
    count, _, p = (int(part) for part in lines[0])
    ways = np.full((count, count), np.inf)
    np.fill_diagonal(ways, 0)
    for one, other, cost in lines[1:]:
        ways[int(one) - 1, int(other) - 1] = ways[int(other) - 1, int(one) - 1] = float(cost)
    for over in range(count):
        ways = np.minimum(ways, ways[:, over, None] + ways[over])
    return ways, p


def timed(ask: Callable[[], Plan]) -> Timed:
    cpu_s, began = _cpu_s(), time.perf_counter()
    plan = ask()
    note = "none" if plan.bound is None else f"{plan.bound:,.0f}"
    return Timed(plan.objective, time.perf_counter() - began, _cpu_s() - cpu_s, note)


def timed_peer(cost: Floats, people: Floats, p: int) -> Timed:
    import pulp
    from spopt.locate import MCLP

    solver = pulp.HiGHS(msg=False) if importlib.util.find_spec("highspy") else pulp.PULP_CBC_CMD(msg=False)
    cpu_s, began = _cpu_s(), time.perf_counter()
    model: Any = MCLP.from_cost_matrix(cost, people, service_radius=RADIUS_M, p_facilities=p).solve(solver)
    wall_s = time.perf_counter() - began
    return Timed(float(round(model.problem.objective.value())), wall_s, _cpu_s() - cpu_s)


def table(head: list[str], rows: Iterable[Iterable[str]]) -> None:
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def _cpu_s() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _day() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def _version() -> str:
    return version("spopt") if importlib.util.find_spec("spopt") else ""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--places", type=int, default=4_700)
    parser.add_argument("--sites", type=int, default=1_000)
    parser.add_argument("--p", type=int, nargs="+", default=[1, 5, 10, 20])
    parser.add_argument("--no-peer", action="store_true", help="leave spopt out")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
