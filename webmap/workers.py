"""Several processes behind one address, for a computer with several cores and many visitors.

Granian is the server here, and waitress stays the one of a single process: with 16 kB an answer, two
processes and one asking client, Granian carried five to seven times as many a second as gunicorn's threads.
It runs on Windows too, and starts a process anew that has ended. The application is made and warmed once,
then the processes fork from it and share what it holds in memory; where there is no fork, each makes its own.
"""

import gc
import multiprocessing
import socket
import sys
from collections.abc import Callable
from functools import partial

from flask import Flask

from layers.geo import Place
from webmap import create_app
from webmap.settings import Settings

THREADS = 4
"""Of one process: a few, for answers that wait for the set type of a card or for somebody else's server."""
_PATIENCE_S = 10


def serve(settings: Settings, *, host: str, port: int, workers: int, tell: Callable[[], None]) -> None:
    """Serves until it is told to stop, then lets every process finish its answers; `tell` when it begins.

    Raises:
        OSError: the port cannot be used.
        BadInstance: the instance's folder cannot be read.
    """
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    _check_free(host, port)
    server = Server(
        "webmap",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=THREADS,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        workers_kill_timeout=_PATIENCE_S,
    )
    loader: Callable[[], Flask] = partial(create_app, settings)
    if sys.platform == "linux":
        multiprocessing.set_start_method("fork", force=True)
        warm = warmed(loader())
        loader = lambda: warm  # noqa: E731  forked, so it need not be pickled
    tell()
    server.serve(target_loader=loader, wrap_loader=False)


def warmed(app: Flask) -> Flask:
    """The application with its snapshot taken, ready to fork: without a connection to the store.

    What is in memory now is no longer looked through for garbage, or every process would soon write to all
    of it and share nothing.
    """
    house = app.extensions["house"]
    west, south, east, north = house.instance.bounds
    middle = Place(lon=(west + east) / 2, lat=(south + north) / 2)
    client = app.test_client()
    for language in house.instance.languages:
        asked = {"lat": middle.lat, "lon": middle.lon, "lang": language}
        client.get("/api/answer", query_string=asked)
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
