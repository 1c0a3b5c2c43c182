"""Fetches files politely: one at a time, with its own name, pauses, retries, resumption and limits.

It is the territory's only door to the network. A file is written beside its place and renamed when it is
whole; one that broke off goes on where it ended, if the server still has the same one.
"""

import json
import random
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from layers import dates, network
from layers.errors import N_, Unavailable
from layers.updates.kept import Download, checksum

AGENT = "Turvakaart (community safety map; turvakaart data update; one request at a time)"
_BLOCK = 1 << 16
_LATER = (429, 502, 503, 504)


class FetchFailed(Unavailable):
    text = N_("The file could not be fetched.")


class NoAnswer(FetchFailed):
    text = N_("{host} did not answer, asked {tries} times.")


class Refused(FetchFailed):
    text = N_("{host} answered with the status {status}.")


class AskedToWait(FetchFailed):
    text = N_("{host} asks to come back in {seconds} seconds.")


class TooBig(FetchFailed):
    text = N_("{host} sends more than the {most} bytes that this source may have.")


class TooSlow(FetchFailed):
    text = N_("{host} is too slow: after {seconds} seconds only {size} bytes had come.")


class BrokeOff(FetchFailed):
    text = N_("The transfer from {host} broke off {tries} times, the last time after {size} bytes.")


class Insecure(FetchFailed):
    text = N_("{host} leads from a secure address to one that is not: {to}.")


class Elsewhere(FetchFailed):
    text = N_("{host} leads into a private network, which is not asked.")


class _Again(Exception):
    """What happened may pass: try again after `seconds`, or after the usual pause."""

    def __init__(self, failure: FetchFailed, seconds: float | None = None) -> None:
        self.failure, self.seconds = failure, seconds


class _Cut(Exception):
    """The network broke off; a full disk, say, is another matter."""


class _Guarded(HTTPAdapter):
    """Connects to the open network, and to what a source itself names; so no redirect leads behind a wall.

    `named` are hosts with their port. What goes through a proxy of one's own is the proxy's to judge.
    """

    def __init__(self) -> None:
        self.named: set[tuple[str, int]] = set()
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        named = self.named

        def dialled(connection: HTTPConnection) -> socket.socket:
            is_named = (connection.host, connection.port) in named
            may_ask = (lambda _: True) if is_named else network.is_public
            known = network.found(connection.host, connection.port or 0, may_ask=may_ask)
            limit = connection.timeout if isinstance(connection.timeout, int | float) else None
            return network.connected(known, connection.port or 0, timeout_s=limit)

        plain = type("Plain", (HTTPConnection,), {"_new_conn": dialled})
        secure = type("Secure", (HTTPSConnection,), {"_new_conn": dialled})
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }


