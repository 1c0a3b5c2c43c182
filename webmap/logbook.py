"""What is written down of requests and failures: one JSON object a line, and nothing of a visitor.

A line tells the rule of an address and never the address, its query, a header or a form. Of a failure it
tells the kind and the places in the code, but not its text, which may repeat what somebody sent or a row of
the store: so a log can be handed to whoever helps. `plain` leaves everything to Python, for a developer.
"""

import json
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import has_request_context, request

NUMBER = "turvakaart.number"
"""Under which a request's environment holds the number of the request."""
_NUMBER = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE
)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"))
_MOST_FRAMES = 12
# The server advises fewer threads; most of ours only wait, so that whoever is too many can be told.
_KNOWN_ADVICE = "quite high compared to the number of CPU cores"


def number(given: str) -> str:
    """The number of a request: the given one where it is a UUID or 32 hexadecimal digits, else a new one.

    Anything looser could carry a name or a personal code into the log.
    """
    return given.lower() if _NUMBER.fullmatch(given) else os.urandom(16).hex()


def method(given: str) -> str:
    """A method of HTTP; anything else is “other”."""
    return given if given in _METHODS else "other"


def rule() -> str:
    """The rule of this request's address; "" where it has none."""
    return request.url_rule.rule if request.url_rule else ""


class Logbook:
    """Where lines about requests are written: all of them, or only those that failed."""

    def __init__(self, *, is_whole: bool, write: Callable[[bytes], object] | None = None) -> None:
        self._is_whole = is_whole
        self._turned_away, self._told_at = 0, 0.0
        # One write for a line, past all buffers: lines of several processes do not mix.
        self._write = write or (lambda line: os.write(sys.stderr.fileno(), line))

    def request(self, *, number: str, route: str, method: str, status: int, took_s: float) -> None:
        if self._is_whole or status >= 500:
            facts = {
                "time": _now(),
                "level": "error" if status >= 500 else "info",
                "event": "request",
                "route": route,
                "method": method,
                "status": status,
                "ms": round(took_s * 1000, 1),
                "request": number,
                "worker": os.getpid(),
            }
            self._write(json.dumps(facts).encode() + b"\n")

    def turned_away(self) -> None:
        """One more was turned away: told once a second, or the log would be one more load."""
        self._turned_away += 1
        if time.monotonic() - self._told_at >= 1:
            facts = {"time": _now(), "level": "warning", "event": "turned away", "worker": os.getpid()}
            self._write(json.dumps({**facts, "count": self._turned_away}).encode() + b"\n")
            self._turned_away, self._told_at = 0, time.monotonic()


class Lines(logging.Formatter):
    """Records of Python's own logging as such lines: their sentence without what fills its gaps."""

    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, Any] = {
            "time": _now(),
            "level": record.levelname.lower(),
            "event": str(record.msg)[:200],
            "logger": record.name,
            "worker": os.getpid(),
        }
        if has_request_context():
            facts |= {"route": rule(), "request": request.environ.get(NUMBER, "")}
        if ticket := getattr(record, "ticket", ""):
            facts["ticket"] = ticket
        if record.exc_info and record.exc_info[1]:
            facts |= _failure(record.exc_info[1])
        return json.dumps(facts)


def begin(kind: str) -> Logbook | None:
    """Takes over what this process writes; a room of the server, for an application sets up no log.

    `kind` is “requests” or “errors”; for “plain” nothing changes and there is no logbook.
    """
    if kind == "plain":
        return None
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    handler.addFilter(lambda record: _KNOWN_ADVICE not in str(record.msg))
    logging.root.handlers[:] = [handler]
    return Logbook(is_whole=kind == "requests")


def _failure(error: BaseException) -> dict[str, Any]:
    """What happened where, the first cause last; no text of any exception."""
    kinds: list[str] = []
    places: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(kinds) < 5:
        kinds.append(f"{type(cause).__module__}.{type(cause).__qualname__}")
        frames = [*traceback.walk_tb(cause.__traceback__)][-_MOST_FRAMES:]
        places += [f"{frame.f_globals.get('__name__', '')}:{line}" for frame, line in frames]
        cause = cause.__cause__ or cause.__context__
    code = getattr(getattr(error, "orig", error), "sqlstate", "") or ""
    return {"error": kinds, "at": places[-2 * _MOST_FRAMES :], "code": str(code)[:5]}


def _now() -> str:
    return datetime.now(tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
