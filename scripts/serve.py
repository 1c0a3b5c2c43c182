"""Starts Turvakaart: prepares this folder when needed, then serves one instance.

The preparation and the sentences for what may go wrong are in prepare.py; the application itself
starts in `python -m webmap.cli serve`, inside the prepared environment.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import prepare
from problems import USAGE, Problem, check_python

FIRST_CHOICE = 8080


def options(arguments: list[str], *, root: Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="serve.py", description="Starts Turvakaart.")
    parser.add_argument("--port", type=int, help="default: 8080, or any free one")
    parser.add_argument("--host", default="127.0.0.1", help="default: this computer only")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    parser.add_argument(
        "--instance",
        type=Path,
        default=root / "data" / "ee",
        metavar="DIR",
        help="the folder of the country to show; default: data/ee",
    )
    return parser.parse_args(arguments)


def checked_instance(folder: Path) -> Path:
    if not (folder / "instance.yaml").is_file():
        text = (
            "There is no instance in {}: it has no file instance.yaml. "
            "Give the folder of an instance with --instance, for example: --instance data/ee"
        )
        raise Problem(text.format(folder), code=USAGE)
    return folder.resolve()


def chosen_port(host: str, wanted: int | None) -> int:
    """The wanted port, if it is free; without a wish 8080, or any free one."""
    if wanted is not None:
        return tried_port(host, wanted)
    with contextlib.suppress(Problem):
        return tried_port(host, FIRST_CHOICE)
    return tried_port(host, 0)


def tried_port(host: str, port: int) -> int:
    if not 0 <= port <= 65535:
        text = "{} is not a port: choose a number from 1 to 65535."
        raise Problem(text.format(port), code=USAGE)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as candidate:
            if os.name != "nt":
                # As the server does: a port just given back is not taken.
                candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            candidate.bind(address)
            return int(candidate.getsockname()[1])
    except OSError as error:
        raise refused(error, host=host, port=port) from error


def refused(error: OSError, *, host: str, port: int) -> Problem:
    if error.errno == errno.EADDRINUSE:
        text = (
            "Port {} is taken by another program. "
            "Choose another one with --port, or leave --port out to get a free one."
        )
        return Problem(text.format(port), code=USAGE)
    if error.errno == errno.EACCES:
        text = "This account may not use port {}. Choose one above 1023."
        return Problem(text.format(port), code=USAGE)
    text = "This computer cannot serve at the address {} ({})."
    return Problem(text.format(host, error.strerror or error), code=USAGE)


def command(python: Path, *, instance: Path, host: str, port: int, browser: bool) -> list[str]:
    place = ["--instance", str(instance), "--host", host, "--port", str(port)]
    quiet = [] if browser else ["--no-browser"]
    return [str(python), "-m", "webmap.cli", "serve", *place, *quiet]


def main(arguments: list[str]) -> int:
    check_python(sys.version_info[:2])
    house = prepare.House(Path(__file__).resolve().parent.parent)
    chosen = options(arguments, root=house.root)
    instance = checked_instance(chosen.instance)
    chosen_port(chosen.host, chosen.port)  # tells a taken port before minutes of preparation
    prepare.prepare(house)
    port = chosen_port(chosen.host, chosen.port)
    line = command(
        house.python,
        instance=instance,
        host=chosen.host,
        port=port,
        browser=not chosen.no_browser,
    )
    if os.name == "nt":
        return subprocess.call(line)
    os.execv(line[0], line)  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    sys.exit(prepare.ending_well(main))
