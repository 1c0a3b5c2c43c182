"""Asks a full-size instance for everything at once, in a stated mix, and tells how it bore that.

    python scripts/load.py --seconds 60
    python scripts/load.py --instance full --state state --write

60 of 100 requests are of the map (tiles, layers, its page), 25 are answers for random places that never
repeat, 10 lists and searches, 5 gaps. wrk asks over connections that stay open, each of them a thread with a
list of its own; two processes of ours answer on the same cores. What is made once for each state of the data
(the network of relations, people by area) is asked for once before. Three rounds: the load, with not one
error; many more connections than can be answered, where whoever is too many is told 503 and when to come
back, and nothing else goes wrong; and, a moment later, a few connections again. `--write` puts the table
into README.md.

Needs wrk: apt install wrk.
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import numpy as np

import bench
import bench_answers
import bench_full
import make_instance
import prepare
import problems
import visit
from layers import catalog
from layers.catalog import Instance
from webmap.settings import Settings

MIX = {"map": 60, "answers": 25, "lists": 10, "gaps": 5}
"""Of 100 requests."""
_TILES, _LAYERS, _PAGE = 0.8, 0.15, 0.05
_MOST_A_SECOND = 2500
_SETTLING_S = 3
"""What was asked for and given up is still in work for a moment."""
WARMING = 6
"""So often, for two processes that share a port."""
MARKS = "<!-- load -->", "<!-- /load -->"
# A thread has one connection, so that what comes back answers what it asked last.
_ASK = """
local ffi = require("ffi")
ffi.cdef[[ typedef struct { long s; long ns; } load_moment; int clock_gettime(int, load_moment *); ]]
local moment = ffi.new("load_moment")
local function now()
  ffi.C.clock_gettime(1, moment)
  return tonumber(moment.s) * 1e6 + tonumber(moment.ns) / 1e3
end

