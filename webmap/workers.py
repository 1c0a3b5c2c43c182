"""Several processes behind one address, for a computer with several cores and many visitors.

Granian is the server here, and waitress stays the one of a single process: with 16 kB an answer, two
processes and one asking client, Granian carried five to seven times as many a second as gunicorn's threads.
It runs on Windows too, and starts a process anew that has ended. The application is made and warmed once,
then the processes fork from it and share what it holds in memory; where there is no fork, each makes its own.

Granian counts neither who is in work nor who waits, so the gate does (`webmap.gate`): the server has threads
for all who may wait, and most of these sleep.
"""

import gc
import multiprocessing
import os
import socket
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from flask import Flask

from layers.geo import Place
from layers.jobs import processes
from webmap import budgets, create_app, logbook, meters, porch
from webmap.gate import Gate
from webmap.settings import Settings

_CONNECTIONS = 2048
"""Of all processes: with more the system lets newcomers wait, where they cannot be turned away."""
_PATIENCE_S = 10
_LITTER = (20_000, 20, 50)
"""After how many new things Python looks for garbage. An answer makes thousands that are gone with it: with
the usual 700 it took 2.06 to 2.2 ms, and takes 1.63 to 1.73.
"""
_PLANNED = ("gaps/", "gaps/missing", "gaps/bridges", "gaps/seams")
_LOGGERS = {"_granian": {"propagate": True}, "granian.access": {"propagate": True}}
"""What the server says of itself goes where all is written down."""


def guard(app: Flask, settings: Settings, *, processes: int = 1) -> int:
    """Opens the gate before an application and begins its log; returns how many threads its server needs."""
    gate = Gate.of(at_once=settings.at_once, waiting=settings.waiting, patience_s=settings.patience_s)
    budgets.of(app).processes = processes
    porch.of(app).guard(gate, logbook.begin(settings.log))
    return gate.threads


def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    workers: int,
    tell: Callable[[], None],
    is_beside: bool = False,
) -> None:
    """Serves until it is told to stop, then lets every process finish its answers; `tell` when it begins.

    `is_beside`: another server may have the port already, and the system shares newcomers out between both.

    Raises:
        OSError: the port cannot be used.
        BadInstance: the instance's folder cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="turvakaart-") as folder:
        meters.share(Path(folder))
        if not is_beside:
            _check_free(host, port)
        _serve(settings, Path(folder), host=host, port=port, workers=workers, tell=tell)


def _serve(
    settings: Settings, folder: Path, *, host: str, port: int, workers: int, tell: Callable[[], None]
) -> None:
    """`folder` is for what the processes share."""
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    gate = Gate.of(at_once=settings.at_once, waiting=settings.waiting, patience_s=settings.patience_s)
    server = Server(
        "webmap",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=gate.threads,
        backlog=_CONNECTIONS,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig=None if settings.log == "plain" else {"loggers": _LOGGERS},
        respawn_failed_workers=True,
        workers_kill_timeout=_PATIENCE_S,
    )
    loader: Callable[[], Flask] = partial(_guarded, settings, workers)
    if sys.platform == "linux":
        multiprocessing.set_start_method("fork", force=True)
        warm = warmed(create_app(settings))
        gc.set_threshold(*_LITTER)
        guard(warm, settings, processes=workers)
        porch.of(warm).meters.retire()
        loader = partial(_settled, warm, workers, folder)  # Forked, so it need not be pickled.
    tell()
    server.serve(target_loader=loader, wrap_loader=False)


def _settled(app: Flask, workers: int, folder: Path) -> Flask:
    """The application in its process, which stays on a core that no other one has, if there are enough.

    One thread after the other works in a process. Each finds what it needs at the core on which the last one
    worked: two processes on two cores answered 1,085 places a second instead of 850, 99 in 100 of them within
    41 ms instead of 62. What a process starts goes where there is room (`processes.unsettled`).
    """
    cores = sorted(os.sched_getaffinity(0))
    if 1 < workers <= len(cores):
        core = next(filter(partial(_claimed, folder), cores), None)
        if core is not None:
            processes.settle(core)
    return app


def _claimed(folder: Path, core: int) -> bool:
    """Whether no living process has this core; it is then this one's, until it ends."""
    import fcntl

    claim = os.open(folder / f"core-{core}", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(claim)
        return False
    return True


def _guarded(settings: Settings, processes: int) -> Flask:
    app = create_app(settings)
    guard(app, settings, processes=processes)
    return app


def warmed(app: Flask) -> Flask:
    """The application with its snapshot taken, ready to fork: without a connection to the store.

    The planner's pages are asked too: what they need of everybody takes seconds at full size, and is then the
    same for every process, county and language.
    What is in memory now is no longer looked through for garbage, or every process would soon write to all
    of it and share nothing.
    """
    house = app.extensions["house"]
    west, south, east, north = house.instance.bounds
    middle = Place(lon=(west + east) / 2, lat=(south + north) / 2)
    client = app.test_client()
    for language in house.instance.languages:
        asked = {"lat": middle.lat, "lon": middle.lon, "lang": language}
        client.get("/api/answer", query_string=asked, buffered=True)
    for page in _PLANNED:
        client.get(f"/{house.instance.default_language}/{page}", buffered=True)
    house.engine.dispose()
    gc.collect()
    gc.freeze()
    return app


def _check_free(host: str, port: int) -> None:
    """Raises OSError where nobody could listen; Granian itself would share the port with another one."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as tried:
        if sys.platform != "win32":
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind(address)
        tried.listen()
