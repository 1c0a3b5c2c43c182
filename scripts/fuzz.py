"""Asks the application what nobody should ask it, and reports every answer that is not a proper one.

    python scripts/fuzz.py --requests 100000 --seed 1       # the API by its description, then every address
    python scripts/fuzz.py --only routes --seed 1 --from 48211 --requests 1     # one request again

Two visitors without manners, over a tiny hostile country, in process: Schemathesis reads /api/openapi.json,
makes requests that it allows and that it forbids, follows its links from answer to answer, and holds every
answer against it; the other one (tests/webmap/fuzzing.py) sends hostile paths, queries, headers, cookies,
forms and files to every address in every role. A run is repeated by its seed, and goes on with --from where
it was cut off (rounds of the API, numbers of requests of the addresses). Exit code 1: something was wrong,
and how to ask it again is printed.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from flask import Flask
from werkzeug.wsgi import ClosingIterator

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # The tests are not installed.

from tests.webmap import fuzzing, site  # noqa: E402

DESCRIPTION = "/api/openapi.json"
PHASES = ("examples", "coverage", "fuzzing", "stateful")
_TOLD_EACH_S = 30.0
# A place is named in one of several ways (lat and lon, or place, or area …), and text parameters take only
# what can be read as a day, a frame or a code: what is allowed by the description may still be refused.
_UNASKED = {"positive_data_acceptance": {"enabled": False}}
Environ = dict[str, Any]


class Counted:
    """The application behind a counter; it is asked for plain answers, since Schemathesis unpacks none."""

    def __init__(self, app: Flask) -> None:
        self.app, self.statuses, self.phases = app, Counter[str](), Counter[str]()

    def __call__(self, environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        def begin(status: str, *rest: Any) -> Any:
            self.statuses[status[:3]] += 1
            return start(status, *rest)

        environ.pop("HTTP_ACCEPT_ENCODING", None)
        # Schemathesis closes no answer, and a file that is sent would stay open.
        with closing(ClosingIterator(self.app.wsgi_app(environ, begin))) as answer:
            return [*answer]


@contextmanager
def application() -> Iterator[Flask]:
    """A tiny country whose names mean harm, loaded."""
    with tempfile.TemporaryDirectory() as made:
        folder = site.a_hostile_instance(Path(made) / "tiny")
        with site.a_site(folder, Path(made) / "state") as app, fuzzing.quiet(app):
            yield app


# --- The API by its description


def api(
    app: Flask,
    *,
    requests: int,
    seed: int,
    begin: int = 0,
    examples: int = 100,
    phases: Sequence[str] = PHASES,
) -> tuple[int, list[str]]:
    """Rounds of Schemathesis until so many requests have been sent: how many, and what was wrong."""
    counted, wrong, started, number = Counted(app), list[str](), time.monotonic(), begin
    while sum(counted.statuses.values()) < requests:
        left = requests - sum(counted.statuses.values())
        found = _round(counted, seed + number, examples=min(examples, max(left // 30, 2)), phases=phases)
        wrong += found
        said = dict(sorted(counted.statuses.items()))
        took_s = time.monotonic() - started
        about = f"{said} {dict(counted.phases)}"
        print(f"api: round {number}, {took_s:.0f} s, {about}, {len(wrong)} wrong", flush=True)
        print(*found, sep="\n", end="\n" if found else "", flush=True)
        number += 1
    return sum(counted.statuses.values()), wrong


def _round(counted: Counted, seed: int, *, examples: int, phases: Sequence[str]) -> list[str]:
    import schemathesis
    from schemathesis.config import SchemathesisConfig
    from schemathesis.engine import events, from_schema

    about = {"max-examples": examples, "database": "none"}
    wanted = {name: {"enabled": name in phases} for name in PHASES}
    config = SchemathesisConfig.from_dict(
        {"seed": seed, "generation": about, "phases": wanted, "checks": _UNASKED, "continue-on-failure": True}
    )
    found: dict[tuple[str, str, str], str] = {}
    for event in from_schema(schemathesis.openapi.from_wsgi(DESCRIPTION, counted, config=config)).execute():
        if isinstance(event, events.NonFatalError):
            found["error", str(event.label), ""] = f"seed {seed}: {event.label}: {event.info}"
        if not isinstance(event, events.ScenarioFinished):
            continue
        counted.phases[event.phase.value] += len(event.recorder.interactions)
        for check in (one for checks in event.recorder.checks.values() for one in checks):
            if check.failure_info:
                failure, again = check.failure_info.failure, check.failure_info.code_sample
                if _is_blank(failure.message, again):
                    continue
                about_it = f"seed {seed}: {check.name}: {failure.title}: {failure.message}\n  {again}"
                found.setdefault((check.name, str(failure.operation), failure.title), about_it)
    return list(found.values())


def _is_blank(message: str, again: str) -> bool:
    """Whether a request breaks the description only by blanks, which forms send: they count as not given."""
    if not (named := re.search(r"parameters? (`.*`) in query", message)):
        return False
    asked = parse_qs(again.partition("?")[2].rpartition("'")[0], keep_blank_values=True)
    return not any("".join(asked.get(name, ())).strip() for name in re.findall(r"`(\w+)`", named[1]))


# --- Every address


def routes(app: Flask, *, requests: int, seed: int, begin: int = 0) -> tuple[int, list[str]]:
    """The requests of these numbers; what was wrong."""
    fuzzer, started = fuzzing.Fuzzer(app, seed=seed), time.monotonic()
    told_at = started

    def tell(told: Any) -> bool:
        nonlocal told_at
        if time.monotonic() - told_at > _TOLD_EACH_S:
            told_at = time.monotonic()
            took_s = told_at - started
            print(f"routes: {told.asked} in {took_s:.0f} s, {len(told.wrong)} wrong", flush=True)
        return False

    told = fuzzer.run(range(begin, begin + requests), until=tell)
    said = dict(sorted(told.statuses.items()))
    print(f"routes: {told.asked} of {len(fuzzer.rules)} addresses, {said}, slowest {told.slowest_s:.1f} s")
    return told.asked, [f"seed {seed}: {asked}\n  {what}" for asked, what in told.wrong]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="fuzz.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from", dest="begin", type=int, default=0, help="round (api) or request (routes)")
    parser.add_argument("--only", choices=("api", "routes"), action="append")
    asked = parser.parse_args(arguments)
    wrong: list[str] = []
    for name, kind in (("api", api), ("routes", routes)):
        if not asked.only or name in asked.only:
            with application() as app:
                number, found = kind(app, requests=asked.requests, seed=asked.seed, begin=asked.begin)
            print(f"{name}: {number} requests, {len(found)} wrong")
            wrong += found
    for line in wrong[:50]:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
