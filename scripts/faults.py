"""Strikes Turvakaart with many faults, one after the other, and checks after each that nothing was lost.

    python scripts/faults.py --faults 1000 --seed 1 --log faults.jsonl

Kinds and promises are those of tests/faults. Every fault is made from the seed and its number alone; with
--log a run goes on where it was ended, --only repeats one kind, --number one fault. `--part 1/2` does
every second fault, for a second process beside it. Ends with 1 at the first broken promise. With TMPDIR
in memory (/dev/shm) it takes half the time.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from random import Random
from typing import Any

import prepare
import problems

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # The tests are not installed.

from tests.faults import deeds, kinds, promises  # noqa: E402


def done_before(log: Path | None, seed: int) -> dict[int, tuple[str, str]]:
    """What an earlier run of this seed has found: number → kind and outcome."""
    if log is None or not log.exists():
        return {}
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return {one["number"]: (one["kind"], one["outcome"]) for one in lines if one["seed"] == seed}


def strike(stage: Any, kind: Any, *, seed: int, number: int) -> str:
    """One fault; what came of it.

    Raises:
        Broken: a promise was not kept.
    """
    chance = Random(f"{seed}/{number}")  # noqa: S311  moments of death
    return str(kind.make(stage, chance))


def table(found: dict[int, tuple[str, str]]) -> str:
    """Kinds × outcomes, as lines of text."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, outcome in found.values():
        counted[kind][outcome] += 1
    width = max((len(kind) for kind in counted), default=0)
    lines = [
        f"{kind:{width}} {sum(outcomes.values()):5}  "
        + ", ".join(f"{outcome} {number}" for outcome, number in outcomes.most_common())
        for kind, outcomes in sorted(counted.items())
    ]
    return "\n".join([*lines, f"{'together':{width}} {len(found):5}"])


def run(asked: argparse.Namespace) -> int:
    part, parts = (int(number) for number in asked.part.split("/"))
    found = done_before(asked.log, asked.seed)
    with deeds.stages() as stage:
        wanted = [kind for kind in kinds.every(stage) if asked.only in kind.name]
        if not wanted:
            raise problems.Problem(f"There is no kind of fault “{asked.only}” here.")
        numbers = [asked.number] if asked.number else range(part, asked.faults + 1, parts)
        for number in numbers:
            if number in found and not asked.number:
                continue
            kind, began = wanted[number % len(wanted)], time.monotonic()
            try:
                outcome = strike(stage, kind, seed=asked.seed, number=number)
            except promises.Broken as broken:
                print(table(found))
                print(f"\nFault {number}, {kind.name}: {broken}", file=sys.stderr)
                if not asked.go_on:
                    return 1
                outcome = f"BROKEN {str(broken)[:200]}"
            found[number] = kind.name, outcome
            print(f"{number} {kind.name}: {outcome} ({time.monotonic() - began:.1f} s)", flush=True)
            _keep(asked.log, seed=asked.seed, number=number, kind=kind.name, outcome=outcome)
    print(table(found))
    return int(any(outcome.startswith("BROKEN") for _, outcome in found.values()))


def _keep(log: Path | None, **facts: Any) -> None:
    if log:
        with log.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(facts, ensure_ascii=False) + "\n")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--faults", type=int, default=1000, help="how many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="kinds whose name holds this")
    parser.add_argument("--number", type=int, default=0, help="this fault alone, again")
    parser.add_argument("--part", default="1/1", help="as 2/2: every second fault, from the second on")
    parser.add_argument("--log", type=Path, help="where outcomes are kept; a run goes on from it")
    parser.add_argument(
        "--go-on", action="store_true", help="do not stop at a broken promise; still end with 1"
    )
    # Whoever ends it lets it stop its server first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    return run(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(prepare.ending_well(main))
