"""What stands before the application: the gate, and the number, protection, meter and log of every request.

It sees a request before Flask does, so that turning one away costs a fortieth of an answer. It opens the gate
only where a server asks for it (`guard`): whoever calls the application itself is never turned away.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from flask import Flask

from layers.errors import N_, Unavailable
from webmap import db, errors, logbook, meters
from webmap.gate import Full, Gate, Seat
from webmap.logbook import Logbook
from webmap.protection import Protection

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SEAT = "turvakaart.seat"
ALIVE, READY, METRICS = "/healthz", "/readyz", "/metrics"
_ALWAYS = frozenset((ALIVE, READY, METRICS))
_QUICK = frozenset(("GET", "HEAD"))
_PACE_S = 0.001
"""One is turned away after the other, this apart: clients that ask again at once must leave time for answers.
With 256 of them on a busy machine of two cores, 670 to 700 answers a second were given, and 270 were refused.
"""
_NO_RULE, _TURNED_AWAY = "none", "turned away"
_HEADER = "X-Request-Id"
Ready = tuple[str, list[tuple[str, str]], bytes]
"""An answer that is ready to be sent: status, headers, body."""


class Overloaded(Unavailable):
    text = N_("More people are asking just now than can be answered. Try again in a moment.")


class Porch:
    """The application as a server calls it."""

    def __init__(
        self, app: Flask, inner: "WSGIApplication", counted: meters.Meters, protection: Protection
    ) -> None:
        self._app, self._inner, self.meters, self.protection = app, inner, counted, protection
        self._gate: Gate | None = None
        self._ready: dict[tuple[bool, str], Ready] = {}
        self.logbook: Logbook | None = None
        self._turning_away = Lock()

    def guard(self, gate: Gate, book: Logbook | None) -> None:
        """From now on whoever is too many is turned away, and what happens is written down."""
        self._ready = _ready(self._app)
        self._gate, self.logbook = gate, book

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        visit = _Visit(self, environ, start_response)
        self.meters.begin()
        try:
            if self._gate and environ["PATH_INFO"] not in _ALWAYS:
                visit.seat = self._gate.enter(is_costly=environ["REQUEST_METHOD"] not in _QUICK)
                environ[SEAT] = visit.seat
            return _Answer(self._inner(environ, visit.start), visit)
        except Full as reason:
            visit.route = _TURNED_AWAY
            self.meters.shed(told(reason))
            return _Answer(self._turn_away(environ, visit.start), visit)
        except BaseException:
            visit.end()
            raise

    def _turn_away(self, environ: "WSGIEnvironment", start: Any) -> list[bytes]:
        path, languages = environ["PATH_INFO"], _languages(self._app)
        is_api = path.startswith("/api/")
        asked = environ.get("QUERY_STRING", "") if is_api else path
        sign = "lang={}" if is_api else "/{}/"
        language = next((code for code in languages if sign.format(code) in asked), languages[0])
        status, headers, body = self._ready[is_api, language]
        with self._turning_away:
            time.sleep(_PACE_S)
            if self.logbook:
                self.logbook.turned_away()
        start(status, [*headers])
        return [body]


class _Visit:
    """One request from its arrival to the end of its answer."""

    __slots__ = ("_begun", "_environ", "_number", "_porch", "_start", "_status", "route", "seat")

    def __init__(self, porch: Porch, environ: "WSGIEnvironment", start: "StartResponse") -> None:
        self._begun = perf_counter()
        self._porch, self._environ, self._start = porch, environ, start
        self._number = environ[logbook.NUMBER] = logbook.number(environ.get("HTTP_X_REQUEST_ID", ""))
        self._status, self.route, self.seat = 500, _NO_RULE, cast(Seat | None, None)

    def start(self, status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        self._status = int(status[:3])
        # Flask takes its request back out of the environment before the answer is sent.
        if rule := getattr(self._environ.get("werkzeug.request"), "url_rule", None):
            self.route = rule.rule
        self._porch.protection.add(self._environ, headers)
        headers.append((_HEADER, self._number))
        return self._start(status, headers, *more)

    def end(self) -> None:
        if self.seat:
            self.seat.leave()
        method = logbook.method(self._environ["REQUEST_METHOD"])
        took_s, porch = perf_counter() - self._begun, self._porch
        porch.meters.end(route=self.route, method=method, status=self._status, took_s=took_s)
        if porch.logbook and self.route is not _TURNED_AWAY:
            porch.logbook.request(
                number=self._number, route=self.route, method=method, status=self._status, took_s=took_s
            )


class _Answer:
    """An answer that says when it has been sent, or that nobody waits for it any more."""

    def __init__(self, inner: Iterable[bytes], visit: _Visit) -> None:
        self._inner, self._visit = inner, visit

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._inner)

    def close(self) -> None:
        try:
            close: Callable[[], object] | None = getattr(self._inner, "close", None)
            if close:
                close()
        finally:
            self._visit.end()


def init_app(app: Flask, counted: meters.Meters, protection: Protection) -> Porch:
    """Puts the porch before the application as it is now; what is put before it later comes first."""
    made = app.extensions["porch"] = Porch(app, app.wsgi_app, counted, protection)
    app.wsgi_app = made  # type: ignore[method-assign]
    return made


def of(app: Flask) -> Porch:
    return cast(Porch, app.extensions["porch"])


def told(reason: Full) -> str:
    """Why somebody was turned away, in one word."""
    return "late" if reason.is_late else "full"


def _languages(app: Flask) -> list[str]:
    house = cast(db.House, app.extensions["house"])
    return sorted(house.instance.languages, key=lambda code: code != house.instance.default_language)


def _ready(app: Flask) -> dict[tuple[bool, str], Ready]:
    """What is said to whoever is turned away, by language, to programs and to people."""
    found = {}
    for code in _languages(app):
        for is_api, path in ((True, f"/api/answer?lang={code}"), (False, f"/{code}/")):
            with app.test_request_context(path):
                app.preprocess_request()
                answer = app.process_response(errors.told(Overloaded()))
                body = answer.get_data()
                headers = [(name, value) for name, value in answer.headers if name != "Set-Cookie"]
                found[is_api, code] = answer.status, headers, body
    return found