local threads = {}
setup = function(thread) thread:set("number", #threads); table.insert(threads, thread) end

init = function()
  kinds, paths, seen, turn, begun = {}, {}, {}, 0, 0
  local at = 0
  for line in io.lines("FILE") do
    if at % CONNECTIONS == number then
      local kind, path = line:match("^(%S+) (.*)$")
      table.insert(kinds, kind)
      table.insert(paths, path)
    end
    at = at + 1
  end
end

request = function()
  turn = turn % #paths + 1
  begun = now()
  return wrk.format("GET", paths[turn], {["Accept-Encoding"] = "gzip"})
end

response = function(status, headers)
  local told = headers["Retry-After"] or headers["retry-after"]
  local outcome = status < 400 and "ok" or (status == 503 and told) and "later" or tostring(status)
  table.insert(seen, string.format("%s %s %d", kinds[turn], outcome, now() - begun))
end

done = function(summary)
  local e = summary.errors
  io.write(string.format("\\nBROKEN %d %d\\n", e.connect + e.read + e.write + e.timeout, summary.duration))
  for _, thread in ipairs(threads) do
    for _, line in ipairs(thread:get("seen")) do io.write(line, "\\n") end
  end
end
"""


@dataclass(frozen=True)
class Outcome:
    """What a round found: ms of what was answered, by kind, and how many were told to come back later.

    `failed` are other answers from 400 on, by kind and status, and connections that broke.
    """

    seconds: float
    ms: Mapping[str, Sequence[float]]
    later: int
    failed: Mapping[str, int]

    @property
    def answered(self) -> int:
        return sum(map(len, self.ms.values()))


# --- What is asked


def addresses(instance: Instance, shelf: Path, most: int) -> Iterator[tuple[str, str]]:
    """Kinds and addresses in a random order by the mix, the same at each call."""
    chance = np.random.default_rng(bench.SEED)
    made: dict[str, Callable[[], str]] = {
        "map": _of_map(instance, shelf, chance),
        "answers": lambda: _answer(chance),
        "lists": _of_lists(instance, chance),
        "gaps": _of_gaps(instance, chance),
    }
    weights = np.array([*MIX.values()]) / sum(MIX.values())
    for kind in chance.choice([*MIX], size=most, p=weights):
        yield str(kind), made[str(kind)]()


def _of_map(instance: Instance, shelf: Path, chance: np.random.Generator) -> Callable[[], str]:
    tiles = [
        f"/api/tiles/{layer}/1/{z}/{x}/{y}.mvt"
        for layer, z, x, y in bench_full.tile_addresses(shelf, bench_full.BIG)
    ]
    small = (layer.key for layer in instance.layers if layer.key not in bench_full.BIG)
    layers = [f"/api/layers/{key}.geojson" for key in small]
    pages = [f"/{code}/" for code in instance.languages]
    groups = [tiles, layers, pages]

    def one() -> str:
        group = groups[int(chance.choice(3, p=[_TILES, _LAYERS, _PAGE]))]
        return group[int(chance.integers(len(group)))]

    return one


def _answer(chance: np.random.Generator) -> str:
    return f"/api/answer?lat={chance.uniform(57.6, 59.6):.5f}&lon={chance.uniform(22, 28):.5f}"


def _of_lists(instance: Instance, chance: np.random.Generator) -> Callable[[], str]:
    language, counties = instance.default_language, _counties(instance)
    of_bodies = [layer.key for layer in instance.layers_of("bodies")]
    pages = [f"/{language}/layers/{key}?county={county}" for key in of_bodies for county in counties]
    pages += [f"/{language}/areas/county/{county}" for county in counties]
    pages += [f"/{language}/{name}/" for name in ("cases", "practices", "layers")]
    pages += [f"/api/search?q={quote(word)}" for word in ("tartu", "võru", "pääste", "küla", "naabrivalve")]
    return lambda: pages[int(chance.integers(len(pages)))]


def _of_gaps(instance: Instance, chance: np.random.Generator) -> Callable[[], str]:
    language, counties = instance.default_language, _counties(instance)
    forms = ("gaps/?county={}", "gaps/missing?county={}", "gaps/bridges?county={}")
    pages = [f"/{language}/{form.format(county)}" for form in forms for county in counties]
    pages.append(f"/{language}/gaps/seams")
    return lambda: pages[int(chance.integers(len(pages)))]


def _counties(instance: Instance) -> list[str]:
    with (instance.folder / "counties.csv").open(encoding="utf-8", newline="") as rows:
        return [row["code"] for row in csv.DictReader(rows)]


# --- Asked


def warm(address: str, asked: Sequence[tuple[str, str]]) -> None:
    """Asks once for what is made once for each state of the data, of every process."""
    once = {re.sub(r"\d+", "", path): path for kind, path in asked if kind in ("gaps", "lists")}
    for _ in range(WARMING):
        for path in once.values():
            # A connection of its own each time, so that it comes to one process or another.
            with urlopen(address + path, timeout=300) as answer:  # noqa: S310  our own server
                answer.read()


def ask(address: str, file: Path, *, seconds: int, connections: int) -> Outcome:
    """Raises Problem where wrk cannot ask."""
    script = file.with_suffix(".lua")
    script.write_text(
        _ASK.replace("FILE", str(file)).replace("CONNECTIONS", str(connections)), encoding="utf-8"
    )
    line = ["wrk", f"-t{connections}", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s"]
    run = subprocess.run([*line, "-s", str(script), address], capture_output=True, text=True)
    if run.returncode or "BROKEN" not in run.stdout:
        raise problems.Problem(f"wrk could not ask {address}: {run.stderr.strip()[-300:]}")
    told = run.stdout[run.stdout.index("BROKEN") :].splitlines()
    broken, us = (int(number) for number in told[0].split()[1:])
    ms: dict[str, list[float]] = {kind: [] for kind in MIX}
    failed, later = {"broken connections": broken} if broken else {}, 0
    for each in told[1:]:
        kind, outcome, took = each.split()
        if outcome == "ok":
            ms[kind].append(int(took) / 1000)
        elif outcome == "later":
            later += 1
        else:
            failed[f"{kind} {outcome}"] = failed.get(f"{kind} {outcome}", 0) + 1
    return Outcome(us / 1e6, ms, later, failed)


# --- Told


def rows(outcome: Outcome) -> Iterator[str]:
    every = [ms for kind in outcome.ms.values() for ms in kind]
    for name, kind in (*outcome.ms.items(), ("all", every)):
        if kind:
            cells = [f"{number:,.0f}" for number in (len(kind), *np.percentile(kind, (50, 95, 99)))]
            share = f"{MIX[name]} %" if name in MIX else "100 %"
            yield f"| {name} | {share} | {' | '.join(cells)} |"


def report(load: Outcome, over: Outcome, after: Outcome, known: argparse.Namespace) -> str:
    """Markdown: what the three rounds found."""
    head = "| | share | answered | p50 ms | p95 ms | p99 ms |\n| --- | ---: | ---: | ---: | ---: | ---: |"
    return "\n".join(
        (
            f"Measured on {bench.machine()}; load average at the beginning {known.load_average}. "
            f"{bench_answers.WORKERS} processes and the asking wrk on the same cores.",
            "",
            f"{known.connections} connections for {load.seconds:.0f} s: {_told(load)}.",
            "",
            head,
            *rows(load),
            "",
            f"{known.over} connections for {over.seconds:.0f} s: {_told(over)}.",
            "",
            head,
            *rows(over),
            "",
            f"A moment after it, {known.few} connections for {after.seconds:.0f} s: {_told(after)}.",
        )
    )


def _told(outcome: Outcome) -> str:
    each, later = outcome.answered / outcome.seconds, outcome.later / outcome.seconds
    errors = sum(outcome.failed.values())
    return f"{each:,.0f} answered a second, {later:,.0f} told 503 with Retry-After, {errors} errors"


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instance", type=Path, help="a full-size instance; default: one is made")
    parser.add_argument("--state", type=Path, help="the folder of its store; default: a temporary one")
    parser.add_argument("--seconds", type=int, default=60, help="of the load; the others take a third of it")
    parser.add_argument("--connections", type=int, default=8, help="of the load; default: 8")
    parser.add_argument("--over", type=int, default=256, help="that are too many; default: 256")
    parser.add_argument("--few", type=int, default=4, help="after these; default: 4")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    known = options(arguments)
    if shutil.which("wrk") is None:
        raise problems.Problem("wrk is not installed. On Debian: sudo apt install wrk")
    known.load_average = bench_answers.load_average()
    with tempfile.TemporaryDirectory() as name:
        folder = known.instance or make_instance.make(Path(name) / "full")
        state = known.state or Path(name) / "state"
        instance = catalog.read_instance(folder)
        with visit.serving(state, folder):
            pass  # The store and its tiles are there.
        shelf = Settings(instance=folder, state=state).tiles(instance.key)
        asked = list(addresses(instance, shelf, _MOST_A_SECOND * known.seconds))
        file = Path(name) / "asked.txt"
        file.write_text("".join(f"{kind} {path}\n" for kind, path in asked), encoding="utf-8")
        with visit.serving(state, folder, workers=bench_answers.WORKERS) as ours:
            warm(ours.address, asked)
            third = max(1, known.seconds // 3)
            load = ask(ours.address, file, seconds=known.seconds, connections=known.connections)
            over = ask(ours.address, file, seconds=third, connections=known.over)
            time.sleep(_SETTLING_S)
            after = ask(ours.address, file, seconds=third, connections=known.few)
    text = report(load, over, after, known)
    print(text)
    wrong = {**load.failed, **over.failed, **after.failed}
    if load.later or after.later or wrong:
        print(f"Not as promised: {load.later} and {after.later} told to wait; {wrong}", file=sys.stderr)
        return 1
    if known.write:
        bench.write(text, bench.README, marks=MARKS)
    return 0


if __name__ == "__main__":
    sys.exit(prepare.ending_well(main))
