"""Runs every check, in the order of STYLE.md. What it does not know goes on to pytest.

All steps run, even after one has failed. On success pytest's summary is the last thing printed. With --audit
only the packages are asked about and secrets are looked for (`audit.py`); its exit code is handed on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import prepare
import problems

STEPS = ("format", "lint", "types", "imports", "texts", "tests")
# A file stays with one process, for what its tests share is made once; `-n 0` runs them in a row.
_SIDE_BY_SIDE = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadfile")


def options(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="check.py",
        description="Runs ruff, mypy, import-linter, check_texts, pytest; other options go to pytest.",
        allow_abbrev=False,
    )
    parser.add_argument("--only", choices=STEPS, action="append", help="may be given repeatedly")
    parser.add_argument(
        "--audit", action="store_true", help="known faults of packages, secrets, --sbom FILE; needs a network"
    )
    known, others = parser.parse_known_args(arguments)
    return known, [each for each in others if each != "--"]


def command(step: str, *, house: prepare.House, others: list[str], ci: bool) -> list[str]:
    python = [str(house.python), "-m"]
    if step == "format":
        return [*python, "ruff", "format", "--check", "."]
    if step == "lint":
        return [*python, "ruff", "check", "."]
    if step == "types":
        return [*python, "mypy"]
    if step == "imports":
        return [str(house.bin / "lint-imports")]
    if step == "texts":
        return [str(house.python), str(house.root / "scripts" / "check_texts.py")]
    # Where everything was installed for it, nothing may be skipped in silence.
    return [*python, "pytest", *_SIDE_BY_SIDE, *(["--require-all"] if ci else []), *others]


def audit_command(house: prepare.House, others: list[str]) -> list[str]:
    return [str(house.python), str(house.root / "scripts" / "audit.py"), *others]


def run(step: str, line: list[str], *, root: Path, env: Mapping[str, str]) -> int:
    print("\n== {}: {}".format(step, " ".join([Path(line[0]).name, *line[1:]])), flush=True)
    started = time.monotonic()
    code = subprocess.call(line, cwd=root, env=dict(env))
    # pytest tells its own time, and its closing line stays the last one.
    if step != "tests":
        outcome = "failed" if code else "passed"
        print(f"== {step}: {outcome} in {time.monotonic() - started:.1f} s", flush=True)
    return code


def main(arguments: list[str]) -> int:
    problems.check_python(sys.version_info[:2])
    known, others = options(arguments)
    house = prepare.House(Path(__file__).resolve().parent.parent, profile="dev")
    prepare.prepare(house)
    if known.audit:
        return run("audit", audit_command(house, others), root=house.root, env=os.environ)
    ci = os.environ.get("CI", "").lower() == "true"
    failed = []
    for step in STEPS:
        if known.only and step not in known.only:
            continue
        line = command(step, house=house, others=others, ci=ci)
        if run(step, line, root=house.root, env=os.environ):
            failed.append(step)
    if failed:
        print("\n== Failed: {}".format(", ".join(failed)), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(prepare.ending_well(main))
