"""The gazetteer of street addresses, asked over the network when an installation names one.

It stands in the face and not in the territory: it holds no fact of ours, it may be slow or gone, and it
needs a clock and a memory of its own, which `layers` does without. It is the only door to `requests`.

What a person types is sent to the gazetteer alone, is kept in memory for an hour, and is never logged; not
even an exception's text is, because it names the address that was asked.
"""

import json
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, cast

import requests
from flask import Flask
from urllib3.exceptions import HTTPError

from layers.errors import OutOfRange
from layers.geo import Place
from layers.letters import fold

SOURCE = "In-ADS, Maa- ja Ruumiamet"
_AGENT = "Turvakaart (community safety map; asks for one address at a time)"
_MOST_BYTES = 500_000
_LONGEST_NAME = 200
_SHORTEST_TEXT = 3
_REMEMBERED = 256
_REMEMBERED_S = 3600.0
_REST_S = 30.0
_MOST_PER_MINUTE = 30
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Address:
    """A street address with its point."""

    name: str
    place: Place


@dataclass(frozen=True)
class Answer:
    """`came` is False where the gazetteer did not answer, or was not asked to spare it."""

    addresses: tuple[Address, ...]
    came: bool


class Gazetteer:
    """One gazetteer of this process: one question at a time, few a minute, each remembered for an hour.

    `url` empty means: there is none. `bounds` are west, south, east, north in degrees; what lies outside is
    left out. After a failure it rests, so that a service that is down slows one search and not each.
    """

    def __init__(
        self,
        url: str,
        *,
        bounds: Sequence[float],
        timeout_s: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_there, self.source = bool(url), SOURCE
        self._url, self._bounds, self._timeout_s, self._clock = url, bounds, timeout_s, clock
        self._asking = Lock()
        self._known: OrderedDict[str, tuple[float, tuple[Address, ...]]] = OrderedDict()
        self._asked: deque[float] = deque(maxlen=_MOST_PER_MINUTE)
        self._rests_until = float("-inf")
        # At its finest, the library's own log would name every address that is asked.
        logging.getLogger("urllib3").setLevel(logging.WARNING)

    def find(self, text: str, *, most: int = 8) -> Answer:
        """Addresses for a text; never raises. A text too short to be an address is not asked."""
        if not self.is_there or len(fold(text)) < _SHORTEST_TEXT:
            return Answer((), came=True)
        known = self._remembered(text)
        if known is None:
            known = self._ask_in_turn(text)
        return Answer(() if known is None else known[:most], came=known is not None)

    def _remembered(self, text: str) -> tuple[Address, ...] | None:
        until, found = self._known.get(text.casefold(), (0.0, ()))
        return found if self._clock() < until else None

    def _ask_in_turn(self, text: str) -> tuple[Address, ...] | None:
        # Whoever comes while another one asks goes on without: waiting would hold the server's threads.
        if not self._asking.acquire(blocking=False):
            return None
        try:
            return self._ask_and_remember(text) if self._may_ask() else None
        finally:
            self._asking.release()

    def _may_ask(self) -> bool:
        now = self._clock()
        full = len(self._asked) == _MOST_PER_MINUTE and now - self._asked[0] < 60
        return now >= self._rests_until and not full

    def _ask_and_remember(self, text: str) -> tuple[Address, ...] | None:
        self._asked.append(self._clock())
        try:
            found = tuple(_addresses(self._ask(text), self._bounds))
        except (requests.RequestException, HTTPError, OSError, ValueError, RecursionError) as error:
            _log.warning("The gazetteer of addresses did not answer: %s", type(error).__name__)
            self._rests_until = self._clock() + _REST_S
            return None
        self._known[text.casefold()] = self._clock() + _REMEMBERED_S, found
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found

    def _ask(self, text: str) -> Any:
        """The answer as JSON, within the time for all of it and not only for each piece."""
        end = time.monotonic() + self._timeout_s
        with requests.get(
            self._url,
            params={"address": text, "results": "10"},
            headers={"User-Agent": _AGENT, "Accept": "application/json"},
            timeout=self._timeout_s,
            stream=True,
            allow_redirects=False,
        ) as answer:
            answer.raise_for_status()
            said = bytearray()
            while piece := answer.raw.read1(65_536, decode_content=True):
                said += piece
                if len(said) > _MOST_BYTES or time.monotonic() > end:
                    raise requests.Timeout
        return json.loads(said)


def init_app(app: Flask, gazetteer: Gazetteer) -> None:
    app.extensions["gazetteer"] = gazetteer


def of(app: Flask) -> Gazetteer:
    return cast(Gazetteer, app.extensions["gazetteer"])


def _addresses(said: Any, bounds: Sequence[float]) -> Iterator[Address]:
    """What can be used of an answer: {} and an unknown form are nothing."""
    rows = said.get("addresses") if isinstance(said, dict) else None
    seen: set[str] = set()
    for row in rows if isinstance(rows, list) else ():
        found = _address(row) if isinstance(row, dict) else None
        if found and found.name not in seen and _lies_in(found.place, bounds):
            seen.add(found.name)
            yield found


def _address(row: dict[str, Any]) -> Address | None:
    name = row.get("ipikkaadress")
    if not isinstance(name, str) or not name.strip():
        return None
    try:
        place = Place(
            lat=round(float(row["viitepunkt_b"]), 5),
            lon=round(float(row["viitepunkt_l"]), 5),
        )
    except (KeyError, TypeError, ValueError, OutOfRange):
        return None
    return Address(name=" ".join(name.split())[:_LONGEST_NAME], place=place)


def _lies_in(place: Place, bounds: Sequence[float]) -> bool:
    west, south, east, north = bounds
    return west <= place.lon <= east and south <= place.lat <= north