class Client:
    """Asks servers one after the other.

    `pause_s` lies between two requests to one host; after a failure the pause doubles from `backoff_s`. A
    server may ask for at most `patience_s` of waiting. `most_s` limits one file. `now` tells the moment,
    `clock` measures, `wait` waits.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        pause_s: float = 1.0,
        backoff_s: float = 2.0,
        patience_s: float = 120.0,
        tries: int = 5,
        timeout_s: tuple[float, float] = (10.0, 60.0),
        most_s: float = 1800.0,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.pause_s, self.backoff_s, self.patience_s = pause_s, backoff_s, patience_s
        self.tries, self.timeout_s, self.most_s = tries, timeout_s, most_s
        self._now, self._clock, self._wait = now, clock, wait
        self._asked: dict[str, float] = {}
        self._session = requests.Session()
        self._session.max_redirects = 5
        self._guard = _Guarded()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, self._guard)

    def get(
        self,
        url: str,
        to: Path,
        *,
        most_bytes: int,
        known: Download | None = None,
        held: Path | None = None,
        question: Mapping[str, Any] | None = None,
    ) -> Download:
        """The file of an address, whole at its place when this returns.

        `known` is what we have already, in the folder `held`; if it has not changed, it is taken from there.

        Raises:
            FetchFailed: why it did not come. What came of it is kept for another time.
        """
        to.parent.mkdir(parents=True, exist_ok=True)
        parts = urlsplit(url)
        host = parts.netloc
        self._guard.named.add((parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)))
        last: FetchFailed = NoAnswer(host=host, tries=self.tries)
        for number in range(self.tries):
            try:
                return self._once(url, to, most_bytes, _still(known, held), held, question)
            except _Again as again:
                last = again.failure
                doubled = self.backoff_s * 2**number * random.uniform(0.8, 1.2)  # noqa: S311 (spreads callers)
                if number + 1 < self.tries:
                    self._wait(doubled if again.seconds is None else again.seconds)
        raise last

    def _once(
        self,
        url: str,
        to: Path,
        most_bytes: int,
        known: Download | None,
        held: Path | None,
        question: Mapping[str, Any] | None,
    ) -> Download:
        part, host = to.with_name(to.name + ".part"), urlsplit(url).netloc
        begun = _begun(part, url) if question is None else {}
        self._rest(host)
        try:
            answer = self._session.request(
                "GET" if question is None else "POST",
                url,
                json=question,
                headers=_headers(part, begun, known),
                timeout=self.timeout_s,
                stream=True,
            )
        except requests.RequestException as error:
            if _is_private(error):
                raise Elsewhere(host=host) from error
            raise _Again(NoAnswer(host=host, tries=self.tries)) from error
        with closing(answer):
            _check_way(url, answer)
            if answer.status_code == 304 and known is not None and held is not None:
                shutil.copyfile(held / known.name, to)
                return replace(known, name=to.name, is_new=False)
            self._check_status(host, answer, part)
            return self._taken(url, to, part, answer, most_bytes)

    def _rest(self, host: str) -> None:
        """Waits until the last request to this host is far enough away."""
        left = self._asked.get(host, float("-inf")) + self.pause_s - self._clock()
        if left > 0:
            self._wait(left)
        self._asked[host] = self._clock()

    def _check_status(self, host: str, answer: requests.Response, part: Path) -> None:
        status = answer.status_code
        if status in (200, 206):
            return
        if status == 416:  # What we hold is longer than what there is now.
            _forget(part)
            raise _Again(Refused(host=host, status=status), 0.0)
        if status in _LATER:
            seconds = self._asked_for(answer)
            if seconds is not None and seconds > self.patience_s:
                raise AskedToWait(host=host, seconds=round(seconds))
            raise _Again(Refused(host=host, status=status), seconds)
        raise Refused(host=host, status=status)

    def _asked_for(self, answer: requests.Response) -> float | None:
        """The seconds of Retry-After, which is a number or a date."""
        said = answer.headers.get("Retry-After", "").strip()
        if said.isdigit():
            return float(said)
        try:
            then = parsedate_to_datetime(said)
        except ValueError:
            return None
        return max(0.0, (then.astimezone(UTC) - self._now()).total_seconds())

    def _taken(self, url: str, to: Path, part: Path, answer: requests.Response, most_bytes: int) -> Download:
        host = urlsplit(url).netloc
        have, whole = _extent(answer, part)
        if have is None:
            _forget(part)
            raise _Again(BrokeOff(host=host, tries=self.tries, size=0), 0.0)
        if (whole or 0) > most_bytes:
            raise TooBig(host=host, most=most_bytes)
        etag, modified = answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", "")
        begun = {"url": url, "etag": etag, "last_modified": modified}
        _note(part).write_text(json.dumps(begun), encoding="utf-8")
        began = self._clock()
        try:
            with part.open("ab" if have else "wb") as file:
                for block in _blocks(answer):
                    file.write(block)
                    if file.tell() > most_bytes:
                        _forget(part)
                        raise TooBig(host=host, most=most_bytes)
                    if self._clock() - began > self.most_s:
                        raise TooSlow(host=host, seconds=round(self.most_s), size=file.tell())
        except _Cut as error:
            size = part.stat().st_size
            raise _Again(BrokeOff(host=host, tries=self.tries, size=size)) from error
        size = part.stat().st_size
        if whole is not None and size != whole:
            if size > whole:
                _forget(part)
            raise _Again(BrokeOff(host=host, tries=self.tries, size=size))
        part.replace(to)
        _forget(part)
        return Download(to.name, url, checksum(to), size, dates.moment(self._now()), etag, modified)


def _blocks(answer: requests.Response) -> Iterator[bytes]:
    """What comes, as it comes: iter_content would lose what had come of a block when the transfer breaks."""
    try:
        while block := answer.raw.read1(_BLOCK):
            yield block
    except (HTTPError, OSError) as error:
        raise _Cut from error


def _is_private(error: BaseException | None) -> bool:
    """Whether what was refused is an address of a private network, however deep it was wrapped."""
    while error is not None and not isinstance(error, network.NotPublic):
        error = error.__cause__ or error.__context__
    return error is not None


def _still(known: Download | None, held: Path | None) -> Download | None:
    """What is known of a file, if we still have it as it is known."""
    path = held / known.name if held and known else None
    return known if known and path and path.is_file() and checksum(path) == known.sha256 else None


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _begun(part: Path, url: str) -> dict[str, str]:
    """What is known of a transfer that broke off; nothing where it cannot safely go on."""
    try:
        found = json.loads(_note(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = {}
    # A weak tag promises the same meaning, not the same bytes.
    tag = str(found.get("etag", ""))
    validator = tag if tag and not tag.startswith("W/") else found.get("last_modified", "")
    if found.get("url") != url or not validator or not part.is_file() or not part.stat().st_size:
        _forget(part)
        return {}
    return {"validator": str(validator)}


def _headers(part: Path, begun: Mapping[str, str], known: Download | None) -> dict[str, str]:
    headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
    if begun:
        return headers | {"Range": f"bytes={part.stat().st_size}-", "If-Range": begun["validator"]}
    if known and known.etag:
        headers["If-None-Match"] = known.etag
    if known and known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    return headers


def _check_way(url: str, answer: requests.Response) -> None:
    steps: Iterator[str] = (step.url for step in (*answer.history, answer))
    for step in steps:
        if url.startswith("https:") and not step.startswith("https:"):
            raise Insecure(host=urlsplit(url).netloc, to=urlsplit(step).netloc)


def _extent(answer: requests.Response, part: Path) -> tuple[int | None, int | None]:
    """How many bytes we hold of what is coming, and how long it is as a whole; None where nobody says.

    The first is None when what comes does not go on where we ended.
    """
    length = answer.headers.get("Content-Length", "")
    if answer.status_code == 200:
        return 0, int(length) if length.isdigit() else None
    have = part.stat().st_size if part.is_file() else 0
    unit, _, rest = answer.headers.get("Content-Range", "").partition(" ")
    span, _, whole = rest.partition("/")
    if unit != "bytes" or span.partition("-")[0] != str(have):
        return None, None
    return have, int(whole) if whole.isdigit() else None
